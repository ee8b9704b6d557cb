//! What is refused for what the log holds: a stale etag, a rule, a position that it has not reached, another
//! log.

use duban_proto::audit::v1 as audit;
use duban_proto::call::v1::as_of::Known;
use duban_proto::call::v1::consistency::Requirement;
use duban_proto::call::v1::{AsOf, CommandContext, Consistency, LogIdentity, ProgressLevel};
use duban_proto::tasks::v1 as tasks;
use duban_proto::tasks::v1::AssignmentRole as Role;
use tonic::{Code, Status};
use uuid::Uuid;

use super::{fact, told};
use crate::support::{Office, because, context, from};

#[tokio::test]
async fn a_stale_etag_is_told_with_the_one_that_holds() {
    let office = Office::open().await;
    let supervisor = office.supervisor();
    let seen = supervisor.propose(context(), Some("t")).await.unwrap().task.unwrap().etag;
    supervisor.register(context(), "tasks/t").await.unwrap();
    let now = supervisor.get_task("t", None).await.unwrap().task.unwrap().etag;
    assert_ne!(seen, now);
    let with = |etag: &str| CommandContext { etag: etag.to_owned(), ..because("不再需要") };
    let refused = office.refuses("ETAG_MISMATCH", supervisor.withdraw(with(&seen), "tasks/t")).await;
    let details = told(&refused, Code::Aborted, "ETAG_MISMATCH");
    assert_eq!((fact(&details, "expected"), fact(&details, "current")), (seen, now.clone()));
    supervisor.withdraw(with(&now), "tasks/t").await.expect("read again, decided again");
    office.verify().await;
}

