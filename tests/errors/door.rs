//! What is refused at the door, before any rule is asked: who calls, how often, how much, in what form, when.

use std::num::NonZeroU32;

use bytes::Bytes;
use duban::server::{Running, Settings, start};
use duban_proto::audit::v1 as audit;
use duban_proto::call::v1::CommandContext;
use duban_proto::tasks::v1 as tasks;
use duban_rpc::Quotas;
use prost::Message as _;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};

use super::{again_soon, fact, told};
use crate::support::{As, Office, because, context};

const HEAD: &str = "/duban.audit.v1.AuditService/GetHead";
const PROPOSE: &str = "/duban.tasks.v1.TaskService/ProposeTask";

/// Names and values of metadata.
type Metadata<'a> = &'a [(&'static str, &'a str)];

/// What is said to somebody whose metadata are these and no others.
async fn said(office: &Office, metadata: Metadata<'_>) -> Status {
    let mut client = audit::audit_service_client::AuditServiceClient::new(office.channel());
    let mut request = Request::new(audit::GetHeadRequest {});
    for (name, value) in metadata {
        request.metadata_mut().append(*name, value.parse().expect("plain text"));
    }
    client.get_head(request).await.expect_err("a refusal")
}

#[tokio::test]
async fn who_does_not_say_who_it_is_hears_which_header_is_missing_or_wrong() {
    let office = Office::open().await;
    let (actor, role, agency) = ("duban-actor", "duban-role", "duban-agency");
    let cases: [(Metadata<'_>, &str, &str); 6] = [
        (&[], "IDENTITY_MISSING", actor),
        (&[(actor, "a")], "IDENTITY_MISSING", role),
        (&[(actor, "a"), (role, "agency")], "IDENTITY_MISSING", agency),
        (&[(actor, "a b"), (role, "auditor")], "IDENTITY_INVALID", actor),
        (&[(actor, "a"), (role, "king")], "IDENTITY_INVALID", role),
        (&[(actor, "a"), (role, "agency"), (agency, "fgw")], "IDENTITY_INVALID", agency),
    ];
    for (metadata, reason, header) in cases {
        let details = told(&said(&office, metadata).await, Code::Unauthenticated, reason);
        assert_eq!(fact(&details, "header"), header);
    }
    office.verify().await;
}

#[tokio::test]
async fn another_role_is_denied_in_words_that_tell_nothing() {
    let office = Office::open().await;
    office.register_agencies(&["fgw"]).await;
    let (auditor, sysadmin) = (office.auditor(), office.sysadmin());
    let written = office.refuses("ROLE_NOT_ALLOWED", auditor.propose(context(), Some("t"))).await;
    let there = office.refuses("ROLE_NOT_ALLOWED", sysadmin.get_agency("fgw", None)).await;
    let absent = office.refuses("ROLE_NOT_ALLOWED", sysadmin.get_agency("nobody", None)).await;
    for status in [&written, &there, &absent] {
        let details = told(status, Code::PermissionDenied, "ROLE_NOT_ALLOWED");
        assert!(details.resource_info().is_none() && details.precondition_failure().is_none());
    }
    assert_eq!(there.message(), absent.message());
    office.verify().await;
}

#[tokio::test]
async fn bytes_that_are_no_message_and_messages_without_measure() {
    let office = Office::open().await;
    let supervisor = office.supervisor();
    let broken = supervisor.raw(PROPOSE, vec![0x0a, 0xff]).await.unwrap_err();
    told(&broken, Code::Internal, "MALFORMED_MESSAGE");
    let large = tasks::ProposeTaskRequest { title: "x".repeat(5_000_000), ..Default::default() };
    let large = supervisor.raw(PROPOSE, large.encode_to_vec()).await.unwrap_err();
    let details = told(&large, Code::ResourceExhausted, "MESSAGE_TOO_LARGE");
    assert!(details.quota_failure().is_some() && details.retry_info().is_none(), "waiting doesn't help");
    office.verify().await;
}

#[tokio::test]
async fn what_is_not_served_is_unimplemented() {
    let office = Office::open().await;
    let auditor = office.auditor();
    for path in ["/duban.audit.v1.AuditService/Shred", "/duban.audit.v2.AuditService/GetHead", "/x.Y/Z"] {
        let unknown = auditor.raw(path, Bytes::new()).await.unwrap_err();
        told(&unknown, Code::Unimplemented, "UNKNOWN_METHOD");
    }
    let mut request = Request::new(Bytes::new());
    request.metadata_mut().insert("grpc-encoding", "br".parse().unwrap());
    let unsupported = auditor.ask(HEAD, request).await.unwrap_err();
    told(&unsupported, Code::Unimplemented, "UNSUPPORTED_COMPRESSION");
    let understood = unsupported.metadata().get("grpc-accept-encoding").expect("what is understood");
    assert!(understood.to_str().unwrap().contains("gzip"));
    office.verify().await;
}

#[tokio::test]
async fn an_expired_deadline_says_so() {
    let office = Office::open().await;
    let auditor = office.auditor();
    let mut request = Request::new(Bytes::new());
    request.metadata_mut().insert("grpc-timeout", "soon".parse().unwrap());
    let unclear = auditor.ask(HEAD, request).await.unwrap_err();
    told(&unclear, Code::InvalidArgument, "INVALID_TIMEOUT");

    // A subscription on a quiet log has nothing more to say when its time is over.
    let mut request = Request::new(audit::SubscribeRequest::default());
    request.set_timeout(std::time::Duration::from_millis(300));
    let mut frames = auditor.audit().subscribe(request).await.unwrap().into_inner();
    let late = loop {
        match frames.message().await {
            Ok(frame) => assert!(frame.is_some(), "it ends with a status"),
            Err(status) => break status,
        }
    };
    told(&late, Code::DeadlineExceeded, "DEADLINE_EXCEEDED");
    office.verify().await;
}

/// A server that takes only so much.
async fn bounded(folder: &tempfile::TempDir, quotas: Quotas) -> (Running, Channel) {
    let running = start(Settings { quotas, ..Settings::new(folder.path()) }).await.expect("it starts");
    let channel = Endpoint::from_shared(format!("http://{}", running.address)).expect("a URL").connect_lazy();
    (running, channel)
}

fn auditor(channel: &Channel, actor: &str) -> As {
    As::on(channel.clone(), actor, "auditor", None)
}

async fn stop(running: Running) {
    running.stop();
    running.ended().await.expect("it ends well");
}

#[tokio::test]
async fn who_asks_too_often_hears_when_to_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let one = NonZeroU32::new(1).unwrap();
    let quotas = Quotas { per_second: one, burst: one, ..Quotas::default() };
    let (running, channel) = bounded(&folder, quotas).await;
    let ask = async |actor: &str| auditor(&channel, actor).audit().get_head(audit::GetHeadRequest {}).await;
    ask("often").await.expect("the first");
    let details = told(&ask("often").await.unwrap_err(), Code::ResourceExhausted, "RATE_LIMITED");
    again_soon(&details);
    assert_eq!(details.quota_failure().expect("a QuotaFailure").violations[0].subject, "often");
    ask("seldom").await.expect("another principal has its own");
    // Who calls is asked before how often, and that before what the bytes are.
    let broken = auditor(&channel, "often").raw(PROPOSE, vec![0xff; 9]).await.unwrap_err();
    told(&broken, Code::ResourceExhausted, "RATE_LIMITED");
    let nobody = auditor(&channel, "a b").raw(PROPOSE, vec![0xff; 9]).await.unwrap_err();
    told(&nobody, Code::Unauthenticated, "IDENTITY_INVALID");
    stop(running).await;
}

