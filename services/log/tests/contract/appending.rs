//! One append after another.

use duban_domain::Timestamp;
use duban_log::{AppendError, Appended, Receipt};
use duban_merkle::{Algorithm, Commitment};
use jiff::SignedDuration;

use crate::support::{Fixture, append, caller, conditional, everything, raw, request, tag};

pub(crate) async fn positions_are_dense_from_one(f: &Fixture) {
    assert_eq!(f.log.head().await.unwrap(), 0);
    let first = f.log.append(append(1, &[&["a"], &["a", "b"]])).await.unwrap().receipt();
    let second = f.log.append(append(2, &[&["b"]])).await.unwrap().receipt();
    assert_eq!((first.first, first.last), (1, 2));
    assert_eq!((second.first, second.last), (3, 3));
    assert_eq!(f.log.head().await.unwrap(), 3);
    let previous: Vec<_> = everything(&f.log).await.iter().map(|e| e.tags.last().unwrap().previous).collect();
    assert_eq!(previous, [0, 0, 2]);
}

pub(crate) async fn a_condition_lets_through_what_is_as_it_was_read(f: &Fixture) {
    f.log.append(append(1, &[&["a"], &["b"]])).await.unwrap();
    let done = f.log.append(conditional(2, &[&["a"]], &["a"], 1)).await.unwrap();
    assert_eq!(done.receipt().first, 3);
}

pub(crate) async fn a_condition_refuses_what_has_changed(f: &Fixture) {
    f.log.append(append(1, &[&["a"], &["b"]])).await.unwrap();
    let refused = f.log.append(conditional(2, &[&["c"]], &["c", "b"], 1)).await;
    assert!(matches!(refused, Err(AppendError::Conflict)), "{refused:?}");
    assert_eq!(f.log.head().await.unwrap(), 2);
    assert_eq!(f.log.receipt("tester", request(2)).await.unwrap(), None);
}

pub(crate) async fn a_condition_on_nothing_refuses_a_second_first(f: &Fixture) {
    f.log.append(conditional(1, &[&["name:x"]], &["name:x"], 0)).await.unwrap();
    let refused = f.log.append(conditional(2, &[&["name:x"]], &["name:x"], 0)).await;
    assert!(matches!(refused, Err(AppendError::Conflict)), "{refused:?}");
}

pub(crate) async fn a_condition_says_for_each_tag_how_far_it_was_read(f: &Fixture) {
    f.log.append(append(1, &[&["a"], &["b"], &["c"]])).await.unwrap();
    let mut both = append(2, &[&["a"]]);
    both.condition.read = vec![(tag("a"), 1), (tag("b"), 2)];
    assert_eq!(f.log.append(both).await.unwrap().receipt().first, 4);
    let mut stale = append(3, &[&["a"]]);
    stale.condition.read = vec![(tag("a"), 1), (tag("b"), 2)];
    assert!(matches!(f.log.append(stale).await, Err(AppendError::Conflict)));
}

pub(crate) async fn the_same_request_is_answered_alike_and_written_once(f: &Fixture) {
    let first = f.log.append(append(1, &[&["a"]])).await.unwrap();
    f.log.append(append(2, &[&["a"]])).await.unwrap();
    f.clock.advance(SignedDuration::from_hours(1));
    let again = f.log.append(append(1, &[&["a"]])).await.unwrap();
    assert_eq!((first, again), (Appended::Now(first.receipt()), Appended::Before(first.receipt())));
    assert_eq!(f.log.head().await.unwrap(), 2);
}

pub(crate) async fn a_retry_is_answered_although_its_condition_no_longer_holds(f: &Fixture) {
    let first = f.log.append(conditional(1, &[&["a"]], &["a"], 0)).await.unwrap();
    let again = f.log.append(conditional(1, &[&["a"]], &["a"], 0)).await.unwrap();
    assert_eq!(again, Appended::Before(first.receipt()));
}

pub(crate) async fn a_request_id_is_not_reused_for_another_command(f: &Fixture) {
    f.log.append(append(1, &[&["a"]])).await.unwrap();
    let mut other = append(1, &[&["a"]]);
    other.fingerprint = [99; 32];
    let refused = f.log.append(other).await;
    assert!(matches!(refused, Err(AppendError::RequestIdReused)), "{refused:?}");
    assert_eq!(f.log.head().await.unwrap(), 1);
}

