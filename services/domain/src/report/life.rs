//! Whatever is asked in whatever order, by whomever and whenever: the invariants of reporting hold.

use std::collections::BTreeMap;

use jiff::ToSpan;
use proptest::prelude::*;
use proptest::strategy::ValueTree;

use super::fixtures::item;
use super::{Finding, ReportCommand, ReportEvent};
use crate::assignment::Role as Part;
use crate::caller::{Caller, Role};
use crate::command::Command;
use crate::cycle::fixtures::{
    CZT, DUE, FGW, LOGISTICS, coordinator_of, cycle, dispatched, opened, supervisor_of,
};
use crate::cycle::{CycleCommand, CycleEvent, ObligationState};
use crate::event::{Event, Recorded};
use crate::name::{AgencyId, ObligationId, ReportId};
use crate::subject::Subject;
use crate::testing::{Given, caller, given, name, noon, officer, text};
use crate::time::{Date, end_of};
use crate::world::World;

const AGENCIES: [&str; 2] = [CZT, FGW];
/// Of each agency in turn: a first report and a correction of it, or the other way round.
const REPORTS: [[&str; 2]; 2] = [["reports/czt-1", "reports/czt-2"], ["reports/fgw-1", "reports/fgw-2"]];
/// A few days before the end of the due day, which the steps of a run cross or not.
const START: Date = jiff::civil::date(2026, 12, 28);
/// Long enough for most runs to come to an accepted report, and for some to its correction.
const ASKS_MAX: usize = 200;

#[derive(Debug, Clone, Copy)]
enum What {
    OpenObligation,
    MarkMissed,
    Enrol,
    Waive,
    Draft,
    Revise,
    Endorse,
    Submit,
    Receive,
    Accept,
    Return,
    Correct,
}

/// One request: what, of which agency and report, by whom, how many hours after the last, dated how far back.
#[derive(Debug, Clone)]
struct Ask {
    what: What,
    agency: AgencyId,
    report: ReportId,
    other_report: ReportId,
    caller: Option<Caller>,
    hours: i64,
    days_back: i64,
}

fn ask() -> impl Strategy<Value = Ask> {
    let what = prop_oneof![
        2 => Just(What::OpenObligation),
        1 => prop::sample::select(vec![What::MarkMissed, What::Enrol, What::Waive, What::Revise]),
        2 => Just(What::Draft),
        9 => prop::sample::select(vec![What::Endorse, What::Submit, What::Receive]),
        4 => prop::sample::select(vec![What::Accept, What::Accept, What::Return]),
        2 => Just(What::Correct),
    ];
    let anybody = [
        caller(Role::System),
        caller(Role::Supervisor),
        caller(Role::Auditor),
        supervisor_of(FGW),
        coordinator_of(FGW),
        officer(FGW),
        officer(CZT),
    ];
    let caller = prop_oneof![6 => Just(None), 1 => prop::sample::select(anybody.to_vec()).prop_map(Some)];
    let hours = prop_oneof![8 => Just(0), 2 => 1i64..6];
    let days_back = prop_oneof![8 => Just(0), 1 => 1i64..4];
    // Mostly of one agency: a run that turns from one to the other gets nowhere with either.
    let agency = prop_oneof![5 => Just(0usize), 1 => Just(1)];
    let asks = (what, agency, 0..2usize, caller, hours, days_back);
    asks.prop_map(|(what, agency, report, caller, hours, days_back)| Ask {
        what,
        agency: name(AGENCIES[agency]),
        report: name(REPORTS[agency][report]),
        other_report: name(REPORTS[agency][1 - report]),
        caller,
        hours,
        days_back,
    })
}

impl Ask {
    /// Who may, most of the time; else anybody.
    fn caller(&self) -> Caller {
        let coordinators_own = self.agency == name(FGW);
        self.caller.clone().unwrap_or_else(|| match self.what {
            What::OpenObligation | What::MarkMissed | What::Enrol => caller(Role::System),
            What::Waive | What::Receive | What::Accept | What::Return if coordinators_own => {
                supervisor_of(CZT)
            }
            What::Waive | What::Receive | What::Accept | What::Return => coordinator_of(FGW),
            What::Draft | What::Revise | What::Endorse | What::Submit | What::Correct => {
                officer(&self.agency.to_string())
            }
        })
    }

