//! A report (报送): drafted from what the log already knows, endorsed, submitted, received, and accepted or
//! returned; corrected after acceptance by another that supersedes it.
//!
//! # Determinations
//! - **Every event names the cycle and the agency**, so that a view knows from the event alone whose
//!   obligation it is about. Only what changes the obligation (drafted, submitted, superseded) is filed under
//!   it too: what happens to a report otherwise doesn't hold up the clock.
//! - **"Late" is said of the obligation**: a report is late iff its obligation was missed. A resubmission or a
//!   correction after the due day, of what first came in time, is not.
//! - **A coordinator who acts for its own agency's report is refused with `SEPARATION_OF_DUTY`**, one of
//!   another agency than the cycle's with `NOT_YOURS`, a supervisor who isn't needed with `ROLE_NOT_ALLOWED`:
//!   what each may do about it differs. Nobody accepts a report that they drafted, revised, endorsed or
//!   submitted themselves, in whichever role, in any round.
//! - **A submitted report is received before it is accepted**; it may be returned without.

mod command;
#[cfg(test)]
mod fixtures;
mod item;
#[cfg(test)]
mod life;
mod state;
#[cfg(test)]
mod tests;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::command::ReportCommand;
pub use self::item::{EVIDENCE_MAX, FINDINGS_MAX, Finding, ITEMS_MAX, Item, WRITTEN_MAX};
pub use self::state::{Report, Returned, Stage, Step};
use crate::name::{AgencyId, CycleId, ObligationId, ReportId};
use crate::subject::Subject;

/// What happened to a report. Stored forever: variants are added, never renamed or reused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", content = "data", rename_all_fields = "camelCase")]
pub enum ReportEvent {
    /// 草拟: it is begun, or another's correction is.
    #[serde(rename = "report.drafted.v1")]
    Drafted {
        /// Its name.
        report: ReportId,
        /// In which cycle.
        cycle: CycleId,
        /// Who reports.
        agency: AgencyId,
        /// What it says, task by task.
        items: Vec<Item>,
        /// The accepted report that it is to supersede.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        corrects: Option<ReportId>,
    },
    /// 修改: it says this now, and is a draft again.
    #[serde(rename = "report.revised.v1")]
    Revised {
        /// Which.
        report: ReportId,
        /// In which cycle.
        cycle: CycleId,
        /// Who reports.
        agency: AgencyId,
        /// All that it says, task by task.
        items: Vec<Item>,
    },
    /// 审签: the agency stands by it.
    #[serde(rename = "report.endorsed.v1")]
    Endorsed {
        /// Which.
        report: ReportId,
        /// In which cycle.
        cycle: CycleId,
        /// Who reports.
        agency: AgencyId,
    },
    /// 报送.
    #[serde(rename = "report.submitted.v1")]
    Submitted {
        /// Which.
        report: ReportId,
        /// In which cycle.
        cycle: CycleId,
        /// Who reports.
        agency: AgencyId,
        /// Whether its obligation was missed.
        late: bool,
        /// How often it has been submitted, with this time.
        round: u32,
    },
    /// 签收: the coordinator has it.
    #[serde(rename = "report.received.v1")]
    Received {
        /// Which.
        report: ReportId,
        /// In which cycle.
        cycle: CycleId,
        /// Who reports.
        agency: AgencyId,
    },
    /// 采纳: it changes only by correction from now on.
    #[serde(rename = "report.accepted.v1")]
    Accepted {
        /// Which.
        report: ReportId,
        /// In which cycle.
        cycle: CycleId,
        /// Who reports.
        agency: AgencyId,
    },
    /// 退回: it is to be revised and submitted again.
    #[serde(rename = "report.returned.v1")]
    Returned {
        /// Which.
        report: ReportId,
        /// In which cycle.
        cycle: CycleId,
        /// Who reports.
        agency: AgencyId,
        /// What is wrong with it.
        findings: Vec<Finding>,
    },
    /// 更正: an accepted correction stands in its place.
    #[serde(rename = "report.superseded.v1")]
    Superseded {
        /// Which.
        report: ReportId,
        /// In which cycle.
        cycle: CycleId,
        /// Who reports.
        agency: AgencyId,
        /// The correction.
        by: ReportId,
    },
}

impl ReportEvent {
    /// The report it is about.
    pub fn report(&self) -> &ReportId {
        match self {
            Self::Drafted { report, .. }
            | Self::Revised { report, .. }
            | Self::Endorsed { report, .. }
            | Self::Submitted { report, .. }
            | Self::Received { report, .. }
            | Self::Accepted { report, .. }
            | Self::Returned { report, .. }
            | Self::Superseded { report, .. } => report,
        }
    }

    /// The obligation that the report answers.
    pub fn obligation(&self) -> ObligationId {
        match self {
            Self::Drafted { cycle, agency, .. }
            | Self::Revised { cycle, agency, .. }
            | Self::Endorsed { cycle, agency, .. }
            | Self::Submitted { cycle, agency, .. }
            | Self::Received { cycle, agency, .. }
            | Self::Accepted { cycle, agency, .. }
            | Self::Returned { cycle, agency, .. }
            | Self::Superseded { cycle, agency, .. } => ObligationId::of(*cycle, agency),
        }
    }

    /// The subjects it is about: the report, and the obligation where that changes.
    pub fn subjects(&self) -> Vec<Subject> {
        let report = Subject::Report(self.report().clone());
        match self {
            Self::Drafted { .. } | Self::Submitted { .. } | Self::Superseded { .. } => {
                vec![report, Subject::Obligation(self.obligation())]
            }
            Self::Revised { .. }
            | Self::Endorsed { .. }
            | Self::Received { .. }
            | Self::Accepted { .. }
            | Self::Returned { .. } => vec![report],
        }
    }

    /// The stage at which the report is after it.
    pub fn stage(&self) -> Stage {
        match self {
            Self::Drafted { .. } | Self::Revised { .. } => Stage::Draft,
            Self::Endorsed { .. } => Stage::Endorsed,
            Self::Submitted { .. } => Stage::Submitted,
            Self::Received { .. } => Stage::Received,
            Self::Accepted { .. } => Stage::Accepted,
            Self::Returned { .. } => Stage::Returned,
            Self::Superseded { .. } => Stage::Superseded,
        }
    }
}
