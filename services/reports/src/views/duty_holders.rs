//! The agencies that may have to report: whoever was ever given the lead of a task, on whichever days.

use duban_domain::assignment::{AssignmentEvent, Role};
use duban_domain::{Event, Recorded};
use duban_log::views::ALWAYS;
use duban_log::{Column, Poison, Row, View};
use serde::{Deserialize, Serialize};

/// `duty_holders`: a row for each agency that ever led a task, alone or with others, since the first time. A
/// hint to the calendar of whom to consider; what each owes is decided from the log.
#[derive(Debug)]
pub struct DutyHolders;

/// That it is there says it all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Columns {}

impl View for DutyHolders {
    const NAME: &'static str = "duty_holders";
    const VERSION: i64 = 1;
    const COLUMNS: &'static [Column] = &[];
    type Columns = Columns;

    fn keys(recorded: &Recorded) -> Vec<String> {
        match &recorded.event {
            Event::Assignment(event) => leads(event),
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

    fn project(
        _: &str,
        mut open: Vec<Row<Columns>>,
        recorded: &Recorded,
    ) -> Result<Vec<Row<Columns>>, Poison> {
        if open.is_empty() {
            open.push(Row::new(ALWAYS, recorded.position, Columns {}));
        }
        Ok(open)
    }
}

/// The agencies that the event gives days in the lead.
fn leads(event: &AssignmentEvent) -> Vec<String> {
    let edits = event.edits();
    let leads = edits.iter().filter(|edit| edit.role.is_some_and(Role::leads));
    leads.map(|edit| edit.agency.to_string()).collect()
}
