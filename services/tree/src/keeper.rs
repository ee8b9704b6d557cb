//! What a process has of a tree: it builds it, or reads what another process builds; either way it knows the
//! newest checkpoint, and tells who waits for one.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use duban_domain::Position;
use duban_log::Log;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout_at};

use crate::builder::{self, Failed, blocking};
use crate::publisher::{Published, Witnesses, publish};
use crate::signer::Signer;
use crate::store::{Store, StoreError, TreeId, Writer};

/// A round begins this long after the one before began, at the earliest.
const ROUND_EVERY: Duration = Duration::from_secs(1);
/// How long to wait before what failed for a passing reason is tried again.
const RETRY: Duration = Duration::from_secs(2);
/// How often a quiet log is asked whether it still has what the tree has.
const CHECK_EVERY: Duration = Duration::from_secs(10);
/// How old a checkpoint gets on a quiet log before it is signed and cosigned again.
const REPUBLISH_EVERY: Duration = Duration::from_hours(1);
/// How often a process that doesn't build looks for a new checkpoint, if somebody waits for it or if nobody does.
const LOOK_EVERY: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(1));
/// How often a process that doesn't build tries to.
const TAKE_OVER_EVERY: Duration = Duration::from_secs(5);

/// Of a tree: where it is, who signs it.
#[derive(Clone)]
pub struct Options {
    /// The folder of this tree.
    pub folder: PathBuf,
    /// Which tree.
    pub id: TreeId,
    /// The signer's folder.
    pub signer: PathBuf,
    /// Who must cosign before a checkpoint is published; `None`: nobody.
    pub witnesses: Option<Arc<dyn Witnesses>>,
}

/// What a process does with a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It has not found out yet.
    Starting,
    /// It builds it.
    Building,
    /// It reads what another process builds.
    Reading,
    /// Something passing is in the way of building or publishing; it is tried again.
    Failing(String),
    /// Something is wrong with the log, the tree or the signer, and stays so. What was published is still read.
    Stopped(String),
    /// It was closed.
    Closed,
}

/// How a tree is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// What is done with it.
    pub state: State,
    /// How many leaves are stored, as far as this process knows.
    pub size: u64,
}

/// A tree at work. Cheap to clone; all clones are one tree.
#[derive(Clone)]
pub struct Tree {
    inner: Arc<Inner>,
}

struct Inner {
    store: Arc<Store>,
    options: Options,
    log: Log,
    published: watch::Sender<Option<Arc<Published>>>,
    status: watch::Sender<Status>,
    closing: watch::Sender<bool>,
    /// Who waits for a checkpoint.
    waiting: AtomicUsize,
    asked: Notify,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Tree {
    /// Sets to work on a tree of this log. Whatever goes wrong shows in its status: the log is served without it.
    pub fn start(log: &Log, options: Options) -> Self {
        let inner = Arc::new(Inner {
            store: Arc::new(Store::of(options.folder.clone(), options.id.clone())),
            options,
            log: log.clone(),
            published: watch::Sender::new(None),
            status: watch::Sender::new(Status { state: State::Starting, size: 0 }),
            closing: watch::Sender::new(false),
            waiting: AtomicUsize::new(0),
            asked: Notify::new(),
            task: Mutex::new(None),
        });
        let task = tokio::spawn(run(Arc::clone(&inner)));
        *inner.task.lock().unwrap_or_else(PoisonError::into_inner) = Some(task);
        Self { inner }
    }

    /// Which tree it is.
    pub fn id(&self) -> &TreeId {
        &self.inner.options.id
    }

    /// Its folder, for proofs.
    pub fn store(&self) -> &Arc<Store> {
        &self.inner.store
    }

    /// How it is, and tells when that changes.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.inner.status.subscribe()
    }

    /// The newest published checkpoint, and tells when there is another.
    pub fn published(&self) -> watch::Receiver<Option<Arc<Published>>> {
        self.inner.published.subscribe()
    }

    /// Waits until a checkpoint of this size at least is published; `None` if that takes longer than the deadline, or
    /// the tree is closed.
    pub async fn covering(&self, size: Position, deadline: Instant) -> Option<Arc<Published>> {
        let mut published = self.published();
        let covers =
            |published: &Option<Arc<Published>>| published.as_ref().is_some_and(|one| one.head.size >= size);
        let _waiting = Waiting::of(&self.inner);
        let found = timeout_at(deadline, published.wait_for(covers)).await.ok()?.ok()?;
        found.clone()
    }

    /// Takes what the log has by now, publishes it, and lets the folder go.
    pub async fn close(&self) {
        self.inner.closing.send_replace(true);
        let task = self.inner.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task {
            task.await.ok();
        }
        self.inner.say(State::Closed);
    }
}

/// Somebody who waits, until it is dropped.
struct Waiting<'a>(&'a Inner);