#[tokio::test]
async fn when_too_much_is_asked_at_once_the_next_is_told_to_wait() {
    let folder = tempfile::tempdir().unwrap();
    let (running, channel) = bounded(&folder, Quotas { in_progress: 1, ..Quotas::default() }).await;
    let frames = auditor(&channel, "a").audit().subscribe(audit::SubscribeRequest::default()).await.unwrap();
    let refused = auditor(&channel, "b").audit().get_head(audit::GetHeadRequest {}).await.unwrap_err();
    let details = told(&refused, Code::ResourceExhausted, "TOO_MANY_CALLS");
    again_soon(&details);
    assert!(details.quota_failure().is_some());
    drop(frames);
    stop(running).await;
}

#[tokio::test]
async fn a_server_that_drains_ends_a_subscription_with_a_word_on_when_to_come_back() {
    let mut office = Office::open().await;
    let mut frames =
        office.auditor().audit().subscribe(audit::SubscribeRequest::default()).await.unwrap().into_inner();
    assert!(frames.message().await.unwrap().is_some());
    office.close().await;
    let ended = loop {
        match frames.message().await {
            Ok(frame) => assert!(frame.is_some(), "it ends with a status"),
            Err(status) => break status,
        }
    };
    again_soon(&told(&ended, Code::Unavailable, "DRAINING"));
    office.restart().await;
    office.verify().await;
}

