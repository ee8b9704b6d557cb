//! How the process ends: after draining, by force when something hangs, at once when it is told twice.

use std::net::TcpListener;
use std::process::Stdio;
use std::time::{Duration, Instant};

use duban_proto::audit::v1 as audit;
use tokio::process::Command;
use tokio::time::timeout;
use tonic::transport::Endpoint;

use crate::support::{As, DUBAN, Place, Process, stuck};

/// Longer than any of it takes.
const PATIENCE: Duration = Duration::from_mins(1);

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_it_at_once_and_it_says_what_it_waited_for() {
    let place = Place::new().await;
    let server = Process::start_with(&place, |command| {
        command.args(["--drain-within", "3600"]);
    })
    .await;
    let call = stuck(server.address, server.admin).await;
    server.signal("TERM").await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(!call.is_finished(), "it has its hour");
    let again = Instant::now();
    server.signal("INT").await;
    let (status, lines) = timeout(PATIENCE, server.ended()).await.expect("it ends");
    assert!(again.elapsed() < Duration::from_secs(5), "it took {:?}", again.elapsed());
    assert_eq!(status.code(), Some(1));
    let last: serde_json::Value = serde_json::from_str(lines.last().unwrap()).unwrap();
    assert_eq!(last["why"], "a second signal", "{last}");
    assert_eq!(last["waited_for"], "calls in progress", "{last}");
}

#[tokio::test(flavor = "multi_thread")]
async fn told_to_stop_it_waits_for_calls_no_longer_than_it_was_told() {
    let place = Place::new().await;
    let server = Process::start_with(&place, |command| {
        command.env("DUBAN_DRAIN_WITHIN", "1");
    })
    .await;
    let call = stuck(server.address, server.admin).await;
    let told = Instant::now();
    server.signal("TERM").await;
    let (status, lines) = timeout(PATIENCE, server.ended()).await.expect("it ends");
    assert!(status.success(), "{lines:#?}");
    assert!((1..8).contains(&told.elapsed().as_secs()), "it took {:?}", told.elapsed());
    assert!(lines.iter().any(|line| line.contains("didn't drain in time")), "{lines:#?}");
    call.await.unwrap();
}

/// Its log lines go into a pipe that nobody reads: sooner or later every thread waits to write one.
#[tokio::test(flavor = "multi_thread")]
async fn when_everything_hangs_it_ends_all_the_same() {
    let place = Place::new().await;
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut child = Command::new(DUBAN)
        .args(["serve", "--listen", &address.to_string(), "--admin", "off", "--drain-within", "0"])
        .args(place.flags())
        .env("RUST_LOG", "trace")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
    let auditor = As::on(endpoint.connect_lazy(), "auditor-1", "auditor", None);
    let began = Instant::now();
    // It hangs once a call is not answered; before it listens they are refused.
    loop {
        let call = async { auditor.audit().get_head(audit::GetHeadRequest {}).await };
        match timeout(Duration::from_secs(3), call).await {
            Err(_hangs) => break,
            Ok(_) => assert!(began.elapsed() < PATIENCE, "it doesn't hang"),
        }
    }
    let pid = child.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().await.unwrap().success());
    let told = Instant::now();
    let status = timeout(PATIENCE, child.wait()).await.expect("it ends").unwrap();
    assert_eq!(status.code(), Some(1));
    assert!((9..20).contains(&told.elapsed().as_secs()), "it took {:?}", told.elapsed());
}
