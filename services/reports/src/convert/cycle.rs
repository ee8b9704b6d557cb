//! Cycles and obligations.

use duban_domain::cycle::{CycleCommand, Rule};
use duban_domain::name::{CycleId, ObligationId};
use duban_log::{LogIdentity, Request};
use duban_proto::reports::v1 as pb;
use duban_rpc::filter::Kind;
use duban_rpc::validate::{date, name};
use duban_rpc::{AsOf, Call, Error, Field, Fields, Filter, Page, gather};

/// What cycles are filtered by: columns of the view.
const CYCLES_FILTERED: &[(&str, Kind)] =
    &[("stage", Kind::Choice(&["OPENING", "OPEN"])), ("coordinator", Kind::Text)];
/// What obligations are filtered by; `state` and `overdue` are none of the view's columns.
const OBLIGATIONS_FILTERED: &[(&str, Kind)] = &[
    ("state", Kind::Choice(&["OPEN", "MET", "WAIVED", "MISSED"])),
    ("agency", Kind::Text),
    ("late", Kind::Flag),
    ("overdue", Kind::Flag),
];

type Read = Result<(Request, CycleCommand), Error>;

pub(crate) fn open_cycle(call: &Call, request: pb::OpenCycleRequest) -> Read {
    let pb::OpenCycleRequest { context, year: number, due_on, holders_on, rule } = request;
    call.command(context, |f| {
        gather!(CycleCommand::Open {
            cycle: year(f, number),
            due_on: f.maybe("due_on", due_on, date),
            holders_on: f.maybe("holders_on", holders_on, date),
            rule: f.maybe("rule", rule, str::parse::<Rule>),
        })
    })
}

fn year(f: &mut Fields, number: u32) -> Field<CycleId> {
    let cycle = i16::try_from(number).ok().and_then(CycleId::from_year);
    cycle.ok_or_else(|| f.invalid("year", format!("is {number}, a year from 1950 to 2199 is expected")))
}

pub(crate) fn waive(call: &Call, request: pb::WaiveObligationRequest) -> Read {
    let pb::WaiveObligationRequest { context, obligation } = request;
    call.command(context, |f| {
        gather!(CycleCommand::Waive { obligation: f.one("obligation", obligation, name) })
    })
}

/// Which cycle, as of when.
pub(crate) fn get_cycle(request: pb::GetCycleRequest) -> Result<(CycleId, AsOf), Error> {
    let pb::GetCycleRequest { name: cycle, as_of, consistency } = request;
    Fields::read(|f| {
        let cycle = f.one("name", cycle, name);
        let as_of = f.as_of(as_of, consistency);
        Ok((cycle?, as_of?))
    })
}

/// Which page of which cycles, as of when.
pub(crate) fn list_cycles(
    call: &Call,
    log: LogIdentity,
    request: pb::ListCyclesRequest,
) -> Result<(Page, Filter, AsOf), Error> {
    let query = pb::ListCyclesRequest { page_size: 0, page_token: String::new(), ..request.clone() };
    let pb::ListCyclesRequest { page_size, page_token, filter, as_of, consistency } = request;
    Fields::read(|f| {
        let page = f.page(page_size, &page_token, &query, &call.scope(log));
        let filter = f.filter(&filter, CYCLES_FILTERED);
        let as_of = f.as_of(as_of, consistency);
        Ok((page?, filter?, as_of?))
    })
}

/// Which obligation, as of when.
pub(crate) fn get_obligation(request: pb::GetObligationRequest) -> Result<(ObligationId, AsOf), Error> {
    let pb::GetObligationRequest { name: obligation, as_of, consistency } = request;
    Fields::read(|f| {
        let obligation = f.one("name", obligation, name);
        let as_of = f.as_of(as_of, consistency);
        Ok((obligation?, as_of?))
    })
}

/// Of which cycle which page of which obligations, as of when.
pub(crate) fn list_obligations(
    call: &Call,
    log: LogIdentity,
    request: pb::ListObligationsRequest,
) -> Result<(CycleId, Page, Filter, AsOf), Error> {
    let query = pb::ListObligationsRequest { page_size: 0, page_token: String::new(), ..request.clone() };
    let pb::ListObligationsRequest { parent, page_size, page_token, filter, as_of, consistency } = request;
    Fields::read(|f| {
        let cycle = f.one("parent", parent, name);
        let page = f.page(page_size, &page_token, &query, &call.scope(log));
        let filter = f.filter(&filter, OBLIGATIONS_FILTERED);
        let as_of = f.as_of(as_of, consistency);
        Ok((cycle?, page?, filter?, as_of?))
    })
}
