//! What the reporting agency does: draft, revise, endorse, submit.

use super::*;

// Drafting

#[test]
fn a_draft_is_prefilled_from_what_the_agency_last_said() {
    let said = [
        self_assessed(FINANCE, Level::NotStarted, "尚未启动", vec![]),
        self_assessed(FINANCE, Level::Substantial, "办法已印发", vec![file("办法.pdf")]),
    ];
    let known = Item {
        progress: Some(text("办法已印发")),
        self_assessment: Some(Level::Substantial),
        evidence: vec![file("办法.pdf")],
        ..Item::empty(name(FINANCE))
    };
    let expected = drafted(vec![known, Item::empty(name(LOGISTICS))]);
    owing().and(said).when(draft_of(vec![])).then_dated([Proposed::on(DAY, expected)]);
}

#[test]
fn what_the_caller_says_goes_before_what_the_log_knows() {
    let given = owing().and([self_assessed(LOGISTICS, Level::NotStarted, "尚未启动", vec![])]);
    let said = item(LOGISTICS, "试点两个园区");
    given.when(draft_of(vec![said.clone()])).then([drafted(vec![Item::empty(name(FINANCE)), said])]);
}

#[test]
fn a_draft_that_knows_too_much_leaves_out_the_rest() {
    let names: Vec<String> = (0..10).map(|i| format!("tasks/t{i}")).collect();
    let tasks: Vec<&str> = names.iter().map(String::as_str).collect();
    let long = "进".repeat(TEXT_MAX);
    let dispatched: Vec<Event> = tasks.iter().flat_map(|t| dispatched(t, &[(CZT, Part::Lead)])).collect();
    let said = tasks.iter().map(|task| self_assessed(task, Level::Limited, &long, vec![]));
    let given = given(dispatched).and(said).and([opened()]).and([owes(CZT, &tasks)]);
    let given = given.as_caller(officer(CZT)).when(draft_of(vec![])).carried_out();
    let items = report(&given, REPORT).items;
    assert_eq!(items.len(), 10);
    let told = items.iter().take_while(|item| item.progress.is_some()).count();
    assert!((1..10).contains(&told));
    assert!(items[told..].iter().all(|item| *item == Item::empty(item.task.clone())));
}

#[test]
fn a_draft_without_an_id_gets_one() {
    let command = ReportCommand::Draft { cycle: cycle(), agency: name(CZT), report: None, items: items() };
    assert_eq!(owing().when(command).outcome.unwrap().len(), 1);
}

#[test]
fn an_agency_drafts_for_itself_only() {
    for somebody in [officer(JTT), coordinator_of(FGW), caller(Role::Supervisor)] {
        owing().as_caller(somebody).when(draft_of(vec![])).then_rejected(Reason::NotYours);
    }
}

#[test]
fn who_owes_nothing_drafts_nothing() {
    let command = |cycle: &str, agency| ReportCommand::Draft {
        cycle: name(cycle),
        agency: name(agency),
        report: None,
        items: vec![],
    };
    let given = owing().as_caller(officer(JTT));
    given.clone().when(command(CYCLE, JTT)).then_rejected(Reason::ObligationNotFound);
    given.when(command("cycles/2027", JTT)).then_rejected(Reason::CycleNotFound);
}

#[test]
fn an_obligation_has_one_live_report() {
    let another = ReportCommand::Draft {
        cycle: cycle(),
        agency: name(CZT),
        report: Some(name("reports/another")),
        items: vec![],
    };
    for given in stages() {
        let given = given.as_caller(officer(CZT));
        given.when(another.clone()).then_rejected(Reason::ObligationStage);
    }
}

#[test]
fn a_report_id_is_taken_once() {
    let given = owing().and([owes(JTT, &[LOGISTICS])]).and([drafted(items())]).as_caller(officer(JTT));
    let command =
        ReportCommand::Draft { cycle: cycle(), agency: name(JTT), report: Some(name(REPORT)), items: vec![] };
    given.when(command).then_rejected(Reason::ReportExists);
}

