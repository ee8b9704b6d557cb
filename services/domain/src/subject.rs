//! What events are about, and the tags they are filed under.
//!
//! The tags read by a decision and the position at which they were read are the condition of its append: a
//! rule may span subjects, and uniqueness is a tag. `agency:A` carries only the agency's own life; work given
//! to it is filed under `duty:A`, so that two tasks of one busy agency never conflict.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::name::{AgencyId, CycleId, DocumentId, LogId, ObligationId, ReadingId, ReportId, TaskId};

/// The longest tag, in bytes.
pub const TAG_MAX: usize = 128;
/// The most tags an event may have.
pub const TAGS_MAX: usize = 16;

/// Something with a life of its own in the log.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// A document, its anomalies and readings.
    Document(DocumentId),
    /// Whatever rests on a reading, and the reading's own adoption and end.
    Reading(ReadingId),
    /// An agency's own life.
    Agency(AgencyId),
    /// Who bears this full name.
    AgencyName(String),
    /// Who bears this unified social credit code.
    AgencyCode(String),
    /// A task and all its assignments.
    Task(TaskId),
    /// What an agency has to do: its assignments, in all tasks.
    Duty(AgencyId),
    /// A reporting cycle.
    Cycle(CycleId),
    /// What one agency owes in one cycle.
    Obligation(ObligationId),
    /// A report.
    Report(ReportId),
    /// The log's own life: its epochs, its keys.
    Log(LogId),
}

/// A key under which events are found: `kind:key`, at most [`TAG_MAX`] bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tag(String);

impl Tag {
    /// A tag as it is stored.
    pub fn stored(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// A key that would not fit is hashed.
    fn new(kind: &str, key: &str) -> Self {
        let plain = format!("{kind}:{key}");
        if plain.len() <= TAG_MAX { Self(plain) } else { Self::hashed(kind, key) }
    }

    /// Names are hashed: they may be long, and a tag is ASCII.
    fn hashed(kind: &str, key: &str) -> Self {
        Self(format!("{kind}:{}", hex::encode(&Sha256::digest(key.as_bytes())[..16])))
    }

    /// As a slice.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Subject {
    /// The tag under which its events are filed.
    pub fn tag(&self) -> Tag {
        match self {
            Subject::Document(document) => Tag::new("document", document.id()),
            Subject::Reading(reading) => {
                Tag::new("reading", &format!("{}/{}", reading.document().id(), reading.id()))
            }
            Subject::Agency(agency) => Tag::new("agency", agency.id()),
            Subject::AgencyName(name) => Tag::hashed("agency-name", name),
            Subject::AgencyCode(code) => Tag::new("agency-code", code),
            Subject::Task(task) => Tag::new("task", task.id()),
            Subject::Duty(agency) => Tag::new("duty", agency.id()),
            Subject::Cycle(cycle) => Tag::new("cycle", &cycle.year().to_string()),
            Subject::Obligation(obligation) => {
                Tag::new("obligation", &format!("{}/{}", obligation.cycle().year(), obligation.id()))
            }
            Subject::Report(report) => Tag::new("report", report.id()),
            Subject::Log(log) => Tag::new("log", log.id()),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Subject::Document(name) => name.fmt(f),
            Subject::Reading(name) => name.fmt(f),
            Subject::Agency(name) | Subject::Duty(name) => name.fmt(f),
            Subject::AgencyName(text) | Subject::AgencyCode(text) => f.write_str(text),
            Subject::Task(name) => name.fmt(f),
            Subject::Cycle(name) => name.fmt(f),
            Subject::Obligation(name) => name.fmt(f),
            Subject::Report(name) => name.fmt(f),
            Subject::Log(name) => name.fmt(f),
        }
    }
}
