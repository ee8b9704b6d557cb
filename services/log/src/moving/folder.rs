//! The folder of an export: whole files only, each listed with its digest once it is on the disk.
//!
//! `SHA256SUMS` is the journal: a file that it doesn't list doesn't count. A crash leaves at most a file under
//! its working name, a file that isn't listed yet, or half a line; all of them are written again.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::MoveError;
use super::format::{FORMAT, Line, Manifest};

const MANIFEST: &str = "export.json";
/// The manifest of an export that is under way.
const BEGUN: &str = "export.json.part";
const SUMS: &str = "SHA256SUMS";

/// What a file of lines holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Events,
    Receipts,
}

impl Kind {
    fn folder(self) -> &'static str {
        match self {
            Kind::Events => "events",
            Kind::Receipts => "receipts",
        }
    }
}

/// A file of lines, whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Segment {
    /// Its name within the folder, as `SHA256SUMS` has it.
    pub(crate) name: String,
    pub(crate) sha256: String,
}

impl Segment {
    /// The position or number of its first line; none if it is of another kind.
    pub(crate) fn first(&self, kind: Kind) -> Option<u64> {
        let rest = self.name.strip_prefix(kind.folder())?.strip_prefix('/')?;
        rest.strip_suffix(".jsonl")?.parse().ok()
    }
}

/// An export's folder.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    pub(super) segments: Vec<Segment>,
}

pub(super) fn fault(path: &Path) -> impl FnOnce(io::Error) -> MoveError {
    let path = path.to_owned();
    move |error| MoveError::File(path, error)
}

impl Folder {
    /// The folder and how far its export has come; made where there is none.
    pub(super) fn begin(path: &Path) -> Result<(Self, Option<Manifest>), MoveError> {
        for folder in [path.to_owned(), path.join("events"), path.join("receipts")] {
            fs::create_dir_all(&folder).map_err(fault(&folder))?;
        }
        let begun = path.join(BEGUN);
        if !begun.exists() {
            // Without its manifest nothing says of which log these are; only an empty folder is begun in.
            let segments = sums(path)?;
            if segments.is_empty() {
                return Ok((Self { path: path.to_owned(), segments }, None));
            }
            let what = "holds files of an export without its export.json".to_owned();
            return Err(MoveError::OtherExport { folder: path.to_owned(), what });
        }
        let manifest = manifest(&begun)?;
        let segments = sums(path)?;
        // A line that was cut off by a crash is taken away, or the next one would be written behind it.
        write_whole(path, SUMS, listed(&segments).as_bytes())?;
        Ok((Self { path: path.to_owned(), segments }, Some(manifest)))
    }

    /// The manifest of the whole export in a folder, if there is one.
    pub(super) fn finished(path: &Path) -> Result<Option<Manifest>, MoveError> {
        let file = path.join(MANIFEST);
        if file.is_file() { manifest(&file).map(Some) } else { Ok(None) }
    }

    /// A whole export, with the digest of its manifest: that is which export it is.
    pub(super) fn whole(path: &Path) -> Result<(Self, Manifest, [u8; 32]), MoveError> {
        let file = path.join(MANIFEST);
        let manifest = Self::finished(path)?.ok_or_else(|| MoveError::Incomplete(path.to_owned()))?;
        let digest: [u8; 32] = Sha256::digest(fs::read(&file).map_err(fault(&file))?).into();
        let folder = Self { path: path.to_owned(), segments: sums(path)? };
        let said = folder.segments.iter().find(|segment| segment.name == MANIFEST);
        let damaged =
            |what: &str| MoveError::Damaged { file: file.clone(), position: None, what: what.into() };
        match said {
            Some(said) if said.sha256 == hex::encode(digest) => Ok((folder, manifest, digest)),
            Some(_) => Err(damaged("it is not what SHA256SUMS says")),
            None => Err(damaged("SHA256SUMS doesn't list it")),
        }
    }

    /// The folder as `SHA256SUMS` lists it, whatever its manifest is like.
    pub(super) fn listed(path: &Path) -> Result<Self, MoveError> {
        Ok(Self { path: path.to_owned(), segments: sums(path)? })
    }

    /// Says what the export will be of. A crash before this leaves nothing that counts.
    pub(super) fn start(&self, manifest: &Manifest) -> Result<(), MoveError> {
        write_whole(&self.path, BEGUN, &text(manifest))?;
        write_whole(&self.path, SUMS, b"")
    }

    /// Adds a file of lines, the first of them being the `first`-th.
    pub(super) fn add(&mut self, kind: Kind, first: u64, lines: &[u8]) -> Result<(), MoveError> {
        let name = format!("{}/{first:012}.jsonl", kind.folder());
        write_whole(&self.path, &name, lines)?;
        self.list(name, lines)
    }

    /// Ends the export: from now on it is whole.
    pub(super) fn finish(&mut self, manifest: &Manifest) -> Result<(), MoveError> {
        let text = text(manifest);
        // Listed before it is there: what is there is listed then. A crash between the two leaves a line that
        // the next try replaces.
        self.segments.retain(|segment| segment.name != MANIFEST);
        self.segments.push(Segment { name: MANIFEST.to_owned(), sha256: hex::encode(Sha256::digest(&text)) });
        write_whole(&self.path, SUMS, listed(&self.segments).as_bytes())?;
        write_whole(&self.path, MANIFEST, &text)?;
        let begun = self.path.join(BEGUN);
        fs::remove_file(&begun).map_err(fault(&begun))
    }

