//! Rows of `views.db`, of any view, and where a view stands.

use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{Row as _, TypeInfo as _, ValueRef as _};

use crate::sqlite::{Bound, unsigned};
use crate::views::Standing;
use crate::views::row::{Cell, Kind, Stored};
use crate::views::shape::{COMMON, Shape};

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
            stopped: None,
            // Nobody else is in this folder.
            mine: true,
        })
    })
    .transpose()
}

pub(super) fn bind(query: Bound<'_>, cell: Cell) -> Bound<'_> {
    match cell {
        Cell::Null => query.bind(None::<i64>),
        Cell::Integer(number) => query.bind(number),
        Cell::Text(text) => query.bind(text),
    }
}

pub(super) fn cell(row: &SqliteRow, column: usize) -> Result<Cell, sqlx::Error> {
    let value = row.try_get_raw(column)?;
    Ok(match value.type_info().name() {
        "NULL" => Cell::Null,
        "INTEGER" | "BOOLEAN" => Cell::Integer(row.try_get(column)?),
        _ => Cell::Text(row.try_get(column)?),
    })
}

/// A row of a view, from the columns in the order of its table.
pub(super) fn stored(shape: &Shape, row: &SqliteRow) -> Result<Stored, sqlx::Error> {
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
