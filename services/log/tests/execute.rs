//! From a command to its outcome, on a real rule.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod support;

use std::collections::BTreeSet;

use duban_domain::Reason;
use duban_log::{ExecuteError, Request};
use jiff::SignedDuration;
use support::domain::{add_alias, agency, call, names, register, rename};
use support::{Fixture, check, everything, request};
use tokio::task::JoinSet;

#[tokio::test]
async fn a_command_is_decided_and_answered_with_the_state_after_it() {
    let f = Fixture::new().await;
    let registered = f.log.execute(&call(1), register(Some("finance"), "省财政厅")).await.unwrap();
    let receipt = registered.receipt.unwrap();
    assert_eq!((receipt.first, receipt.last, registered.position), (1, 1, 1));
    assert_eq!(names(&registered, "finance"), ["省财政厅"]);
    let stored = f.log.event(1).await.unwrap().unwrap();
    assert_eq!((stored.request_id, stored.correlation), (request(1), request(1)));
    assert_eq!(stored.recorded_at, receipt.recorded_at);
}

#[tokio::test]
async fn the_state_in_an_answer_is_the_state_in_the_log() {
    let f = Fixture::new().await;
    f.log.execute(&call(1), register(Some("finance"), "one")).await.unwrap();
    for n in 2..20 {
        let outcome = f.log.execute(&call(n), add_alias("finance", &format!("alias {n}"))).await.unwrap();
        let subject = duban_domain::Command::subject(&outcome.command);
        let folded = f.log.fold(&[subject], outcome.position).await.unwrap();
        assert_eq!(outcome.world.agency(&agency("finance")), folded.agency(&agency("finance")));
    }
}

#[tokio::test]
async fn an_id_left_out_is_the_same_on_every_try() {
    let f = Fixture::new().await;
    let first = f.log.execute(&call(1), register(None, "one")).await.unwrap();
    let again = f.log.execute(&call(1), register(None, "one")).await.unwrap();
    assert_eq!(first.command, again.command);
    assert_eq!(first.receipt, again.receipt);
    assert_eq!(f.log.head().await.unwrap(), 1);
}

#[tokio::test]
async fn a_retry_gets_the_first_answer_whatever_happened_since() {
    let mut f = Fixture::new().await;
    let first = f.log.execute(&call(1), register(Some("finance"), "one")).await.unwrap();
    let second = f.log.execute(&call(2), add_alias("finance", "two")).await.unwrap();
    f.log.execute(&call(3), add_alias("finance", "three")).await.unwrap();
    f.clock.advance(SignedDuration::from_hours(500));
    for reopened in [false, true] {
        if reopened {
            f.reopen().await;
        }
        let again = f.log.execute(&call(1), register(Some("finance"), "one")).await.unwrap();
        assert_eq!((again.receipt, again.position), (first.receipt, 1));
        assert_eq!(again.world.agency(&agency("finance")), first.world.agency(&agency("finance")));
        let again = f.log.execute(&call(2), add_alias("finance", "two")).await.unwrap();
        assert_eq!((again.receipt, again.position), (second.receipt, 2));
        assert_eq!(again.world.agency(&agency("finance")), second.world.agency(&agency("finance")));
    }
    assert_eq!(f.log.head().await.unwrap(), 3);
}

#[tokio::test]
async fn what_is_so_already_is_acknowledged_and_not_recorded() {
    let f = Fixture::new().await;
    f.log.execute(&call(1), register(Some("finance"), "one")).await.unwrap();
    f.log.execute(&call(2), add_alias("finance", "two")).await.unwrap();
    let nothing = f.log.execute(&call(3), add_alias("finance", "two")).await.unwrap();
    let receipt = nothing.receipt.unwrap();
    assert_eq!((receipt.first, receipt.last, nothing.position), (3, 2, 2));
    f.log.execute(&call(4), add_alias("finance", "three")).await.unwrap();
    let again = f.log.execute(&call(3), add_alias("finance", "two")).await.unwrap();
    assert_eq!(again.receipt, nothing.receipt);
    assert_eq!(again.world.agency(&agency("finance")), nothing.world.agency(&agency("finance")));
    assert_eq!(f.log.head().await.unwrap(), 3);
}

