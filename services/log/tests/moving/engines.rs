//! From one engine to the other and back. Where there is no Postgres, that is said loudly.

use std::sync::Arc;

use duban_domain::Event;
use duban_domain::log::{LogEvent, Origin};
use duban_log::moving::{
    ExportOptions, LoadOptions, Loaded, Manifest, MoveError, Progress, export, load, restored,
};
use duban_log::views::Entry;
use duban_log::{AppendError, Appended, Clock, Location, Log, LogOptions, OpenError, SystemIds, Views};
use duban_test_postgres::Database;

use super::scene::{Exporting, Home, contents, fixture};
use crate::support::domain::Names;
use crate::support::{Fixture, append, check, everything};

async fn move_out(from: Location, exported: &Exporting, seal: bool) -> Result<Manifest, MoveError> {
    export(ExportOptions { seal, lines: 7, ..ExportOptions::new(from, exported.path()) }, |_| {}).await
}

async fn move_in(
    f: &Fixture,
    exported: &Exporting,
    to: String,
    progress: impl FnMut(Progress),
) -> Result<Loaded, MoveError> {
    let clock = Arc::clone(&f.clock) as Arc<dyn Clock>;
    load(LoadOptions { clock, ..LoadOptions::new(exported.path(), Location::Postgres(to)) }, progress).await
}

async fn open(f: &Fixture, url: String) -> Result<Log, OpenError> {
    let clock = Arc::clone(&f.clock) as Arc<dyn Clock>;
    Log::open(LogOptions::at(Location::Postgres(url)).clock(clock)).await
}

