//! The log in pages, each read and decoded while the one before it is worked on.

use std::sync::Arc;

use duban_domain::Position;
use tokio::task::JoinHandle;

use crate::error::ReadError;
use crate::feed::{DecodedPage, decoded};
use crate::log::Log;

/// Pages of the log from wherever they are asked for; the one that follows is fetched in advance.
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

    /// The events after `after`, which is below `head`, up to the first that can't be understood.
    pub(super) async fn after(
        &mut self,
        after: Position,
        head: Position,
    ) -> Result<Arc<DecodedPage>, ReadError> {
        let page = match self.ahead.take() {
            Some((start, mut fetching)) if start == after => match (&mut fetching.0).await {
                Ok(page) => Arc::new(page?),
                // Its task panicked: let it do so where it is seen.
                Err(_) => self.log.inner.decoded.page(&self.log, after).await?,
            },
            _ => self.log.inner.decoded.page(&self.log, after).await?,
        };
        if let Some(last) = page.events.last().map(|event| event.position)
            && last < head
            && page.stop.is_none()
        {
            let log = self.log.clone();
            let fetching = tokio::spawn(async move { decoded(&log, last).await });
            self.ahead = Some((last, Fetching(fetching)));
        }
        Ok(page)
    }
}
