//! What may be done with a task, by whom, and what follows.

use serde::Serialize;

use super::closing::{complete, request_closure, strike_off};
use super::{Assessment, Evidence, Outline, Stage, Task, TaskEvent, rule};
use crate::Position;
use crate::assignment::{NewAssignment, Role, Source, dispatched, name_under};
use crate::command::{Command, Facts, Proposed, Seed};
use crate::event::Event;
use crate::name::{AgencyId, AssignmentId, TaskId};
use crate::rejection::{Reason, Rejection};
use crate::subject::Subject;
use crate::text::Text;
use crate::time::{Date, Period};
use crate::world::World;

/// The most agencies that one dispatch may name.
pub const DISPATCHED_MAX: usize = 64;

/// One agency of a dispatch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DispatchedAssignment {
    /// Its name, if the caller chooses it.
    pub assignment: Option<AssignmentId>,
    /// Whose it shall be.
    pub agency: AgencyId,
    /// In which role.
    pub role: Role,
    /// Where it stands written.
    pub source: Option<Source>,
}

/// What a caller may ask for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum TaskCommand {
    /// 拟办.
    Propose {
        /// Its name, if the caller chooses it.
        task: Option<TaskId>,
        /// What it is about.
        outline: Outline,
    },
    /// 立项.
    Register {
        /// Which.
        task: TaskId,
    },
    /// 交办, with its first assignments, which hold from the effective date on.
    Dispatch {
        /// Which.
        task: TaskId,
        /// To whom; at least one.
        assignments: Vec<DispatchedAssignment>,
    },
    /// 自评, by an agency that has taken its part.
    RecordProgress {
        /// Of which task.
        task: TaskId,
        /// What it says.
        assessment: Assessment,
    },
    /// 核实, by someone of no agency assigned to the task.
    VerifyProgress {
        /// Of which task.
        task: TaskId,
        /// What was found.
        assessment: Assessment,
    },
    /// 申请办结, by an agency that has taken its part.
    RequestClosure {
        /// Which.
        task: TaskId,
        /// Why it is done.
        statement: Text,
        /// What shows it.
        evidence: Vec<Evidence>,
    },
    /// 退回重办, with a reason.
    Return {
        /// Which.
        task: TaskId,
    },
    /// 办结, by a supervisor.
    Complete {
        /// Which.
        task: TaskId,
        /// Why it is done.
        judgement: Text,
        /// What shows it.
        evidence: Vec<Evidence>,
    },
    /// 销号, by another supervisor.
    StrikeOff {
        /// Which.
        task: TaskId,
    },
    /// 归档.
    Archive {
        /// Which.
        task: TaskId,
    },
    /// 中止, with a reason.
    Suspend {
        /// Which.
        task: TaskId,
    },
    /// 恢复.
    Resume {
        /// Which.
        task: TaskId,
    },
    /// 撤销, with a reason.
    Withdraw {
        /// Which.
        task: TaskId,
    },
    /// 再交办, with a reason.
    Reopen {
        /// Which.
        task: TaskId,
    },
}

impl TaskCommand {
    /// The task it is about.
    ///
    /// # Panics
    /// If a proposal is asked before [`Command::complete`] has named its task.
    pub fn task(&self) -> &TaskId {
        match self {
            Self::Propose { task, .. } => task.as_ref().unwrap_or_else(|| unreachable!("completed before")),
            Self::Register { task }
            | Self::Dispatch { task, .. }
            | Self::RecordProgress { task, .. }
            | Self::VerifyProgress { task, .. }
            | Self::RequestClosure { task, .. }
            | Self::Return { task }
            | Self::Complete { task, .. }
            | Self::StrikeOff { task }
            | Self::Archive { task }
            | Self::Suspend { task }
            | Self::Resume { task }
            | Self::Withdraw { task }
            | Self::Reopen { task } => task,
        }
    }
}

