//! A report's year: every command, each answered again as the first time after all that came later.

use std::future::Future;
use std::pin::Pin;

use duban_domain::task::Level;
use duban_proto::call::v1::ProgressLevel;
use duban_proto::reports::v1 as pb;
use duban_proto::reports::v1::ReportStage as Stage;
use tonic::Code;

use crate::requests::{
    CYCLE, accepting, asking, correcting, drafting, endorsing, item, obligation, receiving, report,
    returning, revising, submitting, valid_on, waiving,
};
use crate::support::{Service, TODAY, by, coordinator, is, officer, said, supervisor, told};

/// Calls that were made once, to be made again.
type Again = Vec<Pin<Box<dyn Future<Output = ()>>>>;

/// Makes a call, and keeps it to be made again; answers with the report.
macro_rules! call {
    ($again:ident, $service:ident.$rpc:ident($who:expr, $request:expr)) => {{
        let (request, mut client) = ($request, $service.reports.clone());
        let first = said(client.$rpc($who(request.clone())).await);
        let expected = first.clone();
        $again.push(Box::pin(async move {
            assert_eq!(said(client.$rpc($who(request)).await), expected);
        }));
        first.report.unwrap()
    }};
}

fn czt<T>(message: T) -> tonic::Request<T> {
    officer("czt", message)
}

/// The report of 财政厅 as of a day.
async fn on(service: &Service, day: &str) -> pb::Report {
    let request = czt(asking(&report("czt"), Some(valid_on(day))));
    said(service.report(request).await).report.unwrap()
}

/// From a draft that says what is known to its first submission.
async fn drafted_and_submitted(service: &Service, again: &mut Again) {
    let name = report("czt");
    let drafted = call!(again, service.draft_report(czt, drafting("czt")));
    assert_eq!((drafted.stage(), drafted.round, drafted.drafted_on.as_str()), (Stage::Draft, 0, TODAY));
    assert_eq!((drafted.cycle.as_str(), drafted.agency.as_str()), (CYCLE, "agencies/czt"));
    assert_eq!(drafted.obligation, obligation("czt"));
    let known =
        pb::ReportItem { self_assessment: ProgressLevel::Limited.into(), ..item("plan", "资金已下达") };
    let unknown = pb::ReportItem { self_assessment: 0, ..item("fund", "") };
    assert_eq!(drafted.items, [unknown, known.clone()]);
    let incomplete = told(service.reports.clone().endorse_report(czt(endorsing(&name))).await);
    assert_eq!(incomplete, is(Code::FailedPrecondition, "REPORT_INCOMPLETE"));
    let twice = told(service.reports.clone().draft_report(czt(drafting("czt"))).await);
    assert_eq!(twice, is(Code::AlreadyExists, "REPORT_EXISTS"));

    let revised = call!(again, service.revise_report(czt, revising(&name, vec![item("fund", "已设立")])));
    assert_eq!(revised.items, [item("fund", "已设立"), known]);
    service.on("2026-11-03");
    let endorsed = call!(again, service.endorse_report(czt, endorsing(&name)));
    assert_eq!((endorsed.stage(), endorsed.endorsed_on.as_deref()), (Stage::Endorsed, Some("2026-11-03")));
    service.on("2026-11-04");
    let submitted = call!(again, service.submit_report(czt, submitting(&name)));
    assert_eq!((submitted.stage(), submitted.round, submitted.late), (Stage::Submitted, 1, false));
    let met = said(service.owed("czt", valid_on("2026-11-04")).await).obligation.unwrap();
    assert_eq!((met.state(), met.report.as_deref()), (pb::ObligationState::Met, Some(name.as_str())));
    assert_eq!(met.first_submitted_on.as_deref(), Some("2026-11-04"));
}

/// Received, and returned.
async fn found_wanting(service: &Service, again: &mut Again) {
    let name = report("czt");
    service.on("2026-11-05");
    let early = told(service.reports.clone().accept_report(coordinator(accepting(&name))).await);
    assert_eq!(early, is(Code::FailedPrecondition, "REPORT_STAGE"));
    let received = call!(again, service.receive_report(coordinator, receiving(&name)));
    assert_eq!((received.stage(), received.received_on.as_deref()), (Stage::Received, Some("2026-11-05")));
    service.on("2026-11-06");
    let returned = call!(again, service.return_report(coordinator, returning(&name, "数据不全")));
    assert_eq!((returned.stage(), returned.returned_on.as_deref()), (Stage::Returned, Some("2026-11-06")));
    assert_eq!(
        (returned.findings[0].text.as_str(), returned.return_reason.as_deref()),
        ("数据不全", Some("因为"))
    );
    let unmended = told(service.reports.clone().accept_report(coordinator(accepting(&name))).await);
    assert_eq!(unmended, is(Code::FailedPrecondition, "REPORT_STAGE"));
    let still = said(service.owed("czt", valid_on("2026-11-06")).await).obligation.unwrap();
    assert_eq!(still.state(), pb::ObligationState::Met);
}

