//! A reporting cycle (报送周期) and what each agency owes in it (应报).
//!
//! The coordinator opens a cycle; a follower then opens one obligation for each agency that must report and,
//! when it has, says so. An obligation is open until it is met, waived or missed, once and for good.
//!
//! # Determinations
//! - **An obligation's events are filed under the obligation alone**, never under its cycle. Every opening
//!   reads the cycle, so if it wrote there too, the 29 openings of one cycle would conflict with each other;
//!   what a cycle shows of its obligations is a view's to count.
//! - **Nothing is opened once the cycle is enrolled.** Opening reads the cycle and enrolling writes it, so the
//!   number recorded then stays true, whoever is found to have led since.
//! - **Only an open obligation is waived, and only until the end of its due day.** After that it is missed
//!   even where the clock has not spoken yet: what a waiver may do mustn't hang on how far a follower is.
//! - **The obligation holds from the day the cycle was opened**, and is missed on the day it was due: both
//!   dates follow from the rule, not from when the system came round to it.

mod command;
#[cfg(test)]
pub(crate) mod fixtures;
mod obligation;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::command::CycleCommand;
pub use self::obligation::{Obligation, ObligationState, Submission};
use crate::Position;
use crate::assignment;
use crate::caller::{Caller, Role};
use crate::event::{Event, Recorded};
use crate::explain::Field;
use crate::name::{AgencyId, CycleId, ObligationId, ReportId, TaskId};
use crate::rejection::{Reason, Rejection};
use crate::subject::Subject;
use crate::task::{Duty, RuleVersion};
use crate::time::Date;
use crate::world::Fold;

/// Who must report: the agencies that, on the day of holders, have such a role on a live task.
///
/// Stored as id and version. A version never changes what it says; a new reading of a rule is a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "RuleVersion", into = "RuleVersion")]
pub enum Rule {
    /// `every-lead`, version 1: whoever is `LEAD` or `CO_LEAD`.
    #[default]
    EveryLead,
    /// `first-named`, version 1: whoever is `LEAD`.
    FirstNamed,
}

impl Rule {
    /// Every rule.
    pub const ALL: [Rule; 2] = [Rule::EveryLead, Rule::FirstNamed];

    /// Its id on the wire; the newest version is meant.
    pub fn id(self) -> &'static str {
        match self {
            Rule::EveryLead => "every-lead",
            Rule::FirstNamed => "first-named",
        }
    }

    /// Its version.
    pub fn version(self) -> u32 {
        match self {
            Rule::EveryLead | Rule::FirstNamed => 1,
        }
    }

    fn counts(self, role: assignment::Role) -> bool {
        match role {
            assignment::Role::Lead => true,
            assignment::Role::CoLead => self == Rule::EveryLead,
            assignment::Role::Responsible | assignment::Role::Supporting => false,
        }
    }
}

impl From<Rule> for RuleVersion {
    fn from(rule: Rule) -> Self {
        Self { id: rule.id().to_owned(), version: rule.version() }
    }
}

/// Not a rule that this version knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no rule of reporting is called {0}")]
pub struct UnknownRule(String);

impl TryFrom<RuleVersion> for Rule {
    type Error = UnknownRule;

    fn try_from(stored: RuleVersion) -> Result<Self, UnknownRule> {
        let known = Rule::ALL.into_iter().find(|rule| RuleVersion::from(*rule) == stored);
        known.ok_or_else(|| UnknownRule(format!("{} v{}", stored.id, stored.version)))
    }
}

impl FromStr for Rule {
    type Err = UnknownRule;

    fn from_str(id: &str) -> Result<Self, UnknownRule> {
        Rule::ALL.into_iter().find(|rule| rule.id() == id).ok_or_else(|| UnknownRule(id.to_owned()))
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} v{}", self.id(), self.version())
    }
}

