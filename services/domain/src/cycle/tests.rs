use jiff::civil::date;

use super::fixtures::*;
use super::{Cycle, CycleCommand, CycleEvent, CycleStage, Obligation, ObligationState, Rule};
use crate::assignment::{AssignmentEvent, Role as Part};
use crate::caller::Role;
use crate::command::Proposed;
use crate::event::Event;
use crate::name::{AgencyId, ObligationId};
use crate::rejection::Reason;
use crate::report::ReportEvent;
use crate::subject::Subject;
use crate::task::{RuleVersion, TaskEvent};
use crate::testing::{DAY, Given, caller, given, given_nothing, happened, name, officer, text};
use crate::time::{Date, Period, Timestamp, end_of};

mod stored;

fn obligation_of(agency: &str) -> ObligationId {
    ObligationId::of(cycle(), &name::<AgencyId>(agency))
}

fn open() -> CycleCommand {
    CycleCommand::Open { cycle: cycle(), due_on: None, holders_on: None, rule: None }
}

fn open_for(agency: &str) -> CycleCommand {
    CycleCommand::OpenObligation { cycle: cycle(), agency: name(agency), tasks: vec![] }
}

fn enrol(obligations: u32) -> CycleCommand {
    CycleCommand::Enrol { cycle: cycle(), obligations }
}

fn waive(agency: &str) -> CycleCommand {
    CycleCommand::Waive { obligation: obligation_of(agency) }
}

fn mark_missed(agency: &str) -> CycleCommand {
    CycleCommand::MarkMissed { obligation: obligation_of(agency) }
}

/// One task that JTT leads together with CZT and with FGW's support, and an open cycle.
fn led() -> Given {
    let parts = [(JTT, Part::Lead), (CZT, Part::CoLead), (FGW, Part::Supporting)];
    given(dispatched(LOGISTICS, &parts)).and([opened()])
}

/// CZT must report in an open cycle, and the coordinator asks.
fn owing() -> Given {
    given([opened()]).and([owes(CZT, &[LOGISTICS])]).as_caller(coordinator_of(FGW)).because("机构改革")
}

fn folded(given: &Given, agency: &str) -> Obligation {
    let obligation = obligation_of(agency);
    let world = given.world([Subject::Obligation(obligation.clone())]);
    world.obligation(&obligation).unwrap().clone()
}

fn just_before_the_end_of(day: Date) -> Timestamp {
    Timestamp::from_microsecond(end_of(day).as_microsecond() - 1).unwrap()
}

// Opening a cycle

#[test]
fn a_cycle_is_due_at_the_end_of_its_year_and_asks_those_who_lead_on_the_day_it_is_opened() {
    let expected = CycleEvent::Opened {
        cycle: cycle(),
        due_on: date(2026, 12, 31),
        holders_on: DAY,
        rule: Rule::EveryLead,
        coordinator: name(FGW),
    };
    given_nothing().as_caller(coordinator_of(FGW)).when(open()).then_dated([Proposed::on(DAY, expected)]);
}

#[test]
fn a_cycle_is_opened_as_asked() {
    let (yesterday, today) = (date(2026, 2, 28), DAY);
    let command = CycleCommand::Open {
        cycle: cycle(),
        due_on: Some(today),
        holders_on: Some(date(2026, 1, 1)),
        rule: Some(Rule::FirstNamed),
    };
    let expected = CycleEvent::Opened {
        cycle: cycle(),
        due_on: today,
        holders_on: date(2026, 1, 1),
        rule: Rule::FirstNamed,
        coordinator: name(FGW),
    };
    let given = given_nothing().as_caller(coordinator_of(FGW)).effective_on(yesterday);
    given.when(command).then_dated([Proposed::on(yesterday, expected)]);
}

#[test]
fn a_cycle_is_opened_once() {
    given([opened()]).as_caller(coordinator_of(FGW)).when(open()).then_rejected(Reason::CycleExists);
}

#[test]
fn a_cycle_is_opened_for_an_agency() {
    given_nothing().as_caller(caller(Role::Supervisor)).when(open()).then_rejected(Reason::RoleNotAllowed);
}

#[test]
fn a_cycle_cannot_be_due_before_today() {
    let due = |day| CycleCommand::Open { cycle: cycle(), due_on: Some(day), holders_on: None, rule: None };
    let given = given_nothing().as_caller(coordinator_of(FGW));
    given.when(due(date(2026, 2, 28))).then_rejected(Reason::DueInPast);
    let given = given_nothing().as_caller(coordinator_of(FGW)).on(date(2027, 1, 1));
    given.when(open()).then_rejected(Reason::DueInPast);
}

