//! The views on Postgres, in the schema `duban_views` of the log's database: every statement on them.
//!
//! A page of the log is one statement for all views, and a transaction of its own: a process that is stopped or
//! cut off at any moment holds up nobody. It counts only for the views that this process has the lease of and
//! that stand where it thinks.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use duban_domain::Position;
use futures::TryStreamExt;
use sqlx::postgres::{PgArguments, PgConnectOptions, PgConnection, PgPool, PgPoolOptions, PgRow, Postgres};
use sqlx::query::Query;
use sqlx::{Column as _, Connection as _, Row as _, Transaction, TypeInfo as _, ValueRef as _};
use tokio::sync::{MutexGuard, watch};
use uuid::Uuid;

use super::projection::Change;
use super::row::{Cell, Kind, Record, Stored};
use super::shape::{COMMON, Shape};
use super::{NOW, Readiness, Standing};
use crate::append::LogIdentity;
use crate::postgres::{VIEWS, again};
use crate::sqlite::{signed, unsigned};

/// The format of these tables; others are thrown away.
const FORMAT: i64 = 1;
/// How long a view is a process's own without a word of it, by the database's clock.
pub(super) const LEASE: Duration = Duration::from_secs(3);
/// A lease that has less than this left is renewed.
const RENEW: Duration = Duration::from_secs(2);
/// The advisory lock of who makes or throws away tables.
const MAKING: i64 = 702_290_941_501;
/// The advisory lock of who rebuilds.
const REBUILDING: i64 = 702_290_941_502;
/// How long one who would rebuild waits for another.
const PATIENCE: Duration = Duration::from_secs(3);
/// What the database says when it was waited for in vain.
const LOCK_NOT_AVAILABLE: &str = "55P03";
/// What it says when not all views of a page stand where they should.
const DIVISION_BY_ZERO: &str = "22012";

/// The position row of a view is rewritten by every page: half of its block is left free for that.
const TABLES: &str = r#"
CREATE TABLE IF NOT EXISTS duban_views.view_source (
    format BIGINT NOT NULL, log TEXT COLLATE "C" NOT NULL, epoch TEXT COLLATE "C" NOT NULL
);
CREATE TABLE IF NOT EXISTS duban_views.view_positions (
    view TEXT COLLATE "C" PRIMARY KEY,
    version BIGINT NOT NULL,
    position BIGINT NOT NULL,
    generation BIGINT NOT NULL,
    -- The event that it can't take, and why.
    stopped_at BIGINT,
    stopped_why TEXT,
    -- The process that runs it, and until when it may be silent.
    runner UUID,
    leased_until TIMESTAMPTZ
) WITH (fillfactor = 50);
"#;

/// The views' tables.
pub(super) struct Store {
    options: PgConnectOptions,
    pool: PgPool,
    /// This process among the runners.
    me: Uuid,
    /// The one connection that writes; `None` after a failure, until the next write.
    writer: tokio::sync::Mutex<Option<PgConnection>>,
    moved: watch::Receiver<u64>,
}

/// How a view is, as the database says.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) view: String,
    pub(super) standing: Standing,
}

impl Store {
    /// Opens the tables; makes them where there are none, and throws away what is of another log.
    pub(super) async fn open(
        log: &crate::postgres::Store,
        identity: LogIdentity,
        me: Uuid,
    ) -> Result<Self, sqlx::Error> {
        // Off: after a crash of the database the views may have gone back a little, whole.
        let options = log.options().clone().options([("synchronous_commit", "off")]);
        let store = Self {
            options,
            pool: log.views_pool().clone(),
            me,
            writer: tokio::sync::Mutex::default(),
            moved: log.views_moved(),
        };
        let mut writer = store.writer().await?;
        prepare(&mut writer, identity).await?;
        writer.keep();
        Ok(store)
    }

    pub(super) async fn close(&self) {
        if let Some(writer) = self.writer.lock().await.take() {
            writer.close().await.ok();
        }
    }