#[test]
fn what_is_waived_takes_no_report() {
    owing().and([waived(CZT)]).when(draft_of(vec![])).then_rejected(Reason::ObligationStage);
    for command in [revise(vec![]), endorse()] {
        draft().and([waived(CZT)]).when(command).then_rejected(Reason::ObligationStage);
    }
    endorsed_report().and([waived(CZT)]).when(submit()).then_rejected(Reason::ObligationStage);
}

#[test]
fn what_is_missed_can_still_be_drafted() {
    let given = owing().and([happened(missed(CZT)).on(DUE)]).on(date(2027, 1, 4));
    let expected = Proposed::on(date(2027, 1, 4), drafted(items()));
    given.when(draft_of(items())).then_dated([expected]);
}

#[test]
fn a_task_that_need_not_be_reported_on_is_refused_by_name() {
    let foreign = || vec![item("tasks/foreign", "与我无关")];
    let rejection = owing().when(draft_of(foreign())).then_rejected(Reason::ReportIncomplete);
    assert_eq!(rejection.metadata["foreign"], "tasks/foreign");
    draft().when(revise(foreign())).then_rejected(Reason::ReportIncomplete);
}

#[test]
fn a_task_has_one_item() {
    let twice = || vec![item(FINANCE, "一"), item(FINANCE, "二")];
    let rejection = owing().when(draft_of(twice())).then_rejected(Reason::InvalidField);
    assert_eq!(rejection.subject, "items[1].task");
    draft().when(revise(twice())).then_rejected(Reason::InvalidField);
}

#[test]
fn items_and_their_evidence_are_bounded() {
    let many = (0..=ITEMS_MAX).map(|i| item(&format!("tasks/t{i}"), "一")).collect();
    owing().when(draft_of(many)).then_rejected(Reason::InvalidField);
    let evidence = |count| vec![Item { evidence: vec![file("证"); count], ..item(FINANCE, "一") }];
    draft().when(revise(evidence(EVIDENCE_MAX + 1))).then_rejected(Reason::InvalidField);
    assert!(draft().when(revise(evidence(EVIDENCE_MAX))).outcome.is_ok());
}

#[test]
fn the_longest_report_with_the_longest_reason_fits_the_log() {
    // Four bytes a code point, the most that UTF-8 has.
    let long = |length| text(&"\u{20000}".repeat(length));
    let heavy = |task, length: usize| Item {
        progress: Some(long(length.min(TEXT_MAX))),
        difficulties: Some(long(length.saturating_sub(TEXT_MAX).max(1))),
        ..item(task, "一")
    };
    let fitting = vec![heavy(FINANCE, 2 * TEXT_MAX), heavy(LOGISTICS, 2 * TEXT_MAX)];
    let weight = serde_json::to_vec(&fitting).unwrap().len();
    assert!(weight < WRITTEN_MAX && weight > WRITTEN_MAX * 8 / 10);
    let reason = "\u{20000}".repeat(TEXT_MAX);
    draft().because(&reason).when(revise(fitting.clone())).then([revised(fitting.clone())]);
    let too_heavy: Vec<Item> =
        fitting.into_iter().map(|item| Item { next_steps: Some(long(TEXT_MAX)), ..item }).collect();
    owing().when(draft_of(too_heavy.clone())).then_rejected(Reason::TooLarge);
    draft().when(revise(too_heavy)).then_rejected(Reason::TooLarge);
}

#[test]
fn a_draft_is_no_older_than_what_it_answers() {
    let given = owing().effective_on(date(2026, 2, 28));
    given.when(draft_of(vec![])).then_rejected(Reason::StepBeforeLast);
}

// Revising and endorsing

#[test]
fn a_revision_replaces_the_items_given_and_keeps_the_others() {
    let new = item(LOGISTICS, "试点三个园区");
    draft().when(revise(vec![new.clone()])).then([revised(vec![items()[0].clone(), new])]);
}

