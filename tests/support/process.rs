//! The binary as a process of its own, to be killed.

use std::net::SocketAddr;
use std::process::{ExitStatus, Stdio};

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tonic::transport::{Channel, Endpoint};

use super::{DUBAN, Place};

/// A server in a process of its own.
pub struct Process {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
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
            .args(["serve", "--listen", "127.0.0.1:0", "--log-format", "json"])
            .args(place.flags())
            .env("RUST_LOG", "info")
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        change(&mut command);
        let mut child = command.spawn().expect("the binary runs");
        let mut lines = BufReader::new(child.stderr.take().expect("its lines")).lines();
        let mut said = String::new();
        let address = loop {
            let Ok(Some(line)) = lines.next_line().await else {
                panic!("it ended before it listened:\n{said}")
            };
            let entry: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
            if let Some(address) = entry["address"].as_str() {
                break address.parse().expect("an address");
            }
            said.push_str(&line);
        };
        // Read on, or it would block once the pipe is full.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self { child, address }
    }

    /// The id of its process, while it runs.
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// A connection to it.
    pub fn channel(&self) -> Channel {
        Endpoint::from_shared(format!("http://{}", self.address)).expect("a URL").connect_lazy()
    }

    /// SIGTERM, and how it ended.
    pub async fn terminate(mut self) -> ExitStatus {
        self.signal("TERM").await;
        self.child.wait().await.expect("it ends")
    }

    /// Sends it a signal by name.
    pub async fn signal(&self, name: &str) {
        let pid = self.child.id().expect("it runs").to_string();
        let sent =
            Command::new("kill").args([&format!("-{name}"), &pid]).status().await.expect("kill is there");
        assert!(sent.success());
    }

    /// kill -9.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("it is killed");
    }
}