    /// Lets go of every lease: another process may take over at once.
    pub(super) async fn release_all(&self) {
        let Ok(mut writer) = self.writer().await else { return };
        let sql = format!(
            "WITH free AS (UPDATE duban_views.view_positions SET runner = NULL, leased_until = NULL
                           WHERE runner = $1 RETURNING view)
             SELECT pg_notify('{VIEWS}', '') FROM (SELECT count(*) AS views FROM free) AS f WHERE views > 0"
        );
        let done = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(self.me).execute(&mut *writer).await;
        match done {
            Ok(_) => writer.keep(),
            Err(error) => tracing::warn!(%error, "the leases of the views run out by themselves"),
        }
    }

    /// Tells when a view has moved, in whichever process; it may miss some.
    pub(super) fn moved(&self) -> watch::Receiver<u64> {
        self.moved.clone()
    }

    pub(super) async fn standing(&self, view: &str) -> Result<Option<Standing>, sqlx::Error> {
        let sql =
            "SELECT version, position, generation, stopped_at, stopped_why, coalesce(runner = $2, FALSE)
                   FROM duban_views.view_positions WHERE view = $1";
        let ask = || sqlx::query(sql).bind(view).bind(self.me).fetch_optional(&self.pool);
        again(ask).await?.map(|row| standing_of(&row, 0)).transpose()
    }

    /// Renews the leases of this process, takes those of `wanted` that nobody has any more, and says how all of
    /// `named` are; a lease is taken of the version named.
    pub(super) async fn round(
        &self,
        wanted: &[&str],
        named: &[(&str, i64)],
    ) -> Result<Vec<Seen>, sqlx::Error> {
        let sql = "WITH taken AS (
                       UPDATE duban_views.view_positions AS p
                       SET runner = $1, leased_until = clock_timestamp() + $4 * interval '1 millisecond'
                       FROM (SELECT view FROM duban_views.view_positions
                             WHERE view = ANY($2)
                               AND (view, version) IN (SELECT * FROM unnest($3::TEXT[], $6::BIGINT[]))
                               AND (runner IS NULL OR leased_until < clock_timestamp()
                                 OR runner = $1 AND leased_until < clock_timestamp() + $5 * interval '1 millisecond')
                             FOR UPDATE SKIP LOCKED) AS free
                       WHERE p.view = free.view RETURNING p.view)
                   SELECT view, version, position, generation, stopped_at, stopped_why,
                          coalesce(runner = $1, FALSE) OR view IN (SELECT view FROM taken)
                   FROM duban_views.view_positions WHERE view = ANY($3)";
        let millis = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        let (views, versions): (Vec<&str>, Vec<i64>) = named.iter().copied().unzip();
        let ask = || {
            sqlx::query(sql)
                .bind(self.me)
                .bind(wanted)
                .bind(&views)
                .bind(millis(LEASE))
                .bind(millis(RENEW))
                .bind(&versions)
                .fetch_all(&self.pool)
        };
        let seen = |row: &PgRow| Ok(Seen { view: row.try_get(0)?, standing: standing_of(row, 1)? });
        again(ask).await?.iter().map(seen).collect()
    }

    /// The number of the next row of a table.
    pub(super) async fn next_number(&self, table: &str) -> Result<i64, sqlx::Error> {
        let sql = format!("SELECT coalesce(max(number), 0) + 1 FROM duban_views.{table}");
        let ask = || sqlx::query_scalar(sqlx::AssertSqlSafe(sql.clone())).fetch_one(&self.pool);
        again(ask).await
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
            "SELECT {columns} FROM duban_views.{table} WHERE known_to = {NOW} AND key = ANY($1) ORDER BY number"
        );
        let ask = || sqlx::query(sqlx::AssertSqlSafe(sql.clone())).bind(keys).fetch_all(&self.pool);
        again(ask).await?.iter().map(|row| stored(shape, row)).collect()
    }

    /// The live table of a view, made where there is none.
    pub(super) async fn table(&self, shape: &Shape) -> Result<Readiness, sqlx::Error> {
        let mut writer = self.writer().await?;
        let mut tx = making(&mut writer).await?;
        let sql = "SELECT version FROM duban_views.view_positions WHERE view = $1";
        let found: Option<i64> = sqlx::query_scalar(sql).bind(shape.name).fetch_optional(&mut *tx).await?;
        if let Some(found) = found {
            tx.commit().await?;
            writer.keep();
            return Ok(if found < shape.version { Readiness::Older } else { Readiness::Ready });
        }
        sqlx::raw_sql(sqlx::AssertSqlSafe(create(shape, shape.name))).execute(&mut *tx).await?;
        sqlx::query(
            "INSERT INTO duban_views.view_positions (view, version, position, generation) VALUES ($1, $2, 0, 1)",
        )
        .bind(shape.name)
        .bind(shape.version)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        writer.keep();
        Ok(Readiness::Ready)
    }

    /// Makes the index by which [`Store::open_rows`] finds rows, where it is missing.
    pub(super) async fn index_keys(
        &self,
        shape: &Shape,
        table: &str,
        generation: i64,
    ) -> Result<(), sqlx::Error> {
        let mut writer = self.writer().await?;
        index(&mut writer, table, &indexes(shape, table, generation)[..1]).await?;
        writer.keep();
        Ok(())
    }

    /// Makes all indexes that are missing.
    pub(super) async fn index(&self, shape: &Shape, table: &str, generation: i64) -> Result<(), sqlx::Error> {
        let mut writer = self.writer().await?;
        index(&mut writer, table, &indexes(shape, table, generation)).await?;
        writer.keep();
        Ok(())
    }

    /// Writes what a page of events does to some views that stand at `from` and are this process's own, together
    /// with their positions; renews their leases. False, and nothing is written, if one of them isn't so.
    ///
    /// A crash leaves the views where they were, whole, or where they are: there is no state in which rows and
    /// position differ.
    pub(super) async fn write(
        &self,
        from: Position,
        to: Position,
        changes: &[(Shape, i64, Change)],
    ) -> Result<bool, sqlx::Error> {
        let mut sql = format!(
            "WITH moved AS (
                 UPDATE duban_views.view_positions AS p
                 SET position = $2, stopped_at = NULL, stopped_why = NULL,
                     leased_until = clock_timestamp() + $6 * interval '1 millisecond'
                 FROM unnest($3::TEXT[], $4::BIGINT[]) AS v(view, generation)
                 WHERE p.view = v.view AND p.generation = v.generation AND p.position = $1 AND p.runner = $5
                 RETURNING 1),
             -- Divides by zero unless all of them moved, before a row is written: the statement leaves nothing.
             sound AS MATERIALIZED (SELECT 1 / (count(*) = {})::INT AS one FROM moved)",
            changes.len()
        );
        let mut arguments = Numbers(6);
        for (number, (shape, _, change)) in changes.iter().enumerate() {
            change_sql(&mut sql, &mut arguments, number, shape, shape.name, change);
        }
        // Writing to a String never fails.
        write!(sql, " SELECT pg_notify('{VIEWS}', '') FROM sound").ok();
        let views: Vec<&str> = changes.iter().map(|(shape, _, _)| shape.name).collect();
        let generations: Vec<i64> = changes.iter().map(|(_, generation, _)| *generation).collect();
        let mut query = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(signed(from))
            .bind(signed(to))
            .bind(views)
            .bind(generations)
            .bind(self.me)
            .bind(i64::try_from(LEASE.as_millis()).unwrap_or(i64::MAX));
        for (shape, _, change) in changes {
            query = change_arguments(query, shape, change);
        }
        let mut writer = self.writer().await?;
        let written = match query.execute(&mut *writer).await {
            Ok(_) => true,
            Err(error) if is(&error, DIVISION_BY_ZERO) => false,
            Err(error) => return Err(error),
        };
        writer.keep();
        Ok(written)
    }

    /// Says that a view of this process can't go on, to all processes, and lets it go.
    pub(super) async fn stopped(
        &self,
        view: &str,
        generation: i64,
        at: Position,
        why: &str,
    ) -> Result<(), sqlx::Error> {
        let sql = format!(
            "WITH stopped AS (
                 UPDATE duban_views.view_positions
                 SET stopped_at = $4, stopped_why = $5, runner = NULL, leased_until = NULL
                 WHERE view = $1 AND generation = $2 AND runner = $3 RETURNING 1)
             SELECT pg_notify('{VIEWS}', '') FROM stopped"
        );
        let ask = || {
            sqlx::query(sqlx::AssertSqlSafe(sql.clone()))
                .bind(view)
                .bind(generation)
                .bind(self.me)
                .bind(signed(at))
                .bind(why)
                .execute(&self.pool)
        };
        again(ask).await.map(|_| ())
    }

    /// Lets go of the lease of a view that another process must go on with.
    pub(super) async fn release(&self, view: &str) -> Result<(), sqlx::Error> {
        let sql = "UPDATE duban_views.view_positions SET runner = NULL, leased_until = NULL
                   WHERE view = $1 AND runner = $2";
        let ask = || sqlx::query(sql).bind(view).bind(self.me).execute(&self.pool);
        again(ask).await.map(|_| ())
    }

    /// One state of all views and the head of the log, to be read from; it stays as it is.
    pub(super) async fn snapshot(&self) -> Result<Reading, sqlx::Error> {
        let begin = || self.pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
        Ok(Reading(again(begin).await?))
    }

    /// The right to build tables beside the live ones: one process has it at a time, for as long as it keeps the
    /// connection. `None` if another one has it.
    pub(super) async fn beside(&self) -> Result<Option<Beside>, sqlx::Error> {
        let mut connection = PgConnection::connect_with(&self.options).await?;
        // A rebuild that has just ended may still have it: the database hears of that in a moment.
        let patience = format!("SET statement_timeout = 0; SET lock_timeout = {}", PATIENCE.as_millis());
        sqlx::raw_sql(sqlx::AssertSqlSafe(patience)).execute(&mut connection).await?;
        let lock = sqlx::query("SELECT pg_advisory_lock($1)").bind(REBUILDING).execute(&mut connection).await;
        match lock {
            Err(error) if is(&error, LOCK_NOT_AVAILABLE) => return Ok(None),
            done => {
                done?;
            }
        }
        // A table of millions of rows takes its time, and readers of the live one theirs.
        sqlx::raw_sql("SET lock_timeout = 0").execute(&mut connection).await?;
        Ok(Some(Beside(connection)))
    }

    /// The connection that writes, opened again after a failure.
    async fn writer(&self) -> Result<Writing<'_>, sqlx::Error> {
        let mut guard = self.writer.lock().await;
        if guard.is_none() {
            *guard = Some(PgConnection::connect_with(&self.options).await?);
        }
        Ok(Writing { held: guard, sound: false })
    }
}

