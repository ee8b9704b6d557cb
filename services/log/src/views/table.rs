//! The table of one view: its columns, its indexes, and the statements on it. Portable SQL, but for how a list
//! of keys is passed.

use std::fmt::Write;
use std::sync::Arc;

use super::row::Kind;
use super::{NOW, View};
use crate::sqlite::Insert;

/// The columns that every view has, before its own.
pub(crate) const COMMON: [&str; 7] =
    ["number", "key", "valid_from", "valid_to", "known_from", "known_to", "because"];

/// The statements on one view's table.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    /// The table's name: the view's, or that of a rebuild beside it.
    pub(crate) name: String,
    /// `number, key, …`: all columns.
    pub(crate) columns: String,
    pub(crate) insert: Insert,
    pub(crate) close: Arc<str>,
    pub(crate) open_rows: Arc<str>,
}

impl Table {
    /// The live table.
    pub(crate) fn live<V: View>() -> Self {
        Self::named::<V>(V::NAME)
    }

    /// The table of a rebuild.
    pub(crate) fn beside<V: View>() -> Self {
        Self::named::<V>(&format!("{}_rebuild", V::NAME))
    }

    fn named<V: View>(name: &str) -> Self {
        let own = V::COLUMNS.iter().map(|column| column.name);
        let columns = COMMON.into_iter().chain(own).collect::<Vec<_>>().join(", ");
        Self {
            insert: Insert::into(&format!("{name} ({columns})"), COMMON.len() + V::COLUMNS.len()),
            // Driven by the list: one step into the primary key for each row that is closed.
            close: format!(
                "UPDATE {name} SET known_to = c.value ->> 1 FROM json_each($1) AS c
                 WHERE {name}.number = c.value ->> 0"
            )
            .into(),
            open_rows: format!(
                "SELECT {columns} FROM {name}
                 WHERE known_to = {NOW} AND key IN (SELECT value FROM json_each($1)) ORDER BY number"
            )
            .into(),
            name: name.to_owned(),
            columns,
        }
    }

    /// Makes the table with its indexes. Their names carry a generation: they outlive a swap of tables.
    pub(crate) fn create<V: View>(&self, generation: i64) -> String {
        let name = &self.name;
        let own = V::COLUMNS.iter().fold(String::new(), |own, column| {
            let kind = match column.kind {
                Kind::Text | Kind::Json => "TEXT",
                Kind::Integer => "BIGINT",
            };
            own + ", " + column.name + " " + kind
        });
        let mut script = format!(
            "DROP TABLE IF EXISTS {name};
             CREATE TABLE {name} (number INTEGER PRIMARY KEY, key TEXT NOT NULL, valid_from TEXT NOT NULL,
                 valid_to TEXT NOT NULL, known_from BIGINT NOT NULL, known_to BIGINT NOT NULL,
                 because TEXT NOT NULL{own});
             CREATE INDEX {view}_{generation}_key ON {name} (key, known_to);",
            view = V::NAME,
        );
        for (number, columns) in V::INDEXES.iter().enumerate() {
            let columns = columns.join(", ");
            let view = V::NAME;
            // Writing to a String never fails.
            write!(script, "CREATE INDEX {view}_{generation}_{number} ON {name} ({columns});").ok();
        }
        script
    }
}
