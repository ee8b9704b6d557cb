//! Getting and listing what a view keeps of resources: each one SELECT, on both clocks.

use std::fmt::Display;

use duban_log::views::{Of, Resource, Stated};
use duban_log::{Cell, Found, Snapshot};

use crate::error::Error;
use crate::filter::Filter;
use crate::paging::Page;
use crate::query::Moment;

/// In SQL, that a row holds at a moment, whose [arguments](Moment::arguments) are `$1` and `$2`.
pub const AT: &str = "valid_from <= $1 AND $1 < valid_to AND known_from <= $2 AND $2 < known_to";

/// A row of a resource.
pub type Kept<R> = Found<Stated<<R as Resource>::Columns, <R as Resource>::State>>;

/// A page of resources, in order of name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed<S> {
    /// Their states.
    pub states: Vec<S>,
    /// The token of the next page; empty if this was the last.
    pub next_page_token: String,
}

impl Moment {
    /// The arguments of [`AT`].
    pub fn arguments(self) -> Vec<Cell> {
        vec![self.valid_on.into(), self.position.into()]
    }
}

/// The state of one resource, as known at the moment's position; `None` if it was not there on its date.
pub async fn find<R: Resource>(
    snapshot: &mut Snapshot,
    moment: Moment,
    name: &impl Display,
) -> Result<Option<R::State>, Error> {
    let mut arguments = moment.arguments();
    arguments.push(name.to_string().into());
    let rows = snapshot.select::<Of<R>>(&format!("{AT} AND key = $3"), &arguments).await?;
    Ok(rows.into_iter().next().map(|row| row.columns.state))
}

/// A page of those that pass the filter, whose fields are columns of the view.
pub async fn list<R: Resource>(
    snapshot: &mut Snapshot,
    moment: Moment,
    filter: &Filter,
    page: &Page,
) -> Result<Listed<R::State>, Error> {
    let mut arguments = moment.arguments();
    // No name is empty, so every one comes after.
    let after = page.place.as_ref().map_or("", |place| place.after.as_str());
    // One more than is shown tells whether there is a page after this one.
    arguments.extend([after.into(), Cell::from(i64::try_from(page.size + 1).unwrap_or(i64::MAX))]);
    let passes = filter.sql(&mut arguments);
    let rest = format!("{AT} AND key > $3 AND ({passes}) ORDER BY key LIMIT $4");
    let mut rows: Vec<Kept<R>> = snapshot.select::<Of<R>>(&rest, &arguments).await?;
    let more = rows.len() > page.size;
    rows.truncate(page.size);
    let last = rows.last().filter(|_| more);
    let next_page_token = last.map(|row| page.next(&moment.after(row.key.clone()))).unwrap_or_default();
    Ok(Listed { states: rows.into_iter().map(|row| row.columns.state).collect(), next_page_token })
}