/// A rule's no: of which type, about what.
#[track_caller]
fn ruled_out(status: &Status, reason: &str, subject: &str) {
    let details = told(status, Code::FailedPrecondition, reason);
    let failure = &details.precondition_failure().expect("a PreconditionFailure").violations;
    assert_eq!(failure.len(), 1);
    assert_eq!((failure[0].r#type.as_str(), failure[0].subject.as_str()), (reason, subject));
    assert!(!failure[0].description.is_empty());
}

#[tokio::test]
async fn a_rule_that_says_no_is_named_with_its_subject() {
    let office = Office::open().await;
    office.register_agencies(&["fgw", "czt", "old"]).await;
    let supervisor = office.supervisor();
    supervisor.propose(from("2026-01-01"), Some("t")).await.unwrap();
    // State.
    let dispatch = supervisor.dispatch_to(context(), "t", &[("fgw", Role::Lead)]);
    ruled_out(&office.refuses("TASK_STAGE", dispatch).await, "TASK_STAGE", "tasks/t");
    supervisor.register(from("2026-01-01"), "tasks/t").await.unwrap();
    // An inactive agency.
    supervisor.dissolve(because("改革"), "agencies/old").await.unwrap();
    let dispatch = supervisor.dispatch_to(context(), "t", &[("old", Role::Lead)]);
    ruled_out(&office.refuses("AGENCY_NOT_ACTIVE", dispatch).await, "AGENCY_NOT_ACTIVE", "agencies/old");
    let dispatch = supervisor.dispatch_to(context(), "t", &[("fgw", Role::Lead), ("czt", Role::Lead)]);
    told(&office.refuses("LEAD_TAKEN", dispatch).await, Code::FailedPrecondition, "LEAD_TAKEN");
    supervisor
        .dispatch_to(from("2026-01-01"), "t", &[("fgw", Role::Lead), ("czt", Role::CoLead)])
        .await
        .unwrap();
    let dissolve = supervisor.dissolve(because("改革"), "agencies/fgw");
    ruled_out(&office.refuses("AGENCY_HAS_DUTIES", dissolve).await, "AGENCY_HAS_DUTIES", "agencies/fgw");
    // A cycle.
    let coordinator = office.coordinator("fgw");
    let late = coordinator.open_cycle(context(), 2026, Some("2026-03-01"));
    ruled_out(&office.refuses("DUE_IN_PAST", late).await, "DUE_IN_PAST", "cycles/2026");
    // Separation of duty.
    office.agency("fgw").take(context(), "tasks/t/assignments/fgw").await.unwrap();
    office.agency("fgw").request_closure(context(), "t").await.unwrap();
    supervisor.complete(context(), "t").await.unwrap();
    let strike = supervisor.strike_off(context(), "tasks/t");
    ruled_out(&office.refuses("SEPARATION_OF_DUTY", strike).await, "SEPARATION_OF_DUTY", "tasks/t");
    office.verify().await;
}

#[tokio::test]
async fn what_is_in_the_way_is_named_with_its_period() {
    let office = Office::open().await;
    office.register_agencies(&["fgw", "czt"]).await;
    office.dispatch("t", "2026-01-01", &["fgw"]).await;
    let supervisor = office.supervisor();
    let lead = supervisor.assign(context(), ("t", "c"), "czt", Role::Lead, None);
    let details = told(&office.refuses("LEAD_TAKEN", lead).await, Code::FailedPrecondition, "LEAD_TAKEN");
    let facts = &details.error_info().unwrap().metadata;
    assert!(facts.values().any(|fact| fact.contains("tasks/t/assignments/fgw")), "{facts:?}");
    assert!(facts.values().any(|fact| fact.contains("2026-01-01")), "{facts:?}");
    office.verify().await;
}

#[tokio::test]
async fn nobody_judges_their_own_agencys_report() {
    let office = Office::open().await;
    office.register_agencies(&["fgw", "czt"]).await;
    office.dispatch("t", "2026-01-01", &["fgw", "czt"]).await;
    office.cycle_opened("fgw", 2026, "2026-12-31", 2).await;
    office.submitted("fgw", 2026, "own", &["t"]).await;
    let (coordinator, czt) = (office.coordinator("fgw"), office.agency("czt"));
    let receive = coordinator.receive(context(), "reports/own").await.unwrap_err();
    ruled_out(&receive, "SEPARATION_OF_DUTY", "reports/own");
    office.submitted("czt", 2026, "r", &["t"]).await;
    let accept = coordinator.accept(context(), "reports/r");
    ruled_out(&office.refuses("REPORT_STAGE", accept).await, "REPORT_STAGE", "reports/r");
    let level = ProgressLevel::Limited;
    let record = czt.record(context(), "t", level, "好");
    ruled_out(
        &office.refuses("ASSIGNMENT_STAGE", record).await,
        "ASSIGNMENT_STAGE",
        "tasks/t/assignments/czt",
    );
    office.verify().await;
}

/// Out of the log's range, with its head.
#[track_caller]
fn beyond(status: &Status, head: u64) {
    let details = told(status, Code::OutOfRange, "POSITION_BEYOND_HEAD");
    assert_eq!(fact(&details, "head"), head.to_string());
}

#[tokio::test]
async fn what_the_log_has_not_reached_is_told_with_its_head() {
    let office = Office::open().await;
    office.register_agencies(&["fgw"]).await;
    let (auditor, head) = (office.auditor(), office.head().await);
    let at = |known| Some(AsOf { valid_on: None, known: Some(known) });
    let later = prost_types::Timestamp { seconds: 1_900_000_000, nanos: 0 };
    for known in [Known::Position(head + 1), Known::KnownOn("2026-03-03".into()), Known::KnownAt(later)] {
        beyond(&auditor.get_agency("fgw", at(known.clone())).await.unwrap_err(), head);
        beyond(&auditor.get_agency("absent", at(known.clone())).await.unwrap_err(), head);
        beyond(&auditor.explain("agencies/fgw", at(known)).await.unwrap_err(), head);
    }
    let fresh = Consistency { requirement: Some(Requirement::AtLeastAsFresh(head + 1)) };
    let list = tasks::ListTasksRequest { consistency: Some(fresh), ..Default::default() };
    beyond(&auditor.tasks().list_tasks(list).await.unwrap_err(), head);

    let mut client = auditor.audit();
    let read = audit::ReadRequest { up_to: Some(head + 1), ..Default::default() };
    beyond(&first_of(client.read(read).await).await, head);
    let log = client.get_head(audit::GetHeadRequest {}).await.unwrap().into_inner().log;
    let after = Some(audit::Cursor { log, position: head + 1 });
    let read = audit::ReadRequest { after: after.clone(), ..Default::default() };
    beyond(&first_of(client.read(read).await).await, head);
    let subscribe = audit::SubscribeRequest { after, ..Default::default() };
    beyond(&first_of(client.subscribe(subscribe).await).await, head);
    let time = Some(audit::resolve_position_request::Time::On("2026-03-03".into()));
    beyond(&client.resolve_position(audit::ResolvePositionRequest { time }).await.unwrap_err(), head);
    office.verify().await;
}

/// How a stream fails, at once or with its first message.
async fn first_of<T: std::fmt::Debug>(
    answer: Result<tonic::Response<tonic::Streaming<T>>, Status>,
) -> Status {
    match answer {
        Err(status) => status,
        Ok(stream) => stream.into_inner().message().await.expect_err("a refusal"),
    }
}

#[tokio::test]
async fn a_cursor_of_another_log_or_epoch_is_told_with_both_identities() {
    let office = Office::open().await;
    office.register_agencies(&["fgw"]).await;
    let mut client = office.auditor().audit();
    let ours = client.get_head(audit::GetHeadRequest {}).await.unwrap().into_inner().log.unwrap();
    let name = |log: &LogIdentity| format!("{}/{}", log.log, log.epoch);
    let other = || Uuid::from_u128(7).to_string();
    let strangers =
        [LogIdentity { log: other(), ..ours.clone() }, LogIdentity { epoch: other(), ..ours.clone() }];
    for theirs in strangers {
        let after = Some(audit::Cursor { log: Some(theirs.clone()), position: 0 });
        let read = audit::ReadRequest { after: after.clone(), ..Default::default() };
        let subscribe = audit::SubscribeRequest { after, ..Default::default() };
        let refused =
            [first_of(client.read(read).await).await, first_of(client.subscribe(subscribe).await).await];
        for status in refused {
            let details = told(&status, Code::FailedPrecondition, "OTHER_LOG");
            assert!(details.precondition_failure().is_some());
            assert_eq!((fact(&details, "expected"), fact(&details, "current")), (name(&ours), name(&theirs)));
        }
    }
    office.verify().await;
}