    fn drafted_by<'a>(&self, recorded: &'a Recorded) -> Option<&'a ReportId> {
        match &recorded.event {
            Event::Report(ReportEvent::Drafted { report, agency, .. }) if *agency == self.agency => {
                Some(report)
            }
            _ => None,
        }
    }

    /// Asks it, mostly of the newest report; what is refused changes nothing.
    fn carry_out(&self, given: Given) -> Given {
        let (agency, obligation) = (self.agency.clone(), ObligationId::of(cycle(), &self.agency));
        let newest = given.events.iter().rev().find_map(|recorded| self.drafted_by(recorded));
        let report = newest.filter(|_| self.hours == 0).unwrap_or(&self.report).clone();
        let given = given.as_caller(self.caller());
        match self.what {
            What::OpenObligation => {
                tried(given, CycleCommand::OpenObligation { cycle: cycle(), agency, tasks: vec![] })
            }
            What::MarkMissed => tried(given, CycleCommand::MarkMissed { obligation }),
            What::Enrol => tried(given, CycleCommand::Enrol { cycle: cycle(), obligations: 2 }),
            What::Waive => tried(given, CycleCommand::Waive { obligation }),
            What::Draft => {
                let (report, items) = (Some(report), vec![item(LOGISTICS, "试点两个园区")]);
                tried(given, ReportCommand::Draft { cycle: cycle(), agency, report, items })
            }
            What::Revise => tried(given, ReportCommand::Revise { report, items: vec![] }),
            What::Endorse => tried(given, ReportCommand::Endorse { report }),
            What::Submit => tried(given, ReportCommand::Submit { report }),
            What::Receive => tried(given, ReportCommand::Receive { report }),
            What::Accept => tried(given, ReportCommand::Accept { report }),
            What::Return => {
                let findings = vec![Finding { task: None, text: text("缺佐证") }];
                tried(given, ReportCommand::Return { report, findings })
            }
            What::Correct => {
                let others = [&self.report, &self.other_report];
                let correction = others.into_iter().find(|other| **other != report).cloned();
                tried(given, ReportCommand::Correct { report, correction })
            }
        }
    }
}

fn tried(given: Given, command: impl Command) -> Given {
    let before = given.clone();
    let when = given.when(command);
    if when.outcome.is_ok() { when.carried_out() } else { before }
}

fn run(asks: &[Ask]) -> Given {
    let parts = [(CZT, Part::Lead), (FGW, Part::CoLead)];
    let mut given = given(dispatched(LOGISTICS, &parts)).and([opened()]).because("说明");
    let mut now = noon(START);
    for ask in asks {
        now = now.checked_add(ask.hours.hours()).unwrap();
        given = given.at(now);
        let today = crate::time::civil_date(now);
        let on = today.saturating_sub(ask.days_back.days());
        given = ask.carry_out(given.effective_on(on));
    }
    given
}

fn subjects() -> Vec<Subject> {
    let obligations = AGENCIES.map(|a| Subject::Obligation(ObligationId::of(cycle(), &name::<AgencyId>(a))));
    let reports = REPORTS.into_iter().flatten().map(|report| Subject::Report(name(report)));
    obligations.into_iter().chain(reports).chain([Subject::Cycle(cycle())]).collect()
}

/// Invariant 6: a returned report can't be accepted unless resubmitted; an accepted one changes only by
/// correction.
fn accepted_as_submitted_and_then_left(events: &[Recorded]) {
    let mut last: BTreeMap<&ReportId, &ReportEvent> = BTreeMap::new();
    let mut awaits: BTreeMap<&ReportId, bool> = BTreeMap::new();
    for recorded in events {
        let Event::Report(event) = &recorded.event else { continue };
        let report = event.report();
        let before = last.insert(report, event);
        if let Some(ReportEvent::Accepted { .. }) = before {
            assert!(matches!(event, ReportEvent::Superseded { .. }), "after acceptance: {event:?}");
        }
        assert!(!matches!(before, Some(ReportEvent::Superseded { .. })), "after its end: {event:?}");
        match event {
            ReportEvent::Submitted { .. } => _ = awaits.insert(report, true),
            ReportEvent::Returned { .. } => _ = awaits.insert(report, false),
            ReportEvent::Accepted { .. } => assert_eq!(awaits.get(report), Some(&true), "{report}"),
            ReportEvent::Drafted { .. }
            | ReportEvent::Revised { .. }
            | ReportEvent::Endorsed { .. }
            | ReportEvent::Received { .. }
            | ReportEvent::Superseded { .. } => {}
        }
    }
}

