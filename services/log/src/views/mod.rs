//! Views: tables that follow the log, on both clocks.
//!
//! A row says what holds on the civil days `[valid_from, valid_to)`, as the log knew it at the positions
//! `[known_from, known_to)`, and because of which events. A [`View`] names the keys that an event touches and
//! says, for each, which rows are open after it; everything else is done here, a page at a time and all views
//! together: read the page once, project it in memory, write what was closed and what is new together with the
//! views' positions. Rows are stated, never deltas: taking an event twice is taking it once.
//!
//! They live in `views.db` beside the log, which may be deleted at any time: it is rebuilt from the log.

mod catalogue;
mod digest;
mod pages;
mod projection;
mod read;
mod rebuild;
mod resource;
mod row;
mod run;
mod shape;
mod sqlite;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use duban_domain::{Position, Recorded};
use tokio::sync::{Notify, mpsc, watch};

pub use catalogue::Entry;
pub use digest::Digest;
pub use read::{Snapshot, ViewError, Wanted};
pub use rebuild::Rebuilt;
pub use resource::{ALWAYS, Of, Resource, STATE, Stated};
pub use row::{Cell, Column, Found, Poison, Record, Row};

use crate::engine::Location;
use crate::error::{OpenError, StorageError};
use crate::follower::{Following, State, Status};
use crate::log::{Log, lock};
use run::{Indexed, Member, Run};
use sqlite::Store;

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
    /// Columns by which it is asked, beside its key; each a secondary index.
    const INDEXES: &'static [&'static [&'static str]] = &[];
    /// The values of its own columns: a flat struct of what serialises to text, integers, options of them, or
    /// (in a [`Column::json`]) anything.
    type Columns: serde::Serialize + serde::de::DeserializeOwned + Clone + PartialEq + Send + Sync;

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
    /// One view is started at a time, so that none is started twice.
    starting: tokio::sync::Mutex<Option<mpsc::UnboundedSender<Member>>>,
    running: Mutex<HashMap<&'static str, Following>>,
    /// Told when somebody waits for a view.
    asked: Arc<Notify>,
}

impl Views {
    /// Opens `views.db` in the log's folder. What is not of this log and epoch, or can't be read, is thrown
    /// away: it is built again.
    pub async fn open(log: &Log) -> Result<Views, OpenError> {
        let Location::Folder(folder) = log.location() else {
            return Err(sqlx::Error::Configuration("views on Postgres".into()).into());
        };
        Ok(Views {
            inner: Arc::new(Inner {
                log: log.clone(),
                store: Store::open(folder, log.identity()).await?,
                starting: tokio::sync::Mutex::default(),
                running: Mutex::default(),
                asked: Arc::default(),
            }),
        })
    }

    /// Sets a view to work: from where it stands, or from zero if it is new, of another version, or ahead of
    /// the log. One that is at work already goes on.
    pub async fn start<V: View>(&self) -> Result<Following, StorageError> {
        self.start_entry(Entry::of::<V>()).await
    }

    async fn start_entry(&self, entry: Entry) -> Result<Following, StorageError> {
        let mut joining = self.inner.starting.lock().await;
        if let Some(following) = self.following(entry.name).filter(|found| found.status().is_healthy()) {
            return Ok(following);
        }
        let head = *self.inner.log.watch().borrow();
        let standing = self.inner.store.table(&entry.shape, head).await?;
        let (status, watched) = watch::channel(Status { position: 0, state: State::Starting });
        let following = Following::new(entry.name, watched, Arc::clone(&self.inner.asked));
        let member = Member { view: (entry.projection)(), status, standing, indexed: Indexed::Unknown };
        let front = joining.get_or_insert_with(|| {
            let (front, tasks) = Run::start(self, &self.inner.asked);
            self.inner.log.joined(tasks);
            front
        });
        if let Err(mpsc::error::SendError(member)) = front.send(member) {
            member.status.send_modify(|status| status.state = State::Closed);
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
pub(crate) struct Standing {
    pub(crate) version: i64,
    pub(crate) position: Position,
    pub(crate) generation: i64,
}
