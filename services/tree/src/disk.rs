//! Files that are whole or not there.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::store::StoreError;

/// Behind the name of a file that is not whole yet.
const PART: &str = "part";

pub(crate) fn fault(path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    move |error| StoreError::File(path, error)
}

/// Replaces a file at once and durably: whoever reads it sees the old one or the new one, also after a crash.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let part = path.with_extension(PART);
    let mut file = File::create(&part).map_err(fault(&part))?;
    finish(&mut file, &part, path, bytes)
}

/// The same, of a file that only its owner may read.
pub(crate) fn replace_secret(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let part = path.with_extension(PART);
    // What a crash left may have been made with other rights.
    remove(&part)?;
    let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part);
    finish(&mut opened.map_err(fault(&part))?, &part, path, bytes)
}

fn finish(file: &mut File, part: &Path, path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(fault(part))?;
    fs::rename(part, path).map_err(fault(path))?;
    path.parent().map_or(Ok(()), sync)
}

/// What was written to a file, or which names a folder has, is on the disk after this.
pub(crate) fn sync(path: &Path) -> Result<(), StoreError> {
    File::open(path).and_then(|file| file.sync_all()).map_err(fault(path))
}

/// The bytes of a file; `None` if there is none.
pub(crate) fn read(path: &Path) -> Result<Option<Vec<u8>>, StoreError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(fault(path)(error)),
    }
}

/// Removes a file, if there is one.
pub(crate) fn remove(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(error) if !is_absent(&error) => Err(fault(path)(error)),
        _ => Ok(()),
    }
}

/// Makes a folder and those above it, durably.
pub(crate) fn make(folder: &Path) -> Result<(), StoreError> {
    let missing: Vec<&Path> = folder.ancestors().take_while(|one| !one.exists()).collect();
    fs::create_dir_all(folder).map_err(fault(folder))?;
    missing.iter().filter_map(|made| made.parent()).map(of_this_process).try_for_each(|one| sync(&one))
}

/// The parent of a relative path of one part is the empty path, which can't be opened.
fn of_this_process(folder: &Path) -> PathBuf {
    if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder.to_owned() }
}

/// Where a part of the path is a file, there is no such file either.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