impl Command for TaskCommand {
    fn complete(&mut self, seed: &Seed) {
        match self {
            Self::Propose { task, .. } if task.is_none() => *task = TaskId::from_id(&seed.id("task")),
            Self::Dispatch { task, assignments } => {
                let unnamed = assignments.iter_mut().enumerate().filter(|(_, new)| new.assignment.is_none());
                for (index, new) in unnamed {
                    new.assignment = name_under(task, &seed.id(&format!("assignments/{index}")));
                }
            }
            Self::Propose { .. }
            | Self::Register { .. }
            | Self::RecordProgress { .. }
            | Self::VerifyProgress { .. }
            | Self::RequestClosure { .. }
            | Self::Return { .. }
            | Self::Complete { .. }
            | Self::StrikeOff { .. }
            | Self::Archive { .. }
            | Self::Suspend { .. }
            | Self::Resume { .. }
            | Self::Withdraw { .. }
            | Self::Reopen { .. } => {}
        }
    }

    fn subject(&self) -> Subject {
        Subject::Task(self.task().clone())
    }

    /// The task's own last event: what happens to its assignments doesn't outdate it.
    fn seen(&self, world: &World) -> Position {
        world.find_task(self.task()).map_or(0, |task| task.last)
    }

    fn reads(&self, _known: &World) -> Vec<Subject> {
        match self {
            Self::Propose { outline, .. } => {
                let document = outline.document.iter().cloned().map(Subject::Document);
                document.chain(outline.parent.iter().cloned().map(Subject::Task)).collect()
            }
            Self::Dispatch { assignments, .. } => {
                assignments.iter().map(|new| Subject::Agency(new.agency.clone())).collect()
            }
            Self::Register { .. }
            | Self::RecordProgress { .. }
            | Self::VerifyProgress { .. }
            | Self::RequestClosure { .. }
            | Self::Return { .. }
            | Self::Complete { .. }
            | Self::StrikeOff { .. }
            | Self::Archive { .. }
            | Self::Suspend { .. }
            | Self::Resume { .. }
            | Self::Withdraw { .. }
            | Self::Reopen { .. } => vec![],
        }
    }

    fn decide(&self, world: &World, facts: &Facts) -> Result<Vec<Proposed>, Rejection> {
        if let Self::Propose { outline, .. } = self {
            return propose(self.task(), outline, world, facts);
        }
        let task = world.task(self.task())?;
        let name = || task.name.clone();
        match self {
            Self::Propose { .. } => Ok(vec![]),
            Self::Register { .. } => task.step(
                Stage::Registered,
                &[Stage::Proposed],
                TaskEvent::Registered { task: name() },
                facts,
            ),
            Self::Dispatch { assignments, .. } => dispatch(task, assignments, world, facts),
            Self::RecordProgress { assessment, .. } => record_progress(task, assessment, facts),
            Self::VerifyProgress { assessment, .. } => verify_progress(task, assessment, facts),
            Self::RequestClosure { statement, evidence, .. } => {
                request_closure(task, statement, evidence, facts)
            }
            Self::Return { .. } => {
                facts.reason()?;
                task.no_party(facts)?;
                let from = [Stage::ClosureRequested, Stage::Completed];
                task.step_from(&from, TaskEvent::Returned { task: name() }, facts)
            }
            Self::Complete { judgement, evidence, .. } => complete(task, judgement, evidence, facts),
            Self::StrikeOff { .. } => strike_off(task, facts),
            Self::Archive { .. } => {
                task.step(Stage::Archived, &[Stage::StruckOff], TaskEvent::Archived { task: name() }, facts)
            }
            Self::Suspend { .. } => {
                facts.reason()?;
                let from = [Stage::Dispatched, Stage::InProgress];
                task.step(Stage::Suspended, &from, TaskEvent::Suspended { task: name() }, facts)
            }
            Self::Resume { .. } => task.step_from(
                &[Stage::Suspended],
                TaskEvent::Resumed { task: name(), stage: task.resumes_at() },
                facts,
            ),
            Self::Withdraw { .. } => {
                facts.reason()?;
                task.step(Stage::Withdrawn, &WITHDRAWABLE, TaskEvent::Withdrawn { task: name() }, facts)
            }
            Self::Reopen { .. } => {
                facts.reason()?;
                let from = [Stage::Completed, Stage::StruckOff];
                task.step_from(&from, TaskEvent::Reopened { task: name() }, facts)
            }
        }
    }
}

