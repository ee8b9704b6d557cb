//! Reading views in `views.db`: one state of their standings and rows.

use std::path::Path;
use std::sync::Arc;

use futures::TryStreamExt;
use sqlx::sqlite::{Sqlite, SqliteRow};
use sqlx::{Column as _, Row as _, Transaction};

use super::FORMAT;
use super::rows::{bind, cell, standing, stored};
use crate::append::LogIdentity;
use crate::sqlite::Database;
use crate::views::Standing;
use crate::views::row::{Cell, Record, Stored};
use crate::views::shape::Shape;

/// A transaction that reads.
pub(in crate::views) struct Reading(pub(super) Transaction<'static, Sqlite>);

impl Reading {
    /// The views in a folder, of this log and epoch, beside the process that runs them.
    pub(in crate::views) async fn of(
        folder: &Path,
        identity: LogIdentity,
    ) -> Result<Option<Self>, sqlx::Error> {
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
    pub(in crate::views) async fn standing(&mut self, view: &str) -> Result<Option<Standing>, sqlx::Error> {
        standing(&mut self.0, view).await
    }

    /// Rows of a view; `rest` goes on after `WHERE`.
    pub(in crate::views) async fn select(
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
    pub(in crate::views) async fn query(
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
    pub(in crate::views) async fn each(
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
