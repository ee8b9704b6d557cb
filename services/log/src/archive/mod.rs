//! A log as evidence: read from wherever it lies (an export, a folder, a database), taking nothing for granted.
//!
//! Who serves a log stops at the first fault; who verifies it goes on and tells of each. So nothing here is refused
//! for being damaged: what can't be read comes as [`Unreadable`], with its place, and what is missing is just not
//! there. A folder or a database may be in use; what is read ends at the head that was found first.

mod export;
mod filings;

use std::path::{Path, PathBuf};

use duban_domain::Position;
use uuid::Uuid;

use crate::append::LogIdentity;
use crate::engine::Location;
use crate::event::StoredEvent;
use crate::moving::{Claim, MoveError, Place, StoredRequest};
use crate::views::{Entry, claims_of};
use crate::{postgres, sqlite};

use export::Export;
pub use filings::{Filings, TagHash};

/// Events or receipts that are read at once from a database.
const PAGE: usize = 1000;

/// Where the evidence lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Held {
    /// In the folder of an export.
    Export(PathBuf),
    /// Where servers run on it.
    Log(Location),
}

impl std::fmt::Display for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Held::Export(folder) => write!(f, "{}", folder.display()),
            Held::Log(location) => write!(f, "{location}"),
        }
    }
}

/// Something that is there and can't be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// Of an event, its position as far as that can be told.
    pub position: Option<Position>,
    /// Where it is and what is wrong with it.
    pub what: String,
}

/// A stretch of the log.
pub struct Stretch {
    /// The events that are there, in the order in which they lie there. Each is made of what was read only when it is
    /// taken: who hashes one after the other doesn't hold them all.
    pub events: Found,
    /// What is wrong with the file that they were read from, as a file.
    pub file: Option<Unreadable>,
}

/// A stretch of the receipts.
pub struct Receipts {
    /// The receipts that are there, as far as each can be read.
    pub receipts: Vec<Result<StoredRequest, Unreadable>>,
    /// What is wrong with the file that they were read from, as a file.
    pub file: Option<Unreadable>,
}

/// Events, as far as each can be read.
pub type Found = Box<dyn Iterator<Item = Result<StoredEvent, Unreadable>> + Send>;

/// A log, read-only.
pub struct Archive {
    held: Held,
    kind: Kind,
}

#[allow(clippy::large_enum_variant, reason = "there is one for each log")]
enum Kind {
    Export(Export),
    Folder(sqlite::moving::Source),
    Postgres(postgres::moving::Source),
}

/// How far the events have been read.
#[derive(Debug, Default)]
pub struct Cursor {
    /// In a database: the last position.
    after: Position,
    /// In an export: in which file.
    place: Place,
}

/// How far the receipts have been read.
#[derive(Debug, Default)]
pub struct ReceiptCursor {
    after: Option<(Uuid, String)>,
    place: Place,
    ended: bool,
}

impl Archive {
    /// Opens it. Refused is only what is no log, can't be reached, or was written by a newer version.
    pub async fn open(held: &Held) -> Result<Self, MoveError> {
        let kind = match held {
            Held::Export(folder) => Kind::Export(Export::open(folder)?),
            Held::Log(Location::Folder(folder)) => Kind::Folder(sqlite::moving::Source::open(folder).await?),
            Held::Log(Location::Postgres(url)) => Kind::Postgres(postgres::moving::Source::open(url).await?),
        };
        Ok(Self { held: held.clone(), kind })
    }

    /// Where it lies.
    pub fn held(&self) -> &Held {
        &self.held
    }

    /// Which log it says it is, and in which epoch.
    pub fn identity(&self) -> LogIdentity {
        match &self.kind {
            Kind::Export(export) => export.identity(),
            Kind::Folder(source) => source.identity(),
            Kind::Postgres(source) => source.identity(),
        }
    }

    /// The last position, as it says: of an export, of which nothing but its own word tells.
    pub fn head(&self) -> Position {
        match &self.kind {
            Kind::Export(export) => export.manifest.head,
            Kind::Folder(source) => source.head(),
            Kind::Postgres(source) => source.head(),
        }
    }

    /// The last position of a log that was ended, as it says; none of one that goes on. Postgres keeps that it was
    /// ended, not where.
    pub fn seal(&self) -> Option<Position> {
        match &self.kind {
            Kind::Export(export) => export.manifest.sealed.then_some(export.manifest.head),
            Kind::Folder(source) => source.seal(),
            Kind::Postgres(source) => source.is_sealed().then(|| source.head()),
        }
    }