const WITHDRAWABLE: [Stage; 6] = [
    Stage::Proposed,
    Stage::Registered,
    Stage::Dispatched,
    Stage::InProgress,
    Stage::ClosureRequested,
    Stage::Suspended,
];

impl Task {
    /// A step to a stage; nothing is recorded when it stands there already.
    pub(super) fn step(
        &self,
        to: Stage,
        from: &[Stage],
        event: TaskEvent,
        facts: &Facts,
    ) -> Result<Vec<Proposed>, Rejection> {
        if self.stage == to {
            return Ok(vec![]);
        }
        self.step_from(from, event, facts)
    }

    pub(super) fn step_from(
        &self,
        from: &[Stage],
        event: TaskEvent,
        facts: &Facts,
    ) -> Result<Vec<Proposed>, Rejection> {
        self.is_at(from)?;
        let on = facts.step_after(&self.name, self.last_step_on)?;
        Ok(vec![Proposed::on(on, event)])
    }

    pub(super) fn is_at(&self, stages: &[Stage]) -> Result<(), Rejection> {
        if stages.contains(&self.stage) {
            return Ok(());
        }
        let expected = stages.iter().map(|stage| stage.as_str()).collect::<Vec<_>>().join(", ");
        let detail = format!("it is {}; this can be done at {expected}", self.stage);
        Err(Rejection::new(Reason::TaskStage, &self.name, detail)
            .with("stage", self.stage)
            .with("expected", expected))
    }

    /// Whether its assignments may change: it has been dispatched and is not over for good.
    pub(crate) fn takes_assignments(&self) -> Result<(), Rejection> {
        self.is_at(&[
            Stage::Dispatched,
            Stage::InProgress,
            Stage::ClosureRequested,
            Stage::Suspended,
            Stage::Completed,
        ])
    }

    /// Whoever accepts is of no agency that has a part in the task, or ever had.
    pub(super) fn no_party(&self, facts: &Facts) -> Result<(), Rejection> {
        let party = self.assignments.values().find(|a| facts.caller.acts_for(&a.agency));
        match party {
            None => Ok(()),
            Some(assignment) => {
                let detail =
                    format!("{} has a part in it, and does not judge its own work", assignment.agency);
                Err(Rejection::new(Reason::SeparationOfDuty, &self.name, detail)
                    .with("assignment", &assignment.name))
            }
        }
    }

    /// The caller's agency, which holds days here and has taken its part.
    pub(super) fn taken_by_caller(&self, on: Date, facts: &Facts) -> Result<&AgencyId, Rejection> {
        let mine = || self.assignments.values().filter(|a| facts.caller.acts_for(&a.agency));
        let Some(assignment) = mine().find(|a| a.held.on(on).is_some()) else {
            let detail = format!("only an agency assigned to it on {on} may");
            return Err(Rejection::new(Reason::NotYours, &self.name, detail));
        };
        if assignment.acknowledged_on.is_none() {
            let stage = assignment.stage_on(on);
            let detail = "acknowledge the assignment first";
            return Err(
                Rejection::new(Reason::AssignmentStage, &assignment.name, detail).with("stage", stage)
            );
        }
        Ok(&assignment.agency)
    }
}

