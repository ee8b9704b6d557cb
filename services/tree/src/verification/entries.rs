//! A tree as it is stored, compared with the leaves that the log comes to: bundles and tiles as C2SP tlog-tiles lays
//! them out.

use std::sync::Arc;

use duban_merkle::tile::{Row, WIDTH};
use duban_merkle::{Hash, Node, Tile, bundle};

use crate::store::Store;

/// A stored tree. What it holds is not believed: it is compared.
pub(super) struct Entries {
    store: Arc<Store>,
    size: u64,
    /// The bundle that was read last: its index and its leaves.
    bundle: Option<(u64, Vec<Vec<u8>>)>,
    /// The hashes of the rows' last tiles, as the log comes to them.
    rows: Vec<Vec<Hash>>,
}

/// A file of the tree that is not as it should be.
pub(super) struct BadTile {
    pub(super) path: String,
    pub(super) what: String,
}

impl Entries {
    /// The tree of `size` leaves that is stored there.
    pub(super) fn new(store: Arc<Store>, size: u64) -> Self {
        Self { store, size, bundle: None, rows: Vec::new() }
    }

    /// How many leaves it has.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// The leaf at an index; none beyond the tree's size or where its bundle is bad, which is told once.
    pub(super) fn leaf(&mut self, index: u64) -> Result<Option<&[u8]>, BadTile> {
        if index >= self.size {
            return Ok(None);
        }
        let wanted = index / u64::from(WIDTH);
        if self.bundle.as_ref().is_none_or(|(held, _)| *held != wanted) {
            // A bad one counts as empty from now on, so that it is told once.
            self.bundle = Some((wanted, Vec::new()));
            self.bundle = Some((wanted, self.read_bundle(wanted)?));
        }
        let inner = usize::try_from(index % u64::from(WIDTH)).unwrap_or(usize::MAX);
        Ok(self.bundle.as_ref().and_then(|(_, leaves)| leaves.get(inner)).map(Vec::as_slice))
    }

    fn read_bundle(&self, index: u64) -> Result<Vec<Vec<u8>>, BadTile> {
        let (tile, bytes) = self.read(Row::Entries, index, self.size)?;
        match bundle::decode(&bytes, tile.width()) {
            Ok(leaves) => Ok(leaves.into_iter().map(<[u8]>::to_vec).collect()),
            Err(error) => Err(BadTile { path: tile.to_string(), what: format!("can't be read: {error}") }),
        }
    }

    /// A tile of a row that is `long`: full, or as wide as the row's end.
    fn read(&self, row: Row, index: u64, long: u64) -> Result<(Tile, Vec<u8>), BadTile> {
        let width = (long - index * u64::from(WIDTH)).min(u64::from(WIDTH));
        let width = u16::try_from(width).unwrap_or(WIDTH);
        let Some(tile) = Tile::new(row, index, width) else {
            return Err(BadTile { path: format!("{row:?} {index}"), what: "is no tile".to_owned() });
        };
        let bad = |what: String| BadTile { path: tile.to_string(), what };
        // A partial one may have been removed once there is the full one, which begins with it.
        for there in [tile, tile.full()] {
            match self.store.file(&there.to_string()) {
                Ok(Some(bytes)) => return Ok((there, bytes)),
                Ok(None) => {}
                Err(error) => return Err(bad(format!("can't be read: {error}"))),
            }
        }
        Err(bad("is missing".to_owned()))
    }

    /// Takes a node of the tree that the log comes to. What completes a tile is compared with it; the first index of
    /// a leaf under a hash that differs comes with what is wrong.
    pub(super) fn node(&mut self, node: Node, hash: Hash) -> Option<(u64, BadTile)> {
        if !node.level.is_multiple_of(8) {
            return None;
        }
        let level = usize::from(node.level / 8);
        if self.rows.len() <= level {
            self.rows.resize(level + 1, Vec::new());
        }
        self.rows[level].push(hash);
        let full = self.rows[level].len() == usize::from(WIDTH);
        if full { self.compare(level, node.index / u64::from(WIDTH)) } else { None }
    }

    /// Compares the tiles at the right edge, once as many leaves were taken as the tree has.
    pub(super) fn edge(&mut self) -> Vec<(u64, BadTile)> {
        let (size, rows) = (self.size, 0..self.rows.len());
        let levels: Vec<usize> = rows.filter(|level| !self.rows[*level].is_empty()).collect();
        let index = |level: usize| (size >> (8 * level)) / u64::from(WIDTH);
        levels.into_iter().filter_map(|level| self.compare(level, index(level))).collect()
    }

    fn compare(&mut self, level: usize, index: u64) -> Option<(u64, BadTile)> {
        let found = std::mem::take(&mut self.rows[level]);
        let row = Row::Hashes(u8::try_from(level).ok()?);
        let under = |inner: usize| (index * u64::from(WIDTH) + inner as u64) << (8 * level);
        let long = index * u64::from(WIDTH) + found.len() as u64;
        let (tile, bytes) = match self.read(row, index, long) {
            Ok(read) => read,
            Err(bad) => return Some((under(0), bad)),
        };
        let Some(stored) = tile.parse(&bytes) else {
            let what = "has not the length that it should have".to_owned();
            return Some((under(0), BadTile { path: tile.to_string(), what }));
        };
        let inner = found.iter().zip(&stored).position(|(found, stored)| found != stored)?;
        let what = "is not what the leaves come to".to_owned();
        Some((under(inner), BadTile { path: tile.to_string(), what }))
    }
}

#[cfg(test)]
mod tests;
