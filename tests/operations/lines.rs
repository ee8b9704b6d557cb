//! What the server writes: one JSON object a line, whatever it has to say.

use std::process::Stdio;

use duban_proto::agencies::v1 as agencies;
use serde_json::Value;
use tokio::process::Command;
use tonic::Request;

use crate::support::{As, DUBAN, Place, Process};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

/// The line as an object with what every line has.
fn object(line: &str) -> Value {
    let entry: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    for field in ["timestamp", "level", "target", "message"] {
        assert!(entry[field].is_string(), "no {field}: {line}");
    }
    let timestamp: jiff::Timestamp = entry["timestamp"].as_str().unwrap().parse().unwrap();
    assert!(timestamp > jiff::Timestamp::UNIX_EPOCH);
    entry
}

#[tokio::test(flavor = "multi_thread")]
async fn every_line_is_an_object_and_those_of_a_call_lead_to_its_trace() {
    let place = Place::new().await;
    let server = Process::start(&place).await;
    let auditor = As::on(server.channel(), "auditor-1", "auditor", None);
    let mut absent =
        Request::new(agencies::GetAgencyRequest { name: "agencies/x".to_owned(), ..Default::default() });
    absent.metadata_mut().insert("traceparent", format!("00-{TRACE}-b7ad6b7169203331-01").parse().unwrap());
    auditor.agencies().get_agency(absent).await.unwrap_err();
    server.signal("TERM").await;
    let (status, lines) = server.ended().await;
    assert!(status.success());
    let entries: Vec<Value> = lines.iter().map(|line| object(line)).collect();
    let failed = entries.iter().find(|entry| entry["message"] == "call failed").expect("a line of the call");
    assert_eq!(failed["span"]["trace_id"], TRACE, "{failed}");
    assert_eq!(failed["span"]["principal"], "auditor-1", "{failed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn why_it_can_not_start_is_an_object_too() {
    let place = Place::new().await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let failed = Command::new(DUBAN)
        .args(["serve", "--listen", &taken.local_addr().unwrap().to_string(), "--admin", "off"])
        .args(["--log-format", "json"])
        .args(place.flags())
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    assert_eq!(failed.status.code(), Some(2));
    let said = String::from_utf8(failed.stderr).unwrap();
    let last = said.lines().map(object).next_back().expect("it says why");
    assert!(last["failure"].as_str().unwrap().contains("can't listen on"), "{last}");
}
