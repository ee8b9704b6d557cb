use std::pin::Pin;
use std::time::Duration;

use duban_merkle::{Algorithm, Note, Policy, Quorum, SignatureLine, Verifier};

use super::*;
use crate::publisher::Unwitnessed;
use crate::testing::{Fixture, Kind, log, on_both};
use crate::witness::Standing;
use duban_merkle::proof::TreeHead;

/// However loaded the machine is.
const SOON: Duration = Duration::from_mins(1);

on_both! { async
    every_event_comes_under_a_signed_checkpoint
    what_was_acknowledged_is_covered_when_it_closes
    a_long_log_is_caught_up_with_in_rounds
    one_builds_and_the_other_reads_and_takes_over
    a_log_that_has_less_than_the_tree_stops_it
    another_history_of_the_same_length_stops_it
    a_storage_that_was_set_back_is_built_anew_but_not_signed_if_it_differs
    nothing_is_published_without_its_witnesses
}

fn options(fixture: &Fixture, name: &str, signer: &str) -> Options {
    of(fixture, TreeId::new(fixture.log.identity(), Algorithm::Sha256, None), name, signer)
}

fn of(fixture: &Fixture, id: TreeId, name: &str, signer: &str) -> Options {
    Options { store: fixture.grove(name).tree(id), signer: fixture.path(signer), witnesses: None }
}

fn start(fixture: &Fixture) -> Tree {
    Tree::start(&fixture.log, options(fixture, "tree", "signer"))
}

async fn covering(tree: &Tree, size: u64) -> Arc<Published> {
    tree.covering(size, Instant::now() + SOON).await.expect("a checkpoint in time")
}

async fn stopped(tree: &Tree) -> String {
    let mut status = tree.status();
    let stop = status.wait_for(|status| matches!(status.state, State::Stopped(_)));
    let status = tokio::time::timeout(SOON, stop).await.expect("it stops in time").unwrap().clone();
    let State::Stopped(why) = status.state else { panic!("{status:?}") };
    why
}

fn policy(tree: &Tree) -> Policy {
    let keys = tree.store().keys().unwrap();
    let keys: Vec<Verifier> = keys.iter().map(|key| key.parse().unwrap()).collect();
    Policy::new(&tree.id().origin, keys, Quorum::none()).unwrap()
}

async fn every_event_comes_under_a_signed_checkpoint(kind: Kind) {
    let fixture = log(kind).await;
    fixture.append(3).await;
    let tree = start(&fixture);
    let first = covering(&tree, 3).await;
    assert_eq!(first.head.size, 3);
    fixture.append(400).await;
    fixture.append(1).await;
    let second = covering(&tree, 404).await;
    let verified = policy(&tree).open(second.note.to_string().as_bytes()).unwrap();
    assert_eq!(verified.head(), second.head);
    for position in [1, 3, 4, 256, 257, 404] {
        let event = fixture.log.event(position).await.unwrap().unwrap();
        let proven = tree.store().inclusion(position - 1, &second.head).unwrap();
        assert_eq!(proven.leaf, event.leaf_bytes(Algorithm::Sha256).unwrap());
    }
    tree.store().consistency(3, 404, &second.head).unwrap();
    tree.close().await;
    assert_eq!(tree.store().checkpoint().unwrap().unwrap(), second.note.to_string().into_bytes());
}

async fn what_was_acknowledged_is_covered_when_it_closes(kind: Kind) {
    let fixture = log(kind).await;
    let tree = start(&fixture);
    covering(&tree, 0).await;
    fixture.append(1).await;
    covering(&tree, 1).await;
    // Within the second in which the next round gathers.
    fixture.append(300).await;
    tree.close().await;
    assert_eq!(Published::stored(tree.store(), fixture.log.now()).unwrap().unwrap().head.size, 301);
}

async fn a_long_log_is_caught_up_with_in_rounds(kind: Kind) {
    let fixture = log(kind).await;
    for _ in 0..50 {
        fixture.append(400).await;
    }
    let tree = start(&fixture);
    assert_eq!(covering(&tree, 20_000).await.head.size, 20_000);
    tree.close().await;
    // Reopened, what is published is known at once, and nothing is built again.
    let again = start(&fixture);
    assert_eq!(covering(&again, 20_000).await.head.size, 20_000);
    again.close().await;
}

