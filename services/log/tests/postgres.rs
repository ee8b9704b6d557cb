//! The log on Postgres: the contract, and what is this engine's own.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod contract;
mod support;

use std::time::Duration;

use duban_log::{AppendError, Appended, Location, Log, LogOptions, Migrations, OpenError, ReadError};
use duban_test_postgres::{APP, Database, OWNER, Server};
use sqlx::Connection as _;
use support::{Fixture, append, check, conditional, everything, raw, request};
use tokio::task::JoinSet;

contract!(Fixture::postgres);

/// SQL by somebody who may do anything.
async fn tamper(database: &Database, sql: &'static str) {
    let mut connection = database.superuser().await;
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

async fn open(url: String) -> Result<Log, OpenError> {
    Log::open(LogOptions::at(Location::Postgres(url))).await
}

async fn refused(url: String) -> OpenError {
    open(url).await.err().unwrap()
}

#[tokio::test]
async fn only_the_newest_schema_is_served() {
    let Some(database) = Database::empty().await else { return };
    assert!(matches!(refused(database.app()).await, OpenError::OlderSchema { found: 0, .. }));
    let mut migrations = Migrations::connect(&database.owner()).await.unwrap();
    assert!(migrations.list().await.unwrap().iter().all(|migration| !migration.applied));
    for _ in 0..2 {
        migrations.up(Some(APP)).await.unwrap();
        assert!(migrations.list().await.unwrap().iter().all(|migration| migration.applied));
    }
    open(database.app()).await.unwrap().close().await;
    tamper(&database, "UPDATE duban_log.migrations SET checksum = 'x'").await;
    assert!(matches!(migrations.up(Some(APP)).await, Err(OpenError::Migration(_))));
    tamper(&database, "UPDATE duban_log.migrations SET version = 1000 WHERE version = 1").await;
    assert!(matches!(refused(database.app()).await, OpenError::NewerSchema { found: 1000, .. }));
    assert!(matches!(migrations.list().await, Err(OpenError::NewerSchema { found: 1000, .. })));
}

#[tokio::test]
async fn what_was_recorded_before_fingerprints_has_none() {
    let Some(database) = Database::migrated().await else { return };
    let log = open(database.app()).await.unwrap();
    log.append(append(1, &[&["a"]])).await.unwrap();
    log.close().await;
    // As version 2 was: the function that it had is replaced by the same one as here.
    let older = "ALTER TABLE duban_log.events DROP COLUMN fingerprint;
                 DELETE FROM duban_log.migrations WHERE version = 3";
    tamper(&database, older).await;
    assert!(matches!(refused(database.app()).await, OpenError::OlderSchema { found: 2, .. }));
    let mut migrations = Migrations::connect(&database.owner()).await.unwrap();
    migrations.up(Some(APP)).await.unwrap();
    let log = open(database.app()).await.unwrap();
    log.append(append(2, &[&["a"]])).await.unwrap();
    let kept: Vec<_> = everything(&log).await.iter().map(|event| event.fingerprint).collect();
    assert_eq!(kept, [None, Some(append(2, &[]).fingerprint)]);
    log.close().await;
}

#[tokio::test]
async fn a_role_that_could_write_past_the_function_is_refused() {
    let Some(database) = Database::migrated().await else { return };
    assert!(matches!(refused(database.owner()).await, OpenError::Role(_)));
    tamper(&database, "GRANT UPDATE ON duban_log.receipts TO duban_app").await;
    assert!(matches!(refused(database.app()).await, OpenError::Role(_)));
    tamper(&database, "REVOKE ALL ON duban_log.receipts FROM duban_app").await;
    assert!(matches!(refused(database.app()).await, OpenError::Role(_)));
    tamper(&database, "REVOKE USAGE ON SCHEMA duban_log FROM duban_app").await;
    assert!(matches!(refused(database.app()).await, OpenError::Role(_)));
}

#[tokio::test]
async fn a_database_that_is_not_durable_is_refused() {
    let Some(database) = Database::migrated().await else { return };
    let mut connection = database.superuser().await;
    let name: String =
        sqlx::query_scalar("SELECT current_database()").fetch_one(&mut connection).await.unwrap();
    let off = format!("ALTER DATABASE {name} SET synchronous_commit = off");
    sqlx::raw_sql(sqlx::AssertSqlSafe(off)).execute(&mut connection).await.unwrap();
    assert!(matches!(refused(database.app()).await, OpenError::NotDurable("synchronous_commit")));
}

/// Sessions that neither exclude nor see each other, as of a pooler or of an engine that takes locks lightly.
#[tokio::test]
async fn what_only_looks_like_postgres_is_refused() {
    let Some(database) = Database::migrated().await else { return };
    let answers = [
        ("TRUE", "a row that one session has locked can be locked by another"),
        ("step = 'mark'", "a session does not see what another has committed"),
        ("step IN ('mark', 'seen')", "a session sees what another has not committed"),
    ];
    for (answer, fault) in answers {
        let mut connection = database.superuser().await;
        let script = format!(
            "CREATE OR REPLACE FUNCTION duban_log.self_test(step TEXT, of_token UUID) RETURNS BOOLEAN
             LANGUAGE sql AS $$ SELECT {answer} $$"
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(script)).execute(&mut connection).await.unwrap();
        let refused = refused(database.app()).await;
        assert!(matches!(refused, OpenError::NoPostgres(why) if why == fault), "{refused}");
    }
}

#[tokio::test]
async fn nothing_is_changed_or_removed_even_by_its_owner() {
    let Some(database) = Database::migrated().await else { return };
    let log = open(database.app()).await.unwrap();
    log.append(append(1, &[&["a"]])).await.unwrap();
    let before = everything(&log).await;
    let mut owner = database.superuser().await;
    let role = format!("SET ROLE {OWNER}");
    sqlx::raw_sql(sqlx::AssertSqlSafe(role)).execute(&mut owner).await.unwrap();
    for sql in [
        "UPDATE duban_log.events SET actor = 'other'",
        "DELETE FROM duban_log.events",
        "DELETE FROM duban_log.events_000000",
        "TRUNCATE duban_log.events",
        "TRUNCATE duban_log.events_000000",
        "UPDATE duban_log.event_tags SET tag = 'other'",
        "DELETE FROM duban_log.event_tags",
        "TRUNCATE duban_log.event_tags",
        "UPDATE duban_log.receipts SET principal = 'other'",
        "DELETE FROM duban_log.receipts",
        "TRUNCATE duban_log.receipts",
        "UPDATE duban_log.identity SET epoch = log",
        "DELETE FROM duban_log.identity",
        "TRUNCATE duban_log.identity",
        "DELETE FROM duban_log.head",
        "TRUNCATE duban_log.head",
    ] {
        let refused = sqlx::raw_sql(sql).execute(&mut owner).await.unwrap_err();
        let code = refused.as_database_error().unwrap().code().unwrap().into_owned();
        assert_eq!(code, "DB000", "{sql}: {refused}");
    }
    let role = format!("RESET ROLE; SET ROLE {APP}");
    sqlx::raw_sql(sqlx::AssertSqlSafe(role)).execute(&mut owner).await.unwrap();
    for sql in [
        "INSERT INTO duban_log.event_tags VALUES ('x', 1)",
        "INSERT INTO duban_log.identity SELECT 2, log, epoch FROM duban_log.identity",
        "UPDATE duban_log.head SET sealed = TRUE",
        "SELECT duban_log.lock_head()",
        "CREATE TABLE duban_log.mine ()",
    ] {
        let refused = sqlx::raw_sql(sql).execute(&mut owner).await.unwrap_err();
        let code = refused.as_database_error().unwrap().code().unwrap().into_owned();
        assert_eq!(code, "42501", "{sql}: {refused}");
    }
    assert_eq!(everything(&log).await, before);
    log.close().await;
}

#[tokio::test]
async fn appends_run_under_read_committed_alone() {
    let Some(database) = Database::migrated().await else { return };
    let mut connection = database.superuser().await;
    let mut tx = connection.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ").await.unwrap();
    let refused = sqlx::query("SELECT duban_log.lock_head()").execute(&mut *tx).await.unwrap_err();
    assert_eq!(refused.as_database_error().unwrap().code().unwrap(), "DB001");
}

#[tokio::test]
async fn a_gap_is_data_loss_and_says_where() {
    let Some(database) = Database::migrated().await else { return };
    let log = open(database.app()).await.unwrap();
    log.append(append(1, &[&["a"], &["a"], &["b"], &["a"]])).await.unwrap();
    tamper(
        &database,
        "ALTER TABLE duban_log.events DISABLE TRIGGER append_only;
                       ALTER TABLE duban_log.events_000000 DISABLE TRIGGER append_only;
                       DELETE FROM duban_log.events WHERE position = 2",
    )
    .await;
    let lost = |result: Result<_, ReadError>| matches!(result, Err(ReadError::DataLoss { position: 2, .. }));
    assert!(lost(log.read(0, 10).await));
    assert!(lost(log.read(1, 1).await));
    assert!(lost(log.read_tags(&[support::tag("a")], 0, 4, 10).await));
    tamper(&database, "DELETE FROM duban_log.events WHERE position > 1").await;
    assert!(
        lost(log.head().await.map(|_| duban_log::event::Page::default())),
        "a head that went back is noticed"
    );
    log.close().await;
}

/// An event of type `fault.v1` leaves a promise that is looked at when the transaction commits, and can't be kept.
const FAULT: &str = "
    CREATE FUNCTION duban_log.fault() RETURNS TRIGGER LANGUAGE plpgsql AS
        $$ BEGIN IF NEW.type = 'fault.v1' THEN RAISE EXCEPTION 'the commit fails'; END IF; RETURN NULL; END $$;
    CREATE CONSTRAINT TRIGGER fault AFTER INSERT ON duban_log.events DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION duban_log.fault();";

#[tokio::test]
async fn a_failing_commit_acknowledges_nothing_and_the_log_goes_on() {
    let Some(database) = Database::migrated().await else { return };
    let log = open(database.app()).await.unwrap();
    tamper(&database, FAULT).await;
    log.append(append(1, &[&["a"]])).await.unwrap();
    let mut bad = append(2, &[]);
    bad.events = vec![raw("fault.v1", &["a"], b"{}")];
    for _ in 0..3 {
        let refused = log.append(bad.clone()).await;
        assert!(matches!(refused, Err(AppendError::Unavailable(Some(_)))), "{refused:?}");
        assert_eq!(log.head().await.unwrap(), 1);
    }
    assert_eq!(log.receipt("tester", request(2)).await.unwrap(), None);
    assert_eq!(log.append(append(3, &[&["a"]])).await.unwrap().receipt().first, 2);
    tamper(&database, "DROP TRIGGER fault ON duban_log.events").await;
    assert_eq!(log.append(bad.clone()).await.unwrap().receipt().first, 3);
    assert!(matches!(log.append(bad).await.unwrap(), Appended::Before(_)));
    check(&everything(&log).await);
    log.close().await;
}

#[tokio::test]
async fn a_sealed_log_takes_nothing_more_and_is_read_on() {
    let Some(database) = Database::migrated().await else { return };
    let log = open(database.app()).await.unwrap();
    let receipt = log.append(append(1, &[&["a"]])).await.unwrap().receipt();
    tamper(&database, "UPDATE duban_log.head SET sealed = TRUE").await;
    assert!(matches!(log.append(append(2, &[&["a"]])).await, Err(AppendError::Sealed)));
    assert_eq!(log.head().await.unwrap(), 1);
    assert_eq!(log.position_at(receipt.recorded_at).await.unwrap(), 1);
    assert_eq!(log.position_at(log.now()).await.unwrap(), 1);
    log.close().await;
}

#[tokio::test]
async fn a_process_of_another_epoch_neither_reads_the_head_nor_appends() {
    let Some(database) = Database::migrated().await else { return };
    let log = open(database.app()).await.unwrap();
    log.append(append(1, &[&["a"]])).await.unwrap();
    tamper(
        &database,
        "INSERT INTO duban_log.identity SELECT 2, log, gen_random_uuid() FROM duban_log.identity",
    )
    .await;
    assert!(matches!(log.append(append(2, &[&["a"]])).await, Err(AppendError::Unavailable(Some(_)))));
    assert!(matches!(log.head().await, Err(ReadError::Unavailable(_))));
    log.close().await;
}

#[tokio::test]
async fn there_is_room_ahead_and_more_is_made() {
    let Some(database) = Database::migrated().await else { return };
    let mut connection = database.superuser().await;
    let room = "SELECT duban_log.extend()";
    let free: i64 = sqlx::query_scalar(room).fetch_one(&mut connection).await.unwrap();
    assert_eq!(free, 30_000_000);
    // Near the end of the first partition, as after years.
    tamper(&database, "INSERT INTO duban_log.events SELECT 9999999, gen_random_uuid(), 'x', 1, '2026-01-01', 'a', 'b', NULL,
                       gen_random_uuid(), gen_random_uuid(), NULL, NULL, decode(repeat('00', 32), 'hex'), '{}', '{}', ''").await;
    let log = open(database.app()).await.unwrap();
    for id in 1..=4 {
        log.append(append(id, &[&["a"]])).await.unwrap();
    }
    assert_eq!(log.head().await.unwrap(), 10_000_003);
    let page = log.read(9_999_998, 10).await.unwrap();
    assert_eq!(
        page.events.iter().map(|event| event.position).collect::<Vec<_>>(),
        (9_999_999..=10_000_003).collect::<Vec<_>>()
    );
    let free: i64 = sqlx::query_scalar(room).fetch_one(&mut connection).await.unwrap();
    assert_eq!(free, 40_000_000 - 10_000_003);
    log.close().await;
}

/// As many logs on one database as `count`, each as a process of its own would have it.
async fn logs(database: &Database, count: usize) -> Vec<Log> {
    futures::future::join_all((0..count).map(|_| async { open(database.app()).await.unwrap() })).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_one_process_was_told_all_others_find() {
    let Some(database) = Database::migrated().await else { return };
    let logs = logs(&database, 3).await;
    let mut last = 0;
    for id in 1..=60 {
        let writer = &logs[id % 3];
        let receipt = writer.append(append(id as u128, &[&["a"]])).await.unwrap().receipt();
        assert_eq!(receipt.first, last + 1);
        last = receipt.last;
        for log in &logs {
            assert_eq!(log.head().await.unwrap(), last);
            assert_eq!(log.receipt("tester", request(id as u128)).await.unwrap().unwrap().receipt, receipt);
        }
    }
    let woken = logs[0].append(append(1000, &[&["a"]])).await.unwrap().receipt().last;
    for log in &logs {
        let mut head = log.watch();
        tokio::time::timeout(Duration::from_secs(5), head.wait_for(|head| *head >= woken))
            .await
            .unwrap()
            .unwrap();
    }
    for log in logs {
        log.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_processes_for_one_place_one_gets_it() {
    let Some(database) = Database::migrated().await else { return };
    let logs = logs(&database, 4).await;
    for round in 0..50 {
        let mut tasks = JoinSet::new();
        for (number, log) in logs.iter().cloned().enumerate() {
            tasks.spawn(async move {
                let (id, tag) = (round * 10 + number as u128, format!("name:{round}"));
                log.append(conditional(id, &[&[&tag]], &[&tag], 0)).await
            });
        }
        let answers = tasks.join_all().await;
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1, "{answers:?}");
        assert!(
            answers.iter().all(|answer| matches!(answer, Ok(_) | Err(AppendError::Conflict))),
            "{answers:?}"
        );
    }
    let events = everything(&logs[0]).await;
    check(&events);
    assert_eq!(events.len(), 50);
    for log in logs {
        log.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_same_request_to_many_processes_at_once_is_written_once() {
    let Some(database) = Database::migrated().await else { return };
    let logs = logs(&database, 4).await;
    for round in 0..30 {
        let same = || append(round, &[&["a"], &["b"]]);
        let answers = futures::future::join_all(logs.iter().map(|log| log.append(same()))).await;
        let receipts: Vec<_> = answers.into_iter().map(|answer| answer.unwrap()).collect();
        assert!(receipts.iter().all(|answer| answer.receipt() == receipts[0].receipt()));
        assert_eq!(receipts.iter().filter(|answer| matches!(answer, Appended::Now(_))).count(), 1);
    }
    check(&everything(&logs[0]).await);
    assert_eq!(logs[0].head().await.unwrap(), 60);
    for log in logs {
        log.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_is_killed_under_load_loses_and_doubles_nothing() {
    let Some(mut server) = Server::start().await else { return drop(Database::empty().await) };
    duban_test_postgres::roles(&server.options()).await;
    let database = Database::on(&server.options(), "duban").await;
    let mut migrations = Migrations::connect(&database.owner()).await.unwrap();
    migrations.up(Some(APP)).await.unwrap();
    let logs = logs(&database, 3).await;
    let mut tasks = JoinSet::new();
    for (number, log) in logs.iter().cloned().enumerate() {
        for client in 0..4_u128 {
            let log = log.clone();
            tasks.spawn(async move {
                let mut acknowledged = Vec::new();
                for count in 0..150_u128 {
                    let id = (number as u128 * 10 + client) * 1000 + count;
                    let own = format!("task:{number}-{client}");
                    // An unknown outcome is asked about again, as a caller would, until it is known.
                    let answer = loop {
                        match log.append(append(id, &[&[&own, "duty:busy"]])).await {
                            Err(AppendError::Unavailable(_)) => {
                                tokio::time::sleep(Duration::from_millis(50)).await;
                            }
                            answer => break answer.unwrap(),
                        }
                    };
                    acknowledged.push((id, answer.receipt()));
                }
                acknowledged
            });
        }
    }
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(700)).await;
        server.crash().await;
    }
    let acknowledged: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
    let events = everything(&logs[0]).await;
    check(&events);
    assert_eq!(events.len(), acknowledged.len(), "each is there once");
    for (id, receipt) in acknowledged {
        let event = &events[usize::try_from(receipt.first).unwrap() - 1];
        assert_eq!((event.request_id, event.recorded_at), (request(id), receipt.recorded_at));
    }
    for log in logs {
        log.close().await;
    }
}
