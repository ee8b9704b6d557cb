//! Asking a view: wait until it stands where it must, then read rows and position in one transaction.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use duban_domain::Position;
use tokio::time::Instant;

use super::row::{Cell, Found, Record, Stored, states_of};
use super::shape::Shape;
use super::store::Reading;
use super::{NOW, Standing, View, Views, postgres};
use crate::error::{ReadError, StorageError};
use crate::follower::{Following, State, Status};
use crate::log::Log;
use crate::sqlite::unsigned;

/// How soon it is looked again for a view that is being built anew.
const AGAIN: Duration = Duration::from_millis(50);

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
    log: Log,
}

impl Views {
    /// A snapshot of a view that stands where `wanted` says, waited for until `deadline`.
    pub async fn read<V: View>(&self, wanted: Wanted, deadline: Instant) -> Result<Snapshot, ViewError> {
        let following = self.following(V::NAME).ok_or(ViewError::NotRunning(V::NAME))?;
        match self.inner.store.shared() {
            None => self.read_here(&following, wanted, deadline).await,
            Some(store) => {
                let (reading, position) =
                    read_shared(store, &following, V::VERSION, wanted, deadline).await?;
                Ok(self.snapshot(Reading::Postgres(reading), position))
            }
        }
    }

    /// Where this process runs every view and alone writes the log, it is waited for first.
    async fn read_here(
        &self,
        following: &Following,
        wanted: Wanted,
        deadline: Instant,
    ) -> Result<Snapshot, ViewError> {
        let wanted = wanted.least(self.inner.log.head().await?)?;
        let Ok(status) = tokio::time::timeout_at(deadline, following.reached(wanted)).await else {
            return Err(behind(following, wanted));
        };
        alive(following.name, status)?;
        let mut reading = self.inner.store.snapshot(&[following.name]).await?;
        let position = reading.standing(following.name).await?.map_or(0, |standing| standing.position);
        if position < wanted {
            return Err(ViewError::Behind { view: following.name, position, wanted });
        }
        Ok(self.snapshot(reading, position))
    }

    fn snapshot(&self, reading: Reading, position: Position) -> Snapshot {
        Snapshot { reading, position, log: self.log().clone() }
    }
}

/// Where any process writes, the head and the view are asked for in one snapshot; only a view that is behind is
/// waited for.
async fn read_shared(
    store: &postgres::Store,
    following: &Following,
    version: i64,
    wanted: Wanted,
    deadline: Instant,
) -> Result<(postgres::Reading, Position), ViewError> {
    let mut least = None;
    loop {
        alive(following.name, following.status())?;
        let mut reading = store.snapshot(&[following.name]).await?;
        let (head, standing) = reading.standing(following.name).await?;
        // Of the head as it was when the question came: what is written while it waits doesn't count.
        let least = match least {
            Some(least) => least,
            None => *least.insert(wanted.least(head)?),
        };
        if let Some(standing) = standing {
            let Standing { position, version: found, .. } = standing;
            alive(following.name, Status { position, state: standing.state(version) })?;
            if found == version && position >= least {
                return Ok((reading, position));
            }
            if found < version {
                // It is being built anew, from which place on is no matter: nobody tells of it.
                drop(reading);
                if tokio::time::timeout_at(deadline, tokio::time::sleep(AGAIN)).await.is_err() {
                    return Err(behind(following, least));
                }
                continue;
            }
        }
        drop(reading);
        if tokio::time::timeout_at(deadline, following.reached(least)).await.is_err() {
            return Err(behind(following, least));
        }
    }
}

impl Wanted {
    /// The position that the view must have reached.
    fn least(self, head: Position) -> Result<Position, ViewError> {
        match self {
            Wanted::Head => Ok(head),
            Wanted::AtLeast(wanted) if wanted > head => Err(ViewError::BeyondHead { wanted, head }),
            Wanted::AtLeast(wanted) => Ok(wanted),
            Wanted::Latest => Ok(0),
        }
    }
}

fn behind(following: &Following, wanted: Position) -> ViewError {
    ViewError::Behind { view: following.name, position: following.status().position, wanted }
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

    /// Rows of the view; `rest` goes on after `SELECT … FROM view WHERE`, with `$1`, `$2`, … for `arguments`. Each
    /// row of a resource that is closed costs a fold of its history: who needs no states [queries](Snapshot::query).
    pub async fn select<V: View>(
        &mut self,
        rest: &str,
        arguments: &[Cell],
    ) -> Result<Vec<Found<V::Columns>>, ViewError> {
        let shape = Shape::of::<V>();
        let mut rows = self.reading.select(&shape, rest, arguments).await?;
        if let Some(recall) = V::RECALL {
            let states = self.states(&shape, &rows).await?;
            rows.iter_mut().filter(|row| row.known_to == NOW).for_each(|row| row.take_state(&states));
            for row in rows.iter_mut().filter(|row| row.known_to != NOW) {
                let state = recall(self.log.clone(), row.key.clone(), unsigned(row.known_from)).await?;
                if let Some(last) = row.cells.last_mut() {
                    *last = state;
                }
            }
        }
        let found = |row: Stored| row.read::<V::Columns>(V::COLUMNS);
        Ok(rows.into_iter().map(found).collect::<Result<_, _>>().map_err(sqlx::Error::from)?)
    }

    /// The states of the keys of open rows that are without: other rows of theirs have them.
    async fn states(&mut self, shape: &Shape, rows: &[Stored]) -> Result<HashMap<String, Cell>, ViewError> {
        let without = |row: &&Stored| row.known_to == NOW && row.cells.last() == Some(&Cell::Null);
        let keys: BTreeSet<&str> = rows.iter().filter(without).map(|row| row.key.as_str()).collect();
        if keys.is_empty() {
            return Ok(HashMap::new());
        }
        let named: Vec<String> = (1..=keys.len()).map(|number| format!("${number}")).collect();
        let open = format!("known_to = {NOW} AND key IN ({})", named.join(", "));
        let keys: Vec<Cell> = keys.into_iter().map(Cell::from).collect();
        Ok(states_of(&self.reading.select(shape, &open, &keys).await?))
    }

    /// What `columns` come to over rows of the view, such as a count; `rest` as in [`Snapshot::select`].
    pub async fn query<V: View>(
        &mut self,
        columns: &str,
        rest: &str,
        arguments: &[Cell],
    ) -> Result<Vec<Record>, ViewError> {
        Ok(self.reading.query(&Shape::of::<V>(), columns, rest, arguments).await?)
    }
}