pub(crate) async fn a_request_id_is_a_principals_own(f: &Fixture) {
    f.log.append(append(1, &[&["a"]])).await.unwrap();
    let mut other = append(1, &[&["a"]]);
    other.origin.caller = caller("another");
    assert_eq!(f.log.append(other).await.unwrap().receipt().first, 2);
    assert_eq!(f.log.receipt("tester", request(1)).await.unwrap().unwrap().receipt.first, 1);
    assert_eq!(f.log.receipt("another", request(1)).await.unwrap().unwrap().receipt.first, 2);
    assert_eq!(f.log.receipt("nobody", request(1)).await.unwrap(), None);
}

pub(crate) async fn what_changed_nothing_has_a_receipt_at_its_head(f: &Fixture) {
    f.log.append(append(1, &[&["a"]])).await.unwrap();
    let mut nothing = append(2, &[]);
    nothing.read_at = 1;
    let Receipt { first, last, .. } = f.log.append(nothing.clone()).await.unwrap().receipt();
    assert_eq!((first, last), (2, 1));
    f.log.append(append(3, &[&["a"]])).await.unwrap();
    nothing.read_at = 2;
    let again = f.log.append(nothing).await.unwrap();
    assert!(
        matches!(again, Appended::Before(receipt) if receipt.is_empty() && receipt.last == 1),
        "{again:?}"
    );
}

pub(crate) async fn a_body_is_kept_byte_for_byte(f: &Fixture) {
    let long = vec![b'x'; 200_000];
    let bodies: [&[u8]; 4] = [b"", b"{\"a\": \"\\u0000\"}", b"\x00\xff\xfe not text", &long];
    for (id, body) in (1..).zip(bodies) {
        let mut one = append(id, &[]);
        one.events = vec![raw("test.happened.v1", &["a"], body)];
        f.log.append(one).await.unwrap();
    }
    let kept: Vec<_> = everything(&f.log).await.iter().map(|event| event.body.to_vec()).collect();
    assert_eq!(kept, bodies);
}

pub(crate) async fn the_envelope_is_kept_whole(f: &Fixture) {
    let mut one = append(1, &[&["a", "b"]]);
    one.origin.caller.agency = "agencies/finance".parse().ok();
    one.origin.correlation = request(77);
    one.origin.causation = Some(1);
    one.origin.trace_id = Some("0af7651916cd43dd8448eb211c80319c".into());
    let (new, command) = (one.events[0].clone(), one.fingerprint);
    f.log.append(one).await.unwrap();
    let stored = f.log.event(1).await.unwrap().unwrap();
    let told = stored.leaf(Algorithm::Sha256).command;
    assert_eq!((stored.id, stored.nonce, stored.effective_on), (new.id, new.nonce, new.effective_on));
    assert_eq!(
        (stored.event_type, stored.actor, stored.role),
        (new.event_type, "tester".into(), "supervisor".into())
    );
    assert_eq!(stored.agency.as_deref(), Some("agencies/finance"));
    assert_eq!((stored.request_id, stored.correlation, stored.causation), (request(1), request(77), Some(1)));
    assert_eq!(stored.trace_id.as_deref(), Some("0af7651916cd43dd8448eb211c80319c"));
    assert_eq!(stored.fingerprint, Some(command));
    let committed = Commitment::new(Algorithm::Sha256, &new.nonce, &command);
    assert_eq!(told, Some(committed), "a receipt can't be altered unseen");
    assert_eq!(stored.tags.iter().map(|filed| filed.tag.clone()).collect::<Vec<_>>(), new.tags);
}

pub(crate) async fn times_never_go_back(f: &Fixture) {
    let first = f.log.append(append(1, &[&["a"]])).await.unwrap().receipt().recorded_at;
    f.clock.set(Timestamp::UNIX_EPOCH);
    let second = f.log.append(append(2, &[&["a"]])).await.unwrap().receipt().recorded_at;
    assert!(second > first);
}
