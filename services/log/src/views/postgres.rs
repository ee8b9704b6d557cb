//! The views on Postgres, in the schema `duban_views` of the log's database: every statement on them.
//!
//! A page of the log is one statement for all views, and a transaction of its own: a process that is stopped or
//! cut off at any moment holds up nobody. It counts only for the views that this process has the lease of and
//! that stand where it thinks.

mod beside;
mod lease;
mod reading;
mod rows;
mod tables;

use std::fmt::Write as _;

use duban_domain::Position;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, Postgres};
use sqlx::{Connection as _, Transaction};
use tokio::sync::watch;
use uuid::Uuid;

pub(super) use beside::Beside;
use lease::LEASE;
pub(super) use reading::Reading;
use reading::begin;
use rows::{standing_of, stored};
use tables::{Numbers, change_arguments, change_sql, create, index, indexes};

use super::projection::Change;
use super::row::Stored;
use super::shape::Shape;
use super::writing::Writing;
use super::{NOW, Readiness, Standing};
use crate::append::LogIdentity;
use crate::postgres::{VIEWS, again};
use crate::sqlite::signed;

/// The format of these tables; others are thrown away.
const FORMAT: i64 = 1;
/// The advisory lock of who makes or throws away tables.
const MAKING: i64 = 702_290_941_501;
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

    /// One state of these views and of the head of the log, to be read from; it stays as it is.
    pub(super) async fn snapshot(&self, views: &[&str]) -> Result<Reading, sqlx::Error> {
        let begin = begin(views);
        let begin = || self.pool.begin_with(sqlx::AssertSqlSafe(begin.clone()));
        Ok(Reading(again(begin).await?))
    }

    /// The connection that writes, opened again after a failure.
    async fn writer(&self) -> Result<Writing<'_, PgConnection>, sqlx::Error> {
        let mut guard = self.writer.lock().await;
        if guard.is_none() {
            *guard = Some(PgConnection::connect_with(&self.options).await?);
        }
        Ok(Writing::of(guard))
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
