//! The end of an agency, and what it leaves.

use super::*;

#[test]
fn a_dissolved_agency_keeps_its_credit_code_and_gives_up_its_names() {
    let given = the_bank()
        .when(amend(BANK, [Amendment::CreditCode(Some(code(CODE)))]))
        .carried_out()
        .because("机构改革")
        .effective_on(Y2027)
        .when(dissolve(BANK))
        .then([dissolved(BANK, &[OLD])]);
    let mut command = register(OTHER, OLD);
    given.clone().effective_on(Y2027).when(command.clone()).carried_out();
    given.clone().effective_on(DAY).when(command.clone()).then_rejected(Reason::NameTaken);
    if let AgencyCommand::Register { credit_code, .. } = &mut command {
        *credit_code = Some(code(CODE));
    }
    given.effective_on(Y2027).when(command).then_rejected(Reason::CreditCodeTaken);
}

fn assigned(until: Option<Date>) -> Happened {
    happened(AssignmentEvent::Dispatched {
        assignment: name("tasks/finance/assignments/bank"),
        agency: name(BANK),
        role: Role::Lead,
        period: Period::new(Y2022, until),
        source: None,
    })
    .on(Y2022)
}

#[test]
fn what_still_answers_for_something_is_not_dissolved() {
    let busy = || the_bank().and([assigned(Some(Y2024))]).because("机构改革");
    let rejection = busy().effective_on(Y2023).when(dissolve(BANK)).then_rejected(Reason::AgencyHasDuties);
    assert_eq!(rejection.metadata["first"], "tasks/finance/assignments/bank");
    busy().effective_on(Y2024).when(dissolve(BANK)).then([dissolved(BANK, &[OLD])]);
    let endless = the_bank().and([assigned(None)]).because("机构改革");
    endless.effective_on(Y2027).when(dissolve(BANK)).then_rejected(Reason::AgencyHasDuties);
}

#[test]
fn a_dissolved_agency_has_no_names_and_is_still_called_by_its_last() {
    let given = the_bank()
        .and([happened(alias_added("人行", None)).on(Y2022)])
        .because("机构改革")
        .effective_on(Y2027)
        .when(dissolve(BANK))
        .carried_out();
    let bank = folded(&given, BANK);
    assert_eq!(bank.name_on(Y2027), None);
    assert_eq!(bank.called_on(Y2027), Some(&line(OLD)));
    assert_eq!(bank.aliases_on(Y2027).count(), 0);
    assert_eq!(bank.status_on(DAY), Some(AgencyStatus::Active));
    assert_eq!(bank.status_on(Y2027), Some(AgencyStatus::Dissolved));
    assert!(bank.active_over(Period::new(Y2020, Some(Y2027))).is_ok());
    assert!(bank.active_over(Period::since(Y2020)).is_err());
}

#[test]
fn a_dissolution_frees_every_name_known_for_its_day_or_later() {
    let given = the_bank()
        .and([happened(renamed(BANK, OLD, NEW, None)).on(Y2023)])
        .because("机构改革")
        .effective_on(Y2022)
        .when(dissolve(BANK))
        .then([dissolved(BANK, &[NEW, OLD])]);
    given.clone().effective_on(Y2022).when(register(OTHER, OLD)).carried_out();
    given.effective_on(Y2022).when(register(OTHER, NEW)).carried_out();
}

#[test]
fn a_dissolution_takes_no_name_from_who_bears_it_later() {
    let given = the_bank()
        .and([happened(renamed(BANK, OLD, NEW, None)).on(Y2023)])
        .and([happened(registered(OTHER, OLD)).on(Y2024)])
        .because("机构改革")
        .effective_on(Y2022)
        .when(dissolve(BANK))
        .carried_out();
    given.effective_on(Y2022).when(register("agencies/third", OLD)).then_rejected(Reason::NameTaken);
}

#[test]
fn a_dissolution_frees_seven_names_at_most() {
    let mut given = the_bank().because("机构改革");
    for i in 1..=i16::try_from(NAMES_FREED_MAX).unwrap() {
        let day = date(2020 + i, 1, 1);
        given = given.effective_on(day).when(rename(BANK, &format!("第{i}名"))).carried_out();
    }
    given.clone().effective_on(date(2020, 6, 1)).when(dissolve(BANK)).then_rejected(Reason::TooLarge);
    given.effective_on(date(2021, 6, 1)).when(dissolve(BANK)).carried_out();
}

#[test]
fn an_agency_is_dissolved_once_for_a_reason_and_after_it_began() {
    the_bank().when(dissolve(BANK)).then_rejected(Reason::ReasonRequired);
    given_nothing().because("机构改革").when(dissolve(BANK)).then_rejected(Reason::AgencyNotFound);
    let bank = || the_bank().because("机构改革");
    bank().effective_on(Y2020).when(dissolve(BANK)).then_rejected(Reason::AgencyNotActive);
    let gone = bank().effective_on(Y2024).when(dissolve(BANK)).carried_out();
    let gone = gone.effective_on(Y2024).when(dissolve(BANK)).then_nothing();
    gone.clone().effective_on(Y2023).when(dissolve(BANK)).then_rejected(Reason::AgencyNotActive);
    gone.effective_on(Y2027).when(dissolve(BANK)).then_rejected(Reason::AgencyNotActive);
}
