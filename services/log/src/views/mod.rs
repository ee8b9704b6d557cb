//! Views: tables that follow the log, on both clocks.
//!
//! A row says what holds on the civil days `[valid_from, valid_to)`, as the log knew it at the positions
//! `[known_from, known_to)`, and because of which events. A [`View`] names the keys that an event touches and
//! says, for each, which rows are open after it; everything else is done here, a page at a time and all views
//! together: read the page once, project it in memory, write what was closed and what is new together with the
//! views' positions. Rows are stated, never deltas: taking an event twice is taking it once.
//!
//! They live beside the log, and may be deleted at any time: they are built again from it. In a folder they are
//! `views.db`, and its process runs them all. On Postgres they are in the schema `duban_views`; each is run by one
//! process at a time, which holds a lease on it, and read by all.

mod catalogue;
mod cells;
mod claims;
mod digest;
mod keeper;
mod pages;
mod postgres;
mod projection;
mod read;
mod rebuild;
mod replay;
mod resource;
mod row;
mod run;
mod shape;
mod site;
mod sqlite;
mod store;
mod writing;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use duban_domain::{Position, Recorded};
use tokio::sync::{mpsc, watch};

pub use catalogue::Entry;
pub use cells::{Cells, Recall};
pub(crate) use claims::claims_of;

pub use digest::Digest;
pub use read::{Snapshot, ViewError, Wanted};
pub use rebuild::Rebuilt;
pub use replay::{Replay, Replayed};
pub use resource::{ALWAYS, Of, Resource, STATE, Stated};
pub use row::{Cell, Column, Found, Poison, Record, Row};

use crate::error::{OpenError, StorageError};
use crate::follower::{Asked, Following, State, Status};
use crate::log::{Log, lock};
use run::Member;
use store::Store;

/// The `valid_to` of a row without an end.
pub const OPEN_END: &str = "9999-12-31";
/// The `known_to` of a row that nothing has superseded.
pub const NOW: i64 = i64::MAX;

/// A table that follows the log. All of it is a pure function of the events.
pub trait View: Send + Sync + 'static {
    /// Its name, and its table's: `snake_case`.
    const NAME: &'static str;
    /// Counted up whenever it projects otherwise than before: it is built anew then.
    const VERSION: i64;
    /// Its own columns, in order: the fields of [`View::Columns`] by their serialised names.
    const COLUMNS: &'static [Column];
    /// Columns by which it is asked, beside its key; each a secondary index. None has `known_to`: a row that is
    /// closed stays where it is in all of them.
    const INDEXES: &'static [&'static [&'static str]] = &[];
    /// The values of its own columns: a flat struct of what serialises to text, integers, options of them, or
    /// (in a [`Column::json`]) anything.
    type Columns: Cells + Clone + PartialEq + Send + Sync;
    /// Whether [`View::project`] never returns a row that was open before: then it is not compared with those.
    const RESTATES: bool = false;
    /// How a closed row gets back what it let go of; see [`Cells::state`]. None: closed rows keep all they had.
    const RECALL: Option<Recall> = None;

    /// The keys of the rows that `recorded` may open or close. Listed, never `_`: a new event doesn't compile
    /// until its effect is chosen.
    fn keys(recorded: &Recorded) -> Vec<String>;

    /// The rows of `key` that are open after `recorded`, of those open before it, which come in the order in
    /// which they were opened. A row returned as it was stays as it is.
    fn project(
        key: &str,
        open: Vec<Row<Self::Columns>>,
        recorded: &Recorded,
    ) -> Result<Vec<Row<Self::Columns>>, Poison>;
}

/// The views of one data folder. Cheap to clone.
#[derive(Clone)]
pub struct Views {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    log: Log,
    store: Store,
    /// One view is started at a time, so that none is started twice. Where they go, once one has been.
    starting: tokio::sync::Mutex<Option<mpsc::UnboundedSender<Member>>>,
    running: Mutex<HashMap<&'static str, Following>>,
    /// Who waits for a view.
    asked: Arc<Asked>,
}

