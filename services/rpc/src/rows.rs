//! Rows of a view as of a moment: one of them by its key, or a page of them that meet conditions.

use std::fmt::Write as _;

use duban_log::views::{Cell, Found, View};
use duban_log::{Snapshot, Views};

use crate::call::Call;
use crate::error::Error;
use crate::filter::{Filter, Op, Term, Value};
use crate::paging::Page;
use crate::query::{AsOf, Moment};

/// The rows that hold on the day and were known at the position of a moment.
const AT_MOMENT: &str = "valid_from <= $1 AND $1 < valid_to AND known_from <= $2 AND $2 < known_to";

/// Conditions on the rows of a view, joined by AND; `$1` and `$2` are the moment's.
#[derive(Debug, Clone, Default)]
pub struct Conditions {
    sql: String,
    arguments: Vec<Cell>,
}

impl Conditions {
    /// None: every row.
    pub fn none() -> Self {
        Self::default()
    }

    /// The column has this value.
    #[must_use]
    pub fn equal(self, column: &str, value: impl Into<Cell>) -> Self {
        self.and(&format!("{column} = $?"), [value.into()])
    }

    /// The filter's terms hold of the columns of the same names; what a row lacks is equal to nothing.
    #[must_use]
    pub fn filter(self, filter: &Filter) -> Self {
        filter.terms.iter().fold(self, Self::term)
    }

    /// One term of a filter holds.
    #[must_use]
    pub fn term(self, term: &Term) -> Self {
        let (column, op) = (term.field, term.op.sql());
        let sql = match term.op {
            Op::NotEqual => format!("({column} IS NULL OR {column} {op} $?)"),
            Op::Equal | Op::Less | Op::AtMost | Op::More | Op::AtLeast => format!("{column} {op} $?"),
        };
        self.and(&sql, [cell_of(&term.value)])
    }

    /// Any condition, with `$?` for each argument in turn.
    #[must_use]
    pub fn and(mut self, sql: &str, arguments: impl IntoIterator<Item = Cell>) -> Self {
        self.sql.push_str(" AND ");
        let mut arguments = arguments.into_iter();
        let mut parts = sql.split("$?");
        self.sql.push_str(parts.next().unwrap_or_default());
        for part in parts {
            self.arguments.extend(arguments.next());
            let _ = write!(self.sql, "${}{part}", self.arguments.len() + 2);
        }
        self
    }
}

/// By which column a list is ordered, which must be unique at any moment, and its value in a row.
pub struct Order<C> {
    /// The column.
    pub column: &'static str,
    /// Its value.
    pub value: fn(&Found<C>) -> String,
}

impl<C> Order<C> {
    /// By the rows' keys.
    pub fn by_key() -> Self {
        Self { column: "key", value: |row| row.key.clone() }
    }
}

/// A page of a list, as of one moment.
#[derive(Debug)]
pub struct Listed<C> {
    /// The rows, in order.
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
        let mut rows = at::<V>(&mut snapshot, moment, Conditions::none().equal("key", key), "").await?;
        Ok((rows.pop(), moment))
    }

    /// A page of the rows of a view that meet `conditions`, by key.
    pub async fn list<V: View>(
        &self,
        views: &Views,
        as_of: AsOf,
        page: &Page,
        conditions: Conditions,
    ) -> Result<Listed<V::Columns>, Error> {
        let (mut snapshot, moment) = self.ask::<V>(views, as_of, page.place.as_ref()).await?;
        page_at::<V>(&mut snapshot, moment, page, conditions, Order::by_key()).await
    }
}

/// A page of the rows of a view at a moment that meet `conditions`.
pub async fn page_at<V: View>(
    snapshot: &mut Snapshot,
    moment: Moment,
    page: &Page,
    mut conditions: Conditions,
    order: Order<V::Columns>,
) -> Result<Listed<V::Columns>, Error> {
    let Order { column, value } = order;
    if let Some(place) = &page.place {
        conditions = conditions.and(&format!("{column} > $?"), [place.after.as_str().into()]);
    }
    // One more than is shown tells whether there is a next page.
    let tail = format!("ORDER BY {column} LIMIT {}", page.size + 1);
    let mut rows = at::<V>(snapshot, moment, conditions, &tail).await?;
    let more = rows.len() > page.size;
    rows.truncate(page.size);
    let last = rows.last().filter(|_| more);
    let next_page_token = last.map(|row| page.next(&moment.after(value(row)))).unwrap_or_default();
    Ok(Listed { rows, moment, next_page_token })
}

/// The rows of a view at a moment that meet `conditions`; `tail` may order and bound them.
pub async fn at<V: View>(
    snapshot: &mut Snapshot,
    moment: Moment,
    conditions: Conditions,
    tail: &str,
) -> Result<Vec<Found<V::Columns>>, Error> {
    let Moment { valid_on, position } = moment;
    let Conditions { sql, arguments } = conditions;
    let arguments: Vec<Cell> = [valid_on.into(), position.into()].into_iter().chain(arguments).collect();
    Ok(snapshot.select::<V>(&format!("{AT_MOMENT}{sql} {tail}"), &arguments).await?)
}

/// As views keep it: a flag as 0 or 1, a date as text.
fn cell_of(value: &Value) -> Cell {
    match value {
        Value::Text(text) => text.as_str().into(),
        Value::Flag(flag) => i64::from(*flag).into(),
        Value::Date(date) => (*date).into(),
        Value::Number(number) => (*number).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::{Kind, parse};

    #[test]
    fn conditions_number_their_arguments_after_the_moments() {
        let conditions =
            Conditions::none().equal("task", "tasks/a").and("(a = $? OR b = $?)", ["x".into(), "y".into()]);
        assert_eq!(conditions.sql, " AND task = $3 AND (a = $4 OR b = $5)");
        assert_eq!(conditions.arguments.len(), 3);
    }

    #[test]
    fn in_sql_every_value_of_a_filter_is_an_argument() {
        const FIELDS: &[(&str, Kind)] =
            &[("title", Kind::Text), ("overdue", Kind::Flag), ("due_on", Kind::Date)];
        let filter = r#"overdue = true AND title != "x' OR 1=1" AND due_on <= 2026-01-02"#;
        let conditions = Conditions::none().filter(&parse(filter, FIELDS).unwrap());
        assert_eq!(conditions.sql, " AND overdue = $3 AND (title IS NULL OR title <> $4) AND due_on <= $5");
        let values = [Cell::Integer(1), Cell::from("x' OR 1=1"), Cell::from("2026-01-02")];
        assert_eq!(conditions.arguments, values);
    }
}
