//! The folder of an export as evidence: read as far as it can be, with a word for each thing that can't.

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::MoveError;
use super::folder::{self, Folder, Kind, Segment};
use super::format::{Line, Manifest};

/// The files of an export by what they hold, each kind in its order.
#[derive(Debug, Clone)]
pub(crate) struct Evidence {
    path: PathBuf,
    events: Vec<Segment>,
    receipts: Vec<Segment>,
}

/// The lines of a file, each by itself, and what is wrong with the file as a whole.
pub(crate) struct FoundLines<L> {
    pub(crate) lines: Vec<Result<L, String>>,
    pub(crate) fault: Option<String>,
}

/// A line of an export.
pub(crate) trait Lines: Line + Send + 'static {}

impl<L: Line + Send + 'static> Lines for L {}

impl Evidence {
    /// Opens it, and tells what is wrong with the manifest. Without one that can be read it is no export.
    pub(crate) fn open(path: &Path) -> Result<(Self, Manifest, Vec<String>), MoveError> {
        let manifest = Folder::finished(path)?.ok_or_else(|| MoveError::Incomplete(path.to_owned()))?;
        let (folder, faults) = match Folder::whole(path) {
            Ok((folder, _, _)) => (folder, Vec::new()),
            Err(error @ MoveError::Damaged { .. }) => (Folder::listed(path)?, vec![error.to_string()]),
            Err(error) => return Err(error),
        };
        let sorted = |kind: Kind| {
            let mut files: Vec<(u64, Segment)> =
                folder.of(kind).map(|(first, segment)| (first, segment.clone())).collect();
            files.sort_by_key(|(first, _)| *first);
            files.into_iter().map(|(_, segment)| segment).collect()
        };
        let evidence =
            Self { path: path.to_owned(), events: sorted(Kind::Events), receipts: sorted(Kind::Receipts) };
        Ok((evidence, manifest, faults))
    }

    /// The files of one kind.
    pub(crate) fn of(&self, kind: Kind) -> &[Segment] {
        match kind {
            Kind::Events => &self.events,
            Kind::Receipts => &self.receipts,
        }
    }

    /// What a file holds.
    pub(crate) fn read<L: Lines>(&self, segment: &Segment) -> Result<FoundLines<L>, MoveError> {
        let path = self.path.join(&segment.name);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let fault = Some(format!("{}: the file is missing", segment.name));
                return Ok(FoundLines { lines: Vec::new(), fault });
            }
            Err(error) => return Err(folder::fault(&path)(error)),
        };
        let same = hex::encode(Sha256::digest(&bytes)) == segment.sha256;
        let fault = (!same).then(|| format!("{}: it is not what SHA256SUMS says", segment.name));
        let lines = bytes.split(|byte| *byte == b'\n').enumerate();
        let lines = lines.filter(|(_, line)| !line.is_empty()).map(|(index, line)| {
            let of = |what: String| format!("{}, line {}: {what}", segment.name, index + 1);
            let text = std::str::from_utf8(line).map_err(|error| of(error.to_string()))?;
            L::read(text).map_err(|error| of(error.to_string()))
        });
        Ok(FoundLines { lines: lines.collect(), fault })
    }
}
