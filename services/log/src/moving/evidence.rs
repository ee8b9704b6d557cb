//! The folder of an export as evidence: read as far as it can be, with a word for each thing that can't.

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use memchr::{memchr, memchr_iter, memrchr};
use sha2::{Digest as _, Sha256};

use super::MoveError;
use super::folder::{self, Folder, Kind, Segment};
use super::format::{Line, Manifest};

/// How much of a file is read at once, in bytes: what is held doesn't grow with the files.
const BLOCK: usize = 1 << 20;

/// The files of an export by what they hold, each kind in its order.
#[derive(Debug, Clone)]
pub(crate) struct Evidence {
    path: PathBuf,
    events: Vec<Segment>,
    receipts: Vec<Segment>,
}

/// How far the files of a kind have been read.
#[derive(Debug, Default)]
pub(crate) struct Place {
    /// How many files were begun.
    files: usize,
    reading: Option<Reading>,
}

/// A file that is being read.
#[derive(Debug)]
struct Reading {
    file: File,
    path: PathBuf,
    segment: Segment,
    sha256: Sha256,
    /// How many lines there were.
    number: u64,
    /// What was read of the line that comes next.
    begun: Vec<u8>,
}

/// Some lines of a file, each by itself.
pub(crate) struct FoundLines<L> {
    pub(crate) lines: Lines<L>,
    /// Of the first lines of a file, the position or number that its name tells.
    pub(crate) first: Option<u64>,
    /// Behind the last of the file: what is wrong with it as a whole.
    pub(crate) fault: Option<String>,
}

/// Lines that were read, each made out only when it is taken. Empty ones are passed over.
pub(crate) struct Lines<L> {
    file: String,
    bytes: Vec<u8>,
    at: usize,
    number: u64,
    of: PhantomData<fn() -> L>,
}

impl<L: Line> Iterator for Lines<L> {
    type Item = Result<L, String>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let rest = self.bytes.get(self.at..).filter(|rest| !rest.is_empty())?;
            let length = memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
            let line = &rest[..length];
            (self.at, self.number) = (self.at + length, self.number + 1);
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            if line.is_empty() {
                continue;
            }
            let of = |what: String| format!("{}, line {}: {what}", self.file, self.number);
            let text = simdutf8::compat::from_utf8(line).map_err(|error| of(error.to_string()));
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

    /// The next lines of a kind, file after file; `None` after the last. It blocks.
    pub(crate) fn read<L: Line>(
        &self,
        kind: Kind,
        place: &mut Place,
    ) -> Result<Option<FoundLines<L>>, MoveError> {
        let (reading, first) = if let Some(reading) = place.reading.take() {
            (reading, None)
        } else {
            let Some(segment) = self.of(kind).get(place.files) else { return Ok(None) };
            place.files += 1;
            let first = segment.first(kind);
            match Reading::begin(self.path.join(&segment.name), segment)? {
                Some(reading) => (reading, first),
                None => return Ok(Some(FoundLines::missing(segment, first))),
            }
        };
        let (lines, rest) = reading.lines()?;
        let fault = match rest {
            Rest::On(reading) => {
                place.reading = Some(reading);
                None
            }
            Rest::Ended(fault) => fault,
        };
        Ok(Some(FoundLines { lines, first, fault }))
    }
}

impl<L> FoundLines<L> {
    fn missing(segment: &Segment, first: Option<u64>) -> Self {
        let Segment { name, .. } = segment;
        let lines = Lines { file: name.clone(), bytes: Vec::new(), at: 0, number: 0, of: PhantomData };
        Self { lines, first, fault: Some(format!("{name}: the file is missing")) }
    }
}

/// How a file goes on.
enum Rest {
    /// There may be more of it.
    On(Reading),
    /// That was all, and what is wrong with it.
    Ended(Option<String>),
}