/// Revised, submitted a second time, and accepted.
async fn mended_and_accepted(service: &Service, again: &mut Again) {
    let name = report("czt");
    service.on("2026-11-07");
    let mended = call!(again, service.revise_report(czt, revising(&name, vec![item("fund", "已足额设立")])));
    assert_eq!((mended.stage(), mended.endorsed_on, mended.submitted_on), (Stage::Draft, None, None));
    call!(again, service.endorse_report(czt, endorsing(&name)));
    let second = call!(again, service.submit_report(czt, submitting(&name)));
    assert_eq!((second.round, second.received_on), (2, None));
    service.on("2026-11-08");
    call!(again, service.receive_report(coordinator, receiving(&name)));
    let accepted = call!(again, service.accept_report(coordinator, accepting(&name)));
    assert_eq!((accepted.stage(), accepted.accepted_on.as_deref()), (Stage::Accepted, Some("2026-11-08")));
    let late_word = told(service.reports.clone().revise_report(czt(revising(&name, vec![]))).await);
    assert_eq!(late_word, is(Code::FailedPrecondition, "REPORT_STAGE"));
}

/// Corrected by another that is accepted in its turn.
async fn corrected(service: &Service, again: &mut Again) {
    let name = report("czt");
    service.on("2026-11-09");
    let correction = call!(again, service.correct_report(czt, correcting(&name, "czt-2026-b")));
    assert_eq!((correction.stage(), correction.corrects.as_deref()), (Stage::Draft, Some(name.as_str())));
    assert_eq!(correction.items, on(service, "2026-11-09").await.items);
    service.endorse("czt", &correction.name, "更正后的进展").await;
    service.submit("czt", &correction.name).await;
    service.accept(&correction.name).await;
    let superseded = on(service, "2026-11-09").await;
    assert_eq!(superseded.stage(), Stage::Superseded);
    assert_eq!(superseded.superseded_by.as_deref(), Some(correction.name.as_str()));
    let owed = said(service.owed("czt", valid_on("2026-11-09")).await).obligation.unwrap();
    assert_eq!((owed.state(), owed.report), (pb::ObligationState::Met, Some(correction.name)));
}

#[tokio::test]
async fn a_report_is_returned_resubmitted_accepted_and_corrected() {
    let service = Service::start().await;
    service.with_three_agencies().await;
    service.progress("plan", "czt", Level::Limited, "资金已下达").await;
    service.open_cycle(2026).await;
    service.tick().await;
    let mut again: Again = vec![];
    drafted_and_submitted(&service, &mut again).await;
    found_wanting(&service, &mut again).await;
    mended_and_accepted(&service, &mut again).await;
    corrected(&service, &mut again).await;

    let stages = [
        ("2026-11-02", Stage::Draft, 0),
        ("2026-11-03", Stage::Endorsed, 0),
        ("2026-11-04", Stage::Submitted, 1),
        ("2026-11-05", Stage::Received, 1),
        ("2026-11-06", Stage::Returned, 1),
        ("2026-11-07", Stage::Submitted, 2),
        ("2026-11-08", Stage::Accepted, 2),
    ];
    for (day, stage, round) in stages {
        let then = on(&service, day).await;
        assert_eq!((then.stage(), then.round, then.superseded_by), (stage, round, None), "{day}");
        assert_eq!(then.findings.is_empty(), day < "2026-11-06", "{day}");
    }
    let head = service.head().await;
    for call in again {
        call.await;
    }
    assert_eq!(service.head().await, head);
    service.stop().await;
}

