use std::fs;

use duban_merkle::tile::{entries, hashes};
use duban_merkle::{Algorithm, Frontier, inclusion};
use proptest::prelude::*;
use tempfile::tempdir;

use super::*;
use crate::testing::{grow, id, leaf, writer};

/// The head of the tree of these leaves, in memory alone.
fn head(size: u64) -> TreeHead {
    let mut frontier = Frontier::new(Algorithm::Sha256);
    (0..size).for_each(|index| frontier.append(Algorithm::Sha256.leaf(&leaf(index))));
    frontier.head()
}

/// What the folder of a tree of this size must have, byte for byte.
fn files(store: &Store, size: u64) -> Vec<(String, Vec<u8>)> {
    let tiles = hashes(size).chain(entries(size));
    tiles.map(|tile| (tile.to_string(), fs::read(store.folder.join(tile.to_string())).unwrap())).collect()
}

#[test]
fn what_grew_in_rounds_and_was_reopened_is_what_was_built_at_once() {
    for sizes in [&[1_u64, 2, 255, 256, 257][..], &[300, 512, 513, 1000], &[5, 700, 701]] {
        let (grown, fresh) = (tempdir().unwrap(), tempdir().unwrap());
        for size in sizes {
            let mut writer = writer(grown.path());
            grow(&mut writer, *size);
            assert_eq!(writer.head(), head(*size));
            assert_eq!(writer.last().unwrap(), Some(leaf(size - 1)));
            let mut once = tempdir().map(|folder| (crate::testing::writer(folder.path()), folder)).unwrap();
            grow(&mut once.0, *size);
            assert_eq!(files(writer.store(), *size), files(once.0.store(), *size), "{size}");
        }
        let last = *sizes.last().unwrap();
        let mut writer = writer(fresh.path());
        grow(&mut writer, last);
        assert_eq!(Store::open(grown.path()).unwrap().size().unwrap(), last);
    }
}

#[test]
fn a_large_tree_has_tiles_of_three_rows() {
    let folder = tempdir().unwrap();
    let mut writer = writer(folder.path());
    grow(&mut writer, 65_600);
    drop(writer);
    let mut writer = crate::testing::writer(folder.path());
    grow(&mut writer, 66_000);
    let now = head(66_000);
    assert_eq!(writer.head(), now);
    let store = Store::open(folder.path()).unwrap();
    for index in [0, 255, 256, 65_535, 65_536, 65_599, 65_600, 65_999] {
        assert_eq!(store.inclusion(index, &now).unwrap().leaf, leaf(index));
    }
    assert!(!store.consistency(65_600, 66_000, &now).unwrap().is_empty());
}

/// Whatever a crash leaves beyond `tree.json` is written again, and partial tiles are gone once they are full.
#[test]
fn a_crash_before_the_size_is_stored_changes_nothing() {
    let (crashed, fresh) = (tempdir().unwrap(), tempdir().unwrap());
    grow(&mut writer(crashed.path()), 250);
    let before = fs::read(crashed.path().join(TREE)).unwrap();
    grow(&mut writer(crashed.path()), 600);
    // As if tree.json had not been written, and a working file had been cut off.
    fs::write(crashed.path().join(TREE), before).unwrap();
    fs::write(crashed.path().join("work/0"), b"torn").unwrap();
    let mut again = writer(crashed.path());
    assert_eq!(again.head(), head(250));
    grow(&mut again, 600);
    grow(&mut writer(fresh.path()), 600);
    let fresh = Store::open(fresh.path()).unwrap();
    assert_eq!(files(again.store(), 600), files(&fresh, 600));
    assert!(!crashed.path().join("tile/0/000.p").exists());
    assert!(!crashed.path().join("tile/entries/000.p").exists());
    assert!(crashed.path().join("tile/0/002.p/88").exists());
}

