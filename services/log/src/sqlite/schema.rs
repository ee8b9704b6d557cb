//! The tables of `log.db`, their version, and the triggers that keep them append-only.

use std::path::Path;

use duban_domain::Position;
use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection, Row};
use uuid::Uuid;

use super::unsigned;
use crate::append::LogIdentity;
use crate::clock::Ids;
use crate::error::OpenError;

/// The version that this program writes, in SQLite's `user_version`.
const VERSION: i64 = 3;
/// Marks the file as ours, in SQLite's `application_id`: "duba".
const APPLICATION: i64 = 0x6475_6261;

/// Version 1. `event_tags` is only the index of what `events.tags` says: there, and in the leaf that is
/// hashed, each tag stands with the previous position under it. A trigger keeps it, so that nothing can be
/// filed otherwise than its row says. No other index is on the path of an append.
const TABLES: &str = "
CREATE TABLE identity (
    sequence INTEGER PRIMARY KEY,
    log BLOB NOT NULL CHECK (length(log) = 16),
    epoch BLOB NOT NULL CHECK (length(epoch) = 16)
) STRICT;

CREATE TABLE events (
    position INTEGER PRIMARY KEY CHECK (position > 0),
    id BLOB NOT NULL,
    type TEXT NOT NULL,
    recorded_at INTEGER NOT NULL,
    effective_on TEXT NOT NULL,
    actor TEXT NOT NULL,
    role TEXT NOT NULL,
    agency TEXT,
    request_id BLOB NOT NULL,
    correlation BLOB NOT NULL,
    causation INTEGER,
    trace_id TEXT,
    nonce BLOB NOT NULL,
    tags TEXT NOT NULL,
    body BLOB NOT NULL
) STRICT;

