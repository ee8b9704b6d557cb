//! The log itself: opened once for each data folder, cloned freely.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use duban_domain::subject::Subject;
use duban_domain::{Position, Recorded, Tag, Timestamp, World};
use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnection, SqliteSynchronous};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::append::{Append, Appended, LogIdentity, QUEUE_MAX, StoredReceipt};
use crate::clock::{Clock, Ids, SystemClock, SystemIds};
use crate::error::{AppendError, OpenError, ReadError};
use crate::event::{Page, StoredEvent};
use crate::feed::{Decoded, Feed};
use crate::folds::Folds;
use crate::follower::Following;
use crate::sqlite::{Bounds, Database, Folder, Reader, Writer, WriterOptions, prepare};
use crate::turns::Turns;

/// The most events in a page.
pub const PAGE_EVENTS: usize = 1000;
/// A page ends with the event whose body takes it over this many bytes.
pub const PAGE_BYTES: usize = 4 * 1024 * 1024;
/// Connections that read the log.
const READERS: u32 = 4;

/// How to open a log.
#[derive(Clone)]
pub struct LogOptions {
    /// The data folder: one process owns it.
    pub folder: PathBuf,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Where ids and nonces come from.
    pub ids: Arc<dyn Ids>,
    /// How many appends may wait, at most [`QUEUE_MAX`].
    pub queue: usize,
    /// How many connections read.
    pub readers: u32,
}

impl LogOptions {
    /// The log in `folder`, on the machine's own clock and randomness.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            clock: Arc::new(SystemClock),
            ids: Arc::new(SystemIds),
            queue: QUEUE_MAX,
            readers: READERS,
        }
    }

    /// The same with another clock.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// The same with other ids.
    #[must_use]
    pub fn ids(mut self, ids: Arc<dyn Ids>) -> Self {
        self.ids = ids;
        self
    }
}

/// The event log. Cheap to clone; all clones are one log.
#[derive(Clone)]
pub struct Log {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn Ids>,
    pub(crate) folds: Folds,
    pub(crate) turns: Turns,
    pub(crate) decoded: Decoded,
    pub(crate) followers: Mutex<Vec<(Following, JoinHandle<()>)>>,
    pub(crate) closing: watch::Sender<bool>,
    identity: LogIdentity,
    head: watch::Receiver<Position>,
    reader: Reader,
    /// Taken when the log closes, which ends the committer.
    writer: Mutex<Option<Arc<Writer>>>,
    committer: Mutex<Option<JoinHandle<Option<SqliteConnection>>>>,
    folder: Arc<Folder>,
}

impl Log {
    /// Opens the log in its folder; makes it where there is none.
    pub async fn open(options: LogOptions) -> Result<Log, OpenError> {
        let folder = Arc::new(Folder::own(&options.folder)?);
        let path = folder.file("log.db");
        let database = Database::at(&path, SqliteSynchronous::Full);
        let mut connection = database.writer().await?;
        let identity = prepare(&mut connection, &path, &*options.ids).await?;
        let (last, _) = crate::sqlite::last(&mut connection).await?;
        let (publish, head) = watch::channel(last);
        let reader = Reader::new(database.readers(options.readers.max(1)).await?);
        let (writer, committer) = Writer::start(WriterOptions {
            database,
            connection,
            clock: Arc::clone(&options.clock),
            head: publish,
            queue: options.queue.clamp(1, QUEUE_MAX),
            folder: Arc::clone(&folder),
        });
        tracing::info!(log = %identity.log, epoch = %identity.epoch, head = last, "the log is open");
        Ok(Log {
            inner: Arc::new(Inner {
                clock: options.clock,
                ids: options.ids,
                folds: Folds::default(),
                turns: Turns::default(),
                decoded: Decoded::default(),
                followers: Mutex::default(),
                closing: watch::Sender::new(false),
                identity,
                head,
                reader,
                writer: Mutex::new(Some(Arc::new(writer))),
                committer: Mutex::new(Some(committer)),
                folder,
            }),
        })
    }

    /// Stops followers, takes no more appends, finishes those that wait, and lets the folder go.
    pub async fn close(&self) {
        self.inner.closing.send_replace(true);
        let followers = std::mem::take(&mut *lock(&self.inner.followers));
        for (_, task) in followers {
            task.await.ok();
        }
        drop(lock(&self.inner.writer).take());
        let committer = lock(&self.inner.committer).take();
        if let Some(task) = committer {
            let connection = task.await.ok().flatten();
            self.inner.reader.close().await;
            // The last one to close, since only a writer takes the write-ahead log into the file.
            if let Some(connection) = connection {
                connection.close().await.ok();
            }
            self.inner.folder.release();
        }
    }

