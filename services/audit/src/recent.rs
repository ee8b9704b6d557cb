//! The last events of the log, kept in memory for all who follow it live: each is read from storage once,
//! whoever comes for it first, and not once for every subscriber.

use std::collections::VecDeque;
use std::sync::Arc;

use duban_domain::Position;
use duban_log::{Log, ReadError, StoredEvent};
use tokio::sync::Mutex;

use crate::select::PAGE_EVENTS;

/// The most events kept.
pub(crate) const RECENT_EVENTS: usize = 1024;
/// The most bytes of bodies kept.
const RECENT_BYTES: usize = 8 * 1024 * 1024;

/// A stretch of the log without a gap, near its end. What is committed never changes, so nothing in it ages.
#[derive(Debug, Default)]
pub(crate) struct Recent(Mutex<Ring>);

#[derive(Debug, Default)]
struct Ring {
    events: VecDeque<Arc<StoredEvent>>,
    bytes: usize,
}

impl Recent {
    /// The next events after `after`; none if the log ends there. One who comes first to the end reads under
    /// the lock, and the others find what it read; one who has fallen behind reads for itself.
    pub(crate) async fn after(&self, log: &Log, after: Position) -> Result<Vec<Arc<StoredEvent>>, ReadError> {
        let mut ring = self.0.lock().await;
        if let Some(kept) = ring.page(after) {
            return Ok(kept);
        }
        if ring.events.front().is_some_and(|first| after < first.position) {
            drop(ring);
            let page = log.read(after, PAGE_EVENTS).await?;
            return Ok(page.events.into_iter().map(Arc::new).collect());
        }
        let page = log.read(after, PAGE_EVENTS).await?;
        let events: Vec<_> = page.events.into_iter().map(Arc::new).collect();
        ring.extend(&events);
        Ok(events)
    }
}

impl Ring {
    /// The events after `after`, if the next one is here.
    fn page(&self, after: Position) -> Option<Vec<Arc<StoredEvent>>> {
        let first = self.events.front()?.position;
        let skipped = usize::try_from((after + 1).checked_sub(first)?).ok()?;
        let page: Vec<_> = self.events.iter().skip(skipped).take(PAGE_EVENTS).cloned().collect();
        (!page.is_empty()).then_some(page)
    }

    fn extend(&mut self, events: &[Arc<StoredEvent>]) {
        for event in events {
            if self.events.back().is_some_and(|last| last.position + 1 != event.position) {
                self.events.clear();
                self.bytes = 0;
            }
            self.bytes += event.body.len();
            self.events.push_back(Arc::clone(event));
        }
        while self.events.len() > RECENT_EVENTS || self.bytes > RECENT_BYTES {
            let Some(oldest) = self.events.pop_front() else { return };
            self.bytes -= oldest.body.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    async fn positions(recent: &Recent, log: &Log, after: Position) -> (Option<Position>, Option<Position>) {
        let events = recent.after(log, after).await.unwrap();
        let numbers: Vec<_> = events.iter().map(|event| event.position).collect();
        assert!(numbers.windows(2).all(|two| two[0] + 1 == two[1]), "{numbers:?}");
        (numbers.first().copied(), numbers.last().copied())
    }

    #[tokio::test]
    async fn whoever_asks_gets_the_next_events_wherever_it_stands() {
        let fixture = testing::log().await;
        let (recent, log) = (Recent::default(), &fixture.log);
        assert_eq!(positions(&recent, log, 0).await, (None, None));
        for _ in 0..6 {
            fixture.append(&vec![testing::registered("fgw"); 300]).await;
        }
        assert_eq!(positions(&recent, log, 1700).await, (Some(1701), Some(1800)), "from storage, and kept");
        assert_eq!(positions(&recent, log, 1750).await, (Some(1751), Some(1800)), "from memory");
        assert_eq!(positions(&recent, log, 1800).await, (None, None), "the end");
        assert_eq!(positions(&recent, log, 5).await, (Some(6), Some(261)), "long gone: from storage");
        assert_eq!(positions(&recent, log, 1800).await, (None, None), "and what was kept stays");
        fixture.append(&[testing::registered("fgw")]).await;
        assert_eq!(positions(&recent, log, 1800).await, (Some(1801), Some(1801)), "goes on");
    }

    #[tokio::test]
    async fn it_keeps_no_more_than_it_says() {
        let fixture = testing::log().await;
        let recent = Recent::default();
        for _ in 0..6 {
            fixture.append(&vec![testing::registered("fgw"); 300]).await;
        }
        let mut after = 0;
        while let (_, Some(last)) = positions(&recent, &fixture.log, after).await {
            after = last;
        }
        let ring = recent.0.lock().await;
        assert_eq!((after, ring.events.len()), (1800, RECENT_EVENTS));
        assert_eq!(ring.bytes, ring.events.iter().map(|event| event.body.len()).sum::<usize>());
    }
}
