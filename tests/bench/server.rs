//! The real server, in a process of its own.

use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use duban_proto::tasks::v1::GetTaskResponsibilityRequest;
use duban_proto::tasks::v1::responsibility_service_client::ResponsibilityServiceClient;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tonic::transport::{Channel, Endpoint};

use crate::load::Who;
use crate::place::Place;
use crate::{DUBAN, Result};

/// How long its views may take to catch up.
const PATIENCE: Duration = Duration::from_mins(5);

/// A server at work.
pub struct Server {
    child: Child,
    address: String,
    /// Its process.
    pub id: u32,
}

impl Server {
    /// Starts one on a log and waits until it listens.
    pub async fn start(place: &Place) -> Result<Self> {
        Self::start_with(place, &[]).await
    }

    /// The same with more options.
    pub async fn start_with(place: &Place, more: &[String]) -> Result<Self> {
        let mut child = Command::new(DUBAN)
            .args(["serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--log-format", "json"])
            .args(place.flags())
            .args(more)
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let mut lines = BufReader::new(child.stderr.take().ok_or("the server says nothing")?).lines();
        let address = loop {
            let line = lines.next_line().await?.ok_or("the server ended before it listened")?;
            let entry: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
            if let Some(address) = entry["address"].as_str() {
                break format!("http://{address}");
            }
        };
        // Read on, or it would block once the pipe is full.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let id = child.id().ok_or("the server ended")?;
        Ok(Self { child, address, id })
    }

    /// A connection to it.
    pub fn channel(&self) -> Result<Channel> {
        Ok(Endpoint::from_shared(self.address.clone())?.connect_lazy())
    }

    /// Waits until a query that wants to see everything is answered; how long that took.
    pub async fn caught_up(&self) -> Result<Duration> {
        let start = Instant::now();
        let who = Who::supervisor(0)?;
        let mut client = ResponsibilityServiceClient::new(who.on(&self.channel()?));
        loop {
            let request = GetTaskResponsibilityRequest { task: "tasks/task-1".into(), ..Default::default() };
            match client.get_task_responsibility(request).await {
                Ok(_) => return Ok(start.elapsed()),
                Err(status) if status.code() == tonic::Code::Unavailable && start.elapsed() < PATIENCE => {}
                Err(status) => return Err(status.into()),
            }
        }
    }

    /// Stops it as an operator would.
    pub async fn stop(mut self) -> Result<()> {
        Command::new("kill").arg(self.id.to_string()).status().await?;
        let ended: ExitStatus = self.child.wait().await?;
        if ended.success() { Ok(()) } else { Err(format!("the server ended with {ended}").into()) }
    }
}
