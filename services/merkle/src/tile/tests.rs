use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::frontier::Frontier;
use crate::node::{Span, hashes as proof};
use crate::testing::{ALGORITHM, Naive};
use crate::{consistency, inclusion};

/// A store of tiles, written by way of a frontier as a builder of the tree does: at every one of these sizes.
fn store(tree: &Naive, sizes: impl IntoIterator<Item = u64>) -> BTreeMap<String, Vec<u8>> {
    let mut rows: BTreeMap<u8, Vec<Hash>> = BTreeMap::new();
    let mut files = BTreeMap::new();
    let mut frontier = Frontier::new(ALGORITHM);
    for size in sizes {
        let old = frontier.size();
        for index in old..size {
            frontier.append_noting(tree.leaf(index), |node, hash| {
                if node.level % HEIGHT == 0 {
                    rows.entry(node.level / HEIGHT).or_default().push(hash);
                }
            });
        }
        for tile in grown(old, size) {
            let Row::Hashes(level) = tile.row() else { continue };
            let begin = usize::try_from(tile.index()).unwrap() * 256;
            let hashes = &rows[&level][begin..begin + usize::from(tile.width())];
            let bytes = hashes.iter().flat_map(|hash| *hash.as_bytes()).collect();
            assert_eq!(files.insert(tile.to_string(), bytes), None, "{tile} is written twice");
        }
    }
    files
}

/// The hash of a node, from the tiles that the tree of `size` has.
fn read(files: &BTreeMap<String, Vec<u8>>, size: u64, node: Node) -> Result<Hash, String> {
    let tile = Tile::holding(node, size).ok_or("no such node")?;
    let bytes = files.get(&tile.to_string()).ok_or_else(|| format!("{tile} is not there"))?;
    let hashes = tile.parse(bytes).ok_or("not its length")?;
    tile.read(ALGORITHM, &hashes, node).ok_or_else(|| format!("{node:?} is not in {tile}"))
}

#[test]
fn a_tree_of_70000_has_the_tiles_that_the_specification_says() {
    let count = |level, full| {
        let these = |tile: &Tile| tile.row() == Row::Hashes(level) && tile.is_full() == full;
        hashes(70_000).filter(these).collect::<Vec<_>>()
    };
    assert_eq!(count(0, true).len(), 273);
    assert_eq!(count(0, false), [Tile::new(Row::Hashes(0), 273, 112).unwrap()]);
    assert_eq!(count(1, true), [Tile::new(Row::Hashes(1), 0, 256).unwrap()]);
    assert_eq!(count(1, false), [Tile::new(Row::Hashes(1), 1, 17).unwrap()]);
    assert_eq!(count(2, false), [Tile::new(Row::Hashes(2), 0, 1).unwrap()]);
    assert_eq!(hashes(70_000).count(), 277);
    assert_eq!(entries(70_000).count(), 274);
    let of_256: Vec<String> = hashes(256).map(|tile| tile.to_string()).collect();
    assert_eq!(of_256, ["tile/0/000", "tile/1/000.p/1"]);
    assert_eq!(hashes(0).chain(entries(0)).count(), 0);
}

#[test]
fn every_proof_can_be_made_from_the_tiles_alone() {
    let tree = Naive::of(600);
    for size in [1, 2, 255, 256, 257, 511, 512, 513, 600] {
        let files = store(&tree, [size / 3, size / 2, size]);
        let node = |node| read(&files, size, node);
        assert_eq!(Span::tree(size).hash(ALGORITHM, node), Ok(tree.root(size)));
        for other in (1..size).step_by(7) {
            let path = inclusion::path(other, size).unwrap();
            assert_eq!(proof(ALGORITHM, &path, node), Ok(tree.inclusion(other, size)));
            let path = consistency::path(other, size).unwrap();
            assert_eq!(proof(ALGORITHM, &path, node), Ok(tree.consistency(other, size)));
        }
    }
}

#[test]
fn what_growth_writes_is_what_the_tree_has() {
    for (old, new) in
        [(0, 1), (0, 300), (1, 2), (255, 256), (256, 256), (200, 300), (256, 512), (500, 70_000)]
    {
        let before: BTreeSet<Tile> = hashes(old).chain(entries(old)).collect();
        let after: BTreeSet<Tile> = hashes(new).chain(entries(new)).collect();
        let written: BTreeSet<Tile> = grown(old, new).collect();
        assert_eq!(written, &after - &before, "{old} to {new}");
    }
}