/// The connection that writes, held. It is thrown away unless all went well: after a failure, or given up half
/// way, it may be in the middle of anything.
struct Writing<'a> {
    held: MutexGuard<'a, Option<PgConnection>>,
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
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        let Some(connection) = self.held.as_ref() else { unreachable!("held only while it is there") };
        connection
    }
}

impl std::ops::DerefMut for Writing<'_> {
    fn deref_mut(&mut self) -> &mut PgConnection {
        let Some(connection) = self.held.as_mut() else { unreachable!("held only while it is there") };
        connection
    }
}

/// The right to build beside. The lock goes with the connection, and nothing is written on any other.
pub(super) struct Beside(PgConnection);

impl Beside {
    /// Makes the table, in place of what one that was given up may have left.
    pub(super) async fn create(&mut self, shape: &Shape) -> Result<(), sqlx::Error> {
        let script = create(shape, &shape.beside());
        sqlx::raw_sql(sqlx::AssertSqlSafe(script)).execute(&mut self.0).await.map(|_| ())
    }

    pub(super) async fn index_keys(&mut self, shape: &Shape, generation: i64) -> Result<(), sqlx::Error> {
        let table = shape.beside();
        index(&mut self.0, &table, &indexes(shape, &table, generation)[..1]).await
    }

    pub(super) async fn index(&mut self, shape: &Shape, generation: i64) -> Result<(), sqlx::Error> {
        let table = shape.beside();
        index(&mut self.0, &table, &indexes(shape, &table, generation)).await
    }

