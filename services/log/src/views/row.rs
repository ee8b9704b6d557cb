//! The rows of a view, and the values in them.

use std::collections::HashMap;

use duban_domain::{Date, Period, Position};

use super::{Cells, NOW, OPEN_END};
use crate::sqlite::unsigned;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// TEXT: what serialises to a string.
    Text,
    /// BIGINT: what serialises to an integer.
    Integer,
    /// TEXT with JSON in it: what serialises to anything else.
    Json,
}

/// A column of a view's own. Any may be NULL, for what serialises to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Its name, and the field's.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
}

impl Column {
    /// A column of text: names, dates, words.
    pub const fn text(name: &'static str) -> Self {
        Self { name, kind: Kind::Text }
    }

    /// A column of integers.
    pub const fn integer(name: &'static str) -> Self {
        Self { name, kind: Kind::Integer }
    }

    /// A column of lists and the like, as JSON.
    pub const fn json(name: &'static str) -> Self {
        Self { name, kind: Kind::Json }
    }
}

/// A row of a view that is open, in both directions: in and out of [`super::View::project`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row<C> {
    /// The civil days on which it holds.
    pub valid: Period,
    /// The events that justify it.
    pub because: Vec<Position>,
    /// The view's own columns.
    pub columns: C,
}

impl<C> Row<C> {
    /// A row that holds in `valid`, because of one event.
    pub fn new(valid: Period, because: Position, columns: C) -> Self {
        Self { valid, because: vec![because], columns }
    }

    /// The same, because of one event more.
    #[must_use]
    pub fn also(mut self, because: Position) -> Self {
        if !self.because.contains(&because) {
            self.because.push(because);
        }
        self
    }
}

/// A row as it is found by a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found<C> {
    /// Its place in the order of opening; with it a page token can say where it ended.
    pub number: u64,
    /// Its key.
    pub key: String,
    /// The civil days on which it holds.
    pub valid: Period,
    /// The position from which on the log knew it.
    pub known_from: Position,
    /// The position at which something superseded it.
    pub known_to: Option<Position>,
    /// The events that justify it.
    pub because: Vec<Position>,
    /// The view's own columns.
    pub columns: C,
}

/// Why a view can't take an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Poison(pub String);

/// A value in a table or a query.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cell {
    /// Nothing.
    Null,
    /// An integer.
    Integer(i64),
    /// A text.
    Text(String),
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Cell::Text(text.to_owned())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Cell::Text(text)
    }
}

impl From<Date> for Cell {
    fn from(date: Date) -> Self {
        Cell::Text(date.to_string())
    }
}

impl From<i64> for Cell {
    fn from(number: i64) -> Self {
        Cell::Integer(number)
    }
}

impl From<u32> for Cell {
    fn from(number: u32) -> Self {
        Cell::Integer(number.into())
    }
}

impl From<Position> for Cell {
    fn from(position: Position) -> Self {
        Cell::Integer(i64::try_from(position).unwrap_or(i64::MAX))
    }
}

impl<T: Into<Cell>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Self {
        value.map_or(Cell::Null, Into::into)
    }
}

/// A row of any query: values by the names of its columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub(crate) names: std::sync::Arc<[String]>,
    pub(crate) cells: Vec<Cell>,
}

impl Record {
    /// The value of a column; NULL if there is no such column.
    pub fn cell(&self, name: &str) -> &Cell {
        let found = self.names.iter().position(|known| known == name);
        found.map_or(&Cell::Null, |column| &self.cells[column])
    }

    /// The text of a column, unless it is NULL or an integer.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.cell(name) {
            Cell::Text(text) => Some(text),
            Cell::Null | Cell::Integer(_) => None,
        }
    }

    /// The integer of a column, unless it is NULL or a text.
    pub fn integer(&self, name: &str) -> Option<i64> {
        match self.cell(name) {
            Cell::Integer(number) => Some(*number),
            Cell::Null | Cell::Text(_) => None,
        }
    }
}

/// A row as its table has it: what is written, and what is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) number: i64,
    pub(crate) key: String,
    pub(crate) valid_from: String,
    pub(crate) valid_to: String,
    pub(crate) known_from: i64,
    pub(crate) known_to: i64,
    pub(crate) because: String,
    /// The view's own columns.
    pub(crate) cells: Vec<Cell>,
}

impl Stored {
    /// The row in the view's terms.
    pub(crate) fn read<C: Cells>(self, columns: &[Column]) -> Result<Found<C>, Unreadable> {
        let unreadable = |what: String| Unreadable(format!("row {}: {what}", self.number));
        let valid = period(&self.valid_from, &self.valid_to).ok_or_else(|| unreadable("its days".into()))?;
        Ok(Found {
            number: unsigned(self.number),
            valid,
            known_from: unsigned(self.known_from),
            known_to: (self.known_to != NOW).then(|| unsigned(self.known_to)),
            because: serde_json::from_str(&self.because).map_err(|error| unreadable(error.to_string()))?,
            columns: C::values(columns, &self.cells).map_err(|error| unreadable(error.to_string()))?,
            key: self.key,
        })
    }

    /// The state that its key's last open row has, where it has none itself.
    pub(super) fn take_state(&mut self, states: &HashMap<String, Cell>) {
        if let (Some(last @ Cell::Null), Some(state)) = (self.cells.last_mut(), states.get(&self.key)) {
            *last = state.clone();
        }
    }

    /// About how much of the memory it takes.
    pub(crate) fn size(&self) -> usize {
        let text = |cell: &Cell| match cell {
            Cell::Text(text) => text.len(),
            Cell::Null | Cell::Integer(_) => 0,
        };
        size_of::<Self>() + self.key.len() + self.because.len() + self.cells.iter().map(text).sum::<usize>()
    }
}

/// The states that open rows have, by their keys.
pub(super) fn states_of(rows: &[Stored]) -> HashMap<String, Cell> {
    let open = rows.iter().filter(|row| row.known_to == NOW);
    let state = |row: &Stored| row.cells.last().filter(|cell| **cell != Cell::Null).cloned();
    open.filter_map(|row| Some((row.key.clone(), state(row)?))).collect()
}

/// A row that is not as its view writes it.
#[derive(Debug, thiserror::Error)]
#[error("a view can't be read: {0}")]
pub(crate) struct Unreadable(String);

impl From<Unreadable> for sqlx::Error {
    fn from(error: Unreadable) -> Self {
        sqlx::Error::Decode(error.into())
    }
}

/// `valid_to` as it is stored.
pub(crate) fn end_of(valid: &Period) -> String {
    valid.until.map_or_else(|| OPEN_END.to_owned(), |until| until.to_string())
}

/// A period from `valid_from` and `valid_to` as they are stored.
pub(crate) fn period(from: &str, to: &str) -> Option<Period> {
    let until = if to == OPEN_END { None } else { Some(to.parse().ok()?) };
    Some(Period { from: from.parse().ok()?, until })
}