#[test]
fn a_revision_that_changes_nothing_in_a_draft_is_none() {
    draft().when(revise(items())).then_nothing();
    draft().when(revise(vec![])).then_nothing();
}

#[test]
fn a_revision_takes_an_endorsement_back_even_where_no_word_changes() {
    for given in [endorsed_report(), returned_report()] {
        let given = given.when(revise(vec![])).then([revised(items())]);
        let report = report(&given, REPORT);
        assert_eq!(report.stage, Stage::Draft);
        assert_eq!(report.standing_step_to(Stage::Endorsed), None);
        assert!(report.last_step_to(Stage::Endorsed).is_some());
    }
}

#[test]
fn only_a_complete_draft_is_endorsed() {
    let half = Item { self_assessment: None, ..item(FINANCE, "一") };
    let silent = Item { progress: None, ..item(FINANCE, "一") };
    for missing in [half, silent, Item::empty(name(FINANCE))] {
        let given = owing().and([drafted(vec![missing, items()[1].clone()])]);
        let rejection = given.when(endorse()).then_rejected(Reason::ReportIncomplete);
        assert_eq!(rejection.metadata["missing"], FINANCE);
    }
    draft().when(endorse()).then([endorsed(REPORT)]);
}

#[test]
fn a_report_endorsed_though_incomplete_is_not_submitted() {
    let given = owing().and([drafted(vec![items()[0].clone()]), endorsed(REPORT)]);
    let rejection = given.when(submit()).then_rejected(Reason::ReportIncomplete);
    assert_eq!(rejection.metadata["missing"], LOGISTICS);
}

// Submitting

#[test]
fn the_first_submission_in_time_meets_the_obligation() {
    let given = endorsed_report().at(just_before_the_end_of(DUE));
    let events = [Event::from(submitted(REPORT, false, 1)), met(CZT, REPORT).into()];
    let given = given.when(submit()).then(events);
    assert_eq!(obligation(&given).state(), &ObligationState::Met { report: name(REPORT) });
    given.when(submit()).then_nothing();
}

#[test]
fn a_submission_after_the_due_day_records_the_silence_before_it() {
    let given = endorsed_report().at(end_of(DUE));
    let events = [Proposed::on(DUE, missed(CZT)), Proposed::on(date(2027, 1, 1), submitted(REPORT, true, 1))];
    let given = given.when(submit()).then_dated(events);
    assert_eq!(obligation(&given).state(), &ObligationState::Missed);
    assert!(report(&given, REPORT).late && obligation(&given).submission.unwrap().late);
}

#[test]
fn a_submission_dated_back_is_late_all_the_same() {
    let given = endorsed_report().at(end_of(DUE)).effective_on(DUE);
    let events = [Proposed::on(DUE, missed(CZT)), Proposed::on(DUE, submitted(REPORT, true, 1))];
    given.when(submit()).then_dated(events);
}

#[test]
fn a_submission_after_the_clock_has_spoken_is_late() {
    let given = endorsed_report().and([happened(missed(CZT)).on(DUE)]).on(date(2027, 1, 4));
    let given = given.when(submit()).then([submitted(REPORT, true, 1)]);
    assert_eq!(obligation(&given).state(), &ObligationState::Missed);
}

#[test]
fn a_resubmission_after_the_due_day_of_what_came_in_time_is_not_late() {
    let given = returned_report().and([revised(items()), endorsed(REPORT)]).on(date(2027, 1, 4));
    let given = given.when(submit()).then([submitted(REPORT, false, 2)]);
    assert_eq!(report(&given, REPORT).round, 2);
    assert_eq!(obligation(&given).state(), &ObligationState::Met { report: name(REPORT) });
}

#[test]
fn a_return_does_not_unmeet() {
    assert!(matches!(obligation(&returned_report()).state(), ObligationState::Met { .. }));
}
