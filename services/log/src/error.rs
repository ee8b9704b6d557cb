//! What can go wrong with the log itself: a few kinds, each with one thing to do about it.

use std::path::PathBuf;
use std::sync::Arc;

use duban_domain::{Position, Rejection};

/// The database's own words, for the one who runs it; callers never see them.
#[derive(Debug, Clone, thiserror::Error)]
#[error(transparent)]
pub struct StorageError(Arc<Words>);

/// By whom they come.
#[derive(Debug, thiserror::Error)]
enum Words {
    #[error(transparent)]
    Sqlx(#[from] sqlx::Error),
    #[error(transparent)]
    Rusqlite(#[from] rusqlite::Error),
}

impl StorageError {
    /// Whether it is the database's own file that is not what it should be: asked again, it says the same.
    pub(crate) fn is_damage(&self) -> bool {
        // SQLite's ERROR (say a table that is gone), CORRUPT and NOTADB, and what extends them.
        let named = self.sqlite_code().is_some_and(|code| matches!(code & 0xff, 1 | 11 | 26));
        named || matches!(&*self.0, Words::Rusqlite(rusqlite::Error::InvalidColumnType(..)))
    }

    fn sqlite_code(&self) -> Option<i32> {
        match &*self.0 {
            Words::Sqlx(error) => {
                let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
                // Postgres's codes are of five characters.
                code.filter(|code| code.len() < 5).and_then(|code| code.parse().ok())
            }
            Words::Rusqlite(error) => error.sqlite_error().map(|error| error.extended_code),
        }
    }

    /// Whether Postgres is away or just starting.
    fn is_passing(&self) -> bool {
        matches!(&*self.0, Words::Sqlx(error) if crate::postgres::is_passing(error))
    }
}

impl<E: Into<Words>> From<E> for StorageError {
    fn from(error: E) -> Self {
        Self(Arc::new(error.into()))
    }
}

/// Why a log or its views can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process, or another `Log` in this one, has it open.
    #[error("the data folder {0} is in use by another process")]
    InUse(PathBuf),
    /// A newer version wrote it.
    #[error("the database has schema version {found}, this program knows {known}: use a newer program")]
    NewerSchema {
        /// What it has.
        found: i64,
        /// What this version writes.
        known: i64,
    },
    /// It was not migrated far enough. Only `duban migrate` does that.
    #[error("the database has schema version {found}, this program needs {known}: run duban migrate up")]
    OlderSchema {
        /// What it has; 0: nothing.
        found: i64,
        /// What this version needs.
        known: i64,
    },
    /// A load of an export into it was broken off.
    #[error("the log is half loaded: repeat duban load")]
    HalfLoaded,
    /// It is a database of something else.
    #[error("{0} is not a duban log")]
    NotALog(PathBuf),
    /// The address can't be meant.
    #[error("the address of the log can't be read: {0}")]
    Address(String),
    /// The server is older than what is tested.
    #[error("Postgres {found} is too old: {oldest} is the oldest that will do")]
    OldServer {
        /// Its major version.
        found: u32,
        /// The oldest.
        oldest: u32,
    },
    /// A commit would not be durable.
    #[error("the database has {0} off: what it acknowledges would not be durable")]
    NotDurable(&'static str),
    /// The role can do too much or too little.
    #[error("the role that serves {0}")]
    Role(&'static str),
    /// It takes itself for Postgres and keeps something else.
    #[error("the database does not keep what the log rests on: {0}")]
    NoPostgres(&'static str),
    /// What was applied is not what this program would apply.
    #[error("the migrations don't fit: {0}")]
    Migration(String),
    /// It can't be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The folder can't be made or locked.
    #[error("the data folder {0} can't be used")]
    Folder(PathBuf, #[source] std::io::Error),
    /// The database refuses.
    #[error("the database can't be opened")]
    Storage(#[from] StorageError),
    /// The database says nothing.
    #[error("the database doesn't answer")]
    NoAnswer,
}

impl OpenError {
    /// Whether a database is away or just starting: opened again, it may open.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Storage(error) | Self::Read(ReadError::Unavailable(error)) => error.is_passing(),
            Self::NoAnswer => true,
            _ => false,
        }
    }
}

impl From<sqlx::Error> for OpenError {
    fn from(error: sqlx::Error) -> Self {
        OpenError::Storage(error.into())
    }
}

/// Why the log can't be read.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ReadError {
    /// The database is down, or the log is closed. Try again.
    #[error("the log can't be read now")]
    Unavailable(#[from] StorageError),
    /// An event is missing, out of order or damaged. Nobody can repair that by trying again.
    #[error("the log is damaged at position {position}: {what}")]
    DataLoss {
        /// The first position that is wrong.
        position: Position,
        /// In what way.
        what: String,
    },
    /// A newer version wrote an event that must be understood here.
    #[error("the event at {position} is of type {event_type}, which this version doesn't know")]
    Outdated {
        /// Where.
        position: Position,
        /// What it says it is.
        event_type: String,
    },
}

impl From<sqlx::Error> for ReadError {
    fn from(error: sqlx::Error) -> Self {
        ReadError::Unavailable(error.into())
    }
}

/// Why an append did not happen.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AppendError {
    /// Something newer is filed under a tag of the condition. Read again and decide again.
    #[error("something newer is filed under a tag of the condition")]
    Conflict,
    /// The principal has used this request id for another command.
    #[error("the request id was used for another command")]
    RequestIdReused,
    /// Too many appends wait. Try again in a moment.
    #[error("too many appends wait")]
    QueueFull,
    /// The log was sealed: it has moved, and nothing more is written here.
    #[error("the log is sealed: nothing more is written here")]
    Sealed,
    /// It is not known whether it was written. Send the same request again: the receipt will tell.
    #[error("the log can't be written now")]
    Unavailable(#[source] Option<StorageError>),
}

/// Why a command has no outcome.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ExecuteError {
    /// The rule says no; nothing is stored.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// The principal has used this request id for another command.
    #[error("the request id was used for another command")]
    RequestIdReused,
    /// Others were faster each time. Try again.
    #[error("others changed what the command reads, {attempts} times in a row")]
    Contention {
        /// How often it was tried.
        attempts: usize,
    },
    /// Too many appends wait. Try again in a moment.
    #[error("too many appends wait")]
    QueueFull,
    /// The log was sealed: it has moved, and nothing more is written here.
    #[error("the log is sealed: nothing more is written here")]
    Sealed,
    /// It is not known whether it was written. Send the same request again: the receipt will tell.
    #[error("the log can't be written now")]
    Unavailable(#[source] Option<StorageError>),
    /// What the decision rests on can't be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}
