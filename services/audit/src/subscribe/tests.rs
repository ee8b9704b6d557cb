//! A subscriber gets what the log holds after its cursor: each event once, in order, whatever happens.

use std::sync::Arc;

use duban_domain::Event;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use super::*;
use crate::deliver::Format;
use crate::testing::{self, Fixture};

/// Longer than any test takes.
const NEVER: Duration = Duration::from_hours(1);
/// As soon as nothing else is to be said.
const AT_ONCE: Duration = Duration::ZERO;

impl Fixture {
    fn source(&self, checkpoint_every: Duration) -> Source {
        Source { log: self.log.clone(), recent: Arc::default(), checkpoint_every }
    }
}

async fn subscribe(source: &Source, after: Position, selection: Selection) -> Subscription {
    let head = source.log.head().await.unwrap();
    let delivery = Delivery { log: source.log.identity(), format: Format::Event };
    Subscription::new(source.clone(), (after, head), selection, delivery, CancellationToken::new())
}

/// What a subscriber knows: where it stands, and what it has got.
#[derive(Default)]
struct Heard {
    cursor: Position,
    positions: Vec<Position>,
    kinds: Vec<&'static str>,
}

impl Heard {
    /// Takes the next frame. Its cursor never goes back, and never before its own events.
    async fn next(&mut self, subscription: &mut Subscription) -> &'static str {
        let frame = subscription.next().await.unwrap().frame.unwrap();
        let (kind, cursor) = match frame {
            Frame::Started(started) => ("started", started.cursor),
            Frame::Events(events) => {
                self.positions.extend(events.events.iter().map(|event| event.position));
                ("events", events.cursor)
            }
            Frame::Checkpoint(checkpoint) => ("checkpoint", checkpoint.cursor),
            Frame::CaughtUp(caught_up) => ("caught_up", caught_up.cursor),
            Frame::FellBehind(fell_behind) => ("fell_behind", fell_behind.cursor),
        };
        let cursor = cursor.unwrap();
        assert_eq!(cursor.log, Some(duban_rpc::identity(subscription.delivery.log)));
        assert!(cursor.position >= self.cursor, "{kind} goes back");
        assert!(self.positions.last().is_none_or(|last| *last <= cursor.position));
        self.cursor = cursor.position;
        self.kinds.push(kind);
        kind
    }

    async fn until(&mut self, subscription: &mut Subscription, position: Position) {
        while self.cursor < position {
            self.next(subscription).await;
        }
    }
}

