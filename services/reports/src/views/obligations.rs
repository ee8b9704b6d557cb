//! The obligations as they are got and listed, on both clocks: where each stood on a day, as known when.

use std::collections::BTreeSet;

use duban_domain::cycle::Obligation;
use duban_domain::subject::Subject;
use duban_domain::world::Fold as _;
use duban_domain::{Date, Event, Period, Recorded};
use duban_log::Column;
use duban_log::views::{Resource, STATE};
use serde::{Deserialize, Serialize};

/// `obligations(cycle, agency, standing, due_on, submitted, late, state)`: a row for each stretch of days on
/// which these are the same, from the day on which it was opened.
#[derive(Debug)]
pub struct Obligations;

/// What obligations are filtered by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Columns {
    /// The cycle.
    pub cycle: String,
    /// The agency that owes it.
    pub agency: String,
    /// Where it stands on these days.
    pub standing: String,
    /// The last day in time.
    pub due_on: Date,
    /// 1 if a report had been submitted by then, else 0.
    pub submitted: u8,
    /// 1 if that came after the due day, else 0.
    pub late: u8,
}

impl Resource for Obligations {
    const NAME: &'static str = "obligations";
    const VERSION: i64 = 2;
    const COLUMNS: &'static [Column] = &[
        Column::text("cycle"),
        Column::text("agency"),
        Column::text("standing"),
        Column::text("due_on"),
        Column::integer("submitted"),
        Column::integer("late"),
        STATE,
    ];
    const INDEXES: &'static [&'static [&'static str]] = &[&["known_to", "standing", "due_on"]];
    type State = Obligation;
    type Columns = Columns;
    const SUBJECT: Option<fn(&str) -> Option<Subject>> =
        Some(|name| Some(Subject::Obligation(name.parse().ok()?)));

    fn names(recorded: &Recorded) -> Vec<String> {
        let subjects = match &recorded.event {
            Event::Cycle(event) => event.subjects(),
            Event::Report(event) => event.subjects(),
            Event::Document(_) | Event::Agency(_) | Event::Task(_) | Event::Assignment(_) | Event::Log(_) => {
                vec![]
            }
        };
        let name = |subject| match subject {
            Subject::Obligation(name) => Some(name.to_string()),
            _ => None,
        };
        subjects.into_iter().filter_map(name).collect()
    }

    fn evolve(_: &str, state: Option<Obligation>, recorded: &Recorded) -> Option<Obligation> {
        Obligation::evolve(state, recorded)
    }

    fn columns(obligation: &Obligation) -> Vec<(Period, Columns)> {
        let submission = obligation.submission.as_ref();
        let opened_on = obligation.states.extent().map(|days| days.from);
        let edges = obligation.states.spans().iter().map(|span| span.period.from);
        let days: BTreeSet<Date> = edges
            .chain(submission.map(|submission| submission.on).filter(|on| Some(*on) > opened_on))
            .collect();
        let ends = days.iter().skip(1).copied().map(Some).chain([None]);
        let stretch = |(&from, until)| {
            let submitted = submission.filter(|submission| submission.on <= from);
            let columns = Columns {
                cycle: obligation.name.cycle().to_string(),
                agency: obligation.name.agency().to_string(),
                standing: obligation.states.value_on(from)?.to_string(),
                due_on: obligation.due_on,
                submitted: submitted.is_some().into(),
                late: submitted.is_some_and(|submission| submission.late).into(),
            };
            Some((Period::new(from, until), columns))
        };
        days.iter().zip(ends).filter_map(stretch).collect()
    }
}
