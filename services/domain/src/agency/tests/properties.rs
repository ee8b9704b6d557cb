//! Whatever is asked, in whatever order, on whatever days.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::event::Recorded;

const AGENCIES: [&str; 4] = ["agencies/a", "agencies/b", "agencies/c", "agencies/d"];
const NAMES: [&str; 5] = ["甲", "乙", "丙", "丁", "戊"];
const CODES: [&str; 2] = [CODE, OTHER_CODE];
const FIRST: i16 = 2000;
const YEARS: i16 = 12;

fn january(year: i16) -> Date {
    date(FIRST + year, 1, 1)
}

fn asked() -> impl Strategy<Value = (AgencyCommand, i16)> {
    let agency = 0..AGENCIES.len();
    let command = (0u8..9, agency.clone(), 0..NAMES.len(), agency, 0..CODES.len()).prop_map(
        |(what, agency, named, other, coded)| {
            let (agency, full_name) = (AGENCIES[agency], NAMES[named]);
            match what {
                0 | 1 => register(agency, full_name),
                2 | 3 => rename(agency, full_name),
                4 => AgencyCommand::AddAlias { agency: name(agency), alias: line(full_name) },
                5 => AgencyCommand::EndAlias { agency: name(agency), alias: line(full_name) },
                6 => amend(agency, [under(AGENCIES[other])]),
                7 => amend(agency, [Amendment::CreditCode((coded > 0).then(|| code(CODES[coded])))]),
                _ => dissolve(agency),
            }
        },
    );
    (command, 0..YEARS)
}

/// The log after all that was accepted.
fn after(asked: Vec<(AgencyCommand, i16)>) -> Given {
    let mut given = given_nothing().because("试");
    for (command, year) in asked {
        let when = given.clone().effective_on(january(year)).when(command);
        if when.outcome.is_ok() {
            given = when.carried_out();
        }
    }
    given
}

fn fold(events: &[Recorded]) -> BTreeMap<AgencyId, Agency> {
    let subjects = AGENCIES.map(|id| Subject::Agency(name(id)));
    let world = World::of(subjects, events);
    let ids = AGENCIES.iter().map(|id| name::<AgencyId>(id));
    ids.filter_map(|id| world.find_agency(&id).map(|agency| (id, agency.clone()))).collect()
}

/// Every agency above `id` on `day`, until one comes again.
fn above(agencies: &BTreeMap<AgencyId, Agency>, id: &AgencyId, day: Date) -> Vec<AgencyId> {
    let mut chain = vec![id.clone()];
    while let Some(next) = agencies
        .get(&chain[chain.len() - 1])
        .and_then(|agency| agency.superior.value_on(day).cloned().flatten())
    {
        let again = chain.contains(&next);
        chain.push(next);
        if again {
            break;
        }
    }
    chain
}

proptest! {
    #[test]
    fn no_name_and_no_code_is_borne_by_two_agencies_on_a_day(asked in prop::collection::vec(asked(), 0..40)) {
        let given = after(asked);
        let agencies = fold(&given.events);
        for year in 0..=YEARS {
            let day = january(year);
            let mut borne: BTreeMap<String, &AgencyId> = BTreeMap::new();
            for (id, agency) in &agencies {
                let name = agency.name_on(day).map(ToString::to_string);
                let code = agency.credit_code.value_on(day).cloned().flatten().map(|code| code.to_string());
                for unique in name.into_iter().chain(code) {
                    prop_assert_eq!(borne.insert(unique.clone(), id), None, "{} on {}", unique, day);
                }
            }
            // Who bears a name is the same, asked of the name or of the agencies.
            for full_name in NAMES {
                let subject = Subject::AgencyName(full_name.to_owned());
                let world = given.world([subject.clone()]);
                prop_assert_eq!(world.bearers(&subject).by().value_on(day), borne.get(full_name).copied());
            }
        }
    }

    #[test]
    fn an_agency_has_one_name_on_each_day_on_which_it_is_active(asked in prop::collection::vec(asked(), 0..40)) {
        for agency in fold(&after(asked).events).values() {
            prop_assert_eq!(agency.names.extent(), agency.active());
            prop_assert!(agency.names.spans().windows(2).all(|w| w[0].period.until == Some(w[1].period.from)));
        }
    }

    #[test]
    fn nobody_ever_stands_under_itself(asked in prop::collection::vec(asked(), 0..40)) {
        let agencies = fold(&after(asked).events);
        for id in agencies.keys() {
            for year in 0..=YEARS {
                let chain = above(&agencies, id, january(year));
                let last = chain.last().unwrap();
                prop_assert!(!chain[..chain.len() - 1].contains(last), "{chain:?}");
            }
        }
    }

    #[test]
    fn replaying_twice_is_replaying_once(asked in prop::collection::vec(asked(), 0..40)) {
        let events = after(asked).events;
        let once = fold(&events);
        prop_assert_eq!(&fold(&events), &once);
        // Every event as it comes back from its stored bytes.
        let stored: Vec<Recorded> = events
            .iter()
            .map(|recorded| {
                let body = recorded.event.encode(&recorded.context);
                let (event, context) = Event::decode(crate::event::type_of(&body).unwrap(), &body).unwrap();
                Recorded { context, event, ..recorded.clone() }
            })
            .collect();
        prop_assert_eq!(fold(&stored), once);
    }

    #[test]
    fn asking_again_for_what_was_just_accepted_changes_nothing_or_is_refused(
        asked in prop::collection::vec(asked(), 1..20),
    ) {
        let (command, year) = asked[asked.len() - 1].clone();
        let given = after(asked).effective_on(january(year));
        let again = given.when(command.clone()).outcome;
        if !matches!(command, AgencyCommand::Register { .. }) && again.is_ok() {
            prop_assert_eq!(again.unwrap(), vec![]);
        }
    }
}