#[test]
fn who_will_lead_tomorrow_is_not_asked_today() {
    let holders_on = Some(date(2026, 3, 2));
    let command = CycleCommand::Open { cycle: cycle(), due_on: None, holders_on, rule: None };
    let given = given_nothing().as_caller(coordinator_of(FGW));
    given.when(command).then_rejected(Reason::HoldersInFuture);
}

#[test]
fn a_cycle_is_not_opened_tomorrow() {
    let given = given_nothing().as_caller(coordinator_of(FGW)).effective_on(date(2026, 3, 2));
    given.when(open()).then_rejected(Reason::StepInFuture);
}

// Opening obligations

#[test]
fn every_lead_owes_one_report_from_the_day_the_cycle_was_opened() {
    for agency in [JTT, CZT] {
        let expected = Proposed::on(DAY, owes(agency, &[LOGISTICS]));
        let later = led().as_caller(caller(Role::System)).on(date(2026, 3, 5));
        later.when(open_for(agency)).then_dated([expected]);
    }
}

#[test]
fn who_does_not_lead_owes_nothing() {
    led().as_caller(caller(Role::System)).when(open_for(FGW)).then_nothing();
    led().as_caller(caller(Role::System)).when(open_for("agencies/unheard-of")).then_nothing();
}

#[test]
fn only_the_first_named_owe_by_that_rule() {
    let task = dispatched(LOGISTICS, &[(JTT, Part::Lead), (CZT, Part::CoLead)]);
    let given = given(task).and([opened_by(Rule::FirstNamed)]).as_caller(caller(Role::System));
    given.clone().when(open_for(JTT)).then([owes_by(Rule::FirstNamed, JTT, &[LOGISTICS])]);
    given.when(open_for(CZT)).then_nothing();
}

#[test]
fn one_report_answers_for_all_tasks_that_an_agency_leads() {
    let given = led().and(dispatched(FINANCE, &[(CZT, Part::Lead)])).as_caller(caller(Role::System));
    given.when(open_for(CZT)).then([owes(CZT, &[FINANCE, LOGISTICS])]);
}

#[test]
fn the_plan_is_a_hint_and_adds_nothing() {
    let planned = CycleCommand::OpenObligation {
        cycle: cycle(),
        agency: name(CZT),
        tasks: vec![name(FINANCE), name("tasks/unheard-of")],
    };
    let given = led().and(dispatched(FINANCE, &[(JTT, Part::Lead)])).as_caller(caller(Role::System));
    given.when(planned).then([owes(CZT, &[LOGISTICS])]);
}

#[test]
fn a_task_that_is_not_live_on_the_day_of_holders_is_not_reported_on() {
    let withdrawn = TaskEvent::Withdrawn { task: name(LOGISTICS) };
    let given = led().as_caller(caller(Role::System));
    given.clone().and([withdrawn.clone()]).when(open_for(CZT)).then_nothing();
    // Withdrawn since: it was live on that day.
    let since = given.and([happened(withdrawn).on(date(2026, 3, 2))]);
    since.when(open_for(CZT)).then([owes(CZT, &[LOGISTICS])]);
    let only_proposed = dispatched(LOGISTICS, &[]).into_iter().take(2);
    let given = given_nothing().and(only_proposed).and([opened()]).as_caller(caller(Role::System));
    given.when(open_for(CZT)).then_nothing();
}

#[test]
fn who_leads_from_after_the_day_of_holders_owes_nothing() {
    let tomorrow = date(2026, 3, 2);
    let given = given(dispatched_on(tomorrow, LOGISTICS, &[(CZT, Part::Lead)])).and([opened()]);
    given.as_caller(caller(Role::System)).when(open_for(CZT)).then_nothing();
}

#[test]
fn who_led_on_the_day_of_holders_owes_though_it_no_longer_leads() {
    let released = AssignmentEvent::Released {
        assignment: name("tasks/logistics/assignments/czt"),
        agency: name(CZT),
        period: Period::since(date(2026, 3, 2)),
    };
    let given = led().and([happened(released).on(date(2026, 3, 2))]).as_caller(caller(Role::System));
    given.when(open_for(CZT)).then([owes(CZT, &[LOGISTICS])]);
}

#[test]
fn an_obligation_is_opened_once() {
    let given = led().and([owes(CZT, &[LOGISTICS])]).as_caller(caller(Role::System));
    given.when(open_for(CZT)).then_nothing();
}