#[tokio::test]
async fn a_refusal_leaves_nothing_behind() {
    let f = Fixture::new().await;
    f.log.execute(&call(1), register(Some("finance"), "one")).await.unwrap();
    let before = everything(&f.log).await;
    let refused = f.log.execute(&call(2), register(Some("finance"), "two")).await.err().unwrap();
    assert!(matches!(refused, ExecuteError::Rejected(no) if no.reason == Reason::AgencyExists));
    assert_eq!(f.log.receipt("tester", request(2)).await.unwrap(), None);
    assert_eq!(everything(&f.log).await, before);
    // The same request may come again with what is right.
    f.log.execute(&call(2), register(Some("education"), "two")).await.unwrap();
}

#[tokio::test]
async fn a_request_id_is_not_reused() {
    let f = Fixture::new().await;
    f.log.execute(&call(1), register(Some("finance"), "one")).await.unwrap();
    f.log.execute(&call(2), add_alias("finance", "two")).await.unwrap();
    let other_rpc = Request { rpc: "duban.agencies.v1.AgencyService/Other", ..call(1) };
    let other_day = Request { effective_on: "2026-01-01".parse().ok(), ..call(1) };
    let same = || register(Some("finance"), "one");
    let reused = [
        f.log.execute(&call(1), add_alias("finance", "three")).await.map(|_| ()),
        f.log.execute(&call(1), register(Some("finance"), "other")).await.map(|_| ()),
        // Also where the other command would change nothing, or only asks.
        f.log.execute(&call(1), add_alias("finance", "two")).await.map(|_| ()),
        f.log
            .execute(&Request { validate_only: true, ..call(1) }, add_alias("finance", "x"))
            .await
            .map(|_| ()),
        f.log.execute(&other_rpc, same()).await.map(|_| ()),
        f.log.execute(&other_day, same()).await.map(|_| ()),
    ];
    assert!(reused.iter().all(|r| matches!(r, Err(ExecuteError::RequestIdReused))), "{reused:?}");
    assert_eq!(f.log.head().await.unwrap(), 2);
}

#[tokio::test]
async fn what_is_only_asked_is_not_stored() {
    let f = Fixture::new().await;
    f.log.execute(&call(1), register(Some("finance"), "one")).await.unwrap();
    let ask = Request { validate_only: true, ..call(2) };
    let asked = f.log.execute(&ask, rename("finance", "two")).await.unwrap();
    assert_eq!((asked.receipt, asked.position), (None, 1));
    assert!(names(&asked, "finance").contains(&"two".to_owned()));
    assert_eq!(f.log.head().await.unwrap(), 1);
    let refused = f.log.execute(&ask, register(Some("finance"), "x")).await.err().unwrap();
    assert!(matches!(refused, ExecuteError::Rejected(_)));
    let done = f.log.execute(&call(2), rename("finance", "two")).await.unwrap();
    assert_eq!(names(&done, "finance"), names(&asked, "finance"));
}

#[tokio::test]
async fn a_stale_etag_is_refused_and_a_current_one_is_not() {
    let f = Fixture::new().await;
    f.log.execute(&call(1), register(Some("finance"), "one")).await.unwrap();
    f.log.execute(&call(2), add_alias("finance", "two")).await.unwrap();
    let with = |n, etag: &str| Request { etag: Some(etag.to_owned()), ..call(n) };
    let stale = f.log.execute(&with(3, "\"1\""), add_alias("finance", "three")).await.err().unwrap();
    assert!(matches!(stale, ExecuteError::Rejected(no) if no.reason == Reason::EtagMismatch));
    f.log.execute(&with(4, "\"2\""), add_alias("finance", "three")).await.unwrap();
}

