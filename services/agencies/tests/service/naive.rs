//! Every answer on both clocks against a model that folds the events by hand: an array of days each, no spans.

use std::collections::BTreeMap;

use duban_domain::agency::{AgencyEvent, Change};
use duban_domain::time::civil_date;
use duban_domain::{Date, Event, Recorded};
use duban_proto::agencies::v1 as pb;
use jiff::ToSpan as _;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::support::{CODE, OTHER_CODE, Service, context, known_at, registration, rename, supervisor};

/// The first day of the model; it has [`DAYS`], the last of which stands for all that follow.
const FIRST: Date = jiff::civil::date(2026, 2, 1);
const DAYS: usize = 60;
const TEXTS: [&str; 6] = ["甲", "乙", "丙", "丁", "戊", "己"];
const AGENCIES: [&str; 3] = ["a", "b", "c"];

fn day(offset: usize) -> Date {
    FIRST.checked_add(i64::try_from(offset).unwrap().days()).unwrap()
}

fn offset(date: Date) -> usize {
    let days = (date - FIRST).get_days();
    usize::try_from(days).unwrap_or(0).min(DAYS)
}

/// A value on each day, and the event that set it.
type Days<T> = Vec<Option<(T, u64)>>;

/// One agency, day by day.
struct Naive {
    status: Days<pb::AgencyStatus>,
    name: Days<String>,
    code: Days<String>,
    aliases: BTreeMap<String, Days<()>>,
}

#[allow(clippy::needless_pass_by_value, reason = "a value is given away, to each day")]
fn fill<T: Clone>(days: &mut Days<T>, on: Date, until: Option<Date>, value: Option<T>, at: u64) {
    let until = until.map_or(DAYS, offset);
    for held in days.iter_mut().take(until).skip(offset(on)) {
        *held = value.clone().map(|value| (value, at));
    }
}

impl Naive {
    fn new() -> Self {
        Self {
            status: vec![None; DAYS],
            name: vec![None; DAYS],
            code: vec![None; DAYS],
            aliases: BTreeMap::new(),
        }
    }

    fn alias(&mut self, alias: &str) -> &mut Days<()> {
        self.aliases.entry(alias.to_owned()).or_insert_with(|| vec![None; DAYS])
    }

    fn take(&mut self, event: &AgencyEvent, recorded: &Recorded) {
        let (on, at) = (recorded.effective_on, recorded.position);
        match event {
            AgencyEvent::Registered { full_name, credit_code, aliases, .. } => {
                let known = civil_date(recorded.recorded_at);
                fill(&mut self.status, known, None, Some(pb::AgencyStatus::Registered), at);
                fill(&mut self.status, on, None, Some(pb::AgencyStatus::Active), at);
                fill(&mut self.name, on, None, Some(full_name.to_string()), at);
                fill(&mut self.code, on, None, credit_code.as_ref().map(ToString::to_string), at);
                for alias in aliases {
                    fill(self.alias(alias.as_str()), on, None, Some(()), at);
                }
            }
            AgencyEvent::Renamed { full_name, until, .. } => {
                fill(&mut self.name, on, *until, Some(full_name.to_string()), at);
            }
            AgencyEvent::AliasAdded { alias, until, .. } => {
                fill(self.alias(alias.as_str()), on, *until, Some(()), at);
            }
            AgencyEvent::AliasEnded { alias, until, .. } => {
                fill(self.alias(alias.as_str()), on, *until, None, at);
            }
            AgencyEvent::Amended { changes, .. } => {
                for change in changes {
                    if let Change::CreditCode(code) = change {
                        let to = code.to.as_ref().map(ToString::to_string);
                        fill(&mut self.code, on, code.until, to, at);
                    }
                }
            }
            AgencyEvent::Dissolved { .. } => {
                fill(&mut self.status, on, None, Some(pb::AgencyStatus::Dissolved), at);
                fill(&mut self.name, on, None, None, at);
                self.aliases.values_mut().for_each(|days| fill(days, on, None, None, at));
            }
        }
    }

