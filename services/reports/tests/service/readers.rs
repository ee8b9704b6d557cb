//! Who may read which report, and what the others learn of it: nothing.

use duban_proto::call::v1::AsOf;
use duban_proto::reports::v1 as pb;
use tonic::{Code, Request};
use tonic_types::StatusExt as _;

use crate::requests::{
    asking, correcting, endorsing, item, known_at, receiving, returning, revising, submitting, valid_on,
};
use crate::support::{Service, TODAY, auditor, by, coordinator, is, officer, said, supervisor, told};

/// Whether each may read the report: its officer, another agency's, the coordinator, a supervisor, the auditor.
async fn readers(service: &Service, name: &str, as_of: Option<AsOf>) -> [bool; 5] {
    let ask = || asking(name, as_of.clone());
    let who: [Request<_>; 5] =
        [officer("czt", ask()), officer("jtt", ask()), coordinator(ask()), supervisor(ask()), auditor(ask())];
    let mut may = [false; 5];
    for (may, request) in may.iter_mut().zip(who) {
        match service.report(request).await {
            Ok(_) => *may = true,
            refused @ Err(_) => assert_eq!(told(refused), is(Code::PermissionDenied, "NOT_YOURS")),
        }
    }
    may
}

const ITS_AGENCY: [bool; 5] = [true, false, false, false, false];
const ALL_BUT_OTHER_AGENCIES: [bool; 5] = [true, false, true, true, true];

#[tokio::test]
async fn a_draft_is_its_agencys_alone_and_so_is_what_was_returned_and_revised() {
    let service = Service::with_open_cycle().await;
    let name = service.draft("czt").await.name;
    let drafted = service.head().await;
    assert_eq!(readers(&service, &name, None).await, ITS_AGENCY);
    service.on("2026-11-03");
    service.endorse("czt", &name, "完成").await;
    assert_eq!(readers(&service, &name, None).await, ALL_BUT_OTHER_AGENCIES);
    assert_eq!(readers(&service, &name, Some(known_at(TODAY, drafted))).await, ITS_AGENCY);
    service.submit("czt", &name).await;
    said(service.reports.clone().return_report(coordinator(returning(&name, "不全"))).await);
    let returned = service.head().await;
    service.on("2026-11-05");
    said(
        service
            .reports
            .clone()
            .revise_report(officer("czt", revising(&name, vec![item("plan", "新")])))
            .await,
    );
    // Whatever day is asked about, its items are those of the draft.
    assert_eq!(readers(&service, &name, Some(valid_on("2026-11-03"))).await, ITS_AGENCY);
    let then = Some(known_at("2026-11-05", returned));
    assert_eq!(readers(&service, &name, then).await, ALL_BUT_OTHER_AGENCIES);
    service.stop().await;
}

#[tokio::test]
async fn whoever_is_of_the_agency_reads_its_drafts_in_another_role_but_an_auditor() {
    let service = Service::with_open_cycle().await;
    let name = service.draft("fgw").await.name;
    assert!(service.report(coordinator(asking(&name, None))).await.is_ok());
    assert!(service.report(by("s", "supervisor", "fgw", asking(&name, None))).await.is_ok());
    let auditor_of_it = told(service.report(by("a", "auditor", "fgw", asking(&name, None))).await);
    assert_eq!(auditor_of_it, is(Code::PermissionDenied, "NOT_YOURS"));
    assert_eq!(service.listed(coordinator, "").await, ["reports/fgw-2026"]);
    assert_eq!(service.listed(|m| by("s", "supervisor", "fgw", m), "").await, ["reports/fgw-2026"]);
    assert!(service.listed(|m| by("a", "auditor", "fgw", m), "").await.is_empty());
    service.stop().await;
}

