//! Clients that send commands to the real server, each with a connection and tasks of its own.
//!
//! The command is a role read otherwise (`ReinterpretRole`): it loads its task's history, is filed under the
//! task and the agency's duty, and holds on the condition that nothing else has happened to the task.

use std::time::{Duration, Instant};

use bytes::Bytes;
use duban_log::{Ids as _, SystemIds};
use duban_proto::call::v1::CommandContext;
use duban_proto::tasks::v1::assignment_service_client::AssignmentServiceClient;
use duban_proto::tasks::v1::{AssignmentRole, ReinterpretRoleRequest, ReinterpretRoleResponse};
use futures::future::try_join_all;
use tonic::metadata::AsciiMetadataValue;
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Request, Status};

use crate::Result;
use crate::echo;
use crate::log::story::{self, HUB, Province};
use crate::samples::Samples;

/// Who says to call.
#[derive(Debug, Clone)]
pub struct Who {
    actor: AsciiMetadataValue,
    role: AsciiMetadataValue,
}

/// A client that says who calls.
pub type Client = InterceptedService<Channel, Who>;

impl Who {
    /// One of many supervisors.
    pub fn supervisor(number: usize) -> Result<Self> {
        let role = AsciiMetadataValue::from_static("supervisor");
        Ok(Self { actor: format!("bench-{number}").parse()?, role })
    }

    /// Somebody who reads everything.
    pub fn auditor() -> Result<Self> {
        Ok(Self { role: AsciiMetadataValue::from_static("auditor"), ..Self::supervisor(0)? })
    }

    /// On a connection.
    pub fn on(&self, channel: &Channel) -> Client {
        Client::new(channel.clone(), self.clone())
    }
}

impl Interceptor for Who {
    fn call(&mut self, mut request: Request<()>) -> std::result::Result<Request<()>, Status> {
        request.metadata_mut().insert("duban-actor", self.actor.clone());
        request.metadata_mut().insert("duban-role", self.role.clone());
        Ok(request)
    }
}

/// What can be sent one after the other.
pub trait Caller: Send {
    /// Sends the next one and waits for its answer.
    fn call(&mut self) -> impl Future<Output = Result<()>> + Send;
}

/// An assignment, and the role in which it is to be read next.
struct Target {
    assignment: String,
    next: AssignmentRole,
}

impl Target {
    fn of(task: u64, part: &str, next: AssignmentRole) -> Self {
        Self { assignment: format!("tasks/{}/assignments/{part}", story::task(task)), next }
    }
}

/// A client with commands to send.
pub struct Commander {
    client: AssignmentServiceClient<Client>,
    targets: Vec<Target>,
    sent: usize,
}

/// Whose assignments commands are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mix {
    /// Of all agencies alike.
    Unrelated,
    /// Nine in ten of one agency, which has a part in every task.
    Busy,
}

impl Commander {
    /// The client of this number among `clients`.
    pub fn new(
        channel: &Channel,
        province: Province,
        mix: Mix,
        (number, clients): (usize, usize),
    ) -> Result<Self> {
        let mine = province.open_tasks().skip(number).step_by(clients);
        let target = |(index, task): (usize, u64)| match mix {
            Mix::Unrelated => Target::of(task, "responsible", AssignmentRole::Supporting),
            Mix::Busy if index % 10 < 9 => Target::of(task, HUB, AssignmentRole::Responsible),
            Mix::Busy => Target::of(task, "co-lead", AssignmentRole::Supporting),
        };
        let targets: Vec<Target> = mine.enumerate().map(target).collect();
        if targets.is_empty() {
            return Err("more clients than tasks: take a larger log".into());
        }
        let client = AssignmentServiceClient::new(Who::supervisor(number)?.on(channel));
        Ok(Self { client, targets, sent: 0 })
    }

    fn next(&mut self) -> ReinterpretRoleRequest {
        let index = self.sent % self.targets.len();
        self.sent += 1;
        let target = &mut self.targets[index];
        let role = target.next;
        target.next = match role {
            AssignmentRole::Supporting => AssignmentRole::Responsible,
            _ => AssignmentRole::Supporting,
        };
        let context = CommandContext {
            request_id: SystemIds.identity().to_string(),
            reason: "依据省政府专题会议纪要调整".to_owned(),
            ..Default::default()
        };
        let assignment = target.assignment.clone();
        ReinterpretRoleRequest { context: Some(context), assignment, role: role.into() }
    }

    /// Sends one command; the request and the reply.
    pub async fn send(&mut self) -> Result<(ReinterpretRoleRequest, ReinterpretRoleResponse)> {
        let request = self.next();
        let reply = self.client.reinterpret_role(request.clone()).await?.into_inner();
        Ok((request, reply))
    }
}

impl Caller for Commander {
    async fn call(&mut self) -> Result<()> {
        let request = self.next();
        let reply = self.client.reinterpret_role(request).await?.into_inner();
        let receipt = reply.receipt.ok_or("no receipt")?;
        if receipt.last_position < receipt.first_position {
            return Err("a command that should have changed something changed nothing".into());
        }
        Ok(())
    }
}

/// A client of the echo.
pub struct Shouter {
    channel: Channel,
    who: Who,
    message: Bytes,
}

impl Shouter {
    /// One that shouts `message`.
    pub fn new(echo: &echo::Process, number: usize, message: &Bytes) -> Result<Self> {
        Ok(Self { channel: echo.channel()?, who: Who::supervisor(number)?, message: message.clone() })
    }
}

impl Caller for Shouter {
    async fn call(&mut self) -> Result<()> {
        echo::call(&self.channel, &self.who, &self.message).await.map(|_| ())
    }
}

/// So many calls of one caller, one after the other.
pub async fn calls(caller: &mut impl Caller, times: usize) -> Result<Samples> {
    let mut samples = Samples::default();
    for _ in 0..times {
        let start = Instant::now();
        caller.call().await?;
        samples.push(start.elapsed());
    }
    Ok(samples)
}

/// What came of a stretch of load.
pub struct Stretch {
    /// Each call.
    pub samples: Samples,
    /// How long it lasted really.
    pub lasted: Duration,
}

impl Stretch {
    /// Calls a second.
    pub fn rate(&self) -> f64 {
        self.samples.len() as f64 / self.lasted.as_secs_f64()
    }
}

/// All callers at once, each one call after the other, for so long.
pub async fn stretch<C: Caller + 'static>(callers: &mut Vec<C>, lasting: Duration) -> Result<Stretch> {
    let start = Instant::now();
    let each = callers.drain(..).map(|mut caller| {
        tokio::spawn(async move {
            let mut samples = Samples::default();
            while start.elapsed() < lasting {
                let sent = Instant::now();
                caller.call().await?;
                samples.push(sent.elapsed());
            }
            Result::Ok((caller, samples))
        })
    });
    let mut samples = Samples::default();
    for done in try_join_all(each.collect::<Vec<_>>()).await? {
        let (caller, of_one) = done?;
        samples.extend(of_one);
        callers.push(caller);
    }
    Ok(Stretch { samples, lasted: start.elapsed() })
}
