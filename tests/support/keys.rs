//! Keys of a running server, as its operator changes them.

use std::net::SocketAddr;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use duban_merkle::Verifier;
use serde_json::Value;

use super::{DUBAN, PATIENCE};

/// `duban key` to the server with this admin port.
pub fn key(admin: SocketAddr, arguments: &[&str]) -> Output {
    let admin = admin.to_string();
    let mut command = Command::new(DUBAN);
    command.arg("key").args(arguments).args(["--admin", &admin, "-o", "jsonl"]);
    command.output().expect("the binary runs")
}

/// What it lists.
pub fn listed(output: &Output) -> Vec<Value> {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout.clone()).expect("text");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// The one key in an answer.
pub fn one(output: &Output) -> Verifier {
    listed(output)[0]["key"].as_str().expect("a key").parse().expect("a key")
}

/// Its keys, asked for until it builds its tree.
pub async fn keys(admin: SocketAddr) -> Vec<Value> {
    let until = Instant::now() + PATIENCE;
    loop {
        let answer = key(admin, &["list"]);
        if answer.status.success() {
            return listed(&answer);
        }
        assert!(Instant::now() < until, "{}", String::from_utf8_lossy(&answer.stderr));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The first key hands over to another one: both.
pub async fn hand_over(admin: SocketAddr) -> (Verifier, Verifier) {
    let first: Verifier = keys(admin).await[0]["key"].as_str().expect("a key").parse().expect("a key");
    let second = one(&key(admin, &["announce"]));
    assert_eq!(one(&key(admin, &["retire", &format!("{:08x}", first.id())])), first);
    (first, second)
}
