//! The log on SQLite: the contract, and what is this engine's own.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod contract;
mod support;

use duban_log::archive::{Cursor, Filings, ReceiptCursor};
use duban_log::{
    AppendError, Appended, Archive, Held, Log, LogOptions, OpenError, ReadError, StoredEvent, Unreadable,
};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};
use support::{Fixture, append, check, everything, raw, request};

contract!(Fixture::sqlite);

/// A connection of somebody who gets at the file.
async fn intruder(f: &Fixture) -> SqliteConnection {
    SqliteConnectOptions::new().filename(f.folder.path().join("log.db")).connect().await.unwrap()
}

async fn tamper(f: &Fixture, sql: &'static str) {
    let mut connection = intruder(f).await;
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

#[tokio::test]
async fn one_process_owns_a_folder() {
    let f = Fixture::new().await;
    let second = Log::open(LogOptions::new(f.folder.path())).await;
    assert!(matches!(second, Err(OpenError::InUse(_))));
    f.log.close().await;
    let third = Log::open(LogOptions::new(f.folder.path())).await.unwrap();
    third.close().await;
}

#[tokio::test]
async fn a_log_is_the_same_when_it_is_opened_again() {
    let mut f = Fixture::new().await;
    let identity = f.log.identity();
    let receipt = f.log.append(append(1, &[&["a"]])).await.unwrap().receipt();
    f.reopen().await;
    assert_eq!(f.log.identity(), identity);
    assert_eq!(f.log.head().await.unwrap(), 1);
    assert_eq!(f.log.append(append(1, &[&["a"]])).await.unwrap(), Appended::Before(receipt));
    f.log.append(append(2, &[&["a"]])).await.unwrap();
    check(&everything(&f.log).await);
}

#[tokio::test]
async fn a_closed_log_says_so() {
    let f = Fixture::new().await;
    f.log.close().await;
    assert!(matches!(f.log.append(append(1, &[&["a"]])).await, Err(AppendError::Unavailable(_))));
    f.log.close().await;
}

#[tokio::test]
async fn a_closed_log_is_all_in_one_file() {
    let f = Fixture::new().await;
    f.log.append(append(1, &[&["a"]])).await.unwrap();
    everything(&f.log).await;
    f.log.close().await;
    for beside in ["log.db-wal", "log.db-shm"] {
        assert!(!f.folder.path().join(beside).exists(), "{beside} would be left behind by a copy of log.db");
    }
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let mut f = Fixture::new().await;
    f.log.close().await;
    tamper(&f, "PRAGMA user_version = 1000").await;
    let refused = Log::open(LogOptions::new(f.folder.path())).await.err().unwrap();
    assert!(matches!(refused, OpenError::NewerSchema { found: 1000, .. }), "{refused}");
    tamper(&f, "PRAGMA user_version = 3").await;
    f.reopen().await;
}

#[tokio::test]
async fn another_programs_database_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.db");
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let mut connection = options.connect().await.unwrap();
    sqlx::raw_sql("CREATE TABLE theirs (x)").execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    let refused = Log::open(LogOptions::new(folder.path())).await.err().unwrap();
    assert!(matches!(refused, OpenError::NotALog(_)), "{refused}");
}

#[tokio::test]
async fn nothing_is_changed_or_removed() {
    let f = Fixture::new().await;
    f.log.append(append(1, &[&["a"]])).await.unwrap();
    let before = everything(&f.log).await;
    let mut connection = intruder(&f).await;
    for sql in [
        "UPDATE events SET actor = 'other'",
        "DELETE FROM events",
        "UPDATE event_tags SET tag = 'other'",
        "DELETE FROM event_tags",
        "UPDATE receipts SET principal = 'other'",
        "DELETE FROM receipts",
        "UPDATE identity SET epoch = log",
        "DELETE FROM identity",
        "INSERT OR REPLACE INTO events SELECT * FROM events",
        "INSERT INTO events SELECT 9, id, type, recorded_at, effective_on, actor, role, agency, request_id, \
         correlation, causation, trace_id, nonce, tags, body, fingerprint FROM events",
    ] {
        assert!(sqlx::raw_sql(sql).execute(&mut connection).await.is_err(), "{sql}");
    }
    assert_eq!(everything(&f.log).await, before);
}

