//! `views.db`: opened, thrown away when it is not of this log, and every statement on it.
//!
//! One connection writes. What it writes is a page of the log at a time, for all views at once, in one
//! transaction with their positions.

mod beside;
mod changes;
mod reading;
mod rows;
mod tables;

use std::path::Path;
use std::sync::Arc;

use duban_domain::Position;
use sqlx::sqlite::{SqliteConnection, SqlitePool, SqliteSynchronous};
use sqlx::{Connection as _, Row as _};

pub(super) use beside::Beside;
use changes::Texts;
pub(super) use reading::Reading;
use rows::{standing, stored};
use tables::{create, indexes, key_index};

use super::projection::Change;
use super::row::Stored;
use super::shape::Shape;
use super::writing::Writing;
use super::{NOW, Standing};
use crate::append::LogIdentity;
use crate::error::OpenError;
use crate::sqlite::{Database, signed};

/// The format of this file; another one is thrown away.
const FORMAT: i64 = 1;
/// Connections that read views.
const READERS: u32 = 8;
/// How many pages of 4 KiB the write-ahead log may have before they are folded in.
const CHECKPOINT_PAGES: u32 = 8192;

const TABLES: &str = "
CREATE TABLE IF NOT EXISTS view_source (format BIGINT NOT NULL, log TEXT NOT NULL, epoch TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS view_positions (
    view TEXT PRIMARY KEY,
    version BIGINT NOT NULL,
    position BIGINT NOT NULL,
    generation BIGINT NOT NULL
);
";

/// The views' database.
pub(super) struct Store {
    database: Database,
    readers: SqlitePool,
    /// The one connection that writes; `None` after a failure, until the next write.
    writer: tokio::sync::Mutex<Option<SqliteConnection>>,
    /// Held by who rebuilds.
    rebuilding: Arc<tokio::sync::Mutex<()>>,
    /// The statements on each table.
    texts: Texts,
}

impl Store {
    /// Opens the file in the log's folder; a second time from nothing if it is of another log or can't be read.
    pub(super) async fn open(folder: &Path, identity: LogIdentity) -> Result<Self, OpenError> {
        let path = folder.join("views.db");
        // NORMAL: after a power cut the views may have gone back a little, whole; they follow on from there.
        let database = Database::at(&path, SqliteSynchronous::Normal);
        match prepare(&database, identity).await {
            Ok(Some(connection)) => return Self::with(database, connection).await,
            Ok(None) => tracing::warn!("views.db is of another log or format; it is built anew"),
            Err(error) => tracing::warn!(%error, "views.db can't be read; it is built anew"),
        }
        remove(&path)?;
        match prepare(&database, identity).await? {
            Some(connection) => Self::with(database, connection).await,
            None => Err(OpenError::NotALog(path)),
        }
    }

    async fn with(database: Database, connection: SqliteConnection) -> Result<Self, OpenError> {
        let readers = database.readers(READERS).await?;
        let writer = tokio::sync::Mutex::new(Some(connection));
        Ok(Self { database, readers, writer, rebuilding: Arc::default(), texts: Texts::default() })
    }

    pub(super) async fn close(&self) {
        self.readers.close().await;
        if let Some(writer) = self.writer.lock().await.take() {
            writer.close().await.ok();
        }
    }

    /// Where a view stands; `None` if it is not there.
    pub(super) async fn standing(&self, view: &str) -> Result<Option<Standing>, sqlx::Error> {
        let mut connection = self.readers.acquire().await?;
        standing(&mut connection, view).await
    }

    /// The number of the next row of a table.
    pub(super) async fn next_number(&self, table: &str) -> Result<i64, sqlx::Error> {
        let sql = format!("SELECT COALESCE(MAX(number), 0) + 1 FROM {table}");
        sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(&self.readers).await
    }

    /// The open rows of these keys, in the order of their opening.
    pub(super) async fn open_rows(
        &self,
        shape: &Shape,
        table: &str,
        keys: &[String],
    ) -> Result<Vec<Stored>, sqlx::Error> {
        let columns = shape.all_columns();
        let sql = format!(
            "SELECT {columns} FROM {table}
             WHERE known_to = {NOW} AND key IN (SELECT value FROM json_each($1)) ORDER BY number"
        );
        let keys = serde_json::to_string(keys).unwrap_or_default();
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(keys).fetch_all(&self.readers).await?;
        rows.iter().map(|row| stored(shape, row)).collect()
    }

    /// The live table of a view, made anew where there is none that can be gone on with.
    pub(super) async fn table(&self, shape: &Shape, head: Position) -> Result<(), sqlx::Error> {
        let mut writer = self.writer().await?;
        let found = standing(&mut writer, shape.name).await?;
        // A view ahead of the log has seen events that a restore took away.
        let usable = |standing: &Standing| standing.version == shape.version && standing.position <= head;
        let generation = match found {
            Some(found) if usable(&found) => {
                writer.keep();
                return Ok(());
            }
            Some(found) => found.generation + 1,
            None => 1,
        };
        let mut tx = writer.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::raw_sql(sqlx::AssertSqlSafe(create(shape, shape.name))).execute(&mut *tx).await?;
        sqlx::query(
            "INSERT INTO view_positions (view, version, position, generation) VALUES ($1, $2, 0, $3)
             ON CONFLICT (view) DO UPDATE SET version = $2, position = 0, generation = $3",
        )
        .bind(shape.name)
        .bind(shape.version)
        .bind(generation)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        writer.keep();
        Ok(())
    }

    /// The right to build beside; `None` while another rebuild is at work.
    pub(super) fn beside(self: &Arc<Self>) -> Option<Beside> {
        let alone = Arc::clone(&self.rebuilding).try_lock_owned().ok()?;
        Some(Beside { store: Arc::clone(self), _alone: alone })
    }

    /// The index by which [`Store::open_rows`] finds rows. A table built from nothing does without at first.
    pub(super) async fn index_keys(
        &self,
        shape: &Shape,
        table: &str,
        generation: i64,
    ) -> Result<(), sqlx::Error> {
        self.sorted(key_index(shape, table, generation)).await
    }

    /// All indexes, where they are missing: at the end of a catch-up, since an index is sorted in a fraction of
    /// the time that it takes to keep it row by row.
    pub(super) async fn index(&self, shape: &Shape, table: &str, generation: i64) -> Result<(), sqlx::Error> {
        self.sorted(indexes(shape, table, generation)).await
    }

    /// Runs a script that sorts: through files, since in memory it would take as much as the table is long.
    async fn sorted(&self, script: String) -> Result<(), sqlx::Error> {
        let mut writer = self.writer().await?;
        let script = format!("PRAGMA temp_store = file; {script} PRAGMA temp_store = memory;");
        sqlx::raw_sql(sqlx::AssertSqlSafe(script)).execute(&mut *writer).await?;
        writer.keep();
        Ok(())
    }

    /// Writes what a page of events does to some views that stand at `from`, together with their positions.
    /// False, and nothing is written, if one of them does not stand there.
    ///
    /// A crash before the commit leaves the views where they were, whole; one after it, where they are: there is
    /// no state in which rows and position differ.
    pub(super) async fn write(
        &self,
        from: Position,
        to: Position,
        changes: Vec<(Shape, i64, Change)>,
    ) -> Result<bool, sqlx::Error> {
        let mut writer = self.writer().await?;
        let written = self.write_with(&mut writer, from, to, changes).await?;
        writer.keep();
        Ok(written)
    }

    async fn write_with(
        &self,
        connection: &mut SqliteConnection,
        from: Position,
        to: Position,
        changes: Vec<(Shape, i64, Change)>,
    ) -> Result<bool, sqlx::Error> {
        let views: Vec<(&str, i64)> =
            changes.iter().map(|(shape, generation, _)| (shape.name, *generation)).collect();
        let moved = sqlx::query(
            "BEGIN IMMEDIATE;
             UPDATE view_positions SET position = ? FROM json_each(?) AS v
             WHERE view = v.value ->> 0 AND generation = v.value ->> 1 AND position = ? RETURNING 1",
        )
        .bind(signed(to))
        .bind(serde_json::to_string(&views).unwrap_or_default())
        .bind(signed(from))
        .fetch_all(&mut *connection)
        .await?;
        if moved.len() != changes.len() {
            sqlx::raw_sql("ROLLBACK").execute(connection).await?;
            return Ok(false);
        }
        for (shape, _, change) in changes {
            self.texts.write(connection, &shape, shape.name, change).await?;
        }
        sqlx::raw_sql("COMMIT").execute(connection).await?;
        Ok(true)
    }

    /// One state of all views, to be read from; it stays as it is.
    pub(super) async fn snapshot(&self) -> Result<Reading, sqlx::Error> {
        Ok(Reading(self.readers.begin().await?))
    }

    /// The connection that writes, opened again after a failure.
    async fn writer(&self) -> Result<Writing<'_, SqliteConnection>, sqlx::Error> {
        let mut guard = self.writer.lock().await;
        if guard.is_none() {
            *guard = Some(writer(&self.database).await?);
        }
        Ok(Writing::of(guard))
    }
}

