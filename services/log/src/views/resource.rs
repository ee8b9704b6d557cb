//! The view of one kind of resource: its folded state beside the columns by which it is listed. The projection
//! is the fold itself, so an answer from the view, a command's reply and a fold of the log can't disagree.
//!
//! What a resource is on one day and on another may differ, and so may the columns: a row for each stretch of
//! days, all with the same state, which speaks of all its days.
//!
//! A state is as long as its resource's life, and rows are written for each event of it: of the open rows, which all
//! have the same state, the last one keeps it. What it was when a row was still open is folded again from the log, by
//! whoever asks.

use std::marker::PhantomData;
use std::sync::Arc;

use duban_domain::time::DATE_MIN;
use duban_domain::{Date, Period, Position, Recorded, Subject};
use futures::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::cells::{cells_of, json_of, values_of};
use super::{Cell, Cells, Column, Poison, Recall, Row, View};
use crate::error::ReadError;
use crate::log::Log;

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

    /// Under which subject the events of a resource of this name are filed: all that [`Resource::names`] names it
    /// for. `None` where they are filed under others too: closed rows keep their states then.
    const SUBJECT: Option<fn(&str) -> Option<Subject>>;

    /// The resource names that `recorded` is about. Listed, never `_`, over the subject's own events.
    fn names(recorded: &Recorded) -> Vec<String>;

    /// The state of `name` after `recorded`; `None` as long as there is nothing.
    fn evolve(name: &str, state: Option<Self::State>, recorded: &Recorded) -> Option<Self::State>;

    /// The columns and the days on which they hold: at least one day, and none twice. On other days there is
    /// no such resource.
    fn columns(state: &Self::State) -> Vec<(Period, Self::Columns)>;
}

/// A row of a resource: its columns, its state.
#[derive(Debug, Clone, PartialEq)]
pub struct Stated<C, S> {
    /// What it is filtered and sorted by.
    pub columns: C,
    /// The folded state, which all open rows of a resource share.
    pub state: Arc<S>,
}

impl<C: Serialize + DeserializeOwned, S: Serialize + DeserializeOwned> Cells for Stated<C, S> {
    fn cells(&self, columns: &[Column]) -> Result<Vec<Cell>, Poison> {
        let (_, own) = columns.split_last().ok_or_else(|| Poison("a resource has a state".into()))?;
        let mut cells = cells_of(own, &self.columns)?;
        cells.push(Cell::Null);
        Ok(cells)
    }

    fn state(&self) -> Result<Option<Cell>, Poison> {
        json_of(&*self.state).map(|json| Some(Cell::Text(json)))
    }

    fn values(columns: &[Column], cells: &[Cell]) -> Result<Self, serde_json::Error> {
        let own = columns.len().saturating_sub(1).min(cells.len());
        let state = match cells.get(own) {
            Some(Cell::Text(json)) => json,
            Some(Cell::Null | Cell::Integer(_)) | None => "null",
        };
        let columns = values_of(&columns[..own], &cells[..own])?;
        Ok(Self { columns, state: Arc::new(serde_json::from_str(state)?) })
    }
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
    const RESTATES: bool = true;
    const RECALL: Option<Recall> = match R::SUBJECT {
        Some(_) => Some(recall::<R>),
        None => None,
    };

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
        // Nobody else holds it then.
        open.clear();
        let before = before.map(Arc::unwrap_or_clone);
        let Some(state) = R::evolve(key, before, recorded) else { return Ok(vec![]) };
        let state = Arc::new(state);
        let row = |(days, columns)| {
            Row::new(days, recorded.position, Stated { columns, state: Arc::clone(&state) })
        };
        Ok(R::columns(&state).into_iter().map(row).collect())
    }
}

/// The state of a resource as it was after the event at `at`.
fn recall<R: Resource>(log: Log, name: String, at: Position) -> BoxFuture<'static, Result<Cell, ReadError>> {
    Box::pin(async move {
        let lost = |what: &str| ReadError::DataLoss { position: at, what: format!("{what} of {name}") };
        let subject = R::SUBJECT.and_then(|subject| subject(&name)).ok_or_else(|| lost("no subject"))?;
        let events = log.history(&[subject], at).await?;
        let own = events.iter().filter(|recorded| R::names(recorded).contains(&name));
        let state = own.fold(None, |state, recorded| R::evolve(&name, state, recorded));
        let state = state.ok_or_else(|| lost("no event"))?;
        json_of(&state).map(Cell::Text).map_err(|Poison(what)| lost(&what))
    })
}
