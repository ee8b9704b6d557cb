//! One tree as it is stored, in a folder or in a database: tiles and entry bundles as C2SP `tlog-tiles` lays them out,
//! the checkpoint, and how far the builder has come. Both have the same files by the same names.
//!
//! ```text
//! checkpoint                the newest published checkpoint
//! keys                      the public keys that it is signed with, a line each
//! tile/0/x001/234           256 hashes; tile/0/x001/235.p/17 the first 17 of them
//! tile/entries/x001/234     256 leaves, each behind its length
//! handovers/1234            the checkpoint of that size, at which a key handed over to the next
//! handovers.json            all of them, each with the events that tell of it: see [`crate::handover`]
//! cosigned/1234             the checkpoint of that size, with cosignatures that were carried in by hand
//! tree.json                 which tree it is, and its size: never ahead of the tiles
//! ```
//! What stands beyond the size in `tree.json` doesn't count: a crash may have left it, and it is written again.
//! Copied while it is written, the folder is a tree too: `checkpoint` is never ahead of the tiles.

mod copy;
mod database;
mod edge;
mod files;
mod folder;
mod grove;
mod id;
mod press;
mod writer;

use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use duban_merkle::node::{Node, Span};
use duban_merkle::proof::TreeHead;
use duban_merkle::tile::{Row, WIDTH};
use duban_merkle::{Hash, Note, Tile, bundle};
use lru::LruCache;
use serde::{Deserialize, Serialize};

use files::Files;
use folder::Folder;

pub use grove::Grove;
pub use id::TreeId;
pub use press::Press;
pub use writer::Writer;

/// How many tiles of hashes are kept in memory, of 8 KiB each.
const TILES_MAX: NonZeroUsize = NonZeroUsize::MIN.saturating_add(511);
const TREE: &str = "tree.json";
const CHECKPOINT: &str = "checkpoint";
const KEYS: &str = "keys";
const HANDOVERS: &str = "handovers";
const SHOWN_HANDOVERS: &str = "handovers.json";

/// Beside the checkpoint: what was cosigned by hand, by its size.
const COSIGNED: &str = "cosigned";

