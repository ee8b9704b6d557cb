//! The log that is exported, whichever engine keeps it.

use duban_domain::{Position, Tag};
use uuid::Uuid;

use super::{MoveError, StoredRequest};
use crate::append::LogIdentity;
use crate::clock::Clock;
use crate::engine::{Bounds, Location};
use crate::error::ReadError;
use crate::event::Page;
use crate::{postgres, sqlite};

pub(super) enum Source {
    Folder(sqlite::moving::Source),
    Postgres(postgres::moving::Source),
}

impl Source {
    /// Opens it for reading, at the head that it has now.
    pub(super) async fn open(from: &Location) -> Result<Self, MoveError> {
        match from {
            Location::Folder(folder) => Ok(Self::Folder(sqlite::moving::Source::open(folder).await?)),
            Location::Postgres(url) => Ok(Self::Postgres(postgres::moving::Source::open(url).await?)),
        }
    }

    /// Ends it.
    pub(super) async fn seal(from: &Location, clock: &dyn Clock) -> Result<(), MoveError> {
        match from {
            Location::Folder(folder) => sqlite::moving::seal(folder, clock).await,
            Location::Postgres(url) => postgres::moving::seal(url).await,
        }
    }

    pub(super) fn identity(&self) -> LogIdentity {
        match self {
            Self::Folder(source) => source.identity(),
            Self::Postgres(source) => source.identity(),
        }
    }

    pub(super) fn head(&self) -> Position {
        match self {
            Self::Folder(source) => source.head(),
            Self::Postgres(source) => source.head(),
        }
    }

    pub(super) fn is_sealed(&self) -> bool {
        match self {
            Self::Folder(source) => source.is_sealed(),
            Self::Postgres(source) => source.is_sealed(),
        }
    }

    /// The events after `after` up to `up_to`, a page of them.
    pub(super) async fn page(
        &self,
        after: Position,
        up_to: Position,
        most: Bounds,
    ) -> Result<Page, ReadError> {
        match self {
            Self::Folder(source) => source.page(after, up_to, most).await,
            Self::Postgres(source) => source.page(after, up_to, most).await,
        }
    }

    /// The events after `after` filed under a tag, a page of them.
    pub(super) async fn filed(&self, tag: Tag, after: Position, most: Bounds) -> Result<Page, ReadError> {
        match self {
            Self::Folder(source) => source.filed(tag, after, most).await,
            Self::Postgres(source) => source.filed(tag, after, most).await,
        }
    }

    /// Receipts of what was done up to `up_to`, in the order of their keys, after this one.
    pub(super) async fn receipts(
        &self,
        after: Option<(Uuid, String)>,
        up_to: Position,
        limit: usize,
    ) -> Result<Vec<StoredRequest>, MoveError> {
        match self {
            Self::Folder(source) => source.receipts(after, up_to, limit).await,
            Self::Postgres(source) => source.receipts(after, up_to, limit).await,
        }
    }

    /// How many receipts there are of what was done up to `up_to`.
    pub(super) async fn count(&self, up_to: Position) -> Result<u64, MoveError> {
        match self {
            Self::Folder(source) => source.count(up_to).await,
            Self::Postgres(source) => source.count(up_to).await,
        }
    }

    pub(super) async fn close(self) {
        match self {
            Self::Folder(source) => source.close().await,
            Self::Postgres(source) => source.close().await,
        }
    }
}
