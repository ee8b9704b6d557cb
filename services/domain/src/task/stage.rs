//! The stages of a task's life.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How far a task has come in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Stage {
    /// 拟办.
    Proposed,
    /// 立项.
    Registered,
    /// 交办.
    Dispatched,
    /// 推进中.
    InProgress,
    /// 申请办结.
    ClosureRequested,
    /// 办结.
    Completed,
    /// 销号.
    StruckOff,
    /// 归档.
    Archived,
    /// 中止.
    Suspended,
    /// 撤销.
    Withdrawn,
}

impl Stage {
    /// Every stage.
    pub const ALL: [Stage; 10] = [
        Stage::Proposed,
        Stage::Registered,
        Stage::Dispatched,
        Stage::InProgress,
        Stage::ClosureRequested,
        Stage::Completed,
        Stage::StruckOff,
        Stage::Archived,
        Stage::Suspended,
        Stage::Withdrawn,
    ];

    /// The stored word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Stage::Proposed => "PROPOSED",
            Stage::Registered => "REGISTERED",
            Stage::Dispatched => "DISPATCHED",
            Stage::InProgress => "IN_PROGRESS",
            Stage::ClosureRequested => "CLOSURE_REQUESTED",
            Stage::Completed => "COMPLETED",
            Stage::StruckOff => "STRUCK_OFF",
            Stage::Archived => "ARCHIVED",
            Stage::Suspended => "SUSPENDED",
            Stage::Withdrawn => "WITHDRAWN",
        }
    }

    /// Whether someone has to answer for it: dispatched, and not completed, struck off or withdrawn.
    pub fn is_live(self) -> bool {
        match self {
            Stage::Dispatched | Stage::InProgress | Stage::ClosureRequested | Stage::Suspended => true,
            Stage::Proposed
            | Stage::Registered
            | Stage::Completed
            | Stage::StruckOff
            | Stage::Archived
            | Stage::Withdrawn => false,
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
