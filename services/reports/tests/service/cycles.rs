//! Cycles and obligations: what opening one answers, and how both are got and listed.

use duban_proto::call::v1::{Knowledge, Rule};
use duban_proto::reports::v1 as pb;
use tonic::Code;

use crate::requests::{CYCLE, DUE, asking, context, known_at, obligation, opening, report, valid_on};
use crate::support::{Service, TODAY, auditor, coordinator, is, officer, said, supervisor, told};

fn rule(id: &str) -> Rule {
    Rule { id: id.to_owned(), version: 1 }
}

/// As it is right after it was opened at a position.
fn opened(at: u64) -> pb::Cycle {
    pb::Cycle {
        name: CYCLE.into(),
        year: 2026,
        due_on: DUE.into(),
        holders_on: TODAY.into(),
        rule: Some(rule("every-lead")),
        coordinator: "agencies/fgw".into(),
        stage: pb::CycleStage::Opening.into(),
        obligation_count: 0,
        etag: format!("\"{at:x}\""),
        because: vec![at],
    }
}

#[tokio::test]
async fn a_cycle_is_opened_and_a_retry_is_answered_alike_after_its_obligations_are() {
    let mut service = Service::without_calendar().await;
    service.with_three_agencies().await;
    let at = service.head().await + 1;
    let request = opening(2026);
    let first = said(service.cycles.clone().open_cycle(coordinator(request.clone())).await);
    let receipt = first.receipt.clone().unwrap();
    assert_eq!((receipt.first_position, receipt.last_position), (at, at));
    assert_eq!(first.cycle, Some(opened(at)));
    assert_eq!(said(service.cycle(valid_on(TODAY)).await).cycle, Some(opened(at)));

    service.start_calendar().await;
    service.tick().await;
    let enrolled = service.head().await;
    let open = pb::Cycle {
        stage: pb::CycleStage::Open.into(),
        obligation_count: 2,
        etag: format!("\"{enrolled:x}\""),
        because: vec![at, enrolled],
        ..opened(at)
    };
    assert_eq!(said(service.cycle(valid_on(TODAY)).await).cycle, Some(open));
    assert_eq!(said(service.cycle(known_at(TODAY, at)).await).cycle, Some(opened(at)));
    let one = pb::Cycle { obligation_count: 1, ..opened(at) };
    assert_eq!(said(service.cycle(known_at(TODAY, at + 1)).await).cycle, Some(one));
    assert_eq!(said(service.cycles.clone().open_cycle(coordinator(request)).await), first);
    service.stop().await;
}

#[tokio::test]
async fn without_a_due_day_it_is_the_last_of_the_year() {
    let service = Service::start().await;
    let request = pb::OpenCycleRequest { due_on: None, rule: Some("first-named".into()), ..opening(2026) };
    let cycle = said(service.cycles.clone().open_cycle(coordinator(request)).await).cycle.unwrap();
    assert_eq!((cycle.due_on.as_str(), cycle.rule), ("2026-12-31", Some(rule("first-named"))));
    service.stop().await;
}

#[tokio::test]
async fn what_is_only_asked_is_not_written() {
    let service = Service::start().await;
    let mut request = opening(2026);
    request.context.as_mut().unwrap().validate_only = true;
    let reply = said(service.cycles.clone().open_cycle(coordinator(request)).await);
    assert_eq!((reply.cycle, reply.receipt), (Some(opened(1)), None));
    assert_eq!(service.head().await, 0);
    service.stop().await;
}

#[tokio::test]
async fn a_cycle_is_opened_once_by_a_coordinator_with_its_due_day_ahead() {
    let service = Service::start().await;
    service.open_cycle(2026).await;
    let head = service.head().await;
    let refused = async |request| told(service.cycles.clone().open_cycle(request).await);
    assert_eq!(refused(coordinator(opening(2026))).await, is(Code::AlreadyExists, "CYCLE_EXISTS"));
    let past = pb::OpenCycleRequest { due_on: Some("2026-11-01".into()), ..opening(2025) };
    assert_eq!(refused(coordinator(past)).await, is(Code::FailedPrecondition, "DUE_IN_PAST"));
    let ahead = pb::OpenCycleRequest { holders_on: Some("2026-11-03".into()), ..opening(2027) };
    assert_eq!(refused(coordinator(ahead)).await, is(Code::FailedPrecondition, "HOLDERS_IN_FUTURE"));
    for other in [supervisor(opening(2027)), officer("fgw", opening(2027)), auditor(opening(2027))] {
        assert_eq!(refused(other).await, is(Code::PermissionDenied, "ROLE_NOT_ALLOWED"));
    }
    service.tick().await;
    assert_eq!(service.types_after(head).await, ["cycle.enrolled.v1"]);
    service.stop().await;
}

#[tokio::test]
async fn cycles_are_listed_with_the_newest_year_first_page_by_page() {
    let service = Service::without_calendar().await;
    for year in [2027, 2026, 2028] {
        service.open_cycle(year).await;
    }
    let list = async |page_token: &str, page_size, filter: &str| {
        let (page_token, filter) = (page_token.to_owned(), filter.to_owned());
        let request = pb::ListCyclesRequest { page_size, page_token, filter, ..Default::default() };
        service.cycles.clone().list_cycles(auditor(request)).await
    };
    let years =
        |reply: &pb::ListCyclesResponse| reply.cycles.iter().map(|cycle| cycle.year).collect::<Vec<_>>();
    let first = said(list("", 2, "").await);
    assert_eq!(years(&first), [2028, 2027]);
    // What comes in between changes no page of the same list.
    service.open_cycle(2029).await;
    let second = said(list(&first.next_page_token, 2, "").await);
    assert_eq!((years(&second), second.next_page_token.as_str()), (vec![2026], ""));
    assert_eq!(second.answer, first.answer);
    assert_eq!(years(&said(list("", 0, "stage = OPENING AND coordinator = agencies/fgw").await)).len(), 4);
    assert!(years(&said(list("", 0, "stage = OPEN").await)).is_empty());
    let other = told(list(&first.next_page_token, 2, "stage = OPENING").await);
    assert_eq!(other, is(Code::InvalidArgument, "PAGE_TOKEN_INVALID"));
    service.stop().await;
}

