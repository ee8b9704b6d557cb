//! What a task consists of, as it is stored: its outline, and judgements of its progress.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rule::Track;
use crate::assignment::Source;
use crate::name::{ClauseId, DocumentId, TaskId};
use crate::text::{Line, Text};

/// How far something has come, as judged by someone. Never a percentage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Level {
    /// 无佐证: nothing to judge by.
    NoEvidence,
    /// 未启动.
    NotStarted,
    /// 进展有限.
    Limited,
    /// 进展明显.
    Substantial,
    /// 完成.
    Complete,
}

impl Level {
    /// Every level, from the least.
    pub const ALL: [Level; 5] =
        [Level::NoEvidence, Level::NotStarted, Level::Limited, Level::Substantial, Level::Complete];

    /// The stored word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Level::NoEvidence => "NO_EVIDENCE",
            Level::NotStarted => "NOT_STARTED",
            Level::Limited => "LIMITED",
            Level::Substantial => "SUBSTANTIAL",
            Level::Complete => "COMPLETE",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A file that shows something (佐证材料); the log keeps what identifies it, not the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// Its file name.
    pub name: Line,
    /// Its media type, such as `application/pdf`.
    pub media_type: Line,
    /// In bytes.
    pub size: u64,
    /// SHA-256 of its bytes, 64 lower-case hexadecimal digits.
    pub sha256: String,
}

/// A judgement of progress.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Assessment {
    /// How far.
    pub level: Level,
    /// In words.
    pub text: Text,
    /// What shows it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<Evidence>,
}

/// Something to be reached by the end of a year.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Milestone {
    /// By the end of this year.
    pub year: i16,
    /// What.
    pub statement: Text,
}

/// What a task is about; fixed when it is proposed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Outline {
    /// Its title.
    pub title: Line,
    /// What the document calls it, such as `(八)`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<Line>,
    /// The document it comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<DocumentId>,
    /// The clauses that ask for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clauses: Vec<ClauseId>,
    /// How it is pursued.
    pub track: Track,
    /// The task that it is a part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<TaskId>,
    /// What is to be reached when.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub milestones: Vec<Milestone>,
    /// Where its title stands written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
}
