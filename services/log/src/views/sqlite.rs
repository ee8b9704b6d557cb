//! `views.db`: opened, thrown away when it is not of this log, and every statement on it.
//!
//! One connection writes. What it writes is a page of the log at a time, for all views at once, in one
//! transaction with their positions.

mod changes;

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use duban_domain::Position;
use futures::TryStreamExt;
use sqlx::sqlite::{Sqlite, SqliteConnection, SqlitePool, SqliteRow, SqliteSynchronous};
use sqlx::{Column as _, Connection as _, Row as _, Transaction, TypeInfo as _, ValueRef as _};

use self::changes::Texts;
use super::projection::Change;
use super::row::{Cell, Kind, Record, Stored};
use super::shape::{COMMON, Shape};
use super::{NOW, Standing};
use crate::append::LogIdentity;
use crate::error::OpenError;
use crate::sqlite::{Bound, Database, signed, unsigned};

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
    /// the time that it takes to keep it row by row. Their names carry a generation: they outlive a swap of
    /// tables.
    pub(super) async fn index(&self, shape: &Shape, table: &str, generation: i64) -> Result<(), sqlx::Error> {
        let mut script = key_index(shape, table, generation);
        for (number, columns) in shape.indexes.iter().enumerate() {
            let (view, columns) = (shape.name, columns.join(", "));
            // Writing to a String never fails.
            write!(script, "CREATE INDEX IF NOT EXISTS {view}_{generation}_{number} ON {table} ({columns});")
                .ok();
        }
        self.sorted(script).await
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
    async fn writer(&self) -> Result<Writing<'_>, sqlx::Error> {
        let mut guard = self.writer.lock().await;
        if guard.is_none() {
            *guard = Some(writer(&self.database).await?);
        }
        Ok(Writing { held: guard, sound: false })
    }
}

/// The connection that writes, held. It is thrown away unless all went well: after a failure, or given up half
/// way, it may be in the middle of anything.
struct Writing<'a> {
    held: tokio::sync::MutexGuard<'a, Option<SqliteConnection>>,
    sound: bool,
}

impl Writing<'_> {
    /// All went well.
    fn keep(mut self) {
        self.sound = true;
    }
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        if !self.sound {
            *self.held = None;
        }
    }
}

impl std::ops::Deref for Writing<'_> {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        let Some(connection) = self.held.as_ref() else { unreachable!("held only while it is there") };
        connection
    }
}

impl std::ops::DerefMut for Writing<'_> {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        let Some(connection) = self.held.as_mut() else { unreachable!("held only while it is there") };
        connection
    }
}

/// The right to build beside.
pub(super) struct Beside {
    store: Arc<Store>,
    _alone: tokio::sync::OwnedMutexGuard<()>,
}

impl Beside {
    /// Makes the table, in place of what one that was given up may have left.
    pub(super) async fn create(&mut self, shape: &Shape) -> Result<(), sqlx::Error> {
        let mut writer = self.store.writer().await?;
        let script = create(shape, &shape.beside());
        sqlx::raw_sql(sqlx::AssertSqlSafe(script)).execute(&mut *writer).await?;
        writer.keep();
        Ok(())
    }

    pub(super) async fn index_keys(&mut self, shape: &Shape, generation: i64) -> Result<(), sqlx::Error> {
        self.store.index_keys(shape, &shape.beside(), generation).await
    }

    pub(super) async fn index(&mut self, shape: &Shape, generation: i64) -> Result<(), sqlx::Error> {
        self.store.index(shape, &shape.beside(), generation).await
    }

    /// Writes what a page does.
    pub(super) async fn write(&mut self, changes: Vec<(Shape, Change)>) -> Result<(), sqlx::Error> {
        let mut writer = self.store.writer().await?;
        let mut tx = writer.begin_with("BEGIN IMMEDIATE").await?;
        for (shape, change) in changes {
            self.store.texts.write(&mut tx, &shape, &shape.beside(), change).await?;
        }
        tx.commit().await?;
        writer.keep();
        Ok(())
    }

