//! One agency's part in one task (承办): dispatched, acknowledged, perhaps contested, reassigned or released.
//!
//! Who answers when is a timeline of roles for each assignment. Every event says outright which days it gives
//! to whom in which role ([`AssignmentEvent::edits`]), so the task's fold, the agency's duty and the
//! responsibility view apply the same edits and can't disagree. Changing hands never rewrites: the earlier
//! period ends where the later begins.

mod decide;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::decide::AssignmentCommand;
pub(crate) use self::decide::{NewAssignment, dispatched};
use crate::Position;
use crate::event::{Event, Recorded};
use crate::explain::Field;
use crate::name::{AgencyId, AssignmentId, DocumentId, ReadingId, TaskId};
use crate::subject::Subject;
use crate::text::Text;
use crate::time::{Date, Period, civil_date};
use crate::timeline::Timeline;

/// In what capacity an agency answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Role {
    /// 第一牵头: at most one a task on any day.
    Lead,
    /// 共同牵头.
    CoLead,
    /// 责任单位.
    Responsible,
    /// 配合单位.
    Supporting,
}

impl Role {
    /// Every role.
    pub const ALL: [Role; 4] = [Role::Lead, Role::CoLead, Role::Responsible, Role::Supporting];

    /// The stored word.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Lead => "LEAD",
            Role::CoLead => "CO_LEAD",
            Role::Responsible => "RESPONSIBLE",
            Role::Supporting => "SUPPORTING",
        }
    }

    /// Whether it leads: alone or with others.
    pub fn leads(self) -> bool {
        matches!(self, Role::Lead | Role::CoLead)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where in a document something stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Source {
    /// The document.
    pub document: DocumentId,
    /// The first line; the document's first is 1.
    pub first_line: u32,
    /// The last line.
    pub last_line: u32,
    /// The text of the table cell, or of the part of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cell: Option<Text>,
}

/// Days in a role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RoleSpan {
    /// Which days.
    pub period: Period,
    /// In which role.
    pub role: Role,
}

/// An assignment and whose it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Party {
    /// The assignment.
    pub assignment: AssignmentId,
    /// Its agency.
    pub agency: AgencyId,
}

/// What happened to an assignment. Stored forever: variants are added, never renamed or reused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", content = "data", rename_all_fields = "camelCase")]
pub enum AssignmentEvent {
    /// 交办: the agency is asked to take the task in this role for these days.
    #[serde(rename = "assignment.dispatched.v1")]
    Dispatched {
        /// Its name.
        assignment: AssignmentId,
        /// Whose it is.
        agency: AgencyId,
        /// In which role.
        role: Role,
        /// On which days.
        period: Period,
        /// Where it stands written.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        source: Option<Source>,
    },
    /// 签收: the agency has taken it.
    #[serde(rename = "assignment.acknowledged.v1")]
    Acknowledged {
        /// Which.
        assignment: AssignmentId,
        /// Whose it is.
        agency: AgencyId,
    },
    /// 退办: the agency says that it is not the one to answer, and why.
    #[serde(rename = "assignment.contested.v1")]
    Contested {
        /// Which.
        assignment: AssignmentId,
        /// Whose it is.
        agency: AgencyId,
        /// Why it should not be.
        grounds: Text,
    },
    /// 维持: the supervisor has heard the agency, and it stays.
    #[serde(rename = "assignment.upheld.v1")]
    Upheld {
        /// Which.
        assignment: AssignmentId,
        /// Whose it is.
        agency: AgencyId,
        /// Where it goes on: active, if the agency had taken it before.
        stage: Stage,
    },
    /// 改派: the rest of the assignment's period goes to another agency.
    #[serde(rename = "assignment.reassigned.v1")]
    Reassigned {
        /// Which.
        assignment: AssignmentId,
        /// Whose it was.
        agency: AgencyId,
        /// The days that it loses: from the effective date to where its period ended.
        period: Period,
        /// The assignment that takes them, and whose it is.
        successor: Party,
        /// The roles of the successor over those days.
        roles: Vec<RoleSpan>,
    },
    /// 解除: nobody answers in its place.
    #[serde(rename = "assignment.released.v1")]
    Released {
        /// Which.
        assignment: AssignmentId,
        /// Whose it was.
        agency: AgencyId,
        /// The days that it loses.
        period: Period,
    },
    /// The role is read otherwise over these days.
    #[serde(rename = "assignment.role_reinterpreted.v1")]
    RoleReinterpreted {
        /// Which.
        assignment: AssignmentId,
        /// Whose it is.
        agency: AgencyId,
        /// In which role from now on.
        role: Role,
        /// On which days.
        period: Period,
    },
    /// A date was recorded wrongly: the boundary between two periods, or one outer edge, is moved.
    #[serde(rename = "assignment.boundary_corrected.v1")]
    BoundaryCorrected {
        /// The one whose period ends there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        earlier: Option<Party>,
        /// The one whose period begins there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        later: Option<Party>,
        /// Where the boundary stood.
        #[schemars(with = "String")]
        was: Date,
        /// Where it stands.
        #[schemars(with = "String")]
        now: Date,
        /// The role in which the gained days are held.
        role: Role,
        /// The positions of the events whose date it corrects.
        supersedes: Vec<Position>,
    },
}

