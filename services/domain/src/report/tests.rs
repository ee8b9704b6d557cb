use jiff::civil::date;

use super::fixtures::*;
use super::item::{FINDINGS_MAX, ITEMS_MAX, WRITTEN_MAX};
use super::{EVIDENCE_MAX, Finding, Item, Report, ReportCommand, Stage};
use crate::assignment::Role as Part;
use crate::caller::{Caller, Role};
use crate::command::Proposed;
use crate::cycle::fixtures::*;
use crate::cycle::{Obligation, ObligationState};
use crate::event::Event;
use crate::name::{AgencyId, ObligationId, ReportId};
use crate::rejection::Reason;
use crate::subject::Subject;
use crate::task::Level;
use crate::testing::{DAY, Given, caller, given, happened, name, officer, text};
use crate::text::TEXT_MAX;
use crate::time::{Date, Timestamp, end_of};

mod agency;
mod stored;

fn draft_of(items: Vec<Item>) -> ReportCommand {
    ReportCommand::Draft { cycle: cycle(), agency: name(CZT), report: Some(name(REPORT)), items }
}

fn revise(items: Vec<Item>) -> ReportCommand {
    ReportCommand::Revise { report: name(REPORT), items }
}

fn endorse() -> ReportCommand {
    ReportCommand::Endorse { report: name(REPORT) }
}

fn submit() -> ReportCommand {
    ReportCommand::Submit { report: name(REPORT) }
}

fn receive() -> ReportCommand {
    ReportCommand::Receive { report: name(REPORT) }
}

fn accept() -> ReportCommand {
    ReportCommand::Accept { report: name(REPORT) }
}

fn give_back(findings: Vec<Finding>) -> ReportCommand {
    ReportCommand::Return { report: name(REPORT), findings }
}

fn correct() -> ReportCommand {
    ReportCommand::Correct { report: name(REPORT), correction: Some(name(CORRECTION)) }
}

fn report(given: &Given, report: &str) -> Report {
    let report: ReportId = name(report);
    given.world([Subject::Report(report.clone())]).report(&report).unwrap().clone()
}

fn obligation(given: &Given) -> Obligation {
    let obligation = ObligationId::of(cycle(), &name::<AgencyId>(CZT));
    given.world([Subject::Obligation(obligation.clone())]).obligation(&obligation).unwrap().clone()
}

fn just_before_the_end_of(day: Date) -> Timestamp {
    Timestamp::from_microsecond(end_of(day).as_microsecond() - 1).unwrap()
}

fn named(principal: &str, caller: Caller) -> Caller {
    Caller { principal: crate::caller::PrincipalId::parse(principal).unwrap(), ..caller }
}

// Receiving, accepting, returning

#[test]
fn a_submitted_report_is_received_and_then_accepted() {
    let given = submitted_report().when(receive()).then([received(REPORT)]);
    let given = given.when(receive()).then_nothing().when(accept()).then([accepted(REPORT)]);
    given.when(accept()).then_nothing();
}

#[test]
fn a_report_is_returned_with_a_reason_and_findings() {
    for given in [submitted_report(), received_report()] {
        let findings = || vec![finding("缺佐证"), Finding { task: None, text: text("请核对") }];
        given.clone().when(give_back(findings())).then_rejected(Reason::ReasonRequired);
        let given = given.because("材料不全").when(give_back(findings())).then([returned(findings())]);
        let returned = report(&given, REPORT).returned.unwrap();
        assert_eq!((returned.reason, returned.findings), (Some(text("材料不全")), findings()));
        given.clone().when(give_back(findings())).then_nothing();
        given.when(give_back(vec![finding("又缺佐证")])).then_rejected(Reason::ReportStage);
    }
}

#[test]
fn findings_are_some_and_of_what_the_report_says() {
    let given = submitted_report().because("材料不全");
    given.clone().when(give_back(vec![])).then_rejected(Reason::InvalidField);
    let many = vec![finding("缺佐证"); FINDINGS_MAX + 1];
    given.clone().when(give_back(many)).then_rejected(Reason::InvalidField);
    let foreign = Finding { task: Some(name("tasks/foreign")), text: text("缺佐证") };
    let rejection = given.clone().when(give_back(vec![foreign])).then_rejected(Reason::InvalidField);
    assert_eq!(rejection.subject, "findings[0].task");
    let heavy = vec![finding(&"缺".repeat(TEXT_MAX)); 7];
    given.when(give_back(heavy)).then_rejected(Reason::TooLarge);
}