    /// Writes what a page does.
    pub(super) async fn write(&mut self, changes: &[(Shape, Change)]) -> Result<(), sqlx::Error> {
        let mut sql = String::from("WITH sound AS (SELECT 1 AS one)");
        let mut arguments = Numbers(0);
        for (number, (shape, change)) in changes.iter().enumerate() {
            change_sql(&mut sql, &mut arguments, number, shape, &shape.beside(), change);
        }
        sql.push_str(" SELECT one FROM sound");
        let query = sqlx::query(sqlx::AssertSqlSafe(sql));
        let query =
            changes.iter().fold(query, |query, (shape, change)| change_arguments(query, shape, change));
        query.execute(&mut self.0).await.map(|_| ())
    }

    /// Puts the table, which stands at `position`, in the place of the live one; false if that one does not.
    pub(super) async fn swap(
        &mut self,
        shape: &Shape,
        generation: i64,
        position: Position,
    ) -> Result<bool, sqlx::Error> {
        // A crash in here leaves the old table in place, whole.
        let mut tx = making(&mut self.0).await?;
        let moved = sqlx::query(
            "UPDATE duban_views.view_positions SET version = $2, generation = $3, stopped_at = NULL, stopped_why = NULL
             WHERE view = $1 AND position = $4 AND generation = $3 - 1",
        )
        .bind(shape.name)
        .bind(shape.version)
        .bind(generation)
        .bind(signed(position))
        .execute(&mut *tx)
        .await?;
        if moved.rows_affected() == 0 {
            tx.rollback().await?;
            return Ok(false);
        }
        let (live, beside) = (shape.name, shape.beside());
        let script = format!(
            "DROP TABLE duban_views.{live}; ALTER TABLE duban_views.{beside} RENAME TO {live};
             SELECT pg_notify('{VIEWS}', '');"
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(script)).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(true)
    }
}

