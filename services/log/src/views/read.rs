//! Asking a view: wait until it stands where it must, then read rows and position in one transaction.

use std::sync::Arc;

use duban_domain::Position;
use sqlx::sqlite::{Sqlite, SqliteRow};
use sqlx::{Column as _, Row as _, Transaction, TypeInfo as _, ValueRef as _};
use tokio::time::Instant;

use super::row::{Cell, Found, Kind, Record, period, values_of};
use super::table::Table;
use super::{NOW, View, Views, store};
use crate::error::{ReadError, StorageError};
use crate::follower::{State, Status};
use crate::sqlite::unsigned;

/// How fresh an answer must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// At least the head of the log as it is now: every write acknowledged before is in it.
    Head,
    /// At least this position.
    AtLeast(Position),
    /// Whatever there is.
    Latest,
}

/// Why a view gives no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ViewError {
    /// It has stopped before an event that it can't take; it won't answer until that is repaired.
    #[error("the view {view} has stopped before position {position}")]
    Stopped {
        /// Which.
        view: &'static str,
        /// The event.
        position: Position,
        /// Why; for the one who runs it.
        reason: String,
    },
    /// It did not come so far in time. Ask again.
    #[error("the view {view} stands at {position}, {wanted} was asked for")]
    Behind {
        /// Which.
        view: &'static str,
        /// Where it stands.
        position: Position,
        /// Where it should.
        wanted: Position,
    },
    /// The position asked for is beyond the head of the log.
    #[error("position {wanted} is beyond the head, {head}")]
    BeyondHead {
        /// What was asked for.
        wanted: Position,
        /// The head.
        head: Position,
    },
    /// It is not run here.
    #[error("the view {0} is not run here")]
    NotRunning(&'static str),
    /// The database is down. Ask again.
    #[error("the views can't be read now")]
    Unavailable(#[from] StorageError),
    /// The log can't be asked for its head.
    #[error(transparent)]
    Log(#[from] ReadError),
}

impl From<sqlx::Error> for ViewError {
    fn from(error: sqlx::Error) -> Self {
        ViewError::Unavailable(error.into())
    }
}

/// One state of one view: all that is read through it is as at [`Snapshot::position`].
pub struct Snapshot {
    tx: Transaction<'static, Sqlite>,
    position: Position,
}

impl Views {
    /// A snapshot of a view that stands where `wanted` says, waited for until `deadline`.
    pub async fn read<V: View>(&self, wanted: Wanted, deadline: Instant) -> Result<Snapshot, ViewError> {
        let head = self.inner.log.head().await?;
        let wanted = match wanted {
            Wanted::Head => head,
            Wanted::AtLeast(wanted) if wanted > head => return Err(ViewError::BeyondHead { wanted, head }),
            Wanted::AtLeast(wanted) => wanted,
            Wanted::Latest => 0,
        };
        let following = self.following(V::NAME).ok_or(ViewError::NotRunning(V::NAME))?;
        let Ok(status) = tokio::time::timeout_at(deadline, following.reached(wanted)).await else {
            return Err(ViewError::Behind { view: V::NAME, position: following.status().position, wanted });
        };
        alive(V::NAME, status)?;
        let mut tx = self.inner.readers.begin().await?;
        let standing = store::standing(&mut tx, V::NAME).await?;
        let position = standing.map_or(0, |standing| standing.position);
        if position < wanted {
            return Err(ViewError::Behind { view: V::NAME, position, wanted });
        }
        Ok(Snapshot { tx, position })
    }
}

fn alive(view: &'static str, status: Status) -> Result<(), ViewError> {
    match status.state {
        State::Starting | State::Running => Ok(()),
        State::Closed => Err(ViewError::NotRunning(view)),
        State::Stopped { position, reason } => Err(ViewError::Stopped { view, position, reason }),
        State::Outdated { position, event_type } => {
            let reason = format!("the event type {event_type} is not known to this version");
            Err(ViewError::Stopped { view, position, reason })
        }
    }
}

impl Snapshot {
    /// The position of the view: the rows know the events up to and including it.
    pub fn position(&self) -> Position {
        self.position
    }

    /// Rows of the view; `rest` goes on after `SELECT … FROM view WHERE`, with `$1`, `$2`, … for `arguments`.
    pub async fn select<V: View>(
        &mut self,
        rest: &str,
        arguments: &[Cell],
    ) -> Result<Vec<Found<V::Columns>>, ViewError> {
        let table = Table::live::<V>();
        let sql = format!("SELECT {} FROM {} WHERE {rest}", table.columns, table.name);
        let query = arguments.iter().fold(sqlx::query(sqlx::AssertSqlSafe(sql)), bind);
        let rows = query.fetch_all(&mut *self.tx).await?;
        Ok(rows.iter().map(found::<V>).collect::<Result<_, _>>()?)
    }

    /// Rows of any query over the views of this folder, such as a count.
    pub async fn query(&mut self, sql: &str, arguments: &[Cell]) -> Result<Vec<Record>, ViewError> {
        let query = arguments.iter().fold(sqlx::query(sqlx::AssertSqlSafe(sql.to_owned())), bind);
        let rows = query.fetch_all(&mut *self.tx).await?;
        let Some(first) = rows.first() else { return Ok(Vec::new()) };
        let names: Arc<[String]> = first.columns().iter().map(|column| column.name().to_owned()).collect();
        let record = |row: &SqliteRow| -> Result<Record, sqlx::Error> {
            let cells = (0..row.len()).map(|column| cell(row, column)).collect::<Result<_, _>>()?;
            Ok(Record { names: Arc::clone(&names), cells })
        };
        Ok(rows.iter().map(record).collect::<Result<_, _>>()?)
    }
}

/// Binds a cell.
pub(super) fn bind<'q>(query: crate::sqlite::Bound<'q>, cell: &Cell) -> crate::sqlite::Bound<'q> {
    match cell {
        Cell::Null => query.bind(None::<i64>),
        Cell::Integer(number) => query.bind(*number),
        Cell::Text(text) => query.bind(text.clone()),
    }
}

