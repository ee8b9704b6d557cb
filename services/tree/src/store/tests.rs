use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};

use duban_log::Location;
use duban_merkle::tile::{entries, hashes};
use duban_merkle::{Algorithm, Checkpoint, Frontier, Signer, inclusion};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use sqlx::Row as _;
use tempfile::tempdir;

use super::*;
use crate::testing::{Home, Kind, grow, id, leaf, on_both};

on_both! {
    what_grew_in_rounds_and_was_reopened_is_what_was_built_at_once
    a_large_tree_has_tiles_of_three_rows
    a_crash_before_the_size_is_stored_changes_nothing
    one_writes_and_others_read
    a_storage_of_another_tree_is_refused
    damage_at_the_edge_is_named
    a_changed_leaf_in_the_middle_has_no_proof
    a_partial_tile_that_was_superseded_is_not_shown
    a_partial_tile_is_cut_from_what_is_there
    proofs_at_every_size_verify
    any_rounds_give_the_same_tree
    what_is_kept_beside_is_found_again
    trees_of_one_place_are_told_apart
    a_copy_is_the_very_same_folder
    a_copy_of_what_was_set_back_or_changed_is_refused
}

/// The head of the tree of these leaves, in memory alone.
fn head(size: u64) -> TreeHead {
    let mut frontier = Frontier::new(Algorithm::Sha256);
    (0..size).for_each(|index| frontier.append(Algorithm::Sha256.leaf(&leaf(index))));
    frontier.head()
}

/// What a tree of this size must have stored, byte for byte.
fn files(store: &Store, size: u64) -> Vec<(String, Vec<u8>)> {
    let tiles = hashes(size).chain(entries(size)).map(|tile| tile.to_string());
    tiles.map(|name| (name.clone(), store.file(&name).unwrap().unwrap())).collect()
}

fn what_grew_in_rounds_and_was_reopened_is_what_was_built_at_once(kind: Kind) {
    for sizes in [&[1_u64, 2, 255, 256, 257][..], &[300, 512, 513, 1000], &[5, 700, 701]] {
        let grown = kind.home();
        for size in sizes {
            let mut writer = grown.writer();
            grow(&mut writer, *size);
            assert_eq!(writer.head(), head(*size));
            assert_eq!(writer.last().unwrap(), Some(leaf(size - 1)));
            let once = kind.home();
            let mut at_once = once.writer();
            grow(&mut at_once, *size);
            assert_eq!(files(writer.store(), *size), files(at_once.store(), *size), "{size}");
        }
        assert_eq!(grown.store().size().unwrap(), *sizes.last().unwrap());
    }
}

fn a_large_tree_has_tiles_of_three_rows(kind: Kind) {
    let home = kind.home();
    grow(&mut home.writer(), 65_600);
    let mut writer = home.writer();
    grow(&mut writer, 66_000);
    let now = head(66_000);
    assert_eq!(writer.head(), now);
    let store = home.store();
    for index in [0, 255, 256, 65_535, 65_536, 65_599, 65_600, 65_999] {
        assert_eq!(store.inclusion(index, &now).unwrap().leaf, leaf(index));
    }
    assert!(!store.consistency(65_600, 66_000, &now).unwrap().is_empty());
}

/// Whatever a crash leaves beyond `tree.json` is written again, and partial tiles are gone once they are full.
fn a_crash_before_the_size_is_stored_changes_nothing(kind: Kind) {
    let (crashed, fresh) = (kind.home(), kind.home());
    grow(&mut crashed.writer(), 250);
    let before = crashed.store().file(TREE).unwrap().unwrap();
    grow(&mut crashed.writer(), 600);
    // As if tree.json had not been written, and a working file had been cut off.
    crashed.tamper(TREE, Some(&before));
    if let Home::Folder(_) = crashed {
        crashed.tamper("work/0", Some(b"torn"));
    }
    let mut again = crashed.writer();
    assert_eq!(again.head(), head(250));
    grow(&mut again, 600);
    grow(&mut fresh.writer(), 600);
    assert_eq!(files(again.store(), 600), files(&fresh.store(), 600));
    let widths = |folder| again.store().files.below(folder).unwrap();
    assert!(widths("tile/0/000.p").is_empty() && widths("tile/entries/000.p").is_empty());
    assert_eq!(widths("tile/0/002.p"), ["88"]);
}

