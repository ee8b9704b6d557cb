//! `duban verify --watch` against running servers: what one publishes continues what was seen, or it is told.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::scene::{Verified, copy, duban};
use crate::support::keys::hand_over;
use crate::support::{Office, Place, context, get};

/// How long the server may take to publish what it has.
const PATIENCE: Duration = Duration::from_mins(1);

/// A look at a server.
fn look(office: &Office, key: &str, state: &Path) -> Verified {
    let (url, state) = (format!("http://{}", office.admin()), state.display().to_string());
    Verified(duban(&["verify", "--watch", &url, "--key", key, "--state", &state, "--once", "-o", "json"]))
}

/// Waits until the server has published a checkpoint of all that it has.
async fn published(office: &Office) -> u64 {
    let head = office.head().await;
    let covered = async {
        loop {
            let answer = get(office.admin(), "/checkpoint").await;
            if answer.1.lines().nth(1) == Some(&head.to_string()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, covered).await.expect("a checkpoint of the head");
    head
}

/// The key that a server signs with.
fn key(data: &Path) -> String {
    let tree = std::fs::read_dir(data.join("tree")).expect("trees").next().expect("a tree").expect("a tree");
    let keys = std::fs::read_to_string(tree.path().join("keys")).expect("keys");
    keys.lines().next().expect("a key").to_owned()
}

fn said(verified: &Verified) -> Value {
    verified.sound()
}

#[track_caller]
fn broken(verified: &Verified, why: &str) {
    assert_eq!(verified.0.status.code(), Some(7), "{}", verified.said());
    assert!(verified.said().contains(why), "{}", verified.said());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_is_watched_until_it_is_set_back_or_forks() {
    let mut office = Office::open().await;
    office.register_agencies(&["a", "b"]).await;
    let first = published(&office).await;
    let key = key(office.folder());
    let states = tempfile::tempdir().expect("a folder");
    let state = states.path().join("state");
    let seen = said(&look(&office, &key, &state));
    assert_eq!((&seen["size"], &seen["before"]), (&first.into(), &Value::Null));
    assert_eq!(said(&look(&office, &key, &state))["leaves"], 0);
    office.close().await;
    let back = tempfile::tempdir().expect("a folder");
    copy(office.folder(), back.path());
    let fork = tempfile::tempdir().expect("a folder");
    copy(office.folder(), fork.path());

    office.restart().await;
    office.register_agencies(&["c", "d"]).await;
    let second = published(&office).await;
    let seen = said(&look(&office, &key, &state));
    assert_eq!(
        (&seen["size"], &seen["before"], &seen["leaves"]),
        (&second.into(), &first.into(), &(second - first).into())
    );

    let mut other = Office::open_at(Place::Folder(back), "2026-03-02").await;
    published(&other).await;
    broken(&look(&other, &key, &state), "set back");
    other.close().await;
    let mut other = Office::open_at(Place::Folder(fork), "2026-03-02").await;
    for task in ["x", "y", "z"] {
        other.supervisor().propose(context(), Some(task)).await.expect("proposed");
    }
    published(&other).await;
    broken(&look(&other, &key, &state), "contradicts itself");
    other.close().await;

    // What is not signed by the key is not believed, and what can't be reached is no fault of the log.
    let name = key.split('+').next().expect("a name").parse().expect("a name");
    let stranger = duban_merkle::Signer::ed25519(name, &[7; 32]).expect("a key");
    broken(&look(&office, &stranger.verifier().to_string(), &states.path().join("other")), "not signed");
    let gone = format!("http://{}", office.admin());
    office.close().await;
    let state = state.display().to_string();
    let asked = ["verify", "--watch", &gone, "--key", &key, "--state", &state, "--once"];
    assert_eq!(duban(&asked).status.code(), Some(6));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_watches_follows_the_keys_that_hand_over() {
    let office = Office::open().await;
    office.register_agencies(&["a"]).await;
    let before = published(&office).await;
    let states = tempfile::tempdir().expect("a folder");
    let state = |name: &str| states.path().join(name);
    let given = key(office.folder());
    said(&look(&office, &given, &state("from-the-first")));
    let (first, second) = hand_over(office.admin()).await;
    assert_eq!(first.to_string(), given);
    published(&office).await;
    office.register_agencies(&["b"]).await;
    let after = published(&office).await;
    // By the key of then, from what was seen before, again from what only the key of now has signed, and anew.
    let seen = said(&look(&office, &given, &state("from-the-first")));
    assert_eq!((&seen["before"], &seen["size"]), (&before.into(), &after.into()));
    assert_eq!(said(&look(&office, &given, &state("from-the-first")))["before"], after);
    said(&look(&office, &given, &state("anew")));
    said(&look(&office, &second.to_string(), &state("of-now")));

    // Without what vouches for the new key nobody believes it, and a handover that is forged vouches for nobody.
    let tree = std::fs::read_dir(office.folder().join("tree")).expect("trees").next().expect("a tree");
    let file = tree.expect("a tree").path().join("handovers.json");
    let shown = std::fs::read_to_string(&file).expect("handovers");
    let stranger = duban_merkle::Signer::ed25519(second.name().clone(), &[7; 32]).expect("a key");
    let forged = shown.replace(&second.to_string(), &stranger.verifier().to_string());
    assert_ne!(forged, shown);
    for handovers in ["[]", &forged] {
        std::fs::write(&file, handovers).expect("written");
        broken(&look(&office, &given, &state("from-the-first")), "not signed");
        broken(&look(&office, &given, &state("never-believed")), "not signed");
    }
    std::fs::write(&file, &shown).expect("written");
    said(&look(&office, &given, &state("from-the-first")));
    office.verify().await;
}
