//! What one agency owes in one cycle: one report on the tasks it led on the day of holders.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{CycleEvent, Rule};
use crate::Position;
use crate::event::{Event, Recorded};
use crate::explain::Field;
use crate::name::{ObligationId, ReportId, TaskId};
use crate::rejection::{Reason, Rejection};
use crate::report::ReportEvent;
use crate::text::Text;
use crate::time::{Date, Period, Timestamp, end_of};
use crate::timeline::Timeline;
use crate::world::Fold;

/// Where an obligation stands: exactly one of these. It leaves `Open` once and never comes back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ObligationState {
    /// 待报.
    Open,
    /// 已报: a report came in time.
    Met {
        /// Which.
        report: ReportId,
    },
    /// 免报.
    Waived {
        /// Why; absent only if whoever recorded it gave none.
        reason: Option<Text>,
    },
    /// 漏报: none came in time.
    Missed,
}

impl ObligationState {
    /// The stored word.
    pub fn as_str(&self) -> &'static str {
        match self {
            ObligationState::Open => "OPEN",
            ObligationState::Met { .. } => "MET",
            ObligationState::Waived { .. } => "WAIVED",
            ObligationState::Missed => "MISSED",
        }
    }
}

impl fmt::Display for ObligationState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The first submission of a report that answers an obligation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submission {
    /// Which report.
    pub report: ReportId,
    /// The day it was submitted.
    pub on: Date,
    /// Whether it came after the end of the due day.
    pub late: bool,
    /// The event.
    pub at: Position,
}

/// An obligation as folded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Obligation {
    /// Its name, which tells the cycle and the agency.
    pub name: ObligationId,
    /// What to report on; fixed when it was opened.
    pub tasks: Vec<TaskId>,
    /// The last day on which a report is in time, to its end in Shanghai.
    pub due_on: Date,
    /// Why the agency must.
    pub rule: Rule,
    /// Where it stands, from which day on.
    pub states: Timeline<ObligationState>,
    /// The date of its last step.
    pub last_step_on: Date,
    /// The report that answers it, from the first draft on; after a correction was accepted, that.
    pub report: Option<ReportId>,
    /// A correction of [`Obligation::report`] that isn't accepted yet.
    pub correction: Option<ReportId>,
    /// The first submission.
    pub submission: Option<Submission>,
    /// The positions of the events behind it, ascending.
    pub because: Vec<Position>,
}

impl Fold for Obligation {
    fn evolve(state: Option<Self>, recorded: &Recorded) -> Option<Self> {
        let mut obligation = state.or_else(|| Obligation::opened_by(recorded))?;
        obligation.because.push(recorded.position);
        match &recorded.event {
            Event::Cycle(event) => obligation.settle(event, recorded),
            Event::Report(event) => obligation.answer(event, recorded),
            // Filed under other subjects.
            Event::Document(_) | Event::Agency(_) | Event::Task(_) | Event::Assignment(_) | Event::Log(_) => {
            }
        }
        Some(obligation)
    }
}

impl Obligation {
    fn opened_by(recorded: &Recorded) -> Option<Self> {
        let Event::Cycle(CycleEvent::ObligationOpened { cycle, agency, tasks, due_on, rule }) =
            &recorded.event
        else {
            return None;
        };
        Some(Self {
            name: ObligationId::of(*cycle, agency),
            tasks: tasks.clone(),
            due_on: *due_on,
            rule: *rule,
            states: Timeline::default(),
            last_step_on: recorded.effective_on,
            report: None,
            correction: None,
            submission: None,
            because: Vec::new(),
        })
    }

    fn settle(&mut self, event: &CycleEvent, recorded: &Recorded) {
        let state = match event {
            CycleEvent::ObligationOpened { .. } => ObligationState::Open,
            CycleEvent::ObligationMet { report, .. } => ObligationState::Met { report: report.clone() },
            CycleEvent::ObligationWaived { .. } => {
                ObligationState::Waived { reason: recorded.context.reason.clone() }
            }
            CycleEvent::ObligationMissed { .. } => ObligationState::Missed,
            CycleEvent::Opened { .. } | CycleEvent::Enrolled { .. } => return,
        };
        self.states.set(Period::since(recorded.effective_on), state, recorded.position);
        self.last_step_on = recorded.effective_on;
    }

    fn answer(&mut self, event: &ReportEvent, recorded: &Recorded) {
        match event {
            ReportEvent::Drafted { report, corrects: None, .. } => self.report = Some(report.clone()),
            ReportEvent::Drafted { report, corrects: Some(_), .. } => self.correction = Some(report.clone()),
            ReportEvent::Submitted { report, late, .. } => {
                let (report, late) = (report.clone(), *late);
                let (on, at) = (recorded.effective_on, recorded.position);
                self.submission.get_or_insert(Submission { report, on, late, at });
            }
            ReportEvent::Superseded { by, .. } => {
                self.report = Some(by.clone());
                self.correction = None;
            }
            // Filed under the report alone.
            ReportEvent::Revised { .. }
            | ReportEvent::Endorsed { .. }
            | ReportEvent::Received { .. }
            | ReportEvent::Accepted { .. }
            | ReportEvent::Returned { .. } => {}
        }
    }

    /// Where it stands in the end, as far as is known.
    pub fn state(&self) -> &ObligationState {
        self.states.last().map_or(&ObligationState::Open, |span| &span.value)
    }

    /// Whether a report can no longer be in time, at `now`.
    pub fn is_overdue_at(&self, now: Timestamp) -> bool {
        now >= end_of(self.due_on)
    }

    /// That it takes a report: one that is waived takes none.
    pub(crate) fn takes_reports(&self) -> Result<(), Rejection> {
        match self.state() {
            ObligationState::Open | ObligationState::Met { .. } | ObligationState::Missed => Ok(()),
            ObligationState::Waived { .. } => Err(self.at_wrong_state("it is waived, and takes no report")),
        }
    }

    /// That its silence past the due day is recorded, now.
    pub(crate) fn missed(&self) -> CycleEvent {
        CycleEvent::ObligationMissed {
            cycle: *self.name.cycle(),
            agency: self.name.agency(),
            due_on: self.due_on,
            rule: self.rule,
        }
    }

    pub(super) fn at_wrong_state(&self, detail: &str) -> Rejection {
        Rejection::new(Reason::ObligationStage, &self.name, detail).with("state", self.state())
    }

    /// Why its fields are as they are on `valid_on`.
    pub fn explain(&self, valid_on: Date) -> Vec<Field> {
        let opened: Vec<Position> = self.because.first().copied().into_iter().collect();
        let tasks: Vec<String> = self.tasks.iter().map(ToString::to_string).collect();
        let mut fields = vec![
            Field::new("tasks", tasks.join(", "), opened.clone()),
            Field::new("due_on", self.due_on, opened.clone()),
            Field::new("rule", self.rule, opened),
        ];
        if let Some(span) = self.states.on(valid_on) {
            fields.push(Field::new("state", &span.value, span.because.clone()));
            if let ObligationState::Waived { reason: Some(reason) } = &span.value {
                fields.push(Field::new("waiver_reason", reason, span.because.clone()));
            }
        }
        if let Some(submission) = &self.submission {
            let because = vec![submission.at];
            fields.push(Field::new("first_submitted_on", submission.on, because.clone()));
            fields.push(Field::new("late", submission.late, because));
        }
        fields
    }
}
