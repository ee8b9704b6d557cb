//! What the tests of the log share: a log in a folder of its own, and appends made of little.

#![allow(dead_code, reason = "each test binary uses its part")]

pub(crate) mod domain;

use std::sync::Arc;

use duban_domain::caller::{Caller, PrincipalId, Role};
use duban_domain::time::Date;
use duban_domain::{Position, Tag, Timestamp};
use duban_log::clock::CountedIds;
use duban_log::{
    Append, Clock, Condition, Ids, Location, Log, LogOptions, ManualClock, NewEvent, Origin, StoredEvent,
};
use duban_test_postgres::Database;
use tempfile::TempDir;
use uuid::Uuid;

/// A log in a folder that goes with it or in a database of its own, on a clock that stands.
pub(crate) struct Fixture {
    pub(crate) log: Log,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) ids: Arc<dyn Ids>,
    pub(crate) folder: TempDir,
    pub(crate) location: Location,
}

pub(crate) fn start() -> Timestamp {
    "2026-03-02T01:00:00Z".parse().unwrap()
}

pub(crate) fn day() -> Date {
    "2026-03-02".parse().unwrap()
}

impl Fixture {
    /// On SQLite.
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let location = Location::from(folder.path());
        Self::at(folder, location).await
    }

    /// On SQLite, for what runs on either.
    pub(crate) async fn sqlite() -> Option<Self> {
        Some(Self::new().await)
    }

    /// On Postgres, where there is one.
    pub(crate) async fn postgres() -> Option<Self> {
        let database = Database::migrated().await?;
        Some(Self::at(tempfile::tempdir().unwrap(), Location::Postgres(database.app())).await)
    }

    async fn at(folder: TempDir, location: Location) -> Self {
        let clock = Arc::new(ManualClock::at(start()));
        let ids: Arc<dyn Ids> = Arc::new(CountedIds::new(1));
        let log = open(&location, &clock, &ids).await;
        Self { log, clock, ids, folder, location }
    }

    /// Closes the log and opens it again.
    pub(crate) async fn reopen(&mut self) {
        self.log.close().await;
        self.log = self.again().await;
    }

    /// The log opened once more, as another process would.
    pub(crate) async fn again(&self) -> Log {
        open(&self.location, &self.clock, &self.ids).await
    }
}

async fn open(location: &Location, clock: &Arc<ManualClock>, ids: &Arc<dyn Ids>) -> Log {
    let clock = Arc::clone(clock) as Arc<dyn Clock>;
    Log::open(LogOptions::at(location.clone()).clock(clock).ids(Arc::clone(ids))).await.unwrap()
}

pub(crate) fn caller(name: &str) -> Caller {
    Caller { principal: PrincipalId::parse(name).unwrap(), role: Role::Supervisor, agency: None }
}

pub(crate) fn tag(text: &str) -> Tag {
    Tag::stored(text)
}

/// The n-th request id.
pub(crate) fn request(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

/// A raw event: the log doesn't read bodies.
pub(crate) fn raw(event_type: &str, tags: &[&str], body: &[u8]) -> NewEvent {
    NewEvent {
        id: Uuid::from_u128(7),
        nonce: [7; 32],
        event_type: event_type.to_owned(),
        effective_on: day(),
        tags: tags.iter().copied().map(tag).collect(),
        body: body.into(),
    }
}

/// An append by `tester` of one small event under each of `tags`' groups, without a condition.
pub(crate) fn append(id: u128, groups: &[&[&str]]) -> Append {
    Append {
        origin: Origin {
            caller: caller("tester"),
            request_id: request(id),
            correlation: request(id),
            causation: None,
            trace_id: None,
        },
        fingerprint: [u8::try_from(id % 251).unwrap(); 32],
        events: groups.iter().map(|tags| raw("test.happened.v1", tags, b"{}")).collect(),
        condition: Condition::default(),
        read_at: 0,
    }
}

/// The same on the condition that nothing after `after` is filed under `read`.
pub(crate) fn conditional(id: u128, groups: &[&[&str]], read: &[&str], after: Position) -> Append {
    let condition = Condition::at(read.iter().copied().map(tag), after);
    Append { condition, read_at: after, ..append(id, groups) }
}

/// The whole log, page by page.
pub(crate) async fn everything(log: &Log) -> Vec<StoredEvent> {
    let mut events = Vec::new();
    loop {
        let page = log.read(u64::try_from(events.len()).unwrap(), usize::MAX).await.unwrap();
        if page.events.is_empty() {
            return events;
        }
        events.extend(page.events);
    }
}

/// Checks what must hold of any log: positions dense from 1, times that only grow, and each tag's chain whole.
pub(crate) fn check(events: &[StoredEvent]) {
    let mut lasts = std::collections::HashMap::new();
    let mut recorded_at = Timestamp::MIN;
    for (expected, event) in (1..).zip(events) {
        assert_eq!(event.position, expected, "positions are dense");
        assert!(event.recorded_at >= recorded_at, "times only grow");
        recorded_at = event.recorded_at;
        for filed in &event.tags {
            let previous = lasts.insert(filed.tag.clone(), event.position).unwrap_or(0);
            assert_eq!(filed.previous, previous, "{} at {expected} follows on", filed.tag);
        }
    }
}