#[test]
fn one_writes_and_others_read() {
    let folder = tempdir().unwrap();
    let mut first = writer(folder.path());
    grow(&mut first, 3);
    let store = Arc::new(Store::open(folder.path()).unwrap());
    let second = Writer::open(Arc::clone(&store));
    assert!(matches!(second, Err(StoreError::InUse(_))));
    assert_eq!(store.head(3).unwrap(), head(3));
    drop(first);
    assert!(Writer::open(store).is_ok());
}

#[test]
fn a_folder_of_another_tree_is_refused() {
    let folder = tempdir().unwrap();
    grow(&mut writer(folder.path()), 3);
    let other = Writer::open(Arc::new(Store::of(folder.path(), id(Algorithm::Sm3))));
    assert!(matches!(other, Err(StoreError::Other { .. })));
    assert!(matches!(Store::open(folder.path().join("none")), Err(StoreError::Absent(_))));
}

/// Every file that the edge rests on: missing, cut, or with a byte changed, it is found and named.
#[test]
fn damage_at_the_edge_is_named() {
    let folder = tempdir().unwrap();
    grow(&mut writer(folder.path()), 600);
    for name in ["tile/0/002.p/88", "tile/0/001", "tile/1/000.p/2", "tile/entries/002.p/88"] {
        let path = folder.path().join(name);
        let good = fs::read(&path).unwrap();
        let mut changed = good.clone();
        let last = changed.len() - 1;
        changed[last] ^= 1;
        for damage in [None, Some(&good[..last]), Some(&changed[..]), Some(&[][..])] {
            match damage {
                None => fs::remove_file(&path).unwrap(),
                Some(bytes) => fs::write(&path, bytes).unwrap(),
            }
            let store = Arc::new(Store::of(folder.path(), id(Algorithm::Sha256)));
            let refused = Writer::open(Arc::clone(&store)).map(|_| ());
            assert!(matches!(refused, Err(StoreError::Damaged { .. })), "{name} {damage:?} {refused:?}");
            fs::write(&path, &good).unwrap();
        }
    }
    fs::write(folder.path().join(TREE), b"{}").unwrap();
    assert!(matches!(Store::open(folder.path()), Err(StoreError::Damaged { .. })));
}

#[test]
fn a_changed_leaf_in_the_middle_has_no_proof() {
    let folder = tempdir().unwrap();
    grow(&mut writer(folder.path()), 600);
    let path = folder.path().join("tile/entries/000");
    let mut bytes = fs::read(&path).unwrap();
    let at = bytes.windows(7).position(|window| window == b"leaf 17").unwrap();
    bytes[at] = b'L';
    fs::write(&path, bytes).unwrap();
    let store = Store::open(folder.path()).unwrap();
    assert!(matches!(store.inclusion(17, &head(600)), Err(StoreError::Damaged { .. })));
    assert!(store.inclusion(18, &head(600)).is_ok());
}

#[test]
fn a_partial_tile_is_cut_from_what_is_there() {
    let folder = tempdir().unwrap();
    let mut writer = writer(folder.path());
    grow(&mut writer, 17);
    let early = |row| writer.store().bytes(Tile::new(row, 0, 17).unwrap(), 17).unwrap().unwrap();
    let (hashes, leaves) = (early(Row::Hashes(0)), early(Row::Entries));
    grow(&mut writer, 300);
    let store = Store::open(folder.path()).unwrap();
    let bytes = |row, index, width| store.bytes(Tile::new(row, index, width).unwrap(), 300).unwrap();
    assert!(!folder.path().join("tile/0/000.p").exists());
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

#[test]
fn proofs_at_every_size_verify() {
    let folder = tempdir().unwrap();
    let mut writer = writer(folder.path());
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_rounds_give_the_same_tree(steps in prop::collection::vec(0..400_u64, 1..6), reopened: bool) {
        let folder = tempdir().unwrap();
        let mut one = writer(folder.path());
        let mut size = 0;
        for step in steps {
            size += step;
            if reopened {
                drop(one);
                one = writer(folder.path());
            }
            grow(&mut one, size);
            prop_assert_eq!(one.head(), head(size));
            prop_assert_eq!(one.store().head(size).unwrap(), head(size));
        }
    }
}
