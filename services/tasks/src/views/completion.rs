//! Where each task stands, and how far it has come as each agency says and as whoever checked found: three
//! facts, never one made of another.

use duban_domain::event::Event;
use duban_domain::task::TaskEvent;
use duban_domain::{Period, Recorded, Span, Timeline};
use duban_log::views::{Column, Poison, Row, View};
use serde::{Deserialize, Serialize};

/// `completion(task, fact, agency, value)`: what holds of a task on which days.
pub struct Completion;

/// Of what a row speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Fact {
    /// The stage (事项阶段).
    Stage,
    /// The level that one agency says (自评).
    SelfAssessed,
    /// The level that whoever checked found (核实).
    Verified,
}

/// The columns of a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Columns {
    /// The task.
    pub task: String,
    /// Of what it speaks.
    pub fact: Fact,
    /// Whose word it is, for what an agency says.
    pub agency: Option<String>,
    /// The stage or the level.
    pub value: String,
}

impl Completion {
    /// The key of the rows that say where `task` stands.
    pub fn stage_key(task: &impl std::fmt::Display) -> String {
        format!("{task} stage")
    }
}

impl View for Completion {
    const NAME: &'static str = "completion";
    const VERSION: i64 = 1;
    const COLUMNS: &'static [Column] =
        &[Column::text("task"), Column::text("fact"), Column::text("agency"), Column::text("value")];
    type Columns = Columns;

    fn keys(recorded: &Recorded) -> Vec<String> {
        match &recorded.event {
            Event::Task(event) => match event {
                TaskEvent::ProgressRecorded { task, agency, assessment: _ } => {
                    vec![format!("{task} {agency}")]
                }
                TaskEvent::ProgressVerified { task, assessment: _ } => vec![format!("{task} verified")],
                TaskEvent::Proposed { .. }
                | TaskEvent::Registered { .. }
                | TaskEvent::Dispatched { .. }
                | TaskEvent::Started { .. }
                | TaskEvent::ClosureRequested { .. }
                | TaskEvent::Returned { .. }
                | TaskEvent::Completed { .. }
                | TaskEvent::StruckOff { .. }
                | TaskEvent::Archived { .. }
                | TaskEvent::Suspended { .. }
                | TaskEvent::Resumed { .. }
                | TaskEvent::Withdrawn { .. }
                | TaskEvent::Reopened { .. } => vec![Self::stage_key(event.task())],
            },
            Event::Document(_)
            | Event::Agency(_)
            | Event::Assignment(_)
            | Event::Cycle(_)
            | Event::Report(_)
            | Event::Log(_) => vec![],
        }
    }

    fn project(_: &str, open: Vec<Row<Columns>>, recorded: &Recorded) -> Result<Vec<Row<Columns>>, Poison> {
        let Event::Task(event) = &recorded.event else { return Ok(open) };
        let (on, at) = (recorded.effective_on, recorded.position);
        let task = event.task().to_string();
        let mut held = Timeline::from_spans(
            open.into_iter()
                .map(|row| Span { period: row.valid, value: row.columns, because: row.because })
                .collect(),
        );
        let columns = |fact, agency, value: &str| Columns { task, fact, agency, value: value.to_owned() };
        match (event, event.stage()) {
            (TaskEvent::ProgressRecorded { agency, assessment, task: _ }, _) => {
                let agency = Some(agency.to_string());
                held.set_from(on, columns(Fact::SelfAssessed, agency, assessment.level.as_str()), at);
            }
            (TaskEvent::ProgressVerified { assessment, task: _ }, _) => {
                held.set_from(on, columns(Fact::Verified, None, assessment.level.as_str()), at);
            }
            (_, Some(stage)) => held.set(Period::since(on), columns(Fact::Stage, None, stage.as_str()), at),
            (_, None) => {
                return Err(Poison("an event of a task says neither its stage nor its progress".into()));
            }
        }
        Ok(held.spans().iter().cloned().map(row_of).collect())
    }
}

/// A span of a timeline as a row.
pub(super) fn row_of<C>(span: Span<C>) -> Row<C> {
    Row { valid: span.period, because: span.because, columns: span.value }
}
