//! Whatever follows the log: a view, the calendar, the tree builder.
//!
//! A follower takes the events in order, page by page, and keeps its position in the same transaction as what
//! it writes. An event that it can't take stops it: nothing is ever skipped.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use duban_domain::{Position, Recorded};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use crate::error::{ReadError, StorageError};
use crate::feed::Feed;
use crate::log::{Log, lock};

/// How long a follower waits before it tries again what failed for a passing reason.
pub(crate) const RETRY: Duration = Duration::from_millis(500);

/// Something that follows the log.
pub trait Follower: Send + 'static {
    /// Its name, in logs and in health.
    fn name(&self) -> &'static str;

    /// The position up to which it has taken the log.
    fn position(&mut self) -> impl Future<Output = Result<Position, FollowError>> + Send;

    /// Takes the events of `page`, which come right after `after`: all of them or none. Writes its new
    /// position with them, on the condition that it stood at `after`. Taking a page twice is taking it once.
    fn apply(
        &mut self,
        after: Position,
        page: &[Arc<Recorded>],
    ) -> impl Future<Output = Result<(), FollowError>> + Send;
}

/// Why a follower did not take a page.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// It can't take this event, now or later.
    #[error("the event at {position} can't be taken: {reason}")]
    Poisoned {
        /// The event.
        position: Position,
        /// Why.
        reason: String,
    },
    /// It does not stand where it thought: another follower of this name is at work.
    #[error("it stands elsewhere: another one of its name is at work")]
    Fenced,
    /// Its storage is down; it tries again.
    #[error("its storage can't be used now")]
    Unavailable(#[from] StorageError),
    /// What it does failed for a passing reason; it tries again.
    #[error("{0}")]
    Retry(String),
}

impl From<sqlx::Error> for FollowError {
    fn from(error: sqlx::Error) -> Self {
        FollowError::Unavailable(error.into())
    }
}

/// How a follower is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It has not found out where it stands.
    Starting,
    /// It takes events as they come.
    Running,
    /// It stopped before the event at `position` and stays so.
    Stopped {
        /// The event that it can't take.
        position: Position,
        /// Why.
        reason: String,
    },
    /// It stopped before an event that only a newer version knows.
    Outdated {
        /// The event.
        position: Position,
        /// What it says it is.
        event_type: String,
    },
    /// The log was closed.
    Closed,
}

/// How far a follower is and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The position up to which it has taken the log.
    pub position: Position,
    /// How it is.
    pub state: State,
}

impl Status {
    /// Whether it takes events, now or in a moment.
    pub fn is_healthy(&self) -> bool {
        matches!(self.state, State::Starting | State::Running)
    }
}

/// A follower at work.
#[derive(Debug, Clone)]
pub struct Following {
    /// Its name.
    pub name: &'static str,
    status: watch::Receiver<Status>,
    asked: Arc<Asked>,
}

/// Who waits for followers.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    /// Woken when somebody begins to wait: for whoever moves the follower, and for whoever hears of it.
    pub(crate) here: Notify,
    pub(crate) elsewhere: Notify,
    waiting: AtomicUsize,
}

impl Asked {
    /// Whether anybody waits.
    pub(crate) fn is_waited_for(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }

    fn wait(self: &Arc<Self>) -> Waiting {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        self.here.notify_one();
        self.elsewhere.notify_one();
        Waiting(Arc::clone(self))
    }
}

