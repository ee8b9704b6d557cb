//! One agency's part in one task (承办): dispatched, acknowledged, perhaps contested, reassigned or released.
//!
//! Who answers when is a timeline of roles for each assignment. Every event says outright which days it gives
//! to whom in which role ([`AssignmentEvent::edits`]), so the task's fold, the agency's duty and the
//! responsibility view apply the same edits and can't disagree. Changing hands never rewrites: the earlier
//! period ends where the later begins.

mod boundary;
mod decide;
mod event;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use self::decide::AssignmentCommand;
pub(crate) use self::decide::{NewAssignment, dispatched};
pub use self::event::{AssignmentEvent, Edit, Party, Role, RoleSpan, Source, Stage, apply_edit};
use crate::Position;
use crate::event::{Event, Recorded};
use crate::explain::Field;
use crate::name::{AgencyId, AssignmentId, ReadingId, TaskId};
use crate::text::Text;
use crate::time::{Date, Period, civil_date};
use crate::timeline::Timeline;

/// How the days of an assignment came to an end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    /// 改派, to this one.
    Reassigned(Party),
    /// 解除.
    Released,
}

/// An assignment as folded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// Its name.
    pub name: AssignmentId,
    /// Whose it is.
    pub agency: AgencyId,
    /// The days it holds, in which role.
    pub held: Timeline<Role>,
    /// How far it has come while it holds.
    pub step: Step,
    /// When the agency took it last, if ever.
    pub acknowledged_on: Option<Date>,
    /// The assignment whose days it took over.
    pub predecessor: Option<AssignmentId>,
    /// How its days ended, if they did.
    pub end: Option<End>,
    /// Where it stands written.
    pub source: Option<Source>,
    /// The readings it rests on.
    pub readings: Vec<ReadingId>,
    /// The date of its last step.
    pub last_step_on: Date,
    /// The positions of all events that touch it.
    pub because: Vec<Position>,
}

/// The step an assignment stands at while it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    /// Not yet taken.
    Dispatched,
    /// Taken.
    Active,
    /// Contested, on these grounds.
    Contested(Text),
}

impl Assignment {
    /// The stage on `day`: that of its step while it holds, and how it ended once its days are over.
    pub fn stage_on(&self, day: Date) -> Stage {
        let over = self.held.extent().is_none_or(|held| held.until.is_some_and(|until| until <= day));
        match (&self.end, &self.step) {
            (Some(End::Reassigned(_)), _) if over => Stage::Reassigned,
            (Some(End::Released), _) if over => Stage::Released,
            (_, Step::Dispatched) => Stage::Dispatched,
            (_, Step::Active) => Stage::Active,
            (_, Step::Contested(_)) => Stage::Contested,
        }
    }

    /// From its first day to its last; `None` when it holds none any more.
    pub fn period(&self) -> Option<Period> {
        self.held.extent()
    }

    /// The position of its last event.
    pub fn last(&self) -> Position {
        self.because.last().copied().unwrap_or_default()
    }

    /// The role that it is known by: on `day`, else the nearest that it had.
    pub fn role_near(&self, day: Date) -> Option<Role> {
        self.held.value_on(day).or_else(|| self.held.last().map(|span| &span.value)).copied()
    }

    /// The assignment that `event` makes, if it makes one.
    fn made_by(event: &AssignmentEvent, recorded: &Recorded) -> Option<Self> {
        let (name, agency, period, source, predecessor) = match event {
            AssignmentEvent::Dispatched { assignment, agency, period, source, role: _ } => {
                (assignment, agency, period, source.clone(), None)
            }
            AssignmentEvent::Reassigned { assignment, successor, period, .. } => {
                (&successor.assignment, &successor.agency, period, None, Some(assignment.clone()))
            }
            AssignmentEvent::Acknowledged { .. }
            | AssignmentEvent::Contested { .. }
            | AssignmentEvent::Upheld { .. }
            | AssignmentEvent::Released { .. }
            | AssignmentEvent::RoleReinterpreted { .. }
            | AssignmentEvent::BoundaryCorrected { .. } => return None,
        };
        Some(Self {
            name: name.clone(),
            agency: agency.clone(),
            held: Timeline::default(),
            step: Step::Dispatched,
            acknowledged_on: None,
            predecessor,
            end: None,
            source,
            readings: recorded.context.readings.clone(),
            // A planned assignment can be taken before it begins.
            last_step_on: period.from.min(civil_date(recorded.recorded_at)),
            because: Vec::new(),
        })
    }

    fn step(&mut self, event: &AssignmentEvent, recorded: &Recorded) {
        self.because.push(recorded.position);
        match event {
            AssignmentEvent::Acknowledged { .. } => {
                self.step = Step::Active;
                self.acknowledged_on = Some(recorded.effective_on);
                self.last_step_on = recorded.effective_on;
            }
            AssignmentEvent::Contested { grounds, .. } => {
                self.step = Step::Contested(grounds.clone());
                self.last_step_on = recorded.effective_on;
            }
            AssignmentEvent::Upheld { stage, .. } => {
                self.step = if *stage == Stage::Active { Step::Active } else { Step::Dispatched };
                self.last_step_on = recorded.effective_on;
            }
            AssignmentEvent::Reassigned { assignment, successor, .. } if *assignment == self.name => {
                self.end = Some(End::Reassigned(successor.clone()));
            }
            AssignmentEvent::Released { .. } => self.end = Some(End::Released),
            // Its days change (by the edits), its step does not.
            AssignmentEvent::Dispatched { .. }
            | AssignmentEvent::Reassigned { .. }
            | AssignmentEvent::RoleReinterpreted { .. }
            | AssignmentEvent::BoundaryCorrected { .. } => {}
        }
    }

    /// Why its fields are as they are on `day`.
    pub fn explain(&self, day: Date) -> Vec<Field> {
        let field = |name: &str| format!("assignments/{}.{name}", self.name.id());
        let mut fields = vec![Field::new(field("stage"), self.stage_on(day), self.because.clone())];
        for span in self.held.spans() {
            let value = format!("{} {}", span.value, span.period);
            fields.push(Field::new(field("role"), value, span.because.clone()));
        }
        fields
    }
}

impl Assignment {
    /// The assignment `name` after `recorded`; `None` before there is one.
    pub fn evolve(state: Option<Self>, name: &AssignmentId, recorded: &Recorded) -> Option<Self> {
        let Event::Assignment(event) = &recorded.event else { return state };
        let made = || Assignment::made_by(event, recorded).filter(|made| made.name == *name);
        let mut assignment = state.or_else(made)?;
        if event.assignments().contains(&name) {
            assignment.step(event, recorded);
        }
        for edit in event.edits().iter().filter(|edit| edit.assignment == name) {
            apply_edit(&mut assignment.held, edit, recorded.position);
        }
        Some(assignment)
    }
}

/// Folds an assignment's event into the assignments of its task.
pub(crate) fn evolve(
    assignments: &mut BTreeMap<AssignmentId, Assignment>,
    event: &AssignmentEvent,
    recorded: &Recorded,
) {
    for name in event.assignments() {
        let state = assignments.remove(name);
        if let Some(assignment) = Assignment::evolve(state, name, recorded) {
            assignments.insert(name.clone(), assignment);
        }
    }
}

/// The name of an assignment that its caller did not name.
pub(crate) fn name_under(task: &TaskId, id: &str) -> Option<AssignmentId> {
    AssignmentId::new(task.clone(), id)
}
