//! The log from a position on: pages of what is there, then each event as it comes. Wakes when the head moves;
//! an engine that may miss a move asks for it, once for all.

use std::collections::VecDeque;
use std::sync::Arc;

use duban_domain::{Position, Recorded};
use tokio::sync::{Mutex, watch};

use crate::error::ReadError;
use crate::event::Page;
use crate::log::{Log, PAGE_EVENTS};

/// Decoded pages kept for the followers that come to the same place.
const DECODED_MAX: usize = 8;

/// A cursor over the log that waits at its end.
pub struct Feed {
    log: Log,
    after: Position,
    head: watch::Receiver<Position>,
    closing: watch::Receiver<bool>,
}

impl Feed {
    pub(crate) fn new(log: Log, after: Position) -> Self {
        Self { after, head: log.watch(), closing: log.closing(), log }
    }

    /// The position up to which it has been read.
    pub fn position(&self) -> Position {
        self.after
    }

    /// The next events, at least one and at most `limit`; waits for them. `None` when the log closes.
    pub async fn next(&mut self, limit: usize) -> Result<Option<Page>, ReadError> {
        while self.wait().await {
            let page = self.log.read(self.after, limit).await?;
            if !page.events.is_empty() {
                self.after = page.through;
                return Ok(Some(page));
            }
        }
        Ok(None)
    }

    /// The next events in the domain's terms, shared with whoever else reads from the same place.
    pub(crate) async fn decoded(&mut self) -> Result<Option<Arc<DecodedPage>>, ReadError> {
        if !self.wait().await {
            return Ok(None);
        }
        self.log.inner.decoded.page(&self.log, self.after).await.map(Some)
    }

    /// Goes on after `position`.
    pub(crate) fn advance(&mut self, position: Position) {
        self.after = position;
    }

    /// Waits until there is something after the cursor; false when the log closes.
    async fn wait(&mut self) -> bool {
        loop {
            if *self.closing.borrow_and_update() {
                return false;
            }
            if *self.head.borrow_and_update() > self.after {
                return true;
            }
            tokio::select! {
                changed = self.head.changed() => if changed.is_err() { return false },
                changed = self.closing.changed() => if changed.is_err() { return false },
            }
        }
    }
}

/// A page in the domain's terms, up to the first event that can't be understood.
#[derive(Debug)]
pub(crate) struct DecodedPage {
    pub(crate) events: Vec<Arc<Recorded>>,
    /// Why it ends before its page does.
    pub(crate) stop: Option<ReadError>,
}

/// The last decoded pages, by the position after which they begin. What is committed never changes, so a page
/// is right for ever; a shorter one than could be read now is still a page.
#[derive(Default)]
pub(crate) struct Decoded {
    pages: Mutex<VecDeque<(Position, Arc<DecodedPage>)>>,
}

impl Decoded {
    /// Reads under the lock: of several followers at one place, one reads and the others wait for it.
    pub(crate) async fn page(&self, log: &Log, after: Position) -> Result<Arc<DecodedPage>, ReadError> {
        let mut pages = self.pages.lock().await;
        if let Some((_, page)) = pages.iter().find(|(start, _)| *start == after) {
            return Ok(Arc::clone(page));
        }
        let decoded = Arc::new(decoded(log, after).await?);
        if !decoded.events.is_empty() {
            pages.truncate(DECODED_MAX - 1);
            pages.push_front((after, Arc::clone(&decoded)));
        }
        Ok(decoded)
    }
}

/// Reads a page and decodes it.
pub(crate) async fn decoded(log: &Log, after: Position) -> Result<DecodedPage, ReadError> {
    let page = log.read(after, PAGE_EVENTS).await?;
    let mut decoded = DecodedPage { events: Vec::with_capacity(page.events.len()), stop: None };
    for event in &page.events {
        match event.decode() {
            Ok(recorded) => decoded.events.push(Arc::new(recorded)),
            Err(error) => {
                decoded.stop = Some(error);
                break;
            }
        }
    }
    Ok(decoded)
}
