//! What is said of a field that can't be taken, of what is absent, of what is another's, of what is taken.

use duban_proto::agencies::v1 as agencies;
use duban_proto::audit::v1 as audit;
use duban_proto::reports::v1 as reports;
use duban_proto::tasks::v1 as tasks;
use duban_proto::tasks::v1::AssignmentRole as Role;
use tonic::{Code, Status};

use super::{fields, resource, told};
use crate::support::{Office, because, context, from};

/// A cycle in which the agencies `fgw`, which coordinates it, and `czt` report on the task `t`.
async fn year() -> Office {
    let office = Office::open().await;
    office.register_agencies(&["fgw", "czt"]).await;
    office.dispatch("t", "2026-01-10", &["fgw", "czt"]).await;
    office.cycle_opened("fgw", 2026, "2026-12-31", 2).await;
    office
}

#[tokio::test]
async fn a_bad_field_is_named_by_its_path() {
    let office = Office::open().await;
    let supervisor = office.supervisor();
    // All of them at once, nested ones too.
    let dispatch = tasks::DispatchTaskRequest {
        context: Some(from("2026-02-30")),
        task: "tasks/T".to_owned(),
        assignments: vec![
            tasks::NewAssignment { agency: "agencies/a".into(), role: 1, ..Default::default() },
            tasks::NewAssignment { agency: "a".into(), role: 9, ..Default::default() },
        ],
    };
    let refused = async { supervisor.tasks().dispatch_task(dispatch).await };
    let details =
        told(&office.refuses("INVALID_FIELD", refused).await, Code::InvalidArgument, "INVALID_FIELD");
    let mut named = fields(&details);
    named.sort();
    assert_eq!(named, ["assignments[1].agency", "assignments[1].role", "context.effective_on", "task"]);

    supervisor.propose(context(), Some("t")).await.unwrap();
    let refused = office.refuses("REASON_REQUIRED", supervisor.withdraw(context(), "tasks/t")).await;
    assert_eq!(fields(&told(&refused, Code::InvalidArgument, "REASON_REQUIRED")), ["context.reason"]);
    office.verify().await;
}

#[tokio::test]
async fn a_bad_mask_filter_or_token_is_named() {
    let office = Office::open().await;
    office.register_agencies(&["fgw", "czt"]).await;
    let (supervisor, auditor) = (office.supervisor(), office.auditor());
    for paths in [vec![], vec!["full_name".to_owned()], vec!["kind".to_owned(), "no".to_owned()]] {
        let amend = agencies::AmendAgencyRequest {
            context: Some(context()),
            agency: Some(agencies::Agency { name: "agencies/fgw".into(), kind: 1, ..Default::default() }),
            update_mask: Some(prost_types::FieldMask { paths }),
        };
        let refused = async { supervisor.agencies().amend_agency(amend).await };
        let details =
            told(&office.refuses("MASK_INVALID", refused).await, Code::InvalidArgument, "MASK_INVALID");
        assert_eq!(fields(&details), ["update_mask"]);
    }
    for filter in
        ["colour = red", "status ~ ACTIVE", "status = active", "kind =", "status = ACTIVE OR kind = 1"]
    {
        let list = agencies::ListAgenciesRequest { filter: filter.to_owned(), ..Default::default() };
        let refused = auditor.agencies().list_agencies(list).await.unwrap_err();
        let details = told(&refused, Code::InvalidArgument, "FILTER_INVALID");
        assert_eq!(fields(&details), ["filter"], "{filter}");
    }

    // A token is good for its own query and no other.
    let list = agencies::ListAgenciesRequest { page_size: 1, ..Default::default() };
    let token = auditor.agencies().list_agencies(list.clone()).await.unwrap().into_inner().next_page_token;
    let next = agencies::ListAgenciesRequest { page_token: token.clone(), ..list.clone() };
    assert_eq!(auditor.agencies().list_agencies(next.clone()).await.unwrap().into_inner().agencies.len(), 1);
    let filtered = agencies::ListAgenciesRequest { filter: "status = ACTIVE".to_owned(), ..next };
    let made_up = agencies::ListAgenciesRequest { page_token: "abc".to_owned(), ..list };
    for other in [filtered, made_up] {
        let refused = auditor.agencies().list_agencies(other).await.unwrap_err();
        assert_eq!(fields(&told(&refused, Code::InvalidArgument, "PAGE_TOKEN_INVALID")), ["page_token"]);
    }
    let elsewhere = tasks::ListTasksRequest { page_size: 1, page_token: token, ..Default::default() };
    let refused = auditor.tasks().list_tasks(elsewhere).await.unwrap_err();
    assert_eq!(fields(&told(&refused, Code::InvalidArgument, "PAGE_TOKEN_INVALID")), ["page_token"]);
    office.verify().await;
}