/// What happened to a cycle or an obligation. Stored forever: variants are added, never renamed or reused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", content = "data", rename_all_fields = "camelCase")]
pub enum CycleEvent {
    /// 开启报送: reports on this year are asked for.
    #[serde(rename = "cycle.opened.v1")]
    Opened {
        /// Its name.
        cycle: CycleId,
        /// The last day on which a report is in time, to its end in Shanghai.
        #[schemars(with = "String")]
        due_on: Date,
        /// Whose responsibility on this day counts.
        #[schemars(with = "String")]
        holders_on: Date,
        /// Who must report.
        rule: Rule,
        /// The agency that receives and accepts the reports.
        coordinator: AgencyId,
    },
    /// Every agency that must report has its obligation.
    #[serde(rename = "cycle.enrolled.v1")]
    Enrolled {
        /// Which.
        cycle: CycleId,
        /// How many they are.
        obligations: u32,
    },
    /// 应报: the agency must report on these tasks.
    #[serde(rename = "obligation.opened.v1")]
    ObligationOpened {
        /// In which cycle.
        cycle: CycleId,
        /// Who must.
        agency: AgencyId,
        /// On what: the live tasks it leads on the day of holders, by name.
        tasks: Vec<TaskId>,
        /// The last day on which its report is in time.
        #[schemars(with = "String")]
        due_on: Date,
        /// Why it must.
        rule: Rule,
    },
    /// 已报: its first report came in time. A later return doesn't unmeet it.
    #[serde(rename = "obligation.met.v1")]
    ObligationMet {
        /// In which cycle.
        cycle: CycleId,
        /// Whose.
        agency: AgencyId,
        /// By which report.
        report: ReportId,
    },
    /// 免报: it need not report, for the reason given.
    #[serde(rename = "obligation.waived.v1")]
    ObligationWaived {
        /// In which cycle.
        cycle: CycleId,
        /// Whose.
        agency: AgencyId,
    },
    /// 漏报: nothing came in time. Recorded by the clock, or by the first late report that comes before it.
    #[serde(rename = "obligation.missed.v1")]
    ObligationMissed {
        /// In which cycle.
        cycle: CycleId,
        /// Whose.
        agency: AgencyId,
        /// The day that passed in silence.
        #[schemars(with = "String")]
        due_on: Date,
        /// Why it had to report.
        rule: Rule,
    },
}

impl CycleEvent {
    /// The subjects it is about: the cycle, or the obligation alone.
    pub fn subjects(&self) -> Vec<Subject> {
        match self {
            Self::Opened { cycle, .. } | Self::Enrolled { cycle, .. } => vec![Subject::Cycle(*cycle)],
            Self::ObligationOpened { cycle, agency, .. }
            | Self::ObligationMet { cycle, agency, .. }
            | Self::ObligationWaived { cycle, agency }
            | Self::ObligationMissed { cycle, agency, .. } => {
                vec![Subject::Obligation(ObligationId::of(*cycle, agency))]
            }
        }
    }
}

/// How far a cycle has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "stage", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CycleStage {
    /// 开启中: its obligations are being opened.
    Opening,
    /// 已开启: every agency that must report has its obligation.
    Open {
        /// How many they are.
        obligations: u32,
        /// The event that says so.
        because: Position,
    },
}

impl CycleStage {
    /// The stored word.
    pub fn as_str(self) -> &'static str {
        match self {
            CycleStage::Opening => "OPENING",
            CycleStage::Open { .. } => "OPEN",
        }
    }
}

impl fmt::Display for CycleStage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A cycle as folded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cycle {
    /// Its name.
    pub name: CycleId,
    /// The agency that receives and accepts its reports.
    pub coordinator: AgencyId,
    /// The last day on which a report is in time.
    pub due_on: Date,
    /// Whose responsibility on this day counts.
    pub holders_on: Date,
    /// Who must report.
    pub rule: Rule,
    /// The day from which it is open.
    pub opened_on: Date,
    /// The event that opened it.
    pub opened_at: Position,
    /// How far it has come.
    pub stage: CycleStage,
}

impl Fold for Cycle {
    fn evolve(state: Option<Self>, recorded: &Recorded) -> Option<Self> {
        match &recorded.event {
            Event::Cycle(event) => Cycle::after(state, event, recorded),
            // Filed under other subjects.
            Event::Document(_)
            | Event::Agency(_)
            | Event::Task(_)
            | Event::Assignment(_)
            | Event::Report(_)
            | Event::Log(_) => state,
        }
    }
}