#[tokio::test]
async fn the_coordinators_own_report_is_for_a_supervisor() {
    let service = Service::with_open_cycle().await;
    let name = service.deliver("fgw").await.name;
    let mut reports = service.reports.clone();
    let own = told(reports.receive_report(coordinator(receiving(&name))).await);
    assert_eq!(own, is(Code::FailedPrecondition, "SEPARATION_OF_DUTY"));
    let own = told(reports.receive_report(by("s", "supervisor", "fgw", receiving(&name))).await);
    assert_eq!(own, is(Code::FailedPrecondition, "SEPARATION_OF_DUTY"));
    let other = told(reports.receive_report(by("c", "coordinator", "swt", receiving(&name))).await);
    assert_eq!(other, is(Code::PermissionDenied, "NOT_YOURS"));
    said(reports.receive_report(supervisor(receiving(&name))).await);
    let accepted = said(reports.accept_report(supervisor(accepting(&name))).await).report.unwrap();
    assert_eq!(accepted.stage(), Stage::Accepted);
    let name = service.deliver("czt").await.name;
    let not_needed = told(reports.receive_report(supervisor(receiving(&name))).await);
    assert_eq!(not_needed, is(Code::PermissionDenied, "ROLE_NOT_ALLOWED"));
    service.stop().await;
}

#[tokio::test]
async fn what_is_waived_is_owed_no_more() {
    let service = Service::with_open_cycle().await;
    let denied = told(service.waive(supervisor(waiving(&obligation("czt")))).await);
    assert_eq!(denied, is(Code::PermissionDenied, "ROLE_NOT_ALLOWED"));
    let absent = told(service.waive(coordinator(waiving(&obligation("jtt")))).await);
    assert_eq!(absent, is(Code::NotFound, "OBLIGATION_NOT_FOUND"));
    let mut mute = waiving(&obligation("czt"));
    mute.context.as_mut().unwrap().reason.clear();
    let mute = told(service.waive(coordinator(mute)).await);
    assert_eq!(mute, is(Code::InvalidArgument, "REASON_REQUIRED"));

    let request = waiving(&obligation("czt"));
    let first = said(service.waive(coordinator(request.clone())).await);
    let waived = first.obligation.clone().unwrap();
    assert_eq!(
        (waived.state(), waived.waiver_reason.as_deref()),
        (pb::ObligationState::Waived, Some("因为"))
    );
    said(service.waive(supervisor(waiving(&obligation("fgw")))).await);
    assert_eq!(service.owing("state = WAIVED", valid_on(TODAY)).await, ["czt", "fgw"]);
    let nothing_to_say = told(service.reports.clone().draft_report(czt(drafting("czt"))).await);
    assert_eq!(nothing_to_say, is(Code::FailedPrecondition, "OBLIGATION_STAGE"));

    // The clock finds nothing missing.
    service.on("2027-01-01");
    let head = service.head().await;
    service.tick().await;
    assert_eq!(service.head().await, head);
    assert!(service.owing("overdue = true", valid_on("2027-01-01")).await.is_empty());
    assert_eq!(said(service.waive(coordinator(request)).await), first);
    service.stop().await;
}

#[tokio::test]
async fn silence_is_recorded_once_and_a_report_after_it_is_late() {
    let service = Service::with_open_cycle().await;
    let name = service.draft("czt").await.name;
    service.endorse("czt", &name, "完成").await;
    let head = service.head().await;
    service.on("2026-12-21");
    service.tick().await;
    service.tick().await;
    assert_eq!(service.types_after(head).await, ["obligation.missed.v1"; 2]);
    let missed = said(service.owed("czt", valid_on("2026-12-21")).await).obligation.unwrap();
    assert_eq!((missed.state(), missed.late), (pb::ObligationState::Missed, false));
    assert_eq!(missed.missed_by.unwrap().id, "every-lead");
    assert_eq!(service.owing("overdue = true", valid_on("2026-12-21")).await, ["czt", "fgw"]);
    let waive = told(service.waive(coordinator(waiving(&obligation("czt")))).await);
    assert_eq!(waive, is(Code::FailedPrecondition, "OBLIGATION_STAGE"));

    service.on("2026-12-23");
    let submitted = service.submit("czt", &name).await;
    assert!(submitted.late);
    let late = said(service.owed("czt", valid_on("2026-12-23")).await).obligation.unwrap();
    assert_eq!((late.state(), late.late), (pb::ObligationState::Missed, true));
    assert_eq!(late.first_submitted_on.as_deref(), Some("2026-12-23"));
    let today = || valid_on("2026-12-23");
    assert_eq!(service.owing("late = true", today()).await, ["czt"]);
    assert_eq!(service.owing("state = MISSED", today()).await, ["czt", "fgw"]);
    assert_eq!(service.owing("overdue = true", today()).await, ["fgw"]);
    assert_eq!(service.owing("overdue = true", valid_on("2026-12-22")).await, ["czt", "fgw"]);
    assert_eq!(service.listed(coordinator, "late = true AND cycle = cycles/2026").await, [name]);
    service.stop().await;
}