impl Reading {
    /// None where there is no such file.
    fn begin(path: PathBuf, segment: &Segment) -> Result<Option<Self>, MoveError> {
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(folder::fault(&path)(error)),
        };
        let (segment, sha256) = (segment.clone(), Sha256::new());
        Ok(Some(Self { file, path, segment, sha256, number: 0, begun: Vec::new() }))
    }

    /// The lines of the next block.
    fn lines<L>(mut self) -> Result<(Lines<L>, Rest), MoveError> {
        let mut bytes = Vec::with_capacity(self.begun.len() + BLOCK);
        bytes.append(&mut self.begun);
        let ended = loop {
            let before = bytes.len();
            let mut block = self.file.by_ref().take(BLOCK as u64);
            let read = block.read_to_end(&mut bytes).map_err(folder::fault(&self.path))?;
            self.sha256.update(&bytes[before..]);
            if read == 0 {
                break true;
            }
            if let Some(last) = memrchr(b'\n', &bytes[before..]) {
                self.begun.extend_from_slice(&bytes[before + last + 1..]);
                bytes.truncate(before + last + 1);
                break false;
            }
        };
        let (file, number) = (self.segment.name.clone(), self.number);
        let read = if ended {
            let same = hex::encode(self.sha256.finalize()) == self.segment.sha256;
            Rest::Ended((!same).then(|| format!("{file}: it is not what SHA256SUMS says")))
        } else {
            self.number += memchr_iter(b'\n', &bytes).count() as u64;
            Rest::On(self)
        };
        Ok((Lines { file, bytes, at: 0, number, of: PhantomData }, read))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;
    use uuid::Uuid;

    use super::*;
    use crate::append::{Receipt, StoredReceipt};
    use crate::moving::StoredRequest;

    const NAME: &str = "receipts/000000000001.jsonl";

    fn receipt(number: u64, principal: &str) -> StoredRequest {
        let recorded_at = "2026-03-02T01:02:03Z".parse().unwrap();
        let receipt = Receipt { first: number, last: number, recorded_at };
        let stored = StoredReceipt { fingerprint: [7; 32], receipt };
        StoredRequest { request_id: Uuid::from_u128(number.into()), principal: principal.to_owned(), stored }
    }

    fn text(receipts: &[StoredRequest]) -> Vec<u8> {
        let mut text = Vec::new();
        for receipt in receipts {
            receipt.write(&mut text);
        }
        text
    }

    /// A file of so many bytes, listed as if it had `listed`.
    fn file(folder: &TempDir, bytes: &[u8], listed: &[u8]) -> Evidence {
        fs::create_dir_all(folder.path().join("receipts")).unwrap();
        fs::write(folder.path().join(NAME), bytes).unwrap();
        let segment = Segment { name: NAME.to_owned(), sha256: hex::encode(Sha256::digest(listed)) };
        Evidence { path: folder.path().to_owned(), events: Vec::new(), receipts: vec![segment] }
    }

    /// Its receipts part by part, and what is wrong with the file.
    type Found = (Vec<Vec<Result<StoredRequest, String>>>, Vec<String>);

    fn read(evidence: &Evidence) -> Found {
        let (mut place, mut parts, mut faults) = (Place::default(), Vec::new(), Vec::new());
        while let Some(found) = evidence.read::<StoredRequest>(Kind::Receipts, &mut place).unwrap() {
            assert_eq!(found.first, parts.is_empty().then_some(1));
            assert!(faults.is_empty(), "it is told at the end");
            parts.push(found.lines.collect());
            faults.extend(found.fault);
        }
        (parts, faults)
    }

    #[test]
    fn a_file_of_many_blocks_comes_in_parts_and_whole() {
        let folder = tempfile::tempdir().unwrap();
        let mut receipts: Vec<_> = (1..=6_000).map(|number| receipt(number, "officer")).collect();
        // Lines longer than a block, in the middle and at the end.
        receipts[3_000].principal = "长".repeat(BLOCK / 2);
        receipts[5_999].principal = "o".repeat(BLOCK + 1);
        let written = text(&receipts);
        for bytes in [&written[..], &written[..written.len() - 1]] {
            let (parts, faults) = read(&file(&folder, bytes, bytes));
            assert!(parts.len() > 2, "{} parts", parts.len());
            let found: Vec<_> = parts.into_iter().flatten().map(Result::unwrap).collect();
            assert!(found == receipts);
            assert_eq!(faults, [] as [&str; 0]);
        }
    }

    #[test]
    fn a_line_that_cant_be_read_is_named_in_whichever_block_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let receipts: Vec<_> = (1..=6_000).map(|number| receipt(number, "officer")).collect();
        for wrong in [1, 6_000] {
            let written = String::from_utf8(text(&receipts)).unwrap();
            let changed = written.replacen(&format!("\"first\":{wrong},"), "\"first\":x,", 1);
            let (parts, faults) = read(&file(&folder, changed.as_bytes(), written.as_bytes()));
            let found: Vec<_> = parts.into_iter().flatten().collect();
            assert_eq!(found.len(), 6_000);
            let unread: Vec<&String> = found.iter().filter_map(|found| found.as_ref().err()).collect();
            assert!(unread.len() == 1 && unread[0].contains(&format!("line {wrong}:")), "{unread:?}");
            assert_eq!(faults, [format!("{NAME}: it is not what SHA256SUMS says")]);
        }
    }

    #[test]
    fn a_file_that_is_cut_or_gone_or_empty_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let written = text(&(1..=6_000).map(|number| receipt(number, "officer")).collect::<Vec<_>>());
        let cut = written.len() - 300;
        let (parts, faults) = read(&file(&folder, &written[..cut], &written));
        assert!(matches!(parts.last().unwrap().last(), Some(Err(_))), "half a line");
        assert_eq!(faults.len(), 1);
        assert_eq!(read(&file(&folder, b"", b"")).1, [] as [&str; 0]);
        let evidence = file(&folder, b"", b"");
        fs::remove_file(folder.path().join(NAME)).unwrap();
        assert_eq!(read(&evidence).1, [format!("{NAME}: the file is missing")]);
    }
}
