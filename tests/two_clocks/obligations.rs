//! Where each obligation stood on a day, as known at a position: against its events, gone through by hand.

use duban_proto::audit::v1 as audit;
use duban_proto::reports::v1::ObligationState as State;

use crate::support::{Office, because, context, events, from, reason_of, valid_on_known_at};

const AGENCIES: [&str; 5] = ["fgw", "intime", "waived", "late", "silent"];

/// A cycle in which one of each has happened; on 20 January 2027.
async fn told() -> Office {
    let office = Office::open_on("2026-10-08").await;
    office.register_agencies(&AGENCIES).await;
    office.dispatch("t", "2026-01-01", &AGENCIES).await;
    office.cycle_opened("fgw", 2026, "2026-12-31", 5).await;
    office.on("2026-11-20");
    // It had been done for days when it was recorded.
    let (own, report, on) = (office.agency("intime"), "reports/intime", || from("2026-11-10"));
    own.draft(on(), 2026, "intime").await.expect("drafted");
    own.revise(on(), report, &[("t", "按计划推进")]).await.expect("revised");
    own.endorse(on(), report).await.expect("endorsed");
    own.submit(on(), report).await.expect("submitted");
    office.on("2026-12-02");
    let waived = "cycles/2026/obligations/waived";
    office.coordinator("fgw").waive(because("职能已划转"), waived).await.expect("waived");
    office.coordinator("fgw").return_report(because("过于简略"), report, "请补充").await.expect("returned");
    let head = office.head().await;
    office.on("2027-01-05");
    office.reached(head + 3).await;
    office.on("2027-01-20");
    office.submitted("late", 2026, "late", &["t"]).await;
    office
}

/// What the events say: the state, and when the first report was submitted.
fn stood(events: &[audit::Event], id: &str, day: &str, position: u64) -> Option<(State, Option<String>)> {
    let tag = format!("obligation:2026/{id}");
    let known =
        events.iter().filter(|event| event.position <= position && event.effective_on.as_str() <= day);
    let mut stood: Option<(State, Option<String>)> = None;
    for event in known.filter(|event| event.tags.iter().any(|filed| filed.tag == tag)) {
        let (state, submitted) = stood.unwrap_or((State::Unspecified, None));
        stood = Some(match event.r#type.as_str() {
            "obligation.opened.v1" => (State::Open, submitted),
            "obligation.met.v1" => (State::Met, submitted),
            "obligation.waived.v1" => (State::Waived, submitted),
            "obligation.missed.v1" => (State::Missed, submitted),
            "report.submitted.v1" => (state, submitted.or(Some(event.effective_on.clone()))),
            _ => (state, submitted),
        });
    }
    stood
}

#[tokio::test]
async fn an_obligation_stands_where_its_events_say_on_every_day_as_known_at_every_position() {
    let office = told().await;
    let (auditor, events, head) = (office.auditor(), events(&office.auditor()).await, office.head().await);
    let days = [
        "2026-10-07",
        "2026-10-08",
        "2026-11-09",
        "2026-11-10",
        "2026-11-20",
        "2026-12-01",
        "2026-12-02",
        "2026-12-30",
        "2026-12-31",
        "2027-01-05",
        "2027-01-19",
        "2027-01-20",
        "2027-06-01",
    ];
    for position in 0..=head {
        for day in days {
            for id in AGENCIES {
                let expected = stood(&events, id, day, position);
                let found = match auditor.obligation(2026, id, valid_on_known_at(day, position)).await {
                    Ok(found) => Some((found.state(), found.first_submitted_on)),
                    Err(status) => {
                        let reason = reason_of(&status).1;
                        assert!(
                            ["OBLIGATION_NOT_FOUND", "CYCLE_NOT_FOUND"].contains(&reason.as_str()),
                            "{status}"
                        );
                        None
                    }
                };
                assert_eq!(found, expected, "{id} on {day} as known at {position}");
            }
        }
    }
    let missed =
        office.agency("silent").draft(context(), 2026, "silent").await.expect("it may still be answered");
    assert!(missed.receipt.is_some());
    office.verify().await;
}
