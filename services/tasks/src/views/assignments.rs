//! The assignments as they are got and listed, also on days on which they do not hold: planned, handed over
//! or released.

use duban_domain::assignment::{Assignment, Role, Stage};
use duban_domain::event::Event;
use duban_domain::name::{AssignmentId, ReadingId};
use duban_domain::time::DATE_MIN;
use duban_domain::{Period, Recorded, Subject};
use duban_log::views::{Column, Resource, STATE};
use serde::{Deserialize, Serialize};

/// `assignments`: a row for each stretch of days in one role and at one stage.
pub struct Assignments;

/// What assignments are filtered by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Columns {
    /// The task.
    pub task: String,
    /// Whose it is.
    pub agency: String,
    /// As what; the nearest role, on days on which it does not hold.
    pub role: Option<Role>,
    /// How far it has come.
    pub stage: Stage,
    /// The readings it rests on.
    pub readings: Vec<ReadingId>,
}

impl Resource for Assignments {
    const NAME: &'static str = "assignments";
    const VERSION: i64 = 2;
    const COLUMNS: &'static [Column] = &[
        Column::text("task"),
        Column::text("agency"),
        Column::text("role"),
        Column::text("stage"),
        Column::json("readings"),
        STATE,
    ];
    const INDEXES: &'static [&'static [&'static str]] = &[&["task"], &["agency"]];
    type State = Assignment;
    type Columns = Columns;
    const SUBJECT: Option<fn(&str) -> Option<Subject>> =
        Some(|name| Some(Subject::Task(name.parse::<AssignmentId>().ok()?.task().clone())));

    fn names(recorded: &Recorded) -> Vec<String> {
        match &recorded.event {
            Event::Assignment(event) => event.assignments().into_iter().map(ToString::to_string).collect(),
            Event::Document(_)
            | Event::Agency(_)
            | Event::Task(_)
            | Event::Cycle(_)
            | Event::Report(_)
            | Event::Log(_) => {
                vec![]
            }
        }
    }

    fn evolve(name: &str, state: Option<Assignment>, recorded: &Recorded) -> Option<Assignment> {
        let name: AssignmentId = name.parse().ok()?;
        Assignment::evolve(state, &name, recorded)
    }

    fn columns(assignment: &Assignment) -> Vec<(Period, Columns)> {
        let on = |period: Period| Columns {
            task: assignment.name.task().to_string(),
            agency: assignment.agency.to_string(),
            role: assignment.role_near(period.from),
            stage: assignment.stage_on(period.from),
            readings: assignment.readings.clone(),
        };
        stretches(assignment).into_iter().map(|period| (period, on(period))).collect()
    }
}

/// All days, cut where the assignment's role or stage changes.
fn stretches(assignment: &Assignment) -> Vec<Period> {
    let spans = assignment.held.spans().iter().map(|span| span.period);
    let mut edges: Vec<_> = spans.flat_map(|period| [Some(period.from), period.until]).flatten().collect();
    edges.push(DATE_MIN);
    edges.sort();
    edges.dedup();
    let ends = edges.iter().skip(1).copied().map(Some).chain([None]);
    edges.iter().zip(ends).map(|(&from, until)| Period::new(from, until)).collect()
}