fn one_writes_and_others_read(kind: Kind) {
    let home = kind.home();
    let mut first = home.writer();
    grow(&mut first, 3);
    let store = home.store();
    let second = Writer::open(Arc::clone(&store));
    assert!(matches!(second, Err(StoreError::InUse(_))));
    assert_eq!(store.head(3).unwrap(), head(3));
    drop(first);
    assert!(Writer::open(store).is_ok());
}

fn a_storage_of_another_tree_is_refused(kind: Kind) {
    let home = kind.home();
    assert!(Grove::at(&home.location()).unwrap().names().unwrap().is_empty());
    let absent = Grove::at(&home.location()).unwrap().open("none").map(|_| ());
    assert!(matches!(absent, Err(StoreError::Absent(_))), "{absent:?}");
    grow(&mut home.writer(), 3);
    let other = TreeId { origin: "other".to_owned(), ..id(Algorithm::Sha256) };
    let other = Writer::open(Arc::new(Grove::at(&home.location()).unwrap().tree(other)));
    assert!(matches!(other, Err(StoreError::Other { .. })));
}

/// Every file that the edge rests on: missing, cut, or with a byte changed, it is found and named.
fn damage_at_the_edge_is_named(kind: Kind) {
    for name in ["tile/0/002.p/88", "tile/0/001", "tile/1/000.p/2", "tile/entries/002.p/88"] {
        let home = kind.home();
        grow(&mut home.writer(), 600);
        let good = home.store().file(name).unwrap().unwrap();
        let mut changed = good.clone();
        let last = changed.len() - 1;
        changed[last] ^= 1;
        for damage in [Some(&good[..last]), Some(&changed[..]), Some(&[][..]), None] {
            home.tamper(name, damage);
            match Writer::open(home.store()).map(|_| ()) {
                Err(StoreError::Damaged { .. }) => {}
                other => panic!("{name} {damage:?} {other:?}"),
            }
        }
    }
    let home = kind.home();
    grow(&mut home.writer(), 600);
    home.tamper(TREE, Some(b"{}"));
    assert!(matches!(home.store().size(), Err(StoreError::Damaged { .. })));
}

fn a_changed_leaf_in_the_middle_has_no_proof(kind: Kind) {
    let home = kind.home();
    grow(&mut home.writer(), 600);
    let mut bytes = home.store().file("tile/entries/000").unwrap().unwrap();
    let at = bytes.windows(7).position(|window| window == b"leaf 17").unwrap();
    bytes[at] = b'L';
    home.tamper("tile/entries/000", Some(&bytes));
    let store = home.store();
    assert!(matches!(store.inclusion(17, &head(600)), Err(StoreError::Damaged { .. })));
    assert!(store.inclusion(18, &head(600)).is_ok());
}

fn a_partial_tile_that_was_superseded_is_not_shown(kind: Kind) {
    let home = kind.home();
    let mut writer = home.writer();
    for size in [17, 40] {
        grow(&mut writer, size);
    }
    for row in [Row::Hashes(0), Row::Entries] {
        let tile = Tile::new(row, 0, 17).unwrap();
        let right = writer.store().file(&tile.to_string()).unwrap().unwrap();
        home.tamper(&tile.to_string(), Some(&vec![7; right.len()]));
        for size in [17, 40] {
            assert_eq!(writer.store().bytes(tile, size).unwrap().as_ref(), Some(&right), "{tile} of {size}");
        }
    }
}

