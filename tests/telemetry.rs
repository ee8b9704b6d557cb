//! Traces: the caller's W3C context goes into the event, and the span of the call goes out over OTLP, to a
//! collector that may be dead.

use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use duban_proto::agencies::v1 as agencies;
use duban_proto::audit::v1 as audit;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

use crate::support::{As, Place, Process, agency, context, events};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// A collector that keeps what it is sent.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<(String, String)>>>);

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let spans = request.into_inner().resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
        let spans = spans.flat_map(|scope| scope.spans).map(|span| (span.name, hex::encode(span.trace_id)));
        self.0.lock().unwrap().extend(spans);
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callers_trace_goes_into_the_event_and_out_over_otlp() {
    let collector = Collector::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let service = TraceServiceServer::new(collector.clone());
    tokio::spawn(
        tonic::transport::Server::builder()
            .add_service(service)
            .serve_with_incoming(TcpListenerStream::new(listener)),
    );
    let data = Place::new().await;
    let server = Process::start_with(&data, |command| {
        command.env("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint).stdout(Stdio::null());
    })
    .await;

    let mut request = Request::new(agencies::RegisterAgencyRequest {
        context: Some(context()),
        agency_id: Some("finance".into()),
        full_name: "青海省财政厅".into(),
        kind: agencies::AgencyKind::ConstituentDepartment.into(),
        ..Default::default()
    });
    request.metadata_mut().insert("traceparent", format!("00-{TRACE}-00f067aa0ba902b7-01").parse().unwrap());
    let supervisor = As::on(server.channel(), "supervisor-1", "supervisor", None);
    let reply = supervisor.agencies().register_agency(request).await.unwrap().into_inner();
    assert_eq!(reply.agency.unwrap().name, agency("finance"));
    let auditor = As::on(server.channel(), "auditor-1", "auditor", None);
    assert_eq!(events(&auditor).await[0].trace_id.as_deref(), Some(TRACE));

    // What waits is sent when it drains.
    server.terminate().await;
    let spans = collector.0.lock().unwrap().clone();
    let ours = spans.iter().any(|(name, trace)| name.contains("RegisterAgency") && trace == TRACE);
    assert!(ours, "the span of the call came over OTLP: {spans:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn told_to_stop_it_drains_and_ends_well() {
    let data = Place::new().await;
    let server = Process::start(&data).await;
    let auditor = As::on(server.channel(), "auditor-1", "auditor", None);
    assert!(events(&auditor).await.is_empty());
    let ended = tokio::time::timeout(Duration::from_secs(30), server.terminate()).await;
    assert!(ended.expect("it ends").success());
}

/// Calls for some seconds while traces go to `endpoint`; then how many lines it wrote, but for the one that tells of
/// the key that it made.
async fn lines_with_collector(endpoint: &str) -> usize {
    let place = Place::new().await;
    let server = Process::start_with(&place, |command| {
        command.env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint);
    })
    .await;
    let auditor = As::on(server.channel(), "auditor-1", "auditor", None);
    let began = Instant::now();
    let mut slowest = Duration::ZERO;
    while began.elapsed() < Duration::from_secs(12) {
        let asked = Instant::now();
        auditor.audit().get_head(audit::GetHeadRequest {}).await.unwrap();
        slowest = slowest.max(asked.elapsed());
    }
    assert!(slowest < Duration::from_secs(2), "no call waits for the collector: {slowest:?}");
    let told = Instant::now();
    server.signal("TERM").await;
    let (status, lines) = server.ended().await;
    assert!(status.success(), "{lines:#?}");
    assert!(told.elapsed() < Duration::from_secs(15), "it ends all the same: {:?}", told.elapsed());
    lines.iter().filter(|line| !line.contains("a key that signs checkpoints was made")).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_collector_holds_nobody_up_and_fills_no_disk() {
    // One that refuses, and one that takes connections and never says a word.
    let refusing = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (refused, ignored) =
        (format!("http://{refusing}"), format!("http://{}", silent.local_addr().unwrap()));
    let (refused, ignored) = tokio::join!(lines_with_collector(&refused), lines_with_collector(&ignored));
    assert!(refused < 10 && ignored < 10, "{refused} and {ignored} lines");
}
