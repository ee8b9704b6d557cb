//! `duban rebuild`: views built anew from the log, compared with what stood there, and put in its place.
//!
//! On Postgres beside the processes that serve; a folder is its server's own, so there the server does it itself,
//! asked on its admin port. Either way reads go on, and the swap is atomic.

use std::net::SocketAddr;
use std::path::Path;

use duban_log::views::{Entry, Rebuilt};
use duban_log::{Location, Log, LogOptions, ViewError, Views};
use serde_json::{Value, json};

use crate::admin::post;
use crate::args::{AdminAddress, RebuildArgs, Service};
use crate::failure::{Exit, Failure, chain};
use crate::output::Printer;
use crate::server::views_of;

/// Rebuilds one view, or all of them.
pub(crate) async fn run(args: RebuildArgs, printer: &mut Printer) -> Result<(), Failure> {
    let views = chosen(args.view.as_deref())?;
    let rebuilt = match args.admin {
        Some(AdminAddress::At(address)) => by_the_server(address, args.view.as_deref()).await?,
        Some(AdminAddress::Off) => return Err(Failure::Usage("--admin: the admin port is off".to_owned())),
        None => here(args.log.location(), &views).await?,
    };
    let mut list = printer.list("rebuilt");
    let mut wrong = Vec::new();
    for row in rebuilt {
        if row["before"] != row["after"] {
            wrong.push(row["view"].as_str().unwrap_or_default().to_owned());
        }
        list.push(row)?;
    }
    list.end()?;
    if wrong.is_empty() {
        return Ok(());
    }
    let message = format!("{} did not hold what the log says; now it does", wrong.join(", "));
    Err(Failure::Other { exit: Exit::Unverified, message })
}

/// By this process, on a log that it may open.
async fn here(location: Location, views: &[Entry]) -> Result<Vec<Value>, Failure> {
    if let Location::Folder(data) = &location {
        is_there(data)?;
    }
    let opened = |error: duban_log::OpenError| unavailable(chain(&error));
    let log = Log::open(LogOptions::at(location)).await.map_err(opened)?;
    let store = Views::open(&log).await.map_err(opened)?;
    let rebuilt = caught_up(&log, &store, views).await;
    let rebuilt = match rebuilt {
        Ok(()) => rebuild(&store, views).await.map_err(|error| unavailable(chain(&error))),
        Err(failure) => Err(failure),
    };
    log.close().await;
    store.close().await;
    rebuilt
}

/// What stands there is brought up to the head first, so that the two compare.
async fn caught_up(log: &Log, store: &Views, views: &[Entry]) -> Result<(), Failure> {
    let head = log.head().await.map_err(|error| unavailable(chain(&error)))?;
    for view in views {
        view.start(store).await.map_err(|error| unavailable(chain(&error)))?;
    }
    for view in views {
        let Some(following) = store.following(view.name) else { continue };
        let status = following.reached(head).await;
        if !status.is_healthy() {
            return Err(unavailable(format!("{} has stopped: {:?}", view.name, status.state)));
        }
    }
    Ok(())
}

/// Rebuilds views that are at work; a row for each.
pub(crate) async fn rebuild(store: &Views, views: &[Entry]) -> Result<Vec<Value>, ViewError> {
    let rebuilt = store.rebuild_all(views).await?;
    Ok(rebuilt.iter().map(|(view, rebuilt)| shown(view, rebuilt)).collect())
}

/// By the process whose log it is.
async fn by_the_server(address: SocketAddr, view: Option<&str>) -> Result<Vec<Value>, Failure> {
    let path = view.map_or_else(|| "/rebuild".to_owned(), |view| format!("/rebuild/{view}"));
    let said = |error: String| unavailable(format!("{address}: {error}"));
    let (done, answer) = post(address, &path).await.map_err(|error| said(chain(&*error)))?;
    if !done {
        return Err(said(answer.trim_end().to_owned()));
    }
    serde_json::from_str(&answer).map_err(|error| said(chain(&error)))
}

fn unavailable(message: String) -> Failure {
    Failure::Other { exit: Exit::Unavailable, message }
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