fn a_partial_tile_is_cut_from_what_is_there(kind: Kind) {
    let home = kind.home();
    let mut writer = home.writer();
    grow(&mut writer, 17);
    let early = |row| writer.store().bytes(Tile::new(row, 0, 17).unwrap(), 17).unwrap().unwrap();
    let (hashes, leaves) = (early(Row::Hashes(0)), early(Row::Entries));
    grow(&mut writer, 300);
    let store = home.store();
    let bytes = |row, index, width| store.bytes(Tile::new(row, index, width).unwrap(), 300).unwrap();
    assert!(store.files.below("tile/0/000.p").unwrap().is_empty());
    assert_eq!(bytes(Row::Hashes(0), 0, 17), Some(hashes));
    assert_eq!(bytes(Row::Entries, 0, 17), Some(leaves));
    assert_eq!(bytes(Row::Hashes(0), 1, 5).map(|bytes| bytes.len()), Some(5 * 32));
    // Beyond the tree there is nothing, be it on the disk or not.
    assert_eq!(bytes(Row::Hashes(0), 1, 45), None);
    assert_eq!(bytes(Row::Hashes(0), 1, 256), None);
    assert_eq!(bytes(Row::Hashes(1), 0, 2), None);
    assert_eq!(bytes(Row::Hashes(63), 0, 1), None);
    assert_eq!(bytes(Row::Entries, u64::MAX, 1), None);
    assert_eq!(store.bytes(Tile::new(Row::Hashes(0), 0, 256).unwrap(), 255).unwrap(), None);
}

fn proofs_at_every_size_verify(kind: Kind) {
    let home = kind.home();
    let mut writer = home.writer();
    for size in [1, 2, 3, 100, 255, 256, 257, 511, 512, 513, 600] {
        grow(&mut writer, size);
        let now = head(size);
        for index in (0..size).step_by(13).chain([size - 1]) {
            let proven = writer.store().inclusion(index, &now).unwrap();
            let hash = Algorithm::Sha256.leaf(&leaf(index));
            assert_eq!(inclusion::verify(Algorithm::Sha256, &hash, index, &now, &proven.path), Ok(()));
        }
        for old in (0..=size).step_by(17) {
            let path = writer.store().consistency(old, size, &now).unwrap();
            let held = duban_merkle::consistency::verify(Algorithm::Sha256, &head(old), &now, &path);
            assert_eq!(held, Ok(()));
        }
        assert!(writer.store().inclusion(size, &now).is_err());
        assert!(writer.store().consistency(0, size + 1, &now).is_err());
        let other = TreeHead { root: head(size - 1).root, ..now };
        assert!(writer.store().inclusion(0, &other).is_err());
        assert!(writer.store().consistency(size, size, &other).is_err());
    }
}

fn any_rounds_give_the_same_tree(kind: Kind) {
    let rounds = (prop::collection::vec(0..400_u64, 1..6), any::<bool>());
    let mut runner = TestRunner::new(ProptestConfig::with_cases(24));
    let held = runner.run(&rounds, |(steps, reopened)| {
        let home = kind.home();
        let mut one = home.writer();
        let mut size = 0;
        for step in steps {
            size += step;
            if reopened {
                drop(one);
                one = home.writer();
            }
            grow(&mut one, size);
            prop_assert_eq!(one.head(), head(size));
            prop_assert_eq!(one.store().head(size).unwrap(), head(size));
        }
        Ok(())
    });
    held.unwrap();
}

fn what_is_kept_beside_is_found_again(kind: Kind) {
    let home = kind.home();
    let writer = home.writer();
    let store = home.store();
    assert_eq!((store.handovers().unwrap(), store.handed_over().unwrap()), (vec![], 0));
    assert_eq!((store.checkpoint().unwrap(), store.keys().unwrap()), (None, vec![]));
    for size in [9, 10, 100] {
        writer.press().hand_over(size, &format!("at {size}")).unwrap();
    }
    let notes = store.handovers().unwrap().into_iter().map(|note| String::from_utf8(note).unwrap());
    assert_eq!(notes.collect::<Vec<_>>(), ["at 9", "at 10", "at 100"]);
    assert_eq!(store.handed_over().unwrap(), 100);
    for note in ["one", "another"] {
        writer.press().publish(note).unwrap();
        assert_eq!(store.checkpoint().unwrap().unwrap(), note.as_bytes());
    }
}