    /// Whether it is an export: what was taken from a log, and no log in use.
    pub fn is_export(&self) -> bool {
        matches!(self.kind, Kind::Export(_))
    }

    /// How many receipts it says it has; only an export does.
    pub fn receipts_claimed(&self) -> Option<u64> {
        match &self.kind {
            Kind::Export(export) => export.manifest.receipts,
            Kind::Folder(_) | Kind::Postgres(_) => None,
        }
    }

    /// What is wrong with an export as a set of files.
    pub fn faults(&self) -> &[Unreadable] {
        match &self.kind {
            Kind::Export(export) => &export.faults,
            Kind::Folder(_) | Kind::Postgres(_) => &[],
        }
    }

    /// The folder of the log, where it is one: its tree lies beside it unless somebody says otherwise.
    pub fn folder(&self) -> Option<&Path> {
        match &self.held {
            Held::Log(Location::Folder(folder)) => Some(folder),
            Held::Export(_) | Held::Log(Location::Postgres(_)) => None,
        }
    }

    /// The next events; `None` after the last.
    pub async fn events(&self, cursor: &mut Cursor) -> Result<Option<Stretch>, MoveError> {
        let found = match &self.kind {
            Kind::Export(export) => return export.events(&mut cursor.place).await,
            Kind::Folder(source) => source.found(cursor.after, PAGE).await?,
            Kind::Postgres(source) => source.found(cursor.after, PAGE).await?,
        };
        let Some(FoundEvents { events, last }) = found else { return Ok(None) };
        cursor.after = last;
        Ok(Some(Stretch { events, file: None }))
    }

    /// The first position at which a database's index of tags, by which servers find a subject's events, is not what
    /// the events say; an export has no such index. `said` is what the events up to the head say.
    pub async fn misfiled(&self, said: &Filings) -> Result<Option<Position>, MoveError> {
        match &self.kind {
            Kind::Export(_) => Ok(None),
            Kind::Folder(source) if source.is_filed(said).await? => Ok(None),
            Kind::Folder(source) => source.misfiled().await,
            Kind::Postgres(source) => source.misfiled().await,
        }
    }

    /// The next receipts, in the order of their keys; `None` after the last.
    pub async fn receipts(&self, cursor: &mut ReceiptCursor) -> Result<Option<Receipts>, MoveError> {
        if cursor.ended {
            return Ok(None);
        }
        let after = cursor.after.take();
        let page = match &self.kind {
            Kind::Export(export) => return export.receipts(&mut cursor.place).await,
            Kind::Folder(source) => source.found_receipts(after, PAGE).await?,
            Kind::Postgres(source) => source.found_receipts(after, PAGE).await?,
        };
        // An unreadable key can't be gone on after: only a readable one is the end of a page.
        cursor.after = page.next;
        cursor.ended = cursor.after.is_none();
        Ok((!page.receipts.is_empty()).then_some(Receipts { receipts: page.receipts, file: None }))
    }

    /// What it says of its views: an export in its manifest, a log in their tables.
    pub async fn claims(&self, views: &[Entry]) -> Result<Vec<Claim>, MoveError> {
        match (&self.kind, &self.held) {
            (Kind::Export(export), _) => Ok(export.manifest.views.clone()),
            (_, Held::Log(location)) => Ok(claims_of(location, self.identity(), views).await?),
            (_, Held::Export(_)) => Ok(Vec::new()),
        }
    }

    /// The head as it is by now: a server may have gone on.
    pub async fn head_now(&self) -> Result<Position, MoveError> {
        match &self.held {
            Held::Export(_) => Ok(self.head()),
            Held::Log(_) => {
                let again = Box::pin(Self::open(&self.held)).await?;
                let head = again.head();
                again.close().await;
                Ok(head)
            }
        }
    }

    /// Lets go of it.
    pub async fn close(self) {
        match self.kind {
            Kind::Export(_) => {}
            Kind::Folder(source) => source.close().await,
            Kind::Postgres(source) => source.close().await,
        }
    }
}

/// A page of events of a database.
pub(crate) struct FoundEvents {
    pub(crate) events: Found,
    /// The last position in it.
    pub(crate) last: Position,
}

/// A page of receipts of a database.
pub(crate) struct FoundReceipts {
    pub(crate) receipts: Vec<Result<StoredRequest, Unreadable>>,
    /// After which key to go on; none after the last page.
    pub(crate) next: Option<(Uuid, String)>,
}
