//! What happens to an assignment, as it is stored, and which days each event gives to whom.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Position;
use crate::name::{AgencyId, AssignmentId, DocumentId, TaskId};
use crate::subject::Subject;
use crate::text::Text;
use crate::time::{Date, Period};
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
        self.assignments().first().map_or_else(|| unreachable!("a boundary has a side"), |a| a.task())
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

/// Gives or takes the days of an edit.
pub fn apply_edit(held: &mut Timeline<Role>, edit: &Edit<'_>, at: Position) {
    match edit.role {
        Some(role) => held.set(edit.period, role, at),
        None => held.clear(edit.period, at),
    }
}
