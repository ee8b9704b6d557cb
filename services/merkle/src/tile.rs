//! Tiles: the nodes of the tree in files of 256 hashes, and the leaves in bundles beside them (C2SP
//! `tlog-tiles`). A full tile never changes; a partial one is what the right edge of a tree of some size has.

mod path;
mod set;

use crate::hash::{Algorithm, Hash, LENGTH};
use crate::node::Node;

pub use path::PathError;
pub use set::{entries, grown, hashes};

/// How many levels of the tree a tile spans.
pub const HEIGHT: u8 = 8;
/// How many hashes a full tile has, and how many leaves a full bundle.
pub const WIDTH: u16 = 256;
/// The highest level that a path may name.
pub const LEVEL_MAX: u8 = 63;

/// What a tile holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Row {
    /// The leaves themselves.
    Entries,
    /// Hashes of subtrees of 256^level leaves: level 0 are the hashes of leaves.
    Hashes(u8),
}

/// Which tile: its row, its place in it, and how wide it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tile {
    row: Row,
    index: u64,
    width: u16,
}

impl Tile {
    /// The tile of this row, index and width; `None` unless the level is at most [`LEVEL_MAX`] and the width is
    /// from 1 to [`WIDTH`].
    pub fn new(row: Row, index: u64, width: u16) -> Option<Self> {
        let level = !matches!(row, Row::Hashes(level) if level > LEVEL_MAX);
        (level && (1..=WIDTH).contains(&width)).then_some(Self { row, index, width })
    }

    /// The tile from which the hash of `node` can be had in the tree of `size`; `None` if that tree doesn't have
    /// the node.
    pub fn holding(node: Node, size: u64) -> Option<Self> {
        if node.level >= 64 || node.index >= size >> node.level {
            return None;
        }
        let (level, inner) = (node.level / HEIGHT, node.level % HEIGHT);
        let index = node.index >> (HEIGHT - inner);
        let there = (size >> (HEIGHT * level)) - index * u64::from(WIDTH);
        Self::new(Row::Hashes(level), index, u16::try_from(there).unwrap_or(WIDTH).min(WIDTH))
    }

    /// What it holds.
    pub fn row(self) -> Row {
        self.row
    }

    /// Its place in its row, from 0 on.
    pub fn index(self) -> u64 {
        self.index
    }

    /// How many hashes or leaves it has: 1 to [`WIDTH`].
    pub fn width(self) -> u16 {
        self.width
    }

    /// Whether it is full, and so never changes.
    pub fn is_full(self) -> bool {
        self.width == WIDTH
    }

    /// The full tile in its place: where to look when a partial one has been deleted.
    #[must_use]
    pub fn full(self) -> Self {
        Self { width: WIDTH, ..self }
    }

    /// Its hashes, from the bytes of its file; `None` unless they are exactly as many as it is wide.
    pub fn parse(self, bytes: &[u8]) -> Option<Vec<Hash>> {
        let fits = bytes.len() == usize::from(self.width) * LENGTH && self.row != Row::Entries;
        fits.then(|| bytes.chunks_exact(LENGTH).filter_map(Hash::from_slice).collect())
    }

    /// The hash of `node`, from the hashes of this tile; `None` if the node is not in it.
    pub fn read(self, algorithm: Algorithm, hashes: &[Hash], node: Node) -> Option<Hash> {
        let inner = node.level % HEIGHT;
        let same =
            self.row == Row::Hashes(node.level / HEIGHT) && self.index == node.index >> (HEIGHT - inner);
        // Within the tile, in hashes.
        let begin = usize::try_from((node.index << inner) % u64::from(WIDTH)).ok()?;
        let end = begin + (1 << inner);
        if !same || end > usize::from(self.width) {
            return None;
        }
        Some(complete(algorithm, hashes.get(begin..end)?))
    }
}

/// The hash over a complete subtree, from a power of two of hashes.
fn complete(algorithm: Algorithm, hashes: &[Hash]) -> Hash {
    match hashes {
        [one] => *one,
        more => {
            let (left, right) = more.split_at(more.len() / 2);
            algorithm.node(&complete(algorithm, left), &complete(algorithm, right))
        }
    }
}

#[cfg(test)]
mod tests;