    fn list(&mut self, name: String, contents: &[u8]) -> Result<(), MoveError> {
        let segment = Segment { name, sha256: hex::encode(Sha256::digest(contents)) };
        let path = self.path.join(SUMS);
        let mut file = File::options().append(true).open(&path).map_err(fault(&path))?;
        file.write_all(listed(std::slice::from_ref(&segment)).as_bytes()).map_err(fault(&path))?;
        file.sync_all().map_err(fault(&path))?;
        self.segments.push(segment);
        Ok(())
    }

    /// The files of one kind in their order, each with the position or number of its first line.
    pub(super) fn of(&self, kind: Kind) -> impl Iterator<Item = (u64, &Segment)> {
        self.segments.iter().filter_map(move |segment| Some((segment.first(kind)?, segment)))
    }

    /// What a listed file holds, if it is what was written.
    pub(super) fn read<L: Line>(
        &self,
        segment: &Segment,
        position: impl Fn(&L) -> Option<u64>,
    ) -> Result<Vec<L>, MoveError> {
        let file = self.path.join(&segment.name);
        let bytes = fs::read(&file).map_err(fault(&file))?;
        let sound = hex::encode(Sha256::digest(&bytes)) == segment.sha256;
        let (lines, fault) = lines::<L>(&bytes);
        if sound && fault.is_none() {
            return Ok(lines);
        }
        let what = match fault {
            Some(fault) => format!("line {} can't be read: {fault}", lines.len() + 1),
            None => "its lines are not those that SHA256SUMS was written of".to_owned(),
        };
        // Of the first line that can't be read the one before it tells the position.
        let before = lines.last().and_then(&position);
        let first = segment.first(Kind::Events);
        let position = before.map(|before| before + 1).or(first).filter(|_| what.starts_with("line"));
        Err(MoveError::Damaged { file, position: position.or(first), what })
    }

    /// The path of a file in it.
    pub(super) fn file(&self, segment: &Segment) -> PathBuf {
        self.path.join(&segment.name)
    }

    pub(super) fn manifest_file(&self) -> PathBuf {
        self.path.join(MANIFEST)
    }
}

/// The lines up to the first that can't be read, and why it can't.
fn lines<L: Line>(bytes: &[u8]) -> (Vec<L>, Option<String>) {
    let mut read = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let Some(end) = rest.iter().position(|byte| *byte == b'\n') else {
            return (read, Some("it has no end".to_owned()));
        };
        let line = std::str::from_utf8(&rest[..end]).map_err(|error| error.to_string());
        match line.and_then(|line| L::read(line).map_err(|error| error.to_string())) {
            Ok(line) => read.push(line),
            Err(fault) => return (read, Some(fault)),
        }
        rest = &rest[end + 1..];
    }
    (read, None)
}

fn manifest(file: &Path) -> Result<Manifest, MoveError> {
    #[derive(serde::Deserialize)]
    struct Version {
        format: u32,
    }
    let damaged = |error: serde_json::Error| MoveError::Damaged {
        file: file.to_owned(),
        position: None,
        what: error.to_string(),
    };
    let bytes = fs::read(file).map_err(fault(file))?;
    let Version { format: found } = serde_json::from_slice(&bytes).map_err(damaged)?;
    if found > FORMAT {
        return Err(MoveError::NewerFormat { file: file.to_owned(), found, known: FORMAT });
    }
    serde_json::from_slice(&bytes).map_err(damaged)
}

fn text(manifest: &Manifest) -> Vec<u8> {
    // Plain data with text keys: it is always writable.
    let mut text = serde_json::to_vec_pretty(manifest).unwrap_or_default();
    text.push(b'\n');
    text
}

/// The whole lines of `SHA256SUMS`; none where there is no such file.
fn sums(path: &Path) -> Result<Vec<Segment>, MoveError> {
    let file = path.join(SUMS);
    let text = match fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(MoveError::File(file, error)),
    };
    let whole = text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
    let segments = whole.map(|line| {
        let (sha256, name) = line.split_once("  ").ok_or(line)?;
        Ok(Segment { name: name.to_owned(), sha256: sha256.to_owned() })
    });
    segments.collect::<Result<_, &str>>().map_err(|line| MoveError::Damaged {
        file,
        position: None,
        what: format!("this line has no digest and name: {line}"),
    })
}

fn listed(segments: &[Segment]) -> String {
    segments
        .iter()
        .fold(String::new(), |lines, segment| lines + &segment.sha256 + "  " + &segment.name + "\n")
}

/// Writes a file under its name only when all of it is on the disk.
fn write_whole(folder: &Path, name: &str, contents: &[u8]) -> Result<(), MoveError> {
    let path = folder.join(name);
    let part = folder.join(format!("{name}.new"));
    let mut file = File::create(&part).map_err(fault(&part))?;
    file.write_all(contents).map_err(fault(&part))?;
    file.sync_all().map_err(fault(&part))?;
    fs::rename(&part, &path).map_err(fault(&path))?;
    sync_folder(path.parent().unwrap_or(folder))
}

/// Makes names in a folder as durable as what they name.
pub(super) fn sync_folder(folder: &Path) -> Result<(), MoveError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(fault(folder))
}