/// The digest of a view of the whole log: the same log gives the same, on either engine.
async fn digest(log: &Log) -> [u8; 32] {
    let views = Views::open(log).await.unwrap();
    let view = Entry::of::<Names>();
    view.start(&views).await.unwrap().reached(log.head().await.unwrap()).await;
    view.digest(&views).await.unwrap().sha256
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_moves_to_postgres_and_back_and_is_the_same() {
    let Some(database) = Database::migrated().await else { return };
    let f = fixture().await;
    let (before, identity, rows) = (contents(&f.log).await, f.log.identity(), digest(&f.log).await);
    f.log.close().await;
    let there = Exporting::new();
    there.seal(&f).await.unwrap();
    let loaded = move_in(&f, &there, database.owner(), |_| {}).await.unwrap();
    assert!(loaded.kept && loaded.identity == identity);

    let log = open(&f, database.app()).await.unwrap();
    assert_eq!((log.identity(), log.is_sealed().await.unwrap()), (identity, false));
    assert_eq!(contents(&log).await, before);
    let first = before.receipts[0].unwrap();
    let mut retry = append(1, &[]);
    retry.fingerprint = first.fingerprint;
    assert_eq!(log.append(retry.clone()).await.unwrap(), Appended::Before(first.receipt));
    let next = append(100, &[&["a"], &["agency:a1", "a"]]);
    log.append(next.clone()).await.unwrap();
    check(&everything(&log).await);
    let grown = contents(&log).await;

    // And back: sealed while a server is at it, which goes on answering what was.
    let back = Exporting::new();
    let not_the_owner = move_out(Location::Postgres(database.app()), &back, true).await.unwrap_err();
    assert!(matches!(not_the_owner, MoveError::Open(OpenError::Role(_))), "{not_the_owner}");
    move_out(Location::Postgres(database.owner()), &back, true).await.unwrap();
    assert!(log.is_sealed().await.unwrap());
    assert!(matches!(log.append(append(101, &[&["a"]])).await, Err(AppendError::Sealed)));
    assert_eq!(log.append(retry).await.unwrap(), Appended::Before(first.receipt));
    assert_eq!(contents(&log).await, grown);
    log.close().await;
    let home = Home::new();
    assert!(home.load(&f, &back).await.unwrap().kept);
    let log = home.open(&f).await.unwrap();
    assert_eq!((log.identity(), contents(&log).await), (identity, grown));
    assert!(matches!(log.append(next).await.unwrap(), Appended::Before(_)));
    // Raw events that the view doesn't know follow: up to them it is the same.
    assert_eq!(digest(&log).await, rows);
    // Byte for byte, what was exported from the one engine and from the other.
    let (one, other) = (there.path().join("events"), back.path().join("events"));
    for file in ["000000000001.jsonl", "000000000050.jsonl", "000000000064.jsonl"] {
        assert_eq!(
            std::fs::read(one.join(file)).unwrap(),
            std::fs::read(other.join(file)).unwrap(),
            "{file}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_load_into_postgres_goes_on_where_it_was_killed() {
    if Database::migrated().await.is_none() {
        return;
    }
    let f = fixture().await;
    let before = contents(&f.log).await;
    let (exported, other) = (Exporting::new(), Exporting::new());
    exported.export(&f).await.unwrap();
    f.log.append(append(100, &[&["a"]])).await.unwrap();
    other.export(&f).await.unwrap();
    for n in [1, 2, 6, 11, 12, 16, 20] {
        let database = Database::migrated().await.unwrap();
        let (from, to) = (exported.path(), Location::Postgres(database.owner()));
        let killed = tokio::spawn(async move {
            let mut steps = 0;
            let progress = |_| {
                steps += 1;
                assert!(steps < n, "killed");
            };
            load(LoadOptions::new(from, to), progress).await
        });
        assert!(killed.await.is_err(), "{n}");
        assert!(matches!(open(&f, database.app()).await, Err(OpenError::HalfLoaded)));
        // The connection of the one that was killed may still be noticed.
        let refused = loop {
            match move_in(&f, &other, database.owner(), |_| {}).await {
                Err(MoveError::Busy) => tokio::task::yield_now().await,
                answer => break answer,
            }
        };
        assert!(matches!(refused, Err(MoveError::OtherLoad)), "{refused:?}");
        let loaded = loop {
            match move_in(&f, &exported, database.owner(), |_| {}).await {
                Err(MoveError::Busy) => tokio::task::yield_now().await,
                answer => break answer.unwrap(),
            }
        };
        let log = open(&f, database.app()).await.unwrap();
        let mut after = contents(&log).await;
        check(&after.events);
        let opened = after.events.pop().unwrap();
        assert_eq!(after, before, "killed at step {n}");
        assert!(matches!(
            opened.decode().unwrap().event,
            Event::Log(LogEvent::EpochOpened { origin: Origin::Export, epoch, .. }) if epoch == loaded.identity.epoch
        ));
        assert!(matches!(
            move_in(&f, &exported, database.owner(), |_| {}).await,
            Err(MoveError::NotEmpty { .. })
        ));
        log.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_owner_loads_and_opens_an_epoch() {
    let Some(database) = Database::migrated().await else { return };
    let f = fixture().await;
    let exported = Exporting::new();
    exported.export(&f).await.unwrap();
    let refused = move_in(&f, &exported, database.app(), |_| {}).await.unwrap_err();
    assert!(matches!(refused, MoveError::Open(OpenError::Role(_))), "{refused}");
    let refused = restored(&database.app(), None, &*f.clock, &SystemIds).await.unwrap_err();
    assert!(matches!(refused, MoveError::Open(OpenError::Role(_))), "{refused}");
    let log = open(&f, database.app()).await.unwrap();
    assert_eq!(log.head().await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_database_is_in_another_epoch_and_an_old_server_notices() {
    let Some(f) = Fixture::postgres().await else { return };
    let Location::Postgres(app) = f.location.clone() else { panic!("{:?}", f.location) };
    let owner = app.replace(duban_test_postgres::APP, duban_test_postgres::OWNER);
    f.log.append(append(1, &[&["a"]])).await.unwrap();
    let before = f.log.identity();
    let restored = restored(&owner, None, &*f.clock, &SystemIds).await.unwrap();
    assert_eq!((restored.identity.log, restored.head), (before.log, 2));
    assert_ne!(restored.identity.epoch, before.epoch);
    // Who serves the old epoch neither reads nor writes on.
    assert!(f.log.append(append(2, &[&["a"]])).await.is_err());
    assert!(f.log.head().await.is_err());
    let log = f.again().await;
    assert_eq!(log.identity(), restored.identity);
    log.append(append(2, &[&["a"]])).await.unwrap();
    let events = everything(&log).await;
    check(&events);
    assert!(matches!(
        events[1].decode().unwrap().event,
        Event::Log(LogEvent::EpochOpened { origin: Origin::Backup, previous_position: 1, .. })
    ));
    log.close().await;
    // Nor does an ended log begin an epoch.
    move_out(Location::Postgres(owner.clone()), &Exporting::new(), true).await.unwrap();
    let ended = duban_log::moving::restored(&owner, None, &*f.clock, &SystemIds).await.unwrap_err();
    assert!(matches!(ended, MoveError::Sealed), "{ended}");
}
