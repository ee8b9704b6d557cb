//! What may be asked of an agency, and what follows.

use jiff::civil::date;

use super::*;
use crate::assignment::{AssignmentEvent, Role};
use crate::command::Proposed;
use crate::subject::Subject;
use crate::testing::{DAY, Given, Happened, given, given_nothing, happened, line, name};
use crate::world::World;

mod amending;
mod dissolving;
mod names;
mod properties;
mod stored;

const Y2020: Date = date(2020, 1, 1);
const Y2022: Date = date(2022, 1, 1);
const Y2023: Date = date(2023, 7, 20);
const Y2024: Date = date(2024, 1, 1);
const Y2027: Date = date(2027, 1, 1);

/// Valid codes, computed apart from this code.
const CODE: &str = "11630000015000000H";
const OTHER_CODE: &str = "11630000015000123J";

fn code(text: &str) -> CreditCode {
    CreditCode::parse(text).unwrap()
}

fn registered(id: &str, full_name: &str) -> AgencyEvent {
    AgencyEvent::Registered {
        agency: name(id),
        full_name: line(full_name),
        kind: AgencyKind::ConstituentDepartment,
        division_code: None,
        superior: None,
        credit_code: None,
        aliases: vec![],
    }
}

fn register(id: &str, full_name: &str) -> AgencyCommand {
    AgencyCommand::Register {
        agency: Some(name(id)),
        full_name: line(full_name),
        kind: AgencyKind::ConstituentDepartment,
        division_code: None,
        superior: None,
        credit_code: None,
        aliases: vec![],
    }
}

fn rename(id: &str, full_name: &str) -> AgencyCommand {
    AgencyCommand::Rename { agency: name(id), full_name: line(full_name) }
}

fn renamed(id: &str, former: &str, full_name: &str, until: Option<Date>) -> AgencyEvent {
    AgencyEvent::Renamed { agency: name(id), full_name: line(full_name), former: line(former), until }
}

fn add_alias(alias: &str) -> AgencyCommand {
    AgencyCommand::AddAlias { agency: name(BANK), alias: line(alias) }
}

fn end_alias(alias: &str) -> AgencyCommand {
    AgencyCommand::EndAlias { agency: name(BANK), alias: line(alias) }
}

fn alias_added(alias: &str, until: Option<Date>) -> AgencyEvent {
    AgencyEvent::AliasAdded { agency: name(BANK), alias: line(alias), until }
}

fn alias_ended(alias: &str, until: Option<Date>) -> AgencyEvent {
    AgencyEvent::AliasEnded { agency: name(BANK), alias: line(alias), until }
}

fn amend(id: &str, changes: impl IntoIterator<Item = Amendment>) -> AgencyCommand {
    AgencyCommand::Amend { agency: name(id), changes: changes.into_iter().collect() }
}

fn under(superior: &str) -> Amendment {
    Amendment::Superior(Some(name(superior)))
}

fn dissolve(id: &str) -> AgencyCommand {
    AgencyCommand::Dissolve { agency: name(id) }
}

fn dissolved(id: &str, names: &[&str]) -> AgencyEvent {
    AgencyEvent::Dissolved { agency: name(id), names: names.iter().map(|n| line(n)).collect() }
}

const BANK: &str = "agencies/rmyh";
const OLD: &str = "人行西宁中心支行";
const NEW: &str = "中国人民银行青海省分行";
const LATER: &str = "中国人民银行青海分行";
const OTHER: &str = "agencies/jgj";

/// The bank is registered, active since 2020.
fn the_bank() -> Given {
    given([happened(registered(BANK, OLD)).on(Y2020)])
}

fn folded(given: &Given, id: &str) -> Agency {
    let id: AgencyId = name(id);
    let world: World = given.world([Subject::Agency(id.clone())]);
    world.agency(&id).unwrap().clone()
}

fn named(agency: &Agency, days: &[Date]) -> Vec<Option<String>> {
    days.iter().map(|day| agency.name_on(*day).map(ToString::to_string)).collect()
}

