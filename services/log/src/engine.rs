//! The two engines of the log behind one face. They share the contract suite, not code: each reads top to bottom
//! in its own folder.

use std::path::Path;

use duban_domain::{Position, Tag, Timestamp};
use tokio::sync::watch;
use uuid::Uuid;

use crate::append::{Append, Appended, LogIdentity, StoredReceipt};
use crate::error::{AppendError, OpenError, ReadError};
use crate::event::Page;
use crate::load::Load;
use crate::log::LogOptions;
use crate::{postgres, sqlite};

/// Where a log is, or its audit trees are.
#[derive(Clone, PartialEq, Eq)]
pub enum Location {
    /// A folder: of an embedded SQLite log, owned by one process; of trees, one folder each.
    Folder(std::path::PathBuf),
    /// A Postgres database, shared by many: `postgres://role:password@host:port/database`.
    Postgres(String),
}

/// Without what a URL may keep secret.
impl std::fmt::Debug for Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

impl std::fmt::Display for Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Location::Folder(path) => write!(f, "{}", path.display()),
            Location::Postgres(url) => write!(f, "{}", postgres::without_secrets(url)),
        }
    }
}

impl From<&Path> for Location {
    fn from(folder: &Path) -> Self {
        Location::Folder(folder.to_owned())
    }
}

/// How much a page may have.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) events: usize,
    pub(crate) bytes: usize,
}

/// A log that is open.
#[allow(clippy::large_enum_variant, reason = "there is one for each log")]
pub(crate) enum Engine {
    Sqlite(sqlite::Store),
    Postgres(postgres::Store),
}

impl Engine {
    pub(crate) async fn open(options: &LogOptions) -> Result<Self, OpenError> {
        Ok(match &options.location {
            Location::Folder(folder) => Self::Sqlite(sqlite::Store::open(folder, options).await?),
            Location::Postgres(url) => Self::Postgres(postgres::Store::open(url, options).await?),
        })
    }

    /// Takes no more appends, finishes those that wait, and lets go of everything.
    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite(store) => store.close().await,
            Self::Postgres(store) => store.close().await,
        }
    }

    pub(crate) fn identity(&self) -> LogIdentity {
        match self {
            Self::Sqlite(store) => store.identity(),
            Self::Postgres(store) => store.identity(),
        }
    }

    pub(crate) async fn is_sealed(&self) -> Result<bool, ReadError> {
        match self {
            Self::Sqlite(store) => Ok(store.is_sealed()),
            Self::Postgres(store) => store.is_sealed().await,
        }
    }

    /// The head as far as it is known here: at or below what is committed.
    pub(crate) fn watch(&self) -> watch::Receiver<Position> {
        match self {
            Self::Sqlite(store) => store.watch(),
            Self::Postgres(store) => store.watch(),
        }
    }

    /// The head as far as it is known here, and whether nobody can have moved it.
    pub(crate) fn known(&self) -> (Position, bool) {
        (*self.watch().borrow(), matches!(self, Self::Sqlite(_)))
    }

    /// How much its committer has to do; `None` once it is closed.
    pub(crate) fn load(&self) -> Option<Load> {
        match self {
            Self::Sqlite(store) => store.load(),
            Self::Postgres(store) => store.load(),
        }
    }

    /// The last committed position.
    pub(crate) async fn head(&self) -> Result<Position, ReadError> {
        match self {
            // Nobody else writes.
            Self::Sqlite(store) => Ok(*store.watch().borrow()),
            Self::Postgres(store) => store.head().await,
        }
    }

    /// The events after `after` up to `up_to`, which must be committed. A gap is data loss.
    pub(crate) async fn page(
        &self,
        after: Position,
        up_to: Position,
        bounds: Bounds,
    ) -> Result<Page, ReadError> {
        match self {
            Self::Sqlite(store) => store.reader().page(after, up_to, bounds).await,
            Self::Postgres(store) => store.reader().page(after, up_to, bounds).await,
        }
    }

    /// The events after `after` up to `up_to` filed under any of `tags`, each once, in order.
    pub(crate) async fn filed(
        &self,
        tags: &[Tag],
        after: Position,
        up_to: Position,
        bounds: Bounds,
    ) -> Result<Page, ReadError> {
        match self {
            Self::Sqlite(store) => store.reader().filed(tags, after, up_to, bounds).await,
            Self::Postgres(store) => store.reader().filed(tags, after, up_to, bounds).await,
        }
    }

    pub(crate) async fn receipt(
        &self,
        principal: &str,
        request_id: Uuid,
    ) -> Result<Option<StoredReceipt>, ReadError> {
        match self {
            Self::Sqlite(store) => store.reader().receipt(principal, request_id).await,
            Self::Postgres(store) => store.reader().receipt(principal, request_id).await,
        }
    }

    /// The last position recorded at or before `at`, for ever: nothing is recorded there afterwards.
    pub(crate) async fn position_at(&self, at: Timestamp) -> Result<Position, ReadError> {
        match self {
            Self::Sqlite(store) => store.position_at(at).await,
            Self::Postgres(store) => store.position_at(at).await,
        }
    }

    pub(crate) async fn append(&self, append: Append) -> Result<Appended, AppendError> {
        match self {
            Self::Sqlite(store) => store.append(append).await,
            Self::Postgres(store) => store.append(append).await,
        }
    }
}