#[tokio::test]
async fn it_starts_catches_up_and_then_lives() {
    let fixture = testing::log().await;
    fixture.append(&vec![testing::registered("a"); 300]).await;
    let source = fixture.source(NEVER);
    let mut subscription = subscribe(&source, 0, Selection::default()).await;
    let mut heard = Heard::default();
    for kind in ["started", "events", "events", "caught_up"] {
        assert_eq!(heard.next(&mut subscription).await, kind);
    }
    fixture.append(&[testing::registered("a")]).await;
    assert_eq!(heard.next(&mut subscription).await, "events");
    assert_eq!(heard.positions, (1..=301).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_subscriber_at_the_head_is_woken_by_what_comes() {
    let fixture = testing::log().await;
    let source = fixture.source(NEVER);
    let mut subscription = subscribe(&source, 0, Selection::default()).await;
    let mut heard = Heard::default();
    assert_eq!(heard.next(&mut subscription).await, "started");
    assert_eq!(heard.next(&mut subscription).await, "caught_up");
    let (kind, ()) = tokio::join!(heard.next(&mut subscription), async {
        tokio::task::yield_now().await;
        fixture.append(&[testing::registered("a")]).await;
    });
    assert_eq!(kind, "events");
}

#[tokio::test]
async fn on_a_quiet_log_it_is_told_where_it_stands() {
    let fixture = testing::log().await;
    fixture.append(&[testing::registered("a")]).await;
    let source = fixture.source(AT_ONCE);
    let mut subscription = subscribe(&source, 1, Selection::default()).await;
    let mut heard = Heard::default();
    for kind in ["started", "caught_up", "checkpoint", "checkpoint"] {
        assert_eq!(heard.next(&mut subscription).await, kind);
        assert_eq!(heard.cursor, 1);
    }
}

#[tokio::test]
async fn a_checkpoint_moves_over_what_the_filter_leaves_out() {
    let fixture = testing::log().await;
    let source = fixture.source(AT_ONCE);
    let selection = Selection { tags: vec![duban_domain::Tag::stored("task:t")], ..Selection::default() };
    let mut subscription = subscribe(&source, 0, selection).await;
    let mut heard = Heard::default();
    heard.next(&mut subscription).await;
    heard.next(&mut subscription).await;
    fixture.append(&[testing::registered("a"), testing::registered("b")]).await;
    heard.until(&mut subscription, 2).await;
    assert!(heard.positions.is_empty());
    assert_eq!(heard.kinds.last(), Some(&"checkpoint"));
}

#[tokio::test]
async fn one_that_reads_slowly_is_told_and_goes_on_from_storage() {
    let fixture = testing::log().await;
    let source = fixture.source(NEVER);
    let mut slow = subscribe(&source, 0, Selection::default()).await;
    let mut heard = Heard::default();
    heard.next(&mut slow).await;
    heard.next(&mut slow).await;
    let (mut quick, mut other) = (subscribe(&source, 0, Selection::default()).await, Heard::default());
    for _ in 0..8 {
        fixture.append(&vec![testing::registered("a"); 300]).await;
        let end = fixture.log.head().await.unwrap();
        other.until(&mut quick, end).await;
    }
    assert!(!other.kinds.contains(&"fell_behind"), "one that keeps up feels nothing of it");
    assert_eq!(heard.next(&mut slow).await, "fell_behind");
    heard.until(&mut slow, 2400).await;
    assert_eq!(heard.next(&mut slow).await, "caught_up");
    fixture.append(&[testing::registered("a")]).await;
    heard.until(&mut slow, 2401).await;
    assert_eq!(heard.positions, (1..=2401).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_draining_server_ends_it_with_a_cursor() {
    let fixture = testing::log().await;
    let mut subscription = subscribe(&fixture.source(NEVER), 0, Selection::default()).await;
    let mut heard = Heard::default();
    heard.next(&mut subscription).await;
    heard.next(&mut subscription).await;
    let draining = subscription.draining.clone();
    let (kind, ()) = tokio::join!(heard.next(&mut subscription), async {
        tokio::task::yield_now().await;
        draining.cancel();
    });
    assert_eq!(kind, "checkpoint");
    assert_eq!(subscription.next().await.unwrap_err().reason(), "DRAINING");
}

#[tokio::test]
async fn a_closing_log_ends_it_with_a_cursor() {
    let fixture = testing::log().await;
    let mut subscription = subscribe(&fixture.source(NEVER), 0, Selection::default()).await;
    let mut heard = Heard::default();
    heard.next(&mut subscription).await;
    heard.next(&mut subscription).await;
    let (kind, ()) = tokio::join!(heard.next(&mut subscription), fixture.log.close());
    assert_eq!(kind, "checkpoint");
    assert_eq!(subscription.next().await.unwrap_err().reason(), "DRAINING");
}

/// One subscriber's way: where it begins, what it wants, and after how many frames it breaks off each time to
/// go on from its cursor.
#[derive(Debug, Clone)]
struct Way {
    from: u64,
    selection: Selection,
    breaks: Vec<usize>,
}

fn way() -> impl Strategy<Value = Way> {
    (0..=100_u64, testing::selection(), prop::collection::vec(1..6_usize, 0..4))
        .prop_map(|(from, selection, breaks)| Way { from, selection, breaks })
}

/// Follows the log to `end` while it grows; all that was heard, over all its subscriptions.
async fn follow(source: &Source, way: &Way, after: Position, end: Position) -> Heard {
    let mut heard = Heard { cursor: after, ..Heard::default() };
    for frames in way.breaks.iter().copied().chain([usize::MAX]) {
        let mut subscription = subscribe(source, heard.cursor, way.selection.clone()).await;
        for _ in 0..frames {
            heard.next(&mut subscription).await;
            if heard.cursor >= end {
                return heard;
            }
            tokio::task::yield_now().await;
        }
    }
    heard
}

async fn case(before: Vec<Vec<Event>>, during: Vec<Vec<Event>>, ways: Vec<Way>) -> Result<(), TestCaseError> {
    let fixture = testing::log().await;
    for batch in &before {
        fixture.append(batch).await;
    }
    let head = fixture.log.head().await.unwrap();
    let end = head + during.iter().map(|batch| batch.len() as Position).sum::<Position>();
    let source = fixture.source(AT_ONCE);
    let followed = futures::future::join_all(ways.iter().map(|way| {
        let after = way.from * head / 100;
        let source = &source;
        async move { (after, follow(source, way, after, end).await) }
    }));
    let append = async {
        for batch in &during {
            fixture.append(batch).await;
        }
    };
    let (followed, ()) = tokio::join!(followed, append);
    for (way, (after, heard)) in ways.iter().zip(followed) {
        let mut wanted = Vec::new();
        for position in after + 1..=end {
            let event = fixture.log.event(position).await.unwrap().unwrap();
            if way.selection.passes(&event) {
                wanted.push(position);
            }
        }
        prop_assert_eq!(heard.positions, wanted, "{:?} after {}: {:?}", way, after, heard.kinds);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn what_is_heard_is_the_log_after_the_cursor_and_nothing_else(
        before in prop::collection::vec(testing::batch(30), 0..5),
        during in prop::collection::vec(testing::batch(30), 0..12),
        ways in prop::collection::vec(way(), 1..4),
    ) {
        testing::run(case(before, during, ways))?;
    }
}
