//! Full names and other names, on their days.

use super::*;

#[test]
fn a_name_that_another_agency_bears_on_some_day_is_taken() {
    let rejection = the_bank().when(register(OTHER, OLD)).then_rejected(Reason::NameTaken);
    assert_eq!(rejection.metadata["bearer"], BANK);
    assert_eq!(rejection.metadata["days"], "[2020-01-01, )");
    // Also when the other one comes to bear it only later.
    given([happened(registered(BANK, OLD)).on(Y2027)])
        .when(register(OTHER, OLD))
        .then_rejected(Reason::NameTaken);
}

#[test]
fn an_alias_may_be_another_agencys_name_or_alias() {
    let mut command = register(OTHER, "青海银保监局");
    if let AgencyCommand::Register { aliases, .. } = &mut command {
        *aliases = vec![line(OLD), line("银保监局")];
    }
    the_bank().when(command).carried_out();
}

#[test]
fn a_renamed_agency_keeps_its_former_name_on_earlier_days() {
    let given = the_bank().effective_on(Y2023).when(rename(BANK, NEW));
    let given = given.then_dated([Proposed::on(Y2023, renamed(BANK, OLD, NEW, None))]);
    let bank = folded(&given, BANK);
    assert_eq!(named(&bank, &[Y2020, date(2023, 7, 19), Y2023]), some(&[OLD, OLD, NEW]));
    assert_eq!(bank.names.on(Y2020).unwrap().because, [1, 2]);
    assert_eq!(bank.names.on(Y2023).unwrap().because, [2]);
}

#[test]
fn a_renaming_found_out_late_holds_up_to_the_next_one_known() {
    let given = the_bank().and([happened(renamed(BANK, OLD, NEW, None)).on(Y2023)]);
    let given = given.effective_on(Y2022).when(rename(BANK, LATER));
    let given = given.then([renamed(BANK, OLD, LATER, Some(Y2023))]);
    assert_eq!(named(&folded(&given, BANK), &[Y2020, Y2022, Y2023]), some(&[OLD, LATER, NEW]));
}

#[test]
fn a_name_that_it_bears_already_changes_nothing() {
    the_bank().effective_on(Y2022).when(rename(BANK, OLD)).then_nothing();
    let given = the_bank().and([happened(renamed(BANK, OLD, NEW, None)).on(Y2023)]);
    given.effective_on(Y2024).when(rename(BANK, NEW)).then_nothing();
}

#[test]
fn the_day_of_a_renaming_is_corrected_by_the_name_it_really_bore() {
    let given = the_bank().and([happened(renamed(BANK, OLD, NEW, None)).on(Y2023)]);
    // It was renamed earlier than was thought.
    let earlier = given.clone().effective_on(Y2022).when(rename(BANK, NEW)).carried_out();
    assert_eq!(named(&folded(&earlier, BANK), &[Y2020, Y2022, Y2023]), some(&[OLD, NEW, NEW]));
    // It was renamed later than was thought.
    let later = given.effective_on(Y2023).when(rename(BANK, OLD)).carried_out();
    let later = later.effective_on(Y2024).when(rename(BANK, NEW)).carried_out();
    assert_eq!(named(&folded(&later, BANK), &[Y2023, Y2024]), some(&[OLD, NEW]));
}

#[test]
fn what_is_not_there_yet_or_no_more_is_not_renamed() {
    given_nothing().when(rename(BANK, NEW)).then_rejected(Reason::AgencyNotFound);
    let before = the_bank().effective_on(date(2019, 12, 31)).when(rename(BANK, NEW));
    before.then_rejected(Reason::AgencyNotActive);
    let gone = the_bank().and([happened(dissolved(BANK, &[OLD])).on(Y2024)]);
    let rejection = gone.effective_on(Y2024).when(rename(BANK, NEW)).then_rejected(Reason::AgencyNotActive);
    assert_eq!(rejection.metadata["active"], "[2020-01-01, 2024-01-01)");
}

#[test]
fn a_name_given_up_is_free_from_that_day_and_not_before() {
    let given = the_bank().and([happened(renamed(BANK, OLD, NEW, None)).on(Y2023)]);
    given.clone().effective_on(Y2023).when(register(OTHER, OLD)).carried_out();
    given.clone().effective_on(Y2022).when(register(OTHER, OLD)).then_rejected(Reason::NameTaken);
    given.effective_on(Y2024).when(register(OTHER, NEW)).then_rejected(Reason::NameTaken);
}

