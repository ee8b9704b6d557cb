//! `/livez`, `/readyz`, `/metrics`, and who may ask.

#![allow(clippy::float_cmp, reason = "what is counted is whole")]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::Stdio;
use std::time::{Duration, Instant};

use duban::Service;
use duban::server::{Settings, start, views_of};
use duban_domain::Role;
use duban_domain::caller::{Caller, PrincipalId};
use duban_domain::subject::Subject;
use duban_log::{Append, Condition, Log, NewEvent, Origin};
use duban_proto::agencies::v1 as agencies;
use duban_proto::audit::v1 as audit;
use tokio::process::Command;
use tonic::Code;
use uuid::Uuid;

use crate::support::{As, DUBAN, Engine, IN_PROGRESS, Office, Place, get, get_with, metrics, ready, stuck};

/// Some port of loopback.
const LOOPBACK: Option<SocketAddr> = Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0));

/// The labels of a method of the agencies' service.
fn of(method: &str) -> String {
    format!(r#"service="duban.agencies.v1.AgencyService",method="{method}""#)
}

#[tokio::test]
async fn metrics_count_what_was_called_and_say_where_everything_stands() {
    let office = Office::open().await;
    ready(office.admin()).await;
    office.register_agencies(&["a", "b", "c"]).await;
    let absent = agencies::GetAgencyRequest { name: "agencies/x".to_owned(), ..Default::default() };
    let refused = office.auditor().agencies().get_agency(absent).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);
    let followed = office.auditor().audit().subscribe(audit::SubscribeRequest::default()).await.unwrap();
    // It takes what it can of its first frame: the stream is open.
    let mut frames = followed.into_inner();
    frames.message().await.unwrap();

    let samples = metrics(office.admin()).await;
    let value = |name: &str| *samples.get(name).unwrap_or_else(|| panic!("{name} is not in {samples:#?}"));
    let (register, get) = (of("RegisterAgency"), of("GetAgency"));
    assert_eq!(value(&format!(r#"duban_calls_total{{{register},code="OK"}}"#)), 3.0);
    assert_eq!(value(&format!(r#"duban_calls_total{{{get},code="NOT_FOUND"}}"#)), 1.0);
    assert_eq!(value(&format!("duban_call_duration_seconds_count{{{register}}}")), 3.0);
    assert_eq!(value(&format!(r#"duban_call_duration_seconds_bucket{{le="+Inf",{register}}}"#)), 3.0);
    assert!(value(&format!("duban_call_duration_seconds_sum{{{register}}}")) > 0.0);
    assert_eq!(value(&format!("duban_calls_in_progress{{{register}}}")), 0.0);
    let subscribe = r#"service="duban.audit.v1.AuditService",method="Subscribe""#;
    assert_eq!(value(&format!("duban_calls_in_progress{{{subscribe}}}")), 1.0);
    assert_eq!(value("duban_log_head_position"), 3.0);
    assert_eq!(value("duban_log_appends_total"), 3.0);
    assert!((1.0..=3.0).contains(&value("duban_log_batches_total")));
    assert_eq!(value("duban_log_appends_waiting"), 0.0);
    assert_eq!(samples.contains_key("duban_log_free_positions"), crate::ENGINE == Engine::Postgres);
    assert_eq!(value("duban_ready"), 1.0);
    assert_eq!(value(&format!(r#"duban_build_info{{version="{}"}}"#, env!("CARGO_PKG_VERSION"))), 1.0);
    for view in views_of(&Service::ALL) {
        let name = view.name;
        let status = office.running().views.following(name).unwrap().reached(3).await;
        assert_eq!(status.position, 3);
        assert_eq!(value(&format!(r#"duban_follower_healthy{{follower="{name}"}}"#)), 1.0);
    }
    let samples = metrics(office.admin()).await;
    for view in views_of(&Service::ALL) {
        assert_eq!(samples[&format!(r#"duban_follower_position{{follower="{}"}}"#, view.name)], 3.0);
        assert_eq!(samples[&format!(r#"duban_follower_lag_events{{follower="{}"}}"#, view.name)], 0.0);
    }
    drop(frames);
    office.verify().await;
}

#[tokio::test]
async fn what_a_caller_makes_up_is_no_series_of_its_own() {
    let office = Office::open().await;
    let client = hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new())
        .http2_only(true)
        .build_http::<http_body_util::Empty<bytes::Bytes>>();
    for number in 0..20 {
        let request = http::Request::post(format!("{}/made.up.Service{number}/Method", office.url()))
            .header("content-type", "application/grpc")
            .body(http_body_util::Empty::new());
        assert_eq!(client.request(request.unwrap()).await.unwrap().status(), 200);
    }
    let samples = metrics(office.admin()).await;
    let unknown = r#"duban_calls_total{service="unknown",method="unknown",code="UNAUTHENTICATED"}"#;
    assert_eq!(samples[unknown], 20.0);
    assert!(!samples.keys().any(|name| name.contains("made.up")), "{samples:#?}");
    drop(client);
    office.verify().await;
}

/// An event of a version to come, which no view of this one knows.
async fn append_unknown(log: &Log) {
    let tag = Subject::Agency("agencies/x".parse().unwrap()).tag();
    let event = NewEvent {
        id: Uuid::from_u128(1),
        nonce: [0; 32],
        event_type: "agency.sang.v9".to_owned(),
        effective_on: "2026-03-02".parse().unwrap(),
        tags: vec![tag],
        body: b"{}".as_slice().into(),
    };
    let principal = PrincipalId::parse("supervisor-1").unwrap();
    let origin = Origin {
        caller: Caller { principal, role: Role::Supervisor, agency: None },
        request_id: Uuid::from_u128(2),
        correlation: Uuid::from_u128(2),
        causation: None,
        trace_id: None,
    };
    let condition = Condition::default();
    let append = Append { origin, fingerprint: [0; 32], events: vec![event], condition, read_at: 0 };
    log.append(append).await.unwrap();
}

#[tokio::test]
async fn it_is_not_ready_while_a_view_has_stopped_and_lives_on() {
    let mut office = Office::open().await;
    ready(office.admin()).await;
    append_unknown(&office.running().log).await;
    let view = views_of(&[Service::Agencies])[0].name;
    let stopped = office.running().views.following(view).unwrap().reached(1).await;
    assert!(!stopped.is_healthy());
    let (status, said) = get(office.admin(), "/readyz").await;
    assert_eq!(status, 503);
    let line = format!("view {view}: stopped before the event at 1, of the unknown type agency.sang.v9");
    assert!(said.lines().any(|told| told == line), "{said}");
    assert_eq!(get(office.admin(), "/livez").await, (200, "alive\n".to_owned()));
    let samples = metrics(office.admin()).await;
    assert_eq!(samples["duban_ready"], 0.0);
    assert_eq!(samples[&format!(r#"duban_follower_healthy{{follower="{view}"}}"#)], 0.0);
    assert_eq!(samples[&format!(r#"duban_follower_lag_events{{follower="{view}"}}"#)], 1.0);
    office.close().await;
}

#[tokio::test]
async fn what_its_services_do_not_need_makes_it_no_less_ready() {
    let place = Place::new().await;
    let services = vec![Service::Audit];
    let settings = Settings { services, admin: LOOPBACK, ..Settings::at(place.location()) };
    let running = start(settings).await.unwrap();
    append_unknown(&running.log).await;
    assert_eq!(get(running.admin_address.unwrap(), "/readyz").await.0, 200, "audit has no view");
    running.stop();
    running.ended().await.unwrap();
}

#[tokio::test]
async fn while_it_drains_it_says_so_and_calls_have_their_time_but_no_more() {
    let place = Place::new().await;
    let drain_within = Duration::from_secs(2);
    let settings = Settings { admin: LOOPBACK, drain_within, ..Settings::at(place.location()) };
    let running = start(settings).await.unwrap();
    let (address, admin) = (running.address, running.admin_address.unwrap());
    let call = stuck(address, admin).await;
    ready(admin).await;

    let told = Instant::now();
    running.stop();
    let (status, said) = get(admin, "/readyz").await;
    assert_eq!((status, said.as_str()), (503, "draining\n"));
    assert_eq!(metrics(admin).await[IN_PROGRESS], 1.0, "it has its time");
    assert_eq!(get(admin, "/livez").await.0, 200, "to restart it now would help nobody");
    running.ended().await.unwrap();
    call.await.unwrap();
    let took = told.elapsed();
    assert!((drain_within..drain_within + Duration::from_secs(8)).contains(&took), "it took {took:?}");
    assert!(tokio::net::TcpStream::connect(admin).await.is_err(), "the admin port is gone with it");
}

/// Runs `duban` with these words to its end: the exit code, and what it said.
async fn duban(words: &[&str]) -> (i32, String) {
    let output = Command::new(DUBAN).args(words).stdin(Stdio::null()).kill_on_drop(true).output();
    let output = tokio::time::timeout(Duration::from_secs(30), output).await.expect("it ends").unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(said).unwrap())
}

#[tokio::test]
async fn the_admin_port_stays_on_loopback_unless_told_to_be_insecure() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let serve =
        ["serve", "--listen", "127.0.0.1:0", "--admin", "0.0.0.0:0", "--data", data.to_str().unwrap()];
    let (code, said) = duban(&serve).await;
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("0.0.0.0:0 is not a loopback address") && said.contains("--insecure"), "{said}");
    assert!(!data.exists(), "nothing was touched");

    let admin = Some("0.0.0.0:0".parse().unwrap());
    let settings = Settings { admin, insecure: true, ..Settings::new(&data) };
    let running = start(settings).await.unwrap();
    let port = running.admin_address.unwrap().port();
    assert_eq!(get(SocketAddr::from(([127, 0, 0, 1], port)), "/livez").await.0, 200);
    running.stop();
    running.ended().await.unwrap();
}

#[tokio::test]
async fn a_page_in_a_browser_may_not_ask() {
    let office = Office::open().await;
    let asked = get_with(office.admin(), "/readyz", "Origin: http://evil.example\r\n").await;
    assert_eq!(asked.0, 403);
    assert_eq!(get(office.admin(), "/nowhere").await.0, 404);
    office.verify().await;
}

#[tokio::test]
async fn healthy_says_by_its_exit_code_what_readyz_says() {
    let mut office = Office::open().await;
    ready(office.admin()).await;
    let admin = office.admin().to_string();
    assert_eq!(duban(&["healthy", "--admin", &admin]).await, (0, "ready\n".to_owned()));
    append_unknown(&office.running().log).await;
    let view = views_of(&[Service::Agencies])[0].name;
    office.running().views.following(view).unwrap().reached(1).await;
    let (code, said) = duban(&["healthy", "--admin", &admin]).await;
    assert!(code == 6 && said.contains("stopped before the event at 1"), "{code}: {said}");
    office.close().await;
    assert_eq!(duban(&["healthy", "--admin", &admin]).await.0, 6, "nobody is there");
    assert_eq!(duban(&["healthy", "--admin", "off"]).await.0, 2);
}

#[tokio::test]
async fn without_an_admin_port_it_serves_all_the_same() {
    let place = Place::new().await;
    let running = start(Settings::at(place.location())).await.unwrap();
    assert_eq!(running.admin_address, None);
    let channel = tonic::transport::Endpoint::from_shared(format!("http://{}", running.address)).unwrap();
    let auditor = As::on(channel.connect_lazy(), "auditor-1", "auditor", None);
    auditor.audit().get_head(audit::GetHeadRequest {}).await.unwrap();
    drop(auditor);
    running.stop();
    running.ended().await.unwrap();
}