/// Why a tree can't be read or written. Where it is in a database, its place is the database's URL, without what that
/// keeps secret, and what stands for a folder is below it.
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
    /// The database doesn't answer, or refuses.
    #[error("{0} can't be used")]
    Database(PathBuf, #[source] sqlx::Error),
    /// No tree may be there.
    #[error("no tree is kept in {place}: {why}")]
    Unfit {
        /// The place.
        place: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

/// `tree.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Stood {
    #[serde(flatten)]
    id: TreeId,
    size: u64,
}

/// A tree, for reading. It blocks: not to be asked on a thread that answers calls.
pub struct Store {
    files: Box<dyn Files>,
    id: TreeId,
    /// Of tiles that are stored, which never change.
    tiles: Mutex<LruCache<Tile, Arc<Vec<Hash>>>>,
}

impl Store {
    /// The tree in a folder. Fails with [`StoreError::Absent`] if there is none.
    pub fn open(folder: impl Into<PathBuf>) -> Result<Self, StoreError> {
        Self::found(Box::new(Folder::new(folder.into())))
    }

    /// The tree `id` in a folder, where it is or will be: whoever writes it makes it.
    pub fn of(folder: impl Into<PathBuf>, id: TreeId) -> Self {
        Self::new(Box::new(Folder::new(folder.into())), id)
    }

    fn new(files: Box<dyn Files>, id: TreeId) -> Self {
        Self { files, id, tiles: Mutex::new(LruCache::new(TILES_MAX)) }
    }

    fn found(files: Box<dyn Files>) -> Result<Self, StoreError> {
        let stood = stood(&*files)?.ok_or_else(|| StoreError::Absent(files.place().to_owned()))?;
        Ok(Self::new(files, stood.id))
    }

    /// Which tree it is.
    pub fn id(&self) -> &TreeId {
        &self.id
    }

    /// Where it is, for people: its folder, or the URL of its database, without what that keeps secret.
    pub fn place(&self) -> &Path {
        self.files.place()
    }

    /// A file as it lies there; `None` if there is none.
    pub fn file(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.files.read(name)
    }

    /// Its size, as the builder has stored it: a checkpoint may be of less.
    pub fn size(&self) -> Result<u64, StoreError> {
        let stood = self.stood()?.ok_or_else(|| StoreError::Absent(self.place().to_owned()))?;
        Ok(stood.size)
    }

    fn stood(&self) -> Result<Option<Stood>, StoreError> {
        stood(&*self.files)
    }

    /// The bytes of the published checkpoint, if there is one. Nothing of it is verified.
    pub fn checkpoint(&self) -> Result<Option<Vec<u8>>, StoreError> {
        self.files.read(CHECKPOINT)
    }

    /// The public keys that the checkpoints are signed with, as the builder has said. They are a convenience:
    /// whoever verifies has them by another way.
    pub fn keys(&self) -> Result<Vec<String>, StoreError> {
        let Some(bytes) = self.files.read(KEYS)? else { return Ok(Vec::new()) };
        let text = String::from_utf8(bytes).map_err(|error| error.to_string());
        let text = text.map_err(|what| StoreError::Damaged { file: self.place().join(KEYS), what })?;
        Ok(text.lines().map(ToOwned::to_owned).collect())
    }

    /// The checkpoints at which keys handed over, the smallest first. Nothing of them is verified.
    pub fn handovers(&self) -> Result<Vec<Vec<u8>>, StoreError> {
        let sizes = self.sizes_below(HANDOVERS)?.into_iter();
        sizes.filter_map(|size| self.files.read(&format!("{HANDOVERS}/{size}")).transpose()).collect()
    }

    /// The size of the last of them; 0 if there is none.
    pub(crate) fn handed_over(&self) -> Result<u64, StoreError> {
        Ok(self.sizes_below(HANDOVERS)?.last().copied().unwrap_or(0))
    }

    /// What was cosigned by hand of this size, if anything was.
    pub(crate) fn cosigned(&self, size: u64) -> Result<Option<Note>, StoreError> {
        let name = format!("{COSIGNED}/{size}");
        let Some(bytes) = self.files.read(&name)? else { return Ok(None) };
        let damaged = |what| StoreError::Damaged { file: self.place().join(&name), what };
        Note::parse(&bytes).map(Some).map_err(|error| damaged(error.to_string()))
    }

    /// Keeps what was cosigned by hand, whoever writes the tree.
    pub(crate) fn keep_cosigned(&self, size: u64, note: &Note) -> Result<(), StoreError> {
        self.files.replace(&format!("{COSIGNED}/{size}"), note.to_string().as_bytes())
    }

    /// The handovers as they are shown to whoever was given an earlier key; `None` before the first one.
    pub fn shown_handovers(&self) -> Result<Option<Vec<u8>>, StoreError> {
        self.files.read(SHOWN_HANDOVERS)
    }

    /// The files below a folder in which each is called by a size; the smallest first.
    fn sizes_below(&self, folder: &str) -> Result<Vec<u64>, StoreError> {
        let names = self.files.below(folder)?;
        let mut sizes: Vec<u64> = names.iter().filter_map(|name| name.parse().ok()).collect();
        sizes.sort_unstable();
        Ok(sizes)
    }

    /// The bytes of a tile or bundle as wide as asked, cut from the widest that the stored tree has in its place: those
    /// are the ones that a verification compares, and a partial one that they superseded is never shown. `None` if the
    /// tree of `size` doesn't have it.
    pub fn bytes(&self, tile: Tile, size: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let reaches = |there: &Tile| there.width() >= tile.width();
        if !in_place(tile, size).is_some_and(|there| reaches(&there)) {
            return Ok(None);
        }
        let absent = || self.damaged(tile, "it is missing");
        let widest = in_place(tile, self.size()?).filter(reaches).ok_or_else(absent)?;
        // The full one last: it may have come to be since the size was read.
        for there in [widest, tile.full()] {
            if let Some(bytes) = self.files.read(&there.to_string())? {
                let cut = cut(bytes, there, tile.width());
                return cut.map(Some).map_err(|what| self.damaged(there, &what));
            }
        }
        Err(self.damaged(widest, "it is missing"))
    }

    /// The hash of a node of the tree of `size`.
    pub fn node(&self, node: Node, size: u64) -> Result<Hash, StoreError> {
        let tile = Tile::holding(node, size).ok_or_else(|| StoreError::Damaged {
            file: self.place().join(TREE),
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
            file: self.place().join(TREE),
            what: format!("a tree of {size} leaves has none at {index}"),
        })?;
        let bytes = self.stored(tile)?;
        let leaves = bundle::decode(&bytes, tile.width());
        let leaves = leaves.map_err(|error| self.damaged(tile, &error.to_string()))?;
        let at = usize::try_from(index % u64::from(WIDTH)).ok();
        let leaf = at.and_then(|at| leaves.get(at)).ok_or_else(|| self.damaged(tile, "it lacks a leaf"))?;
        Ok(leaf.to_vec())
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
            if let Some(bytes) = self.files.read(&there.to_string())? {
                return cut(bytes, there, tile.width()).map_err(|what| self.damaged(there, &what));
            }
        }
        Err(self.damaged(tile, "it is missing"))
    }

    fn path(&self, tile: Tile) -> PathBuf {
        self.place().join(tile.to_string())
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
fn cut(bytes: Vec<u8>, of: Tile, width: u16) -> Result<Vec<u8>, String> {
    if of.width() == width {
        return Ok(bytes);
    }
    match of.row() {
        Row::Hashes(_) => {
            let hashes = of.parse(&bytes).ok_or("it is not as long as it should be")?;
            Ok(hashes.iter().take(width.into()).flat_map(|hash| *hash.as_bytes()).collect())
        }
        Row::Entries => {
            let leaves = bundle::decode(&bytes, of.width()).map_err(|error| error.to_string())?;
            let leaves: Vec<&[u8]> = leaves.into_iter().take(width.into()).collect();
            bundle::encode(&leaves).map_err(|error| error.to_string())
        }
    }
}

fn stood(files: &dyn Files) -> Result<Option<Stood>, StoreError> {
    let Some(bytes) = files.read(TREE)? else { return Ok(None) };
    let damaged = |what| StoreError::Damaged { file: files.place().join(TREE), what };
    serde_json::from_slice(&bytes).map(Some).map_err(|error| damaged(error.to_string()))
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
