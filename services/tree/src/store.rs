//! One tree's folder: tiles and entry bundles as C2SP `tlog-tiles` lays them out, the checkpoint, and how far the
//! builder has come.
//!
//! ```text
//! checkpoint                the newest published checkpoint
//! keys                      the public keys that it is signed with, a line each
//! tile/0/x001/234           256 hashes; tile/0/x001/235.p/17 the first 17 of them
//! tile/entries/x001/234     256 leaves, each behind its length
//! handovers/1234            the checkpoint of that size, at which a key handed over to the next
//! cosigned/1234             the checkpoint of that size, with cosignatures that were carried in by hand
//! tree.json                 which tree it is, and its size: written after the tiles are on the disk
//! ```
//! What stands beyond the size in `tree.json` doesn't count: a crash may have left it, and it is written again.
//! Copied while it is written, the folder is a tree too: `checkpoint` is never ahead of the tiles.

mod edge;
mod id;
mod writer;

use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use duban_merkle::node::{Node, Span};
use duban_merkle::proof::TreeHead;
use duban_merkle::tile::{Row, WIDTH};
use duban_merkle::{Hash, Tile, Verifier, bundle};
use lru::LruCache;
use serde::{Deserialize, Serialize};

use crate::disk;

pub use id::TreeId;
pub use writer::Writer;

/// How many tiles of hashes are kept in memory, of 8 KiB each.
const TILES_MAX: NonZeroUsize = NonZeroUsize::MIN.saturating_add(511);
const TREE: &str = "tree.json";
const CHECKPOINT: &str = "checkpoint";
const KEYS: &str = "keys";
const HANDOVERS: &str = "handovers";

/// Why a tree's folder can't be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no tree in it.
    #[error("there is no tree in {0}")]
    Absent(PathBuf),
    /// It holds another tree.
    #[error("the tree in {folder} is of {found}, not of {expected}")]
    Other {
        /// The folder.
        folder: PathBuf,
        /// The origin of what is there.
        found: String,
        /// The origin that was asked for.
        expected: String,
    },
    /// Another process, or another builder in this one, writes it.
    #[error("the tree in {0} is built by another process")]
    InUse(PathBuf),
    /// A file is missing, or not what it was when it was written.
    #[error("the tree is damaged at {}: {what}", file.display())]
    Damaged {
        /// Which file.
        file: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A file can't be read or written now.
    #[error("{0} can't be used")]
    File(PathBuf, #[source] io::Error),
}

/// `tree.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Stood {
    #[serde(flatten)]
    id: TreeId,
    size: u64,
}

/// A tree's folder, for reading.
pub struct Store {
    folder: PathBuf,
    id: TreeId,
    /// Of tiles on the disk, which never change.
    tiles: Mutex<LruCache<Tile, Arc<Vec<Hash>>>>,
}

impl Store {
    /// The tree in `folder`. Fails with [`StoreError::Absent`] if there is none.
    pub fn open(folder: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let folder = folder.into();
        let stood = stood(&folder)?.ok_or_else(|| StoreError::Absent(folder.clone()))?;
        Ok(Self::of(folder, stood.id))
    }

    /// The tree `id` in `folder`, which is there or will be: whoever writes it makes it.
    pub fn of(folder: impl Into<PathBuf>, id: TreeId) -> Self {
        let folder = folder.into();
        Self { folder, id, tiles: Mutex::new(LruCache::new(TILES_MAX)) }
    }

