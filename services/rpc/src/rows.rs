//! Rows of a view as of a moment: one of them by its key, or a page of them that pass a filter.

use duban_log::views::{Cell, Found, View};
use duban_log::{Snapshot, Views};

use crate::call::Call;
use crate::error::Error;
use crate::filter::{Filter, Op, Value};
use crate::paging::Page;
use crate::query::{AsOf, Moment};

/// The rows that hold on the day and were known at the position of a moment.
const AT_MOMENT: &str = "valid_from <= $1 AND $1 < valid_to AND known_from <= $2 AND $2 < known_to";

/// A page of a list, as of one moment.
#[derive(Debug)]
pub struct Listed<C> {
    /// The rows, by key.
    pub rows: Vec<Found<C>>,
    /// As of when.
    pub moment: Moment,
    /// The token of the next page; empty on the last.
    pub next_page_token: String,
}

impl Call {
    /// The row of a view with this key, if there is one, and the moment it is of.
    pub async fn find<V: View>(
        &self,
        views: &Views,
        as_of: AsOf,
        key: &str,
    ) -> Result<(Option<Found<V::Columns>>, Moment), Error> {
        let (mut snapshot, moment) = self.ask::<V>(views, as_of, None).await?;
        let mut rows = at::<V>(&mut snapshot, moment, "AND key = $3", vec![key.into()]).await?;
        Ok((rows.pop(), moment))
    }

    /// A page of the rows of a view that pass `filter` and have these values in these columns.
    ///
    /// A filter's fields are columns of the view; a field that a row lacks is equal to nothing.
    pub async fn list<V: View>(
        &self,
        views: &Views,
        as_of: AsOf,
        page: &Page,
        filter: &Filter,
        having: &[(&'static str, Cell)],
    ) -> Result<Listed<V::Columns>, Error> {
        let (mut snapshot, moment) = self.ask::<V>(views, as_of, page.place.as_ref()).await?;
        let (rest, arguments) = page_of(page, filter, having);
        let mut rows = at::<V>(&mut snapshot, moment, &rest, arguments).await?;
        let more = rows.len() > page.size;
        rows.truncate(page.size);
        let last = rows.last().filter(|_| more);
        let next_page_token = last.map(|row| page.next(&moment.after(row.key.clone()))).unwrap_or_default();
        Ok(Listed { rows, moment, next_page_token })
    }
}

/// The rows of a view at a moment; `rest` goes on after the conditions of the moment, from `$3` on.
pub async fn at<V: View>(
    snapshot: &mut Snapshot,
    moment: Moment,
    rest: &str,
    arguments: Vec<Cell>,
) -> Result<Vec<Found<V::Columns>>, Error> {
    let Moment { valid_on, position } = moment;
    let all: Vec<Cell> = [valid_on.into(), Cell::from(position)].into_iter().chain(arguments).collect();
    Ok(snapshot.select::<V>(&format!("{AT_MOMENT} {rest}"), &all).await?)
}

/// The conditions, the order and the bound of a page, and their arguments from `$3` on.
fn page_of(page: &Page, filter: &Filter, having: &[(&'static str, Cell)]) -> (String, Vec<Cell>) {
    let mut rest = String::new();
    let mut arguments = Vec::new();
    let mut bind = |rest: &mut String, before: &str, cell: Cell, after: &str| {
        arguments.push(cell);
        rest.push_str(&format!(" AND {before}${}{after}", arguments.len() + 2));
    };
    for (column, cell) in having {
        bind(&mut rest, &format!("{column} = "), cell.clone(), "");
    }
    for term in &filter.terms {
        let (column, op) = (term.field, term.op.sql());
        match term.op {
            Op::NotEqual => {
                bind(&mut rest, &format!("({column} IS NULL OR {column} {op} "), cell_of(&term.value), ")");
            }
            Op::Equal | Op::Less | Op::AtMost | Op::More | Op::AtLeast => {
                bind(&mut rest, &format!("{column} {op} "), cell_of(&term.value), "");
            }
        }
    }
    if let Some(place) = &page.place {
        bind(&mut rest, "key > ", place.after.as_str().into(), "");
    }
    // One more than is shown tells whether there is a next page.
    rest.push_str(&format!(" ORDER BY key LIMIT {}", page.size + 1));
    (rest, arguments)
}

fn cell_of(value: &Value) -> Cell {
    match value {
        Value::Text(text) => text.as_str().into(),
        Value::Flag(flag) => i64::from(*flag).into(),
        Value::Date(date) => (*date).into(),
        Value::Number(number) => (*number).into(),
    }
}
