//! The agencies as they are got and listed.

use std::collections::BTreeSet;

use duban_domain::agency::{Agency, AgencyKind, AgencyStatus, DivisionCode};
use duban_domain::name::AgencyId;
use duban_domain::world::Fold;
use duban_domain::{Date, Event, Period, Recorded, Subject, Timeline};
use duban_log::Column;
use duban_log::views::{Resource, STATE};
use serde::{Deserialize, Serialize};

/// `agencies(status, kind, division_code, superior, state)`: a row for each stretch of days on which these are
/// the same. Before anybody knew of an agency there is none.
#[derive(Debug)]
pub struct Agencies;

/// What agencies are filtered by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Columns {
    /// Where it stands.
    pub status: AgencyStatus,
    /// What kind of body it is.
    pub kind: Option<AgencyKind>,
    /// Its division code, where known.
    pub division_code: Option<DivisionCode>,
    /// The agency above it, where there is one.
    pub superior: Option<AgencyId>,
}

impl Resource for Agencies {
    const NAME: &'static str = "agencies";
    const VERSION: i64 = 2;
    const COLUMNS: &'static [Column] = &[
        Column::text("status"),
        Column::text("kind"),
        Column::text("division_code"),
        Column::text("superior"),
        STATE,
    ];
    type State = Agency;
    type Columns = Columns;
    const SUBJECT: Option<fn(&str) -> Option<Subject>> =
        Some(|name| Some(Subject::Agency(name.parse().ok()?)));

    fn names(recorded: &Recorded) -> Vec<String> {
        match &recorded.event {
            Event::Agency(event) => vec![event.agency().to_string()],
            Event::Document(_)
            | Event::Task(_)
            | Event::Assignment(_)
            | Event::Cycle(_)
            | Event::Report(_)
            | Event::Log(_) => vec![],
        }
    }

    fn evolve(_: &str, state: Option<Agency>, recorded: &Recorded) -> Option<Agency> {
        Agency::evolve(state, recorded)
    }

    fn columns(agency: &Agency) -> Vec<(Period, Columns)> {
        let days: BTreeSet<Date> = edges(&agency.status)
            .chain(edges(&agency.kind))
            .chain(edges(&agency.division_code))
            .chain(edges(&agency.superior))
            .collect();
        let ends = days.iter().skip(1).copied().map(Some).chain([None]);
        let stretch = |(&from, until)| {
            let columns = Columns {
                status: agency.status_on(from)?,
                kind: agency.kind_on(from),
                division_code: agency.division_code_on(from).cloned(),
                superior: agency.superior_on(from).cloned(),
            };
            Some((Period::new(from, until), columns))
        };
        days.iter().zip(ends).filter_map(stretch).collect()
    }
}

/// The days on which something begins or ends.
fn edges<V>(timeline: &Timeline<V>) -> impl Iterator<Item = Date> {
    timeline.spans().iter().flat_map(|span| [Some(span.period.from), span.period.until]).flatten()
}
