//! What can't be taken is refused by its path and leaves the log as it was.

use duban_proto::call::v1::EvidenceFile;
use duban_proto::reports::v1 as pb;
use prost_types::FieldMask;
use tonic::Code;

use crate::requests::{
    CYCLE, accepting, asking, correcting, drafting, endorsing, item, opening, receiving, report, returning,
    revising, submitting, waiving,
};
use crate::support::{Service, auditor, coordinator, fields, is, officer, told};

#[tokio::test]
async fn each_field_of_an_opening_is_checked() {
    let service = Service::without_calendar().await;
    let refused = async |change: &dyn Fn(&mut pb::OpenCycleRequest)| {
        let mut request = opening(2026);
        change(&mut request);
        fields(service.cycles.clone().open_cycle(coordinator(request)).await)
    };
    assert_eq!(refused(&|r| r.context = None).await, ["context"]);
    assert_eq!(refused(&|r| r.year = 0).await, ["year"]);
    assert_eq!(refused(&|r| r.year = 2200).await, ["year"]);
    assert_eq!(refused(&|r| r.year = u32::MAX).await, ["year"]);
    assert_eq!(refused(&|r| r.due_on = Some(String::new())).await, ["due_on"]);
    assert_eq!(refused(&|r| r.holders_on = Some("2026-02-30".into())).await, ["holders_on"]);
    assert_eq!(refused(&|r| r.rule = Some("every-one".into())).await, ["rule"]);
    assert_eq!(refused(&|r| (r.year, r.due_on) = (1, Some("x".into()))).await, ["year", "due_on"]);
    assert_eq!(service.head().await, 0);
    service.stop().await;
}

#[tokio::test]
async fn each_field_of_a_draft_is_checked() {
    let service = Service::with_open_cycle().await;
    let head = service.head().await;
    let refused = async |change: &dyn Fn(&mut pb::DraftReportRequest)| {
        let mut request = pb::DraftReportRequest { items: vec![item("plan", "好")], ..drafting("czt") };
        change(&mut request);
        fields(service.reports.clone().draft_report(officer("czt", request)).await)
    };
    assert_eq!(refused(&|r| r.cycle.clear()).await, ["cycle"]);
    assert_eq!(refused(&|r| r.cycle = "cycles/26".into()).await, ["cycle"]);
    assert_eq!(refused(&|r| r.report_id = Some("A".into())).await, ["report_id"]);
    assert_eq!(refused(&|r| r.items[0].task = "plan".into()).await, ["items[0].task"]);
    assert_eq!(refused(&|r| r.items[0].progress = "长".repeat(4_001)).await, ["items[0].progress"]);
    assert_eq!(refused(&|r| r.items[0].self_assessment = 9).await, ["items[0].self_assessment"]);
    assert_eq!(refused(&|r| r.items[0].difficulties = "a\0".into()).await, ["items[0].difficulties"]);
    assert_eq!(refused(&|r| r.items[0].next_steps = "\u{202e}".into()).await, ["items[0].next_steps"]);
    let file = || EvidenceFile {
        name: "一.pdf".into(),
        media_type: "application/pdf".into(),
        size: 1,
        sha256: "0".repeat(64),
    };
    let bad_file = EvidenceFile { sha256: "0".into(), ..file() };
    let bad = refused(&|r| r.items[0].evidence = vec![file(), bad_file.clone()]).await;
    assert_eq!(bad, ["items[0].evidence[1].sha256"]);
    assert_eq!(refused(&|r| r.items[0].evidence = vec![file(); 21]).await, ["items[0].evidence"]);
    assert_eq!(refused(&|r| r.items = vec![item("plan", "好"); 101]).await, ["items"]);
    assert_eq!(refused(&|r| r.items = vec![item("plan", "好"); 2]).await, ["items[1].task"]);
    let foreign = pb::DraftReportRequest { items: vec![item("other", "好")], ..drafting("czt") };
    let foreign = told(service.reports.clone().draft_report(officer("czt", foreign)).await);
    assert_eq!(foreign, is(Code::FailedPrecondition, "REPORT_INCOMPLETE"));
    assert_eq!(service.head().await, head);
    service.stop().await;
}

#[tokio::test]
async fn a_revision_changes_items_and_nothing_else() {
    let service = Service::with_open_cycle().await;
    let name = service.draft("czt").await.name;
    let head = service.head().await;
    for paths in [vec![], vec!["agency".to_owned()], vec!["items".to_owned(), "stage".to_owned()]] {
        let update_mask = Some(FieldMask { paths });
        let request = pb::ReviseReportRequest { update_mask, ..revising(&name, vec![]) };
        let refused = told(service.reports.clone().revise_report(officer("czt", request)).await);
        assert_eq!(refused, is(Code::InvalidArgument, "MASK_INVALID"));
    }
    let nothing = pb::ReviseReportRequest { report: None, ..revising(&name, vec![]) };
    assert_eq!(fields(service.reports.clone().revise_report(officer("czt", nothing)).await), ["report"]);
    let unnamed = revising("", vec![item("", "")]);
    let unnamed = fields(service.reports.clone().revise_report(officer("czt", unnamed)).await);
    assert_eq!(unnamed, ["report.name", "report.items[0].task"]);
    assert_eq!(service.head().await, head);
    service.stop().await;
}

#[tokio::test]
async fn what_names_nothing_is_refused_everywhere() {
    let service = Service::with_open_cycle().await;
    let (mut cycles, mut reports) = (service.cycles.clone(), service.reports.clone());
    let bad = "reports/A";
    assert_eq!(fields(cycles.waive_obligation(coordinator(waiving("cycles/2026"))).await), ["obligation"]);
    assert_eq!(fields(reports.endorse_report(officer("czt", endorsing(bad))).await), ["report"]);
    assert_eq!(fields(reports.submit_report(officer("czt", submitting(bad))).await), ["report"]);
    assert_eq!(fields(reports.receive_report(coordinator(receiving(bad))).await), ["report"]);
    assert_eq!(fields(reports.accept_report(coordinator(accepting(bad))).await), ["report"]);
    assert_eq!(fields(reports.correct_report(officer("czt", correcting(bad, "x"))).await), ["report"]);
    let none = pb::ReturnReportRequest { findings: vec![], ..returning(bad, "") };
    assert_eq!(fields(reports.return_report(coordinator(none)).await), ["findings", "report"]);
    let empty = returning(&report("czt"), "");
    assert_eq!(fields(reports.return_report(coordinator(empty)).await), ["findings[0].text"]);
    assert_eq!(fields(reports.get_report(auditor(asking(bad, None))).await), ["name"]);
    let cycle = pb::GetCycleRequest { name: "cycles/x".into(), ..Default::default() };
    assert_eq!(fields(cycles.get_cycle(auditor(cycle)).await), ["name"]);
    let owed = pb::GetObligationRequest { name: CYCLE.into(), ..Default::default() };
    assert_eq!(fields(cycles.get_obligation(auditor(owed)).await), ["name"]);
    let list = pb::ListObligationsRequest { parent: "cycles/-".into(), page_size: -1, ..Default::default() };
    assert_eq!(fields(cycles.list_obligations(auditor(list)).await), ["parent", "page_size"]);
    let list = pb::ListReportsRequest { filter: "draft = true".into(), ..Default::default() };
    assert_eq!(fields(reports.list_reports(auditor(list)).await), ["filter"]);
    service.stop().await;
}