/// Invariant 6: a returned report can't be accepted unless resubmitted.
#[test]
fn a_returned_report_is_accepted_only_after_it_is_submitted_again() {
    let judge = coordinator_of(FGW);
    let given = returned_report();
    given.clone().as_caller(judge.clone()).when(accept()).then_rejected(Reason::ReportStage);
    given.clone().as_caller(judge.clone()).when(receive()).then_rejected(Reason::ReportStage);
    given.clone().when(endorse()).then_rejected(Reason::ReportStage);
    given.clone().when(submit()).then_rejected(Reason::ReportStage);
    let given = given.when(revise(vec![item(FINANCE, "补充佐证")])).carried_out();
    let given = given.when(endorse()).carried_out().when(submit()).carried_out().as_caller(judge);
    let given = given.when(receive()).carried_out().when(accept()).then([accepted(REPORT)]);
    assert_eq!(report(&given, REPORT).round, 2);
}

/// Every command at every stage: `!` something follows, `=` it is so already, `-` it is refused.
#[test]
fn each_stage_takes_only_its_own_commands() {
    let table = stages().map(|given| {
        commands().map(|(caller, command)| {
            let when = given.clone().as_caller(caller).because("说明").when(command);
            match when.outcome {
                Ok(events) if events.is_empty() => '=',
                Ok(_) => '!',
                Err(rejection) => {
                    assert_eq!(rejection.reason, Reason::ReportStage);
                    '-'
                }
            }
        })
    });
    //              revise endorse submit receive return accept correct
    let expected = [
        ['!', '!', '-', '-', '-', '-', '-'], // draft
        ['!', '=', '!', '-', '-', '-', '-'], // endorsed
        ['-', '-', '=', '!', '!', '-', '-'], // submitted
        ['-', '-', '-', '=', '!', '!', '-'], // received
        ['!', '-', '-', '-', '-', '-', '-'], // returned
        ['-', '-', '-', '-', '-', '=', '!'], // accepted
        ['-', '-', '-', '-', '-', '-', '-'], // superseded
    ];
    assert_eq!(table, expected);
}

// Who

#[test]
fn another_agency_does_nothing_with_it() {
    for (given, command) in [
        (draft(), revise(vec![])),
        (draft(), endorse()),
        (endorsed_report(), submit()),
        (accepted_report(), correct()),
    ] {
        for somebody in [officer(JTT), coordinator_of(FGW), caller(Role::Supervisor)] {
            given.clone().as_caller(somebody).when(command.clone()).then_rejected(Reason::NotYours);
        }
    }
}

#[test]
fn what_is_not_there_is_not_found() {
    for (caller, command) in commands() {
        owing().as_caller(caller).when(command).then_rejected(Reason::ReportNotFound);
    }
}

#[test]
fn only_the_coordinator_of_the_cycle_judges_it() {
    for (given, command) in [
        (submitted_report(), receive()),
        (received_report(), give_back(vec![finding("缺佐证")])),
        (received_report(), accept()),
    ] {
        for (somebody, reason) in [
            (coordinator_of(JTT), Reason::NotYours),
            (coordinator_of(CZT), Reason::NotYours),
            (caller(Role::Supervisor), Reason::RoleNotAllowed),
            (officer(FGW), Reason::RoleNotAllowed),
            (officer(CZT), Reason::RoleNotAllowed),
            (caller(Role::Auditor), Reason::RoleNotAllowed),
        ] {
            given.clone().as_caller(somebody).when(command.clone()).then_rejected(reason);
        }
    }
}

#[test]
fn the_coordinators_own_report_is_judged_by_a_supervisor_of_another_agency() {
    let (own, cycle, agency) = of("reports/fgw-2026", FGW);
    let draft = ReportCommand::Draft {
        cycle,
        agency,
        report: Some(own.clone()),
        items: vec![item(LOGISTICS, "试点两个园区")],
    };
    let given = given(dispatched(LOGISTICS, &[(FGW, Part::Lead)])).and([opened()]);
    let given = given.and([owes(FGW, &[LOGISTICS])]).as_caller(officer(FGW)).when(draft).carried_out();
    let given = given.when(ReportCommand::Endorse { report: own.clone() }).carried_out();
    let mut given = given.when(ReportCommand::Submit { report: own.clone() }).carried_out();
    for command in [ReportCommand::Receive { report: own.clone() }, ReportCommand::Accept { report: own }] {
        for somebody in [coordinator_of(FGW), supervisor_of(FGW)] {
            let refused = given.clone().as_caller(somebody).when(command.clone());
            refused.then_rejected(Reason::SeparationOfDuty);
        }
        given = given.as_caller(caller(Role::Supervisor)).when(command).carried_out();
    }
}