    /// Which tree it is.
    pub fn id(&self) -> &TreeId {
        &self.id
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Its size, as the builder has stored it: a checkpoint may be of less.
    pub fn size(&self) -> Result<u64, StoreError> {
        let stood = stood(&self.folder)?.ok_or_else(|| StoreError::Absent(self.folder.clone()))?;
        Ok(stood.size)
    }

    /// The bytes of the published checkpoint, if there is one. Nothing of it is verified.
    pub fn checkpoint(&self) -> Result<Option<Vec<u8>>, StoreError> {
        disk::read(&self.folder.join(CHECKPOINT))
    }

    /// Publishes a checkpoint: replaces the one before at once.
    pub fn publish(&self, note: &str) -> Result<(), StoreError> {
        disk::replace(&self.folder.join(CHECKPOINT), note.as_bytes())
    }

    /// The public keys that the checkpoints are signed with, as the builder has said. They are a convenience:
    /// whoever verifies has them by another way.
    pub fn keys(&self) -> Result<Vec<String>, StoreError> {
        let file = self.folder.join(KEYS);
        let Some(bytes) = disk::read(&file)? else { return Ok(Vec::new()) };
        let text = String::from_utf8(bytes).map_err(|error| error.to_string());
        let text = text.map_err(|what| StoreError::Damaged { file, what })?;
        Ok(text.lines().map(ToOwned::to_owned).collect())
    }

    /// Says with which keys the checkpoints are signed.
    pub(crate) fn name_keys(&self, keys: &[Verifier]) -> Result<(), StoreError> {
        let lines: Vec<String> = keys.iter().map(ToString::to_string).collect();
        let text = lines.join("\n") + "\n";
        disk::replace(&self.folder.join(KEYS), text.as_bytes())
    }

    /// The checkpoints at which keys handed over, the smallest first. Nothing of them is verified.
    pub fn handovers(&self) -> Result<Vec<Vec<u8>>, StoreError> {
        let files = self.handover_sizes()?.into_iter().map(|size| self.handover(size));
        files.filter_map(|file| disk::read(&file).transpose()).collect()
    }

    /// The size of the last of them; 0 if there is none.
    pub(crate) fn handed_over(&self) -> Result<u64, StoreError> {
        Ok(self.handover_sizes()?.last().copied().unwrap_or(0))
    }

    /// Keeps a checkpoint at which keys handed over.
    pub(crate) fn hand_over(&self, size: u64, note: &str) -> Result<(), StoreError> {
        disk::make(&self.folder.join(HANDOVERS))?;
        disk::replace(&self.handover(size), note.as_bytes())
    }

    fn handover(&self, size: u64) -> PathBuf {
        self.folder.join(HANDOVERS).join(size.to_string())
    }

    fn handover_sizes(&self) -> Result<Vec<u64>, StoreError> {
        let folder = self.folder.join(HANDOVERS);
        let listed = match std::fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            listed => listed.and_then(|entries| {
                entries.map(|entry| Ok(entry?.file_name())).collect::<io::Result<Vec<_>>>()
            }),
        };
        let names = listed.map_err(disk::fault(&folder))?;
        let mut sizes: Vec<u64> = names.iter().filter_map(|name| name.to_str()?.parse().ok()).collect();
        sizes.sort_unstable();
        Ok(sizes)
    }

    /// The bytes of a tile or bundle as wide as asked; a partial one that is gone, or that never was, is cut from
    /// the full one, or from the one that the tree of `size` has in its place. `None` if that tree doesn't have it.
    pub fn bytes(&self, tile: Tile, size: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(widest) = in_place(tile, size).filter(|there| there.width() >= tile.width()) else {
            return Ok(None);
        };
        for there in [tile, widest, tile.full()] {
            let path = self.path(there);
            if let Some(bytes) = disk::read(&path)? {
                let cut = cut(&bytes, there, tile.width());
                return cut.map(Some).map_err(|what| StoreError::Damaged { file: path, what });
            }
        }
        Err(self.damaged(widest, "it is missing"))
    }

    /// The hash of a node of the tree of `size`.
    pub fn node(&self, node: Node, size: u64) -> Result<Hash, StoreError> {
        let tile = Tile::holding(node, size).ok_or_else(|| StoreError::Damaged {
            file: self.folder.join(TREE),
            what: format!("a tree of {size} leaves doesn't reach {node:?}"),
        })?;
        let hashes = self.hashes(tile)?;
        tile.read(self.id.algorithm, &hashes, node).ok_or_else(|| self.damaged(tile, "it lacks a node"))
    }

    /// The size and the root of the tree of `size`, which was stored as it was at the end of a round.
    pub fn head(&self, size: u64) -> Result<TreeHead, StoreError> {
        self.head_within(size, size)
    }

    /// The size and the root of the tree when it had `size` leaves, from the tiles of the tree of `within`, which
    /// has more.
    pub fn head_within(&self, size: u64, within: u64) -> Result<TreeHead, StoreError> {
        let root = Span::tree(size).hash(self.id.algorithm, |node| self.node(node, within))?;
        Ok(TreeHead { size, root })
    }