CREATE TABLE event_tags (
    tag TEXT NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (tag, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE receipts (
    request_id BLOB NOT NULL,
    principal TEXT NOT NULL,
    fingerprint BLOB NOT NULL,
    first_position INTEGER NOT NULL,
    last_position INTEGER NOT NULL,
    recorded_at INTEGER NOT NULL,
    PRIMARY KEY (request_id, principal)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER events_dense BEFORE INSERT ON events
WHEN NEW.position <> (SELECT COALESCE(MAX(position), 0) + 1 FROM events)
BEGIN SELECT RAISE(ROLLBACK, 'positions are dense'); END;

CREATE TRIGGER events_filed AFTER INSERT ON events
BEGIN INSERT OR ROLLBACK INTO event_tags (tag, position) SELECT value ->> 0, NEW.position FROM json_each(NEW.tags); END;
";

/// What version 2 added, for logs that move. A row in `seal` ends the log: nothing is recorded in it any more. A
/// row in `loading` says that a load is under way, of the export whose digest it holds; no identity is written
/// until it is done.
const MOVING: &str = "
CREATE TABLE seal (
    sequence INTEGER PRIMARY KEY CHECK (sequence = 1),
    position INTEGER NOT NULL,
    sealed_at INTEGER NOT NULL
) STRICT;

CREATE TABLE loading (
    sequence INTEGER PRIMARY KEY CHECK (sequence = 1),
    export BLOB NOT NULL CHECK (length(export) = 32)
) STRICT;

CREATE TRIGGER events_sealed BEFORE INSERT ON events WHEN EXISTS (SELECT 1 FROM seal)
BEGIN SELECT RAISE(ROLLBACK, 'the log is sealed'); END;

CREATE TRIGGER receipts_sealed BEFORE INSERT ON receipts WHEN EXISTS (SELECT 1 FROM seal)
BEGIN SELECT RAISE(ROLLBACK, 'the log is sealed'); END;
";

/// What version 3 added: the fingerprint of the command that caused an event, the same as in its receipt, so that
/// the leaf commits to it and a receipt can't be altered unseen. Events of older versions have none.
const FINGERPRINTS: &str = "ALTER TABLE events ADD COLUMN fingerprint BLOB;";

/// The version from which on events have a fingerprint.
pub(super) const FINGERPRINTED: i64 = 3;

/// Refuses to change or remove a row, for any reason.
fn append_only(table: &str) -> String {
    let refuse = |what: &str| {
        format!(
            "CREATE TRIGGER {table}_no_{what} BEFORE {what} ON {table}
             BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END;"
        )
    };
    refuse("update") + &refuse("delete")
}

/// Checks the file, makes the tables where there are none, and reads which log it is.
pub(crate) async fn prepare(
    connection: &mut SqliteConnection,
    path: &Path,
    ids: &dyn Ids,
) -> Result<LogIdentity, OpenError> {
    // A crash in here leaves either nothing or everything: it is one transaction.
    let mut tx = connection.begin_with("BEGIN IMMEDIATE").await?;
    if tables(&mut tx, path).await? {
        identify(&mut tx, LogIdentity { log: ids.identity(), epoch: ids.identity() }).await?;
    }
    if loading(&mut tx).await?.is_some() {
        return Err(OpenError::HalfLoaded);
    }
    let identity = identity(&mut tx).await?.ok_or_else(|| OpenError::NotALog(path.to_owned()))?;
    tx.commit().await?;
    Ok(identity)
}

/// Makes the tables where there are none, and brings those of an older version up to date. Whether they were
/// made now: then there is no identity yet.
pub(crate) async fn tables(connection: &mut SqliteConnection, path: &Path) -> Result<bool, OpenError> {
    let version = match version(connection, path).await? {
        Some(VERSION) => return Ok(false),
        older => older.unwrap_or(0),
    };
    if version < 1 {
        let script: String = ["identity", "events", "event_tags", "receipts"].map(append_only).concat();
        sqlx::raw_sql(TABLES).execute(&mut *connection).await?;
        sqlx::raw_sql(sqlx::AssertSqlSafe(script)).execute(&mut *connection).await?;
    }
    if version < 2 {
        sqlx::raw_sql(MOVING).execute(&mut *connection).await?;
        sqlx::raw_sql(sqlx::AssertSqlSafe(append_only("seal"))).execute(&mut *connection).await?;
    }
    if version < FINGERPRINTED {
        sqlx::raw_sql(FINGERPRINTS).execute(&mut *connection).await?;
    }
    let mark = format!("PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION};");
    sqlx::raw_sql(sqlx::AssertSqlSafe(mark)).execute(&mut *connection).await?;
    Ok(version == 0)
}

/// The version of the tables; none in an empty file.
pub(crate) async fn version(
    connection: &mut SqliteConnection,
    path: &Path,
) -> Result<Option<i64>, OpenError> {
    let application: i64 = sqlx::query_scalar("PRAGMA application_id").fetch_one(&mut *connection).await?;
    let found: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *connection).await?;
    let tables: i64 =
        sqlx::query_scalar("SELECT COUNT(*) FROM sqlite_schema").fetch_one(&mut *connection).await?;
    match (application, found) {
        (0, 0) if tables == 0 => Ok(None),
        (APPLICATION, found) if found > VERSION => Err(OpenError::NewerSchema { found, known: VERSION }),
        (APPLICATION, found) if found > 0 => Ok(Some(found)),
        _ => Err(OpenError::NotALog(path.to_owned())),
    }
}

/// Which log it is: the last row, since each epoch adds one.
pub(crate) async fn identity(connection: &mut SqliteConnection) -> Result<Option<LogIdentity>, OpenError> {
    let row = sqlx::query("SELECT log, epoch FROM identity ORDER BY sequence DESC LIMIT 1")
        .fetch_optional(connection)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let uuid = |column: usize| {
        let bytes: Vec<u8> = row.try_get(column)?;
        Uuid::from_slice(&bytes).map_err(|error| sqlx::Error::Decode(error.into()))
    };
    Ok(Some(LogIdentity { log: uuid(0)?, epoch: uuid(1)? }))
}

/// Which log it is from now on.
pub(crate) async fn identify(
    connection: &mut SqliteConnection,
    identity: LogIdentity,
) -> Result<(), sqlx::Error> {
    let sql = "INSERT INTO identity (sequence, log, epoch)
               SELECT COALESCE(MAX(sequence), 0) + 1, $1, $2 FROM identity";
    let query =
        sqlx::query(sql).bind(identity.log.as_bytes().to_vec()).bind(identity.epoch.as_bytes().to_vec());
    query.execute(connection).await?;
    Ok(())
}

/// The digest of the export that is being loaded, if one is.
pub(crate) async fn loading(connection: &mut SqliteConnection) -> Result<Option<Vec<u8>>, sqlx::Error> {
    sqlx::query_scalar("SELECT export FROM loading").fetch_optional(connection).await
}

/// Where the log was ended; none of one that goes on.
pub(crate) async fn seal(connection: &mut SqliteConnection) -> Result<Option<Position>, sqlx::Error> {
    let at: Option<i64> = sqlx::query_scalar("SELECT position FROM seal").fetch_optional(connection).await?;
    Ok(at.map(unsigned))
}

/// Whether the log has ended.
pub(crate) async fn is_sealed(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    let row: i64 = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM seal)").fetch_one(connection).await?;
    Ok(row == 1)
}