    /// Puts the table, which stands at `position`, in the place of the live one; false if that one does not.
    pub(super) async fn swap(
        &mut self,
        shape: &Shape,
        generation: i64,
        position: Position,
    ) -> Result<bool, sqlx::Error> {
        let mut writer = self.store.writer().await?;
        let swapped = swap(&mut writer, shape, generation, position).await?;
        writer.keep();
        Ok(swapped)
    }
}

/// One transaction: a crash in here leaves the old table in place, whole.
async fn swap(
    connection: &mut SqliteConnection,
    shape: &Shape,
    generation: i64,
    position: Position,
) -> Result<bool, sqlx::Error> {
    let mut tx = connection.begin_with("BEGIN IMMEDIATE").await?;
    let moved = sqlx::query(
        "UPDATE view_positions SET generation = $2 WHERE view = $1 AND position = $3 AND generation = $2 - 1",
    )
    .bind(shape.name)
    .bind(generation)
    .bind(signed(position))
    .execute(&mut *tx)
    .await?;
    if moved.rows_affected() == 0 {
        tx.rollback().await?;
        return Ok(false);
    }
    let (live, beside) = (shape.name, shape.beside());
    let script = format!("DROP TABLE {live}; ALTER TABLE {beside} RENAME TO {live};");
    sqlx::raw_sql(sqlx::AssertSqlSafe(script)).execute(&mut *tx).await?;
    tx.commit().await?;
    Ok(true)
}