impl Views {
    /// Opens the views of a log: `views.db` in its folder, or the schema `duban_views` of its database. What is
    /// not of this log and epoch, or can't be read, is thrown away: it is built again.
    pub async fn open(log: &Log) -> Result<Views, OpenError> {
        Ok(Views {
            inner: Arc::new(Inner {
                log: log.clone(),
                store: Store::open(log).await?,
                starting: tokio::sync::Mutex::default(),
                running: Mutex::default(),
                asked: Arc::default(),
            }),
        })
    }

    /// Sets a view to work: from where it stands, or from zero if it is new, of another version, or ahead of
    /// the log. One that is at work already goes on. On Postgres one process runs it and any reads it: this one
    /// too, once nobody else does.
    pub async fn start<V: View>(&self) -> Result<Following, StorageError> {
        self.start_entry(Entry::of::<V>()).await
    }

    async fn start_entry(&self, entry: Entry) -> Result<Following, StorageError> {
        let mut joining = self.inner.starting.lock().await;
        if let Some(following) = self.following(entry.name).filter(|found| found.status().is_healthy()) {
            return Ok(following);
        }
        let head = *self.inner.log.watch().borrow();
        let found = self.inner.store.table(&entry.shape, head).await?;
        let (status, watched) = watch::channel(Status { position: 0, state: State::Starting });
        let following = Following::new(entry.name, watched, Arc::clone(&self.inner.asked));
        let member = Member::new(entry, status);
        let runs = joining.get_or_insert_with(|| {
            let (joining, task) = keeper::start(self);
            self.inner.log.joined([task]);
            joining
        });
        match found {
            Readiness::Older => {
                let upgrade = rebuild::upgrade(self.clone(), entry, member, runs.clone());
                self.inner.log.joined([tokio::spawn(upgrade)]);
            }
            Readiness::Ready => {
                if let Err(mpsc::error::SendError(member)) = runs.send(member) {
                    member.status.send_modify(|status| status.state = State::Closed);
                }
            }
        }
        self.inner.log.followed(following.clone());
        lock(&self.inner.running).insert(entry.name, following.clone());
        Ok(following)
    }

    /// The digest of a view where it stands.
    pub async fn digest<V: View>(&self) -> Result<Digest, ViewError> {
        Entry::of::<V>().digest(self).await
    }

    /// Builds a view from zero in another table, up to where the live one stands, and puts it in its place.
    /// Reads and writes go on meanwhile.
    pub async fn rebuild<V: View>(&self) -> Result<Rebuilt, ViewError> {
        Entry::of::<V>().rebuild(self).await
    }

    /// How a view is; `None` unless it was [started](Views::start) here.
    pub fn following(&self, name: &str) -> Option<Following> {
        lock(&self.inner.running).get(name).cloned()
    }

    /// The log that they follow.
    pub fn log(&self) -> &Log {
        &self.inner.log
    }

    /// Closes the database. Only after the log is closed: its followers are at work until then.
    pub async fn close(&self) {
        self.inner.store.close().await;
    }
}

/// How long a read waits for its view unless its caller says otherwise.
pub const WAIT: Duration = Duration::from_secs(10);

/// Where a view stands, as its database says.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Standing {
    version: i64,
    position: Position,
    /// Counts the tables that it had.
    generation: i64,
    /// The event that it can't take, and why, as whoever ran it last found.
    stopped: Option<(Position, String)>,
    /// Whether this process is to run it.
    mine: bool,
}

impl Standing {
    /// Nowhere yet, and nobody's.
    fn new(version: i64) -> Self {
        Self { version, position: 0, generation: 1, stopped: None, mine: false }
    }

    /// How the view is, for a program that knows this version of it.
    fn state(&self, version: i64) -> State {
        match &self.stopped {
            // Its columns may be others: whoever knows only the old ones can't read it.
            _ if self.version > version => {
                let reason =
                    format!("version {} of the view is live, this program knows {version}", self.version);
                State::Stopped { position: self.position, reason }
            }
            // Being built anew.
            _ if self.version < version => State::Starting,
            Some((position, reason)) => State::Stopped { position: *position, reason: reason.clone() },
            None => State::Running,
        }
    }
}

/// The table of a view as it is found at the start.
enum Readiness {
    /// It can be gone on with, or left to those who know its newer version.
    Ready,
    /// It is of an older version: it is built anew beside, and serves those who know it meanwhile.
    Older,
}
