//! Reading views on Postgres: one state of the log's head, the views' standings and their rows.

use std::sync::Arc;

use duban_domain::Position;
use futures::TryStreamExt;
use sqlx::postgres::{PgPoolOptions, PgRow, Postgres};
use sqlx::{Column as _, Row as _, Transaction};

use super::FORMAT;
use super::rows::{bind, cell, standing_of, stored};
use crate::append::LogIdentity;
use crate::sqlite::unsigned;
use crate::views::Standing;
use crate::views::row::{Cell, Record, Stored};
use crate::views::shape::Shape;

/// A transaction that reads, and sees one state of the log's head, the views' standings and their rows.
pub(in crate::views) struct Reading(pub(super) Transaction<'static, Postgres>);

/// Begins to read these views. Their tables are locked against a swap before the first look, which is what freezes
/// the state that is seen: a name always means the table of now, and the rows in it would be as of then.
pub(super) fn begin(views: &[&str]) -> String {
    let mut sql = String::from("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    for view in views {
        sql = sql + "; LOCK TABLE duban_views." + view + " IN ACCESS SHARE MODE";
    }
    sql
}

impl Reading {
    /// Those of `views` that a database has, of this log and epoch, beside the processes that run them.
    pub(in crate::views) async fn of(
        url: &str,
        identity: LogIdentity,
        views: &[&str],
    ) -> Result<Option<Self>, sqlx::Error> {
        let options =
            crate::postgres::options(url).map_err(|error| sqlx::Error::Configuration(error.into()))?;
        let pool = PgPoolOptions::new().max_connections(1).connect_with(options).await?;
        let there = "SELECT tablename::TEXT FROM pg_tables WHERE schemaname = 'duban_views'";
        let there: Vec<String> = sqlx::query_scalar(there).fetch_all(&pool).await?;
        if !there.iter().any(|table| table == "view_source") {
            return Ok(None);
        }
        let there: Vec<&str> =
            views.iter().copied().filter(|view| there.iter().any(|table| table == view)).collect();
        let mut reading = Self(pool.begin_with(sqlx::AssertSqlSafe(begin(&there))).await?);
        reading.lengthen().await?;
        let found: Option<(i64, String, String)> =
            sqlx::query_as("SELECT format, log, epoch FROM duban_views.view_source")
                .fetch_optional(&mut *reading.0)
                .await?;
        let ours = (FORMAT, identity.log.to_string(), identity.epoch.to_string());
        Ok((found == Some(ours)).then_some(reading))
    }

    /// The head of the log, and where a view stands.
    pub(in crate::views) async fn standing(
        &mut self,
        view: &str,
    ) -> Result<(Position, Option<Standing>), sqlx::Error> {
        let sql =
            "SELECT coalesce((SELECT position FROM duban_log.events ORDER BY position DESC LIMIT 1), 0),
                          v.version, v.position, v.generation, v.stopped_at, v.stopped_why, FALSE
                   FROM (SELECT 1) AS one LEFT JOIN duban_views.view_positions AS v ON v.view = $1";
        let row = sqlx::query(sql).bind(view).fetch_one(&mut *self.0).await?;
        let there = row.try_get::<Option<i64>, _>(1)?.is_some();
        Ok((unsigned(row.try_get(0)?), there.then(|| standing_of(&row, 1)).transpose()?))
    }

    /// Lets it take its time: a whole table is read.
    pub(in crate::views) async fn lengthen(&mut self) -> Result<(), sqlx::Error> {
        let sql = "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0;";
        sqlx::raw_sql(sql).execute(&mut *self.0).await.map(|_| ())
    }

    /// Rows of a view: of these columns, or of all; `rest` goes on after `WHERE`.
    pub(in crate::views) async fn select(
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
    pub(in crate::views) async fn query(
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
    pub(in crate::views) async fn each(
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
