//! From a folder to a log, on either engine: straight into the tables, nothing decided anew.

use std::path::PathBuf;
use std::sync::Arc;

use duban_domain::log::Origin;
use duban_domain::{Position, Timestamp};

use super::epoch::{LastCheckpoint, Opening, last_checkpoint};
use super::folder::{Folder, Kind, Segment};
use super::format::Manifest;
use super::target::Target;
use super::{MoveError, Phase, Progress, StoredRequest};
use crate::append::LogIdentity;
use crate::clock::{Clock, Ids, SystemClock, SystemIds};
use crate::engine::Location;
use crate::event::StoredEvent;

/// What to load, and into what.
pub struct LoadOptions {
    /// The folder of the export.
    pub from: PathBuf,
    /// Where the log shall be: a folder without one, or a database whose log is empty.
    pub to: Location,
    /// Where the last checkpoint of the epoch before may be found.
    pub trees: Option<LastCheckpoint>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Where the id of a new epoch comes from.
    pub ids: Arc<dyn Ids>,
}

impl LoadOptions {
    /// The export in the folder `from` to the log at `to`.
    pub fn new(from: impl Into<PathBuf>, to: Location) -> Self {
        Self { from: from.into(), to, trees: None, clock: Arc::new(SystemClock), ids: Arc::new(SystemIds) }
    }
}

/// What was loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loaded {
    /// Which log it is now.
    pub identity: LogIdentity,
    /// Its last position: of an export that didn't end its source, that of the event that opened the epoch.
    pub head: Position,
    /// How many receipts came with it.
    pub receipts: u64,
    /// Whether it goes on in the epoch that it was exported in.
    pub kept: bool,
}

/// Loads an export, or goes on with a load that was broken off.
pub async fn load(options: LoadOptions, mut progress: impl FnMut(Progress)) -> Result<Loaded, MoveError> {
    let LoadOptions { from, to, trees, clock, ids } = options;
    let (folder, manifest, digest) = Folder::whole(&from)?;
    let mut target = Target::open(&to, digest).await?;
    let (head, receipts) = target.loaded().await?;
    load_events(&folder, &manifest, &mut target, head, &mut progress).await?;
    load_receipts(&folder, &manifest, &mut target, receipts, &mut progress).await?;
    whole(&folder, &manifest, &mut target).await?;

    let exported = LogIdentity { log: manifest.log, epoch: manifest.epoch };
    let epochs: Vec<LogIdentity> =
        manifest.epochs.iter().map(|one| LogIdentity { epoch: one.epoch, ..exported }).collect();
    let loaded = Loaded {
        identity: exported,
        head: manifest.head,
        receipts: manifest.receipts.unwrap_or_default(),
        kept: manifest.sealed,
    };
    if manifest.sealed {
        target.finish(&epochs, None, &*clock).await?;
        return Ok(loaded);
    }
    let checkpoint = last_checkpoint(trees.as_ref(), exported)?;
    let opening = Opening::of(exported, manifest.head, Origin::Export, checkpoint, &*clock, &*ids);
    target.finish(&epochs, Some(&opening), &*clock).await?;
    Ok(Loaded {
        identity: opening.identity,
        head: manifest.head + 1,
        receipts: loaded.receipts + 1,
        ..loaded
    })
}

/// Loads the files of events from the one after position `head` on; each is loaded whole or not at all.
async fn load_events(
    folder: &Folder,
    manifest: &Manifest,
    target: &mut Target,
    head: Position,
    progress: &mut impl FnMut(Progress),
) -> Result<(), MoveError> {
    let mut expected = head + 1;
    let mut recorded_at = Timestamp::MIN;
    for (first, segment) in folder.of(Kind::Events).filter(|(first, _)| *first > head) {
        if first != expected {
            return Err(damaged(folder, segment, expected, "the events before this file are missing"));
        }
        let events = folder.read::<StoredEvent>(segment, |event| Some(event.position))?;
        for event in &events {
            let what = if event.position != expected {
                "the event is missing or out of order"
            } else if event.recorded_at < recorded_at {
                "the event is recorded before the one that it follows"
            } else if event.tags.iter().any(|filed| filed.previous >= expected) {
                "the event follows one that comes after it"
            } else {
                recorded_at = event.recorded_at;
                expected += 1;
                continue;
            };
            return Err(damaged(folder, segment, expected, what));
        }
        target.events(&events).await?;
        progress(Progress { phase: Phase::Events, done: expected - 1, of: manifest.head });
    }
    Ok(())
}

/// Loads the files of receipts from the one after the `done`-th receipt on.
async fn load_receipts(
    folder: &Folder,
    manifest: &Manifest,
    target: &mut Target,
    done: u64,
    progress: &mut impl FnMut(Progress),
) -> Result<(), MoveError> {
    let of = manifest.receipts.unwrap_or_default();
    let mut expected = done + 1;
    for (first, segment) in folder.of(Kind::Receipts).filter(|(first, _)| *first > done) {
        if first != expected {
            let what = format!("the receipts from number {expected} on are missing before this file");
            return Err(MoveError::Damaged { file: folder.file(segment), position: None, what });
        }
        let receipts = folder.read::<StoredRequest>(segment, |_| None)?;
        target.receipts(&receipts).await?;
        expected += receipts.len() as u64;
        progress(Progress { phase: Phase::Receipts, done: expected - 1, of });
    }
    Ok(())
}

/// Whether everything that the manifest speaks of is there.
async fn whole(folder: &Folder, manifest: &Manifest, target: &mut Target) -> Result<(), MoveError> {
    let found = target.loaded().await?;
    let said = (manifest.head, manifest.receipts.unwrap_or_default());
    if found == said {
        return Ok(());
    }
    let (found, said) =
        (format!("{} events and {} receipts", found.0, found.1), format!("{} and {}", said.0, said.1));
    let what = format!("the files hold {found}, it says {said}");
    Err(MoveError::Damaged { file: folder.manifest_file(), position: Some(manifest.head), what })
}

fn damaged(folder: &Folder, segment: &Segment, position: Position, what: &str) -> MoveError {
    MoveError::Damaged { file: folder.file(segment), position: Some(position), what: what.to_owned() }
}
