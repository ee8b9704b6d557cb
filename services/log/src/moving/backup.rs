//! A log in a folder copied into one file while it is in use, and a log made of such a file.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use duban_domain::Position;
use duban_domain::log::Origin;

use super::MoveError;
use super::epoch::{LastCheckpoint, Opening, last_checkpoint};
use super::folder::sync_folder;
use crate::append::LogIdentity;
use crate::clock::{Clock, Ids};
use crate::postgres::moving::{Found, Restoring};
use crate::sqlite::moving as sqlite;

/// What a backup holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackedUp {
    /// Which log.
    pub identity: LogIdentity,
    /// Its last position in the backup.
    pub head: Position,
}

/// What a log is after it was restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restored {
    /// Which log it is now.
    pub identity: LogIdentity,
    /// The position of the event that opened its epoch.
    pub head: Position,
}

/// Copies the log in `folder` into the file `to`, as it is at one moment; a server may append meanwhile. The
/// copy has its name only when it is whole and has been checked.
pub async fn backup(folder: &Path, to: &Path) -> Result<BackedUp, MoveError> {
    if to.exists() {
        let error = std::io::Error::from(std::io::ErrorKind::AlreadyExists);
        return Err(MoveError::File(to.to_owned(), error));
    }
    let part = beside(to);
    remove(&part)?;
    sqlite::copy(folder, &part).await?;
    let sqlite::Checked { identity, head, .. } = sqlite::check(&part).await?;
    put(&part, to)?;
    Ok(BackedUp { identity, head })
}

/// Makes the log in `folder` of the backup `file`. It goes on in a new epoch: what was recorded after the backup
/// is lost, and whoever knows of it must learn that: the event that opens the epoch names the last checkpoint of the
/// one before, if `trees` finds it.
pub async fn restore(
    file: &Path,
    folder: &Path,
    trees: Option<&LastCheckpoint>,
    clock: &dyn Clock,
    ids: &dyn Ids,
) -> Result<Restored, MoveError> {
    if !file.is_file() {
        return Err(MoveError::NoLog(file.display().to_string()));
    }
    let (_folder, path) = sqlite::vacant(folder).await?;
    let part = beside(&path);
    // A restore that was broken off begins anew: nothing of it counts before the file has its name.
    remove(&part)?;
    fs::copy(file, &part).map_err(|error| MoveError::File(part.clone(), error))?;
    let found = sqlite::check(&part).await?;
    if found.sealed {
        return Err(MoveError::Sealed);
    }
    let checkpoint = last_checkpoint(trees, found.identity)?;
    let opening = Opening::of(found.identity, found.head, Origin::Backup, checkpoint, clock, ids);
    sqlite::open_epoch(&part, &opening, clock).await?;
    put(&part, &path)?;
    Ok(Restored { identity: opening.identity, head: found.head + 1 })
}

/// Says that the database at `url` was put back to an earlier moment by Postgres' own means: its log goes on in a
/// new epoch, as [`restore`] says. By the role that owns the log; servers that run on it must be started again.
pub async fn restored(
    url: &str,
    trees: Option<&LastCheckpoint>,
    clock: &dyn Clock,
    ids: &dyn Ids,
) -> Result<Restored, MoveError> {
    let restoring = Restoring::begin(url).await?;
    let Found { identity, head } = restoring.found;
    let checkpoint = last_checkpoint(trees, identity)?;
    let opening = Opening::of(identity, head, Origin::Backup, checkpoint, clock, ids);
    restoring.finish(&opening, clock).await?;
    Ok(Restored { identity: opening.identity, head: head + 1 })
}

/// The working name of a file.
fn beside(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".part");
    name.into()
}

fn remove(part: &Path) -> Result<(), MoveError> {
    for suffix in ["", "-journal", "-wal", "-shm"] {
        let mut file = part.as_os_str().to_owned();
        file.push(suffix);
        match fs::remove_file(&file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(MoveError::File(file.into(), error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Gives a file its name once all of it is on the disk.
fn put(part: &Path, name: &Path) -> Result<(), MoveError> {
    File::open(part)
        .and_then(|file| file.sync_all())
        .map_err(|error| MoveError::File(part.to_owned(), error))?;
    fs::rename(part, name).map_err(|error| MoveError::File(name.to_owned(), error))?;
    let folder = name.parent().filter(|folder| !folder.as_os_str().is_empty());
    sync_folder(folder.unwrap_or(Path::new(".")))
}
