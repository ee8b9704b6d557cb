//! Getting and listing what a view keeps of resources: rows as of a moment, and of each its folded state.

use std::fmt::Display;
use std::sync::Arc;

use duban_log::Snapshot;
use duban_log::views::{Of, Resource};

use crate::error::Error;
use crate::filter::Filter;
use crate::paging::Page;
use crate::query::Moment;
use crate::rows::{Conditions, Order, at, page_at};

/// A page of resources, in order of name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed<S> {
    /// Their states.
    pub states: Vec<S>,
    /// The token of the next page; empty if this was the last.
    pub next_page_token: String,
}

/// The state of one resource, as known at the moment's position; `None` if it was not there on its date.
pub async fn find<R: Resource>(
    snapshot: &mut Snapshot,
    moment: Moment,
    name: &impl Display,
) -> Result<Option<R::State>, Error> {
    let named = Conditions::none().equal("key", name.to_string());
    let mut rows = at::<Of<R>>(snapshot, moment, named, "").await?;
    Ok(rows.pop().map(|row| Arc::unwrap_or_clone(row.columns.state)))
}

/// A page of those that pass the filter, whose fields are columns of the view.
pub async fn list<R: Resource>(
    snapshot: &mut Snapshot,
    moment: Moment,
    filter: &Filter,
    page: &Page,
) -> Result<Listed<R::State>, Error> {
    let passing = Conditions::none().filter(filter);
    let listed = page_at::<Of<R>>(snapshot, moment, page, passing, Order::by_key()).await?;
    let states = listed.rows.into_iter().map(|row| Arc::unwrap_or_clone(row.columns.state)).collect();
    Ok(Listed { states, next_page_token: listed.next_page_token })
}