#[tokio::test]
async fn a_cycle_is_not_there_before_its_day_nor_before_it_was_known() {
    let service = Service::with_open_cycle().await;
    let absent = is(Code::NotFound, "CYCLE_NOT_FOUND");
    assert_eq!(told(service.cycle(valid_on("2026-11-01")).await), absent);
    assert_eq!(told(service.cycle(known_at(TODAY, 0)).await), absent);
    assert_eq!(told(service.owed("czt", known_at(TODAY, 1)).await), absent);
    let elsewhere = pb::ListObligationsRequest { parent: "cycles/2027".into(), ..Default::default() };
    assert_eq!(told(service.cycles.clone().list_obligations(auditor(elsewhere)).await), absent);
    let beyond = told(service.cycle(known_at(TODAY, 10_000)).await);
    assert_eq!(beyond, is(Code::OutOfRange, "POSITION_BEYOND_HEAD"));
    service.stop().await;
}

#[tokio::test]
async fn an_obligation_says_what_is_owed_and_why() {
    let service = Service::with_open_cycle().await;
    // The opening, then fgw's would come after czt's: in order of name, then the enrolment.
    let at = service.head().await - 2;
    let reply = said(service.owed("czt", valid_on(TODAY)).await);
    let expected = pb::Obligation {
        name: obligation("czt"),
        cycle: CYCLE.into(),
        agency: "agencies/czt".into(),
        tasks: vec!["tasks/fund".into(), "tasks/plan".into()],
        due_on: DUE.into(),
        state: pb::ObligationState::Open.into(),
        report: None,
        first_submitted_on: None,
        late: false,
        waiver_reason: None,
        missed_by: None,
        rule: Some(rule("every-lead")),
        etag: format!("\"{at:x}\""),
        because: vec![at],
    };
    assert_eq!(reply.obligation, Some(expected));
    let answer = reply.answer.unwrap();
    assert_eq!((answer.valid_on.as_str(), answer.position), (TODAY, service.head().await));
    assert_eq!(answer.knowledge(), Knowledge::Known);
    let nothing = told(service.owed("jtt", valid_on(TODAY)).await);
    assert_eq!(nothing, is(Code::NotFound, "OBLIGATION_NOT_FOUND"));
    service.stop().await;
}

#[tokio::test]
async fn obligations_are_listed_by_agency_and_filtered_as_of_a_day() {
    let service = Service::with_open_cycle().await;
    service.deliver("czt").await;
    let now = || valid_on(TODAY);
    assert_eq!(service.owing("", now()).await, ["czt", "fgw"]);
    assert_eq!(service.owing("state = OPEN", now()).await, ["fgw"]);
    assert_eq!(service.owing("state != OPEN", now()).await, ["czt"]);
    assert_eq!(service.owing("agency = agencies/czt AND late = false", now()).await, ["czt"]);
    assert!(service.owing("overdue = true", now()).await.is_empty());
    assert_eq!(service.owing("overdue = true", valid_on("2026-12-21")).await, ["fgw"]);
    assert_eq!(service.owing("overdue != true", valid_on("2026-12-21")).await, ["czt"]);
    assert!(service.owing("overdue = true", valid_on(DUE)).await.is_empty());
    let bad = pb::ListObligationsRequest {
        parent: CYCLE.into(),
        filter: "standing = OPEN".into(),
        ..Default::default()
    };
    let bad = told(service.cycles.clone().list_obligations(auditor(bad)).await);
    assert_eq!(bad, is(Code::InvalidArgument, "FILTER_INVALID"));
    service.stop().await;
}

#[tokio::test]
async fn obligations_come_in_pages() {
    let service = Service::with_open_cycle().await;
    let page = async |page_token: String| {
        let parent = CYCLE.to_owned();
        let request = pb::ListObligationsRequest { parent, page_size: 1, page_token, ..Default::default() };
        said(service.cycles.clone().list_obligations(officer("jtt", request)).await)
    };
    let first = page(String::new()).await;
    let second = page(first.next_page_token.clone()).await;
    let agencies: Vec<_> = [&first, &second].iter().map(|page| page.obligations[0].agency.as_str()).collect();
    assert_eq!(agencies, ["agencies/czt", "agencies/fgw"]);
    assert_eq!((second.obligations.len(), second.next_page_token.as_str()), (1, ""));
    service.stop().await;
}

#[tokio::test]
async fn administrators_have_no_business_here() {
    let service = Service::with_open_cycle().await;
    let administrator = crate::support::by("a", "sysadmin", "", asking(&report("czt"), None));
    let denied = is(Code::PermissionDenied, "ROLE_NOT_ALLOWED");
    assert_eq!(told(service.report(administrator).await), denied);
    let waive = pb::WaiveObligationRequest { context: Some(context()), obligation: obligation("czt") };
    assert_eq!(told(service.waive(officer("czt", waive)).await), denied);
    service.stop().await;
}
