//! Files of the version before logs moved.

use duban_log::moving::{backup, restore};
use duban_log::{Log, LogOptions, SystemIds};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};

use super::scene::{Contents, Exporting, Home, contents, fixture};
use crate::support::{Fixture, append};

/// Version 1 as it was: a file of it, with the contents of `f`'s log.
const VERSION_1: &str = include_str!("version_1.sql");

async fn raw(file: &std::path::Path) -> SqliteConnection {
    SqliteConnectOptions::new().filename(file).create_if_missing(true).connect().await.unwrap()
}

/// Puts a file of version 1 in the place of the log's.
async fn as_version_1(f: &Fixture) {
    f.log.close().await;
    let (new, old) = (f.folder.path().join("log.db"), f.folder.path().join("old.db"));
    let mut connection = raw(&old).await;
    sqlx::raw_sql(VERSION_1).execute(&mut connection).await.unwrap();
    let attach = format!("ATTACH '{}' AS new", new.display());
    sqlx::raw_sql(sqlx::AssertSqlSafe(attach)).execute(&mut connection).await.unwrap();
    let copy = "INSERT INTO identity SELECT * FROM new.identity; INSERT INTO events
                SELECT position, id, type, recorded_at, effective_on, actor, role, agency, request_id, correlation,
                       causation, trace_id, nonce, tags, body FROM new.events;
                INSERT INTO receipts SELECT * FROM new.receipts; DETACH new;";
    sqlx::raw_sql(copy).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    std::fs::rename(old, new).unwrap();
}

/// What a version knew that kept no fingerprint with an event, only with the receipt.
fn unfingerprinted(mut contents: Contents) -> Contents {
    contents.events.iter_mut().for_each(|event| event.fingerprint = None);
    contents
}

#[tokio::test]
async fn a_file_of_version_1_is_brought_up_to_date_and_is_the_same_log() {
    let f = fixture().await;
    let (before, identity) = (unfingerprinted(contents(&f.log).await), f.log.identity());
    as_version_1(&f).await;
    let log = Log::open(LogOptions::new(f.folder.path())).await.unwrap();
    assert_eq!((log.identity(), log.is_sealed().await.unwrap()), (identity, false));
    assert_eq!(contents(&log).await, before);
    log.append(append(100, &[&["a"]])).await.unwrap();
    let added = log.event(log.head().await.unwrap()).await.unwrap().unwrap();
    assert_eq!(added.fingerprint, Some(append(100, &[]).fingerprint));
    log.close().await;
    let mut connection = raw(&f.folder.path().join("log.db")).await;
    let version: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut connection).await.unwrap();
    assert_eq!(version, 3);
    // And it can move now.
    Exporting::new().seal(&f).await.unwrap();
}

#[tokio::test]
async fn a_file_of_version_1_is_exported_and_backed_up_as_it_is() {
    let f = fixture().await;
    let before = unfingerprinted(contents(&f.log).await);
    as_version_1(&f).await;
    let (exported, home) = (Exporting::new(), Home::new());
    assert_eq!(exported.export(&f).await.unwrap().head, before.events.len() as u64);
    home.load(&f, &exported).await.unwrap();
    let file = f.folder.path().join("backup.db");
    backup(f.folder.path(), &file).await.unwrap();
    let mut connection = raw(&f.folder.path().join("log.db")).await;
    let version: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut connection).await.unwrap();
    assert_eq!(version, 1, "who only reads changes nothing");
    let restored = Home::new();
    restore(&file, restored.folder.path(), None, &*f.clock, &SystemIds).await.unwrap();
    for home in [home, restored] {
        let mut after = contents(&home.open(&f).await.unwrap()).await;
        after.events.pop();
        assert_eq!(after, before);
    }
}
