//! Following as it grows.

use crate::support::{Fixture, append};

pub(crate) async fn a_feed_misses_nothing_and_then_waits(f: &Fixture) {
    const EVENTS: u64 = 300;
    for id in 1..=100 {
        f.log.append(append(id, &[&["a"]])).await.unwrap();
    }
    let mut feeds: Vec<_> = [1, 7, 1000]
        .into_iter()
        .map(|limit| {
            let mut feed = f.log.feed(0);
            tokio::spawn(async move {
                let mut met = Vec::new();
                while met.len() < usize::try_from(EVENTS).unwrap() {
                    let page = feed.next(limit).await.unwrap().unwrap();
                    assert!((1..=limit).contains(&page.events.len()));
                    met.extend(page.events.iter().map(|event| event.position));
                }
                assert_eq!(feed.position(), EVENTS);
                met
            })
        })
        .collect();
    for id in 101..=200 {
        f.log.append(append(id, &[&["a"], &["b"]])).await.unwrap();
    }
    for feed in feeds.drain(..) {
        assert_eq!(feed.await.unwrap(), (1..=EVENTS).collect::<Vec<_>>());
    }
    let mut waiting = f.log.feed(EVENTS);
    let log = f.log.clone();
    let closed = tokio::spawn(async move { waiting.next(1).await });
    log.append(append(500, &[&["a"]])).await.unwrap();
    assert_eq!(closed.await.unwrap().unwrap().unwrap().events[0].position, EVENTS + 1);
}
