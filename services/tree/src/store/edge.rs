//! The right edge of a stored tree: the tiles that are not full, which the next leaves go into.

use duban_merkle::node::Node;
use duban_merkle::tile::{HEIGHT, Row, WIDTH};
use duban_merkle::{Hash, Tile};

use super::{Store, StoreError, in_place};

/// How many rows of tiles a tree can have.
const ROWS: usize = 8;

/// What stands in the last tile of each row and in the last bundle, as long as they are not full.
#[derive(Debug, Default)]
pub(super) struct Edge {
    /// The hashes of each row, from the leaves up.
    pub(super) rows: [Vec<Hash>; ROWS],
    /// The leaves.
    pub(super) leaves: Vec<Vec<u8>>,
}

impl Edge {
    /// Reads it. Each row must be the hashes of the row below it, as far as the edge shows, and the lowest those of
    /// the leaves: a file that was changed, or that is of another time, is found.
    pub(super) fn read(store: &Store, size: u64) -> Result<Self, StoreError> {
        let mut edge = Self::default();
        for (level, row) in (0..HEIGHT).zip(&mut edge.rows) {
            let nodes = size >> (HEIGHT * level);
            if let Some(tile) = last(Row::Hashes(level), nodes / u64::from(WIDTH), size) {
                row.extend_from_slice(&store.hashes(tile)?);
            }
            if let (Some(top), Some(below)) = (nodes.checked_sub(1), level.checked_sub(1)) {
                hashed(store, size, level, top, below)?;
            }
        }
        let Some(tile) = size.checked_sub(1).and_then(|at| last(Row::Entries, at / u64::from(WIDTH), size))
        else {
            return Ok(edge);
        };
        edge.leaves = store.leaves(tile)?;
        for (index, leaf) in (tile.index() * u64::from(WIDTH)..).zip(&edge.leaves) {
            if store.id.algorithm.leaf(leaf) != store.node(Node { level: 0, index }, size)? {
                return Err(store.damaged(tile, &format!("the leaf at {index} has another hash")));
            }
        }
        if tile.is_full() {
            edge.leaves.clear();
        }
        Ok(edge)
    }
}

/// What the tree has at this place of a row.
fn last(row: Row, index: u64, size: u64) -> Option<Tile> {
    in_place(Tile::new(row, index, WIDTH)?, size)
}

/// Whether the last hash of a row is the one of the tile below it.
fn hashed(store: &Store, size: u64, level: u8, top: u64, below: u8) -> Result<(), StoreError> {
    let height = HEIGHT * level;
    let halves = [2 * top, 2 * top + 1].map(|index| store.node(Node { level: height - 1, index }, size));
    let [left, right] = halves;
    if store.id.algorithm.node(&left?, &right?) == store.node(Node { level: height, index: top }, size)? {
        return Ok(());
    }
    let tile = Tile::new(Row::Hashes(below), top, WIDTH);
    let file = tile.map_or(store.place().to_owned(), |tile| store.path(tile));
    Err(StoreError::Damaged { file, what: "the tile above it has another hash".into() })
}
