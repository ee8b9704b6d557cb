//! The log that is loaded, whichever engine keeps it.

use duban_domain::Position;

use super::{MoveError, Opening, StoredRequest};
use crate::append::LogIdentity;
use crate::clock::Clock;
use crate::engine::Location;
use crate::event::StoredEvent;
use crate::{postgres, sqlite};

pub(super) enum Target {
    Folder(sqlite::moving::Target),
    Postgres(postgres::moving::Target),
}

impl Target {
    /// Begins the load of the export with this digest, or goes on with it.
    pub(super) async fn open(to: &Location, export: [u8; 32]) -> Result<Self, MoveError> {
        match to {
            Location::Folder(folder) => Ok(Self::Folder(sqlite::moving::Target::open(folder, export).await?)),
            Location::Postgres(url) => Ok(Self::Postgres(postgres::moving::Target::open(url, export).await?)),
        }
    }

    /// How many events and how many receipts are there.
    pub(super) async fn loaded(&mut self) -> Result<(Position, u64), MoveError> {
        match self {
            Self::Folder(target) => target.loaded().await,
            Self::Postgres(target) => target.loaded().await,
        }
    }

    /// The next events, all or none.
    pub(super) async fn events(&mut self, events: &[StoredEvent]) -> Result<(), MoveError> {
        match self {
            Self::Folder(target) => target.events(events).await,
            Self::Postgres(target) => target.events(events).await,
        }
    }

    /// More receipts, all or none.
    pub(super) async fn receipts(&mut self, receipts: &[StoredRequest]) -> Result<(), MoveError> {
        match self {
            Self::Folder(target) => target.receipts(receipts).await,
            Self::Postgres(target) => target.receipts(receipts).await,
        }
    }

    /// The log is whole, and is in the last of these epochs or in the one that opens now.
    pub(super) async fn finish(
        self,
        epochs: &[LogIdentity],
        opening: Option<&Opening>,
        clock: &dyn Clock,
    ) -> Result<(), MoveError> {
        match self {
            Self::Folder(target) => target.finish(epochs, opening, clock).await,
            Self::Postgres(target) => target.finish(epochs, opening, clock).await,
        }
    }
}
