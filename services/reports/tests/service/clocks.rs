//! Obligations on both clocks, against a model that folds all events by hand.

use duban_domain::cycle::CycleEvent;
use duban_domain::name::AgencyId;
use duban_domain::report::ReportEvent;
use duban_domain::{Date, Event, Recorded};
use duban_proto::reports::v1 as pb;
use duban_proto::reports::v1::ObligationState as State;
use duban_reports::VIEWS;
use jiff::ToSpan as _;
use jiff::civil::date;

use crate::requests::{endorsing, known_at, obligation, report, submitting, waiving};
use crate::scene::agency;
use crate::support::{Service, coordinator, officer, said};

const FIRST: Date = date(2026, 10, 28);
const DAYS: i32 = 62;
const DUE: Date = date(2026, 12, 20);

/// Where an agency's obligation stood on each day, and since when it had been answered.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    state: State,
    submitted: bool,
    late: bool,
}

fn naive(events: &[Recorded], whose: &AgencyId, day: Date) -> Option<Seen> {
    let mut seen: Option<Seen> = None;
    for recorded in events.iter().filter(|recorded| recorded.effective_on <= day) {
        let settled = match &recorded.event {
            Event::Cycle(CycleEvent::ObligationOpened { agency, .. }) if agency == whose => {
                seen = Some(Seen { state: State::Open, submitted: false, late: false });
                continue;
            }
            Event::Report(ReportEvent::Submitted { agency, late, .. }) if agency == whose => {
                let seen = seen.as_mut().unwrap();
                (seen.late, seen.submitted) = (if seen.submitted { seen.late } else { *late }, true);
                continue;
            }
            Event::Cycle(CycleEvent::ObligationMet { agency, .. }) if agency == whose => State::Met,
            Event::Cycle(CycleEvent::ObligationWaived { agency, .. }) if agency == whose => State::Waived,
            Event::Cycle(CycleEvent::ObligationMissed { agency, .. }) if agency == whose => State::Missed,
            _ => continue,
        };
        seen.as_mut().unwrap().state = settled;
    }
    seen
}

/// A year in which one agency reports in time, dated back; one late, one never, and one is waived.
async fn a_year() -> Service {
    let service = Service::start().await;
    service.with_three_agencies().await;
    service.dispatch("road", &[("jtt", duban_domain::assignment::Role::Lead)]).await;
    service.dispatch("shop", &[("swt", duban_domain::assignment::Role::Lead)]).await;
    let mut opening = crate::requests::opening(2026);
    opening.context.as_mut().unwrap().effective_on = Some("2026-10-30".to_owned());
    said(service.cycles.clone().open_cycle(coordinator(opening)).await);
    service.tick().await;
    for who in ["czt", "jtt"] {
        service.draft(who).await;
        service.endorse(who, &report(who), "完成").await;
    }
    service.on("2026-11-20");
    let mut submit = submitting(&report("czt"));
    submit.context.as_mut().unwrap().effective_on = Some("2026-11-10".to_owned());
    said(service.reports.clone().submit_report(officer("czt", submit)).await);
    let mut waive = waiving(&obligation("swt"));
    waive.context.as_mut().unwrap().effective_on = Some("2026-11-05".to_owned());
    said(service.waive(coordinator(waive)).await);
    service.on("2026-12-21");
    service.tick().await;
    service.on("2026-12-24");
    let mut submit = submitting(&report("jtt"));
    submit.context.as_mut().unwrap().effective_on = Some("2026-12-22".to_owned());
    said(service.reports.clone().submit_report(officer("jtt", submit)).await);
    // A no-op in between: it is endorsed already, or with the coordinator.
    service.reports.clone().endorse_report(officer("czt", endorsing(&report("czt")))).await.unwrap_err();
    service
}

#[tokio::test]
async fn every_day_as_known_at_every_position() {
    let service = a_year().await;
    let stored = service.log.read(0, 1000).await.unwrap().events;
    let events: Vec<Recorded> = stored.iter().map(|event| event.decode().unwrap()).collect();
    let opened = stored.iter().find(|event| event.event_type == "cycle.opened.v1").unwrap().position;
    let head = service.head().await;
    let days = (0..DAYS).step_by(6).map(|n| FIRST + n.days());
    let edges = [date(2026, 11, 10), DUE, date(2026, 12, 21), date(2026, 12, 22)];
    for day in days.chain(edges) {
        for position in opened..=head {
            let known = &events[..usize::try_from(position).unwrap()];
            let at = || known_at(&day.to_string(), position);
            let mut overdue = vec![];
            for whose in ["czt", "fgw", "jtt", "swt"] {
                let expected = naive(known, &agency(whose), day);
                let found =
                    service.owed(whose, at()).await.ok().map(|reply| reply.into_inner().obligation.unwrap());
                let shown = found.as_ref().map(|owed: &pb::Obligation| Seen {
                    state: owed.state(),
                    submitted: owed.first_submitted_on.is_some(),
                    late: owed.late,
                });
                assert_eq!(shown, expected, "{whose} on {day} at {position}");
                let owes = |seen: Seen| DUE < day && !seen.submitted && seen.state != State::Waived;
                overdue.extend(expected.is_some_and(owes).then_some(whose));
            }
            // Before its first day there is no cycle to ask of.
            if day >= date(2026, 10, 30) {
                assert_eq!(service.owing("overdue = true", at()).await, overdue, "on {day} at {position}");
            }
        }
    }
    let at_the_end = known_at("2026-12-24", head);
    assert_eq!(service.owing("state = MISSED", at_the_end.clone()).await, ["fgw", "jtt"]);
    assert_eq!(service.owing("state = MISSED AND late = false", at_the_end).await, ["fgw"]);
    for view in VIEWS {
        assert!(view.rebuild(&service.views).await.unwrap().is_same(), "{}", view.name);
    }
    service.stop().await;
}