/// Somebody who waits, until it is dropped.
struct Waiting(Arc<Asked>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Following {
    pub(crate) fn new(name: &'static str, status: watch::Receiver<Status>, asked: Arc<Asked>) -> Self {
        Self { name, status, asked }
    }

    /// How it is now.
    pub fn status(&self) -> Status {
        self.status.borrow().clone()
    }

    /// Tells when that changes.
    pub fn watch(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    /// Waits until it stands at `position` or beyond, or will not come there; then how it is.
    pub async fn reached(&self, position: Position) -> Status {
        let mut status = self.status.clone();
        let reached = |status: &Status| status.position >= position || !status.is_healthy();
        if reached(&status.borrow_and_update()) {
            return self.status();
        }
        let _waiting = self.asked.wait();
        let there = status.wait_for(reached).await;
        there.map_or_else(|_| self.status(), |status| status.clone())
    }
}

/// The followers of a log, and the tasks that they are at work in.
#[derive(Default)]
pub(crate) struct Followers {
    followings: Vec<Following>,
    pub(crate) tasks: Vec<JoinHandle<()>>,
}

impl Log {
    /// Sets a follower to work, until the log closes.
    pub fn start(&self, follower: impl Follower) -> Following {
        let (status, watched) = watch::channel(Status { position: 0, state: State::Starting });
        let following = Following::new(follower.name(), watched, Arc::default());
        self.joined([tokio::spawn(run(self.clone(), follower, status))]);
        self.followed(following.clone());
        following
    }

    /// Waits for these when the log closes.
    pub(crate) fn joined(&self, tasks: impl IntoIterator<Item = JoinHandle<()>>) {
        lock(&self.inner.followers).tasks.extend(tasks);
    }

    /// Shows one more among the followers.
    pub(crate) fn followed(&self, following: Following) {
        lock(&self.inner.followers).followings.push(following);
    }

    /// All followers at work and how they are: for health and metrics.
    pub fn followers(&self) -> Vec<Following> {
        lock(&self.inner.followers).followings.clone()
    }
}

async fn run<F: Follower>(log: Log, mut follower: F, status: watch::Sender<Status>) {
    let name = follower.name();
    let stopped = loop {
        match follow(&log, &mut follower, &status).await {
            Ok(state) => break state,
            Err(error) => {
                tracing::warn!(follower = name, %error, "a follower tries again");
                tokio::time::sleep(RETRY).await;
            }
        }
        if *log.inner.closing.borrow() {
            break State::Closed;
        }
    };
    if stopped != State::Closed {
        tracing::error!(follower = name, state = ?stopped, "a follower has stopped");
    }
    status.send_modify(|status| status.state = stopped);
}

/// Follows from where the follower stands until it must stop; an error is a passing one.
async fn follow<F: Follower>(
    log: &Log,
    follower: &mut F,
    status: &watch::Sender<Status>,
) -> Result<State, FollowError> {
    let mut feed = Feed::new(log.clone(), follower.position().await?);
    status.send_replace(Status { position: feed.position(), state: State::Running });
    loop {
        let page = match feed.decoded().await {
            Ok(Some(page)) => page,
            Ok(None) => return Ok(State::Closed),
            Err(ReadError::Unavailable(error)) => return Err(error.into()),
            Err(stop) => return Ok(state_of(stop)),
        };
        if let Some(stopped) = take(follower, &mut feed, &page.events, status).await? {
            return Ok(stopped);
        }
        match &page.stop {
            None => {}
            Some(ReadError::Unavailable(error)) => return Err(error.clone().into()),
            Some(stop) => return Ok(state_of(stop.clone())),
        }
    }
}

/// Applies a page; where one event of it is poisoned, what comes before that one.
async fn take<F: Follower>(
    follower: &mut F,
    feed: &mut Feed,
    events: &[Arc<Recorded>],
    status: &watch::Sender<Status>,
) -> Result<Option<State>, FollowError> {
    let mut events = events;
    let mut stopped = None;
    while let Some(last) = events.last() {
        match follower.apply(feed.position(), events).await {
            Ok(()) => {
                feed.advance(last.position);
                status.send_modify(|status| status.position = last.position);
                return Ok(stopped);
            }
            Err(FollowError::Poisoned { position, reason }) => {
                let sound = events.iter().take_while(|event| event.position < position).count();
                // A follower that blames an event it was not given would be asked for ever.
                events = &events[..sound.min(events.len() - 1)];
                stopped = Some(State::Stopped { position, reason });
            }
            Err(error) => return Err(error),
        }
    }
    Ok(stopped)
}

pub(crate) fn state_of(stop: ReadError) -> State {
    match stop {
        ReadError::Outdated { position, event_type } => State::Outdated { position, event_type },
        ReadError::DataLoss { position, what } => State::Stopped { position, reason: what },
        ReadError::Unavailable(error) => State::Stopped { position: 0, reason: error.to_string() },
    }
}