/// One change of who holds which days: in a role, or no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edit<'a> {
    /// Which assignment.
    pub assignment: &'a AssignmentId,
    /// Whose it is.
    pub agency: &'a AgencyId,
    /// Which days.
    pub period: Period,
    /// In which role; `None`: the days are taken from it.
    pub role: Option<Role>,
}

impl AssignmentEvent {
    /// The subjects it is about. What changes who holds which days is filed under the agency's duty too.
    pub fn subjects(&self) -> Vec<Subject> {
        let mut subjects = vec![Subject::Task(self.task().clone())];
        subjects.extend(self.edits().iter().map(|edit| Subject::Duty(edit.agency.clone())));
        subjects
    }

    /// The task it belongs to.
    ///
    /// # Panics
    /// Never: a boundary has a side; `decide` makes no other, and a body without one has no task to file it under.
    pub fn task(&self) -> &TaskId {
        self.assignments().first().map(|a| a.task()).unwrap_or_else(|| unreachable!("a boundary has a side"))
    }

    /// The assignments it touches: those before it, then those that it makes.
    pub fn assignments(&self) -> Vec<&AssignmentId> {
        match self {
            AssignmentEvent::Dispatched { assignment, .. }
            | AssignmentEvent::Acknowledged { assignment, .. }
            | AssignmentEvent::Contested { assignment, .. }
            | AssignmentEvent::Upheld { assignment, .. }
            | AssignmentEvent::Released { assignment, .. }
            | AssignmentEvent::RoleReinterpreted { assignment, .. } => vec![assignment],
            AssignmentEvent::Reassigned { assignment, successor, .. } => {
                vec![assignment, &successor.assignment]
            }
            AssignmentEvent::BoundaryCorrected { earlier, later, .. } => {
                [earlier, later].into_iter().flatten().map(|party| &party.assignment).collect()
            }
        }
    }

    /// Who holds which days after it, and who no longer does.
    pub fn edits(&self) -> Vec<Edit<'_>> {
        match self {
            AssignmentEvent::Dispatched { assignment, agency, role, period, source: _ }
            | AssignmentEvent::RoleReinterpreted { assignment, agency, role, period } => {
                vec![Edit { assignment, agency, period: *period, role: Some(*role) }]
            }
            AssignmentEvent::Released { assignment, agency, period } => {
                vec![Edit { assignment, agency, period: *period, role: None }]
            }
            AssignmentEvent::Reassigned { assignment, agency, period, successor, roles } => {
                let lost = Edit { assignment, agency, period: *period, role: None };
                let gained = roles.iter().map(|span| successor.edit(span.period, Some(span.role)));
                std::iter::once(lost).chain(gained).collect()
            }
            AssignmentEvent::BoundaryCorrected { earlier, later, was, now, role, supersedes: _ } => {
                let period = Period::new(*was.min(now), Some(*was.max(now)));
                let (loses, gains) = if now > was { (later, earlier) } else { (earlier, later) };
                let lost = loses.iter().map(|party| party.edit(period, None));
                let gained = gains.iter().map(|party| party.edit(period, Some(*role)));
                lost.chain(gained).collect()
            }
            AssignmentEvent::Acknowledged { .. }
            | AssignmentEvent::Contested { .. }
            | AssignmentEvent::Upheld { .. } => vec![],
        }
    }
}

impl Party {
    fn edit(&self, period: Period, role: Option<Role>) -> Edit<'_> {
        Edit { assignment: &self.assignment, agency: &self.agency, period, role }
    }
}

/// Gives or takes the days of an edit.
pub fn apply_edit(held: &mut Timeline<Role>, edit: &Edit<'_>, at: Position) {
    match edit.role {
        Some(role) => held.set(edit.period, role, at),
        None => held.clear(edit.period, at),
    }
}

/// How far an assignment has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Stage {
    /// 交办: not yet taken.
    Dispatched,
    /// 签收: taken.
    Active,
    /// 退办: the agency says it is not the one.
    Contested,
    /// 改派: its days have gone to another.
    Reassigned,
    /// 解除: its days are over.
    Released,
}

impl Stage {
    /// The stored word.
    pub fn as_str(self) -> &'static str {
        match self {
            Stage::Dispatched => "DISPATCHED",
            Stage::Active => "ACTIVE",
            Stage::Contested => "CONTESTED",
            Stage::Reassigned => "REASSIGNED",
            Stage::Released => "RELEASED",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

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
