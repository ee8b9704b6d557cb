//! The stored JSON of every event: a difference here is a broken history.

use super::*;
use crate::command::Context;

fn stored(event: &AgencyEvent) -> serde_json::Value {
    serde_json::from_slice(&Event::from(event.clone()).encode(&Context::default())).unwrap()
}

#[test]
fn every_event_of_an_agency_is_stored_as_it_always_was() {
    let fullest = AgencyEvent::Registered {
        agency: name(BANK),
        full_name: line(OLD),
        kind: AgencyKind::CentralUnit,
        division_code: Some(DivisionCode::parse("630000").unwrap()),
        superior: Some(name(OTHER)),
        credit_code: Some(code(CODE)),
        aliases: vec![line("人行")],
    };
    let amended = AgencyEvent::Amended {
        agency: name(BANK),
        changes: vec![
            Change::Kind(Replaced {
                from: AgencyKind::ConstituentDepartment,
                to: AgencyKind::CentralUnit,
                until: Some(Y2024),
            }),
            Change::DivisionCode(Replaced {
                from: None,
                to: DivisionCode::parse("630000").ok(),
                until: None,
            }),
            Change::Superior(Replaced { from: Some(name(OTHER)), to: None, until: None }),
            Change::CreditCode(Replaced { from: None, to: Some(code(CODE)), until: None }),
        ],
    };
    let events = [
        registered(BANK, OLD),
        fullest,
        renamed(BANK, OLD, NEW, Some(Y2024)),
        alias_added("人行", None),
        alias_ended("人行", Some(Y2024)),
        amended,
        dissolved(BANK, &[NEW, OLD]),
    ];
    insta::assert_json_snapshot!(events.each_ref().map(stored));
}

#[test]
fn every_kind_has_the_word_that_it_is_stored_as() {
    for kind in [
        AgencyKind::ConstituentDepartment,
        AgencyKind::DirectlyAffiliated,
        AgencyKind::DispatchedOffice,
        AgencyKind::CentralUnit,
        AgencyKind::StateEnterprise,
        AgencyKind::Cooperative,
        AgencyKind::LocalGovernment,
    ] {
        assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
    }
    for status in [AgencyStatus::Registered, AgencyStatus::Active, AgencyStatus::Dissolved] {
        assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
    }
}
