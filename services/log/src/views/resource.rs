//! The view of one kind of resource: its folded state beside the columns by which it is listed. The projection
//! is the fold itself, so an answer from the view, a command's reply and a fold of the log can't disagree.
//!
//! What a resource is on one day and on another may differ, and so may the columns: a row for each stretch of
//! days, all with the same state, which speaks of all its days.

use std::marker::PhantomData;

use duban_domain::time::DATE_MIN;
use duban_domain::{Date, Period, Recorded};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{Column, Poison, Row, View};

/// The column of the folded state; the last of [`Resource::COLUMNS`].
pub const STATE: Column = Column::json("state");
/// All days: for columns that are the same whatever day is asked about.
pub const ALWAYS: Period = Period { from: DATE_MIN, until: None::<Date> };

/// A kind of resource that is got and listed.
pub trait Resource: Send + Sync + 'static {
    /// The view's name, and its table's: `snake_case`, plural.
    const NAME: &'static str;
    /// Counted up whenever the state or the columns are made otherwise than before.
    const VERSION: i64;
    /// The fields of [`Resource::Columns`] by their serialised names, then [`STATE`].
    const COLUMNS: &'static [Column];
    /// Columns by which it is listed; each a secondary index.
    const INDEXES: &'static [&'static [&'static str]] = &[];
    /// The folded state.
    type State: Serialize + DeserializeOwned + Clone + PartialEq + Send + Sync;
    /// What it is filtered and sorted by: a flat struct.
    type Columns: Serialize + DeserializeOwned + Clone + PartialEq + Send + Sync;

    /// The resource names that `recorded` is about. Listed, never `_`, over the subject's own events.
    fn names(recorded: &Recorded) -> Vec<String>;

    /// The state of `name` after `recorded`; `None` as long as there is nothing.
    fn evolve(name: &str, state: Option<Self::State>, recorded: &Recorded) -> Option<Self::State>;

    /// The columns and the days on which they hold: at least one day, and none twice. On other days there is
    /// no such resource.
    fn columns(state: &Self::State) -> Vec<(Period, Self::Columns)>;
}

/// A row of a resource: its columns, its state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stated<C, S> {
    /// What it is filtered and sorted by.
    #[serde(flatten)]
    pub columns: C,
    /// The folded state.
    pub state: S,
}

/// The view of a [`Resource`]: `views.start::<Of<Agencies>>()`. Its key is the resource's name.
#[derive(Debug)]
pub struct Of<R>(PhantomData<fn() -> R>);

impl<R: Resource> View for Of<R> {
    const NAME: &'static str = R::NAME;
    const VERSION: i64 = R::VERSION;
    const COLUMNS: &'static [Column] = R::COLUMNS;
    const INDEXES: &'static [&'static [&'static str]] = R::INDEXES;
    type Columns = Stated<R::Columns, R::State>;

    fn keys(recorded: &Recorded) -> Vec<String> {
        R::names(recorded)
    }

    /// Because of the last event: what else justifies each part of it, the state says.
    fn project(
        key: &str,
        mut open: Vec<Row<Self::Columns>>,
        recorded: &Recorded,
    ) -> Result<Vec<Row<Self::Columns>>, Poison> {
        let before = open.pop().map(|row| row.columns.state);
        let Some(state) = R::evolve(key, before, recorded) else { return Ok(vec![]) };
        let row =
            |(days, columns)| Row::new(days, recorded.position, Stated { columns, state: state.clone() });
        Ok(R::columns(&state).into_iter().map(row).collect())
    }
}
