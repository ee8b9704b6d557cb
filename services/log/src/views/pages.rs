//! The log in stretches, each read and decoded while the one before it is worked on. One is a page where events
//! come as they happen, and several where there are many: what is opened and closed within a stretch is written
//! once.

use std::sync::Arc;

use duban_domain::Position;
use tokio::task::JoinHandle;

use crate::error::ReadError;
use crate::feed::{DecodedPage, decoded};
use crate::log::{Log, PAGE_EVENTS};

/// A stretch is not much longer, in events.
pub(super) const STRETCH: usize = 5 * PAGE_EVENTS;

/// Stretches of the log from wherever they are asked for; the one that follows is fetched in
/// advance.
pub(super) struct Pages {
    log: Log,
    ahead: Option<(Position, Fetching)>,
}

/// Ends with whoever wanted it.
struct Fetching(JoinHandle<Result<DecodedPage, ReadError>>);

impl Drop for Fetching {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Pages {
    pub(super) fn of(log: &Log) -> Self {
        Self { log: log.clone(), ahead: None }
    }

    /// The events after `after`, which is below `until`, up to the first that can't be understood; perhaps beyond
    /// `until`, perhaps not as far.
    pub(super) async fn after(
        &mut self,
        after: Position,
        until: Position,
    ) -> Result<Arc<DecodedPage>, ReadError> {
        let stretch = match self.ahead.take() {
            Some((start, mut fetching)) if start == after => match (&mut fetching.0).await {
                Ok(stretch) => Arc::new(stretch?),
                // Its task panicked: let it do so where it is seen.
                Err(_) => Arc::new(stretch(&self.log, after, until).await?),
            },
            // Few events are also what others follow: they share the page.
            _ if until - after < PAGE_EVENTS as u64 => self.log.inner.decoded.page(&self.log, after).await?,
            _ => Arc::new(stretch(&self.log, after, until).await?),
        };
        if let Some(last) = stretch.events.last().map(|event| event.position)
            && last < until
            && stretch.stop.is_none()
        {
            let log = self.log.clone();
            let fetching = tokio::spawn(async move { self::stretch(&log, last, until).await });
            self.ahead = Some((last, Fetching(fetching)));
        }
        Ok(stretch)
    }
}

async fn stretch(log: &Log, after: Position, until: Position) -> Result<DecodedPage, ReadError> {
    let mut stretch = decoded(log, after).await?;
    while let Some(last) = stretch.events.last().map(|event| event.position)
        && last < until
        && stretch.events.len() < STRETCH
        && stretch.stop.is_none()
    {
        let page = decoded(log, last).await?;
        if page.events.is_empty() && page.stop.is_none() {
            break;
        }
        stretch.events.extend(page.events);
        stretch.stop = page.stop;
    }
    Ok(stretch)
}
