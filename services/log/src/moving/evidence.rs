//! The folder of an export as evidence: read as far as it can be, with a word for each thing that can't.

use std::fs;
use std::marker::PhantomData;
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
    pub(crate) lines: Lines<L>,
    pub(crate) fault: Option<String>,
}

/// The lines of a file that was read, each made out only when it is taken. Empty ones are passed over.
pub(crate) struct Lines<L> {
    file: String,
    bytes: Vec<u8>,
    at: usize,
    number: u64,
    of: PhantomData<fn() -> L>,
}

impl<L> Lines<L> {
    fn of(file: &str, bytes: Vec<u8>) -> Self {
        Self { file: file.to_owned(), bytes, at: 0, number: 0, of: PhantomData }
    }
}

impl<L: Line> Iterator for Lines<L> {
    type Item = Result<L, String>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let rest = self.bytes.get(self.at..).filter(|rest| !rest.is_empty())?;
            let line = rest.split(|byte| *byte == b'\n').next().unwrap_or_default();
            (self.at, self.number) = (self.at + line.len() + 1, self.number + 1);
            if line.is_empty() {
                continue;
            }
            let of = |what: String| format!("{}, line {}: {what}", self.file, self.number);
            let text = std::str::from_utf8(line).map_err(|error| of(error.to_string()));
            return Some(text.and_then(|text| L::read(text).map_err(|error| of(error.to_string()))));
        }
    }
}

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
    pub(crate) fn read<L: Line>(&self, segment: &Segment) -> Result<FoundLines<L>, MoveError> {
        let path = self.path.join(&segment.name);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let fault = Some(format!("{}: the file is missing", segment.name));
                return Ok(FoundLines { lines: Lines::of(&segment.name, Vec::new()), fault });
            }
            Err(error) => return Err(folder::fault(&path)(error)),
        };
        let same = hex::encode(Sha256::digest(&bytes)) == segment.sha256;
        let fault = (!same).then(|| format!("{}: it is not what SHA256SUMS says", segment.name));
        Ok(FoundLines { lines: Lines::of(&segment.name, bytes), fault })
    }
}
