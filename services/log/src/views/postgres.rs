//! The views on Postgres, in the schema `duban_views` of the log's database: every statement on them.
//!
//! A page of the log is one statement for all views, and a transaction of its own: a process that is stopped or
//! cut off at any moment holds up nobody. It counts only for the views that this process has the lease of and
//! that stand where it thinks.

mod reading;
mod rows;
mod tables;

use std::fmt::Write as _;
use std::time::Duration;

use duban_domain::Position;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgRow, Postgres};
use sqlx::{Connection as _, Row as _, Transaction};
use tokio::sync::{MutexGuard, watch};
use uuid::Uuid;

pub(super) use reading::Reading;
use reading::begin;
use rows::{standing_of, stored};
use tables::{Numbers, change_arguments, change_sql, create, index, indexes};

use super::projection::Change;
use super::row::Stored;
use super::shape::Shape;
use super::{NOW, Readiness, Standing};
use crate::append::LogIdentity;
use crate::postgres::{VIEWS, again};
use crate::sqlite::signed;

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
/// How long a swap waits for those who read the live table, and everybody who comes then with it; and how long it
/// lets them all go on before it tries again. Twice as long each time.
const SWAP_PATIENCE: Duration = Duration::from_millis(250);
/// At last longer than the second for which the database's own vacuum keeps a lock that is waited for.
const SWAP_PATIENCE_MAX: Duration = Duration::from_secs(2);
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

    /// One state of these views and of the head of the log, to be read from; it stays as it is.
    pub(super) async fn snapshot(&self, views: &[&str]) -> Result<Reading, sqlx::Error> {
        let begin = begin(views);
        let begin = || self.pool.begin_with(sqlx::AssertSqlSafe(begin.clone()));
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
        Ok(Some(Beside { connection, patience: SWAP_PATIENCE }))
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
pub(super) struct Beside {
    connection: PgConnection,
    /// See [`SWAP_PATIENCE`].
    patience: Duration,
}

impl Beside {
    /// Makes the table, in place of what one that was given up may have left.
    pub(super) async fn create(&mut self, shape: &Shape) -> Result<(), sqlx::Error> {
        let script = create(shape, &shape.beside());
        sqlx::raw_sql(sqlx::AssertSqlSafe(script)).execute(&mut self.connection).await.map(|_| ())
    }

    pub(super) async fn index_keys(&mut self, shape: &Shape, generation: i64) -> Result<(), sqlx::Error> {
        let table = shape.beside();
        index(&mut self.connection, &table, &indexes(shape, &table, generation)[..1]).await
    }

    pub(super) async fn index(&mut self, shape: &Shape, generation: i64) -> Result<(), sqlx::Error> {
        let table = shape.beside();
        index(&mut self.connection, &table, &indexes(shape, &table, generation)).await
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
        query.execute(&mut self.connection).await.map(|_| ())
    }

    /// Puts the table, which stands at `position`, in the place of the live one; false if that one does not, or
    /// is being read at length.
    pub(super) async fn swap(
        &mut self,
        shape: &Shape,
        generation: i64,
        position: Position,
    ) -> Result<bool, sqlx::Error> {
        let (live, beside) = (shape.name, shape.beside());
        // A crash in here leaves the old table in place, whole.
        let mut tx = making(&mut self.connection).await?;
        // The tables before the row of the position, as who writes a page has them: neither waits for the other
        // with what that one needs.
        let script = format!(
            "SET LOCAL lock_timeout = {}; LOCK TABLE duban_views.{live}, duban_views.{beside} IN ACCESS EXCLUSIVE MODE",
            self.patience.as_millis()
        );
        match sqlx::raw_sql(sqlx::AssertSqlSafe(script)).execute(&mut *tx).await {
            Err(error) if is(&error, LOCK_NOT_AVAILABLE) => {
                tx.rollback().await?;
                tokio::time::sleep(self.patience).await;
                self.patience = SWAP_PATIENCE_MAX.min(self.patience * 2);
                return Ok(false);
            }
            done => {
                done?;
            }
        }
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
        let script = format!(
            "DROP TABLE duban_views.{live}; ALTER TABLE duban_views.{beside} RENAME TO {live};
             SELECT pg_notify('{VIEWS}', '');"
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(script)).execute(&mut *tx).await?;
        tx.commit().await?;
        self.patience = SWAP_PATIENCE;
        Ok(true)
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
        // The tables before the rows of their positions: see [`Beside::swap`].
        let mut script = String::new();
        for view in views {
            write!(script, "DROP TABLE IF EXISTS duban_views.{view}, duban_views.{view}_rebuild;").ok();
        }
        script.push_str("DELETE FROM duban_views.view_positions; DELETE FROM duban_views.view_source;");
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

fn is(error: &sqlx::Error, code: &str) -> bool {
    error.as_database_error().and_then(sqlx::error::DatabaseError::code).is_some_and(|found| found == code)
}
