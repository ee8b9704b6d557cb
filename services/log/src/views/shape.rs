//! What the table of a view looks like, whatever its rows are in Rust.

use super::View;
use super::row::Column;

/// The columns that every view has, before its own.
pub(crate) const COMMON: [&str; 7] =
    ["number", "key", "valid_from", "valid_to", "known_from", "known_to", "because"];

/// A view without its types.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    /// See [`View::NAME`].
    pub(crate) name: &'static str,
    /// See [`View::VERSION`].
    pub(crate) version: i64,
    /// See [`View::COLUMNS`].
    pub(crate) columns: &'static [Column],
    /// Whether closed rows are without their last column; see [`View::RECALL`].
    pub(crate) recalled: bool,
    /// See [`View::INDEXES`].
    pub(crate) indexes: &'static [&'static [&'static str]],
}

impl Shape {
    pub(crate) const fn of<V: View>() -> Self {
        Self {
            name: V::NAME,
            version: V::VERSION,
            columns: V::COLUMNS,
            recalled: V::RECALL.is_some(),
            indexes: V::INDEXES,
        }
    }

    /// `number, key, …`: all columns.
    pub(crate) fn all_columns(&self) -> String {
        let own = self.columns.iter().map(|column| column.name);
        COMMON.into_iter().chain(own).collect::<Vec<_>>().join(", ")
    }

    /// `, state = NULL`: what a row lets go of when it is closed.
    pub(crate) fn let_go(&self) -> String {
        let last = self.columns.last().filter(|_| self.recalled);
        last.map_or_else(String::new, |column| format!(", {} = NULL", column.name))
    }

    /// The name of the table that is built beside the live one.
    pub(crate) fn beside(&self) -> String {
        format!("{}_rebuild", self.name)
    }
}