    /// The events that give the agency the text on a day, by the kind of name.
    fn bears(&self, text: &str, day: usize) -> Option<(pb::NameMatch, u64)> {
        let by = |days: &Days<String>| days[day].as_ref().filter(|(held, _)| held == text).map(|(_, at)| *at);
        let name = by(&self.name).map(|at| (pb::NameMatch::FullName, at));
        let alias =
            self.aliases.get(text).and_then(|days| days[day]).map(|((), at)| (pb::NameMatch::Alias, at));
        let code = by(&self.code).map(|at| (pb::NameMatch::CreditCode, at));
        name.or(alias).or(code)
    }
}

/// Something that may be asked for, whether or not the rule lets it.
#[derive(Debug, Clone)]
enum Asked {
    Register(usize, usize, Vec<usize>, Option<bool>),
    Rename(usize, usize),
    AddAlias(usize, usize),
    EndAlias(usize, usize),
    AmendCode(usize, Option<bool>),
    Dissolve(usize),
}

fn asked() -> impl Strategy<Value = (usize, Asked)> {
    let agency = || 0..AGENCIES.len();
    let text = || 0..TEXTS.len();
    let one = prop_oneof![
        5 => (agency(), text()).prop_map(|(a, n)| Asked::Rename(a, n)),
        4 => (agency(), text()).prop_map(|(a, n)| Asked::AddAlias(a, n)),
        3 => (agency(), text()).prop_map(|(a, n)| Asked::EndAlias(a, n)),
        2 => (agency(), any::<Option<bool>>()).prop_map(|(a, code)| Asked::AmendCode(a, code)),
        1 => agency().prop_map(Asked::Dissolve),
    ];
    (0..DAYS - 1, one)
}

/// Each agency registered early, under a name of its own and perhaps another's alias; then anything.
fn history() -> impl Strategy<Value = Vec<(usize, Asked)>> {
    let alias = prop::collection::vec(AGENCIES.len()..TEXTS.len(), 0..2);
    let codes = Just([Some(true), None, None]).prop_shuffle();
    let beginning =
        (prop::collection::vec((0..10_usize, alias), AGENCIES.len()), codes).prop_map(|(all, codes)| {
            let register = |(n, (on, aliases)): (usize, (usize, Vec<usize>))| {
                (on, Asked::Register(n, n, aliases, codes[n]))
            };
            all.into_iter().enumerate().map(register).collect::<Vec<_>>()
        });
    let rest = prop::collection::vec(asked(), 15..40);
    (beginning, rest).prop_map(|(beginning, rest)| beginning.into_iter().chain(rest).collect())
}

fn code(first: bool) -> String {
    if first { CODE.to_owned() } else { OTHER_CODE.to_owned() }
}

impl Service {
    async fn ask(&self, on: Date, asked: Asked) {
        let mut client = self.client.clone();
        let on = on.to_string();
        let name = |agency: usize| format!("agencies/{}", AGENCIES[agency]);
        let context = Some(context(&on));
        // The rule may say no: then nothing is recorded, which the model doesn't hear of either.
        let _ = match asked {
            Asked::Register(agency, text, aliases, first) => {
                let mut request = registration(AGENCIES[agency], TEXTS[text], &on);
                request.aliases = aliases.into_iter().map(|alias| TEXTS[alias].to_owned()).collect();
                request.credit_code = first.map(code);
                client.register_agency(supervisor(request)).await.is_ok()
            }
            Asked::Rename(agency, text) => {
                client.rename_agency(supervisor(rename(&name(agency), TEXTS[text], &on))).await.is_ok()
            }
            Asked::AddAlias(agency, text) => {
                let alias = TEXTS[text].to_owned();
                let request = pb::AddAliasRequest { context, agency: name(agency), alias };
                client.add_alias(supervisor(request)).await.is_ok()
            }
            Asked::EndAlias(agency, text) => {
                let alias = TEXTS[text].to_owned();
                let request = pb::EndAliasRequest { context, agency: name(agency), alias };
                client.end_alias(supervisor(request)).await.is_ok()
            }
            Asked::AmendCode(agency, first) => {
                let credit_code = first.map(code);
                let agency = Some(pb::Agency { name: name(agency), credit_code, ..Default::default() });
                let update_mask = Some(prost_types::FieldMask { paths: vec!["credit_code".into()] });
                let request = pb::AmendAgencyRequest { context, agency, update_mask };
                client.amend_agency(supervisor(request)).await.is_ok()
            }
            Asked::Dissolve(agency) => {
                let request = pb::DissolveAgencyRequest { context, agency: name(agency) };
                client.dissolve_agency(supervisor(request)).await.is_ok()
            }
        };
    }
}

