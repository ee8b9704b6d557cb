//! Reading what is there.

use duban_domain::Timestamp;
use jiff::SignedDuration;

use crate::support::{Fixture, append, start, tag};

pub(crate) async fn a_page_ends_where_it_says(f: &Fixture) {
    for id in 1..=5 {
        f.log.append(append(id, &[&["a"], &["b"]])).await.unwrap();
    }
    let page = f.log.read(3, 4).await.unwrap();
    assert_eq!(page.events.iter().map(|event| event.position).collect::<Vec<_>>(), [4, 5, 6, 7]);
    assert_eq!(page.through, 7);
    let rest = f.log.read(page.through, 100).await.unwrap();
    assert_eq!((rest.events.len(), rest.through), (3, 10));
}

pub(crate) async fn what_is_filed_under_tags_comes_once_and_in_order(f: &Fixture) {
    f.log.append(append(1, &[&["a", "b"], &["c"], &["b"], &["a"], &["a", "b", "c"]])).await.unwrap();
    let tags = [tag("b"), tag("a")];
    let positions = |page: &duban_log::Page| page.events.iter().map(|e| e.position).collect::<Vec<_>>();
    let all = f.log.read_tags(&tags, 0, 5, 100).await.unwrap();
    assert_eq!((positions(&all), all.through), (vec![1, 3, 4, 5], 5));
    // Pages of any size come to the same, though an event filed under both tags is met twice.
    for size in 1..=5 {
        let (mut after, mut met) = (0, Vec::new());
        while after < 5 {
            let page = f.log.read_tags(&tags, after, 5, size).await.unwrap();
            met.extend(positions(&page));
            after = page.through;
        }
        assert_eq!(met, [1, 3, 4, 5], "in pages of {size}");
    }
    assert_eq!(positions(&f.log.read_tags(&tags, 1, 4, 100).await.unwrap()), [3, 4]);
    assert!(f.log.read_tags(&[], 0, 5, 100).await.unwrap().events.is_empty());
}

pub(crate) async fn a_subject_is_read_up_to_a_position(f: &Fixture) {
    for id in 1..=4 {
        f.log.append(append(id, &[&["a"]])).await.unwrap();
    }
    let page = f.log.read_tags(&[tag("a")], 0, 2, 100).await.unwrap();
    assert_eq!((page.events.len(), page.through), (2, 2));
}

pub(crate) async fn an_instant_names_one_position_for_ever(f: &Fixture) {
    let minute = SignedDuration::from_mins(1);
    for id in 1..=20 {
        f.clock.advance(minute);
        f.log.append(append(id, &[&["a"], &["a"]])).await.unwrap();
    }
    assert_eq!(f.log.position_at(start()).await.unwrap(), 0);
    assert_eq!(f.log.position_at(Timestamp::MIN).await.unwrap(), 0);
    for nth in 1..=20 {
        let at = start() + minute * i32::try_from(nth).unwrap();
        assert_eq!(f.log.position_at(at).await.unwrap(), 2 * nth);
        assert_eq!(f.log.position_at(at - SignedDuration::from_micros(1)).await.unwrap(), 2 * (nth - 1));
        assert_eq!(f.log.recorded_at(2 * nth).await.unwrap(), Some(at));
    }
    // Asked about now, it answers; what comes afterwards is recorded later, though the clock stands.
    let now = f.log.now() + minute;
    f.clock.set(now);
    assert_eq!(f.log.position_at(now).await.unwrap(), 40);
    f.log.append(append(21, &[&["a"]])).await.unwrap();
    assert_eq!(f.log.position_at(now).await.unwrap(), 40);
}

pub(crate) async fn beyond_the_head_there_is_nothing(f: &Fixture) {
    f.log.append(append(1, &[&["a"]])).await.unwrap();
    assert!(f.log.read(1, 10).await.unwrap().events.is_empty());
    assert!(f.log.read(u64::MAX, 10).await.unwrap().events.is_empty());
    assert_eq!(f.log.event(0).await.unwrap(), None);
    assert_eq!(f.log.event(2).await.unwrap(), None);
    assert_eq!(f.log.read_tags(&[tag("a")], 0, u64::MAX, 10).await.unwrap().through, 1);
}
