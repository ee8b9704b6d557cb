//! `views.db`: opened, thrown away when it is not of this log, and each view's standing in it.

use std::path::Path;

use duban_domain::Position;
use sqlx::Row as _;
use sqlx::sqlite::{SqliteConnection, SqliteSynchronous};

use super::table::Table;
use super::{Standing, View, Views};
use crate::engine::Location;
use crate::error::{OpenError, StorageError};
use crate::log::Log;
use crate::sqlite::{Database, signed, unsigned};

/// The format of this file; another one is thrown away.
const FORMAT: i64 = 1;

const TABLES: &str = "
CREATE TABLE IF NOT EXISTS view_source (format BIGINT NOT NULL, log TEXT NOT NULL, epoch TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS view_positions (
    view TEXT PRIMARY KEY,
    version BIGINT NOT NULL,
    position BIGINT NOT NULL,
    generation BIGINT NOT NULL
);
";

/// Opens the file; a second time from nothing if it is of another log or can't be read.
pub(super) async fn open(log: &Log) -> Result<(Database, SqliteConnection), OpenError> {
    let Location::Folder(folder) = log.location() else {
        return Err(sqlx::Error::Configuration("views on Postgres".into()).into());
    };
    let path = folder.join("views.db");
    // NORMAL: after a power cut the views may have gone back a little, whole; they follow on from there.
    let database = Database::at(&path, SqliteSynchronous::Normal);
    match prepare(&database, log).await {
        Ok(Some(connection)) => return Ok((database, connection)),
        Ok(None) => tracing::warn!("views.db is of another log or format; it is built anew"),
        Err(error) => tracing::warn!(%error, "views.db can't be read; it is built anew"),
    }
    remove(&path)?;
    match prepare(&database, log).await? {
        Some(connection) => Ok((database, connection)),
        None => Err(OpenError::NotALog(path)),
    }
}

/// The connection that writes; `None` if the file is of something else.
async fn prepare(database: &Database, log: &Log) -> Result<Option<SqliteConnection>, sqlx::Error> {
    let identity = log.identity();
    let mine = (FORMAT, identity.log.to_string(), identity.epoch.to_string());
    let mut connection = database.writer().await?;
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
    sqlx::Connection::close(connection).await?;
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

/// Where a view stands; `None` if it is not there.
pub(super) async fn standing(
    connection: &mut SqliteConnection,
    view: &str,
) -> Result<Option<Standing>, sqlx::Error> {
    let sql = "SELECT version, position, generation FROM view_positions WHERE view = $1";
    let row = sqlx::query(sql).bind(view.to_owned()).fetch_optional(connection).await?;
    row.map(|row| {
        Ok(Standing {
            version: row.try_get(0)?,
            position: unsigned(row.try_get(1)?),
            generation: row.try_get(2)?,
        })
    })
    .transpose()
}

/// Moves a view from `from` to `to`; false if it does not stand at `from`.
pub(super) async fn advance(
    connection: &mut SqliteConnection,
    view: &str,
    from: Position,
    to: Position,
) -> Result<bool, sqlx::Error> {
    let sql = "UPDATE view_positions SET position = $3 WHERE view = $1 AND position = $2";
    let query = sqlx::query(sql).bind(view.to_owned()).bind(signed(from)).bind(signed(to));
    Ok(query.execute(connection).await?.rows_affected() == 1)
}

impl Views {
    /// The table of a view, made anew where there is none that can be gone on with.
    pub(super) async fn table<V: View>(&self) -> Result<Table, StorageError> {
        let table = Table::live::<V>();
        let head = *self.inner.log.watch().borrow();
        let mut writer = self.writer().await?;
        let mut tx = sqlx::Connection::begin(&mut *writer).await?;
        let found = standing(&mut tx, V::NAME).await?;
        // A view ahead of the log has seen events that a restore took away.
        let usable = |standing: &Standing| standing.version == V::VERSION && standing.position <= head;
        if found.as_ref().is_some_and(usable) {
            return Ok(table);
        }
        let generation = found.map_or(1, |standing| standing.generation + 1);
        sqlx::raw_sql(sqlx::AssertSqlSafe(table.create::<V>(generation))).execute(&mut *tx).await?;
        sqlx::query(
            "INSERT INTO view_positions (view, version, position, generation) VALUES ($1, $2, 0, $3)
             ON CONFLICT (view) DO UPDATE SET version = $2, position = 0, generation = $3",
        )
        .bind(V::NAME)
        .bind(V::VERSION)
        .bind(generation)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(table)
    }

    /// The connection that writes, opened again after a failure.
    pub(super) async fn writer(&self) -> Result<Writing<'_>, sqlx::Error> {
        let mut guard = self.inner.writer.lock().await;
        if guard.is_none() {
            *guard = Some(self.inner.database.writer().await?);
        }
        Ok(Writing(guard))
    }
}

/// The connection that writes, held.
pub(super) struct Writing<'a>(tokio::sync::MutexGuard<'a, Option<SqliteConnection>>);

impl Writing<'_> {
    /// Throws the connection away: after a failed commit it may still be in the transaction.
    pub(super) fn discard(mut self) {
        *self.0 = None;
    }
}

impl std::ops::Deref for Writing<'_> {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        let Some(connection) = self.0.as_ref() else { unreachable!("held only while it is there") };
        connection
    }
}

impl std::ops::DerefMut for Writing<'_> {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        let Some(connection) = self.0.as_mut() else { unreachable!("held only while it is there") };
        connection
    }
}