#[test]
fn nothing_is_opened_after_the_cycle_is_enrolled() {
    let enrolled = CycleEvent::Enrolled { cycle: cycle(), obligations: 1 };
    led().and([enrolled]).as_caller(caller(Role::System)).when(open_for(CZT)).then_nothing();
}

#[test]
fn there_is_nothing_to_open_without_a_cycle() {
    let given = given_nothing().as_caller(caller(Role::System));
    given.when(open_for(CZT)).then_rejected(Reason::CycleNotFound);
}

#[test]
fn openings_of_one_cycle_do_not_conflict() {
    let subjects = |agency| Event::from(owes(agency, &[LOGISTICS])).subjects();
    assert_eq!(subjects(CZT), [Subject::Obligation(obligation_of(CZT))]);
    assert!(!subjects(JTT).contains(&Subject::Cycle(cycle())));
}

#[test]
fn a_cycle_is_enrolled_once() {
    let enrolled = CycleEvent::Enrolled { cycle: cycle(), obligations: 2 };
    let given = led().as_caller(caller(Role::System)).on(date(2026, 3, 2));
    let given = given.when(enrol(2)).then_dated([Proposed::on(DAY, enrolled)]);
    let world = given.world([Subject::Cycle(cycle())]);
    assert!(matches!(world.cycle(cycle()).unwrap().stage, CycleStage::Open { obligations: 2, .. }));
    given.when(enrol(3)).then_nothing();
    given_nothing().as_caller(caller(Role::System)).when(enrol(0)).then_rejected(Reason::CycleNotFound);
}

#[test]
fn only_the_system_opens_enrols_and_finds_missed() {
    for somebody in [coordinator_of(FGW), caller(Role::Supervisor), officer(CZT)] {
        let given = led().and([owes(JTT, &[LOGISTICS])]).as_caller(somebody).on(date(2027, 1, 1));
        for command in [open_for(CZT), enrol(2), mark_missed(JTT)] {
            given.clone().when(command).then_rejected(Reason::RoleNotAllowed);
        }
    }
}

// Waiving

#[test]
fn the_coordinator_waives_what_another_agency_owes() {
    let given = owing().when(waive(CZT)).then_dated([Proposed::on(DAY, waived(CZT))]);
    let reason = Some(text("机构改革"));
    assert_eq!(folded(&given, CZT).state(), &ObligationState::Waived { reason });
    given.when(waive(CZT)).then_nothing();
}

#[test]
fn a_waiver_needs_a_reason() {
    let given = given([opened()]).and([owes(CZT, &[LOGISTICS])]).as_caller(coordinator_of(FGW));
    given.when(waive(CZT)).then_rejected(Reason::ReasonRequired);
}

#[test]
fn only_an_open_obligation_is_waived() {
    for settled in [met(CZT, "reports/a"), missed(CZT)] {
        owing().and([settled]).when(waive(CZT)).then_rejected(Reason::ObligationStage);
    }
}

#[test]
fn a_waiver_comes_before_the_end_of_the_due_day() {
    owing().at(just_before_the_end_of(DUE)).when(waive(CZT)).then([waived(CZT)]);
    owing().at(end_of(DUE)).when(waive(CZT)).then_rejected(Reason::ObligationStage);
}

#[test]
fn a_waiver_is_dated_between_the_opening_and_today() {
    let given = owing().effective_on(date(2026, 2, 28));
    given.when(waive(CZT)).then_rejected(Reason::StepBeforeLast);
    owing().effective_on(date(2026, 3, 2)).when(waive(CZT)).then_rejected(Reason::StepInFuture);
}

#[test]
fn the_coordinators_own_obligation_is_waived_by_a_supervisor_of_no_party() {
    let given = given([opened()]).and([owes(FGW, &[LOGISTICS])]).because("机构改革");
    given.clone().as_caller(caller(Role::Supervisor)).when(waive(FGW)).then([waived(FGW)]);
    given.clone().as_caller(supervisor_of(CZT)).when(waive(FGW)).then([waived(FGW)]);
    given.clone().as_caller(supervisor_of(FGW)).when(waive(FGW)).then_rejected(Reason::SeparationOfDuty);
    given.as_caller(coordinator_of(FGW)).when(waive(FGW)).then_rejected(Reason::SeparationOfDuty);
}

