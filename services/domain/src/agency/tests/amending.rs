//! What is recorded beside the names, and who stands above whom.

use super::*;

#[test]
fn a_superior_must_be_there() {
    let mut command = register(BANK, OLD);
    if let AgencyCommand::Register { superior, .. } = &mut command {
        *superior = Some(name(OTHER));
    }
    given_nothing().when(command.clone()).then_rejected(Reason::AgencyNotFound);
    let given = given([registered(OTHER, "省政府")]).when(command).carried_out();
    assert_eq!(folded(&given, BANK).superior_on(DAY), Some(&name(OTHER)));
}

#[test]
fn what_is_amended_holds_from_that_day_up_to_the_next_change_known() {
    let division = |text| Some(DivisionCode::parse(text).unwrap());
    let given = the_bank().effective_on(Y2023);
    let given = given.when(amend(BANK, [Amendment::DivisionCode(division("630000"))])).carried_out();
    let given = given.effective_on(Y2022).when(amend(
        BANK,
        [Amendment::Kind(AgencyKind::CentralUnit), Amendment::DivisionCode(division("630100"))],
    ));
    let given = given.then([AgencyEvent::Amended {
        agency: name(BANK),
        changes: vec![
            Change::Kind(Replaced {
                from: AgencyKind::ConstituentDepartment,
                to: AgencyKind::CentralUnit,
                until: None,
            }),
            Change::DivisionCode(Replaced { from: None, to: division("630100"), until: Some(Y2023) }),
        ],
    }]);
    let bank = folded(&given, BANK);
    assert_eq!(bank.kind_on(Y2020), Some(AgencyKind::ConstituentDepartment));
    assert_eq!(bank.kind_on(Y2024), Some(AgencyKind::CentralUnit));
    let at = |day| bank.division_code_on(day).map(ToString::to_string);
    assert_eq!((at(Y2020), at(Y2022), at(Y2023)), (None, Some("630100".into()), Some("630000".into())));
}

#[test]
fn an_amendment_that_says_what_is_known_changes_nothing() {
    let same = [Amendment::Kind(AgencyKind::ConstituentDepartment), Amendment::Superior(None)];
    the_bank().when(amend(BANK, same)).then_nothing();
}

#[test]
fn an_amendment_names_each_field_once_and_at_least_one() {
    the_bank().when(amend(BANK, [])).then_rejected(Reason::InvalidField);
    let twice = [Amendment::Superior(None), Amendment::Superior(None)];
    the_bank().when(amend(BANK, twice)).then_rejected(Reason::InvalidField);
}

#[test]
fn what_is_not_active_is_not_amended() {
    let central = || [Amendment::Kind(AgencyKind::CentralUnit)];
    given_nothing().when(amend(BANK, central())).then_rejected(Reason::AgencyNotFound);
    the_bank()
        .effective_on(date(2019, 1, 1))
        .when(amend(BANK, central()))
        .then_rejected(Reason::AgencyNotActive);
}

#[test]
fn a_credit_code_is_borne_by_one_agency() {
    let given = the_bank()
        .and([happened(registered(OTHER, "青海银保监局")).on(Y2020)])
        .when(amend(BANK, [Amendment::CreditCode(Some(code(CODE)))]))
        .carried_out();
    let take = |text| amend(OTHER, [Amendment::CreditCode(Some(code(text)))]);
    let rejection = given.clone().when(take(CODE)).then_rejected(Reason::CreditCodeTaken);
    assert_eq!(rejection.metadata["bearer"], BANK);
    given.clone().when(take(OTHER_CODE)).carried_out();
    let mut command = register("agencies/new", "新机构");
    if let AgencyCommand::Register { credit_code, .. } = &mut command {
        *credit_code = Some(code(CODE));
    }
    given.clone().when(command).then_rejected(Reason::CreditCodeTaken);
    // Recorded with the wrong agency: taken back, it is free.
    let given = given.when(amend(BANK, [Amendment::CreditCode(None)])).carried_out();
    given.when(take(CODE)).carried_out();
}

#[test]
fn an_agency_does_not_come_to_stand_under_itself() {
    let agencies = [("agencies/a", "甲"), ("agencies/b", "乙"), ("agencies/c", "丙")];
    let given = given(agencies.map(|(id, full_name)| happened(registered(id, full_name)).on(Y2020)));
    given.clone().when(amend("agencies/a", [under("agencies/a")])).then_rejected(Reason::HierarchyCycle);
    given.clone().when(amend("agencies/a", [under("agencies/nobody")])).then_rejected(Reason::AgencyNotFound);
    let given = given.effective_on(Y2022).when(amend("agencies/b", [under("agencies/a")])).carried_out();
    let given = given.effective_on(Y2022).when(amend("agencies/c", [under("agencies/b")])).carried_out();
    let round = || amend("agencies/a", [under("agencies/c")]);
    let rejection = given.clone().effective_on(Y2020).when(round()).then_rejected(Reason::HierarchyCycle);
    assert_eq!(rejection.metadata["days"], "[2022-01-01, )");
    // Once the chain is broken, from that day on it may.
    let given =
        given.effective_on(Y2024).when(amend("agencies/b", [Amendment::Superior(None)])).carried_out();
    given.clone().effective_on(Y2023).when(round()).then_rejected(Reason::HierarchyCycle);
    given.effective_on(Y2024).when(round()).carried_out();
}

#[test]
fn a_registration_does_not_name_itself_as_its_superior() {
    let mut command = register(BANK, OLD);
    if let AgencyCommand::Register { superior, .. } = &mut command {
        *superior = Some(name(BANK));
    }
    given_nothing().when(command).then_rejected(Reason::HierarchyCycle);
}

#[test]
fn a_hierarchy_has_sixteen_levels_at_most() {
    let level = |i: usize| format!("agencies/level-{i}");
    let mut given = given([registered(&level(0), "第0级")]);
    for i in 1..=HIERARCHY_MAX + 1 {
        let mut command = register(&level(i), &format!("第{i}级"));
        if let AgencyCommand::Register { superior, .. } = &mut command {
            *superior = Some(name(&level(i - 1)));
        }
        let outcome = given.clone().when(command);
        if i > HIERARCHY_MAX {
            outcome.then_rejected(Reason::HierarchyTooDeep);
        } else {
            given = outcome.carried_out();
        }
    }
}