#[tokio::test]
async fn a_gap_is_data_loss_and_says_where() {
    let f = Fixture::new().await;
    f.log.append(append(1, &[&["a"], &["a"], &["b"], &["a"]])).await.unwrap();
    tamper(&f, "DROP TRIGGER events_no_delete; DELETE FROM events WHERE position = 2").await;
    let lost = |result: Result<_, ReadError>| matches!(result, Err(ReadError::DataLoss { position: 2, .. }));
    assert!(lost(f.log.read(0, 10).await));
    assert!(lost(f.log.read(1, 1).await));
    assert!(lost(f.log.read_tags(&[support::tag("a")], 0, 4, 10).await));
    assert!(f.log.read(2, 10).await.is_ok());
}

#[tokio::test]
async fn a_lost_tail_is_data_loss_and_stops_writing() {
    let f = Fixture::new().await;
    f.log.append(append(1, &[&["a"], &["a"]])).await.unwrap();
    tamper(&f, "DROP TRIGGER events_no_delete; DELETE FROM events WHERE position = 2").await;
    assert!(matches!(f.log.read(0, 10).await, Err(ReadError::DataLoss { position: 2, .. })));
    assert!(matches!(f.log.append(append(2, &[&["a"]])).await, Err(AppendError::Unavailable(_))));
}

#[tokio::test]
async fn what_another_wrote_against_the_rules_is_not_written_over() {
    let f = Fixture::new().await;
    f.log.append(append(1, &[&["a"]])).await.unwrap();
    let theirs = "INSERT INTO events SELECT 2, id, type, recorded_at + 1, effective_on, actor, role, agency, \
                  request_id, correlation, causation, trace_id, nonce, '[[\"a\",1]]', body, fingerprint FROM events";
    tamper(&f, theirs).await;
    // The writer remembers the head as it was: the first one finds out, and the next knows better.
    let mine = support::conditional(2, &[&["a"]], &["a"], 1);
    assert!(matches!(f.log.append(mine.clone()).await, Err(AppendError::Unavailable(_))));
    assert!(matches!(f.log.append(mine).await, Err(AppendError::Conflict)));
    let next = f.log.append(support::conditional(3, &[&["a"]], &["a"], 2)).await.unwrap();
    assert_eq!(next.receipt().first, 3);
    check(&everything(&f.log).await);
}

#[tokio::test]
async fn a_damaged_envelope_is_data_loss() {
    let f = Fixture::new().await;
    f.log.append(append(1, &[&["a"], &["b"]])).await.unwrap();
    tamper(&f, "DROP TRIGGER events_no_update; UPDATE events SET tags = 'x' WHERE position = 2").await;
    assert!(matches!(f.log.read(0, 10).await, Err(ReadError::DataLoss { position: 2, .. })));
}

/// An event of type `fault.v1` leaves a promise that can't be kept until the commit, which then fails with the
/// transaction still open: what a failing fsync does.
const FAULT: &str = "
    CREATE TABLE promised (id INTEGER PRIMARY KEY);
    CREATE TABLE promise (id INTEGER REFERENCES promised (id) DEFERRABLE INITIALLY DEFERRED);
    CREATE TRIGGER fault AFTER INSERT ON events WHEN NEW.type = 'fault.v1'
    BEGIN INSERT INTO promise VALUES (NEW.position); END;
";

/// An event of type `fault.v1` fails as it is inserted: what a full disk does.
const FAULT_AT_ONCE: &str = "
    CREATE TRIGGER fault AFTER INSERT ON events WHEN NEW.type = 'fault.v1'
    BEGIN SELECT RAISE(ABORT, 'the disk is full'); END;
";

#[tokio::test]
async fn a_failing_commit_acknowledges_nothing_and_the_log_goes_on() {
    the_log_goes_on_after(FAULT).await;
}

#[tokio::test]
async fn a_failing_insert_acknowledges_nothing_and_the_log_goes_on() {
    the_log_goes_on_after(FAULT_AT_ONCE).await;
}