/// What is absent, by type and name.
#[track_caller]
fn absent(status: &Status, reason: &str, kind: &str, name: &str) {
    let details = told(status, Code::NotFound, reason);
    assert_eq!(resource(&details), (kind.to_owned(), name.to_owned()));
}

#[tokio::test]
async fn what_is_absent_is_named_with_its_type() {
    let office = year().await;
    let (supervisor, auditor) = (office.supervisor(), office.auditor());
    let status = office.refuses("AGENCY_NOT_FOUND", auditor.get_agency("no", None)).await;
    absent(&status, "AGENCY_NOT_FOUND", "agency", "agencies/no");
    let status = office.refuses("AGENCY_NOT_FOUND", supervisor.rename(context(), "no", "无")).await;
    absent(&status, "AGENCY_NOT_FOUND", "agency", "agencies/no");
    let status = office.refuses("TASK_NOT_FOUND", auditor.get_task("no", None)).await;
    absent(&status, "TASK_NOT_FOUND", "task", "tasks/no");
    let status = office.refuses("TASK_NOT_FOUND", supervisor.register(context(), "tasks/no")).await;
    absent(&status, "TASK_NOT_FOUND", "task", "tasks/no");
    let status = office.refuses("ASSIGNMENT_NOT_FOUND", auditor.get_assignment(("t", "no"), None)).await;
    absent(&status, "ASSIGNMENT_NOT_FOUND", "assignment", "tasks/t/assignments/no");
    let release = supervisor.release(context(), "tasks/t/assignments/no");
    let status = office.refuses("ASSIGNMENT_NOT_FOUND", release).await;
    absent(&status, "ASSIGNMENT_NOT_FOUND", "assignment", "tasks/t/assignments/no");
    let withdraw = tasks::WithdrawReadingRequest {
        context: Some(because("有误")),
        reading: "documents/no/readings/r".to_owned(),
    };
    let withdraw = async { supervisor.documents().withdraw_reading(withdraw).await };
    let status = office.refuses("READING_NOT_FOUND", withdraw).await;
    absent(&status, "READING_NOT_FOUND", "reading", "documents/no/readings/r");
    let document = tasks::GetDocumentRequest { name: "documents/no".to_owned(), ..Default::default() };
    let document = async { auditor.documents().get_document(document).await };
    let status = office.refuses("DOCUMENT_NOT_FOUND", document).await;
    absent(&status, "DOCUMENT_NOT_FOUND", "document", "documents/no");
    let cycle = reports::GetCycleRequest { name: "cycles/2031".to_owned(), ..Default::default() };
    let cycle = async { auditor.cycles().get_cycle(cycle).await };
    let status = office.refuses("CYCLE_NOT_FOUND", cycle).await;
    absent(&status, "CYCLE_NOT_FOUND", "cycle", "cycles/2031");
    let status = office.refuses("OBLIGATION_NOT_FOUND", auditor.obligation(2026, "no", None)).await;
    absent(&status, "OBLIGATION_NOT_FOUND", "obligation", "cycles/2026/obligations/no");
    let status = office.refuses("REPORT_NOT_FOUND", auditor.get_report("reports/no")).await;
    absent(&status, "REPORT_NOT_FOUND", "report", "reports/no");
    let receive = office.coordinator("fgw");
    let status = office.refuses("REPORT_NOT_FOUND", receive.receive(context(), "reports/no")).await;
    absent(&status, "REPORT_NOT_FOUND", "report", "reports/no");
    for name in ["tasks/no", "agencies/no", "reports/no", "cycles/2031", "documents/no"] {
        let status = auditor.explain(name, None).await.unwrap_err();
        assert_eq!(status.code(), Code::NotFound, "{name}");
        assert_eq!(resource(&tonic_types::StatusExt::get_error_details(&status)).1, name);
    }
    let schema = audit::GetEventSchemaRequest { r#type: "no.such.v1".to_owned() };
    let status = auditor.audit().get_event_schema(schema).await.unwrap_err();
    assert_eq!(resource(&told(&status, Code::NotFound, "EVENT_TYPE_NOT_FOUND")).1, "no.such.v1");
    office.verify().await;
}

/// Refused in the same words, so that nobody learns whether it is there.
#[track_caller]
fn the_same(there: &Status, absent: &Status) {
    for status in [there, absent] {
        let details = told(status, Code::PermissionDenied, "NOT_YOURS");
        assert!(details.resource_info().is_none() && details.bad_request().is_none());
        let facts = &details.error_info().expect("an ErrorInfo").metadata;
        assert!(facts.keys().all(|key| key == "request_id" || key == "trace_id"), "{facts:?}");
    }
    assert_eq!(there.message(), absent.message());
    assert!(!there.message().contains("reports/"));
}

#[tokio::test]
async fn another_agencys_report_is_denied_in_the_same_words_as_one_that_is_not_there() {
    let office = year().await;
    office.submitted("czt", 2026, "r", &["t"]).await;
    let fgw = office.agency("fgw");
    let (there, absent) = ("reports/r", "reports/absent");
    let got = office.refuses("NOT_YOURS", fgw.get_report(there)).await;
    the_same(&got, &office.refuses("NOT_YOURS", fgw.get_report(absent)).await);
    let revised = office.refuses("NOT_YOURS", fgw.revise(context(), there, &[("t", "好")])).await;
    the_same(&revised, &office.refuses("NOT_YOURS", fgw.revise(context(), absent, &[("t", "好")])).await);
    let endorsed = office.refuses("NOT_YOURS", fgw.endorse(context(), there)).await;
    the_same(&endorsed, &office.refuses("NOT_YOURS", fgw.endorse(context(), absent)).await);
    let submitted = office.refuses("NOT_YOURS", fgw.submit(context(), there)).await;
    the_same(&submitted, &office.refuses("NOT_YOURS", fgw.submit(context(), absent)).await);
    let corrected = office.refuses("NOT_YOURS", fgw.correct(because("有误"), there, "n")).await;
    the_same(&corrected, &office.refuses("NOT_YOURS", fgw.correct(because("有误"), absent, "n")).await);
    let drafted = office.refuses("REPORT_EXISTS", office.agency("czt").draft(context(), 2026, "r")).await;
    assert_eq!(resource(&told(&drafted, Code::AlreadyExists, "REPORT_EXISTS")).1, "reports/r");

    // A submitted report is the coordinator's to see; to its own agency it is there.
    office.agency("czt").get_report(there).await.expect("its own");
    office.auditor().get_report(there).await.expect("submitted");
    let list = office.agency("fgw").reports().list_reports(reports::ListReportsRequest::default()).await;
    assert!(list.unwrap().into_inner().reports.is_empty(), "nor does a list tell");
    office.verify().await;
}

#[tokio::test]
async fn another_agencys_assignment_is_denied() {
    let office = year().await;
    let refused =
        office.refuses("NOT_YOURS", office.agency("fgw").take(context(), "tasks/t/assignments/czt")).await;
    told(&refused, Code::PermissionDenied, "NOT_YOURS");
    let level = duban_proto::call::v1::ProgressLevel::Limited;
    office.register_agencies(&["jtt"]).await;
    let refused = office.refuses("NOT_YOURS", office.agency("jtt").record(context(), "t", level, "好")).await;
    told(&refused, Code::PermissionDenied, "NOT_YOURS");
    office.verify().await;
}

/// What is taken, by type and name.
#[track_caller]
fn taken(status: &Status, reason: &str, kind: &str, name: &str) {
    let details = told(status, Code::AlreadyExists, reason);
    assert_eq!(resource(&details), (kind.to_owned(), name.to_owned()));
}

#[tokio::test]
async fn a_taken_id_is_named() {
    let office = year().await;
    let supervisor = office.supervisor();
    let status =
        office.refuses("AGENCY_EXISTS", supervisor.register_agency(context(), Some("fgw"), "另一机构")).await;
    taken(&status, "AGENCY_EXISTS", "agency", "agencies/fgw");
    let status = office.refuses("NAME_TAKEN", supervisor.register_agency(context(), None, "机构fgw")).await;
    told(&status, Code::AlreadyExists, "NAME_TAKEN");
    let status = office.refuses("TASK_EXISTS", supervisor.propose(context(), Some("t"))).await;
    taken(&status, "TASK_EXISTS", "task", "tasks/t");
    let assign = supervisor.assign(context(), ("t", "fgw"), "czt", Role::Supporting, None);
    let status = office.refuses("ASSIGNMENT_EXISTS", assign).await;
    taken(&status, "ASSIGNMENT_EXISTS", "assignment", "tasks/t/assignments/fgw");
    let coordinator = office.coordinator("fgw");
    let status = office.refuses("CYCLE_EXISTS", coordinator.open_cycle(context(), 2026, None)).await;
    taken(&status, "CYCLE_EXISTS", "cycle", "cycles/2026");
    office.verify().await;
}

#[tokio::test]
async fn a_request_id_used_for_another_command_is_named() {
    let office = Office::open().await;
    let (supervisor, used) = (office.supervisor(), context());
    supervisor.propose(used.clone(), Some("t")).await.unwrap();
    for call in [supervisor.propose(used.clone(), Some("u")).await, supervisor.propose(used, None).await] {
        taken(&call.unwrap_err(), "REQUEST_ID_REUSED", "request", "context.request_id");
    }
    assert_eq!(office.head().await, 1);
    office.verify().await;
}