#[test]
fn nobody_else_waives() {
    owing().as_caller(coordinator_of(JTT)).when(waive(CZT)).then_rejected(Reason::NotYours);
    owing().as_caller(coordinator_of(CZT)).when(waive(CZT)).then_rejected(Reason::NotYours);
    for role in [Role::Supervisor, Role::Auditor, Role::Sysadmin, Role::Secadmin, Role::System] {
        owing().as_caller(caller(role)).when(waive(CZT)).then_rejected(Reason::RoleNotAllowed);
    }
    for agency in [CZT, FGW] {
        owing().as_caller(officer(agency)).when(waive(CZT)).then_rejected(Reason::RoleNotAllowed);
    }
}

#[test]
fn what_is_not_owed_is_not_waived() {
    owing().when(waive(JTT)).then_rejected(Reason::ObligationNotFound);
}

// Silence

#[test]
fn silence_past_the_due_day_is_recorded_once() {
    let given = owing().as_caller(caller(Role::System)).at(end_of(DUE));
    let given = given.when(mark_missed(CZT)).then_dated([Proposed::on(DUE, missed(CZT))]);
    assert_eq!(folded(&given, CZT).state(), &ObligationState::Missed);
    given.when(mark_missed(CZT)).then_nothing();
}

#[test]
fn nothing_is_missed_before_the_end_of_the_due_day_in_shanghai() {
    let given = owing().as_caller(caller(Role::System)).at(just_before_the_end_of(DUE));
    given.when(mark_missed(CZT)).then_nothing();
}

#[test]
fn what_is_met_or_waived_is_not_missed() {
    for settled in [met(CZT, "reports/a"), waived(CZT)] {
        let given = owing().and([settled]).as_caller(caller(Role::System)).at(end_of(DUE));
        given.when(mark_missed(CZT)).then_nothing();
    }
}

#[test]
fn what_is_not_owed_is_not_missed() {
    let given = owing().as_caller(caller(Role::System)).at(end_of(DUE));
    given.when(mark_missed(JTT)).then_rejected(Reason::ObligationNotFound);
}

// What is folded

#[test]
fn an_obligation_is_open_until_the_day_it_is_settled() {
    let obligation = folded(&owing().and([missed(CZT)].map(|event| happened(event).on(DUE))), CZT);
    let on = |day| obligation.states.value_on(day);
    assert_eq!(on(date(2026, 2, 28)), None);
    assert_eq!(on(DAY), Some(&ObligationState::Open));
    assert_eq!(on(date(2026, 12, 30)), Some(&ObligationState::Open));
    assert_eq!(on(DUE), Some(&ObligationState::Missed));
    assert_eq!(obligation.because, [2, 3]);
    let state = |day| obligation.explain(day).into_iter().find(|field| field.name == "state");
    assert_eq!(state(DAY).unwrap().value, "OPEN");
    assert_eq!(state(DUE).unwrap().because, [3]);
}

#[test]
fn an_obligation_knows_its_first_submission() {
    let submitted = |round| ReportEvent::Submitted {
        report: name("reports/a"),
        cycle: cycle(),
        agency: name(CZT),
        late: false,
        round,
    };
    let obligation = folded(&owing().and([submitted(1), submitted(2)]), CZT);
    assert_eq!(obligation.submission.as_ref().map(|s| (s.at, s.late)), Some((3, false)));
    let field = obligation.explain(DAY).into_iter().find(|field| field.name == "first_submitted_on");
    assert_eq!(field.unwrap().because, [3]);
}

#[test]
fn a_cycle_says_why_it_is_as_it_is() {
    let world = led().world([Subject::Cycle(cycle())]);
    let cycle: &Cycle = world.cycle(cycle()).unwrap();
    let fields: Vec<String> = cycle.explain(DAY).iter().map(|f| format!("{}={}", f.name, f.value)).collect();
    assert!(fields.contains(&"rule=every-lead v1".to_owned()));
    assert!(fields.contains(&"stage=OPENING".to_owned()));
    assert!(cycle.explain(DAY).iter().all(|field| field.because == cycle.because()));
}

#[test]
fn a_rule_is_stored_with_its_version_and_an_unknown_one_is_no_rule() {
    for rule in Rule::ALL {
        let stored = serde_json::to_value(rule).unwrap();
        assert_eq!(stored, serde_json::json!({ "id": rule.id(), "version": 1 }));
        assert_eq!(rule.id().parse(), Ok(rule));
    }
    let schema = &crate::event::schemas()["cycle.opened.v1"];
    let shape = schema.pointer("/$defs/Rule").unwrap_or(&schema["$defs"]["RuleVersion"]);
    assert!(shape["properties"]["version"].is_object(), "{schema}");
    let unknown = RuleVersion { id: "every-lead".to_owned(), version: 2 };
    assert!(Rule::try_from(unknown).is_err());
    assert!("every".parse::<Rule>().is_err());
}