fn cell(row: &SqliteRow, column: usize) -> Result<Cell, sqlx::Error> {
    let value = row.try_get_raw(column)?;
    Ok(match value.type_info().name() {
        "NULL" => Cell::Null,
        "INTEGER" | "BOOLEAN" => Cell::Integer(row.try_get(column)?),
        _ => Cell::Text(row.try_get(column)?),
    })
}

/// A row of a view, from the columns in the order of its table.
pub(super) fn found<V: View>(row: &SqliteRow) -> Result<Found<V::Columns>, sqlx::Error> {
    let common = super::table::COMMON.len();
    let unreadable = |what: String| sqlx::Error::Decode(format!("a row of {}: {what}", V::NAME).into());
    let cells = V::COLUMNS
        .iter()
        .enumerate()
        .map(|(index, column)| match column.kind {
            Kind::Integer => Ok(Cell::from(row.try_get::<Option<i64>, _>(common + index)?)),
            Kind::Text | Kind::Json => Ok(Cell::from(row.try_get::<Option<String>, _>(common + index)?)),
        })
        .collect::<Result<Vec<_>, sqlx::Error>>()?;
    let known_to: i64 = row.try_get(5)?;
    let valid = period(row.try_get(2)?, row.try_get(3)?).ok_or_else(|| unreadable("its period".into()))?;
    Ok(Found {
        number: unsigned(row.try_get(0)?),
        key: row.try_get(1)?,
        valid,
        known_from: unsigned(row.try_get(4)?),
        known_to: (known_to != NOW).then(|| unsigned(known_to)),
        because: serde_json::from_str(row.try_get(6)?).map_err(|error| unreadable(error.to_string()))?,
        columns: values_of(V::COLUMNS, cells).map_err(|error| unreadable(error.to_string()))?,
    })
}
