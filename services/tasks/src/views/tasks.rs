//! The tasks as they are got and listed.

use duban_domain::event::Event;
use duban_domain::name::ReadingId;
use duban_domain::task::{Stage, Task, Track};
use duban_domain::world::Fold;
use duban_domain::{Date, Period, Recorded, Subject};
use duban_log::views::{Column, Resource, STATE};
use serde::{Deserialize, Serialize};

/// `tasks`: a row for each stretch of days at one stage.
pub struct Tasks;

/// What tasks are filtered by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Columns {
    /// Its title.
    pub title: String,
    /// What the document calls it.
    pub label: Option<String>,
    /// The document.
    pub document: Option<String>,
    /// How it is pursued.
    pub track: Track,
    /// Where it stands on these days.
    pub stage: Stage,
    /// The task it is a part of.
    pub parent: Option<String>,
    /// Its last day.
    pub due_on: Option<Date>,
    /// The readings it rests on.
    pub readings: Vec<ReadingId>,
}

impl Resource for Tasks {
    const NAME: &'static str = "tasks";
    const VERSION: i64 = 2;
    const COLUMNS: &'static [Column] = &[
        Column::text("title"),
        Column::text("label"),
        Column::text("document"),
        Column::text("track"),
        Column::text("stage"),
        Column::text("parent"),
        Column::text("due_on"),
        Column::json("readings"),
        STATE,
    ];
    type State = Task;
    type Columns = Columns;
    const SUBJECT: Option<fn(&str) -> Option<Subject>> = Some(|name| Some(Subject::Task(name.parse().ok()?)));

    fn names(recorded: &Recorded) -> Vec<String> {
        match &recorded.event {
            Event::Task(event) => vec![event.task().to_string()],
            // What happens to its assignments is theirs: the task as shown has no part of it.
            Event::Assignment(_)
            | Event::Document(_)
            | Event::Agency(_)
            | Event::Cycle(_)
            | Event::Report(_)
            | Event::Log(_) => vec![],
        }
    }

    fn evolve(_: &str, state: Option<Task>, recorded: &Recorded) -> Option<Task> {
        Task::evolve(state, recorded)
    }

    fn columns(task: &Task) -> Vec<(Period, Columns)> {
        let outline = &task.outline;
        let at = |stage: Stage| Columns {
            title: outline.title.to_string(),
            label: outline.label.as_ref().map(ToString::to_string),
            document: outline.document.as_ref().map(ToString::to_string),
            track: outline.track,
            stage,
            parent: outline.parent.as_ref().map(ToString::to_string),
            due_on: task.due.as_ref().and_then(|(due_on, _)| *due_on),
            readings: task.readings.clone(),
        };
        task.stages.spans().iter().map(|span| (span.period, at(span.value))).collect()
    }
}
