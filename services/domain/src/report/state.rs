//! A report as folded: what it says, and the steps it has gone through.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Finding, Item, ReportEvent};
use crate::Position;
use crate::caller::PrincipalId;
use crate::event::{Event, Recorded};
use crate::explain::Field;
use crate::name::{AgencyId, CycleId, ObligationId, ReportId};
use crate::rejection::{Reason, Rejection};
use crate::text::Text;
use crate::time::{Date, Timestamp};
use crate::world::Fold;

/// Where a report stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Stage {
    /// 草拟: only its own agency reads it.
    Draft,
    /// 审签: the agency stands by it.
    Endorsed,
    /// 报送.
    Submitted,
    /// 签收: the coordinator has it.
    Received,
    /// 采纳: it changes only by correction.
    Accepted,
    /// 退回: to be revised and submitted again.
    Returned,
    /// 已被更正: an accepted correction stands in its place.
    Superseded,
}

impl Stage {
    /// The stored word.
    pub fn as_str(self) -> &'static str {
        match self {
            Stage::Draft => "DRAFT",
            Stage::Endorsed => "ENDORSED",
            Stage::Submitted => "SUBMITTED",
            Stage::Received => "RECEIVED",
            Stage::Accepted => "ACCEPTED",
            Stage::Returned => "RETURNED",
            Stage::Superseded => "SUPERSEDED",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A step that a report has gone through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Where it stood after it.
    pub stage: Stage,
    /// The day from which that holds.
    pub on: Date,
    /// When the log took it.
    pub recorded_at: Timestamp,
    /// Who took it.
    pub by: PrincipalId,
    /// The event.
    pub at: Position,
}

/// The last return of a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Returned {
    /// Why; absent only if whoever recorded it gave none.
    pub reason: Option<Text>,
    /// What was wrong with it.
    pub findings: Vec<Finding>,
    /// The event.
    pub at: Position,
}

/// A report as folded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Its name.
    pub name: ReportId,
    /// In which cycle.
    pub cycle: CycleId,
    /// Who reports.
    pub agency: AgencyId,
    /// What it says: one item for each task of its obligation, in that order.
    pub items: Vec<Item>,
    /// The event that made it say so.
    pub items_at: Position,
    /// Where it stands.
    pub stage: Stage,
    /// How often it was submitted.
    pub round: u32,
    /// Whether its obligation was missed, as of its last submission.
    pub late: bool,
    /// Its last return, if it was ever returned.
    pub returned: Option<Returned>,
    /// The accepted report that it is to supersede.
    pub corrects: Option<ReportId>,
    /// The accepted correction that stands in its place.
    pub superseded_by: Option<ReportId>,
    /// Every step, in order; the first is its draft.
    pub steps: Vec<Step>,
}

impl Fold for Report {
    fn evolve(state: Option<Self>, recorded: &Recorded) -> Option<Self> {
        // Nothing else is filed under a report.
        let Event::Report(event) = &recorded.event else { return state };
        let mut report = state.or_else(|| Report::drafted(event))?;
        match event {
            ReportEvent::Drafted { items, .. } | ReportEvent::Revised { items, .. } => {
                report.items.clone_from(items);
                report.items_at = recorded.position;
            }
            ReportEvent::Submitted { late, round, .. } => (report.late, report.round) = (*late, *round),
            ReportEvent::Returned { findings, .. } => {
                let (reason, findings) = (recorded.context.reason.clone(), findings.clone());
                report.returned = Some(Returned { reason, findings, at: recorded.position });
            }
            ReportEvent::Superseded { by, .. } => report.superseded_by = Some(by.clone()),
            ReportEvent::Endorsed { .. } | ReportEvent::Received { .. } | ReportEvent::Accepted { .. } => {}
        }
        report.stage = event.stage();
        report.steps.push(Step {
            stage: report.stage,
            on: recorded.effective_on,
            recorded_at: recorded.recorded_at,
            by: recorded.actor.clone(),
            at: recorded.position,
        });
        Some(report)
    }
}

impl Report {
    fn drafted(event: &ReportEvent) -> Option<Self> {
        let ReportEvent::Drafted { report, cycle, agency, items: _, corrects } = event else { return None };
        Some(Self {
            name: report.clone(),
            cycle: *cycle,
            agency: agency.clone(),
            items: Vec::new(),
            items_at: 0,
            stage: Stage::Draft,
            round: 0,
            late: false,
            returned: None,
            corrects: corrects.clone(),
            superseded_by: None,
            steps: Vec::new(),
        })
    }

    /// The obligation that it answers.
    pub fn obligation(&self) -> ObligationId {
        ObligationId::of(self.cycle, &self.agency)
    }

    /// The date of its last step.
    pub fn last_step_on(&self) -> Date {
        self.steps.last().map_or(Date::MIN, |step| step.on)
    }

    /// The step after which it stood as it did on `day`; `None` before its draft.
    pub fn step_on(&self, day: Date) -> Option<&Step> {
        self.steps.iter().rev().find(|step| step.on <= day)
    }

    /// The last step to `stage`.
    pub fn last_step_to(&self, stage: Stage) -> Option<&Step> {
        self.steps.iter().rev().find(|step| step.stage == stage)
    }

    /// The last step to `stage` that has not been undone by a revision since.
    pub fn standing_step_to(&self, stage: Stage) -> Option<&Step> {
        self.last_step_to(stage).filter(|step| Some(step.at) >= self.last_step_to(Stage::Draft).map(|d| d.at))
    }

    /// Whether `principal` had a hand in it: drafted, revised, endorsed or submitted it, in any round.
    pub fn is_work_of(&self, principal: &PrincipalId) -> bool {
        let work = |stage| matches!(stage, Stage::Draft | Stage::Endorsed | Stage::Submitted);
        self.steps.iter().any(|step| work(step.stage) && step.by == *principal)
    }

    /// The positions of the events behind it, ascending.
    pub fn because(&self) -> Vec<Position> {
        self.steps.iter().map(|step| step.at).collect()
    }

    pub(super) fn at_wrong_stage(&self, detail: &str) -> Rejection {
        Rejection::new(Reason::ReportStage, &self.name, detail).with("stage", self.stage)
    }

    /// Why its fields are as they are, its stage as of `valid_on`.
    pub fn explain(&self, valid_on: Date) -> Vec<Field> {
        let at = |step: &Step| vec![step.at];
        let drafted: Vec<Position> = self.steps.first().map(at).unwrap_or_default();
        let mut fields = vec![
            Field::new("cycle", self.cycle, drafted.clone()),
            Field::new("agency", &self.agency, drafted.clone()),
        ];
        fields.extend(self.step_on(valid_on).map(|step| Field::new("stage", step.stage, at(step))));
        for item in &self.items {
            let name = format!("items/{}.self_assessment", item.task.id());
            let level = item.self_assessment.map_or("", |level| level.as_str());
            fields.push(Field::new(name, level, vec![self.items_at]));
        }
        if let Some(step) = self.last_step_to(Stage::Submitted) {
            fields.push(Field::new("round", self.round, at(step)));
            fields.push(Field::new("late", self.late, at(step)));
        }
        if let Some(returned) = &self.returned {
            fields.push(Field::new("findings", returned.findings.len(), vec![returned.at]));
        }
        fields.extend(self.corrects.as_ref().map(|it| Field::new("corrects", it, drafted)));
        let superseded = self.last_step_to(Stage::Superseded).map(at).unwrap_or_default();
        fields.extend(self.superseded_by.as_ref().map(|it| Field::new("superseded_by", it, superseded)));
        fields
    }
}
