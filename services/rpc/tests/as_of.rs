//! As of when a query answers, asked of a real log.

#![allow(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

use std::sync::Arc;

use duban_domain::{Caller, Position, PrincipalId, Role, Tag, Timestamp};
use duban_log::{Append, Condition, Log, LogOptions, ManualClock, NewEvent, Origin};
use duban_proto::call::v1 as pb;
use duban_rpc::{Known, Moment, instant};
use uuid::Uuid;

struct Fixture {
    log: Log,
    clock: Arc<ManualClock>,
    _folder: tempfile::TempDir,
}

/// A log with an event at 08:00 UTC (16:00 in Shanghai) on each of these days.
async fn log(days: &[&str]) -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(time("2026-01-01T00:00:00Z")));
    let log = Log::open(LogOptions::new(folder.path()).clock(clock.clone())).await.unwrap();
    for (n, day) in (1..).zip(days) {
        clock.set(time(&format!("{day}T08:00:00Z")));
        log.append(event(n)).await.unwrap();
    }
    Fixture { log, clock, _folder: folder }
}

/// What an event says does not matter here.
fn event(n: u128) -> Append {
    let caller = Caller { principal: PrincipalId::parse("p").unwrap(), role: Role::Supervisor, agency: None };
    let origin = Origin {
        caller,
        request_id: Uuid::from_u128(n),
        correlation: Uuid::from_u128(n),
        causation: None,
        trace_id: None,
    };
    let event = NewEvent {
        id: Uuid::from_u128(n),
        nonce: [0; 32],
        event_type: "task.archived.v1".into(),
        effective_on: "2026-01-01".parse().unwrap(),
        tags: vec![Tag::stored("task:t")],
        body: br"{}".as_slice().into(),
    };
    let (fingerprint, condition) = ([0; 32], Condition::default());
    Append { origin, fingerprint, events: vec![event], condition, read_at: 0 }
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

async fn at(fixture: &Fixture, known: Known) -> Result<Position, String> {
    let position = known.position(&fixture.log).await;
    position.map(Option::unwrap).map_err(|error| error.reason().to_owned())
}

const BEYOND: &str = "POSITION_BEYOND_HEAD";

#[tokio::test]
async fn a_time_means_what_was_recorded_at_or_before_it() {
    let f = log(&["2026-03-01", "2026-03-02", "2026-03-04"]).await;
    let instant = |text| Known::At(time(text));
    assert_eq!(at(&f, instant("2026-03-01T07:59:59.999999Z")).await, Ok(0));
    assert_eq!(at(&f, instant("2026-03-01T08:00:00Z")).await, Ok(1));
    assert_eq!(at(&f, instant("2026-03-03T00:00:00Z")).await, Ok(2));
    assert_eq!(at(&f, instant("2026-03-04T08:00:00Z")).await, Ok(3));
    assert_eq!(at(&f, instant("2026-03-04T08:00:00.000001Z")).await, Err(BEYOND.into()));
    f.clock.set(time("2026-03-05T00:00:00Z"));
    assert_eq!(at(&f, instant("2026-03-04T23:00:00Z")).await, Ok(3), "after the last event is the head");
}

#[tokio::test]
async fn a_day_ends_in_shanghai_and_today_ends_now() {
    let f = log(&["2026-03-01", "2026-03-02"]).await;
    // 16:00 UTC is midnight in Shanghai: the next day's.
    f.clock.set(time("2026-03-02T16:00:00Z"));
    f.log.append(event(3)).await.unwrap();
    let day = |text: &str| Known::On(text.parse().unwrap());
    assert_eq!(at(&f, day("2026-02-28")).await, Ok(0));
    assert_eq!(at(&f, day("2026-03-01")).await, Ok(1));
    assert_eq!(at(&f, day("2026-03-02")).await, Ok(2));
    assert_eq!(at(&f, day("2026-03-03")).await, Ok(3));
    assert_eq!(at(&f, day("2026-03-04")).await, Err(BEYOND.into()));
    assert_eq!(at(&f, day("2199-12-31")).await, Err(BEYOND.into()));
}

#[tokio::test]
async fn what_the_log_recorded_is_never_in_its_future() {
    let f = log(&["2026-03-01", "2026-03-02"]).await;
    f.clock.set(time("2026-01-01T00:00:00Z"));
    assert_eq!(at(&f, Known::At(time("2026-03-02T08:00:00Z"))).await, Ok(2));
    assert_eq!(at(&f, Known::At(time("2026-03-02T08:00:01Z"))).await, Err(BEYOND.into()));
}

#[tokio::test]
async fn a_position_beyond_the_head_is_refused_with_the_head() {
    let f = log(&["2026-03-01", "2026-03-02"]).await;
    assert_eq!(at(&f, Known::Position(2)).await, Ok(2));
    assert_eq!(at(&f, Known::Position(3)).await, Err(BEYOND.into()));
    assert_eq!(Known::Now.position(&f.log).await.unwrap(), None, "all that is known");
}

#[tokio::test]
async fn the_echo_says_when() {
    let f = log(&["2026-03-01", "2026-03-02"]).await;
    let moment = Moment { valid_on: "2026-12-31".parse().unwrap(), position: 1 };
    let echo = moment.answer(&f.log).await.unwrap();
    assert_eq!((echo.valid_on.as_str(), echo.position), ("2026-12-31", 1));
    assert_eq!(echo.recorded_at, Some(instant(time("2026-03-01T08:00:00Z"))));
    assert_eq!(echo.knowledge(), pb::Knowledge::Known);
}

#[tokio::test]
async fn before_the_first_event_nothing_is_known() {
    let f = log(&["2026-03-01"]).await;
    let moment = Moment { valid_on: "2026-12-31".parse().unwrap(), position: 0 };
    let echo = moment.answer(&f.log).await.unwrap();
    assert_eq!((echo.position, echo.recorded_at), (0, None));
    assert_eq!(echo.knowledge(), pb::Knowledge::NothingKnown);
}
