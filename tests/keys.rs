//! Keys of a real server that hand over: who was given the first one follows to the last one, offline.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use duban_log::{Log, LogOptions};
use duban_merkle::{Note, Policy, Quorum, Verifier};
use duban_tree::keys::{Change, Ring, trusted};
use serde_json::Value;

use crate::support::keys::{key, keys, one};
use crate::support::{As, DUBAN, PATIENCE, Place, Process, events, get, ready};

/// The published checkpoint, once it covers all that the log has.
async fn covered(server: &Process) -> Note {
    let auditor = As::on(server.channel(), "auditor-1", "auditor", None);
    let head = events(&auditor).await.last().map_or(0, |event| event.position);
    let until = Instant::now() + PATIENCE;
    loop {
        let (status, note) = get(server.admin, "/checkpoint").await;
        let size = note.lines().nth(1).and_then(|size| size.parse().ok()).unwrap_or(0_u64);
        if status == 200 && size >= head && head > 0 {
            return Note::parse(note.as_bytes()).unwrap();
        }
        assert!(Instant::now() < until, "no checkpoint of {head}: {status} {note}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn signed_by(note: &Note, keys: &[&Verifier]) -> Vec<bool> {
    keys.iter().map(|key| note.verify(&[key]).is_ok()).collect()
}

fn tree(place: &Place) -> PathBuf {
    let trees = std::fs::read_dir(place.folder().join("tree")).unwrap();
    trees.map(|entry| entry.unwrap().path()).next().expect("a tree")
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_given_the_first_key_follows_to_the_last() {
    let place = Place::new().await;
    let server = Process::start(&place).await;
    ready(server.admin).await;
    let first = &keys(server.admin).await[0];
    assert_eq!(first["stage"], "FIRST", "no event tells of it");
    let first: Verifier = first["key"].as_str().unwrap().parse().unwrap();
    let alone = key(server.admin, &["retire", &format!("{:08x}", first.id())]);
    assert_eq!(alone.status.code(), Some(5), "a log is never signed by nobody");

    let second = one(&key(server.admin, &["announce"]));
    let overlap = covered(&server).await;
    assert_eq!(signed_by(&overlap, &[&first, &second]), [true, true]);
    assert_eq!(one(&key(server.admin, &["retire", &format!("{:08x}", first.id())])), first);
    let handover = covered(&server).await;
    assert_eq!(signed_by(&handover, &[&first, &second]), [true, true]);
    let third = one(&key(server.admin, &["announce"]));
    let after = covered(&server).await;
    assert_eq!(signed_by(&after, &[&first, &second, &third]), [false, true, true]);
    server.terminate().await;

    // Another process goes on with the keys as they stand.
    let server = Process::start(&place).await;
    let stages: Vec<Value> = keys(server.admin).await.into_iter().map(|row| row["stage"].clone()).collect();
    assert_eq!(stages.iter().filter(|stage| **stage == "RETIRED").count(), 1, "{stages:?}");
    one(&key(server.admin, &["retire", &format!("{:08x}", second.id())]));
    covered(&server).await;
    one(&key(server.admin, &["announce"]));
    let last = covered(&server).await;
    assert_eq!(signed_by(&last, &[&first, &second, &third]), [false, false, true]);
    server.terminate().await;

    // As an auditor types it, who was given the first key long ago.
    let verify = |key: &Verifier| {
        let data = place.folder().to_str().unwrap().to_owned();
        let typed = ["verify", "--data", &data, "--no-views", "--key", &key.to_string()].map(str::to_owned);
        Command::new(DUBAN).args(typed).output().expect("the binary runs")
    };
    let sound = verify(&first);
    assert!(sound.status.success(), "{}", String::from_utf8_lossy(&sound.stderr));
    let (kept, gone) = (tree(&place).join("handovers"), tree(&place).join("gone"));
    std::fs::rename(&kept, &gone).unwrap();
    assert_eq!(
        verify(&first).status.code(),
        Some(7),
        "without the handovers nobody vouches for the new keys"
    );
    assert!(verify(&third).status.success());
    std::fs::rename(&gone, &kept).unwrap();

    // The same by the parts of it: the log's events, the handovers, the first key.
    let log = Log::open(LogOptions::new(place.folder())).await.unwrap();
    let page = log.read(0, 1000).await.unwrap();
    log.close().await;
    let origin = first.name().as_str();
    let changes = page.events.iter().filter_map(|event| Change::of(origin, event).unwrap());
    let ring = Ring::of(changes.collect());
    let store = duban_tree::Store::open(tree(&place)).unwrap();
    let handovers: Vec<Note> =
        store.handovers().unwrap().iter().map(|bytes| Note::parse(bytes).unwrap()).collect();
    assert_eq!(handovers.len(), 2);
    let trusted = trusted(origin, std::slice::from_ref(&first), &ring, &handovers);
    let size: u64 = last.text().lines().nth(1).unwrap().parse().unwrap();
    assert!(!trusted.at(size).contains(&first) && trusted.at(size).contains(&third));
    for verified in &trusted.rests_on {
        let head = verified.head();
        assert_eq!(store.head_within(head.size, size).unwrap(), head, "the root is right at its size");
    }
    let policy = Policy::new(origin, trusted.at(size), Quorum::none()).unwrap();
    assert_eq!(policy.verify(last).unwrap().head().size, size);
    let untold = Policy::new(origin, vec![first.clone()], Quorum::none()).unwrap();
    assert!(untold.verify(Note::parse(&store.checkpoint().unwrap().unwrap()).unwrap()).is_err());
}
