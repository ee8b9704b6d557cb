//! The stored JSON of every event: a difference here is a broken history.

use super::*;
use crate::command::Context;

fn stored(event: &CycleEvent) -> serde_json::Value {
    serde_json::from_slice(&Event::from(event.clone()).encode(&Context::default())).unwrap()
}

#[test]
fn every_event_of_a_cycle_is_stored_as_it_always_was() {
    let opened = CycleEvent::Opened {
        cycle: cycle(),
        due_on: DUE,
        holders_on: DAY,
        rule: Rule::EveryLead,
        coordinator: name(FGW),
    };
    let events = [
        opened,
        CycleEvent::Enrolled { cycle: cycle(), obligations: 29 },
        owes_by(Rule::FirstNamed, CZT, &[FINANCE, LOGISTICS]),
        met(CZT, "reports/czt-2026"),
        waived(CZT),
        missed(CZT),
    ];
    insta::assert_json_snapshot!(events.each_ref().map(stored));
}
