use duban_merkle::{Algorithm, Frontier};

use super::*;
use crate::testing;

/// Enough for full tiles, a row above, and a right edge of both.
const SIZE: u64 = 600;

/// Compares the tree in a folder with the leaves that it was made of: the leaves that differ, and the tiles.
fn compared(folder: &Path) -> (Vec<u64>, Vec<(u64, String)>) {
    let mut entries = Entries::new(folder, SIZE);
    let mut frontier = Frontier::new(Algorithm::Sha256);
    let (mut leaves, mut tiles) = (Vec::new(), Vec::new());
    for index in 0..SIZE {
        let leaf = testing::leaf(index);
        match entries.leaf(index) {
            Ok(found) if found == Some(leaf.as_slice()) => {}
            Ok(_) => leaves.push(index),
            Err(bad) => tiles.push((index, bad.path)),
        }
        frontier.append_noting(Algorithm::Sha256.leaf(&leaf), |node, hash| {
            tiles.extend(entries.node(node, hash).map(|(index, bad)| (index, bad.path)));
        });
    }
    tiles.extend(entries.edge().into_iter().map(|(index, bad)| (index, bad.path)));
    (leaves, tiles)
}

fn tree() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = testing::writer(folder.path());
    testing::grow(&mut writer, SIZE);
    folder
}

/// Turns a bit of a file.
fn turn(file: &Path, at: usize) {
    let mut bytes = fs::read(file).unwrap();
    bytes[at] ^= 1;
    fs::write(file, bytes).unwrap();
}

#[test]
fn a_tree_of_several_tiles_is_as_it_was_built() {
    assert_eq!(compared(tree().path()), (vec![], vec![]));
}

#[test]
fn a_hash_that_lies_is_named_by_its_tile_and_the_first_leaf_below_it() {
    for (path, at, first) in [
        ("tile/0/000", 0, 0),
        ("tile/0/001", 32 * 255 + 31, 511),
        ("tile/0/002.p/88", 32 * 87, 599),
        ("tile/1/000.p/2", 32, 256),
    ] {
        let folder = tree();
        turn(&folder.path().join(path), at);
        assert_eq!(compared(folder.path()), (vec![], vec![(first, path.to_owned())]));
    }
}

#[test]
fn a_file_that_is_gone_is_named_once() {
    for (path, first) in [("tile/0/001", 256), ("tile/1/000.p/2", 0), ("tile/entries/001", 256)] {
        let folder = tree();
        fs::remove_file(folder.path().join(path)).unwrap();
        let (leaves, tiles) = compared(folder.path());
        assert_eq!(tiles, [(first, path.to_owned())]);
        // Of a bundle the other leaves are not there either.
        assert_eq!(leaves.len(), if path.contains("entries") { 255 } else { 0 });
    }
}

#[test]
fn a_leaf_that_lies_is_named() {
    let folder = tree();
    let bundle = folder.path().join("tile/entries/001");
    let length = fs::metadata(&bundle).unwrap().len();
    turn(&bundle, usize::try_from(length).unwrap() - 1);
    assert_eq!(compared(folder.path()), (vec![511], vec![]));
}
