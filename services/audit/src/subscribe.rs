//! The log from a place on, without end: first what is there, then each event as it comes.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use duban_domain::Position;
use duban_log::Log;
use duban_proto::audit::v1 as pb;
use duban_proto::audit::v1::subscribe_response::Frame;
use duban_rpc::{Error, RETRY_AFTER};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::deliver::{Batch, Delivery};
use crate::recent::{RECENT_EVENTS, Recent};
use crate::select::Selection;

/// How long a subscriber may hear nothing before it is told where it stands.
pub const CHECKPOINT_EVERY: Duration = Duration::from_secs(5);

/// The server takes no more calls and ends its streams.
pub(crate) fn draining() -> Error {
    let message = "this server is shutting down: go on elsewhere after the last cursor";
    Error::unavailable("DRAINING", message, RETRY_AFTER)
}

/// What is shared by all who follow one log.
#[derive(Clone)]
pub(crate) struct Source {
    pub(crate) log: Log,
    pub(crate) recent: Arc<Recent>,
    pub(crate) checkpoint_every: Duration,
}

/// One subscriber on its way along the log.
pub(crate) struct Subscription {
    source: Source,
    selection: Selection,
    delivery: Delivery,
    /// Everything up to here has been put into frames.
    after: Position,
    /// The past ends here: storage up to it, and then what is recent. `None`: live.
    past: Option<Position>,
    /// As far as the log is known to go.
    head: Position,
    watch: watch::Receiver<Position>,
    closing: watch::Receiver<bool>,
    draining: CancellationToken,
    frames: VecDeque<Frame>,
    /// When the next checkpoint is due, unless something else is said before.
    due: Instant,
    ended: bool,
}

impl Subscription {
    /// Begins after `after`, which must not be beyond `head`.
    pub(crate) fn new(
        source: Source,
        (after, head): (Position, Position),
        selection: Selection,
        delivery: Delivery,
        draining: CancellationToken,
    ) -> Self {
        let started = pb::Started { cursor: Some(delivery.cursor(after)), head };
        Self {
            selection,
            delivery,
            after,
            past: Some(head),
            head,
            watch: source.log.watch(),
            closing: source.log.closing(),
            draining,
            frames: VecDeque::from([Frame::Started(started)]),
            due: Instant::now() + source.checkpoint_every,
            ended: false,
            source,
        }
    }

    /// The next frame, as soon as there is one. It has no end but the server's: then the cursor, and DRAINING.
    pub(crate) async fn next(&mut self) -> Result<pb::SubscribeResponse, Error> {
        loop {
            if let Some(frame) = self.frames.pop_front() {
                self.due = Instant::now() + self.source.checkpoint_every;
                return Ok(pb::SubscribeResponse { frame: Some(frame) });
            }
            if self.ended {
                return Err(draining());
            }
            if self.draining.is_cancelled() || *self.closing.borrow() {
                self.ended = true;
                self.checkpoint();
            } else {
                self.go_on().await?;
            }
        }
    }

    /// One step: to another mode, further along the log, or to the end of a wait.
    async fn go_on(&mut self) -> Result<(), Error> {
        self.head = self.head.max(*self.watch.borrow_and_update());
        let behind = self.head.saturating_sub(self.after);
        match self.past {
            Some(past) if self.after >= past => {
                self.past = None;
                self.frames.push_back(Frame::CaughtUp(pb::CaughtUp { cursor: Some(self.cursor()) }));
            }
            None if behind > RECENT_EVENTS as Position => {
                self.past = Some(self.head);
                let fell_behind = pb::FellBehind { cursor: Some(self.cursor()), head: self.head };
                self.frames.push_back(Frame::FellBehind(fell_behind));
            }
            Some(past) => {
                let page = self.selection.page(&self.source.log, self.after, past).await?;
                let batches = self.delivery.batches(&page.events, page.through)?;
                self.take(batches, page.through);
            }
            None if behind > 0 => {
                let mut events = self.source.recent.after(&self.source.log, self.after).await?;
                let through = events.last().map_or(self.after, |event| event.position);
                events.retain(|event| self.selection.passes(event));
                let batches = self.delivery.batches(&events, through)?;
                self.take(batches, through);
            }
            None if Instant::now() >= self.due => self.checkpoint(),
            None => self.wait().await?,
        }
        Ok(())
    }

    fn take(&mut self, batches: Vec<Batch>, through: Position) {
        self.after = through;
        for Batch { events, cloud_events, through } in batches {
            let cursor = Some(self.delivery.cursor(through));
            self.frames.push_back(Frame::Events(pb::Events { events, cloud_events, cursor }));
        }
        // A filter may let nothing through for long.
        if self.frames.is_empty() && Instant::now() >= self.due {
            self.checkpoint();
        }
    }

    fn checkpoint(&mut self) {
        self.frames.push_back(Frame::Checkpoint(pb::Checkpoint { cursor: Some(self.cursor()) }));
    }

    fn cursor(&self) -> pb::Cursor {
        self.delivery.cursor(self.after)
    }

    /// Until the log grows, a checkpoint is due or the server drains. That no growth is missed is the engine's part.
    async fn wait(&mut self) -> Result<(), Error> {
        tokio::select! {
            // The log is gone when its watch is: then it is closing too.
            _ = self.watch.changed() => {}
            _ = self.closing.changed() => {}
            () = self.draining.cancelled() => {}
            () = tokio::time::sleep_until(self.due) => {
                // The engine keeps it fresh for all of a process: a thousand who wait ask nothing.
                self.head = self.head.max(*self.watch.borrow_and_update());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
