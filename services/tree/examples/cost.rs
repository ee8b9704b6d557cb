//! What the audit tree costs: appends with it and without, a round, and proofs at a million events.
//!
//! `cargo run --release -p duban-tree --example cost [EVENTS] [FOLDER]`

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "it is there to print figures"
)]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use duban_domain::command::Context;
use duban_domain::{Caller, Event, PrincipalId, Role};
use duban_log::{Append, Condition, Log, LogOptions, NewEvent, Origin};
use duban_merkle::Algorithm;
use duban_tree::{Options, Store, Tree, TreeId};
use serde_json::json;
use uuid::Uuid;

/// Writers at once.
const WRITERS: u64 = 64;
/// How long appends are counted for.
const TURN: Duration = Duration::from_secs(4);
/// How often with and without, by turns.
const TURNS: usize = 5;

#[tokio::main]
async fn main() {
    let mut words = std::env::args().skip(1);
    let events: u64 = words.next().map_or(200_000, |word| word.parse().unwrap());
    let folder = words.next().map_or_else(tempfile::tempdir, tempfile::tempdir_in).unwrap();
    let log = Log::open(LogOptions::new(folder.path().join("log"))).await.unwrap();
    let next = Arc::new(AtomicU64::new(0));

    let (mut with, mut without) = (Vec::new(), Vec::new());
    for turn in 0..2 * TURNS {
        let tree = (turn % 2 == 0).then(|| start(&log, folder.path()));
        if let Some(tree) = &tree {
            caught_up(&log, tree).await;
        }
        let rate = load(&log, &next).await;
        if let Some(tree) = tree {
            with.push(rate);
            tree.close().await;
        } else {
            without.push(rate);
        }
    }
    println!(
        "appends a second with the tree {with:.0?}, without {without:.0?}: medians {:.0} and {:.0}",
        median(&with),
        median(&without)
    );

    while log.head().await.unwrap() < events {
        append(&log, &next, 500).await;
    }
    let (began, before) = (Instant::now(), next.load(Ordering::Relaxed));
    let tree = Tree::start(&log, options(&log, folder.path(), "anew"));
    caught_up(&log, &tree).await;
    let seconds = began.elapsed().as_secs_f64();
    let head = log.head().await.unwrap();
    println!(
        "built anew: {head} events in {seconds:.1} s, {:.0} a second",
        before.max(head) as f64 / seconds
    );

    let head = tree.published().unwrap().head;
    let mut took: Vec<Duration> = Vec::new();
    for n in 0..10_000_u64 {
        // Scattered over the whole tree.
        let index = n.wrapping_mul(0x9E37_79B9_7F4A_7C15) % head.size;
        let began = Instant::now();
        tree.store().inclusion(index, &head).unwrap();
        took.push(began.elapsed());
    }
    took.sort();
    println!(
        "inclusion at {}: p50 {:?}, p99 {:?}, worst {:?}",
        head.size, took[5_000], took[9_900], took[9_999]
    );
    tree.close().await;
}

fn options(log: &Log, folder: &Path, name: &str) -> Options {
    let id = TreeId::new(log.identity(), Algorithm::Sha256, None);
    Options {
        store: Store::of(folder.join(name), id),
        signer: folder.join(format!("{name}-signer")),
        witnesses: None,
    }
}

fn start(log: &Log, folder: &Path) -> Tree {
    Tree::start(log, options(log, folder, "tree"))
}

async fn caught_up(log: &Log, tree: &Tree) {
    let head = log.head().await.unwrap();
    let deadline = tokio::time::Instant::now() + Duration::from_mins(10);
    tree.covering(head, deadline).await.unwrap();
}

fn median(rates: &[f64]) -> f64 {
    let mut rates = rates.to_vec();
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

/// Appends of one event each, by many writers; how many a second.
async fn load(log: &Log, next: &Arc<AtomicU64>) -> f64 {
    let began = Instant::now();
    let before = next.load(Ordering::Relaxed);
    let writers: Vec<_> = (0..WRITERS)
        .map(|_| {
            let (log, next) = (log.clone(), Arc::clone(next));
            tokio::spawn(async move {
                while began.elapsed() < TURN {
                    append(&log, &next, 1).await;
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    (next.load(Ordering::Relaxed) - before) as f64 / began.elapsed().as_secs_f64()
}

async fn append(log: &Log, next: &AtomicU64, count: u64) {
    let first = next.fetch_add(count, Ordering::Relaxed);
    let request_id = Uuid::from_u128(u128::from(first) + 1);
    let new = |n: u64| {
        let context = Context::default();
        let data = json!({ "document": format!("documents/d{n}"), "title": "意见", "text": "一".repeat(80), "sha256": "00" });
        let event_type = "document.registered.v1";
        let body = json!({ "event": { "type": event_type, "data": data }, "context": {} }).to_string();
        let event = Event::decode(event_type, body.as_bytes()).unwrap().0;
        NewEvent {
            id: Uuid::from_u128(u128::from(n) + 1),
            nonce: [7; 32],
            event_type: event_type.to_owned(),
            effective_on: "2026-03-01".parse().unwrap(),
            tags: event.tags(&context),
            body: body.into_bytes().into(),
        }
    };
    let append = Append {
        origin: Origin {
            caller: Caller {
                principal: PrincipalId::parse("measure").unwrap(),
                role: Role::Supervisor,
                agency: None,
            },
            request_id,
            correlation: request_id,
            causation: None,
            trace_id: None,
        },
        fingerprint: [0; 32],
        events: (first..first + count).map(new).collect(),
        condition: Condition::default(),
        read_at: 0,
    };
    log.append(append).await.unwrap();
}
