//! Asking a view: wait until it stands where it must, then read rows and position in one transaction.

use duban_domain::Position;
use tokio::time::Instant;

use super::row::{Cell, Found, Record};
use super::shape::Shape;
use super::sqlite::Reading;
use super::{View, Views};
use crate::error::{ReadError, StorageError};
use crate::follower::{State, Status};

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
    reading: Reading,
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
        let mut reading = self.inner.store.snapshot().await?;
        let position = reading.standing(V::NAME).await?.map_or(0, |standing| standing.position);
        if position < wanted {
            return Err(ViewError::Behind { view: V::NAME, position, wanted });
        }
        Ok(Snapshot { reading, position })
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
        let shape = Shape::of::<V>();
        let rows = self.reading.select(&shape, rest, arguments).await?;
        let found = |row: super::row::Stored| row.read::<V::Columns>(V::COLUMNS);
        Ok(rows.into_iter().map(found).collect::<Result<_, _>>().map_err(sqlx::Error::from)?)
    }

    /// Rows of any query over the views, such as a count.
    pub async fn query(&mut self, sql: &str, arguments: &[Cell]) -> Result<Vec<Record>, ViewError> {
        Ok(self.reading.query(sql, arguments).await?)
    }
}