/// One call that is wrong in every way; whatever is put right, the next check speaks.
#[tokio::test]
async fn the_checks_come_in_their_order() {
    const REGISTER: &str = "/duban.tasks.v1.TaskService/RegisterTask";
    let office = Office::open().await;
    office.register_agencies(&["fgw"]).await;
    let used = context();
    office.supervisor().propose(used.clone(), Some("t")).await.unwrap();
    office.supervisor().register(context(), "tasks/t").await.unwrap();
    let head = office.head().await;

    let nobody =
        As::on(office.channel(), "a b", "auditor", None).raw(REGISTER, vec![0xff; 9]).await.unwrap_err();
    told(&nobody, Code::Unauthenticated, "IDENTITY_INVALID");
    let undecodable = office.auditor().raw(REGISTER, vec![0xff; 9]).await.unwrap_err();
    told(&undecodable, Code::Internal, "MALFORMED_MESSAGE");
    // Wrong in every way from here on; each time one thing is put right, and the next check speaks.
    let (auditor, supervisor) = (office.auditor(), office.supervisor());
    let stale = |context| CommandContext { etag: "stale".to_owned(), ..context };
    let denied = auditor.register(stale(used.clone()), "t").await.unwrap_err();
    told(&denied, Code::PermissionDenied, "ROLE_NOT_ALLOWED");
    let invalid = supervisor.register(stale(used.clone()), "t").await.unwrap_err();
    told(&invalid, Code::InvalidArgument, "INVALID_FIELD");
    let reused = supervisor.register(stale(used), "tasks/absent").await.unwrap_err();
    told(&reused, Code::AlreadyExists, "REQUEST_ID_REUSED");
    let absent = supervisor.register(stale(context()), "tasks/absent").await.unwrap_err();
    told(&absent, Code::NotFound, "TASK_NOT_FOUND");
    let changed = supervisor.give_back(stale(because("因故")), "tasks/t").await.unwrap_err();
    told(&changed, Code::Aborted, "ETAG_MISMATCH");
    let ruled = supervisor.give_back(because("因故"), "tasks/t").await.unwrap_err();
    told(&ruled, Code::FailedPrecondition, "TASK_STAGE");
    assert_eq!(office.head().await, head, "none of it is written");
    office.verify().await;
}

#[tokio::test]
async fn a_failure_names_the_request_and_the_trace() {
    let office = Office::open().await;
    let context = context();
    let register = tasks::RegisterTaskRequest { context: Some(context.clone()), task: "tasks/no".to_owned() };
    let mut request = Request::new(register);
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let parent = format!("00-{trace}-b7ad6b7169203331-01");
    request.metadata_mut().insert("traceparent", parent.parse().unwrap());
    let refused = office.supervisor().tasks().register_task(request).await.unwrap_err();
    let details = told(&refused, Code::NotFound, "TASK_NOT_FOUND");
    assert_eq!(fact(&details, "request_id"), context.request_id);
    assert_eq!(fact(&details, "trace_id"), trace);
    office.verify().await;
}