impl Cycle {
    fn after(state: Option<Self>, event: &CycleEvent, recorded: &Recorded) -> Option<Self> {
        match event {
            CycleEvent::Opened { cycle, due_on, holders_on, rule, coordinator } => Some(Self {
                name: *cycle,
                coordinator: coordinator.clone(),
                due_on: *due_on,
                holders_on: *holders_on,
                rule: *rule,
                opened_on: recorded.effective_on,
                opened_at: recorded.position,
                stage: CycleStage::Opening,
            }),
            CycleEvent::Enrolled { cycle: _, obligations } => {
                let enrolled = CycleStage::Open { obligations: *obligations, because: recorded.position };
                state.map(|cycle| Self { stage: enrolled, ..cycle })
            }
            CycleEvent::ObligationOpened { .. }
            | CycleEvent::ObligationMet { .. }
            | CycleEvent::ObligationWaived { .. }
            | CycleEvent::ObligationMissed { .. } => state,
        }
    }

    /// The positions of the events behind it, ascending.
    pub fn because(&self) -> Vec<Position> {
        match self.stage {
            CycleStage::Opening => vec![self.opened_at],
            CycleStage::Open { because, .. } => vec![self.opened_at, because],
        }
    }

    /// The tasks on which whoever has `duty` must report, as far as they are live on the day of holders.
    fn led_by(&self, duty: &Duty) -> BTreeSet<TaskId> {
        let led = duty.leads_on(self.holders_on).into_iter();
        led.filter(|(_, role)| self.rule.counts(*role)).map(|(task, _)| task).collect()
    }

    /// Whether `caller` may judge what `agency` owes: receive, accept and return its report, waive it.
    ///
    /// The coordinator of the agency that opened the cycle does, other than for its own agency, for which a
    /// supervisor does who isn't of that agency. Otherwise `NOT_YOURS` (another agency coordinates),
    /// `ROLE_NOT_ALLOWED` (not one who judges this) or `SEPARATION_OF_DUTY` (their own agency's).
    pub fn judged_by(
        &self,
        subject: &impl fmt::Display,
        agency: &AgencyId,
        caller: &Caller,
    ) -> Result<(), Rejection> {
        let coordinators_own = *agency == self.coordinator;
        let no = |reason, detail: &str| Err(Rejection::new(reason, subject, detail));
        match caller.role {
            Role::Coordinator if !caller.acts_for(&self.coordinator) => {
                no(Reason::NotYours, "another agency coordinates this cycle")
            }
            Role::Supervisor if !coordinators_own => {
                no(Reason::RoleNotAllowed, "the coordinator of the cycle judges what other agencies owe")
            }
            Role::Coordinator if coordinators_own => {
                no(Reason::SeparationOfDuty, "nobody judges what their own agency owes: a supervisor does")
            }
            Role::Supervisor if caller.acts_for(agency) => {
                no(Reason::SeparationOfDuty, "nobody judges what their own agency owes")
            }
            Role::Coordinator | Role::Supervisor => Ok(()),
            Role::Agency | Role::Auditor | Role::Sysadmin | Role::Secadmin | Role::System => {
                no(Reason::RoleNotAllowed, "the coordinator of the cycle judges what is owed")
            }
        }
    }

    /// Why its fields are as they are. A cycle moves in steps; they are the same on every day.
    pub fn explain(&self, _valid_on: Date) -> Vec<Field> {
        let opened = vec![self.opened_at];
        let mut fields = vec![
            Field::new("due_on", self.due_on, opened.clone()),
            Field::new("holders_on", self.holders_on, opened.clone()),
            Field::new("rule", self.rule, opened.clone()),
            Field::new("coordinator", &self.coordinator, opened),
            Field::new("stage", self.stage, self.because()),
        ];
        if let CycleStage::Open { obligations, because } = self.stage {
            fields.push(Field::new("obligation_count", obligations, vec![because]));
        }
        fields
    }
}