/// A transaction that reads, and sees one state of the log's head, the views' standings and their rows.
pub(super) struct Reading(Transaction<'static, Postgres>);

impl Reading {
    /// The views of a database, of this log and epoch, beside the processes that run them.
    pub(super) async fn of(url: &str, identity: LogIdentity) -> Result<Option<Self>, sqlx::Error> {
        let options =
            crate::postgres::options(url).map_err(|error| sqlx::Error::Configuration(error.into()))?;
        let pool = PgPoolOptions::new().max_connections(1).connect_with(options).await?;
        let mut reading = Self(pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?);
        reading.lengthen().await?;
        let there = "SELECT to_regclass('duban_views.view_source') IS NOT NULL";
        if !sqlx::query_scalar::<_, bool>(there).fetch_one(&mut *reading.0).await? {
            return Ok(None);
        }
        let found: Option<(i64, String, String)> =
            sqlx::query_as("SELECT format, log, epoch FROM duban_views.view_source")
                .fetch_optional(&mut *reading.0)
                .await?;
        let ours = (FORMAT, identity.log.to_string(), identity.epoch.to_string());
        Ok((found == Some(ours)).then_some(reading))
    }

    /// The head of the log, and where a view stands.
    pub(super) async fn standing(&mut self, view: &str) -> Result<(Position, Option<Standing>), sqlx::Error> {
        let sql =
            "SELECT coalesce((SELECT position FROM duban_log.events ORDER BY position DESC LIMIT 1), 0),
                          v.version, v.position, v.generation, v.stopped_at, v.stopped_why, FALSE
                   FROM (SELECT 1) AS one LEFT JOIN duban_views.view_positions AS v ON v.view = $1";
        let row = sqlx::query(sql).bind(view).fetch_one(&mut *self.0).await?;
        let there = row.try_get::<Option<i64>, _>(1)?.is_some();
        Ok((unsigned(row.try_get(0)?), there.then(|| standing_of(&row, 1)).transpose()?))
    }

    /// Lets it take its time: a whole table is read.
    pub(super) async fn lengthen(&mut self) -> Result<(), sqlx::Error> {
        let sql = "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0;";
        sqlx::raw_sql(sql).execute(&mut *self.0).await.map(|_| ())
    }

    /// Rows of a view: of these columns, or of all; `rest` goes on after `WHERE`.
    pub(super) async fn select(
        &mut self,
        shape: &Shape,
        rest: &str,
        arguments: &[Cell],
    ) -> Result<Vec<Stored>, sqlx::Error> {
        let sql = format!("SELECT {} FROM duban_views.{} WHERE {rest}", shape.all_columns(), shape.name);
        let query = arguments.iter().fold(sqlx::query(sqlx::AssertSqlSafe(sql)), bind);
        query.fetch_all(&mut *self.0).await?.iter().map(|row| stored(shape, row)).collect()
    }

    /// What `columns` come to over the rows of a view.
    pub(super) async fn query(
        &mut self,
        shape: &Shape,
        columns: &str,
        rest: &str,
        arguments: &[Cell],
    ) -> Result<Vec<Record>, sqlx::Error> {
        let sql = format!("SELECT {columns} FROM duban_views.{} WHERE {rest}", shape.name);
        let query = arguments.iter().fold(sqlx::query(sqlx::AssertSqlSafe(sql)), bind);
        let rows = query.fetch_all(&mut *self.0).await?;
        let Some(first) = rows.first() else { return Ok(Vec::new()) };
        let names: Arc<[String]> = first.columns().iter().map(|column| column.name().to_owned()).collect();
        let record = |row: &PgRow| -> Result<Record, sqlx::Error> {
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
        let sql = format!("SELECT {} FROM duban_views.{table} ORDER BY key, number", shape.all_columns());
        let mut rows = sqlx::query(sqlx::AssertSqlSafe(sql)).fetch(&mut *self.0);
        while let Some(row) = rows.try_next().await? {
            take(stored(shape, &row)?);
        }
        Ok(())
    }
}

/// Makes the tables that tell where the views stand, and throws the views of another log or epoch away.
async fn prepare(connection: &mut PgConnection, identity: LogIdentity) -> Result<(), sqlx::Error> {
    let mut tx = making(connection).await?;
    sqlx::raw_sql(TABLES).execute(&mut *tx).await?;
    let mine = (FORMAT, identity.log.to_string(), identity.epoch.to_string());
    let found: Option<(i64, String, String)> =
        sqlx::query_as("SELECT format, log, epoch FROM duban_views.view_source")
            .fetch_optional(&mut *tx)
            .await?;
    if found.as_ref() != Some(&mine) {
        if found.is_some() {
            tracing::warn!("the views are of another log, epoch or format; they are built anew");
        }
        let views: Vec<String> =
            sqlx::query_scalar("SELECT view FROM duban_views.view_positions").fetch_all(&mut *tx).await?;
        let mut script =
            String::from("DELETE FROM duban_views.view_positions; DELETE FROM duban_views.view_source;");
        for view in views {
            write!(script, "DROP TABLE IF EXISTS duban_views.{view}, duban_views.{view}_rebuild;").ok();
        }
        sqlx::raw_sql(sqlx::AssertSqlSafe(script)).execute(&mut *tx).await?;
        let (format, log, epoch) = mine;
        sqlx::query("INSERT INTO duban_views.view_source (format, log, epoch) VALUES ($1, $2, $3)")
            .bind(format)
            .bind(log)
            .bind(epoch)
            .execute(&mut *tx)
            .await?;
    }
    tx.commit().await
}

/// A transaction that makes or replaces tables: one at a time in the database.
async fn making(connection: &mut PgConnection) -> Result<Transaction<'_, Postgres>, sqlx::Error> {
    let mut tx = connection.begin().await?;
    sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(MAKING).execute(&mut *tx).await?;
    Ok(tx)
}

/// Makes a table without its indexes but the one of its numbers.
fn create(shape: &Shape, table: &str) -> String {
    let own = shape.columns.iter().fold(String::new(), |own, column| {
        own + ", " + column.name + " " + type_of(column.kind) + collated(column.kind)
    });
    // Room in each block for the end of knowing, which is written into a row later.
    format!(
        r#"DROP TABLE IF EXISTS duban_views.{table};
         CREATE TABLE duban_views.{table} (number BIGINT PRIMARY KEY, key TEXT COLLATE "C" NOT NULL,
             valid_from TEXT COLLATE "C" NOT NULL, valid_to TEXT COLLATE "C" NOT NULL, known_from BIGINT NOT NULL,
             known_to BIGINT NOT NULL, because TEXT COLLATE "C" NOT NULL{own}) WITH (fillfactor = 80);"#
    )
}

/// The indexes of a table and how they are made; that of the keys first. Their names carry a generation: they
/// outlive a swap of tables.
fn indexes(shape: &Shape, table: &str, generation: i64) -> Vec<(String, String)> {
    let view = shape.name;
    let index = |name: String, columns: &str| {
        let sql = format!("CREATE INDEX IF NOT EXISTS {name} ON duban_views.{table} ({columns})");
        (name, sql)
    };
    let mut indexes = vec![index(format!("{view}_{generation}_key"), "key, known_to")];
    for (number, columns) in shape.indexes.iter().enumerate() {
        indexes.push(index(format!("{view}_{generation}_{number}"), &columns.join(", ")));
    }
    indexes
}

/// Makes the indexes that are missing, and looks the table over for whoever plans queries on it.
async fn index(
    connection: &mut PgConnection,
    table: &str,
    indexes: &[(String, String)],
) -> Result<(), sqlx::Error> {
    let names: Vec<&str> = indexes.iter().map(|(name, _)| name.as_str()).collect();
    let sql =
        "SELECT indexname::TEXT FROM pg_indexes WHERE schemaname = 'duban_views' AND indexname = ANY($1)";
    let found: Vec<String> = sqlx::query_scalar(sql).bind(names).fetch_all(&mut *connection).await?;
    let missing = indexes.iter().filter(|(name, _)| !found.contains(name));
    let script = missing.fold(String::new(), |script, (_, sql)| script + sql + ";");
    if script.is_empty() {
        return Ok(());
    }
    let script = format!("SET LOCAL statement_timeout = 0; {script} ANALYZE duban_views.{table};");
    let mut tx = connection.begin().await?;
    sqlx::raw_sql(sqlx::AssertSqlSafe(script)).execute(&mut *tx).await?;
    tx.commit().await
}

/// Numbers arguments.
struct Numbers(usize);

impl Numbers {
    fn next(&mut self) -> usize {
        self.0 += 1;
        self.0
    }
}

/// Adds what closes and opens rows of a table, as parts of one statement. Each hangs on `sound`, so that it is
/// judged first.
fn change_sql(
    sql: &mut String,
    arguments: &mut Numbers,
    number: usize,
    shape: &Shape,
    table: &str,
    change: &Change,
) {
    if !change.closed.is_empty() {
        let (rows, ends) = (arguments.next(), arguments.next());
        write!(
            sql,
            ", closed_{number} AS (
                 UPDATE duban_views.{table} AS t SET known_to = c.known_to
                 FROM unnest(${rows}::BIGINT[], ${ends}::BIGINT[]) AS c(number, known_to), sound
                 WHERE t.number = c.number)"
        )
        .ok();
    }
    if !change.opened.is_empty() {
        let kinds =
            [Kind::Integer, Kind::Text, Kind::Text, Kind::Text, Kind::Integer, Kind::Integer, Kind::Text];
        let kinds = kinds.into_iter().chain(shape.columns.iter().map(|column| column.kind));
        let arrays: Vec<String> =
            kinds.map(|kind| format!("${}::{}[]", arguments.next(), type_of(kind))).collect();
        let columns = shape.all_columns();
        write!(
            sql,
            ", opened_{number} AS (
                 INSERT INTO duban_views.{table} ({columns})
                 SELECT o.* FROM unnest({}) AS o, sound)",
            arrays.join(", ")
        )
        .ok();
    }
}

