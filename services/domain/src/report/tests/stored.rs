//! The stored JSON of every event: a difference here is a broken history.

use super::*;
use crate::command::Context;
use crate::report::ReportEvent;

fn stored(event: &ReportEvent) -> serde_json::Value {
    serde_json::from_slice(&Event::from(event.clone()).encode(&Context::default())).unwrap()
}

#[test]
fn every_event_of_a_report_is_stored_as_it_always_was() {
    let fullest = Item {
        difficulties: Some(text("资金不足")),
        next_steps: Some(text("扩大试点")),
        evidence: vec![file("办法.pdf")],
        ..item(FINANCE, "已出台办法")
    };
    let events = [
        drafted(vec![fullest, Item::empty(name(LOGISTICS))]),
        correction(),
        revised(items()),
        endorsed(REPORT),
        submitted(REPORT, true, 2),
        received(REPORT),
        accepted(REPORT),
        returned(vec![finding("缺佐证"), Finding { task: None, text: text("请核对") }]),
        superseded(),
    ];
    insta::assert_json_snapshot!(events.each_ref().map(stored));
}