/// A transaction that reads.
pub(super) struct Reading(Transaction<'static, Sqlite>);

impl Reading {
    /// The views in a folder, of this log and epoch, beside the process that runs them.
    pub(super) async fn of(folder: &Path, identity: LogIdentity) -> Result<Option<Self>, sqlx::Error> {
        let path = folder.join("views.db");
        if !path.is_file() {
            return Ok(None);
        }
        let mut tx = Database::untouched(&path).readers(1).await?.begin().await?;
        let found: Option<(i64, String, String)> =
            sqlx::query_as("SELECT format, log, epoch FROM view_source").fetch_optional(&mut *tx).await?;
        let ours = (FORMAT, identity.log.to_string(), identity.epoch.to_string());
        Ok((found == Some(ours)).then_some(Self(tx)))
    }

    /// Where a view stands in it.
    pub(super) async fn standing(&mut self, view: &str) -> Result<Option<Standing>, sqlx::Error> {
        standing(&mut self.0, view).await
    }

    /// Rows of a view; `rest` goes on after `WHERE`.
    pub(super) async fn select(
        &mut self,
        shape: &Shape,
        rest: &str,
        arguments: &[Cell],
    ) -> Result<Vec<Stored>, sqlx::Error> {
        let sql = format!("SELECT {} FROM {} WHERE {rest}", shape.all_columns(), shape.name);
        let query = arguments.iter().cloned().fold(sqlx::query(sqlx::AssertSqlSafe(sql)), bind);
        let rows = query.fetch_all(&mut *self.0).await?;
        rows.iter().map(|row| stored(shape, row)).collect()
    }

    /// What `columns` come to over the rows of a view.
    pub(super) async fn query(
        &mut self,
        shape: &Shape,
        columns: &str,
        rest: &str,
        arguments: &[Cell],
    ) -> Result<Vec<Record>, sqlx::Error> {
        let sql = format!("SELECT {columns} FROM {} WHERE {rest}", shape.name);
        let query = arguments.iter().cloned().fold(sqlx::query(sqlx::AssertSqlSafe(sql)), bind);
        let rows = query.fetch_all(&mut *self.0).await?;
        let Some(first) = rows.first() else { return Ok(Vec::new()) };
        let names: Arc<[String]> = first.columns().iter().map(|column| column.name().to_owned()).collect();
        let record = |row: &SqliteRow| -> Result<Record, sqlx::Error> {
            let cells = (0..row.len()).map(|column| cell(row, column)).collect::<Result<_, _>>()?;
            Ok(Record { names: Arc::clone(&names), cells })
        };
        rows.iter().map(record).collect()
    }

    /// Every row of a table, by key and then in the order of opening.
    pub(super) async fn each(
        &mut self,
        shape: &Shape,
        table: &str,
        mut take: impl FnMut(Stored),
    ) -> Result<(), sqlx::Error> {
        let sql = format!("SELECT {} FROM {table} ORDER BY key, number", shape.all_columns());
        let mut rows = sqlx::query(sqlx::AssertSqlSafe(sql)).fetch(&mut *self.0);
        while let Some(row) = rows.try_next().await? {
            take(stored(shape, &row)?);
        }
        Ok(())
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

async fn standing(connection: &mut SqliteConnection, view: &str) -> Result<Option<Standing>, sqlx::Error> {
    let sql = "SELECT version, position, generation FROM view_positions WHERE view = $1";
    let row = sqlx::query(sql).bind(view.to_owned()).fetch_optional(connection).await?;
    row.map(|row| {
        Ok(Standing {
            version: row.try_get(0)?,
            position: unsigned(row.try_get(1)?),
            generation: row.try_get(2)?,
            stopped: None,
            // Nobody else is in this folder.
            mine: true,
        })
    })
    .transpose()
}

/// Makes a table without its indexes.
fn create(shape: &Shape, table: &str) -> String {
    let own = shape.columns.iter().fold(String::new(), |own, column| {
        let kind = match column.kind {
            Kind::Text | Kind::Json => "TEXT",
            Kind::Integer => "BIGINT",
        };
        own + ", " + column.name + " " + kind
    });
    format!(
        "DROP TABLE IF EXISTS {table};
         CREATE TABLE {table} (number INTEGER PRIMARY KEY, key TEXT NOT NULL, valid_from TEXT NOT NULL,
             valid_to TEXT NOT NULL, known_from BIGINT NOT NULL, known_to BIGINT NOT NULL,
             because TEXT NOT NULL{own});"
    )
}

fn key_index(shape: &Shape, table: &str, generation: i64) -> String {
    let view = shape.name;
    format!("CREATE INDEX IF NOT EXISTS {view}_{generation}_key ON {table} (key);")
}

fn bind(query: Bound<'_>, cell: Cell) -> Bound<'_> {
    match cell {
        Cell::Null => query.bind(None::<i64>),
        Cell::Integer(number) => query.bind(number),
        Cell::Text(text) => query.bind(text),
    }
}

fn cell(row: &SqliteRow, column: usize) -> Result<Cell, sqlx::Error> {
    let value = row.try_get_raw(column)?;
    Ok(match value.type_info().name() {
        "NULL" => Cell::Null,
        "INTEGER" | "BOOLEAN" => Cell::Integer(row.try_get(column)?),
        _ => Cell::Text(row.try_get(column)?),
    })
}

/// A row of a view, from the columns in the order of its table.
fn stored(shape: &Shape, row: &SqliteRow) -> Result<Stored, sqlx::Error> {
    let own = (COMMON.len()..).zip(shape.columns).map(|(index, column)| match column.kind {
        Kind::Integer => Ok(Cell::from(row.try_get::<Option<i64>, _>(index)?)),
        Kind::Text | Kind::Json => Ok(Cell::from(row.try_get::<Option<String>, _>(index)?)),
    });
    Ok(Stored {
        number: row.try_get(0)?,
        key: row.try_get(1)?,
        valid_from: row.try_get(2)?,
        valid_to: row.try_get(3)?,
        known_from: row.try_get(4)?,
        known_to: row.try_get(5)?,
        because: row.try_get(6)?,
        cells: own.collect::<Result<_, sqlx::Error>>()?,
    })
}
