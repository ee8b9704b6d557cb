//! What happens to a task, as it is stored.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Assessment, Evidence, Outline, RuleVersion, Stage};
use crate::name::{AgencyId, TaskId};
use crate::subject::Subject;
use crate::text::Text;
use crate::time::Date;

/// What happened to a task. Stored forever: variants are added, never renamed or reused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", content = "data", rename_all_fields = "camelCase")]
pub enum TaskEvent {
    /// 拟办.
    #[serde(rename = "task.proposed.v1")]
    Proposed {
        /// Its name.
        task: TaskId,
        /// What it is about.
        outline: Outline,
    },
    /// 立项.
    #[serde(rename = "task.registered.v1")]
    Registered {
        /// Which.
        task: TaskId,
    },
    /// 交办: from now on somebody answers for it; the assignments follow in the same append.
    #[serde(rename = "task.dispatched.v1")]
    Dispatched {
        /// Which.
        task: TaskId,
        /// The last day, where its track sets one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<String>")]
        due_on: Option<Date>,
        /// The rule that set it.
        rule: RuleVersion,
    },
    /// 推进: the first agency has taken it.
    #[serde(rename = "task.started.v1")]
    Started {
        /// Which.
        task: TaskId,
    },
    /// 自评: an agency says how far it has come.
    #[serde(rename = "task.progress_recorded.v1")]
    ProgressRecorded {
        /// Which.
        task: TaskId,
        /// Who says so.
        agency: AgencyId,
        /// What it says.
        assessment: Assessment,
    },
    /// 核实: whoever checks says how far it has come.
    #[serde(rename = "task.progress_verified.v1")]
    ProgressVerified {
        /// Which.
        task: TaskId,
        /// What was found.
        assessment: Assessment,
    },
    /// 申请办结.
    #[serde(rename = "task.closure_requested.v1")]
    ClosureRequested {
        /// Which.
        task: TaskId,
        /// Who asks.
        agency: AgencyId,
        /// Why it is done.
        statement: Text,
        /// What shows it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        evidence: Vec<Evidence>,
    },
    /// 退回重办.
    #[serde(rename = "task.returned.v1")]
    Returned {
        /// Which.
        task: TaskId,
    },
    /// 办结: a supervisor judges it done.
    #[serde(rename = "task.completed.v1")]
    Completed {
        /// Which.
        task: TaskId,
        /// Why it is done.
        judgement: Text,
        /// What shows it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        evidence: Vec<Evidence>,
    },
    /// 销号, by another supervisor.
    #[serde(rename = "task.struck_off.v1")]
    StruckOff {
        /// Which.
        task: TaskId,
    },
    /// 归档.
    #[serde(rename = "task.archived.v1")]
    Archived {
        /// Which.
        task: TaskId,
    },
    /// 中止.
    #[serde(rename = "task.suspended.v1")]
    Suspended {
        /// Which.
        task: TaskId,
    },
    /// 恢复.
    #[serde(rename = "task.resumed.v1")]
    Resumed {
        /// Which.
        task: TaskId,
        /// Where it goes on: dispatched, or in progress once an agency has taken its part.
        stage: Stage,
    },
    /// 撤销.
    #[serde(rename = "task.withdrawn.v1")]
    Withdrawn {
        /// Which.
        task: TaskId,
    },
    /// 再交办.
    #[serde(rename = "task.reopened.v1")]
    Reopened {
        /// Which.
        task: TaskId,
    },
}

impl TaskEvent {
    /// The task.
    pub fn task(&self) -> &TaskId {
        match self {
            TaskEvent::Proposed { task, .. }
            | TaskEvent::Registered { task }
            | TaskEvent::Dispatched { task, .. }
            | TaskEvent::Started { task }
            | TaskEvent::ProgressRecorded { task, .. }
            | TaskEvent::ProgressVerified { task, .. }
            | TaskEvent::ClosureRequested { task, .. }
            | TaskEvent::Returned { task }
            | TaskEvent::Completed { task, .. }
            | TaskEvent::StruckOff { task }
            | TaskEvent::Archived { task }
            | TaskEvent::Suspended { task }
            | TaskEvent::Resumed { task, .. }
            | TaskEvent::Withdrawn { task }
            | TaskEvent::Reopened { task } => task,
        }
    }

    /// The subjects it is about.
    pub fn subjects(&self) -> Vec<Subject> {
        vec![Subject::Task(self.task().clone())]
    }

    /// The stage that it leads to; `None` where it says something of progress only.
    pub fn stage(&self) -> Option<Stage> {
        match self {
            TaskEvent::Proposed { .. } => Some(Stage::Proposed),
            TaskEvent::Registered { .. } => Some(Stage::Registered),
            TaskEvent::Dispatched { .. } => Some(Stage::Dispatched),
            TaskEvent::Started { .. } | TaskEvent::Returned { .. } | TaskEvent::Reopened { .. } => {
                Some(Stage::InProgress)
            }
            TaskEvent::Resumed { stage, task: _ } => Some(*stage),
            TaskEvent::ProgressRecorded { .. } | TaskEvent::ProgressVerified { .. } => None,
            TaskEvent::ClosureRequested { .. } => Some(Stage::ClosureRequested),
            TaskEvent::Completed { .. } => Some(Stage::Completed),
            TaskEvent::StruckOff { .. } => Some(Stage::StruckOff),
            TaskEvent::Archived { .. } => Some(Stage::Archived),
            TaskEvent::Suspended { .. } => Some(Stage::Suspended),
            TaskEvent::Withdrawn { .. } => Some(Stage::Withdrawn),
        }
    }
}