async fn the_log_goes_on_after(fault: &'static str) {
    let f = Fixture::new().await;
    tamper(&f, fault).await;
    f.log.append(append(1, &[&["a"]])).await.unwrap();
    let mut bad = append(2, &[]);
    bad.events = vec![raw("fault.v1", &["a"], b"{}")];
    for _ in 0..3 {
        let refused = f.log.append(bad.clone()).await;
        assert!(matches!(refused, Err(AppendError::Unavailable(Some(_)))), "{refused:?}");
        assert_eq!(f.log.head().await.unwrap(), 1);
    }
    assert_eq!(f.log.receipt("tester", support::request(2)).await.unwrap(), None);
    let next = f.log.append(append(3, &[&["a"]])).await.unwrap();
    assert_eq!(next.receipt().first, 2);
    // The retry finds out that nothing was written, and writes once the fault is gone.
    tamper(&f, "DROP TRIGGER fault").await;
    assert_eq!(f.log.append(bad.clone()).await.unwrap().receipt().first, 3);
    assert!(matches!(f.log.append(bad).await.unwrap(), Appended::Before(_)));
    check(&everything(&f.log).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_failing_commit_is_told_to_all_that_were_in_it() {
    let f = Fixture::new().await;
    tamper(&f, FAULT).await;
    let mut tasks = tokio::task::JoinSet::new();
    for id in 0..200 {
        let log = f.log.clone();
        tasks.spawn(async move {
            let mut one = append(id, &[&["a"]]);
            if id % 20 == 0 {
                one.events[0].event_type = "fault.v1".into();
            }
            (id, log.append(one).await)
        });
    }
    let answers = tasks.join_all().await;
    let events = everything(&f.log).await;
    check(&events);
    for (id, answer) in answers {
        let written = events.iter().filter(|event| event.request_id == support::request(id)).count();
        match answer {
            Ok(_) => assert_eq!(written, 1, "{id} was acknowledged"),
            Err(_) => assert_eq!(written, 0, "{id} was in a batch that failed"),
        }
        assert_eq!(f.log.receipt("tester", support::request(id)).await.unwrap().is_some(), written == 1);
    }
}

#[tokio::test]
async fn a_full_queue_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let options = LogOptions { queue: 1, ..LogOptions::new(folder.path()) };
    let log = Log::open(options).await.unwrap();
    // On one thread the committer gets no turn before all of them have been sent.
    let answers = futures::future::join_all((0..10).map(|id| log.append(append(id, &[&["a"]])))).await;
    assert!(answers[0].is_ok());
    assert!(answers[1..].iter().all(|answer| matches!(answer, Err(AppendError::QueueFull))), "{answers:?}");
    assert_eq!(log.head().await.unwrap(), 1);
}

#[tokio::test]
async fn a_batch_knows_what_it_has_already_taken() {
    let f = Fixture::new().await;
    // On one thread they are all in one batch.
    let twice = || async { f.log.append(support::conditional(1, &[&["a"]], &["a"], 0)).await };
    let rival = f.log.append(support::conditional(2, &[&["a"]], &["a"], 0));
    let (first, again, rival) = tokio::join!(twice(), twice(), rival);
    let receipt = first.unwrap().receipt();
    assert_eq!(again.unwrap(), Appended::Before(receipt));
    assert!(matches!(rival, Err(AppendError::Conflict)));
    check(&everything(&f.log).await);
}

/// All events as evidence.
async fn found(f: &Fixture) -> Vec<Result<StoredEvent, Unreadable>> {
    let archive = Archive::open(&Held::Log(f.location.clone())).await.unwrap();
    let (mut cursor, mut found) = (Cursor::default(), Vec::new());
    while let Some(stretch) = archive.events(&mut cursor).await.unwrap() {
        found.extend(stretch.events);
    }
    archive.close().await;
    found
}

/// A log of events with and without all that may be absent, and with bodies of any bytes.
async fn varied() -> Fixture {
    let f = Fixture::new().await;
    f.log.append(append(1, &[&["a", "b"], &["b"]])).await.unwrap();
    let mut full = append(2, &[&["a"]]);
    full.origin.caller.agency = "agencies/finance".parse().ok();
    full.origin.causation = Some(1);
    full.origin.trace_id = Some("0af7651916cd43dd8448eb211c80319c".into());
    full.events.extend([
        raw("test.happened.v1", &["督 7;"], &[0, 0xff, b';', b' ']),
        raw("test.happened.v1", &["a"], &[]),
    ]);
    f.log.append(full).await.unwrap();
    f
}

#[tokio::test]
async fn evidence_is_what_is_stored() {
    let f = varied().await;
    let stored: Vec<_> = everything(&f.log).await.into_iter().map(Ok).collect();
    assert_eq!((found(&f).await, stored.len()), (stored, 5));
}

#[tokio::test]
async fn of_a_damaged_row_its_place_is_told_and_the_others_are_read() {
    for damage in [
        "UPDATE events SET id = x'00' WHERE position = 3",
        "UPDATE events SET request_id = substr(request_id, 2), correlation = CAST(x'00' || correlation AS BLOB) WHERE position = 3",
        "UPDATE events SET tags = '[' WHERE position = 3",
        "UPDATE events SET effective_on = '2026-02-30' WHERE position = 3",
        "UPDATE events SET actor = CAST(x'ff' AS TEXT) WHERE position = 3",
        // The file itself is written to: its tables take no value of another type.
        "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(sql, ') STRICT', ')') WHERE name = 'events';
         PRAGMA writable_schema = RESET; UPDATE events SET actor = CAST(actor AS BLOB) WHERE position = 3",
    ] {
        let f = varied().await;
        let mut stored: Vec<_> = everything(&f.log).await.into_iter().map(Ok).collect();
        f.log.close().await;
        tamper(&f, "DROP TRIGGER events_no_update").await;
        tamper(&f, damage).await;
        let mut found = found(&f).await;
        let told = found.remove(2).expect_err(damage);
        drop(stored.remove(2));
        assert_eq!((found, told.position), (stored, Some(3)), "{damage}");
    }
}

#[tokio::test]
async fn receipts_as_evidence_are_what_is_stored() {
    let f = varied().await;
    let archive = Archive::open(&Held::Log(f.location.clone())).await.unwrap();
    let receipts = archive.receipts(&mut ReceiptCursor::default()).await.unwrap().unwrap().receipts;
    let ends: Vec<_> = receipts.iter().map(|found| found.as_ref().unwrap().stored.receipt.last).collect();
    assert_eq!(ends, [2, 5]);
    for (request_id, receipt) in [1, 2].map(request).into_iter().zip(receipts) {
        let receipt = receipt.unwrap();
        let stored = f.log.receipt(&receipt.principal, request_id).await.unwrap();
        assert_eq!((receipt.request_id, Some(receipt.stored)), (request_id, stored));
    }
    archive.close().await;
}

#[tokio::test]
async fn the_index_of_tags_is_compared_with_what_was_filed() {
    let filed = [("a", 1), ("b", 1), ("b", 2), ("a", 3), ("督 7;", 4), ("a", 5)];
    for (damage, first) in [
        ("SELECT 1", None),
        ("DELETE FROM event_tags WHERE tag = 'a' AND position = 3", Some(3)),
        ("INSERT INTO event_tags VALUES ('a', 2)", Some(2)),
        ("INSERT INTO event_tags VALUES ('', 4)", Some(4)),
        ("INSERT INTO event_tags VALUES ('a', 9)", Some(9)),
        ("INSERT INTO event_tags VALUES ('a', 0)", Some(0)),
        ("UPDATE event_tags SET position = 4 WHERE tag = 'b' AND position = 2", Some(2)),
    ] {
        let f = varied().await;
        f.log.close().await;
        tamper(&f, "DROP TRIGGER event_tags_no_update; DROP TRIGGER event_tags_no_delete").await;
        tamper(&f, damage).await;
        let archive = Archive::open(&Held::Log(f.location.clone())).await.unwrap();
        let mut filings = Filings::new(&[7; 16]);
        for (tag, position) in filed {
            filings.add(filings.hash(tag), position);
        }
        assert_eq!(archive.misfiled(&filings).await.unwrap(), first, "{damage}");
        // That one way through the index is enough must itself be seen to fail.
        assert_eq!(archive.misfiled(&filings.anew()).await.unwrap(), first, "{damage}");
        archive.close().await;
    }
}
