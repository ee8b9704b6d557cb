use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use duban_log::StoredEvent;
use duban_merkle::{Checkpoint, Signer};

use super::*;
use crate::store::Writer;
use crate::testing::{Home, Kind, event, serve};

const ALGORITHM: Algorithm = Algorithm::Sha256;

/// What a server shows, by path.
#[derive(Clone, Default)]
struct Shown(Arc<Mutex<BTreeMap<String, Vec<u8>>>>);

impl Shown {
    async fn url(&self) -> String {
        let shown = self.clone();
        serve(move |path, _| match shown.0.lock().unwrap().get(&path[1..]) {
            Some(bytes) => (200, "application/octet-stream", bytes.clone()),
            None => (404, "text/plain", Vec::new()),
        })
        .await
    }

    /// Shows a whole tree, under the origin of this signer.
    fn tree(&self, home: &Home, signer: &Signer) {
        let store = home.store();
        let size = store.size().unwrap();
        let head = store.head(size).unwrap();
        let checkpoint = Checkpoint::new(signer.verifier().name().as_str(), head).unwrap();
        let note = checkpoint.sign(&[signer]).unwrap().to_string().into_bytes();
        let mut shown = self.0.lock().unwrap();
        *shown = BTreeMap::from([("checkpoint".to_owned(), note)]);
        for tile in tile::entries(size).chain(tile::hashes(size)) {
            shown.insert(tile.to_string(), store.file(&tile.to_string()).unwrap().unwrap());
        }
    }

    /// Shows something else in the place of a file.
    fn instead(&self, path: &str, change: impl FnOnce(&mut Vec<u8>)) {
        change(self.0.lock().unwrap().get_mut(path).unwrap());
    }
}

/// A tree of these events.
fn tree(events: impl IntoIterator<Item = StoredEvent>) -> Home {
    let home = Kind::Folder.home();
    append(&mut home.writer(), events);
    home
}

fn append(writer: &mut Writer, events: impl IntoIterator<Item = StoredEvent>) {
    for event in events {
        writer.append(event.leaf_bytes(ALGORITHM).unwrap()).unwrap();
    }
    writer.commit().unwrap();
}

fn signer(epoch: u8) -> Signer {
    Signer::ed25519(format!("duban/logs/1/epochs/{epoch}").parse().unwrap(), &[epoch; 32]).unwrap()
}

/// Who trusts both epochs.
fn watch(url: &str) -> Watch {
    let keys = [1, 2].map(|epoch| signer(epoch).verifier().clone()).to_vec();
    Watch::new(url, ALGORITHM, Trust { keys, ..Trust::default() }, None)
}

#[track_caller]
fn broken(looked: Result<Seen, WatchError>, why: &str) {
    match looked {
        Err(WatchError::Broken(what)) => assert!(what.contains(why), "{what}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_only_grows_is_believed() {
    let (shown, first) = (Shown::default(), signer(1));
    let mut watch = watch(&shown.url().await);
    assert!(matches!(watch.look().await, Err(WatchError::Away(_))), "nothing is published");
    let home = tree((1..=3).map(event));
    shown.tree(&home, &first);
    assert_eq!(watch.look().await.unwrap().before, None);
    append(&mut home.writer(), (4..=600).map(event));
    shown.tree(&home, &first);
    let seen = watch.look().await.unwrap();
    assert_eq!((seen.before.map(|head| head.size), seen.leaves), (Some(3), 597));
    assert_eq!(watch.look().await.unwrap().leaves, 0);
}

#[tokio::test]
async fn another_tree_is_not_taken_for_the_one_that_was_watched() {
    let (shown, first) = (Shown::default(), signer(1));
    let mut watch = watch(&shown.url().await);
    shown.tree(&tree((1..=8).map(event)), &first);
    watch.look().await.unwrap();
    shown.tree(&tree((1..=8).map(event)), &signer(2));
    broken(watch.look().await, "was watched");
    shown.tree(&tree((1..=7).map(event)), &first);
    broken(watch.look().await, "set back");
    let changed =
        |at: u64| (1..=at).map(|position| StoredEvent { actor: "somebody".to_owned(), ..event(position) });
    shown.tree(&tree(changed(8)), &first);
    broken(watch.look().await, "has two roots");
    shown.tree(&tree(changed(9)), &first);
    broken(watch.look().await, "does not continue");
    // What was believed stays what it was.
    shown.tree(&tree((1..=9).map(event)), &first);
    assert_eq!(watch.look().await.unwrap().leaves, 1);
}

#[tokio::test]
async fn a_tree_that_contradicts_itself_is_not_believed() {
    let (shown, first) = (Shown::default(), signer(1));
    let url = shown.url().await;
    shown.tree(&tree((1..=8).map(event)), &first);
    shown.instead("tile/0/000.p/8", |tile| tile[0] ^= 1);
    broken(watch(&url).look().await, "does not continue");

    let mut watch = watch(&url);
    shown.tree(&tree((1..=3).map(event)), &first);
    watch.look().await.unwrap();
    // Leaves that are well signed, and no leaves of their places.
    shown.tree(&tree((1..=7).chain([7]).map(event)), &first);
    broken(watch.look().await, "stands where");
    // The hashes are those that were signed, the leaves aren't.
    let other = tree((1..=7).map(event).chain([StoredEvent { role: "auditor".to_owned(), ..event(8) }]));
    shown.tree(&tree((1..=8).map(event)), &first);
    let bundle = other.store().file("tile/entries/000.p/8").unwrap().unwrap();
    shown.instead("tile/entries/000.p/8", |entries| *entries = bundle);
    broken(watch.look().await, "is signed");
    shown.tree(&tree((1..=8).map(event)), &first);
    assert_eq!(watch.look().await.unwrap().leaves, 5);
}
