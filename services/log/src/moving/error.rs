//! Why a log can't be moved.

use std::path::PathBuf;

use duban_domain::Position;
use uuid::Uuid;

use crate::error::{OpenError, ReadError, StorageError};

/// Why a log can't be moved.
#[derive(Debug, thiserror::Error)]
pub enum MoveError {
    /// There is nothing to move.
    #[error("there is no log in {0}")]
    NoLog(String),
    /// What is loaded or restored would mix with what is there.
    #[error("the target is not empty: it holds {} up to position {head}", whose(.log.as_ref()))]
    NotEmpty {
        /// Which log it holds.
        log: Option<Uuid>,
        /// Its last position.
        head: Position,
    },
    /// A load of something else into the target was broken off.
    #[error("the target is half loaded from another export: go on with that one, or take an empty target")]
    OtherLoad,
    /// Somebody else is at work on the target.
    #[error("another load or a server is at work on the target")]
    Busy,
    /// The folder of an export holds something else.
    #[error("{folder} {what}: export to another folder")]
    OtherExport {
        /// The folder.
        folder: PathBuf,
        /// What it holds.
        what: String,
    },
    /// There is no whole export.
    #[error("{0} holds no whole export: it has no export.json (repeat duban export to go on)")]
    Incomplete(PathBuf),
    /// A newer version wrote it.
    #[error("{file} is of format {found}, this program knows {known}: use a newer program")]
    NewerFormat {
        /// The file that says so.
        file: PathBuf,
        /// What it says.
        found: u32,
        /// What this version writes.
        known: u32,
    },
    /// Something is missing, or is not what was written.
    #[error("{}{}: {what}", .file.display(), .position.map(|at| format!(", position {at}")).unwrap_or_default())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// The first event that is wrong, where that can be told.
        position: Option<Position>,
        /// In what way.
        what: String,
    },
    /// The log has ended, and goes on elsewhere.
    #[error("the log is sealed: it goes on where it was moved to")]
    Sealed,
    /// A file can't be read or written.
    #[error("{0} can't be used")]
    File(PathBuf, #[source] std::io::Error),
    /// The audit tree, of which the last checkpoint is to be named, can't be read.
    #[error("the audit tree can't be read")]
    Tree(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The log can't be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The log can't be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The database refuses.
    #[error("the database can't be used")]
    Storage(#[from] StorageError),
}

impl MoveError {
    /// Whether it is the database's own file that is not what it should be: asked again, it says the same.
    pub fn is_damage(&self) -> bool {
        let (Self::Storage(error) | Self::Read(ReadError::Unavailable(error))) = self else { return false };
        error.is_damage()
    }
}

fn whose(log: Option<&Uuid>) -> String {
    log.map_or_else(|| "a log".to_owned(), |log| format!("log {log}"))
}

impl From<rusqlite::Error> for MoveError {
    fn from(error: rusqlite::Error) -> Self {
        MoveError::Storage(error.into())
    }
}

impl From<sqlx::Error> for MoveError {
    fn from(error: sqlx::Error) -> Self {
        MoveError::Storage(error.into())
    }
}
