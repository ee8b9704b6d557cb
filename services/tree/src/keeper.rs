//! What a process has of a tree: it builds it, or reads what another process builds; either way it knows the
//! newest checkpoint, and tells who waits for one.

mod keys;
mod work;

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use duban_domain::{Position, Timestamp};
use duban_log::Log;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use crate::publisher::{Published, Witnesses};
use crate::store::{Store, StoreError, TreeId};
use keys::Hand;
pub use keys::KeyChangeError;
use work::Work;

/// Of a tree: where it is, who signs it.
pub struct Options {
    /// The tree, which is there or will be.
    pub store: Store,
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
    /// Nothing is added to it: it is of an earlier epoch, or was closed.
    Closed,
}

/// How a tree is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// What is done with it.
    pub state: State,
    /// How many leaves are stored, as far as this process knows.
    pub size: Position,
}

impl Status {
    /// Whether what the log has comes under a checkpoint, now or in a moment.
    pub fn is_healthy(&self) -> bool {
        !matches!(self.state, State::Failing(_) | State::Stopped(_))
    }
}

/// A tree at work. Cheap to clone; all clones are one tree.
#[derive(Clone)]
pub struct Tree {
    inner: Arc<Inner>,
}

/// What is known of a tree, by whoever works on it and whoever asks.
struct Inner {
    store: Arc<Store>,
    /// None of a tree to which nothing is added.
    hand: Option<Hand>,
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
        let hand = Hand { log: log.clone(), signer: options.signer.clone() };
        let tree = Self::of(options.store, State::Starting, Some(hand));
        let work = Work {
            inner: Arc::clone(&tree.inner),
            log: log.clone(),
            signer: options.signer,
            witnesses: options.witnesses,
        };
        *lock(&tree.inner.task) = Some(tokio::spawn(work.run()));
        tree
    }

    /// The tree of an epoch that is over, as it was left. `now` is when it was found.
    pub fn ended(store: Store, now: Timestamp) -> Result<Self, StoreError> {
        let published = Published::stored(&store, now)?;
        let size = store.size()?;
        let tree = Self::of(store, State::Closed, None);
        tree.inner.grown(size);
        tree.inner.published.send_replace(published.map(Arc::new));
        Ok(tree)
    }

    fn of(store: Store, state: State, hand: Option<Hand>) -> Self {
        let inner = Inner {
            store: Arc::new(store),
            hand,
            published: watch::Sender::new(None),
            status: watch::Sender::new(Status { state, size: 0 }),
            closing: watch::Sender::new(false),
            waiting: AtomicUsize::new(0),
            asked: Notify::new(),
            task: Mutex::new(None),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Which tree it is.
    pub fn id(&self) -> &TreeId {
        self.inner.store.id()
    }

    /// As it is stored, for proofs.
    pub fn store(&self) -> &Arc<Store> {
        &self.inner.store
    }

    /// How it is, and tells when that changes.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.inner.status.subscribe()
    }

    /// The newest published checkpoint, if there is one.
    pub fn published(&self) -> Option<Arc<Published>> {
        self.inner.published.borrow().clone()
    }

    /// Tells when another checkpoint is published.
    pub fn watch(&self) -> watch::Receiver<Option<Arc<Published>>> {
        self.inner.published.subscribe()
    }

    /// Waits until a checkpoint of this size at least is published; `None` if that takes longer than the deadline, or
    /// nothing is added to the tree any more.
    pub async fn covering(&self, size: Position, deadline: Instant) -> Option<Arc<Published>> {
        let covers =
            |published: &Option<Arc<Published>>| published.as_ref().is_some_and(|one| one.head.size >= size);
        let (mut published, mut status) = (self.watch(), self.status());
        let _waiting = Waiting::of(&self.inner);
        let over = |status: &Status| matches!(status.state, State::Stopped(_) | State::Closed);
        let found = async {
            tokio::select! {
                biased;
                found = published.wait_for(covers) => found.ok()?.clone(),
                _ = status.wait_for(over) => None,
            }
        };
        timeout_at(deadline, found).await.ok()?
    }

    /// Takes what the log has by now, publishes it, and lets others write.
    pub async fn close(&self) {
        self.inner.closing.send_replace(true);
        let task = lock(&self.inner.task).take();
        if let Some(task) = task {
            task.await.ok();
        }
        self.inner.say(State::Closed);
    }
}

impl Inner {
    fn grown(&self, size: Position) {
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

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
