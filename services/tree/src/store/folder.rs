//! A tree in a folder.
//!
//! A round is written in four steps: every file under a working name and synced; each renamed to its own name;
//! the folders synced; then `tree.json`. If we crash before that, the tree is what it was, and the same leaves
//! are written again, to the same bytes. What is not needed any more is removed after it.

use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use super::files::{Files, Pen};
use super::{StoreError, TREE};
use crate::disk::{self, fault};

/// Held by whoever builds the tree.
const LOCK: &str = "lock";
/// Where files are before they are whole.
const WORK: &str = "work";

/// The files of a tree in a folder.
pub(super) struct Folder {
    path: PathBuf,
}

impl Folder {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path }
    }
}

impl Files for Folder {
    fn place(&self) -> &Path {
        &self.path
    }

    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        disk::read(&self.path.join(name))
    }

    fn below(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        let path = self.path.join(folder);
        let listed = match fs::read_dir(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            listed => listed.and_then(|entries| {
                entries.map(|entry| Ok(entry?.file_name())).collect::<io::Result<Vec<_>>>()
            }),
        };
        let names = listed.map_err(fault(&path))?;
        Ok(names.into_iter().filter_map(|name| name.into_string().ok()).collect())
    }

    fn replace(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        replace(&self.path.join(name), bytes)
    }

    fn lock(&self) -> Result<Box<dyn Pen>, StoreError> {
        disk::make(&self.path)?;
        let lock = locked(&self.path)?;
        let work = self.path.join(WORK);
        if work.exists() {
            fs::remove_dir_all(&work).map_err(fault(&work))?;
        }
        disk::make(&work)?;
        Ok(Box::new(FolderPen { folder: self.path.clone(), _lock: lock, round: Vec::new() }))
    }
}

struct FolderPen {
    folder: PathBuf,
    /// Held as long as it lives.
    _lock: File,
    /// The files of this round: under which number they are written, and where they belong.
    round: Vec<String>,
}

impl Pen for FolderPen {
    fn put(&mut self, name: String, bytes: Vec<u8>) -> Result<(), StoreError> {
        let work = self.work(self.round.len());
        fs::write(&work, bytes).map_err(fault(&work))?;
        self.round.push(name);
        Ok(())
    }

    fn settle(&mut self, tree: &[u8], gone: &[String]) -> Result<(), StoreError> {
        self.name_round()?;
        disk::replace(&self.folder.join(TREE), tree)?;
        // If we crash before it, they stay and do no harm.
        for folder in gone.iter().map(|folder| self.folder.join(folder)) {
            if folder.exists() {
                fs::remove_dir_all(&folder).map_err(fault(&folder))?;
            }
        }
        Ok(())
    }

    fn replace(&mut self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        replace(&self.folder.join(name), bytes)
    }
}

impl FolderPen {
    /// Syncs the files of the round and gives them their names.
    fn name_round(&mut self) -> Result<(), StoreError> {
        let round = std::mem::take(&mut self.round);
        // All are written before the first is synced, so that one journal commit of the disk takes most of them.
        for number in 0..round.len() {
            disk::sync(&self.work(number))?;
        }
        let mut folders = BTreeSet::new();
        for (number, name) in round.iter().enumerate() {
            let path = self.folder.join(name);
            let above = path.ancestors().skip(1).take_while(|folder| folder.starts_with(&self.folder));
            folders.extend(above.map(Path::to_owned));
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder).map_err(fault(folder))?;
            }
            fs::rename(self.work(number), &path).map_err(fault(&path))?;
        }
        folders.iter().try_for_each(|folder| disk::sync(folder))
    }

    fn work(&self, number: usize) -> PathBuf {
        self.folder.join(WORK).join(number.to_string())
    }
}

fn replace(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    path.parent().map_or(Ok(()), disk::make)?;
    disk::replace(path, bytes)
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