fn some(names: &[&str]) -> Vec<Option<String>> {
    names.iter().map(|name| Some((*name).to_owned())).collect()
}

#[test]
fn an_agency_is_active_from_the_day_it_is_registered_for() {
    let given = given_nothing().effective_on(Y2020).when(register(BANK, OLD));
    let given = given.then_dated([Proposed::on(Y2020, registered(BANK, OLD))]);
    let bank = folded(&given, BANK);
    assert_eq!(bank.active(), Some(Period::since(Y2020)));
    assert_eq!(bank.status_on(date(2019, 12, 31)), None);
    assert_eq!(bank.name_on(date(2019, 12, 31)), None);
    assert_eq!(bank.because, [1]);
}

#[test]
fn before_its_first_day_it_is_registered_and_no_more() {
    let given = given_nothing().effective_on(Y2027).when(register(BANK, OLD)).carried_out();
    let bank = folded(&given, BANK);
    assert_eq!(bank.status_on(DAY), Some(AgencyStatus::Registered));
    assert_eq!(bank.status_on(Y2027), Some(AgencyStatus::Active));
    assert_eq!(bank.called_on(DAY), Some(&line(OLD)));
    let rejection = bank.active_over(Period::since(DAY)).unwrap_err();
    assert_eq!(
        (rejection.reason, rejection.metadata["active"].as_str()),
        (Reason::AgencyNotActive, "[2027-01-01, )")
    );
}

#[test]
fn whoever_leaves_the_id_out_gets_one_that_a_retry_gets_again() {
    let mut command = register(BANK, OLD);
    if let AgencyCommand::Register { agency, .. } = &mut command {
        *agency = None;
    }
    let one = given_nothing().when(command.clone()).carried_out();
    let same = given_nothing().when(command).carried_out();
    assert_eq!(one.events[0].event, same.events[0].event);
}

#[test]
fn an_id_is_taken_once() {
    the_bank().when(register(BANK, NEW)).then_rejected(Reason::AgencyExists);
    the_bank().when(register(BANK, OLD)).then_rejected(Reason::AgencyExists);
}

#[test]
fn other_names_are_registered_once_each_and_sixteen_at_most() {
    let with = |names: Vec<Line>| {
        let mut command = register(BANK, OLD);
        if let AgencyCommand::Register { aliases, .. } = &mut command {
            *aliases = names;
        }
        command
    };
    for twice in [vec![line(OLD)], vec![line("人行"), line("人行")]] {
        given_nothing().when(with(twice)).then_rejected(Reason::InvalidField);
    }
    let many = |count: usize| (0..count).map(|i| line(&format!("简称{i}"))).collect();
    given_nothing().when(with(many(17))).then_rejected(Reason::InvalidField);
    let given = given_nothing().when(with(many(16))).carried_out();
    assert_eq!(folded(&given, BANK).aliases_on(DAY).count(), 16);
}

#[test]
fn a_stale_etag_is_refused() {
    let given = the_bank().when(add_alias("人行")).carried_out();
    given.clone().having_seen("\"1\"").when(rename(BANK, NEW)).then_rejected(Reason::EtagMismatch);
    given.having_seen("\"2\"").when(rename(BANK, NEW)).carried_out();
}

#[test]
fn each_field_is_explained_by_the_events_that_made_it_so() {
    let given = the_bank()
        .and([happened(alias_added("人行", None)).on(Y2022)])
        .and([happened(renamed(BANK, OLD, NEW, None)).on(Y2023)]);
    let fields = folded(&given, BANK).explain(Y2023);
    let said: Vec<(&str, &str, &[u64])> =
        fields.iter().map(|f| (f.name.as_str(), f.value.as_str(), f.because.as_slice())).collect();
    assert_eq!(
        said,
        [
            ("full_name", NEW, &[3][..]),
            ("kind", "CONSTITUENT_DEPARTMENT", &[1]),
            ("status", "ACTIVE", &[1]),
            ("aliases/人行", "[2022-01-01, )", &[2]),
        ]
    );
}
