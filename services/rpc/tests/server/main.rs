//! The gate and the server, as a client meets them.

#![allow(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

mod probe;
mod raw;

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use duban_proto::audit::v1 as pb;
use duban_rpc::{MODE, Options, ServeError, Server};
use http_body_util::Full;
use probe::{asked, by, client, start};
use prost::Message as _;
use raw::{http, raw};
use tonic::codec::CompressionEncoding;
use tonic::{Code, Request, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::{v1, v1alpha};
use tonic_types::StatusExt as _;

/// Code and reason, and that the domain is ours and nothing is given away.
fn told(status: &Status) -> (Code, String) {
    let details = status.get_error_details();
    let info = details.error_info().unwrap_or_else(|| panic!("no ErrorInfo: {status:?}"));
    assert_eq!(info.domain, "duban");
    assert!(!format!("{status:?}{details:?}").contains("secret"), "{status:?}");
    (status.code(), info.reason.clone())
}

fn is(status: &Status, code: Code, reason: &str) {
    assert_eq!(told(status), (code, reason.to_owned()), "{status:?}");
}

#[tokio::test]
async fn a_caller_is_answered_and_told_that_this_is_development() {
    let server = start(|_| ()).await;
    let reply = client(server.channel.clone()).get_head(asked(pb::GetHeadRequest {})).await.unwrap();
    assert_eq!(reply.metadata().get(MODE).unwrap(), "development");
    assert_eq!(reply.into_inner().position, 7);
    server.stop().await;
}

#[tokio::test]
async fn nobody_is_answered_without_an_identity_or_in_another_role() {
    let server = start(|_| ()).await;
    let mut client = client(server.channel.clone());
    let nobody = client.get_head(Request::new(pb::GetHeadRequest {})).await.unwrap_err();
    is(&nobody, Code::Unauthenticated, "IDENTITY_MISSING");
    let nonsense = client.get_head(by("a", "king", pb::GetHeadRequest {})).await.unwrap_err();
    is(&nonsense, Code::Unauthenticated, "IDENTITY_INVALID");
    let administrator = client.get_head(by("a", "sysadmin", pb::GetHeadRequest {})).await.unwrap_err();
    is(&administrator, Code::PermissionDenied, "ROLE_NOT_ALLOWED");
    server.stop().await;
}

#[tokio::test]
async fn identity_comes_before_size_and_decoding() {
    let server = start(|_| ()).await;
    let schema = "/duban.audit.v1.AuditService/GetEventSchema";
    let nobody = raw(server.address, schema, &[0xff; 9], &[]).await;
    is(&nobody, Code::Unauthenticated, "IDENTITY_MISSING");
    server.stop().await;
}

const SCHEMA: &str = "/duban.audit.v1.AuditService/GetEventSchema";
const WHO: [(&str, &str); 2] = [("duban-actor", "a"), ("duban-role", "auditor")];

#[tokio::test]
async fn what_tonic_refuses_has_our_codes_and_reasons() {
    let server = start(|_| ()).await;
    let send = async |path: &str, bytes: &[u8]| raw(server.address, path, bytes, &WHO).await;
    let large = pb::GetEventSchemaRequest { r#type: "x".repeat(5_000_000) }.encode_to_vec();
    is(&send(SCHEMA, &large).await, Code::ResourceExhausted, "MESSAGE_TOO_LARGE");
    let broken = send(SCHEMA, &[0xff; 9]).await;
    is(&broken, Code::Internal, "MALFORMED_MESSAGE");
    let not_utf8 = send(SCHEMA, &[0x0a, 2, 0xc3, 0x28]).await;
    is(&not_utf8, Code::Internal, "MALFORMED_MESSAGE");
    let method = send("/duban.audit.v1.AuditService/Shred", &[]).await;
    is(&method, Code::Unimplemented, "UNKNOWN_METHOD");
    let service = send("/duban.audit.v2.AuditService/Read", &[]).await;
    is(&service, Code::Unimplemented, "UNKNOWN_METHOD");
    server.stop().await;
}

#[tokio::test]
async fn compressed_messages_are_taken_sent_and_bounded() {
    let server = start(|_| ()).await;
    for encoding in [CompressionEncoding::Gzip, CompressionEncoding::Zstd] {
        let mut client = client(server.channel.clone()).send_compressed(encoding).accept_compressed(encoding);
        let text = "省".repeat(1000);
        let reply = client.get_event_schema(asked(pb::GetEventSchemaRequest { r#type: text.clone() })).await;
        assert_eq!(reply.unwrap().into_inner().r#type, text);
        let bomb = pb::GetEventSchemaRequest { r#type: "x".repeat(5_000_000) };
        let refused = client.get_event_schema(asked(bomb)).await.unwrap_err();
        is(&refused, Code::ResourceExhausted, "MESSAGE_TOO_LARGE");
    }
    let other = [WHO[0], WHO[1], ("grpc-encoding", "br")];
    let refused = raw(server.address, SCHEMA, &[], &other).await;
    is(&refused, Code::Unimplemented, "UNSUPPORTED_COMPRESSION");
    assert!(refused.metadata().get("grpc-accept-encoding").unwrap().to_str().unwrap().contains("zstd"));
    server.stop().await;
}

#[tokio::test]
async fn a_reply_over_the_limit_says_so() {
    let server = start(|_| ()).await;
    let large = pb::GetEventSchemaRequest { r#type: "large".to_owned() };
    let refused = client(server.channel.clone()).get_event_schema(asked(large)).await.unwrap_err();
    is(&refused, Code::ResourceExhausted, "REPLY_TOO_LARGE");
    server.stop().await;
}

#[tokio::test]
async fn a_panic_ends_its_call_alone_and_tells_nothing() {
    let server = start(|_| ()).await;
    let mut client = client(server.channel.clone());
    let panic = pb::GetEventSchemaRequest { r#type: "panic".to_owned() };
    is(&client.get_event_schema(asked(panic)).await.unwrap_err(), Code::Internal, "INTERNAL_ERROR");
    let mut pages =
        client.read(asked(pb::ReadRequest { limit: 1, ..Default::default() })).await.unwrap().into_inner();
    assert!(pages.message().await.unwrap().is_some());
    is(&pages.message().await.unwrap_err(), Code::Internal, "INTERNAL_ERROR");
    assert!(client.get_head(asked(pb::GetHeadRequest {})).await.is_ok(), "the connection lives on");
    server.stop().await;
}

#[tokio::test]
async fn an_error_that_a_library_made_is_put_in_our_words() {
    let server = start(|_| ()).await;
    let mut client = client(server.channel.clone());
    let unary = client.resolve_position(asked(pb::ResolvePositionRequest::default())).await.unwrap_err();
    is(&unary, Code::Internal, "INTERNAL_ERROR");
    let mut pages =
        client.read(asked(pb::ReadRequest { limit: 3, ..Default::default() })).await.unwrap().into_inner();
    assert!(pages.message().await.unwrap().is_some());
    is(&pages.message().await.unwrap_err(), Code::Internal, "INTERNAL_ERROR");
    let mut health = HealthClient::new(server.channel.clone());
    let unknown = HealthCheckRequest { service: "nobody".to_owned() };
    is(&health.check(unknown).await.unwrap_err(), Code::NotFound, "SERVICE_NOT_FOUND");
    server.stop().await;
}

#[tokio::test]
async fn a_deadline_ends_a_call_and_a_stream() {
    let server = start(|_| ()).await;
    let within = [WHO[0], WHO[1], ("grpc-timeout", "50m")];
    let explain = "/duban.audit.v1.AuditService/Explain";
    let late = raw(server.address, explain, &[], &within).await;
    is(&late, Code::DeadlineExceeded, "DEADLINE_EXCEEDED");

    // A stream: one page comes, and the rest doesn't.
    let silent = pb::ReadRequest { limit: 2, ..Default::default() }.encode_to_vec();
    let late = raw(server.address, "/duban.audit.v1.AuditService/Read", &silent, &within).await;
    is(&late, Code::DeadlineExceeded, "DEADLINE_EXCEEDED");

    for bad in ["5", "123456789S", "-1S", "1x"] {
        let headers = [WHO[0], WHO[1], ("grpc-timeout", bad)];
        let refused = raw(server.address, SCHEMA, &[], &headers).await;
        is(&refused, Code::InvalidArgument, "INVALID_TIMEOUT");
    }
    server.stop().await;
}

#[tokio::test]
async fn who_asks_too_much_is_told_when_to_come_back() {
    let server = start(|options| {
        options.quotas.per_second = NonZeroU32::new(1).unwrap();
        options.quotas.burst = NonZeroU32::new(1).unwrap();
    })
    .await;
    let mut client = client(server.channel.clone());
    client.get_head(asked(pb::GetHeadRequest {})).await.unwrap();
    let refused = client.get_head(asked(pb::GetHeadRequest {})).await.unwrap_err();
    is(&refused, Code::ResourceExhausted, "RATE_LIMITED");
    let details = refused.get_error_details();
    assert!(details.retry_info().is_some() && details.quota_failure().is_some());
    client.get_head(by("another", "auditor", pb::GetHeadRequest {})).await.unwrap();
    HealthClient::new(server.channel.clone()).check(HealthCheckRequest::default()).await.unwrap();
    server.stop().await;
}

#[tokio::test]
async fn a_stream_keeps_its_place_until_it_ends() {
    let server = start(|options| options.quotas.in_progress = 1).await;
    let mut client = client(server.channel.clone());
    let stream = client.subscribe(asked(pb::SubscribeRequest::default())).await.unwrap();
    let refused = client.get_head(asked(pb::GetHeadRequest {})).await.unwrap_err();
    is(&refused, Code::ResourceExhausted, "TOO_MANY_CALLS");
    drop(stream);
    let free = async {
        while client.get_head(asked(pb::GetHeadRequest {})).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), free).await.expect("the place is free again");
    server.stop().await;
}

#[tokio::test]
async fn draining_ends_streams_in_order_and_refuses_new_calls() {
    let server = start(|_| ()).await;
    let mut client = client(server.channel.clone());
    let mut health = HealthClient::new(server.channel.clone());
    let mut frames = client.subscribe(asked(pb::SubscribeRequest::default())).await.unwrap().into_inner();
    assert!(frames.message().await.unwrap().is_some());
    let mut watch = health.watch(HealthCheckRequest::default()).await.unwrap().into_inner();
    assert_eq!(watch.message().await.unwrap().unwrap().status, 1);

    let ended = server.tell_to_stop();
    assert!(frames.message().await.unwrap().is_some(), "the stream says its last word");
    assert!(frames.message().await.unwrap().is_none());
    assert_eq!(watch.message().await.unwrap().unwrap().status, 2, "NOT_SERVING comes before the end");
    let last = tokio::time::timeout(Duration::from_secs(10), watch.message()).await.expect("an end in time");
    is(&last.unwrap_err(), Code::Unavailable, "DRAINING");
    tokio::time::timeout(Duration::from_secs(4), ended).await.expect("drained before the deadline").unwrap();
}

#[tokio::test]
async fn a_call_that_never_ends_is_cut_at_the_deadline() {
    let server = start(|options| options.drain_within = Duration::from_millis(200)).await;
    let mut client = client(server.channel.clone());
    let stuck = tokio::spawn(async move { client.explain(asked(pb::ExplainRequest::default())).await });
    let mut pages = crate::probe::client(server.channel.clone())
        .read(asked(pb::ReadRequest { limit: 2, ..Default::default() }))
        .await
        .unwrap()
        .into_inner();
    assert!(pages.message().await.unwrap().is_some());
    let from = Instant::now();
    server.stop().await;
    assert!(from.elapsed() < Duration::from_secs(3));
    assert!(stuck.await.unwrap().is_err() && pages.message().await.is_err());
}

#[tokio::test]
async fn beyond_loopback_only_when_told_and_then_every_reply_says_so() {
    let everywhere: SocketAddr = "0.0.0.0:0".parse().unwrap();
    let refused = Server::bind(Options::at(everywhere)).await.unwrap_err();
    assert!(matches!(refused, ServeError::NotLoopback(_)), "{refused}");

    let server = start(|options| options.insecure = true).await;
    let reply = client(server.channel.clone()).get_head(asked(pb::GetHeadRequest {})).await.unwrap();
    assert_eq!(reply.metadata().get(MODE).unwrap(), "development, insecure");
    let health =
        HealthClient::new(server.channel.clone()).check(HealthCheckRequest::default()).await.unwrap();
    assert_eq!(health.metadata().get(MODE).unwrap(), "development, insecure");
    server.stop().await;
}

#[tokio::test]
async fn health_and_both_reflections_need_no_identity() {
    let server = start(|_| ()).await;
    let mut health = HealthClient::new(server.channel.clone());
    for service in ["", "duban.audit.v1.AuditService"] {
        let reply = health.check(HealthCheckRequest { service: service.to_owned() }).await.unwrap();
        assert_eq!(reply.into_inner().status, 1, "{service}");
    }
    server
        .health
        .set_service_status("duban.audit.v1.AuditService", tonic_health::ServingStatus::NotServing)
        .await;
    let audit = HealthCheckRequest { service: "duban.audit.v1.AuditService".to_owned() };
    assert_eq!(health.check(audit).await.unwrap().into_inner().status, 2);

    let ask = v1::ServerReflectionRequest {
        message_request: Some(v1::server_reflection_request::MessageRequest::ListServices(String::new())),
        ..Default::default()
    };
    let mut client = v1::server_reflection_client::ServerReflectionClient::new(server.channel.clone());
    let reply = client.server_reflection_info(tokio_stream::once(ask)).await.unwrap();
    let reply = format!("{:?}", reply.into_inner().message().await.unwrap());
    assert!(reply.contains("duban.audit.v1.AuditService") && !reply.contains("TaskService"), "{reply}");

    let ask = v1alpha::ServerReflectionRequest {
        message_request: Some(v1alpha::server_reflection_request::MessageRequest::FileContainingSymbol(
            "duban.audit.v1.AuditService".to_owned(),
        )),
        ..Default::default()
    };
    let mut client = v1alpha::server_reflection_client::ServerReflectionClient::new(server.channel.clone());
    let reply = client.server_reflection_info(tokio_stream::once(ask)).await.unwrap();
    assert!(format!("{:?}", reply.into_inner().message().await.unwrap()).contains("FileDescriptor"));
    server.stop().await;
}

#[tokio::test]
async fn what_is_not_grpc_gets_an_http_answer() {
    let server = start(|_| ()).await;
    let uri = format!("http://{}{SCHEMA}", server.address);
    let get = http::Request::get(&uri).body(Full::default()).unwrap();
    assert_eq!(http(get).await.0.status, 405);
    let json = http::Request::post(&uri).header("content-type", "application/json").body(Full::default());
    assert_eq!(http(json.unwrap()).await.0.status, 415);
    server.stop().await;
}

#[tokio::test]
async fn an_error_names_the_callers_trace() {
    let server = start(|_| ()).await;
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let mut request = by("a", "sysadmin", pb::GetHeadRequest {});
    let parent = format!("00-{trace}-b7ad6b7169203331-01");
    request.metadata_mut().insert("traceparent", parent.parse().unwrap());
    let refused = client(server.channel.clone()).get_head(request).await.unwrap_err();
    assert_eq!(refused.get_error_details().error_info().unwrap().metadata["trace_id"], trace);
    server.stop().await;
}

#[tokio::test]
async fn headers_are_bounded() {
    let server = start(|_| ()).await;
    let large = "x".repeat(20_000);
    let request = http::Request::post(format!("http://{}{SCHEMA}", server.address))
        .header("content-type", "application/grpc")
        .header("duban-actor", large);
    assert_eq!(http(request.body(Full::default()).unwrap()).await.0.status, 431);
    server.stop().await;
}

/// Everything that is logged, as text.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_failed_call_is_one_line_in_the_log_with_its_cause() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    // The runtime of a test has one thread: what the server logs is logged here.
    let _guard = tracing::subscriber::set_default(subscriber);
    // With one subscriber alone, what another test's thread logs first is taken for what nobody wants, for all.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let server = start(|_| ()).await;
    let mut client = client(server.channel.clone());
    let panic = pb::GetEventSchemaRequest { r#type: "panic".to_owned() };
    client.get_event_schema(asked(panic)).await.unwrap_err();
    client.get_head(by("a", "sysadmin", pb::GetHeadRequest {})).await.unwrap_err();
    client.get_head(asked(pb::GetHeadRequest {})).await.unwrap();
    let mut pages =
        client.read(asked(pb::ReadRequest { limit: 4, ..Default::default() })).await.unwrap().into_inner();
    is(&pages.message().await.unwrap_err(), Code::Internal, "INTERNAL_ERROR");
    server.stop().await;

    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let failed: Vec<&str> = text.lines().filter(|line| line.contains("call failed")).collect();
    assert_eq!(failed.len(), 3, "{text}");
    assert!(failed[0].contains("ERROR") && failed[0].contains("panic: in the handler"), "{}", failed[0]);
    assert!(failed[1].contains("INFO") && failed[1].contains("ROLE_NOT_ALLOWED"), "{}", failed[1]);
    assert!(failed[2].contains("ERROR") && failed[2].contains("no space left"), "{}", failed[2]);
    assert!(failed[2].contains("principal=\"auditor-1\""), "{}", failed[2]);
}
