//! Whether the process can answer callers, and if not, what is in the way.
//!
//! Asked by whoever decides where calls go. What another process would do no better, such as the calendar's
//! turn, is no reason to send calls elsewhere: health and metrics tell of it.

use std::time::Duration;

use duban_domain::Position;
use duban_log::{Log, State, Status};

use super::{Office, Open};
use crate::failure::chain;

/// How long the log may take to say where it stands.
const HEAD_WITHIN: Duration = Duration::from_secs(2);
/// How many events a view may be behind: below what it takes within the time that a query waits for it.
const LAG_MAX: u64 = 10_000;

/// How the process stands.
pub(super) struct Standing {
    /// A line for each thing that is in the way; none: it is ready.
    pub(super) in_the_way: Vec<String>,
    /// The head of the log, where it is known.
    pub(super) head: Option<Position>,
}

/// Looks how the process stands.
pub(super) async fn look(office: &Office) -> Standing {
    let mut in_the_way = Vec::new();
    if office.is_draining() {
        in_the_way.push("draining".to_owned());
    }
    let Some(open) = office.open() else {
        in_the_way.push("starting".to_owned());
        return Standing { in_the_way, head: None };
    };
    let head = head(&open.log).await;
    if let Err(why) = &head {
        in_the_way.push(format!("log: {why}"));
    }
    let head = head.ok();
    // What isn't known of the head says nothing of the views.
    in_the_way.extend(views(open, head.unwrap_or_default()));
    Standing { in_the_way, head }
}

/// The head of the log, or why it is not known.
async fn head(log: &Log) -> Result<Position, String> {
    match tokio::time::timeout(HEAD_WITHIN, log.head()).await {
        Ok(head) => head.map_err(|error| chain(&error)),
        Err(_late) => Err(format!("no answer within {} s", HEAD_WITHIN.as_secs())),
    }
}

fn views(open: &Open, head: Position) -> impl Iterator<Item = String> {
    open.needed.iter().filter_map(move |view| {
        let status = open.views.following(view.name).map(|following| following.status());
        behind(status.as_ref(), head).map(|why| format!("view {}: {why}", view.name))
    })
}

/// Why a view can't be answered from.
fn behind(status: Option<&Status>, head: Position) -> Option<String> {
    let Some(Status { position, state }) = status else { return Some("not started".to_owned()) };
    match state {
        State::Starting => Some("starting".to_owned()),
        State::Stopped { position, reason } => {
            Some(format!("stopped before the event at {position}: {reason}"))
        }
        State::Outdated { position, event_type } => {
            Some(format!("stopped before the event at {position}, of the unknown type {event_type}"))
        }
        State::Closed => Some("closed".to_owned()),
        State::Running => {
            let lag = head.saturating_sub(*position);
            (lag > LAG_MAX).then(|| format!("{lag} events behind"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_is_in_the_way_unless_it_runs_near_the_head() {
        let running = |position| Some(Status { position, state: State::Running });
        assert_eq!(behind(running(5).as_ref(), 5 + LAG_MAX), None);
        assert_eq!(behind(running(5).as_ref(), 3), None, "the head was asked for first");
        assert_eq!(behind(running(4).as_ref(), 5 + LAG_MAX).unwrap(), "10001 events behind");
        let stopped = State::Stopped { position: 7, reason: "broken".to_owned() };
        let stopped = Status { position: 6, state: stopped };
        assert_eq!(behind(Some(&stopped), 6).unwrap(), "stopped before the event at 7: broken");
        assert!(behind(None, 0).is_some());
        assert!(behind(Some(&Status { position: 0, state: State::Starting }), 0).is_some());
    }
}
