//! The reports as they are got and listed.

use duban_domain::report::{Report, Stage};
use duban_domain::world::Fold as _;
use duban_domain::{Date, Event, Period, Recorded, Subject};
use duban_log::Column;
use duban_log::views::{Resource, STATE};
use serde::{Deserialize, Serialize};

/// `reports(cycle, agency, stage, late, draft, state)`: a row for each stretch of days at one stage, from the
/// day on which it was drafted.
#[derive(Debug)]
pub struct Reports;

/// What reports are filtered by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Columns {
    /// The cycle.
    pub cycle: String,
    /// The agency that reports.
    pub agency: String,
    /// Where it stands on these days.
    pub stage: Stage,
    /// 1 if it was submitted by then, and late; else 0.
    pub late: u8,
    /// 1 if what it says is a draft, on whichever day it is asked about; else 0.
    pub draft: u8,
}

impl Resource for Reports {
    const NAME: &'static str = "reports";
    const VERSION: i64 = 2;
    const COLUMNS: &'static [Column] = &[
        Column::text("cycle"),
        Column::text("agency"),
        Column::text("stage"),
        Column::integer("late"),
        Column::integer("draft"),
        STATE,
    ];
    const INDEXES: &'static [&'static [&'static str]] = &[&["agency"]];
    type State = Report;
    type Columns = Columns;
    const SUBJECT: Option<fn(&str) -> Option<Subject>> =
        Some(|name| Some(Subject::Report(name.parse().ok()?)));

    fn names(recorded: &Recorded) -> Vec<String> {
        match &recorded.event {
            Event::Report(event) => vec![event.report().to_string()],
            Event::Document(_)
            | Event::Agency(_)
            | Event::Task(_)
            | Event::Assignment(_)
            | Event::Cycle(_)
            | Event::Log(_) => vec![],
        }
    }

    fn evolve(_: &str, state: Option<Report>, recorded: &Recorded) -> Option<Report> {
        Report::evolve(state, recorded)
    }

    fn columns(report: &Report) -> Vec<(Period, Columns)> {
        // Steps are dated in order: a day's last one says where the report stands from then on.
        let mut days: Vec<Date> = report.steps.iter().map(|step| step.on).collect();
        days.dedup();
        let submitted_on =
            report.steps.iter().find(|step| step.stage == Stage::Submitted).map(|step| step.on);
        let ends = days.iter().skip(1).copied().map(Some).chain([None]);
        let stretch = |(&from, until)| {
            let submitted = submitted_on.is_some_and(|on| on <= from);
            let columns = Columns {
                cycle: report.cycle.to_string(),
                agency: report.agency.to_string(),
                stage: report.step_on(from)?.stage,
                late: (submitted && report.late).into(),
                draft: (report.stage == Stage::Draft).into(),
            };
            Some((Period::new(from, until), columns))
        };
        days.iter().zip(ends).filter_map(stretch).collect()
    }
}
