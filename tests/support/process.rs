//! The binary as a process of its own, to be stopped or killed.

use std::net::SocketAddr;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;
use tonic::transport::{Channel, Endpoint};

use super::{DUBAN, Place};

/// A server in a process of its own.
pub struct Process {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    /// Where its admin port is.
    pub admin: SocketAddr,
    lines: Arc<Mutex<Vec<String>>>,
    reading: JoinHandle<()>,
}

impl Process {
    /// Starts it on a log and waits until it listens.
    pub async fn start(place: &Place) -> Self {
        Self::start_with(place, |_| ()).await
    }

    /// The same, with the command made different.
    pub async fn start_with(place: &Place, change: impl FnOnce(&mut Command)) -> Self {
        let mut command = Command::new(DUBAN);
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--log-format", "json"])
            .args(place.flags())
            .env("RUST_LOG", "info")
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        change(&mut command);
        let mut child = command.spawn().expect("the binary runs");
        let mut stderr = BufReader::new(child.stderr.take().expect("its lines")).lines();
        let (mut said, mut admin) = (Vec::new(), None);
        let address = loop {
            let Ok(Some(line)) = stderr.next_line().await else {
                panic!("it ended before it listened:\n{}", said.join("\n"))
            };
            let entry: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
            said.push(line);
            admin = admin.or(entry["admin"].as_str().map(|admin| admin.parse().expect("an address")));
            if let Some(address) = entry["address"].as_str() {
                break address.parse().expect("an address");
            }
        };
        let lines = Arc::new(Mutex::new(said));
        let kept = Arc::clone(&lines);
        // Read on, or it would block once the pipe is full.
        let reading = tokio::spawn(async move {
            while let Ok(Some(line)) = stderr.next_line().await {
                kept.lock().expect("no reader panics").push(line);
            }
        });
        Self { child, address, admin: admin.expect("an admin port"), lines, reading }
    }

    /// The id of its process, while it runs.
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Whether a log line of it has these words.
    pub fn said(&self, words: &str) -> bool {
        self.lines.lock().expect("no reader panics").iter().any(|line| line.contains(words))
    }

    /// A connection to it.
    pub fn channel(&self) -> Channel {
        Endpoint::from_shared(format!("http://{}", self.address)).expect("a URL").connect_lazy()
    }

    /// Sends it a signal, such as `TERM`.
    pub async fn signal(&self, signal: &str) {
        let pid = self.child.id().expect("it runs").to_string();
        let sent = Command::new("kill").args([&format!("-{signal}"), &pid]).status().await;
        assert!(sent.expect("kill is there").success());
    }

    /// Waits for its end: how it ended, and all its log lines.
    pub async fn ended(mut self) -> (ExitStatus, Vec<String>) {
        let status = self.child.wait().await.expect("it ends");
        self.reading.await.expect("its lines have an end");
        (status, std::mem::take(&mut *self.lines.lock().expect("no reader panics")))
    }

    /// SIGTERM, and how it ended.
    pub async fn terminate(self) -> ExitStatus {
        self.signal("TERM").await;
        self.ended().await.0
    }

    /// kill -9.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("it is killed");
    }
}
