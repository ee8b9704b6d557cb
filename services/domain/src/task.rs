//! A task (事项): proposed, registered, dispatched, in progress, closed and struck off; its progress, and who
//! has a part in it.
//!
//! Completing and striking off are two acts (谁验收、谁负责). Progress is two facts, self-assessed by each
//! agency and verified by whoever checks; one never shows as the other.

mod decide;
mod duty;
pub mod rule;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::decide::{DISPATCHED_MAX, DispatchedAssignment, TaskCommand};
pub use self::duty::Duty;
pub use self::rule::{RuleVersion, Track};
use crate::Position;
use crate::assignment::{self, Assignment, Source};
use crate::caller::PrincipalId;
use crate::event::{Event, Recorded};
use crate::explain::Field;
use crate::name::{AgencyId, AssignmentId, ClauseId, DocumentId, ReadingId, TaskId};
use crate::subject::Subject;
use crate::text::{Line, Text};
use crate::time::{Date, Period};
use crate::timeline::Timeline;
use crate::world::Fold;

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

/// What whoever checked found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verification {
    /// What was found.
    pub assessment: Assessment,
    /// For which agency the checker acts, if for one.
    pub agency: Option<AgencyId>,
}

/// 申请办结: the last one made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClosureRequest {
    /// Why it is done.
    pub statement: Text,
    /// What shows it.
    pub evidence: Vec<Evidence>,
    /// Which agency asked.
    pub agency: AgencyId,
    /// Who asked.
    pub by: PrincipalId,
    /// When.
    pub on: Date,
}

/// 办结, and 销号 after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Completion {
    /// Why it is done.
    pub judgement: Text,
    /// What shows it.
    pub evidence: Vec<Evidence>,
    /// Who judged.
    pub by: PrincipalId,
    /// When.
    pub on: Date,
    /// When it was struck off.
    pub struck_off_on: Option<Date>,
}

/// 退回重办: the last time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Return {
    /// Why.
    pub reason: Option<Text>,
    /// When.
    pub on: Date,
}

/// A task as folded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Its name.
    pub name: TaskId,
    /// What it is about.
    pub outline: Outline,
    /// The readings that its proposal rests on.
    pub readings: Vec<ReadingId>,
    /// Where it stood when.
    pub stages: Timeline<Stage>,
    /// Where it stands: the stage of the last step recorded.
    pub stage: Stage,
    /// The date of its last step.
    pub last_step_on: Date,
    /// The day from which someone answers for it.
    pub dispatched_on: Option<Date>,
    /// The last day, where its track sets one, and the rule that set it.
    pub due: Option<(Option<Date>, RuleVersion)>,
    /// What each agency said of its progress, when.
    pub self_assessed: BTreeMap<AgencyId, Timeline<Assessment>>,
    /// What whoever checked found, when.
    pub verified: Timeline<Verification>,
    /// The last request for closure.
    pub closure_request: Option<ClosureRequest>,
    /// Its completion, while it stands.
    pub completion: Option<Completion>,
    /// The last return.
    pub last_return: Option<Return>,
    /// Whether an agency has taken its part.
    pub started: bool,
    /// Who has a part in it.
    #[serde(skip)]
    pub assignments: BTreeMap<AssignmentId, Assignment>,
    /// The position of its proposal.
    pub proposed_at: Position,
    /// The position of the last event of its own; its assignments' are not counted.
    pub last: Position,
}

impl Task {
    /// Where it stood on `day`; `None` before it was proposed.
    pub fn stage_on(&self, day: Date) -> Option<Stage> {
        self.stages.value_on(day).copied()
    }

    /// Whether someone had to answer for it on `day`.
    pub fn is_live_on(&self, day: Date) -> bool {
        self.stage_on(day).is_some_and(Stage::is_live)
    }

    /// What `agency` said last of its progress.
    pub fn last_assessment(&self, agency: &AgencyId) -> Option<&Assessment> {
        self.self_assessed.get(agency)?.last().map(|span| &span.value)
    }

    /// Where it goes on when it is resumed.
    pub fn resumes_at(&self) -> Stage {
        if self.started { Stage::InProgress } else { Stage::Dispatched }
    }

    /// Whether the first acknowledgement sets it going.
    pub(crate) fn awaits_start(&self) -> bool {
        self.stage == Stage::Dispatched
    }

