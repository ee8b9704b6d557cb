//! The log itself: opened once in a process, cloned freely.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use duban_domain::subject::Subject;
use duban_domain::{Position, Recorded, Tag, Timestamp, World};
use tokio::sync::watch;
use uuid::Uuid;

use crate::append::{Append, Appended, Fingerprint, LogIdentity, Origin, QUEUE_MAX, StoredReceipt};
use crate::clock::{Clock, Ids, SystemClock, SystemIds};
use crate::engine::{Bounds, Engine, Location};
use crate::error::{AppendError, OpenError, ReadError};
use crate::event::{Page, StoredEvent};
use crate::feed::{Decoded, Feed};
use crate::folds::Folds;
use crate::follower::Followers;
use crate::load::Load;
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
    /// Where it is.
    pub location: Location,
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
        Self::at(Location::Folder(folder.into()))
    }

    /// The log at `location`, on the machine's own clock and randomness.
    pub fn at(location: Location) -> Self {
        Self {
            location,
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
    pub(crate) followers: Mutex<Followers>,
    pub(crate) closing: watch::Sender<bool>,
    pub(crate) engine: Engine,
    location: Location,
}

impl Log {
    /// Opens the log where it is; in a folder that has none, makes it.
    pub async fn open(options: LogOptions) -> Result<Log, OpenError> {
        let engine = Engine::open(&options).await?;
        let (identity, head) = (engine.identity(), *engine.watch().borrow());
        let sealed = engine.is_sealed().await?;
        tracing::info!(log = %identity.log, epoch = %identity.epoch, head, sealed, "the log is open");
        Ok(Log {
            inner: Arc::new(Inner {
                clock: options.clock,
                ids: options.ids,
                location: options.location,
                folds: Folds::default(),
                turns: Turns::default(),
                decoded: Decoded::default(),
                followers: Mutex::default(),
                closing: watch::Sender::new(false),
                engine,
            }),
        })
    }

    /// Stops followers, takes no more appends, finishes those that wait, and lets the database go.
    pub async fn close(&self) {
        self.inner.closing.send_replace(true);
        let followers = std::mem::take(&mut *lock(&self.inner.followers));
        for task in followers.tasks {
            task.await.ok();
        }
        self.inner.engine.close().await;
    }

    /// Which log it is.
    pub fn identity(&self) -> LogIdentity {
        self.inner.engine.identity()
    }

    /// Whether the log has ended: it was sealed when it moved elsewhere. It may be read, never appended to.
    pub async fn is_sealed(&self) -> Result<bool, ReadError> {
        self.inner.engine.is_sealed().await
    }

    /// The log's clock.
    pub fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    /// Where it is.
    pub fn location(&self) -> &Location {
        &self.inner.location
    }

    /// How much its committer has to do; `None` once the log is closed.
    pub fn workload(&self) -> Option<Load> {
        self.inner.engine.load()
    }

    /// The last committed position: every append acknowledged before the call is at or below it.
    pub async fn head(&self) -> Result<Position, ReadError> {
        self.inner.engine.head().await
    }

    /// The head as far as it is known here, and tells when it moves: by what this process commits at once, by
    /// what others do in a moment.
    pub fn watch(&self) -> watch::Receiver<Position> {
        self.inner.engine.watch()
    }

    /// The events after `after`, at most `limit` and [`PAGE_EVENTS`], at most about [`PAGE_BYTES`].
    pub async fn read(&self, after: Position, limit: usize) -> Result<Page, ReadError> {
        let known = *self.inner.engine.watch().borrow();
        let head = if known > after { known } else { self.head().await? };
        if head <= after {
            return Ok(Page { events: Vec::new(), through: after });
        }
        self.inner.engine.page(after, head, bounds(limit)).await
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
        let up_to = self.committed(up_to).await?;
        self.inner.engine.filed(tags, after, up_to, bounds(limit)).await
    }

    /// The subjects' events up to `at`, each event once, in order.
    pub async fn history(&self, subjects: &[Subject], at: Position) -> Result<Vec<Recorded>, ReadError> {
        let tags: Vec<Tag> = subjects.iter().map(Subject::tag).collect();
        let at = self.committed(at).await?;
        let mut events = Vec::new();
        let mut after = 0;
        while after < at {
            let page = self.inner.engine.filed(&tags, after, at, bounds(PAGE_EVENTS)).await?;
            for event in &page.events {
                events.push(event.decode()?);
            }
            after = page.through;
        }
        Ok(events)
    }

    /// `up_to`, or the head where that is less. What is known to be committed needs no asking.
    async fn committed(&self, up_to: Position) -> Result<Position, ReadError> {
        let known = *self.inner.engine.watch().borrow();
        if up_to <= known { Ok(up_to) } else { Ok(up_to.min(self.head().await?)) }
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
        self.inner.engine.position_at(at).await
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
        self.inner.engine.receipt(principal, request_id).await
    }

    /// Appends, conditionally, once. Answers when the events are durable.
    pub async fn append(&self, append: Append) -> Result<Appended, AppendError> {
        let Origin { caller, request_id, .. } = &append.origin;
        let (principal, request_id, fingerprint) =
            (caller.principal.clone(), *request_id, append.fingerprint);
        match self.inner.engine.append(append).await {
            Err(AppendError::Sealed) => self.answered(principal.as_str(), request_id, fingerprint).await,
            answer => answer,
        }
    }

    /// What a sealed log says: a retry gets its first answer, anything else is refused.
    async fn answered(
        &self,
        principal: &str,
        request_id: Uuid,
        fingerprint: Fingerprint,
    ) -> Result<Appended, AppendError> {
        let found = self.receipt(principal, request_id).await;
        match found.map_err(|_| AppendError::Unavailable(None))? {
            Some(stored) if stored.fingerprint == fingerprint => Ok(Appended::Before(stored.receipt)),
            Some(_) => Err(AppendError::RequestIdReused),
            None => Err(AppendError::Sealed),
        }
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
