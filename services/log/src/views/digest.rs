//! The digest of a view: SHA-256 over its rows, each in one possible encoding, in the order of keys.

use duban_domain::Position;
use futures::TryStreamExt;
use sha2::{Digest as _, Sha256};
use sqlx::Row as _;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::row::Kind;
use super::table::{COMMON, Table};
use super::{View, ViewError, Views, store};

/// What a view comes to at a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digest {
    /// Where the view stands.
    pub position: Position,
    /// How many rows it has.
    pub rows: u64,
    /// SHA-256 of its rows, closed ones included, by key and then in the order of opening: each a JSON array
    /// of its columns without the row number, on a line of its own.
    pub sha256: [u8; 32],
}

impl Views {
    /// The digest of a view where it stands.
    pub async fn digest<V: View>(&self) -> Result<Digest, ViewError> {
        let mut tx = self.inner.readers.begin().await?;
        let position = store::standing(&mut tx, V::NAME).await?.map_or(0, |standing| standing.position);
        Ok(digest::<V>(&mut tx, &Table::live::<V>(), position).await?)
    }
}

pub(super) async fn digest<V: View>(
    connection: &mut SqliteConnection,
    table: &Table,
    position: Position,
) -> Result<Digest, sqlx::Error> {
    let sql = format!("SELECT {} FROM {} ORDER BY key, number", table.columns, table.name);
    let mut rows = sqlx::query(sqlx::AssertSqlSafe(sql)).fetch(connection);
    let mut hash = Sha256::new();
    let mut count = 0;
    while let Some(row) = rows.try_next().await? {
        hash.update(canonical::<V>(&row)?);
        count += 1;
    }
    Ok(Digest { position, rows: count, sha256: hash.finalize().into() })
}

fn canonical<V: View>(row: &SqliteRow) -> Result<Vec<u8>, sqlx::Error> {
    let text = |column: usize| row.try_get::<Option<String>, _>(column).map(serde_json::Value::from);
    let integer = |column: usize| row.try_get::<Option<i64>, _>(column).map(serde_json::Value::from);
    let mut values = vec![text(1)?, text(2)?, text(3)?, integer(4)?, integer(5)?, text(6)?];
    for (column, own) in (COMMON.len()..).zip(V::COLUMNS) {
        values.push(match own.kind {
            Kind::Integer => integer(column)?,
            Kind::Text | Kind::Json => text(column)?,
        });
    }
    let mut line = serde_json::to_vec(&values).map_err(|error| sqlx::Error::Decode(error.into()))?;
    line.push(b'\n');
    Ok(line)
}