#[test]
fn nobody_is_renamed_to_a_name_that_is_borne_on_those_days() {
    let given = the_bank()
        .and([happened(renamed(BANK, OLD, NEW, None)).on(Y2023)])
        .and([happened(registered(OTHER, "青海银保监局")).on(Y2020)]);
    given.clone().effective_on(Y2022).when(rename(OTHER, OLD)).then_rejected(Reason::NameTaken);
    given.clone().effective_on(Y2022).when(rename(OTHER, NEW)).then_rejected(Reason::NameTaken);
    given.effective_on(Y2023).when(rename(OTHER, OLD)).carried_out();
}

#[test]
fn an_agency_may_take_back_a_name_of_its_own() {
    let given = the_bank().and([happened(renamed(BANK, OLD, NEW, None)).on(Y2023)]);
    let given = given.effective_on(Y2024).when(rename(BANK, OLD)).carried_out();
    assert_eq!(named(&folded(&given, BANK), &[Y2022, Y2023, Y2024]), some(&[OLD, NEW, OLD]));
}

#[test]
fn an_alias_holds_from_its_day_until_it_is_ended() {
    let given = the_bank().effective_on(Y2022).when(add_alias("人行")).then([alias_added("人行", None)]);
    let given = given.effective_on(Y2024).when(end_alias("人行")).then([alias_ended("人行", None)]);
    let bank = folded(&given, BANK);
    let called = |day| bank.aliases_on(day).map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!((called(Y2020), called(Y2022), called(Y2024)), (vec![], vec!["人行".to_owned()], vec![]));
}

#[test]
fn adding_or_ending_an_alias_twice_changes_nothing() {
    let given = the_bank().and([happened(alias_added("人行", None)).on(Y2022)]);
    let given = given.effective_on(Y2022).when(add_alias("人行")).then_nothing();
    let given = given.and([happened(alias_ended("人行", None)).on(Y2024)]);
    given.effective_on(Y2024).when(end_alias("人行")).then_nothing();
}

#[test]
fn an_alias_that_holds_since_another_day_is_not_added_again() {
    let given = the_bank().and([happened(alias_added("人行", None)).on(Y2022)]);
    let rejection = given.effective_on(Y2024).when(add_alias("人行")).then_rejected(Reason::AliasOverlap);
    assert_eq!(rejection.metadata["days"], "[2022-01-01, )");
}

#[test]
fn the_full_name_of_the_day_is_no_alias() {
    the_bank().when(add_alias(OLD)).then_rejected(Reason::AliasOverlap);
    let given = the_bank().and([happened(renamed(BANK, OLD, NEW, None)).on(Y2023)]);
    given.effective_on(Y2023).when(add_alias(OLD)).then([alias_added(OLD, None)]);
}

#[test]
fn an_alias_found_to_be_older_joins_what_is_known_of_it() {
    let given = the_bank().and([happened(alias_added("人行", None)).on(Y2023)]);
    let given = given.effective_on(Y2022).when(add_alias("人行")).then([alias_added("人行", Some(Y2023))]);
    let bank = folded(&given, BANK);
    assert_eq!(bank.aliases[&line("人行")].on(Y2024).unwrap().period, Period::since(Y2022));
}

#[test]
fn an_alias_that_does_not_hold_that_day_is_not_ended() {
    the_bank().when(end_alias("人行")).then_rejected(Reason::AliasNotFound);
    let given = the_bank().and([happened(alias_added("人行", None)).on(Y2023)]);
    given.effective_on(Y2022).when(end_alias("人行")).then_rejected(Reason::AliasNotFound);
    given_nothing().when(end_alias("人行")).then_rejected(Reason::AgencyNotFound);
}

#[test]
fn aliases_are_bounded_and_of_an_active_agency() {
    let mut command = register(BANK, OLD);
    if let AgencyCommand::Register { aliases, .. } = &mut command {
        *aliases = (0..16).map(|i| line(&format!("简称{i}"))).collect();
    }
    let mut given = given_nothing().when(command).carried_out();
    for i in 16..ALIASES_MAX {
        given = given.when(add_alias(&format!("简称{i}"))).carried_out();
    }
    given.when(add_alias("又一个")).then_rejected(Reason::TooLarge);
    given_nothing().when(add_alias("人行")).then_rejected(Reason::AgencyNotFound);
    the_bank().effective_on(date(2019, 1, 1)).when(add_alias("人行")).then_rejected(Reason::AgencyNotActive);
}

#[test]
fn a_renaming_before_a_known_dissolution_ends_with_it() {
    let given = the_bank().and([happened(dissolved(BANK, &[OLD])).on(Y2024)]);
    let given = given.effective_on(Y2023).when(rename(BANK, NEW));
    let given = given.then([renamed(BANK, OLD, NEW, Some(Y2024))]);
    given.clone().effective_on(Y2024).when(register(OTHER, NEW)).carried_out();
    given.effective_on(Y2024).when(add_alias("人行")).then_rejected(Reason::AgencyNotActive);
}