fn trees_of_one_place_are_told_apart(kind: Kind) {
    let home = kind.home();
    let grove = Grove::at(&home.location()).unwrap();
    let of = |algorithm| Writer::open(Arc::new(grove.tree(id(algorithm)))).unwrap();
    // Both at once: each has a lock of its own.
    let (mut sha256, mut sm3) = (of(Algorithm::Sha256), of(Algorithm::Sm3));
    grow(&mut sha256, 3);
    grow(&mut sm3, 5);
    let names = grove.names().unwrap();
    assert_eq!(names, [id(Algorithm::Sha256).folder(), id(Algorithm::Sm3).folder()]);
    let sizes = names.iter().map(|name| grove.open(name).unwrap().size().unwrap());
    assert_eq!(sizes.collect::<Vec<_>>(), [3, 5]);
    let alone = match home.location() {
        Location::Folder(folder) => Location::Folder(folder.join(&names[1])),
        Location::Postgres(url) => Location::Postgres(format!("{url}#{}", names[1])),
    };
    let alone = Grove::at(&alone).unwrap();
    let [one] = &alone.names().unwrap()[..] else { panic!("one tree") };
    assert_eq!(alone.open(one).unwrap().id(), sm3.store().id());
}

/// All files below a folder but those that only its builder needs.
fn all(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let (mut found, mut left) = (BTreeMap::new(), vec![folder.to_owned()]);
    while let Some(next) = left.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                left.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
                found.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    found.remove("lock");
    found
}

/// A tree that has grown in these rounds, with all that may stand beside it.
fn grown(home: &Home, sizes: &[u64]) {
    let mut writer = home.writer();
    for size in sizes {
        grow(&mut writer, *size);
    }
    writer.press().publish("checkpoint\n").unwrap();
    writer.press().hand_over(9, "at 9\n").unwrap();
    let signer = Signer::ed25519(writer.store().id().origin.parse().unwrap(), &[1; 32]).unwrap();
    writer.press().name_keys(&[signer.verifier().clone()]).unwrap();
    let note = Checkpoint::new(&writer.store().id().origin, head(9)).unwrap().sign(&[&signer]).unwrap();
    writer.store().keep_cosigned(9, &note).unwrap();
}

fn a_copy_is_the_very_same_folder(kind: Kind) {
    let (home, folder, to) = (kind.home(), Kind::Folder.home(), tempdir().unwrap());
    let Location::Folder(beside) = folder.location() else { panic!("a folder") };
    // With partial tiles of several widths, then one that is full meanwhile.
    for sizes in [&[3, 300, 310, 311][..], &[513, 600]] {
        grown(&home, sizes);
        grown(&folder, sizes);
        assert_eq!(home.store().copy(to.path()).unwrap(), *sizes.last().unwrap());
        assert_eq!(all(to.path()), all(&beside.join(id(Algorithm::Sha256).folder())));
    }
    let copied = Store::open(to.path()).unwrap();
    assert_eq!(copied.inclusion(17, &head(600)).unwrap().leaf, leaf(17));
    // While somebody builds on the copy, nobody copies over it.
    let building = Writer::open(Arc::new(copied)).unwrap();
    assert!(matches!(home.store().copy(to.path()), Err(StoreError::InUse(_))));
    drop(building);
}

fn a_copy_of_what_was_set_back_or_changed_is_refused(kind: Kind) {
    let (home, to) = (kind.home(), tempdir().unwrap());
    grown(&home, &[300, 600]);
    home.store().copy(to.path()).unwrap();
    let kept = all(to.path());
    let back = kind.home();
    grown(&back, &[300]);
    let mut bytes = home.store().file("tile/entries/001").unwrap().unwrap();
    bytes[5] ^= 1;
    home.tamper("tile/entries/001", Some(&bytes));
    for other in [&back, &home] {
        assert!(matches!(other.store().copy(to.path()), Err(StoreError::Damaged { .. })));
        assert_eq!(all(to.path()), kept, "the copy stays as it was");
    }
}

/// Both storages have the same files, byte for byte, whatever rounds the tree grew in.
#[test]
fn a_database_has_what_a_folder_has() {
    if !Kind::Database.is_there() {
        return;
    }
    let (folder, database) = (Kind::Folder.home(), Kind::Database.home());
    for sizes in [&[1, 2, 255, 256, 257, 300][..], &[700, 1000]] {
        grown(&folder, sizes);
        grown(&database, sizes);
        let rows = database.rows("SELECT name, bytes FROM duban_tree.files");
        let rows = rows.iter().map(|row| (row.get("name"), row.get("bytes"))).collect();
        let Location::Folder(path) = folder.location() else { panic!("a folder") };
        assert_eq!(all(&path.join(id(Algorithm::Sha256).folder())), rows);
    }
}

