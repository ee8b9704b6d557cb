//! Values and rows of views, to and from Postgres.

use sqlx::postgres::{PgArguments, PgRow, Postgres};
use sqlx::query::Query;
use sqlx::{Row as _, TypeInfo as _, ValueRef as _};

use crate::sqlite::unsigned;
use crate::views::Standing;
use crate::views::row::{Cell, Kind, Stored};
use crate::views::shape::{COMMON, Shape};

pub(super) fn standing_of(row: &PgRow, first: usize) -> Result<Standing, sqlx::Error> {
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

pub(super) fn bind<'q>(
    query: Query<'q, Postgres, PgArguments>,
    cell: &Cell,
) -> Query<'q, Postgres, PgArguments> {
    match cell {
        Cell::Null => query.bind(None::<String>),
        Cell::Integer(number) => query.bind(*number),
        Cell::Text(text) => query.bind(text.clone()),
    }
}

pub(super) fn cell(row: &PgRow, column: usize) -> Result<Cell, sqlx::Error> {
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
pub(super) fn stored(shape: &Shape, row: &PgRow) -> Result<Stored, sqlx::Error> {
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