/// Invariant 7: one obligation per agency and cycle; exactly one of met, waived, missed, or still open. It is
/// met iff a report came before the end of the due day, and nothing is submitted for what is waived.
fn settled_at_most_once(events: &[Recorded], world: &World) {
    for agency in AGENCIES {
        let obligation = ObligationId::of(cycle(), &name::<AgencyId>(agency));
        let subject = Subject::Obligation(obligation.clone());
        let (mut opened, mut drafted, mut settled, mut submissions) = (0, 0, 0, Vec::new());
        for recorded in events.iter().filter(|recorded| recorded.is_filed_under(&subject.tag())) {
            match &recorded.event {
                Event::Cycle(CycleEvent::ObligationOpened { .. }) => opened += 1,
                Event::Cycle(_) => settled += 1,
                Event::Report(ReportEvent::Drafted { corrects: None, .. }) => drafted += 1,
                Event::Report(ReportEvent::Submitted { late, .. }) => {
                    submissions.push((recorded.recorded_at, *late));
                }
                _ => {}
            }
        }
        assert!(opened <= 1 && drafted <= 1 && settled <= 1, "{obligation}");
        let Some(folded) = world.find_obligation(&obligation) else {
            assert_eq!(opened, 0);
            continue;
        };
        let in_time = submissions.first().is_some_and(|(at, _)| *at < end_of(DUE));
        match folded.state() {
            ObligationState::Open => assert!(settled == 0 && submissions.is_empty()),
            ObligationState::Met { .. } => assert!(in_time && submissions.iter().all(|(_, late)| !late)),
            ObligationState::Waived { .. } => assert!(submissions.is_empty()),
            ObligationState::Missed => assert!(!in_time && submissions.iter().all(|(_, late)| *late)),
        }
        let days =
            folded.states.spans().windows(2).all(|two| two[0].period.until == Some(two[1].period.from));
        assert!(days && folded.states.last().is_some_and(|span| span.period.until.is_none()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_invariants_of_reporting_hold_whatever_is_asked(asks in prop::collection::vec(ask(), 0..ASKS_MAX)) {
        let given = run(&asks);
        accepted_as_submitted_and_then_left(&given.events);
        settled_at_most_once(&given.events, &given.world(subjects()));
    }

    /// Folded at once, folded again, or folded on from any position: the same.
    #[test]
    fn replaying_twice_is_replaying_once(asks in prop::collection::vec(ask(), 0..ASKS_MAX), cut in 0usize..100) {
        let given = run(&asks);
        let (once, again) = (given.world(subjects()), given.world(subjects()));
        let (before, after) = given.events.split_at(cut.min(given.events.len()));
        let mut resumed = World::of(subjects(), before);
        for recorded in after {
            resumed.apply(recorded);
        }
        for other in [again, resumed] {
            prop_assert_eq!(once.find_cycle(cycle()), other.find_cycle(cycle()));
            for agency in AGENCIES {
                let obligation = ObligationId::of(cycle(), &name::<AgencyId>(agency));
                prop_assert_eq!(once.find_obligation(&obligation), other.find_obligation(&obligation));
            }
            for report in REPORTS.into_iter().flatten().map(name::<ReportId>) {
                prop_assert_eq!(once.find_report(&report), other.find_report(&report));
            }
        }
    }
}

/// The runs above are no idle ones: among them reports are accepted, returned, corrected, and missed.
#[test]
fn what_is_asked_at_random_reaches_every_event() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let runs = prop::collection::vec(prop::collection::vec(ask(), ASKS_MAX), 40);
    let runs = runs.new_tree(&mut runner).unwrap().current();
    let mut seen: Vec<String> = runs.iter().flat_map(|asks| run(asks).events).map(|r| type_of(&r)).collect();
    seen.sort();
    seen.dedup();
    let families = ["cycle.", "obligation.", "report."];
    let all = crate::event::schemas().keys().filter(|name| families.iter().any(|f| name.starts_with(f)));
    for event_type in all {
        assert!(seen.contains(event_type), "never reached: {event_type}");
    }
}

fn type_of(recorded: &Recorded) -> String {
    let body = recorded.event.encode(&recorded.context);
    crate::event::type_of(&body).unwrap().to_owned()
}