/// The arguments of [`change_sql`].
fn change_arguments<'q>(
    mut query: Query<'q, Postgres, PgArguments>,
    shape: &Shape,
    change: &Change,
) -> Query<'q, Postgres, PgArguments> {
    if !change.closed.is_empty() {
        let (rows, ends): (Vec<i64>, Vec<i64>) = change.closed.iter().copied().unzip();
        query = query.bind(rows).bind(ends);
    }
    let opened = &change.opened;
    if opened.is_empty() {
        return query;
    }
    let integers = |of: fn(&Stored) -> i64| opened.iter().map(of).collect::<Vec<i64>>();
    query = query
        .bind(integers(|row| row.number))
        .bind(opened.iter().map(|row| row.key.as_str()).collect::<Vec<_>>())
        .bind(opened.iter().map(|row| row.valid_from.as_str()).collect::<Vec<_>>())
        .bind(opened.iter().map(|row| row.valid_to.as_str()).collect::<Vec<_>>())
        .bind(integers(|row| row.known_from))
        .bind(integers(|row| row.known_to))
        .bind(opened.iter().map(|row| row.because.as_str()).collect::<Vec<_>>());
    for (index, column) in shape.columns.iter().enumerate() {
        let cells = opened.iter().map(|row| row.cells.get(index));
        query = match column.kind {
            Kind::Integer => query.bind(
                cells
                    .map(|cell| match cell {
                        Some(Cell::Integer(number)) => Some(*number),
                        _ => None,
                    })
                    .collect::<Vec<_>>(),
            ),
            Kind::Text | Kind::Json => query.bind(
                cells
                    .map(|cell| match cell {
                        Some(Cell::Text(text)) => Some(text.as_str()),
                        _ => None,
                    })
                    .collect::<Vec<_>>(),
            ),
        };
    }
    query
}

