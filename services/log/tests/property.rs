//! Random appends from many tasks at once, against what a log promises.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod support;

use std::collections::HashMap;

use duban_domain::Position;
use duban_log::{AppendError, Appended, Log, Receipt, StoredEvent};
use proptest::prelude::*;
use support::{Fixture, check, conditional, everything, tag};
use tokio::task::JoinSet;

/// One append as a task sends it: few tags and request ids, so that they meet.
#[derive(Debug, Clone)]
struct Step {
    request: u128,
    other_command: bool,
    events: Vec<Vec<u8>>,
    read: Vec<u8>,
    /// How far behind the head its reading was.
    behind: Position,
}

/// A step, what it claimed to have read, and what it was answered.
type Answered = (Step, Position, Result<Appended, AppendError>);

fn step() -> impl Strategy<Value = Step> {
    let tags = || proptest::collection::vec(0..6_u8, 1..4);
    let events = proptest::collection::vec(tags(), 0..4);
    (0..60_u128, prop::bool::weighted(0.1), events, tags(), 0..4_u64).prop_map(
        |(request, other_command, events, read, behind)| Step {
            request,
            other_command,
            events,
            read,
            behind,
        },
    )
}

fn names(tags: &[u8]) -> Vec<String> {
    let mut names: Vec<String> = tags.iter().map(|tag| format!("tag:{tag}")).collect();
    names.sort();
    names.dedup();
    names
}

async fn send(log: &Log, step: Step) -> Answered {
    let after = log.head().await.unwrap().saturating_sub(step.behind);
    let events: Vec<Vec<String>> = step.events.iter().map(|tags| names(tags)).collect();
    let events: Vec<Vec<&str>> =
        events.iter().map(|tags| tags.iter().map(String::as_str).collect()).collect();
    let events: Vec<&[&str]> = events.iter().map(Vec::as_slice).collect();
    let read = names(&step.read);
    let read: Vec<&str> = read.iter().map(String::as_str).collect();
    let mut append = conditional(step.request, &events, &read, after);
    if step.other_command {
        append.fingerprint = [255; 32];
    }
    let answer = log.append(append).await;
    (step, after, answer)
}

/// Whether something under the step's tags stands between `after` and `before`.
fn newer(events: &[StoredEvent], step: &Step, after: Position, before: Position) -> bool {
    let read: Vec<_> = names(&step.read).iter().map(|name| tag(name)).collect();
    let within = events.iter().filter(|event| after < event.position && event.position < before);
    within.flat_map(|event| &event.tags).any(|filed| read.contains(&filed.tag))
}

fn judge(events: &[StoredEvent], answers: &[Answered]) {
    let mut given: HashMap<u128, (bool, Receipt)> = HashMap::new();
    for (step, after, answer) in answers {
        if let Ok(Appended::Now(receipt)) = answer {
            assert!(given.insert(step.request, (step.other_command, *receipt)).is_none(), "written twice");
            let written = usize::try_from(receipt.last + 1 - receipt.first).unwrap();
            assert_eq!(written, step.events.len(), "all of its events or none");
            for (event, tags) in
                events[usize::try_from(receipt.first).unwrap() - 1..].iter().zip(&step.events)
            {
                assert_eq!(event.request_id, support::request(step.request));
                let filed: Vec<_> = event.tags.iter().map(|filed| filed.tag.to_string()).collect();
                assert_eq!(filed, names(tags));
            }
            assert!(!newer(events, step, *after, receipt.first), "its condition held");
        }
    }
    for (step, after, answer) in answers {
        let first = given.get(&step.request);
        match answer {
            Ok(Appended::Now(_)) => {}
            Ok(Appended::Before(receipt)) => assert_eq!(first, Some(&(step.other_command, *receipt))),
            Err(AppendError::RequestIdReused) => assert!(first.is_some_and(|f| f.0 != step.other_command)),
            Err(AppendError::Conflict) => {
                assert!(newer(events, step, *after, u64::MAX), "refused for a reason");
            }
            Err(error) => panic!("{error}"),
        }
    }
    let written: usize = given.values().map(|(_, r)| usize::try_from(r.last + 1 - r.first).unwrap()).sum();
    assert_eq!(written, events.len(), "nothing stands there that was not acknowledged");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn a_log_keeps_its_promises_to_many_at_once(
        tasks in proptest::collection::vec(proptest::collection::vec(step(), 1..20), 1..12)
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
        runtime.block_on(async {
            let mut f = Fixture::new().await;
            let mut running = JoinSet::new();
            for steps in tasks {
                let log = f.log.clone();
                running.spawn(async move {
                    let mut answers = Vec::new();
                    for step in steps {
                        answers.push(send(&log, step).await);
                    }
                    answers
                });
            }
            let answers = running.join_all().await.concat();
            let events = everything(&f.log).await;
            check(&events);
            judge(&events, &answers);
            f.reopen().await;
            assert_eq!(everything(&f.log).await, events, "and is the same when it is opened again");
            f.log.close().await;
        });
    }
}