#[tokio::test]
async fn what_is_absent_sounds_forbidden_to_an_agency_and_absent_to_those_who_read_all() {
    let service = Service::with_open_cycle().await;
    let theirs = service.deliver("czt").await.name;
    let nobodys = "reports/nobody";
    let heard = async |request| {
        let status = service.report(request).await.unwrap_err();
        let details = status.get_error_details();
        let reason = details.error_info().unwrap().reason.clone();
        (status.code(), reason, status.message().to_owned(), details.resource_info().is_some())
    };
    let forbidden = heard(officer("jtt", asking(&theirs, None))).await;
    assert_eq!(forbidden, heard(officer("jtt", asking(nobodys, None))).await);
    assert_eq!((forbidden.0, forbidden.1.as_str()), (Code::PermissionDenied, "NOT_YOURS"));
    for reader in [
        supervisor(asking(nobodys, None)),
        auditor(asking(nobodys, None)),
        coordinator(asking(nobodys, None)),
    ] {
        assert_eq!(told(service.report(reader).await), is(Code::NotFound, "REPORT_NOT_FOUND"));
    }
    service.stop().await;
}

#[tokio::test]
async fn commands_on_anothers_report_tell_no_more_than_those_on_none() {
    let service = Service::with_open_cycle().await;
    let own = service.draft("czt").await.name;
    let head = service.head().await;
    let mut reports = service.reports.clone();
    let not_yours = is(Code::PermissionDenied, "NOT_YOURS");
    for name in [own.as_str(), "reports/nobody"] {
        let stale = |mut context: Option<duban_proto::call::v1::CommandContext>| {
            context.as_mut().unwrap().etag = "\"1\"".to_owned();
            context
        };
        let mut with_etag = endorsing(name);
        with_etag.context = stale(with_etag.context);
        assert_eq!(told(reports.endorse_report(officer("jtt", with_etag)).await), not_yours, "{name}");
        let revise = revising(name, vec![]);
        assert_eq!(told(reports.revise_report(officer("jtt", revise)).await), not_yours, "{name}");
        assert_eq!(told(reports.submit_report(officer("jtt", submitting(name))).await), not_yours, "{name}");
        let correct = correcting(name, "x");
        assert_eq!(told(reports.correct_report(officer("jtt", correct)).await), not_yours, "{name}");
    }
    let mut stale = endorsing(&own);
    stale.context.as_mut().unwrap().etag = "\"1\"".to_owned();
    assert_eq!(told(reports.endorse_report(officer("czt", stale)).await), is(Code::Aborted, "ETAG_MISMATCH"));
    let absent = told(reports.receive_report(coordinator(receiving("reports/nobody"))).await);
    assert_eq!(absent, is(Code::NotFound, "REPORT_NOT_FOUND"));
    assert_eq!(service.head().await, head);
    service.stop().await;
}

#[tokio::test]
async fn a_list_shows_what_may_be_read_page_by_page() {
    let service = Service::with_open_cycle().await;
    service.draft("fgw").await;
    service.deliver("czt").await;
    let (czt, fgw) = ("reports/czt-2026", "reports/fgw-2026");
    assert_eq!(service.listed(|m| officer("czt", m), "").await, [czt]);
    assert!(service.listed(|m| officer("czt", m), "agency = agencies/fgw").await.is_empty());
    assert!(service.listed(|m| officer("jtt", m), "").await.is_empty());
    assert_eq!(service.listed(supervisor, "").await, [czt]);
    assert_eq!(service.listed(auditor, "stage = SUBMITTED").await, [czt]);
    assert!(service.listed(auditor, "stage = DRAFT").await.is_empty());
    assert_eq!(service.listed(coordinator, "cycle = cycles/2026").await, [czt, fgw]);
    let request = pb::ListReportsRequest { page_size: 1, ..Default::default() };
    let first = said(service.reports.clone().list_reports(coordinator(request.clone())).await);
    let next = pb::ListReportsRequest { page_token: first.next_page_token.clone(), ..request };
    let second = said(service.reports.clone().list_reports(coordinator(next)).await);
    assert_eq!((first.reports.len(), second.reports.len()), (1, 1));
    assert_eq!((second.reports[0].name.as_str(), second.next_page_token.as_str()), ("reports/fgw-2026", ""));
    service.stop().await;
}
