//! From a page of events to the rows it opens and closes, written in one transaction with the view's position.

use std::collections::{BTreeSet, HashMap};
use std::marker::PhantomData;
use std::sync::Arc;

use duban_domain::{Position, Recorded};
use sqlx::Connection;
use sqlx::sqlite::SqliteConnection;

use super::row::{Cell, Row, cells_of, end_of};
use super::table::Table;
use super::{NOW, Poison, View, Views, read, store};
use crate::follower::{FollowError, Follower};
use crate::sqlite::signed;

/// The follower that keeps one view.
pub(super) struct Projector<V> {
    views: Views,
    table: Table,
    view: PhantomData<V>,
}

impl<V: View> Projector<V> {
    pub(super) fn new(views: Views, table: Table) -> Self {
        Self { views, table, view: PhantomData }
    }
}

impl<V: View> Follower for Projector<V> {
    fn name(&self) -> &'static str {
        V::NAME
    }

    async fn position(&mut self) -> Result<Position, FollowError> {
        let mut writer = self.views.writer().await?;
        let standing = store::standing(&mut writer, V::NAME).await?;
        standing.map(|standing| standing.position).ok_or(FollowError::Fenced)
    }

    async fn apply(&mut self, after: Position, page: &[Arc<Recorded>]) -> Result<(), FollowError> {
        let mut writer = self.views.writer().await?;
        let done = apply::<V>(&mut writer, &self.table, after, page).await;
        if matches!(done, Err(FollowError::Unavailable(_))) {
            writer.discard();
        }
        done
    }
}

/// Applies a page to the live table. A crash before the commit leaves the view where it was, whole; one after
/// it, where it is: there is no state in which rows and position differ.
async fn apply<V: View>(
    connection: &mut SqliteConnection,
    table: &Table,
    after: Position,
    page: &[Arc<Recorded>],
) -> Result<(), FollowError> {
    let Some(last) = page.last() else { return Ok(()) };
    let mut tx = connection.begin_with("BEGIN IMMEDIATE").await?;
    if !store::advance(&mut tx, V::NAME, after, last.position).await? {
        return Err(FollowError::Fenced);
    }
    write::<V>(&mut tx, table, page).await?;
    tx.commit().await?;
    Ok(())
}

/// Projects a page and writes what it changes.
pub(super) async fn write<V: View>(
    connection: &mut SqliteConnection,
    table: &Table,
    page: &[Arc<Recorded>],
) -> Result<(), FollowError> {
    let keys: Vec<Vec<String>> = page.iter().map(|recorded| keys_of::<V>(recorded)).collect();
    let touched: BTreeSet<&String> = keys.iter().flatten().collect();
    if touched.is_empty() {
        return Ok(());
    }
    let mut change = Change::<V>::default();
    change.load(connection, table, &touched).await?;
    for (recorded, keys) in page.iter().zip(&keys) {
        for key in keys {
            change
                .project(key, recorded)
                .map_err(|Poison(reason)| FollowError::Poisoned { position: recorded.position, reason })?;
        }
    }
    change.write(connection, table).await
}

/// Each key once, in order: what is opened first must not hang on how the view lists them.
fn keys_of<V: View>(recorded: &Recorded) -> Vec<String> {
    V::keys(recorded).into_iter().collect::<BTreeSet<_>>().into_iter().collect()
}

/// A row that is open at some point within the page.
struct Live<C> {
    number: i64,
    row: Row<C>,
}

/// A row opened within the page.
struct Opened {
    key: String,
    valid_from: String,
    valid_to: String,
    known_from: i64,
    known_to: i64,
    because: String,
    cells: Vec<Cell>,
}

/// What a page does to a view.
struct Change<V: View> {
    open: HashMap<String, Vec<Live<V::Columns>>>,
    /// The number of the first row opened within the page; the others follow.
    first: i64,
    opened: Vec<Opened>,
    /// Rows from before the page, by number, and the position that closed them.
    closed: Vec<(i64, i64)>,
}