impl<'a> Waiting<'a> {
    fn of(inner: &'a Inner) -> Self {
        inner.waiting.fetch_add(1, Ordering::Relaxed);
        inner.asked.notify_one();
        Self(inner)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn run(inner: Arc<Inner>) {
    while !inner.is_closing() {
        match inner.build().await {
            Ok(()) => {}
            Err(Failed::Passing(why)) => {
                tracing::warn!(origin = inner.options.id.origin, why, "the audit tree tries again");
                inner.say(State::Failing(why));
                inner.pause(RETRY).await;
            }
            Err(Failed::Stopped(why)) => {
                tracing::error!(origin = inner.options.id.origin, why, "the audit tree has stopped");
                inner.say(State::Stopped(why));
                return;
            }
        }
    }
}

impl Inner {
    /// Builds until told to close; where another process builds, reads for a while instead.
    async fn build(&self) -> Result<(), Failed> {
        let store = Arc::clone(&self.store);
        let mut writer = match blocking(move || Writer::open(store)).await? {
            Err(StoreError::InUse(_)) => return self.read().await,
            opened => opened?,
        };
        self.adopt().await?;
        let (folder, id) = (self.options.signer.clone(), self.options.id.clone());
        let signer = Arc::new(blocking(move || Signer::open(folder, &id)).await??);
        let (store, keys) = (Arc::clone(&self.store), signer.verifiers());
        blocking(move || store.name_keys(&keys)).await??;
        let mut head = self.log.watch();
        let mut signed_at = None;
        builder::check(&self.log, writer.size()).await?;
        loop {
            let (began, closing) = (Instant::now(), self.is_closing());
            writer = builder::round(&self.log, &head, writer).await?;
            self.grown(writer.size());
            let caught_up = *head.borrow() <= writer.size();
            let due = signed_at.is_none_or(|at: Instant| at.elapsed() >= ROUND_EVERY);
            let old = signed_at.is_none_or(|at: Instant| at.elapsed() >= REPUBLISH_EVERY);
            let mut pause = CHECK_EVERY;
            if (caught_up || due) && (old || !self.has_published(writer.size())) {
                match self.publish(&signer, &writer).await {
                    Ok(()) => signed_at = Some(Instant::now()),
                    Err(Failed::Passing(why)) => {
                        tracing::warn!(origin = self.options.id.origin, why, "no checkpoint is published");
                        self.say(State::Failing(why));
                        pause = RETRY;
                    }
                    Err(stopped) => return Err(stopped),
                }
            }
            if closing {
                return Ok(());
            }
            if caught_up {
                self.wait(&mut head, &writer, began + ROUND_EVERY, pause).await;
            }
            if *head.borrow() <= writer.size() {
                builder::check(&self.log, writer.size()).await?;
            }
        }
    }

    async fn publish(&self, signer: &Arc<Signer>, writer: &Writer) -> Result<(), Failed> {
        let head = writer.head();
        let note = publish(&self.store, signer, self.options.witnesses.as_ref(), head).await?;
        self.published.send_replace(Some(Arc::new(Published { head, note, at: self.log.now() })));
        self.say(State::Building);
        Ok(())
    }

    /// Waits for the next round: for its time, then for an event or as long as `pause`.
    async fn wait(
        &self,
        head: &mut watch::Receiver<Position>,
        writer: &Writer,
        begin: Instant,
        pause: Duration,
    ) {
        self.pause(begin.saturating_duration_since(Instant::now())).await;
        let size = writer.size();
        let mut closing = self.closing.subscribe();
        tokio::select! {
            _ = head.wait_for(|head| *head > size) => {}
            _ = closing.wait_for(|closing| *closing) => {}
            () = sleep(pause) => {}
        }
    }

    /// Reads what another process publishes, until it is time to try to build again.
    async fn read(&self) -> Result<(), Failed> {
        self.say(State::Reading);
        let until = Instant::now() + TAKE_OVER_EVERY;
        while Instant::now() < until && !self.is_closing() {
            self.adopt().await?;
            let asked = self.waiting.load(Ordering::Relaxed) > 0;
            if asked {
                self.pause(LOOK_EVERY.0).await;
            } else {
                tokio::select! {
                    () = self.pause(LOOK_EVERY.1) => {}
                    () = self.asked.notified() => {}
                }
            }
        }
        Ok(())
    }

    /// Takes the checkpoint in the folder for the published one.
    async fn adopt(&self) -> Result<(), Failed> {
        let (store, now) = (Arc::clone(&self.store), self.log.now());
        let known = self.published.borrow().clone();
        let stored = blocking(move || {
            let same = |known: &Arc<Published>, bytes: &[u8]| known.note.to_string().as_bytes() == bytes;
            match store.checkpoint()? {
                Some(bytes) if known.is_none_or(|known| !same(&known, &bytes)) => {
                    Published::stored(&store, now)
                }
                _ => Ok(None),
            }
        });
        if let Some(stored) = stored.await?? {
            self.grown(stored.head.size);
            self.published.send_replace(Some(Arc::new(stored)));
        }
        Ok(())
    }

    fn has_published(&self, size: u64) -> bool {
        self.published.borrow().as_ref().is_some_and(|published| published.head.size == size)
    }

    /// Sleeps, but not when told to close.
    async fn pause(&self, how_long: Duration) {
        let mut closing = self.closing.subscribe();
        tokio::select! {
            () = sleep(how_long) => {}
            _ = closing.wait_for(|closing| *closing) => {}
        }
    }

    fn is_closing(&self) -> bool {
        *self.closing.borrow()
    }

    fn grown(&self, size: u64) {
        self.status.send_if_modified(|status| {
            let grown = status.size != size;
            status.size = size;
            grown
        });
    }

    fn say(&self, state: State) {
        self.status.send_if_modified(|status| {
            // Who has stopped stays stopped, also when it is closed.
            let new = status.state != state && !matches!(status.state, State::Stopped(_));
            if new {
                status.state = state;
            }
            new
        });
    }
}

#[cfg(test)]
mod tests;
