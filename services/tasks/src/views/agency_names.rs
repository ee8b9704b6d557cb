//! What each agency is called on which days, for answers that show a person who answers. The agencies service
//! keeps its own, fuller table of names; services ask no other's.

use duban_domain::agency::AgencyEvent;
use duban_domain::event::Event;
use duban_domain::{Period, Recorded, Span, Timeline};
use duban_log::views::{Column, Poison, Row, View};
use serde::{Deserialize, Serialize};

use super::completion::row_of;

/// `responsibility_names(agency, full_name)`.
pub struct ResponsibilityNames;

/// The columns of a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Columns {
    /// The agency.
    pub agency: String,
    /// Its full name.
    pub full_name: String,
}

impl View for ResponsibilityNames {
    const NAME: &'static str = "responsibility_names";
    const VERSION: i64 = 1;
    const COLUMNS: &'static [Column] = &[Column::text("agency"), Column::text("full_name")];
    type Columns = Columns;

    fn keys(recorded: &Recorded) -> Vec<String> {
        named(&recorded.event).into_iter().map(|(agency, ..)| agency).collect()
    }

    fn project(key: &str, open: Vec<Row<Columns>>, recorded: &Recorded) -> Result<Vec<Row<Columns>>, Poison> {
        let Some((_, full_name, until)) = named(&recorded.event) else { return Ok(open) };
        let spans =
            open.into_iter().map(|row| Span { period: row.valid, value: row.columns, because: row.because });
        let mut held = Timeline::from_spans(spans.collect());
        let columns = Columns { agency: key.to_owned(), full_name };
        held.set(Period::new(recorded.effective_on, until), columns, recorded.position);
        Ok(held.spans().iter().cloned().map(row_of).collect())
    }
}

/// Whom an event names, how, and until when.
fn named(event: &Event) -> Option<(String, String, Option<duban_domain::Date>)> {
    match event {
        Event::Agency(event) => match event {
            AgencyEvent::Registered { agency, full_name, .. } => {
                Some((agency.to_string(), full_name.to_string(), None))
            }
            AgencyEvent::Renamed { agency, full_name, until, former: _ } => {
                Some((agency.to_string(), full_name.to_string(), *until))
            }
            AgencyEvent::AliasAdded { .. }
            | AgencyEvent::AliasEnded { .. }
            | AgencyEvent::Amended { .. }
            | AgencyEvent::Dissolved { .. } => None,
        },
        Event::Document(_)
        | Event::Task(_)
        | Event::Assignment(_)
        | Event::Cycle(_)
        | Event::Report(_)
        | Event::Log(_) => None,
    }
}