#[tokio::test]
async fn a_refusal_rests_on_what_others_have_written() {
    let f = Fixture::new().await;
    f.log.execute(&call(1), register(Some("finance"), "one")).await.unwrap();
    // Written past the folds that are kept: as another process would.
    f.log.append(support::domain::unruled(2, &support::domain::renamed("finance", "two"))).await.unwrap();
    let etag = Request { etag: Some("\"2\"".into()), ..call(3) };
    f.log.execute(&etag, add_alias("finance", "three")).await.unwrap();
    check(&everything(&f.log).await);
}

#[tokio::test]
async fn what_is_kept_and_stale_is_read_anew() {
    let f = Fixture::new().await;
    f.log.execute(&call(1), register(Some("finance"), "one")).await.unwrap();
    f.log.append(support::domain::unruled(2, &support::domain::renamed("finance", "two"))).await.unwrap();
    let outcome = f.log.execute(&call(3), add_alias("finance", "three")).await.unwrap();
    assert_eq!(outcome.position, 3);
    assert!(names(&outcome, "finance").contains(&"two".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_same_request_a_hundred_times_at_once_has_one_answer() {
    let f = Fixture::new().await;
    let mut tasks = JoinSet::new();
    for _ in 0..100 {
        let log = f.log.clone();
        tasks.spawn(async move { log.execute(&call(1), register(Some("finance"), "one")).await.unwrap() });
    }
    for outcome in tasks.join_all().await {
        assert_eq!(outcome.receipt.map(|receipt| (receipt.first, receipt.last)), Some((1, 1)));
        assert_eq!(names(&outcome, "finance"), ["one"]);
    }
    assert_eq!(f.log.head().await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_64_that_want_one_name_one_gets_it() {
    let f = Fixture::new().await;
    let mut tasks = JoinSet::new();
    for n in 0..64 {
        let log = f.log.clone();
        let command = register(Some(&format!("a{n}")), "the same");
        tasks.spawn(async move { log.execute(&call(n), command).await.map(|_| ()) });
    }
    let answers = tasks.join_all().await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    let taken = |e: &ExecuteError| matches!(e, ExecuteError::Rejected(no) if no.reason == Reason::NameTaken);
    assert!(answers.iter().filter_map(|answer| answer.as_ref().err()).all(taken), "{answers:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn unrelated_commands_do_not_meet() {
    let f = Fixture::new().await;
    let mut tasks = JoinSet::new();
    for n in 0..64_u128 {
        let log = f.log.clone();
        tasks.spawn(async move {
            let id = format!("a{n}");
            log.execute(&call(1000 * n), register(Some(&id), &format!("name {n}"))).await.unwrap();
            for alias in 1..10 {
                let command = add_alias(&id, &format!("alias {n} {alias}"));
                log.execute(&call(1000 * n + alias), command).await.unwrap();
            }
        });
    }
    tasks.join_all().await;
    let events = everything(&f.log).await;
    check(&events);
    assert_eq!(events.len(), 640);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn commands_on_one_subject_take_turns_and_none_is_lost() {
    let f = Fixture::new().await;
    f.log.execute(&call(1), register(Some("finance"), "one")).await.unwrap();
    let mut tasks = JoinSet::new();
    for n in 2..50 {
        let log = f.log.clone();
        tasks.spawn(async move {
            let outcome = log.execute(&call(n), add_alias("finance", &format!("alias {n}"))).await;
            // Others were faster, again and again; but each gets its turn before it gives up.
            outcome.unwrap().receipt.unwrap().first
        });
    }
    let positions: BTreeSet<_> = tasks.join_all().await.into_iter().collect();
    assert_eq!(positions, (2..50).collect());
    let world = f.log.fold(&[duban_domain::Subject::Agency(agency("finance"))], 49).await.unwrap();
    assert_eq!(world.agency(&agency("finance")).unwrap().aliases.len(), 48);
}
