//! Many appends at once.

use std::collections::BTreeSet;

use duban_log::{AppendError, Appended, Log};
use tokio::task::JoinSet;

use crate::support::{Fixture, append, conditional, everything, tag};

const TASKS: u128 = 64;

pub(crate) async fn the_same_request_a_hundred_times_at_once_is_written_once(f: &Fixture) {
    let mut tasks = JoinSet::new();
    for _ in 0..100 {
        let log = f.log.clone();
        tasks.spawn(async move { log.append(conditional(1, &[&["a"], &["b"]], &["a"], 0)).await.unwrap() });
    }
    let answers = tasks.join_all().await;
    let receipts: BTreeSet<_> = answers.iter().map(|a| (a.receipt().first, a.receipt().last)).collect();
    assert_eq!(receipts, BTreeSet::from([(1, 2)]));
    assert_eq!(answers.iter().filter(|answer| matches!(answer, Appended::Now(_))).count(), 1);
    assert_eq!(f.log.head().await.unwrap(), 2);
}

pub(crate) async fn of_many_for_one_place_one_gets_it(f: &Fixture) {
    let mut tasks = JoinSet::new();
    for id in 0..TASKS {
        let log = f.log.clone();
        tasks.spawn(async move { log.append(conditional(id, &[&["name:x"]], &["name:x"], 0)).await });
    }
    let answers = tasks.join_all().await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    assert!(answers.iter().all(|answer| matches!(answer, Ok(_) | Err(AppendError::Conflict))));
    assert_eq!(f.log.head().await.unwrap(), 1);
}

pub(crate) async fn unrelated_appends_all_go_through(f: &Fixture) {
    let mut tasks = JoinSet::new();
    for id in 0..TASKS {
        let log = f.log.clone();
        tasks.spawn(async move {
            let own = format!("task:{id}");
            let mut last = 0;
            for round in 0..10 {
                let one = conditional(id * 100 + round, &[&[&own, "duty:busy"]], &[&own], last);
                last = log.append(one).await.unwrap().receipt().last;
                assert!(log.head().await.unwrap() >= last, "who was answered finds it below the head");
            }
        });
    }
    tasks.join_all().await;
    assert_eq!(f.log.head().await.unwrap(), 640);
}

/// Reads the counter, and adds one on the condition that nobody else did.
async fn count(log: &Log, id: u128) {
    loop {
        let head = log.head().await.unwrap();
        let read = log.read_tags(&[tag("counter")], 0, head, usize::MAX).await.unwrap();
        let last = read.events.last().map_or(0, |event| event.position);
        match log.append(conditional(id, &[&["counter"]], &["counter"], last)).await {
            Ok(_) => return,
            Err(AppendError::Conflict) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

pub(crate) async fn a_counter_kept_by_many_misses_nothing(f: &Fixture) {
    let mut tasks = JoinSet::new();
    for id in 0..TASKS {
        let log = f.log.clone();
        tasks.spawn(async move { count(&log, id).await });
    }
    tasks.join_all().await;
    let requests: BTreeSet<_> = everything(&f.log).await.iter().map(|event| event.request_id).collect();
    assert_eq!((requests.len(), f.log.head().await.unwrap()), (64, 64));
}

pub(crate) async fn a_failing_append_leaves_its_neighbours_alone(f: &Fixture) {
    f.log.append(append(1000, &[&["a"]])).await.unwrap();
    let mut tasks = JoinSet::new();
    for id in 0..TASKS {
        let log = f.log.clone();
        tasks.spawn(async move {
            let stale = id % 2 == 0;
            let own = format!("task:{id}");
            let read = if stale { "a" } else { &own };
            (stale, log.append(conditional(id, &[&[&own]], &[read], 0)).await.is_ok())
        });
    }
    assert!(tasks.join_all().await.into_iter().all(|(stale, done)| stale != done));
    assert_eq!(f.log.head().await.unwrap(), 33);
}
