//! Who answers for what: each assignment's days and roles, on both clocks.

use duban_domain::assignment::{AssignmentEvent, Role, Stage};
use duban_domain::event::Event;
use duban_domain::name::{AssignmentId, ReadingId};
use duban_domain::{Recorded, Span, Timeline};
use duban_log::views::{Column, Poison, Row, View};
use serde::{Deserialize, Serialize};

use super::completion::row_of;

/// `responsibility(task, assignment, agency, role, stage, readings)`: a row for each stretch of days that an
/// assignment holds in one role.
pub struct Responsibility;

/// The columns of a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Columns {
    /// The task.
    pub task: String,
    /// The assignment.
    pub assignment: String,
    /// Who answers.
    pub agency: String,
    /// As what.
    pub role: Role,
    /// How far the assignment has come, while it holds.
    pub stage: Stage,
    /// The readings it rests on.
    pub readings: Vec<ReadingId>,
    /// Its place in a matrix: by task, then leads first, then by agency; one at any moment.
    pub place: String,
}

impl Columns {
    fn in_role(mut self, role: Role) -> Self {
        let Self { task, agency, .. } = &self;
        self.place = format!("{task} {} {agency}", role as u8);
        self.role = role;
        self
    }
}

impl View for Responsibility {
    const NAME: &'static str = "responsibility";
    const VERSION: i64 = 2;
    const COLUMNS: &'static [Column] = &[
        Column::text("task"),
        Column::text("assignment"),
        Column::text("agency"),
        Column::text("role"),
        Column::text("stage"),
        Column::json("readings"),
        Column::text("place"),
    ];
    // What a busy agency answers for is read in order, a page at a time: not all that it ever answered for.
    const INDEXES: &'static [&'static [&'static str]] = &[&["task"], &["agency", "place"], &["place"]];
    type Columns = Columns;

    fn keys(recorded: &Recorded) -> Vec<String> {
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

    fn project(key: &str, open: Vec<Row<Columns>>, recorded: &Recorded) -> Result<Vec<Row<Columns>>, Poison> {
        let Event::Assignment(event) = &recorded.event else { return Ok(open) };
        let name: AssignmentId = key.parse().map_err(|error| Poison(format!("{key}: {error}")))?;
        let at = recorded.position;
        let known = open.first().map(|row| row.columns.clone()).or_else(|| made(&name, event, recorded));
        let Some(mut columns) = known else { return Ok(open) };
        let stage = stage_after(event);
        let mut held = Timeline::from_spans(open.into_iter().map(|row| span_of(row, stage, at)).collect());
        columns.stage = stage.unwrap_or(columns.stage);
        for edit in event.edits().iter().filter(|edit| *edit.assignment == name) {
            match edit.role {
                Some(role) => held.set(edit.period, columns.clone().in_role(role), at),
                None => held.clear(edit.period, at),
            }
        }
        Ok(held.spans().iter().cloned().map(row_of).collect())
    }
}

/// A row as a span, its stage being what the event says.
fn span_of(mut row: Row<Columns>, stage: Option<Stage>, at: u64) -> Span<Columns> {
    if let Some(stage) = stage {
        row.columns.stage = stage;
        row = row.also(at);
    }
    Span { period: row.valid, value: row.columns, because: row.because }
}

/// The stage that an event leads to, for the days on which the assignment holds.
fn stage_after(event: &AssignmentEvent) -> Option<Stage> {
    match event {
        AssignmentEvent::Acknowledged { .. } => Some(Stage::Active),
        AssignmentEvent::Contested { .. } => Some(Stage::Contested),
        AssignmentEvent::Upheld { stage, .. } => Some(*stage),
        AssignmentEvent::Dispatched { .. }
        | AssignmentEvent::Reassigned { .. }
        | AssignmentEvent::Released { .. }
        | AssignmentEvent::RoleReinterpreted { .. }
        | AssignmentEvent::BoundaryCorrected { .. } => None,
    }
}

/// What all rows of a new assignment say; its role the edits tell.
fn made(name: &AssignmentId, event: &AssignmentEvent, recorded: &Recorded) -> Option<Columns> {
    let agency = event.edits().into_iter().find(|edit| edit.assignment == name)?.agency;
    Some(Columns {
        task: name.task().to_string(),
        assignment: name.to_string(),
        agency: agency.to_string(),
        role: Role::Supporting,
        stage: Stage::Dispatched,
        readings: recorded.context.readings.clone(),
        place: String::new(),
    })
}
