//! Real commands and a real view, for what stands on the log.

#![allow(dead_code, reason = "each test binary uses its part")]

use duban_domain::agency::{AgencyCommand, AgencyEvent, AgencyKind};
use duban_domain::command::Context;
use duban_domain::event::{Event, type_of};
use duban_domain::name::AgencyId;
use duban_domain::text::{Line, Text};
use duban_domain::{Period, Recorded};
use duban_log::{Append, Column, Log, NewEvent, Outcome, Poison, Request, Row, View};
use serde::{Deserialize, Serialize};

use super::{append, caller, day, request};

pub(crate) fn line(text: &str) -> Line {
    Line::parse(text).unwrap()
}

pub(crate) fn agency(id: &str) -> AgencyId {
    AgencyId::from_id(id).unwrap()
}

pub(crate) fn register(id: Option<&str>, full_name: &str) -> AgencyCommand {
    AgencyCommand::Register {
        agency: id.map(agency),
        full_name: line(full_name),
        kind: AgencyKind::ConstituentDepartment,
        division_code: None,
        superior: None,
        credit_code: None,
        aliases: vec![],
    }
}

pub(crate) fn rename(id: &str, full_name: &str) -> AgencyCommand {
    AgencyCommand::Rename { agency: agency(id), full_name: line(full_name) }
}

pub(crate) fn add_alias(id: &str, alias: &str) -> AgencyCommand {
    AgencyCommand::AddAlias { agency: agency(id), alias: line(alias) }
}

/// A call by `tester`.
pub(crate) fn call(id: u128) -> Request {
    Request {
        caller: caller("tester"),
        request_id: request(id),
        context: Context { reason: Text::parse("as decided").ok(), ..Context::default() },
        effective_on: None,
        etag: None,
        validate_only: false,
        rpc: "duban.agencies.v1.AgencyService/Test",
        correlation: None,
        causation: None,
        trace_id: None,
    }
}

/// What the outcome shows of an agency.
pub(crate) fn names(outcome: &Outcome<AgencyCommand>, id: &str) -> Vec<String> {
    let agency = outcome.world.agency(&agency(id)).unwrap();
    agency.names.spans().iter().map(|span| span.value.to_string()).collect()
}

/// An append of `event` without any rule asked.
pub(crate) fn unruled(id: u128, event: &Event) -> Append {
    let body = event.encode(&Context::default());
    let new = NewEvent {
        id: request(id),
        nonce: [0; 32],
        event_type: type_of(&body).unwrap().to_owned(),
        effective_on: day(),
        tags: event.tags(&Context::default()),
        body: body.into(),
    };
    Append { events: vec![new], ..append(id, &[]) }
}

pub(crate) fn renamed(id: &str, full_name: &str) -> Event {
    let event = AgencyEvent::Renamed {
        agency: agency(id),
        full_name: line(full_name),
        former: line("before"),
        until: None,
    };
    event.into()
}

/// Appends `count` renamings, round and round ten agencies.
pub(crate) async fn rename_many(log: &Log, count: u128) {
    let start = u128::from(log.head().await.unwrap());
    for n in start + 1..=start + count {
        let event = renamed(&format!("a{}", n % 10), &format!("name {n}"));
        log.append(unruled(n, &event)).await.unwrap();
    }
}

/// `names`: which agency bears which name, for all time; the name "poison" can't be taken.
pub(crate) struct Names;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NameColumns {
    pub(crate) agency: String,
    pub(crate) name: String,
    pub(crate) count: i64,
    pub(crate) former: Option<String>,
    pub(crate) letters: Vec<char>,
}

impl View for Names {
    const NAME: &'static str = "names";
    const VERSION: i64 = 1;
    const COLUMNS: &'static [Column] = &[
        Column::text("agency"),
        Column::text("name"),
        Column::integer("count"),
        Column::text("former"),
        Column::json("letters"),
    ];
    const INDEXES: &'static [&'static [&'static str]] = &[&["name"]];
    type Columns = NameColumns;

    fn keys(recorded: &Recorded) -> Vec<String> {
        match &recorded.event {
            Event::Agency(event) => vec![event.agency().to_string(), "all".into()],
            _ => vec![],
        }
    }

    fn project(
        key: &str,
        open: Vec<Row<NameColumns>>,
        recorded: &Recorded,
    ) -> Result<Vec<Row<NameColumns>>, Poison> {
        let Event::Agency(event) = &recorded.event else { return Ok(open) };
        let (AgencyEvent::Registered { full_name: name, .. } | AgencyEvent::Renamed { full_name: name, .. }) =
            event
        else {
            return Ok(open);
        };
        if name.as_str() == "poison" {
            return Err(Poison("it is poison".into()));
        }
        let columns = NameColumns {
            agency: event.agency().to_string(),
            name: name.to_string(),
            count: i64::try_from(open.len()).unwrap() + 1,
            former: open.last().map(|row| row.columns.name.clone()),
            letters: name.as_str().chars().filter(char::is_ascii_alphabetic).collect(),
        };
        let row = Row::new(Period::since(recorded.effective_on), recorded.position, columns);
        // Under "all" the last three names stay open: rows that stay, rows that go, rows that come.
        let kept = if key == "all" { open.len().min(2) } else { 0 };
        let dropped = open.len() - kept;
        Ok(open.into_iter().skip(dropped).chain([row]).collect())
    }
}