#[test]
fn a_node_that_the_tree_does_not_have_is_in_no_tile() {
    assert_eq!(Tile::holding(Node { level: 0, index: 5 }, 5), None);
    assert_eq!(Tile::holding(Node { level: 3, index: 0 }, 7), None);
    assert_eq!(Tile::holding(Node { level: 64, index: 0 }, u64::MAX), None);
    assert_eq!(Tile::holding(Node { level: 200, index: 0 }, u64::MAX), None);
    // A subtree of 256 leaves is the first hash of the tile above, not the root of the tile below.
    let above = Tile::new(Row::Hashes(1), 0, 1);
    assert_eq!(Tile::holding(Node { level: 8, index: 0 }, 256), above);
    let hash = ALGORITHM.leaf(b"x");
    let tile = Tile::new(Row::Hashes(0), 1, 3).unwrap();
    let read = |level, index| tile.read(ALGORITHM, &[hash; 3], Node { level, index });
    assert_eq!(read(0, 258), Some(hash));
    assert_eq!(read(1, 128), Some(ALGORITHM.node(&hash, &hash)));
    // More hashes than the tile is wide don't make it wider.
    assert_eq!(tile.read(ALGORITHM, &[hash; 4], Node { level: 0, index: 259 }), None);
    for (level, index) in [(0, 259), (0, 0), (1, 129), (2, 64), (8, 1), (8, 258)] {
        assert_eq!(read(level, index), None, "{level} {index}");
    }
}

#[test]
fn a_tile_of_another_length_is_refused() {
    let tile = Tile::new(Row::Hashes(0), 0, 3).unwrap();
    assert_eq!(tile.parse(&[0; 96]).unwrap().len(), 3);
    for length in [0, 64, 95, 97, 128] {
        assert_eq!(tile.parse(&vec![0; length]), None);
    }
    assert_eq!(Tile::new(Row::Entries, 0, 3).unwrap().parse(&[0; 96]), None);
}

#[test]
fn paths_are_those_of_the_specification() {
    let path = |row, index, width| Tile::new(row, index, width).unwrap().to_string();
    assert_eq!(path(Row::Hashes(0), 1_234_067, 256), "tile/0/x001/x234/067");
    assert_eq!(path(Row::Hashes(0), 273, 112), "tile/0/273.p/112");
    assert_eq!(path(Row::Entries, 0, 1), "tile/entries/000.p/1");
    assert_eq!(path(Row::Hashes(63), 1000, 255), "tile/63/x001/000.p/255");
    assert_eq!(path(Row::Entries, u64::MAX, 256), "tile/entries/x018/x446/x744/x073/x709/x551/615");
}

#[test]
fn a_path_has_one_spelling() {
    for text in [
        "",
        "tile",
        "tile/",
        "tile/0",
        "tile/0/",
        "tile/0/0",
        "tile/0/00",
        "tile/0/0000",
        "tile/0/x001",
        "tile/0/001/000",
        "tile/0/x000/001",
        "tile/0/x001/x000",
        "tile/0/x1/000",
        "tile/0/x001//000",
        "tile/0/X001/000",
        "tile/0/x0001/000",
        "tile/00/000",
        "tile/+1/000",
        "tile/64/000",
        "tile/256/000",
        "tile/-1/000",
        "tile/0/000.p",
        "tile/0/000.p/",
        "tile/0/000.p/0",
        "tile/0/000.p/01",
        "tile/0/000.p/256",
        "tile/0/000.p/1.p/1",
        "tile/0/000.P/1",
        "tile/0/000/",
        "/tile/0/000",
        "tile/8/0/000",
        "tile/data/000",
        "tile/Entries/000",
        " tile/0/000",
        "tile/0/000\n",
        "tile/0/٠٠٠",
        "tile/0/x018/x446/x744/x073/x709/x551/616",
        "tile/0/x018/x446/x744/x073/x709/x551/x615/000",
    ] {
        assert_eq!(text.parse::<Tile>(), Err(PathError), "{text}");
    }
}

proptest! {
    #[test]
    fn a_path_comes_back_as_it_went(level in 0..=63_u8, index in any::<u64>(), width in 1..=256_u16, kind: bool) {
        let row = if kind { Row::Entries } else { Row::Hashes(level) };
        let tile = Tile::new(row, index, width).unwrap();
        prop_assert_eq!(tile.to_string().parse(), Ok(tile));
    }

    #[test]
    fn what_is_read_as_a_path_is_written_the_same(text in "tile/([0-9]{1,2}|entries)(/x?[0-9]{3}){1,3}(\\.p/[0-9]{1,3})?") {
        if let Ok(tile) = text.parse::<Tile>() {
            prop_assert_eq!(tile.to_string(), text);
        }
    }

    #[test]
    fn every_node_of_a_tree_is_in_a_tile_of_it(size in 1..=u64::MAX >> 1, level in 0..63_u8, pick in any::<u64>()) {
        prop_assume!(size >> level > 0);
        let node = Node { level, index: pick % (size >> level) };
        let tile = Tile::holding(node, size).unwrap();
        let Row::Hashes(row) = tile.row() else { panic!("a bundle has no hashes") };
        let last = (tile.index() << 8) + u64::from(tile.width());
        prop_assert!(last <= size >> (8 * row));
        prop_assert!(tile.is_full() || last == size >> (8 * row));
        let all = vec![ALGORITHM.leaf(b"x"); usize::from(tile.width())];
        prop_assert!(tile.read(ALGORITHM, &all, node).is_some());
    }
}