    fn proposed(task: &TaskId, outline: &Outline, recorded: &Recorded) -> Self {
        Self {
            name: task.clone(),
            outline: outline.clone(),
            readings: recorded.context.readings.clone(),
            stages: Timeline::default(),
            stage: Stage::Proposed,
            last_step_on: recorded.effective_on,
            dispatched_on: None,
            due: None,
            self_assessed: BTreeMap::new(),
            verified: Timeline::default(),
            closure_request: None,
            completion: None,
            last_return: None,
            started: false,
            assignments: BTreeMap::new(),
            proposed_at: recorded.position,
            last: recorded.position,
        }
    }

    fn happened(&mut self, event: &TaskEvent, recorded: &Recorded) {
        let (on, at) = (recorded.effective_on, recorded.position);
        self.last = at;
        if let Some(stage) = event.stage() {
            self.stages.set(Period::since(on), stage, at);
            self.stage = stage;
            self.last_step_on = on;
        }
        match event {
            TaskEvent::Dispatched { due_on, rule, task: _ } => {
                self.dispatched_on = Some(on);
                self.due = Some((*due_on, rule.clone()));
            }
            TaskEvent::ProgressRecorded { agency, assessment, task: _ } => {
                let said = self.self_assessed.entry(agency.clone()).or_default();
                said.set_from(on, assessment.clone(), at);
            }
            TaskEvent::ProgressVerified { assessment, task: _ } => {
                let found = Verification { assessment: assessment.clone(), agency: recorded.agency.clone() };
                self.verified.set_from(on, found, at);
            }
            TaskEvent::ClosureRequested { agency, statement, evidence, task: _ } => {
                let (statement, evidence) = (statement.clone(), evidence.clone());
                let (agency, by) = (agency.clone(), recorded.actor.clone());
                self.closure_request = Some(ClosureRequest { statement, evidence, agency, by, on });
            }
            TaskEvent::Completed { judgement, evidence, task: _ } => {
                let (judgement, evidence) = (judgement.clone(), evidence.clone());
                let by = recorded.actor.clone();
                self.completion = Some(Completion { judgement, evidence, by, on, struck_off_on: None });
            }
            TaskEvent::StruckOff { .. } => {
                self.completion.iter_mut().for_each(|done| done.struck_off_on = Some(on));
            }
            TaskEvent::Returned { .. } => {
                self.last_return = Some(Return { reason: recorded.context.reason.clone(), on });
                self.completion = None;
            }
            TaskEvent::Reopened { .. } => self.completion = None,
            TaskEvent::Started { .. } => self.started = true,
            TaskEvent::Proposed { .. }
            | TaskEvent::Registered { .. }
            | TaskEvent::Archived { .. }
            | TaskEvent::Suspended { .. }
            | TaskEvent::Resumed { .. }
            | TaskEvent::Withdrawn { .. } => {}
        }
    }

    /// Why its fields are as they are on `day`.
    pub fn explain(&self, day: Date) -> Vec<Field> {
        let mut fields = vec![Field::new("title", &self.outline.title, [self.proposed_at])];
        if let Some(span) = self.stages.on(day) {
            fields.push(Field::new("stage", span.value, span.because.clone()));
        }
        for (agency, said) in &self.self_assessed {
            if let Some(span) = said.on(day) {
                let name = format!("self_assessed/{}", agency.id());
                fields.push(Field::new(name, span.value.level, span.because.clone()));
            }
        }
        if let Some(span) = self.verified.on(day) {
            fields.push(Field::new("verified", span.value.assessment.level, span.because.clone()));
        }
        fields.extend(self.assignments.values().flat_map(|assignment| assignment.explain(day)));
        fields
    }
}

impl Fold for Task {
    fn evolve(state: Option<Self>, recorded: &Recorded) -> Option<Self> {
        match &recorded.event {
            Event::Task(event) => {
                let mut task = match (state, event) {
                    (Some(task), _) => task,
                    (None, TaskEvent::Proposed { task, outline }) => Task::proposed(task, outline, recorded),
                    (None, _) => return None,
                };
                task.happened(event, recorded);
                Some(task)
            }
            Event::Assignment(event) => {
                let mut task = state?;
                assignment::evolve(&mut task.assignments, event, recorded);
                Some(task)
            }
            Event::Document(_) | Event::Agency(_) | Event::Cycle(_) | Event::Report(_) => state,
        }
    }
}
