//! Rebuilds by the process whose log it is, while it serves.

use axum::extract::{Path, State};
use axum::http::{HeaderName, StatusCode, header};
use duban_log::views::Entry;
use serde_json::Value;

use super::{Asked, Office};
use crate::failure::chain;
use crate::rebuild::rebuild;

type Answer = Result<([(HeaderName, &'static str); 1], String), (StatusCode, String)>;

/// Every view that the services answer from.
pub(super) async fn all(State(office): State<Asked>) -> Answer {
    of(&office, |_| true).await
}

/// One of them.
pub(super) async fn one(State(office): State<Asked>, Path(view): Path<String>) -> Answer {
    of(&office, |entry| entry.name == view).await
}

/// It goes on if whoever asked goes away: what has been built so far would be lost.
async fn of(office: &Office, which: impl Fn(&Entry) -> bool) -> Answer {
    let Some(open) = office.open() else {
        return Err((StatusCode::SERVICE_UNAVAILABLE, "starting\n".to_owned()));
    };
    let views: Vec<Entry> = open.needed.iter().filter(|entry| which(entry)).copied().collect();
    if views.is_empty() {
        return Err((StatusCode::NOT_FOUND, "there is no such view here\n".to_owned()));
    }
    let store = open.views.clone();
    let failed = |why: String| (StatusCode::SERVICE_UNAVAILABLE, why + "\n");
    let rebuilding = tokio::spawn(async move { rebuild(&store, &views).await });
    let rebuilt = rebuilding.await.map_err(|error| failed(chain(&error)))?;
    let rows = rebuilt.map_err(|error| failed(chain(&error)))?;
    Ok(([(header::CONTENT_TYPE, "application/json")], Value::Array(rows).to_string()))
}
