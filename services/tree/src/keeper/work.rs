//! The task of a tree: it builds as long as it may, and reads while another process does.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use duban_domain::Position;
use duban_log::Log;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::{Inner, State};
use crate::builder::{self, Failed, blocking};
use crate::keys::Ring;
use crate::publisher::{Published, Witnesses, publish};
use crate::signer::Signer;
use crate::store::{StoreError, Writer};

/// A round begins this long after the one before began, at the earliest.
const ROUND_EVERY: Duration = Duration::from_secs(1);
/// How long to wait before what failed for a passing reason is tried again.
const RETRY: Duration = Duration::from_secs(2);
/// How often a quiet log is asked whether it still has what the tree has.
const CHECK_EVERY: Duration = Duration::from_secs(10);
/// How old a checkpoint gets on a quiet log before it is signed and cosigned again.
const REPUBLISH_EVERY: Duration = Duration::from_hours(1);
/// How long witnesses may take, and how long when the process ends.
const WITNESSES_WITHIN: (Duration, Duration) = (Duration::from_secs(15), Duration::from_secs(3));
/// How often a process that doesn't build looks for a new checkpoint, if somebody waits for it or if nobody does.
const LOOK_EVERY: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(1));
/// How often a process that doesn't build tries to.
const TAKE_OVER_EVERY: Duration = Duration::from_secs(5);

/// What the task works with.
pub(super) struct Work {
    pub(super) inner: Arc<Inner>,
    pub(super) log: Log,
    /// The signer's folder.
    pub(super) signer: PathBuf,
    pub(super) witnesses: Option<Arc<dyn Witnesses>>,
}

impl Work {
    /// Works until told to close, or until something is wrong that stays so.
    pub(super) async fn run(self) {
        while !self.is_closing() {
            match self.build().await {
                Ok(()) => {}
                Err(Failed::Passing(why)) => {
                    self.fails(why);
                    self.pause(RETRY).await;
                }
                Err(Failed::Stopped(why)) => {
                    tracing::error!(origin = self.origin(), why, "the audit tree has stopped");
                    self.inner.say(State::Stopped(why));
                    return;
                }
            }
        }
    }

    /// Builds until told to close; where another process builds, reads for a while instead.
    async fn build(&self) -> Result<(), Failed> {
        let store = Arc::clone(&self.inner.store);
        let mut writer = match blocking(move || Writer::open(store)).await? {
            Err(StoreError::InUse(_)) => return self.read().await,
            opened => opened?,
        };
        self.inner.grown(writer.size());
        self.adopt().await?;
        let signer = self.signer(&writer).await?;
        let mut ring = Ring::default();
        builder::check(&self.log, writer.size()).await?;
        let mut head = self.log.watch();
        let mut published_at = None;
        loop {
            let (began, closing) = (Instant::now(), self.is_closing());
            writer = builder::round(&self.log, &head, writer).await?;
            self.inner.grown(writer.size());
            let caught_up = *head.borrow() <= writer.size();
            let mut pause = CHECK_EVERY;
            if (caught_up || closing || is_older(published_at, ROUND_EVERY))
                && (is_older(published_at, REPUBLISH_EVERY) || !self.has_published(writer.size()))
            {
                match self.publish(&signer, &mut ring, &writer, closing).await {
                    Ok(()) => published_at = Some(Instant::now()),
                    Err(Failed::Passing(why)) => {
                        self.fails(why);
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

    /// The signer, whose public keys stand beside the tree.
    async fn signer(&self, writer: &Writer) -> Result<Arc<Signer>, Failed> {
        let (folder, press) = (self.signer.clone(), writer.press().clone());
        let store = Arc::clone(&self.inner.store);
        let opened = blocking(move || {
            let signer = Signer::open(folder, store.id())?;
            if store.keys()?.is_empty() {
                press.name_keys(&signer.verifiers()?)?;
            }
            Ok::<_, Failed>(Arc::new(signer))
        });
        opened.await?
    }

    async fn publish(
        &self,
        signer: &Arc<Signer>,
        ring: &mut Ring,
        writer: &Writer,
        closing: bool,
    ) -> Result<(), Failed> {
        ring.follow(&self.log, self.origin(), writer.size()).await?;
        let (usual, at_the_end) = WITNESSES_WITHIN;
        let within = if closing { at_the_end } else { usual };
        let witnesses = self.witnesses.as_deref().map(|witnesses| (witnesses, within));
        let note = publish(writer, signer, witnesses, ring).await?;
        let published = Published { head: writer.head(), note, at: self.log.now() };
        self.inner.published.send_replace(Some(Arc::new(published)));
        self.inner.say(State::Building);
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
        let mut closing = self.inner.closing.subscribe();
        tokio::select! {
            _ = head.wait_for(|head| *head > size) => {}
            _ = closing.wait_for(|closing| *closing) => {}
            () = sleep(pause) => {}
        }
    }

    /// Reads what another process publishes, until it is time to try to build again.
    async fn read(&self) -> Result<(), Failed> {
        self.inner.say(State::Reading);
        let until = Instant::now() + TAKE_OVER_EVERY;
        let (waited_for, alone) = LOOK_EVERY;
        while Instant::now() < until && !self.is_closing() {
            self.adopt().await?;
            if self.inner.waiting.load(Ordering::Relaxed) > 0 {
                self.pause(waited_for).await;
            } else {
                tokio::select! {
                    () = self.pause(alone) => {}
                    () = self.inner.asked.notified() => {}
                }
            }
        }
        Ok(())
    }

    /// Takes the stored checkpoint for the published one.
    async fn adopt(&self) -> Result<(), Failed> {
        let (store, now) = (Arc::clone(&self.inner.store), self.log.now());
        let known = self.inner.published.borrow().as_ref().map(|known| known.note.to_string().into_bytes());
        let stored = blocking(move || match store.checkpoint()? {
            Some(bytes) if known.as_ref() != Some(&bytes) => Published::stored(&store, now),
            Some(_) | None => Ok(None),
        });
        if let Some(stored) = stored.await?? {
            let size = self.inner.status.borrow().size;
            self.inner.grown(size.max(stored.head.size));
            self.inner.published.send_replace(Some(Arc::new(stored)));
        }
        Ok(())
    }

    fn has_published(&self, size: Position) -> bool {
        self.inner.published.borrow().as_ref().is_some_and(|published| published.head.size == size)
    }

    fn fails(&self, why: String) {
        tracing::warn!(origin = self.origin(), why, "the audit tree tries again");
        self.inner.say(State::Failing(why));
    }

    /// Sleeps, but not when told to close.
    async fn pause(&self, how_long: Duration) {
        let mut closing = self.inner.closing.subscribe();
        tokio::select! {
            () = sleep(how_long) => {}
            _ = closing.wait_for(|closing| *closing) => {}
        }
    }

    fn is_closing(&self) -> bool {
        *self.inner.closing.borrow()
    }

    fn origin(&self) -> &str {
        &self.inner.store.id().origin
    }
}

fn is_older(at: Option<Instant>, than: Duration) -> bool {
    at.is_none_or(|at| at.elapsed() >= than)
}
