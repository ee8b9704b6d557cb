//! The one who writes a tree's folder: it appends leaves, and stores them round by round.
//!
//! A round is written in four steps: every file under a working name and synced; each renamed to its own name;
//! the folders synced; then `tree.json`. If we crash before that, the tree is what it was, and the same leaves
//! are written again, to the same bytes. Partial tiles that are full now are removed after it.

use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use duban_merkle::proof::TreeHead;
use duban_merkle::tile::{self, HEIGHT, Row, WIDTH};
use duban_merkle::{Algorithm, Frontier, Tile, bundle};

use super::edge::Edge;
use super::{Stood, Store, StoreError, TREE, TreeId, stood};
use crate::disk::{self, fault};

/// Held by whoever builds the tree.
const LOCK: &str = "lock";
/// Where files are before they are whole.
const WORK: &str = "work";

/// A tree's folder, for writing. There is one at a time.
pub struct Writer {
    store: Arc<Store>,
    /// Held as long as it lives.
    _lock: File,
    frontier: Frontier,
    /// How many leaves are stored.
    stored: u64,
    edge: Edge,
    /// The files of this round: under which number they are written, and where they belong.
    round: Vec<Tile>,
}

impl Writer {
    /// The tree of this store, made if there is none. Fails with [`StoreError::InUse`] if somebody else writes it,
    /// and with [`StoreError::Damaged`] if its edge doesn't hold together.
    pub fn open(store: Arc<Store>) -> Result<Self, StoreError> {
        let (folder, id) = (store.folder(), store.id());
        disk::make(folder)?;
        let lock = locked(folder)?;
        let work = folder.join(WORK);
        if work.exists() {
            fs::remove_dir_all(&work).map_err(fault(&work))?;
        }
        disk::make(&work)?;
        let stored = match stood(folder)? {
            Some(stood) if stood.id == *id => stood.size,
            Some(Stood { id: found, .. }) => {
                let (found, expected) = (found.origin, id.origin.clone());
                return Err(StoreError::Other { folder: folder.to_owned(), found, expected });
            }
            None => {
                write_stood(folder, id, 0)?;
                0
            }
        };
        let frontier = Frontier::read(id.algorithm, stored, |node| store.node(node, stored))?;
        let frontier = frontier.ok_or_else(|| StoreError::Damaged {
            file: store.folder.join(TREE),
            what: format!("no tree has {stored} leaves"),
        })?;
        let edge = Edge::read(&store, stored)?;
        Ok(Self { store, _lock: lock, frontier, stored, edge, round: Vec::new() })
    }

    /// The same folder, for reading.
    pub fn store(&self) -> &Arc<Store> {
        &self.store
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
    /// on the disk tells then where to go on.
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
            self.write(full(Row::Entries, self.size()))?;
            self.edge.leaves.clear();
            for level in 0..HEIGHT {
                if self.edge.rows[usize::from(level)].len() < usize::from(WIDTH) {
                    break;
                }
                self.write(full(Row::Hashes(level), self.size() >> (HEIGHT * level)))?;
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
                self.write(Some(tile))?;
            }
            self.settle()?;
            write_stood(&self.store.folder, &self.store.id, size)?;
            self.stored = size;
            self.tidy(old)?;
        }
        Ok(self.head())
    }

    fn algorithm(&self) -> Algorithm {
        self.frontier.algorithm()
    }

    /// Writes a tile of the edge under its working name.
    fn write(&mut self, tile: Option<Tile>) -> Result<(), StoreError> {
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
        let work = self.work(self.round.len());
        fs::write(&work, bytes).map_err(fault(&work))?;
        self.round.push(tile);
        Ok(())
    }

    /// Syncs the files of the round and gives them their names.
    fn settle(&mut self) -> Result<(), StoreError> {
        let round = std::mem::take(&mut self.round);
        // All are written before the first is synced, so that one journal commit of the disk takes most of them.
        for number in 0..round.len() {
            disk::sync(&self.work(number))?;
        }
        let mut folders = BTreeSet::new();
        for (number, tile) in round.iter().enumerate() {
            let path = self.store.path(*tile);
            let above = path.ancestors().skip(1).take_while(|folder| folder.starts_with(&self.store.folder));
            folders.extend(above.map(Path::to_owned));
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder).map_err(fault(folder))?;
            }
            fs::rename(self.work(number), &path).map_err(fault(&path))?;
        }
        folders.iter().try_for_each(|folder| disk::sync(folder))
    }

    /// Removes the partial tiles at the edge of the tree of `old` that are full now. If we crash before it, they
    /// stay and do no harm.
    fn tidy(&self, old: u64) -> Result<(), StoreError> {
        let rows = (0..HEIGHT).map(|level| (Row::Hashes(level), HEIGHT * level)).chain([(Row::Entries, 0)]);
        for (row, shift) in rows {
            let (before, after) = (old >> shift, self.stored >> shift);
            let index = before / u64::from(WIDTH);
            if before % u64::from(WIDTH) == 0 || after / u64::from(WIDTH) == index {
                continue;
            }
            let Some(partial) = Tile::new(row, index, 1) else { continue };
            let path = self.store.path(partial);
            let Some(folder) = path.parent() else { continue };
            if folder.exists() {
                fs::remove_dir_all(folder).map_err(fault(folder))?;
            }
        }
        Ok(())
    }

    fn work(&self, number: usize) -> PathBuf {
        self.store.folder.join(WORK).join(number.to_string())
    }
}

fn full(row: Row, nodes: u64) -> Option<Tile> {
    Tile::new(row, (nodes / u64::from(WIDTH)).checked_sub(1)?, WIDTH)
}

fn locked(folder: &Path) -> Result<File, StoreError> {
    let path = folder.join(LOCK);
    let file = File::create(&path).map_err(fault(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse(folder.to_owned())),
        Err(TryLockError::Error(error)) => Err(fault(&path)(error)),
    }
}

fn write_stood(folder: &Path, id: &TreeId, size: u64) -> Result<(), StoreError> {
    let file = folder.join(TREE);
    let stood = Stood { id: id.clone(), size };
    let text = serde_json::to_vec(&stood)
        .map_err(|error| StoreError::Damaged { file: file.clone(), what: error.to_string() })?;
    disk::replace(&file, &text)
}
