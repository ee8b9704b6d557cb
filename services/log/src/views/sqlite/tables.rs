//! The tables of views in `views.db` and their indexes: how they are made.

use std::fmt::Write as _;

use crate::views::row::Kind;
use crate::views::shape::Shape;

/// Makes a table without its indexes.
pub(super) fn create(shape: &Shape, table: &str) -> String {
    let own = shape.columns.iter().fold(String::new(), |own, column| {
        let kind = match column.kind {
            Kind::Text | Kind::Json => "TEXT",
            Kind::Integer => "BIGINT",
        };
        own + ", " + column.name + " " + kind
    });
    format!(
        "DROP TABLE IF EXISTS {table};
         CREATE TABLE {table} (number INTEGER PRIMARY KEY, key TEXT NOT NULL, valid_from TEXT NOT NULL,
             valid_to TEXT NOT NULL, known_from BIGINT NOT NULL, known_to BIGINT NOT NULL,
             because TEXT NOT NULL{own});"
    )
}

/// Makes the index of the keys. The names of indexes carry a generation: they outlive a swap of tables.
pub(super) fn key_index(shape: &Shape, table: &str, generation: i64) -> String {
    let view = shape.name;
    format!("CREATE INDEX IF NOT EXISTS {view}_{generation}_key ON {table} (key);")
}

/// Makes all indexes that are missing.
pub(super) fn indexes(shape: &Shape, table: &str, generation: i64) -> String {
    let mut script = key_index(shape, table, generation);
    for (number, columns) in shape.indexes.iter().enumerate() {
        let (view, columns) = (shape.name, columns.join(", "));
        // Writing to a String never fails.
        write!(script, "CREATE INDEX IF NOT EXISTS {view}_{generation}_{number} ON {table} ({columns});")
            .ok();
    }
    script
}
