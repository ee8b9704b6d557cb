//! A task (事项): proposed, registered, dispatched, in progress, closed and struck off; its progress, and who
//! has a part in it.
//!
//! Completing and striking off are two acts (谁验收、谁负责). Progress is two facts, self-assessed by each
//! agency and verified by whoever checks; one never shows as the other.

mod closing;
mod decide;
mod duty;
mod event;
mod part;
pub mod rule;
mod stage;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use self::decide::{DISPATCHED_MAX, DispatchedAssignment, TaskCommand};
pub use self::duty::Duty;
pub use self::event::TaskEvent;
pub use self::part::{Assessment, Evidence, Level, Milestone, Outline};
pub use self::rule::{RuleVersion, Track};
pub use self::stage::Stage;
use crate::Position;
use crate::assignment::{self, Assignment};
use crate::caller::PrincipalId;
use crate::event::{Event, Recorded};
use crate::explain::Field;
use crate::name::{AgencyId, AssignmentId, ReadingId, TaskId};
use crate::text::Text;
use crate::time::{Date, Period};
use crate::timeline::Timeline;
use crate::world::Fold;

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
            Event::Document(_) | Event::Agency(_) | Event::Cycle(_) | Event::Report(_) | Event::Log(_) => {
                state
            }
        }
    }
}
