//! A part of the log as it is, page after page, each read when the one before has been taken.

use std::collections::VecDeque;

use duban_domain::Position;
use duban_log::Log;
use duban_proto::audit::v1 as pb;
use duban_rpc::Error;
use tokio_util::sync::CancellationToken;

use crate::deliver::{Batch, Delivery};
use crate::select::Selection;
use crate::subscribe::draining;

/// What is to be read.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(crate) after: Position,
    /// At most the head.
    pub(crate) up_to: Position,
    /// How many events at most; `None`: no limit.
    pub(crate) limit: Option<u64>,
    pub(crate) selection: Selection,
}

/// A reader on its way through a part of the log.
pub(crate) struct Reading {
    log: Log,
    part: Part,
    delivery: Delivery,
    draining: CancellationToken,
    pending: VecDeque<Batch>,
    done: bool,
}

impl Reading {
    pub(crate) fn new(log: Log, part: Part, delivery: Delivery, draining: CancellationToken) -> Self {
        Self { log, part, delivery, draining, pending: VecDeque::new(), done: false }
    }

    /// The next message; `None` after the last. There is at least one, if only to say that there is nothing.
    pub(crate) async fn next(&mut self) -> Result<Option<pb::ReadResponse>, Error> {
        loop {
            if let Some(Batch { events, cloud_events, through }) = self.pending.pop_front() {
                let cursor = Some(self.delivery.cursor(through));
                return Ok(Some(pb::ReadResponse { events, cloud_events, cursor }));
            }
            if self.done {
                return Ok(None);
            }
            if self.draining.is_cancelled() {
                return Err(draining());
            }
            self.page().await?;
        }
    }

    /// Reads on. A page without events is a message too: a filter that lets little through shows how far it is.
    async fn page(&mut self) -> Result<(), Error> {
        let Part { after, up_to, limit, selection } = &mut self.part;
        if *after < *up_to {
            let mut page = selection.page(&self.log, *after, *up_to).await?;
            if let Some(left) = limit {
                let taken = usize::try_from(*left).unwrap_or(usize::MAX);
                if page.events.len() >= taken {
                    page.events.truncate(taken);
                    page.through = page.events.last().map_or(*after, |event| event.position);
                    self.done = true;
                }
                *left -= page.events.len() as u64;
            }
            *after = page.through;
            self.pending.extend(self.delivery.batches(&page.events, page.through)?);
        }
        if self.pending.is_empty() {
            self.pending.push_back(Batch { through: *after, ..Batch::default() });
        }
        self.done |= after >= up_to;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::deliver::Format;
    use crate::testing::{self, Fixture};

    async fn read(fixture: &Fixture, part: Part) -> Vec<pb::ReadResponse> {
        let delivery = Delivery { log: fixture.log.identity(), format: Format::Event };
        let mut reading = Reading::new(fixture.log.clone(), part, delivery, CancellationToken::new());
        let mut pages = Vec::new();
        while let Some(page) = reading.next().await.unwrap() {
            pages.push(page);
        }
        pages
    }

    fn positions(pages: &[pb::ReadResponse]) -> Vec<Position> {
        pages.iter().flat_map(|page| &page.events).map(|event| event.position).collect()
    }

    fn cursor(pages: &[pb::ReadResponse]) -> Position {
        pages.last().unwrap().cursor.as_ref().unwrap().position
    }

    fn all(after: Position, up_to: Position) -> Part {
        Part { after, up_to, limit: None, selection: Selection::default() }
    }

    #[tokio::test]
    async fn a_part_of_the_log_comes_in_order_and_whole() {
        let fixture = testing::log().await;
        for _ in 0..3 {
            fixture.append(&vec![testing::registered("fgw"); 200]).await;
        }
        let pages = read(&fixture, all(5, 590)).await;
        assert_eq!(positions(&pages), (6..=590).collect::<Vec<_>>());
        assert_eq!((pages.len(), cursor(&pages)), (3, 590));
    }

    #[tokio::test]
    async fn an_empty_part_is_one_page_that_says_where_it_stands() {
        let fixture = testing::log().await;
        for part in [all(0, 0), all(7, 3)] {
            let after = part.after;
            let pages = read(&fixture, part).await;
            assert_eq!((pages.len(), cursor(&pages)), (1, after));
        }
    }

    #[tokio::test]
    async fn large_events_come_in_messages_that_a_client_takes() {
        let fixture = testing::log().await;
        for _ in 0..20 {
            fixture.append(&[testing::large(200 * 1024)]).await;
        }
        let pages = read(&fixture, all(0, 20)).await;
        assert_eq!(positions(&pages), (1..=20).collect::<Vec<_>>());
        let largest = pages.iter().map(prost::Message::encoded_len).max().unwrap();
        assert!(pages.len() > 3 && largest < duban_rpc::MESSAGE_BYTES_MAX / 2, "{largest}");
    }

    #[tokio::test]
    async fn a_draining_server_ends_it_between_pages() {
        let fixture = testing::log().await;
        fixture.append(&vec![testing::registered("fgw"); 300]).await;
        let (stop, log) = (CancellationToken::new(), fixture.log.clone());
        let delivery = Delivery { log: log.identity(), format: Format::Event };
        let mut reading = Reading::new(log, all(0, 300), delivery, stop.clone());
        assert_eq!(positions(&[reading.next().await.unwrap().unwrap()]).len(), 256);
        stop.cancel();
        assert_eq!(reading.next().await.unwrap_err().reason(), "DRAINING");
    }

    /// Every event that the selection wants after `after`, by asking for all of them one by one.
    async fn naive(fixture: &Fixture, part: &Part) -> Vec<Position> {
        let mut wanted = Vec::new();
        for position in part.after + 1..=part.up_to {
            let event = fixture.log.event(position).await.unwrap().unwrap();
            if part.selection.passes(&event) {
                wanted.push(position);
            }
        }
        wanted.truncate(part.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap()));
        wanted
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn pages_with_cursors_make_up_the_part_whatever_is_asked(
            batches in prop::collection::vec(testing::batch(40), 1..8),
            selection in testing::selection(),
            limit in prop::option::of(1..30_u64),
            (a, b) in (0..=100_u64, 0..=100_u64),
        ) {
            testing::run(async {
                let fixture = testing::log().await;
                for batch in &batches {
                    fixture.append(batch).await;
                }
                let head = fixture.log.head().await.unwrap();
                let (after, up_to) = (a * head / 100, b * head / 100);
                let part = Part { after, up_to, limit, selection };
                let pages = read(&fixture, part.clone()).await;
                prop_assert_eq!(positions(&pages), naive(&fixture, &part).await);
                // Going on after the cursor gives the rest.
                let rest = Part { after: cursor(&pages), limit: None, ..part.clone() };
                let mut whole = positions(&pages);
                whole.extend(positions(&read(&fixture, rest).await));
                prop_assert_eq!(whole, naive(&fixture, &Part { limit: None, ..part }).await);
                Ok(())
            })?;
        }
    }
}