async fn writer(database: &Database) -> Result<SqliteConnection, sqlx::Error> {
    let mut connection = database.writer().await?;
    // The same pages are written again and again while a view is built: they are folded in together.
    let pages = format!("PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}");
    sqlx::raw_sql(sqlx::AssertSqlSafe(pages)).execute(&mut connection).await?;
    Ok(connection)
}

/// The connection that writes; `None` if the file is of something else.
async fn prepare(
    database: &Database,
    identity: LogIdentity,
) -> Result<Option<SqliteConnection>, sqlx::Error> {
    let mine = (FORMAT, identity.log.to_string(), identity.epoch.to_string());
    let mut connection = writer(database).await?;
    sqlx::raw_sql(TABLES).execute(&mut connection).await?;
    let found =
        sqlx::query("SELECT format, log, epoch FROM view_source").fetch_optional(&mut connection).await?;
    let ours = if let Some(row) = found {
        mine == (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?)
    } else {
        let (format, log, epoch) = mine;
        sqlx::query("INSERT INTO view_source (format, log, epoch) VALUES ($1, $2, $3)")
            .bind(format)
            .bind(log)
            .bind(epoch)
            .execute(&mut connection)
            .await?;
        true
    };
    if ours {
        return Ok(Some(connection));
    }
    connection.close().await?;
    Ok(None)
}

/// Only `views.db` and SQLite's files beside it: never the log.
fn remove(path: &Path) -> Result<(), OpenError> {
    for suffix in ["", "-wal", "-shm"] {
        let mut file = path.as_os_str().to_owned();
        file.push(suffix);
        match std::fs::remove_file(&file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(OpenError::Folder(path.to_owned(), error));
            }
            _ => {}
        }
    }
    Ok(())
}