fn propose(
    name: &TaskId,
    outline: &Outline,
    world: &World,
    facts: &Facts,
) -> Result<Vec<Proposed>, Rejection> {
    if world.find_task(name).is_some() {
        return Err(Rejection::new(Reason::TaskExists, name, "the name is taken"));
    }
    if let Some(document) = &outline.document {
        let document = world.document(document)?;
        for clause in &outline.clauses {
            if !document.has_clause(clause) {
                return Err(Rejection::new(
                    Reason::ClauseNotFound,
                    clause,
                    "the document has no such clause",
                ));
            }
        }
    } else if let Some(clause) = outline.clauses.first() {
        return Err(Rejection::new(Reason::ClauseNotFound, clause, "a clause needs its document named"));
    }
    if let Some(parent) = &outline.parent {
        if parent == name {
            return Err(Rejection::new(Reason::HierarchyCycle, name, "a task is no part of itself"));
        }
        world.task(parent)?;
    }
    let on = facts.step_after(name, crate::time::DATE_MIN)?;
    Ok(vec![Proposed::on(on, TaskEvent::Proposed { task: name.clone(), outline: outline.clone() })])
}

fn dispatch(
    task: &Task,
    assignments: &[DispatchedAssignment],
    world: &World,
    facts: &Facts,
) -> Result<Vec<Proposed>, Rejection> {
    task.is_at(&[Stage::Registered])?;
    let on = facts.step_after(&task.name, task.last_step_on)?;
    if assignments.is_empty() {
        return Err(Rejection::field("assignments", "somebody must answer for it"));
    }
    let due_on = rule::due_on(task.outline.track, on);
    let event = TaskEvent::Dispatched { task: task.name.clone(), due_on, rule: rule::qinghai_710() };
    let mut events = vec![Proposed::on(on, event)];
    // Each is checked against the task as it is with those before it, so that two leads can't slip in together.
    let mut so_far = task.clone();
    for new in assignments {
        let Some(assignment) = &new.assignment else { continue };
        let new =
            NewAssignment { assignment, agency: &new.agency, role: new.role, source: new.source.as_ref() };
        let event = dispatched(&so_far, &new, Period::since(on), world)?;
        so_far.assume(&event, on, facts);
        events.push(Proposed::on(on, event));
    }
    Ok(events)
}

impl Task {
    /// Goes on as if `event` had been recorded.
    fn assume(&mut self, event: &crate::assignment::AssignmentEvent, on: Date, facts: &Facts) {
        let recorded = crate::event::Recorded {
            position: 0,
            id: uuid::Uuid::nil(),
            recorded_at: facts.now,
            effective_on: on,
            tags: vec![],
            actor: facts.caller.principal.clone(),
            agency: facts.caller.agency.clone(),
            context: facts.context.clone(),
            event: Event::Assignment(event.clone()),
        };
        crate::assignment::evolve(&mut self.assignments, event, &recorded);
    }
}

fn record_progress(task: &Task, assessment: &Assessment, facts: &Facts) -> Result<Vec<Proposed>, Rejection> {
    let on = observed_on(task, facts)?;
    let agency = task.taken_by_caller(on, facts)?;
    task.is_at(&[Stage::Dispatched, Stage::InProgress, Stage::ClosureRequested])?;
    let said = task.self_assessed.get(agency).and_then(|said| said.value_on(on));
    if said == Some(assessment) {
        return Ok(vec![]);
    }
    let event = TaskEvent::ProgressRecorded {
        task: task.name.clone(),
        agency: agency.clone(),
        assessment: assessment.clone(),
    };
    Ok(vec![Proposed::on(on, event)])
}

fn verify_progress(task: &Task, assessment: &Assessment, facts: &Facts) -> Result<Vec<Proposed>, Rejection> {
    let on = observed_on(task, facts)?;
    task.no_party(facts)?;
    task.takes_assignments()?;
    if task.verified.value_on(on).map(|found| &found.assessment) == Some(assessment) {
        return Ok(vec![]);
    }
    let event = TaskEvent::ProgressVerified { task: task.name.clone(), assessment: assessment.clone() };
    Ok(vec![Proposed::on(on, event)])
}

/// The date of an observation: between the dispatch and today. It may be before others that are known:
/// then it holds until the next of them.
fn observed_on(task: &Task, facts: &Facts) -> Result<Date, Rejection> {
    facts.step_after(&task.name, task.dispatched_on.unwrap_or(task.last_step_on))
}