impl<V: View> Default for Change<V> {
    fn default() -> Self {
        Self { open: HashMap::new(), first: 1, opened: Vec::new(), closed: Vec::new() }
    }
}

impl<V: View> Change<V> {
    async fn load(
        &mut self,
        connection: &mut SqliteConnection,
        table: &Table,
        keys: &BTreeSet<&String>,
    ) -> Result<(), FollowError> {
        let max = format!("SELECT COALESCE(MAX(number), 0) + 1 FROM {}", table.name);
        self.first = sqlx::query_scalar(sqlx::AssertSqlSafe(max)).fetch_one(&mut *connection).await?;
        let keys = serde_json::to_string(keys).unwrap_or_default();
        let query = sqlx::query(sqlx::AssertSqlSafe(Arc::clone(&table.open_rows))).bind(keys);
        for row in query.fetch_all(&mut *connection).await? {
            let found = read::found::<V>(&row)?;
            let number = signed(found.number);
            let row = Row { valid: found.valid, because: found.because, columns: found.columns };
            self.open.entry(found.key).or_default().push(Live { number, row });
        }
        Ok(())
    }

    fn project(&mut self, key: &str, recorded: &Recorded) -> Result<(), Poison> {
        let before = self.open.remove(key).unwrap_or_default();
        let rows = V::project(key, before.iter().map(|live| live.row.clone()).collect(), recorded)?;
        let mut after = Vec::with_capacity(rows.len());
        let mut kept = vec![false; before.len()];
        let mut opened = Vec::new();
        for row in rows {
            let same = before.iter().zip(&kept).position(|(live, kept)| !kept && live.row == row);
            match same {
                Some(index) => kept[index] = true,
                None => opened.push(row),
            }
        }
        for (live, kept) in before.into_iter().zip(kept) {
            if kept { after.push(live) } else { self.close(live.number, recorded.position) }
        }
        for row in opened {
            after.push(self.open_row(key, row, recorded.position)?);
        }
        self.open.insert(key.to_owned(), after);
        Ok(())
    }

    fn close(&mut self, number: i64, at: Position) {
        let within = usize::try_from(number - self.first).ok().and_then(|index| self.opened.get_mut(index));
        match within {
            Some(opened) => opened.known_to = signed(at),
            None => self.closed.push((number, signed(at))),
        }
    }

    fn open_row(
        &mut self,
        key: &str,
        row: Row<V::Columns>,
        at: Position,
    ) -> Result<Live<V::Columns>, Poison> {
        let cells = cells_of(V::COLUMNS, &row.columns)?;
        let number = self.first + i64::try_from(self.opened.len()).unwrap_or(i64::MAX);
        self.opened.push(Opened {
            key: key.to_owned(),
            valid_from: row.valid.from.to_string(),
            valid_to: end_of(&row.valid),
            known_from: signed(at),
            known_to: NOW,
            because: serde_json::to_string(&row.because).unwrap_or_default(),
            cells,
        });
        Ok(Live { number, row })
    }

    /// A few statements for the whole page, never one for each row.
    async fn write(self, connection: &mut SqliteConnection, table: &Table) -> Result<(), FollowError> {
        if !self.closed.is_empty() {
            let closed = serde_json::to_string(&self.closed).unwrap_or_default();
            let close = sqlx::query(sqlx::AssertSqlSafe(Arc::clone(&table.close)));
            close.bind(closed).execute(&mut *connection).await?;
        }
        let numbered: Vec<(i64, &Opened)> = (self.first..).zip(&self.opened).collect();
        table
            .insert
            .rows(connection, &numbered, |query, (number, opened)| {
                let query = query
                    .bind(*number)
                    .bind(opened.key.clone())
                    .bind(opened.valid_from.clone())
                    .bind(opened.valid_to.clone())
                    .bind(opened.known_from)
                    .bind(opened.known_to)
                    .bind(opened.because.clone());
                opened.cells.iter().fold(query, read::bind)
            })
            .await?;
        Ok(())
    }
}
