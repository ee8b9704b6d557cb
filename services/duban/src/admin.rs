//! The admin port: what an operator, a scheduler and Prometheus ask of a process, over plain HTTP/1.1.
//!
//! | path | says |
//! |---|---|
//! | `GET /livez` | the process runs; nothing about its database, or a restart would be the cure for that |
//! | `GET /readyz` | 200 if it can answer callers; else 503 and a line for each thing that is in the way |
//! | `GET /metrics` | what [`metrics`] counts, as OpenMetrics text |
//! | `GET /checkpoint`, `/handovers.json`, `/tile/…`, `/tile/entries/…` | the audit tree, as [`tiles`] lays it out |
//! | `GET /keys/{algorithm}`, `POST` to it, and to `/{key}/retire` below it | the keys that sign the tree of `sha256` or `sm3`; another one announced; one retired |
//! | `POST /rebuild`, `POST /rebuild/{view}` | the process's views built anew beside the live ones, compared and swapped: a JSON array of what `duban rebuild` prints |
//!
//! It listens before the log is opened and answers until the log is closed, so that starting and draining can
//! be seen. Whoever reaches it is believed, as everywhere in this version: it is on loopback unless `--insecure`.
//! A request with an `Origin` comes from a page in somebody's browser and is refused.

mod ask;
mod keys;
mod metrics;
mod ready;
mod rebuild;
mod tiles;

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post as posted};
use duban_log::views::Entry;
use duban_log::{Log, Views};
use duban_rpc::{Calls, ServeError};
use duban_tree::Trees;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(crate) use ask::{get as got, post};
use metrics::Metrics;

use crate::http::accept;

/// What the routes answer from.
pub(crate) type Asked = Arc<Office>;

/// What is known of the process.
pub(crate) struct Office {
    /// `None` until the services are open.
    open: OnceLock<Open>,
    draining: CancellationToken,
    metrics: Metrics,
}

/// What a process that has started works with.
pub(crate) struct Open {
    pub(crate) log: Log,
    pub(crate) views: Views,
    /// The views that its services answer from.
    pub(crate) needed: Vec<Entry>,
    /// The audit trees, if any are kept here.
    pub(crate) trees: Option<Trees>,
}

/// An admin port that answers.
pub(crate) struct Admin {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    office: Asked,
    serving: JoinHandle<()>,
}

impl Admin {
    /// Listens and answers, of a process that is still starting. Beyond loopback only if `insecure`.
    pub(crate) async fn start(
        address: SocketAddr,
        insecure: bool,
        calls: &Calls,
        draining: CancellationToken,
    ) -> Result<Self, ServeError> {
        let (listener, address) = duban_rpc::listen(address, insecure).await?;
        let office = Arc::new(Office { open: OnceLock::new(), draining, metrics: Metrics::of(calls) });
        let serving = tokio::spawn(accept("admin", listener, routes(Arc::clone(&office))));
        tracing::info!(admin = %address, "the admin port listens");
        Ok(Self { address, office, serving })
    }

    /// The services are open.
    pub(crate) fn opened(&self, open: Open) {
        // A process starts once.
        let _ = self.office.open.set(open);
    }

    /// Answers no more.
    pub(crate) async fn close(self) {
        self.serving.abort();
        self.serving.await.ok();
    }
}

fn routes(office: Asked) -> Router {
    Router::new()
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .route("/keys/{algorithm}", get(keys::list).post(keys::announce))
        .route("/keys/{algorithm}/{key}/retire", posted(keys::retire))
        .route("/rebuild", posted(rebuild::all))
        .route("/rebuild/{view}", posted(rebuild::one))
        .fallback(get(tiles::get))
        .layer(middleware::from_fn(not_from_a_page))
        .with_state(office)
}

/// A page of any site can make a browser on this machine send requests here.
async fn not_from_a_page(request: Request, next: Next) -> Response {
    if request.headers().contains_key(header::ORIGIN) {
        return (StatusCode::FORBIDDEN, "not from a browser\n").into_response();
    }
    next.run(request).await
}

async fn livez() -> &'static str {
    "alive\n"
}

async fn readyz(State(office): State<Asked>) -> Response {
    let in_the_way = ready::look(&office).await.in_the_way;
    if in_the_way.is_empty() {
        return "ready\n".into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, in_the_way.join("\n") + "\n").into_response()
}

async fn metrics(State(office): State<Asked>) -> Response {
    match office.metrics.text(&office).await {
        Ok(text) => ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "the metrics can't be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

impl Office {
    /// What the process works with, once it has started.
    pub(crate) fn open(&self) -> Option<&Open> {
        self.open.get()
    }

    /// Whether it has been told to stop.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.is_cancelled()
    }
}