    /// The bytes of the leaf at `index` in the tree of `size`, which has it.
    pub fn leaf(&self, index: u64, size: u64) -> Result<Vec<u8>, StoreError> {
        let tile = Tile::new(Row::Entries, index / u64::from(WIDTH), WIDTH);
        let tile = tile.and_then(|full| in_place(full, size)).ok_or_else(|| StoreError::Damaged {
            file: self.folder.join(TREE),
            what: format!("a tree of {size} leaves has none at {index}"),
        })?;
        let leaves = self.leaves(tile)?;
        let at = usize::try_from(index % u64::from(WIDTH)).ok();
        at.and_then(|at| leaves.into_iter().nth(at)).ok_or_else(|| self.damaged(tile, "it lacks a leaf"))
    }

    /// The hashes of a tile that the tree has, or has had.
    fn hashes(&self, tile: Tile) -> Result<Arc<Vec<Hash>>, StoreError> {
        if let Some(known) = self.known(tile) {
            return Ok(known);
        }
        let bytes = self.stored(tile)?;
        let hashes =
            tile.parse(&bytes).ok_or_else(|| self.damaged(tile, "it is not as long as it should be"))?;
        let hashes = Arc::new(hashes);
        lock(&self.tiles).put(tile, Arc::clone(&hashes));
        Ok(hashes)
    }

    fn known(&self, tile: Tile) -> Option<Arc<Vec<Hash>>> {
        lock(&self.tiles).get(&tile).map(Arc::clone)
    }

    /// The leaves of a bundle that the tree has, or has had.
    fn leaves(&self, tile: Tile) -> Result<Vec<Vec<u8>>, StoreError> {
        let bytes = self.stored(tile)?;
        match bundle::decode(&bytes, tile.width()) {
            Ok(leaves) => Ok(leaves.into_iter().map(<[u8]>::to_vec).collect()),
            Err(error) => Err(self.damaged(tile, &error.to_string())),
        }
    }

    /// The bytes of a tile or bundle that the tree has, or has had: a partial one may be gone since it is full.
    fn stored(&self, tile: Tile) -> Result<Vec<u8>, StoreError> {
        for there in [tile, tile.full()] {
            if let Some(bytes) = disk::read(&self.path(there))? {
                return cut(&bytes, there, tile.width()).map_err(|what| self.damaged(there, &what));
            }
        }
        Err(self.damaged(tile, "it is missing"))
    }

    fn path(&self, tile: Tile) -> PathBuf {
        self.folder.join(tile.to_string())
    }

    fn damaged(&self, tile: Tile, what: &str) -> StoreError {
        StoreError::Damaged { file: self.path(tile), what: what.to_owned() }
    }
}

/// What the tree of `size` has in the place of a tile; `None` if it doesn't reach so far.
fn in_place(tile: Tile, size: u64) -> Option<Tile> {
    let nodes = match tile.row() {
        Row::Entries => size,
        Row::Hashes(level) => size.checked_shr(8 * u32::from(level)).unwrap_or(0),
    };
    let before = tile.index().checked_mul(u64::from(WIDTH))?;
    let there = nodes.saturating_sub(before).min(u64::from(WIDTH));
    Tile::new(tile.row(), tile.index(), u16::try_from(there).ok()?)
}

/// The first `width` hashes or leaves of a tile that is `of` wide.
fn cut(bytes: &[u8], of: Tile, width: u16) -> Result<Vec<u8>, String> {
    if of.width() == width {
        return Ok(bytes.to_vec());
    }
    match of.row() {
        Row::Hashes(_) => {
            let hashes = of.parse(bytes).ok_or("it is not as long as it should be")?;
            Ok(hashes.iter().take(width.into()).flat_map(|hash| *hash.as_bytes()).collect())
        }
        Row::Entries => {
            let leaves = bundle::decode(bytes, of.width()).map_err(|error| error.to_string())?;
            let leaves: Vec<&[u8]> = leaves.into_iter().take(width.into()).collect();
            bundle::encode(&leaves).map_err(|error| error.to_string())
        }
    }
}

fn stood(folder: &Path) -> Result<Option<Stood>, StoreError> {
    let file = folder.join(TREE);
    let Some(bytes) = disk::read(&file)? else { return Ok(None) };
    let read = serde_json::from_slice(&bytes);
    read.map(Some).map_err(|error| StoreError::Damaged { file, what: error.to_string() })
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
