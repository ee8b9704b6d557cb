//! `duban rebuild`: views built anew from the log, compared with what stood there, and put in its place.

use std::path::Path;

use duban_log::views::{Entry, Rebuilt};
use duban_log::{Log, LogOptions, Views};
use serde_json::{Value, json};

use crate::args::{RebuildArgs, Service};
use crate::failure::{Exit, Failure, chain};
use crate::output::Printer;
use crate::server::views_of;

/// Rebuilds one view, or all of them.
pub(crate) async fn run(args: RebuildArgs, printer: &mut Printer) -> Result<(), Failure> {
    let views = chosen(args.view.as_deref())?;
    is_there(&args.log.data)?;
    let opened =
        |error: duban_log::OpenError| Failure::Other { exit: Exit::Unavailable, message: chain(&error) };
    let log = Log::open(LogOptions::new(&args.log.data)).await.map_err(opened)?;
    let store = Views::open(&log).await.map_err(opened)?;
    let mut wrong = Vec::new();
    let mut list = printer.list("rebuilt");
    for view in views {
        let rebuilt = rebuild(&log, &store, view).await?;
        if !rebuilt.is_same() {
            wrong.push(view.name);
        }
        list.push(shown(view.name, &rebuilt))?;
    }
    list.end()?;
    log.close().await;
    store.close().await;
    if wrong.is_empty() {
        return Ok(());
    }
    let message = format!("{} did not hold what the log says; now it does", wrong.join(", "));
    Err(Failure::Other { exit: Exit::Unverified, message })
}

/// A folder that was mistyped is not made into an empty log whose views are all as they should be.
fn is_there(data: &Path) -> Result<(), Failure> {
    if data.join("log.db").is_file() {
        return Ok(());
    }
    Err(Failure::Usage(format!("there is no log in {}: check --data", data.display())))
}

fn shown(view: &str, rebuilt: &Rebuilt) -> Value {
    let Rebuilt { before, after } = rebuilt;
    json!({
        "view": view,
        "position": after.position.to_string(),
        "rows": after.rows.to_string(),
        "before": hex::encode(before.sha256),
        "after": hex::encode(after.sha256),
    })
}

async fn rebuild(log: &Log, store: &Views, view: Entry) -> Result<Rebuilt, Failure> {
    let unavailable = |message: String| Failure::Other { exit: Exit::Unavailable, message };
    let head = log.head().await.map_err(|error| unavailable(chain(&error)))?;
    let following = view.start(store).await.map_err(|error| unavailable(chain(&error)))?;
    // What stands there is brought up to the head first, so that the two compare.
    let status = following.reached(head).await;
    if !status.is_healthy() {
        return Err(unavailable(format!("{} has stopped: {:?}", view.name, status.state)));
    }
    view.rebuild(store).await.map_err(|error| unavailable(chain(&error)))
}

fn chosen(view: Option<&str>) -> Result<Vec<Entry>, Failure> {
    let all = views_of(&Service::ALL);
    let Some(name) = view else { return Ok(all) };
    let names = all.iter().map(|view| view.name).collect::<Vec<_>>().join(", ");
    let found = all.into_iter().find(|view| view.name == name);
    found
        .map(|view| vec![view])
        .ok_or_else(|| Failure::Usage(format!("there is no view {name}; there are {names}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_a_log_stays_without() {
        let folder = tempfile::tempdir().unwrap();
        let mistyped = folder.path().join("mistyped");
        assert_eq!(is_there(&mistyped).unwrap_err().exit(), Exit::Usage);
        assert!(!mistyped.exists());
        std::fs::write(folder.path().join("log.db"), "").unwrap();
        assert!(is_there(folder.path()).is_ok());
    }
}
