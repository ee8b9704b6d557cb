//! The cycles as they are got and listed.

use duban_domain::cycle::{Cycle, CycleEvent};
use duban_domain::world::Fold as _;
use duban_domain::{Event, Period, Recorded, Subject};
use duban_log::Column;
use duban_log::views::{Resource, STATE, Stated};
use duban_rpc::rows::Order;
use serde::{Deserialize, Serialize};

/// `cycles(stage, coordinator, place, state)`: a row from the day on which each was opened.
#[derive(Debug)]
pub struct Cycles;

/// A cycle, and how many of its obligations have been opened: those are filed under themselves alone, so the
/// fold of the cycle doesn't know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// The cycle.
    pub cycle: Cycle,
    /// Its obligations so far.
    pub obligations: u32,
}

/// What cycles are filtered and sorted by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Columns {
    /// Where it stands.
    pub stage: String,
    /// The agency that receives its reports.
    pub coordinator: String,
    /// Its place in a list with the newest year first.
    pub place: String,
}

/// The newest year first.
pub(crate) fn newest_first() -> Order<Stated<Columns, Counted>> {
    Order { column: "place", value: |row| row.columns.columns.place.clone() }
}

impl Resource for Cycles {
    const NAME: &'static str = "cycles";
    const VERSION: i64 = 1;
    const COLUMNS: &'static [Column] =
        &[Column::text("stage"), Column::text("coordinator"), Column::text("place"), STATE];
    type State = Counted;
    type Columns = Columns;
    // Its obligations are filed under themselves.
    const SUBJECT: Option<fn(&str) -> Option<Subject>> = None;

    fn names(recorded: &Recorded) -> Vec<String> {
        match &recorded.event {
            Event::Cycle(event) => match event {
                CycleEvent::Opened { cycle, .. }
                | CycleEvent::Enrolled { cycle, .. }
                | CycleEvent::ObligationOpened { cycle, .. } => vec![cycle.to_string()],
                CycleEvent::ObligationMet { .. }
                | CycleEvent::ObligationWaived { .. }
                | CycleEvent::ObligationMissed { .. } => vec![],
            },
            Event::Document(_)
            | Event::Agency(_)
            | Event::Task(_)
            | Event::Assignment(_)
            | Event::Report(_)
            | Event::Log(_) => vec![],
        }
    }

    fn evolve(_: &str, state: Option<Counted>, recorded: &Recorded) -> Option<Counted> {
        let opens = matches!(&recorded.event, Event::Cycle(CycleEvent::ObligationOpened { .. }));
        let before = state.as_ref().map_or(0, |state| state.obligations);
        let cycle = Cycle::evolve(state.map(|state| state.cycle), recorded)?;
        Some(Counted { cycle, obligations: before + u32::from(opens) })
    }

    fn columns(Counted { cycle, obligations: _ }: &Counted) -> Vec<(Period, Columns)> {
        let columns = Columns {
            stage: cycle.stage.to_string(),
            coordinator: cycle.coordinator.to_string(),
            place: (9999 - cycle.name.year()).to_string(),
        };
        vec![(Period::since(cycle.opened_on), columns)]
    }
}