/// Kills the connections of whoever is at work on a tree there.
const KILL: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                    WHERE datname = current_database() AND application_name = 'duban-tree'";

/// Whatever moment it is, of a round that is written nothing or all is there, and the tree grows on to the same bytes.
#[test]
fn connections_lost_at_any_moment_change_nothing() {
    if !Kind::Database.is_there() {
        return;
    }
    let (home, fresh, done) = (Kind::Database.home(), Kind::Folder.home(), AtomicBool::new(false));
    let grown = |size: &mut u64| {
        let mut writer = Writer::open(home.store())?;
        for next in [writer.size() + 17, writer.size() + 300] {
            (writer.size()..next).try_for_each(|index| writer.append(leaf(index)))?;
            *size = writer.commit()?.size;
        }
        Ok(())
    };
    let lost = std::thread::scope(|scope| {
        scope.spawn(|| {
            for pause in (0..40).cycle().take_while(|_| !done.load(Ordering::Relaxed)) {
                home.sql(KILL);
                std::thread::sleep(std::time::Duration::from_millis(pause));
            }
        });
        let (mut size, mut lost) = (0, Ok(0));
        while let Ok(times) = lost
            && size < 3000
        {
            match grown(&mut size) {
                Ok(()) => {}
                Err(StoreError::Database(..) | StoreError::InUse(_)) => lost = Ok(times + 1),
                Err(other) => lost = Err(other),
            }
        }
        done.store(true, Ordering::Relaxed);
        lost
    });
    assert!(lost.unwrap() > 0, "connections were lost");
    let size = home.store().size().unwrap();
    grow(&mut fresh.writer(), size);
    assert_eq!(files(&home.store(), size), files(&fresh.store(), size));
}

/// A builder that has lost its connection has lost its place: it neither stores nor publishes over the next one.
#[test]
fn who_was_cut_off_writes_nothing_more() {
    if !Kind::Database.is_there() {
        return;
    }
    let home = Kind::Database.home();
    let mut first = home.writer();
    grow(&mut first, 3);
    first.append(leaf(3)).unwrap();
    home.sql(KILL);
    let mut second = home.writer();
    grow(&mut second, 5);
    second.press().publish("second").unwrap();
    assert!(matches!(first.commit(), Err(StoreError::Database(..))));
    assert!(matches!(first.press().publish("first"), Err(StoreError::InUse(_))));
    assert_eq!(home.store().size().unwrap(), 5);
    assert_eq!(home.store().checkpoint().unwrap().unwrap(), b"second");
}

/// Where the lock is nobody's own, as behind a pooler, the row of `tree.json` still is.
#[test]
fn who_finds_that_another_has_gone_on_writes_nothing() {
    if !Kind::Database.is_there() {
        return;
    }
    let home = Kind::Database.home();
    let mut first = home.writer();
    grow(&mut first, 3);
    let gone_on = String::from_utf8(home.store().file(TREE).unwrap().unwrap()).unwrap();
    home.tamper(TREE, Some(gone_on.replace("\"size\":3", "\"size\":4").as_bytes()));
    assert_eq!(home.store().size().unwrap(), 4);
    assert!(matches!(first.press().publish("first"), Err(StoreError::InUse(_))));
}

#[test]
fn a_database_that_holds_a_log_or_forgets_is_refused() {
    if !Kind::Database.is_there() {
        return;
    }
    let beside = Kind::Database.home();
    beside.sql("CREATE SCHEMA duban_log");
    let refused = |home: &Home, why: &str| match Writer::open(home.store()).map(|_| ()) {
        Err(StoreError::Unfit { why: said, .. }) => assert!(said.contains(why), "{said}"),
        other => panic!("{other:?}"),
    };
    refused(&beside, "holds a log");
    let names = Grove::at(&beside.location()).unwrap().names();
    assert!(matches!(names, Err(StoreError::Unfit { .. })), "{names:?}");
    let forgetful = Kind::Database.home();
    let off = "EXECUTE format('ALTER DATABASE %I SET synchronous_commit = off', current_database())";
    forgetful.sql(format!("DO $$ BEGIN {off}; END $$"));
    refused(&forgetful, "synchronous_commit");
}
