//! The tables of `log.db`, their version, and the triggers that keep them append-only.

use std::path::Path;

use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection, Row};
use uuid::Uuid;

use crate::append::LogIdentity;
use crate::clock::Ids;
use crate::error::OpenError;

/// The version that this program writes, in SQLite's `user_version`.
const VERSION: i64 = 1;
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
    let application: i64 = sqlx::query_scalar("PRAGMA application_id").fetch_one(&mut *tx).await?;
    let found: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *tx).await?;
    let tables: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM sqlite_schema").fetch_one(&mut *tx).await?;
    match (application, found) {
        (0, 0) if tables == 0 => {
            let script: String = ["identity", "events", "event_tags", "receipts"].map(append_only).concat();
            sqlx::raw_sql(TABLES).execute(&mut *tx).await?;
            sqlx::raw_sql(sqlx::AssertSqlSafe(script)).execute(&mut *tx).await?;
            let mark = format!("PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION};");
            sqlx::raw_sql(sqlx::AssertSqlSafe(mark)).execute(&mut *tx).await?;
            sqlx::query("INSERT INTO identity (sequence, log, epoch) VALUES (1, $1, $2)")
                .bind(ids.identity().as_bytes().to_vec())
                .bind(ids.identity().as_bytes().to_vec())
                .execute(&mut *tx)
                .await?;
        }
        (APPLICATION, VERSION) => {}
        (APPLICATION, found) if found > VERSION => {
            return Err(OpenError::NewerSchema { found, known: VERSION });
        }
        _ => return Err(OpenError::NotALog(path.to_owned())),
    }
    let row = sqlx::query("SELECT log, epoch FROM identity ORDER BY sequence DESC LIMIT 1")
        .fetch_optional(&mut *tx)
        .await?
        .ok_or_else(|| OpenError::NotALog(path.to_owned()))?;
    let uuid = |column: usize| {
        let bytes: Vec<u8> = row.try_get(column)?;
        Uuid::from_slice(&bytes).map_err(|_| OpenError::NotALog(path.to_owned()))
    };
    let identity = LogIdentity { log: uuid(0)?, epoch: uuid(1)? };
    drop(row);
    tx.commit().await?;
    Ok(identity)
}
