//! What a tree's storage does, be it a folder or a database: it has files by name, and one who writes them.
//!
//! The two storages share the suite of tests, not code: each reads top to bottom in its own file.

use std::path::Path;

use super::StoreError;

/// The files of one tree.
pub(super) trait Files: Send + Sync {
    /// Where they are, for people: without what a URL keeps secret.
    fn place(&self) -> &Path;

    /// The bytes of a file; `None` if there is none.
    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// The last parts of the names directly below a folder, in no order; none if there is no such folder.
    fn below(&self, folder: &str) -> Result<Vec<String>, StoreError>;

    /// Replaces a file at once and durably, whoever writes the tree: for what is laid beside it.
    fn replace(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError>;

    /// Makes whoever asks the one who writes, until the pen is dropped. Fails with [`StoreError::InUse`] if
    /// somebody else is.
    fn lock(&self) -> Result<Box<dyn Pen>, StoreError>;
}

/// What the one who writes a tree does. After an error it must be dropped.
pub(super) trait Pen: Send {
    /// Adds a file to the round. Nobody sees it before the round is settled, or counts it.
    fn put(&mut self, name: String, bytes: Vec<u8>) -> Result<(), StoreError>;

    /// Stores the round durably: its files, and `tree` as `tree.json`, of which all is there or nothing counts. The
    /// files in the folders `gone` are needed no more.
    fn settle(&mut self, tree: &[u8], gone: &[String]) -> Result<(), StoreError>;

    /// Replaces a file that is of no round, at once and durably.
    fn replace(&mut self, name: &str, bytes: &[u8]) -> Result<(), StoreError>;
}
