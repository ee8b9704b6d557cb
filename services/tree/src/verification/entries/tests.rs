use duban_merkle::{Algorithm, Frontier};

use super::*;
use crate::testing::{self, Home, Kind, on_both};

/// Enough for full tiles, a row above, and a right edge of both.
const SIZE: u64 = 600;

on_both! {
    a_tree_of_several_tiles_is_as_it_was_built
    a_hash_that_lies_is_named_by_its_tile_and_the_first_leaf_below_it
    a_file_that_is_gone_is_named_once
    a_leaf_that_lies_is_named
}

/// Compares a stored tree with the leaves that it was made of: the leaves that differ, and the tiles.
fn compared(home: &Home) -> (Vec<u64>, Vec<(u64, String)>) {
    let mut entries = Entries::new(home.store(), SIZE);
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

fn tree(kind: Kind) -> Home {
    let home = kind.home();
    testing::grow(&mut home.writer(), SIZE);
    home
}

/// Turns a bit of a file.
fn turn(home: &Home, name: &str, at: usize) {
    let mut bytes = home.store().file(name).unwrap().unwrap();
    bytes[at] ^= 1;
    home.tamper(name, Some(&bytes));
}

fn a_tree_of_several_tiles_is_as_it_was_built(kind: Kind) {
    assert_eq!(compared(&tree(kind)), (vec![], vec![]));
}

fn a_hash_that_lies_is_named_by_its_tile_and_the_first_leaf_below_it(kind: Kind) {
    for (path, at, first) in [
        ("tile/0/000", 0, 0),
        ("tile/0/001", 32 * 255 + 31, 511),
        ("tile/0/002.p/88", 32 * 87, 599),
        ("tile/1/000.p/2", 32, 256),
    ] {
        let home = tree(kind);
        turn(&home, path, at);
        assert_eq!(compared(&home), (vec![], vec![(first, path.to_owned())]));
    }
}

fn a_file_that_is_gone_is_named_once(kind: Kind) {
    for (path, first) in [("tile/0/001", 256), ("tile/1/000.p/2", 0), ("tile/entries/001", 256)] {
        let home = tree(kind);
        home.tamper(path, None);
        let (leaves, tiles) = compared(&home);
        assert_eq!(tiles, [(first, path.to_owned())]);
        // Of a bundle the other leaves are not there either.
        assert_eq!(leaves.len(), if path.contains("entries") { 255 } else { 0 });
    }
}

fn a_leaf_that_lies_is_named(kind: Kind) {
    let home = tree(kind);
    let length = home.store().file("tile/entries/001").unwrap().unwrap().len();
    turn(&home, "tile/entries/001", length - 1);
    assert_eq!(compared(&home), (vec![511], vec![]));
}
