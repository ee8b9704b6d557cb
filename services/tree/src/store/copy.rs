//! A tree written out as a folder: the same files by the same names, for a web server, an auditor or a disk.

use std::path::Path;

use duban_merkle::{Tile, tile};

use super::files::Files as _;
use super::folder::Folder;
use super::writer::{outgrown, stand};
use super::{CHECKPOINT, COSIGNED, HANDOVERS, KEYS, SHOWN_HANDOVERS, Stood, Store, StoreError, TREE};

impl Store {
    /// Copies a tree, which may grow meanwhile, into a folder: how many leaves the copy has. Copied again, or broken off,
    /// it goes on with what is there. Fails with [`StoreError::InUse`] where somebody builds a tree in that folder, with
    /// [`StoreError::Other`] if another tree is there, and with [`StoreError::Damaged`] where it has less than the copy, or
    /// something else: the copy stays as it is then.
    pub fn copy(&self, to: &Path) -> Result<u64, StoreError> {
        copy(self, to)
    }
}

fn copy(from: &Store, to: &Path) -> Result<u64, StoreError> {
    // First: it is never ahead of the tiles that are read after it.
    let checkpoint = from.checkpoint()?;
    let size = from.size()?;
    let folder = Folder::new(to.to_owned());
    let mut pen = folder.lock()?;
    let there = super::stood(&folder)?;
    if let Some(Stood { id: found, .. }) = there.as_ref().filter(|there| there.id != *from.id()) {
        let (found, expected) = (found.origin.clone(), from.id().origin.clone());
        return Err(StoreError::Other { folder: to.to_owned(), found, expected });
    }
    let before = there.map_or(0, |there| there.size);
    if before > size {
        let what = format!("the copy has {before} leaves, and the tree has {size}: it was set back");
        return Err(StoreError::Damaged { file: to.join(TREE), what });
    }
    for tile in tile::hashes(size).chain(tile::entries(size)) {
        let name = tile.to_string();
        let (is, was) = (from.bytes(tile, size)?, folder.read(&name)?);
        if was.is_some() && was != is {
            let what = "the copy has another, and a tile never changes".to_owned();
            return Err(StoreError::Damaged { file: from.place().join(name), what });
        }
        if let Some(bytes) = is.filter(|_| was.is_none()) {
            pen.replace(&name, &bytes)?;
        }
        narrower(from, tile, |name, bytes| pen.replace(name, bytes))?;
    }
    for kept in [HANDOVERS, COSIGNED] {
        for name in from.files.below(kept)?.iter().map(|name| format!("{kept}/{name}")) {
            if let Some(bytes) = from.file(&name)? {
                pen.replace(&name, &bytes)?;
            }
        }
    }
    let shown = from.file(SHOWN_HANDOVERS)?;
    let last = [(SHOWN_HANDOVERS, shown), (KEYS, from.file(KEYS)?), (CHECKPOINT, checkpoint)];
    for (name, bytes) in last.into_iter().filter_map(|(name, bytes)| Some((name, bytes?))) {
        pen.replace(name, &bytes)?;
    }
    pen.settle(&stand(from, size)?, &outgrown(before, size))?;
    Ok(size)
}

/// The partial tiles in the place of one that were there before it.
fn narrower(
    from: &Store,
    tile: Tile,
    mut keep: impl FnMut(&str, &[u8]) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    if tile.is_full() {
        return Ok(());
    }
    let name = tile.to_string();
    let Some((folder, _)) = name.rsplit_once('/') else { return Ok(()) };
    for width in from.files.below(folder)? {
        let name = format!("{folder}/{width}");
        if let Some(bytes) = from.file(&name)? {
            keep(&name, &bytes)?;
        }
    }
    Ok(())
}
