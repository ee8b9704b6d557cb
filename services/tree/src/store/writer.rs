//! The one who writes a tree: it appends leaves, and stores them round by round.
//!
//! Of a round all is stored or nothing counts. If we crash before, the tree is what it was, and the same leaves are
//! written again, to the same bytes. Partial tiles that are full now go with it.

use std::sync::Arc;

use duban_merkle::proof::TreeHead;
use duban_merkle::tile::{self, HEIGHT, Row, WIDTH};
use duban_merkle::{Algorithm, Frontier, Tile, bundle};

use super::edge::Edge;
use super::{Press, Stood, Store, StoreError, TREE};

/// A tree, for writing. There is one at a time.
pub struct Writer {
    store: Arc<Store>,
    /// The right to write, as long as it lives.
    press: Press,
    frontier: Frontier,
    /// How many leaves are stored.
    stored: u64,
    edge: Edge,
}

impl Writer {
    /// The tree of this store, made if there is none. Fails with [`StoreError::InUse`] if somebody else writes it,
    /// and with [`StoreError::Damaged`] if its edge doesn't hold together.
    pub fn open(store: Arc<Store>) -> Result<Self, StoreError> {
        let id = store.id();
        let press = Press::new(store.files.lock()?);
        let stored = match store.stood()? {
            Some(stood) if stood.id == *id => stood.size,
            Some(Stood { id: found, .. }) => {
                let (found, expected) = (found.origin, id.origin.clone());
                return Err(StoreError::Other { folder: store.place().to_owned(), found, expected });
            }
            None => {
                press.pen().settle(&stand(&store, 0)?, &[])?;
                0
            }
        };
        let frontier = Frontier::read(id.algorithm, stored, |node| store.node(node, stored))?;
        let frontier = frontier.ok_or_else(|| StoreError::Damaged {
            file: store.place().join(TREE),
            what: format!("no tree has {stored} leaves"),
        })?;
        let edge = Edge::read(&store, stored)?;
        Ok(Self { store, press, frontier, stored, edge })
    }

    /// The same tree, for reading.
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// With what it publishes.
    pub fn press(&self) -> &Press {
        &self.press
    }

    /// How many leaves it has, with those of this round.
    pub fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// The size and the root, with the leaves of this round.
    pub fn head(&self) -> TreeHead {
        self.frontier.head()
    }

    /// The last leaf, if there is one.
    pub fn last(&self) -> Result<Option<Vec<u8>>, StoreError> {
        match (self.edge.leaves.last(), self.size().checked_sub(1)) {
            (Some(leaf), _) => Ok(Some(leaf.clone())),
            (None, Some(index)) => self.store.leaf(index, self.size()).map(Some),
            (None, None) => Ok(None),
        }
    }

    /// Appends a leaf, which is stored by the next [`Writer::commit`]. After an error it must be dropped: what is
    /// stored tells then where to go on.
    pub fn append(&mut self, leaf: Vec<u8>) -> Result<(), StoreError> {
        let hash = self.algorithm().leaf(&leaf);
        let rows = &mut self.edge.rows;
        self.frontier.append_noting(hash, |node, hash| {
            if node.level % HEIGHT == 0 {
                rows[usize::from(node.level / HEIGHT)].push(hash);
            }
        });
        self.edge.leaves.push(leaf);
        // A tile of a row is full only where those below it are.
        if self.edge.leaves.len() == usize::from(WIDTH) {
            self.put(full(Row::Entries, self.size()))?;
            self.edge.leaves.clear();
            for level in 0..HEIGHT {
                if self.edge.rows[usize::from(level)].len() < usize::from(WIDTH) {
                    break;
                }
                self.put(full(Row::Hashes(level), self.size() >> (HEIGHT * level)))?;
                self.edge.rows[usize::from(level)].clear();
            }
        }
        Ok(())
    }

    /// Stores what was appended: durable when this returns. After an error it must be dropped.
    pub fn commit(&mut self) -> Result<TreeHead, StoreError> {
        let (old, size) = (self.stored, self.size());
        if size > old {
            for tile in tile::grown(old, size).filter(|tile| !tile.is_full()) {
                self.put(Some(tile))?;
            }
            self.press.pen().settle(&stand(&self.store, size)?, &outgrown(old, size))?;
            self.stored = size;
        }
        Ok(self.head())
    }

    fn algorithm(&self) -> Algorithm {
        self.frontier.algorithm()
    }

    /// Adds a tile of the edge to the round.
    fn put(&mut self, tile: Option<Tile>) -> Result<(), StoreError> {
        // Of the rows and widths written here there is always one.
        let Some(tile) = tile else { return Ok(()) };
        let bytes = match tile.row() {
            Row::Entries => bundle::encode(&self.edge.leaves).map_err(|error| StoreError::Damaged {
                file: self.store.path(tile),
                what: error.to_string(),
            })?,
            Row::Hashes(level) => {
                self.edge.rows[usize::from(level)].iter().flat_map(|hash| *hash.as_bytes()).collect()
            }
        };
        self.press.pen().put(tile.to_string(), bytes)
    }
}

fn full(row: Row, nodes: u64) -> Option<Tile> {
    Tile::new(row, (nodes / u64::from(WIDTH)).checked_sub(1)?, WIDTH)
}

/// The folders of the partial tiles at the edge of the tree of `old` that are full in the one of `size`.
pub(super) fn outgrown(old: u64, size: u64) -> Vec<String> {
    let rows = (0..HEIGHT).map(|level| (Row::Hashes(level), HEIGHT * level)).chain([(Row::Entries, 0)]);
    let folder = |(row, shift): (Row, u8)| {
        let (before, after) = (old >> shift, size >> shift);
        let index = before / u64::from(WIDTH);
        if before.is_multiple_of(u64::from(WIDTH)) || after / u64::from(WIDTH) == index {
            return None;
        }
        let partial = Tile::new(row, index, 1)?.to_string();
        partial.rsplit_once('/').map(|(folder, _)| folder.to_owned())
    };
    rows.filter_map(folder).collect()
}

/// `tree.json` of so many leaves.
pub(super) fn stand(store: &Store, size: u64) -> Result<Vec<u8>, StoreError> {
    let stood = Stood { id: store.id().clone(), size };
    let file = store.place().join(TREE);
    serde_json::to_vec(&stood).map_err(|error| StoreError::Damaged { file, what: error.to_string() })
}