    /// Which log it is.
    pub fn identity(&self) -> LogIdentity {
        self.inner.identity
    }

    /// The log's clock.
    pub fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    /// The data folder.
    pub fn folder(&self) -> &Path {
        self.inner.folder.path()
    }

    /// The last committed position: every append acknowledged before the call is at or below it.
    #[allow(clippy::unused_async, reason = "an engine that several processes write to must ask it")]
    pub async fn head(&self) -> Result<Position, ReadError> {
        Ok(*self.inner.head.borrow())
    }

    /// Tells when the head moves. It may miss what other processes write: poll beside it.
    pub fn watch(&self) -> watch::Receiver<Position> {
        self.inner.head.clone()
    }

    /// The events after `after`, at most `limit` and [`PAGE_EVENTS`], at most about [`PAGE_BYTES`].
    pub async fn read(&self, after: Position, limit: usize) -> Result<Page, ReadError> {
        let head = self.head().await?;
        self.inner.reader.page(after, head, bounds(limit)).await
    }

    /// The event at `position`, if the log has come so far.
    pub async fn event(&self, position: Position) -> Result<Option<StoredEvent>, ReadError> {
        let Some(after) = position.checked_sub(1) else { return Ok(None) };
        Ok(self.read(after, 1).await?.events.pop())
    }

    /// The events after `after` up to `up_to` filed under any of `tags`, each once, in order; a page of them:
    /// go on after [`Page::through`].
    pub async fn read_tags(
        &self,
        tags: &[Tag],
        after: Position,
        up_to: Position,
        limit: usize,
    ) -> Result<Page, ReadError> {
        let up_to = up_to.min(self.head().await?);
        self.inner.reader.filed(tags, after, up_to, bounds(limit)).await
    }

    /// The subjects' events up to `at`, each event once, in order.
    pub async fn history(&self, subjects: &[Subject], at: Position) -> Result<Vec<Recorded>, ReadError> {
        let tags: Vec<Tag> = subjects.iter().map(Subject::tag).collect();
        let at = at.min(self.head().await?);
        let mut events = Vec::new();
        let mut after = 0;
        while after < at {
            let page = self.inner.reader.filed(&tags, after, at, bounds(PAGE_EVENTS)).await?;
            for event in &page.events {
                events.push(event.decode()?);
            }
            after = page.through;
        }
        Ok(events)
    }

    /// The subjects' states as they were after the first `at` events.
    pub async fn fold(&self, subjects: &[Subject], at: Position) -> Result<World, ReadError> {
        let events = self.history(subjects, at).await?;
        Ok(World::of(subjects.iter().cloned(), &events))
    }

    /// The last position recorded at or before `at`; 0 if there is none. The answer is final: nothing is
    /// recorded at or before `at` afterwards. An instant yet to come is taken as now, or as the last event's:
    /// the log's time never goes back, so it may be ahead of a clock that did.
    pub async fn position_at(&self, at: Timestamp) -> Result<Position, ReadError> {
        let mut at = at;
        if at > self.now() {
            let last = self.recorded_at(self.head().await?).await?;
            at = at.min(last.map_or(self.now(), |last| last.max(self.now())));
        }
        let writer = lock(&self.inner.writer).clone();
        if let Some(writer) = writer {
            writer.settle(at).await;
        }
        self.inner.reader.position_at(at, self.head().await?).await
    }

    /// When the event at `position` was recorded, if the log has come so far.
    pub async fn recorded_at(&self, position: Position) -> Result<Option<Timestamp>, ReadError> {
        Ok(self.event(position).await?.map(|event| event.recorded_at))
    }

    /// The receipt of a principal's request, if it has one.
    pub async fn receipt(
        &self,
        principal: &str,
        request_id: Uuid,
    ) -> Result<Option<StoredReceipt>, ReadError> {
        self.inner.reader.receipt(principal, request_id).await
    }

    /// Appends, conditionally, once. Answers when the events are durable.
    pub async fn append(&self, append: Append) -> Result<Appended, AppendError> {
        let writer = lock(&self.inner.writer).clone().ok_or(AppendError::Unavailable(None))?;
        writer.append(append).await
    }

    /// All events after `after`, then each as it comes.
    pub fn feed(&self, after: Position) -> Feed {
        Feed::new(self.clone(), after)
    }

    /// Whether the log is closing: followers and streams end then.
    pub fn closing(&self) -> watch::Receiver<bool> {
        self.inner.closing.subscribe()
    }
}

fn bounds(limit: usize) -> Bounds {
    Bounds { events: limit.clamp(1, PAGE_EVENTS), bytes: PAGE_BYTES }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