#[test]
fn who_had_a_hand_in_it_does_not_accept_it_in_another_role() {
    let czt = || named("zhang", officer(CZT));
    let zhang = named("zhang", coordinator_of(FGW));
    let drafted = owing().and([happened(drafted(items())).by(czt())]);
    let endorsed_by_zhang = draft().and([happened(endorsed(REPORT)).by(czt())]);
    for given in [drafted.and([endorsed(REPORT)]), endorsed_by_zhang] {
        let given = given.and([submitted(REPORT, false, 1), received(REPORT)]);
        given.as_caller(zhang.clone()).when(accept()).then_rejected(Reason::SeparationOfDuty);
    }
    let submitted_by_zhang = endorsed_report().and([happened(submitted(REPORT, false, 1)).by(czt())]);
    let given = submitted_by_zhang.and([received(REPORT)]).as_caller(zhang.clone());
    given.clone().when(accept()).then_rejected(Reason::SeparationOfDuty);
    let next_round = [returned(vec![finding("缺佐证")]), revised(items()), endorsed(REPORT)];
    let given = given.and(next_round).and([submitted(REPORT, false, 2), received(REPORT)]);
    given.clone().when(accept()).then_rejected(Reason::SeparationOfDuty);
    given.as_caller(coordinator_of(FGW)).when(accept()).then([accepted(REPORT)]);
}

// Correcting

#[test]
fn an_accepted_report_is_corrected_by_another_that_supersedes_it() {
    let given = accepted_report().because("数据有误").when(correct()).then([correction()]);
    let given = given.when(ReportCommand::Endorse { report: name(CORRECTION) }).carried_out();
    let given = given.when(ReportCommand::Submit { report: name(CORRECTION) });
    let given = given.then([submitted(CORRECTION, false, 1)]).as_caller(coordinator_of(FGW));
    let given = given.when(ReportCommand::Receive { report: name(CORRECTION) }).carried_out();
    assert_eq!(obligation(&given).report, Some(name(REPORT)));
    let given = given.when(ReportCommand::Accept { report: name(CORRECTION) });
    let given = given.then([accepted(CORRECTION), superseded()]);
    assert_eq!(obligation(&given).report, Some(name(CORRECTION)));
    assert_eq!(obligation(&given).state(), &ObligationState::Met { report: name(REPORT) });
    let old = report(&given, REPORT);
    assert_eq!((old.stage, old.superseded_by), (Stage::Superseded, Some(name(CORRECTION))));
}

#[test]
fn a_correction_needs_a_reason() {
    accepted_report().when(correct()).then_rejected(Reason::ReasonRequired);
}

#[test]
fn one_correction_is_under_way_at_a_time() {
    let another = ReportCommand::Correct { report: name(REPORT), correction: Some(name("reports/another")) };
    let given = accepted_report().and([correction()]).because("数据有误");
    let rejection = given.when(another).then_rejected(Reason::ReportStage);
    assert_eq!(rejection.metadata["correction"], CORRECTION);
}

#[test]
fn an_accepted_correction_can_itself_be_corrected() {
    let again = ReportCommand::Correct { report: name(CORRECTION), correction: Some(name("reports/third")) };
    assert!(superseded_report().because("数据有误").when(again).outcome.is_ok());
}

#[test]
fn a_correction_does_not_take_the_id_of_another_report() {
    let onto_itself = ReportCommand::Correct { report: name(REPORT), correction: Some(name(REPORT)) };
    let given = accepted_report().because("数据有误");
    given.when(onto_itself).then_rejected(Reason::ReportExists);
}

// Dates, and what is folded

#[test]
fn a_step_is_dated_between_the_one_before_and_today() {
    for (caller, command) in commands() {
        let given = stages().into_iter().find(|given| {
            let when = given.clone().as_caller(caller.clone()).because("说明").when(command.clone());
            when.outcome.is_ok_and(|events| !events.is_empty())
        });
        let given = given.unwrap().as_caller(caller).because("说明");
        let yesterday = given.clone().effective_on(date(2026, 2, 28));
        yesterday.when(command.clone()).then_rejected(Reason::StepBeforeLast);
        let tomorrow = given.effective_on(date(2026, 3, 2));
        tomorrow.when(command).then_rejected(Reason::StepInFuture);
    }
}

#[test]
fn a_report_stands_where_its_steps_had_brought_it_on_that_day() {
    let given = draft().and([happened(endorsed(REPORT)).on(date(2026, 3, 5))]);
    let report = report(&given, REPORT);
    let stage_on = |day| report.step_on(day).map(|step| step.stage);
    assert_eq!(stage_on(date(2026, 2, 28)), None);
    assert_eq!(stage_on(date(2026, 3, 4)), Some(Stage::Draft));
    assert_eq!(stage_on(date(2026, 3, 5)), Some(Stage::Endorsed));
}

#[test]
fn a_report_says_why_it_is_as_it_is() {
    let given = superseded_report();
    let report = report(&given, REPORT);
    let fields = report.explain(DAY);
    let because = |name: &str| fields.iter().find(|f| f.name == name).map(|f| f.because.clone()).unwrap();
    let (drafted, last) = (report.steps[0].at, report.steps.last().unwrap().at);
    assert_eq!(because("agency"), [drafted]);
    assert_eq!(because("items/finance.self_assessment"), [drafted]);
    assert_eq!(because("stage"), [last]);
    assert_eq!(because("superseded_by"), [last]);
    assert_eq!(report.because().len(), report.steps.len());
}