type Model = BTreeMap<String, Naive>;

/// Every agency and every text on some days, as known at `position`, against the model.
async fn compare(service: &Service, model: &Model, position: u64) {
    for offset in (0..DAYS).step_by(9).chain([DAYS - 1]) {
        let as_of = || known_at(&day(offset).to_string(), position);
        let list = pb::ListAgenciesRequest { as_of: Some(as_of()), ..Default::default() };
        let listed = service.list(list).await.agencies;
        let there: Vec<&String> = model
            .iter()
            .filter(|(_, agency)| agency.status[offset].is_some())
            .map(|(name, _)| name)
            .collect();
        assert_eq!(listed.iter().map(|agency| &agency.name).collect::<Vec<_>>(), there);
        for agency in &listed {
            let naive = &model[&agency.name];
            assert_eq!(Some(agency.status()), naive.status[offset].map(|(status, _)| status));
            if let Some((name, at)) = &naive.name[offset] {
                assert_eq!(&agency.full_name, name);
                assert!(agency.because.contains(at));
                assert_eq!(agency.credit_code, naive.code[offset].as_ref().map(|(code, _)| code.clone()));
            }
            assert_eq!(Some(agency), service.get(&agency.name, as_of()).await.unwrap().agency.as_ref());
        }
        for text in TEXTS.into_iter().chain([CODE, OTHER_CODE]) {
            let reply = service.resolve(text, as_of()).await;
            let borne: Vec<_> = model
                .iter()
                .filter_map(|(name, agency)| agency.bears(text, offset).map(|(by, at)| (name, by, at)))
                .collect();
            let expected = match borne.len() {
                0 => pb::NameOutcome::Unknown,
                1 => pb::NameOutcome::Resolved,
                _ => pb::NameOutcome::Ambiguous,
            };
            assert_eq!(reply.outcome(), expected, "{text} on {} at {position}", day(offset));
            assert_eq!(reply.candidates.len(), borne.len());
            for (candidate, (name, by, at)) in reply.candidates.iter().zip(borne) {
                assert_eq!(&candidate.agency.as_ref().unwrap().name, name);
                assert_eq!(candidate.matched_by(), by);
                assert!(candidate.because.contains(&at) && candidate.because.is_sorted());
                assert!(candidate.because.iter().all(|because| *because <= position));
            }
        }
    }
}

async fn play(asked: Vec<(usize, Asked)>) {
    let service = Service::start().await;
    for (offset, asked) in asked {
        service.ask(day(offset), asked).await;
    }
    let events = service.log.read(0, 1000).await.unwrap().events;
    assert!(events.len() > AGENCIES.len(), "the rule refuses nearly everything: nothing is shown");
    let mut model = Model::new();
    compare(&service, &model, 0).await;
    for stored in events {
        let recorded = stored.decode().unwrap();
        if let Event::Agency(event) = &recorded.event {
            let naive = model.entry(event.agency().to_string()).or_insert_with(Naive::new);
            naive.take(event, &recorded);
        }
        compare(&service, &model, recorded.position).await;
    }
    for view in duban_agencies::VIEWS {
        assert!(view.rebuild(&service.views).await.unwrap().is_same(), "{}", view.name);
    }
    service.stop().await;
}

#[test]
fn every_answer_is_what_folding_the_events_by_hand_says() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut runner = TestRunner::new(ProptestConfig { cases: 3, ..Default::default() });
    runner
        .run(&history(), |asked| {
            runtime.block_on(play(asked));
            Ok(())
        })
        .unwrap();
}
