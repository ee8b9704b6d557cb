//! What a page of events does to tables, in few statements: a hop to the connection's thread costs more than a row.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use sqlx::sqlite::SqliteConnection;

use super::rows::bind;
use crate::log::lock;
use crate::sqlite::Bound;
use crate::views::projection::Change;
use crate::views::row::Stored;
use crate::views::shape::{COMMON, Shape};

/// Rows in one statement where there are so many. Fewer are rounded up to a smaller power of two, so that there are
/// few texts and all of them stay prepared; the rows that are over are NULL and left out.
const ROWS_MAX: usize = 256;

/// Which rows a text writes: whether it closes any, and how many it has room for.
type Room = (bool, usize);

/// The texts, by table and what they have room for.
#[derive(Debug, Default)]
pub(super) struct Texts(Mutex<HashMap<String, HashMap<Room, Arc<str>>>>);

impl Texts {
    /// Closes and opens rows of a table.
    pub(super) async fn write(
        &self,
        connection: &mut SqliteConnection,
        shape: &Shape,
        table: &str,
        change: Change,
    ) -> Result<(), sqlx::Error> {
        let Change { opened, closed } = change;
        let mut closed = (!closed.is_empty()).then(|| serde_json::to_string(&closed).unwrap_or_default());
        let mut opened = opened.into_iter();
        while closed.is_some() || opened.len() > 0 {
            let rows = if opened.len() < ROWS_MAX { opened.len().min(ROWS_MAX / 2) } else { ROWS_MAX };
            let room = if rows == 0 { 0 } else { rows.next_power_of_two() };
            let mut query =
                sqlx::query(sqlx::AssertSqlSafe(self.text(shape, table, (closed.is_some(), room))));
            if let Some(closed) = closed.take() {
                query = query.bind(closed);
            }
            query = opened.by_ref().take(rows).fold(query, bind_row);
            let over = (room - rows) * (COMMON.len() + shape.columns.len());
            query = (0..over).fold(query, |query, _| query.bind(None::<i64>));
            query.execute(&mut *connection).await?;
        }
        Ok(())
    }

    fn text(&self, shape: &Shape, table: &str, room: Room) -> Arc<str> {
        let mut tables = lock(&self.0);
        if let Some(text) = tables.get(table).and_then(|texts| texts.get(&room)) {
            return Arc::clone(text);
        }
        let text: Arc<str> = text(shape, table, room).into();
        tables.entry(table.to_owned()).or_default().insert(room, Arc::clone(&text));
        text
    }
}

/// A failure anyway loses the whole transaction; ROLLBACK spares SQLite the journal by which it could undo a single
/// statement.
fn text(shape: &Shape, table: &str, (closes, rows): Room) -> String {
    // Driven by the list: one step into the primary key for each row that is closed.
    let close = format!(
        "UPDATE OR ROLLBACK {table} SET known_to = c.value ->> 1{} FROM json_each(?) AS c
         WHERE {table}.number = c.value ->> 0;",
        shape.let_go()
    );
    let columns = COMMON.len() + shape.columns.len();
    let row = format!("({})", vec!["?"; columns].join(","));
    let values = vec![&*row; rows].join(",");
    let (into, filter) =
        (format!("INSERT OR ROLLBACK INTO {table} ({})", shape.all_columns()), "column1 IS NOT NULL");
    let close = if closes { close } else { String::new() };
    match rows {
        0 => close,
        ROWS_MAX => format!("{close}{into} VALUES {values}"),
        _ => format!("{close}{into} SELECT * FROM (VALUES {values}) WHERE {filter}"),
    }
}

fn bind_row(query: Bound<'_>, row: Stored) -> Bound<'_> {
    let Stored { number, key, valid_from, valid_to, known_from, known_to, because, cells } = row;
    let query = query
        .bind(number)
        .bind(key)
        .bind(valid_from)
        .bind(valid_to)
        .bind(known_from)
        .bind(known_to)
        .bind(because);
    cells.into_iter().fold(query, bind)
}
