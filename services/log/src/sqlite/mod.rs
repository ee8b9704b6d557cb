//! The log on an embedded SQLite file: `log.db` in a data folder that one process owns.
//!
//! WAL with `synchronous=FULL`: a commit that returned is on the disk. One connection writes, a pool of
//! read-only ones reads; an audit, which reads all of it, has one that answers in its own thread. What a reader
//! sees below the published head never changes again, so a read bounded by a head needs no transaction.

mod found;
mod index;
mod insert;
mod memory;
pub(crate) mod moving;
mod plan;
mod reader;
mod rows;
mod schema;
mod script;
mod store;
mod writer;

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection};

pub(crate) use insert::{Bound, Insert};
use reader::{Reader, last};
use schema::{is_sealed, prepare};
pub(crate) use store::Store;
use writer::{Writer, WriterOptions};

use crate::error::OpenError;

/// How long a statement waits for another connection's lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a read waits for a free connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);
/// The page cache of the connection that writes, in KiB.
const WRITER_CACHE_KIB: i32 = 32 * 1024;
/// How many pages the write-ahead log may have before it is taken into the file: 32 MiB. Each time costs two syncs,
/// and a page that was written often meanwhile is taken over once.
const CHECKPOINT_PAGES: u32 = 8192;
/// Statements that a connection that writes keeps prepared.
const STATEMENTS: usize = 256;
/// Rows that a connection's thread may be ahead of the task that takes them.
const ROW_BUFFER: usize = 256;

/// A position as SQL has it.
pub(crate) fn signed(position: u64) -> i64 {
    i64::try_from(position).unwrap_or(i64::MAX)
}

/// A position from SQL; what was never written comes as 0.
pub(crate) fn unsigned(position: i64) -> u64 {
    u64::try_from(position).unwrap_or(0)
}

/// A data folder that this process owns, until it is dropped.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    /// Held open: the operating system lets go of the lock with the file, also when the process is killed.
    lock: File,
}

impl Folder {
    /// Makes the folder where there is none, and owns it.
    pub(crate) fn own(path: &Path) -> Result<Self, OpenError> {
        let fault = |error| OpenError::Folder(path.to_owned(), error);
        std::fs::create_dir_all(path).map_err(fault)?;
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path.join("lock"))
            .map_err(fault)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), lock }),
            Err(TryLockError::WouldBlock) => Err(OpenError::InUse(path.to_owned())),
            Err(TryLockError::Error(error)) => Err(fault(error)),
        }
    }

    /// Lets another process have it. Only after every connection is closed.
    pub(crate) fn release(&self) {
        if let Err(error) = self.lock.unlock() {
            tracing::warn!(%error, "the data folder's lock is held until the process ends");
        }
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

/// How to connect to one database file.
#[derive(Debug, Clone)]
pub(crate) struct Database {
    options: SqliteConnectOptions,
}

impl Database {
    /// The file at `path`, made where there is none.
    pub(crate) fn at(path: &Path, synchronous: SqliteSynchronous) -> Self {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(synchronous)
            .busy_timeout(BUSY_TIMEOUT)
            .row_buffer_size(ROW_BUFFER)
            .disable_statement_logging();
        Self { options }
    }

    /// An existing file, to be read as it is: not even its journal is changed.
    pub(crate) fn untouched(path: &Path) -> Self {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .busy_timeout(BUSY_TIMEOUT)
            .row_buffer_size(ROW_BUFFER)
            .disable_statement_logging();
        Self { options }
    }

    /// An existing file that nobody else has open: no write-ahead log beside it.
    pub(crate) fn alone(path: &Path) -> Self {
        let Self { options } = Self::at(path, SqliteSynchronous::Full);
        Self { options: options.create_if_missing(false).journal_mode(SqliteJournalMode::Delete) }
    }

    /// The connection that writes.
    pub(crate) async fn writer(&self) -> Result<SqliteConnection, sqlx::Error> {
        let options = self
            .options
            .clone()
            .pragma("cache_size", (-WRITER_CACHE_KIB).to_string())
            .pragma("wal_autocheckpoint", CHECKPOINT_PAGES.to_string())
            .statement_cache_capacity(STATEMENTS)
            // What could undo a single statement would else go through a file.
            .pragma("temp_store", "memory");
        SqliteConnection::connect_with(&options).await
    }

    /// Connections that read.
    pub(crate) async fn readers(&self, connections: u32) -> Result<SqlitePool, sqlx::Error> {
        let pool = SqlitePoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            // A ping before each read would double the hops between threads; a file doesn't hang up.
            .test_before_acquire(false)
            .idle_timeout(None)
            .max_lifetime(None);
        pool.connect_with(self.options.clone().create_if_missing(false).read_only(true)).await
    }
}
