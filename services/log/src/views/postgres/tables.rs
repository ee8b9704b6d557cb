//! The tables of views on Postgres: how they and their indexes are made, and how a page's changes are one statement.

use std::fmt::Write as _;

use sqlx::Connection as _;
use sqlx::postgres::{PgArguments, PgConnection, Postgres};
use sqlx::query::Query;

use crate::views::projection::Change;
use crate::views::row::{Cell, Kind, Stored};
use crate::views::shape::Shape;

/// Makes a table without its indexes but the one of its numbers.
pub(super) fn create(shape: &Shape, table: &str) -> String {
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
pub(super) fn indexes(shape: &Shape, table: &str, generation: i64) -> Vec<(String, String)> {
    let view = shape.name;
    let index = |name: String, columns: &str| {
        let sql = format!("CREATE INDEX IF NOT EXISTS {name} ON duban_views.{table} ({columns})");
        (name, sql)
    };
    let mut indexes = vec![index(format!("{view}_{generation}_key"), "key")];
    for (number, columns) in shape.indexes.iter().enumerate() {
        indexes.push(index(format!("{view}_{generation}_{number}"), &columns.join(", ")));
    }
    indexes
}

/// Makes the indexes that are missing, and looks the table over for whoever plans queries on it.
pub(super) async fn index(
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
pub(super) struct Numbers(pub(super) usize);

impl Numbers {
    fn next(&mut self) -> usize {
        self.0 += 1;
        self.0
    }
}

/// Adds what closes and opens rows of a table, as parts of one statement. Each hangs on `sound`, so that it is
/// judged first.
pub(super) fn change_sql(
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
                 UPDATE duban_views.{table} AS t SET known_to = c.known_to{}
                 FROM unnest(${rows}::BIGINT[], ${ends}::BIGINT[]) AS c(number, known_to), sound
                 WHERE t.number = c.number)",
            shape.let_go()
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
pub(super) fn change_arguments<'q>(
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

pub(super) fn type_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Text | Kind::Json => "TEXT",
        Kind::Integer => "BIGINT",
    }
}

pub(super) fn collated(kind: Kind) -> &'static str {
    match kind {
        Kind::Text | Kind::Json => " COLLATE \"C\"",
        Kind::Integer => "",
    }
}