async fn one_builds_and_the_other_reads_and_takes_over(kind: Kind) {
    let fixture = log(kind).await;
    let first = start(&fixture);
    covering(&first, 0).await;
    let second = start(&fixture);
    fixture.append(5).await;
    assert_eq!(covering(&second, 5).await.note, covering(&first, 5).await.note);
    assert_eq!(second.status().borrow().state, State::Reading);
    first.close().await;
    fixture.append(5).await;
    assert_eq!(covering(&second, 10).await.head.size, 10);
    second.close().await;
}

async fn a_log_that_has_less_than_the_tree_stops_it(kind: Kind) {
    let (long, short) = (log(kind).await, log(kind).await);
    long.append(10).await;
    let tree = start(&long);
    covering(&tree, 10).await;
    tree.close().await;
    short.append(4).await;
    // As if the log's database had been set back: tree and signer are those of the longer log.
    let tree = Tree::start(&short.log, of(&long, tree.id().clone(), "tree", "signer"));
    let why = stopped(&tree).await;
    assert!(why.contains("4 events") && why.contains("10"), "{why}");
    assert_eq!(tree.published().unwrap().head.size, 10, "what was published is still read");
    tree.close().await;
    assert!(matches!(tree.status().borrow().state, State::Stopped(_)));
}

async fn another_history_of_the_same_length_stops_it(kind: Kind) {
    let (one, other) = (log(kind).await, log(kind).await);
    one.append(10).await;
    let tree = start(&one);
    covering(&tree, 10).await;
    tree.close().await;
    other.append(9).await;
    other.append(3).await;
    let tree = Tree::start(&other.log, of(&one, tree.id().clone(), "tree", "signer"));
    let why = stopped(&tree).await;
    assert!(why.contains("event at 10"), "{why}");
}

async fn a_storage_that_was_set_back_is_built_anew_but_not_signed_if_it_differs(kind: Kind) {
    let (one, other) = (log(kind).await, log(kind).await);
    one.append(10).await;
    let tree = start(&one);
    covering(&tree, 10).await;
    tree.close().await;
    // Lost and built again from the true log: signed.
    let tree = Tree::start(&one.log, options(&one, "again", "signer"));
    covering(&tree, 10).await;
    tree.close().await;
    // Built again from a rewritten one: refused, and nothing is published.
    other.append(12).await;
    let tree = Tree::start(&other.log, of(&one, tree.id().clone(), "lie", "signer"));
    let why = stopped(&tree).await;
    assert!(why.contains("does not continue"), "{why}");
    assert_eq!(tree.published(), None);
    // And from one that was cut.
    let cut = log(kind).await;
    cut.append(9).await;
    let tree = Tree::start(&cut.log, of(&one, tree.id().clone(), "cut", "signer"));
    assert!(stopped(&tree).await.contains("one of 10 was signed"));
}

/// Witnesses who say no until they are asked for the n-th time.
struct Hesitant(AtomicUsize);

impl Witnesses for Hesitant {
    fn cosign<'a>(
        &'a self,
        _: &'a Note,
        _: TreeHead,
        _: &'a Arc<Store>,
    ) -> Pin<Box<dyn Future<Output = Result<Vec<SignatureLine>, Unwitnessed>> + Send + 'a>> {
        let left = self.0.fetch_sub(1, Ordering::Relaxed);
        Box::pin(async move { if left > 1 { Err(Unwitnessed("not yet".into())) } else { Ok(Vec::new()) } })
    }

    fn standings(&self) -> Vec<(String, Standing)> {
        Vec::new()
    }
}

async fn nothing_is_published_without_its_witnesses(kind: Kind) {
    let fixture = log(kind).await;
    fixture.append(2).await;
    let mut options = options(&fixture, "tree", "signer");
    options.witnesses = Some(Arc::new(Hesitant(AtomicUsize::new(2))));
    let tree = Tree::start(&fixture.log, options);
    let mut status = tree.status();
    let failing = status.wait_for(|status| matches!(status.state, State::Failing(_)));
    tokio::time::timeout(SOON, failing).await.unwrap().unwrap();
    assert_eq!(tree.published(), None);
    assert_eq!(covering(&tree, 2).await.head.size, 2);
    assert_eq!(tree.status().borrow().state, State::Building);
    tree.close().await;
}