fn type_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Text | Kind::Json => "TEXT",
        Kind::Integer => "BIGINT",
    }
}

fn collated(kind: Kind) -> &'static str {
    match kind {
        Kind::Text | Kind::Json => " COLLATE \"C\"",
        Kind::Integer => "",
    }
}

fn is(error: &sqlx::Error, code: &str) -> bool {
    error.as_database_error().and_then(sqlx::error::DatabaseError::code).is_some_and(|found| found == code)
}

fn standing_of(row: &PgRow, first: usize) -> Result<Standing, sqlx::Error> {
    let stopped_at: Option<i64> = row.try_get(first + 3)?;
    let why: Option<String> = row.try_get(first + 4)?;
    Ok(Standing {
        version: row.try_get(first)?,
        position: unsigned(row.try_get(first + 1)?),
        generation: row.try_get(first + 2)?,
        stopped: stopped_at.map(|at| (unsigned(at), why.unwrap_or_default())),
        mine: row.try_get(first + 5)?,
    })
}

fn bind<'q>(query: Query<'q, Postgres, PgArguments>, cell: &Cell) -> Query<'q, Postgres, PgArguments> {
    match cell {
        Cell::Null => query.bind(None::<String>),
        Cell::Integer(number) => query.bind(*number),
        Cell::Text(text) => query.bind(text.clone()),
    }
}

fn cell(row: &PgRow, column: usize) -> Result<Cell, sqlx::Error> {
    let value = row.try_get_raw(column)?;
    if value.is_null() {
        return Ok(Cell::Null);
    }
    Ok(match value.type_info().name() {
        "INT8" => Cell::Integer(row.try_get(column)?),
        "INT4" => Cell::Integer(row.try_get::<i32, _>(column)?.into()),
        "BOOL" => Cell::Integer(row.try_get::<bool, _>(column)?.into()),
        _ => Cell::Text(row.try_get(column)?),
    })
}

/// A row of a view, from the columns in the order of its table.
fn stored(shape: &Shape, row: &PgRow) -> Result<Stored, sqlx::Error> {
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
