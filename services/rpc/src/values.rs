//! The values that resources of several services have (`duban/call/v1/value.proto`), to and from the domain's.

use duban_domain::Period;
use duban_domain::assignment::Source;
use duban_domain::task::{Evidence, Level, RuleVersion};
use duban_proto::call::v1 as pb;

use crate::validate::{Field, Fields, line, name, sha256, text};

/// The most files that one statement may bring as evidence.
pub const EVIDENCE_MAX: usize = 20;
/// The longest file name, in code points.
const FILE_NAME_MAX: usize = 255;
/// The longest media type, in code points (RFC 6838 §4.2 allows 127 on each side of the slash).
const MEDIA_TYPE_MAX: usize = 255;
/// The largest file that can be meant, in bytes: 1 PiB.
const FILE_SIZE_MAX: u64 = 1 << 50;
/// The longest cell, in code points.
const CELL_MAX: usize = 2_000;

impl Fields {
    /// Files that show something (佐证材料).
    pub fn evidence(&mut self, path: &str, files: Vec<pb::EvidenceFile>) -> Field<Vec<Evidence>> {
        self.each(path, files, EVIDENCE_MAX, |f, file| {
            let pb::EvidenceFile { name, media_type, size, sha256: digest } = file;
            crate::gather!(Evidence {
                name: f.one("name", name, line(FILE_NAME_MAX)),
                media_type: f.one("media_type", media_type, line(MEDIA_TYPE_MAX)),
                size: f.number("size", size, ..=FILE_SIZE_MAX, "at most 2^50 bytes"),
                sha256: f.one("sha256", digest, sha256),
            })
        })
    }

    /// Where in a document something stands.
    pub fn source(&mut self, path: &str, anchor: Option<pb::SourceAnchor>) -> Field<Option<Source>> {
        self.maybe_message(path, anchor, |f, anchor| {
            let pb::SourceAnchor { document, first_line, last_line, cell } = anchor;
            let source: Source = crate::gather!(Source {
                document: f.one("document", document, name),
                first_line: f.number("first_line", first_line, 1.., "a line from 1"),
                last_line: f.number("last_line", last_line, 1.., "a line from 1"),
                cell: f.maybe("cell", cell, text(CELL_MAX)),
            })?;
            let ordered = source.first_line <= source.last_line;
            f.check(ordered, "last_line", "must not be before first_line").map(|()| source)
        })
    }

    /// How far something has come.
    pub fn level(&mut self, path: &str, number: i32) -> Field<Level> {
        self.choice(path, number, |level| match level {
            pb::ProgressLevel::Unspecified => None,
            pb::ProgressLevel::NoEvidence => Some(Level::NoEvidence),
            pb::ProgressLevel::NotStarted => Some(Level::NotStarted),
            pb::ProgressLevel::Limited => Some(Level::Limited),
            pb::ProgressLevel::Substantial => Some(Level::Substantial),
            pb::ProgressLevel::Complete => Some(Level::Complete),
        })
    }
}

/// A level on the wire.
pub fn level(level: Level) -> pb::ProgressLevel {
    match level {
        Level::NoEvidence => pb::ProgressLevel::NoEvidence,
        Level::NotStarted => pb::ProgressLevel::NotStarted,
        Level::Limited => pb::ProgressLevel::Limited,
        Level::Substantial => pb::ProgressLevel::Substantial,
        Level::Complete => pb::ProgressLevel::Complete,
    }
}

/// Evidence on the wire.
pub fn evidence(files: &[Evidence]) -> Vec<pb::EvidenceFile> {
    let file = |file: &Evidence| pb::EvidenceFile {
        name: file.name.to_string(),
        media_type: file.media_type.to_string(),
        size: file.size,
        sha256: file.sha256.clone(),
    };
    files.iter().map(file).collect()
}

/// A place in a document on the wire.
pub fn source(source: &Source) -> pb::SourceAnchor {
    pb::SourceAnchor {
        document: source.document.to_string(),
        first_line: source.first_line,
        last_line: source.last_line,
        cell: source.cell.as_ref().map(ToString::to_string).unwrap_or_default(),
    }
}

/// A period on the wire.
pub fn period(period: Period) -> pb::Period {
    pb::Period { from: period.from.to_string(), until: period.until.map(|until| until.to_string()) }
}

/// A rule on the wire.
pub fn rule(rule: &RuleVersion) -> pb::Rule {
    pb::Rule { id: rule.id.clone(), version: rule.version }
}
