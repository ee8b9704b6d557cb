//! The audit service behind the real server on a real log, asked by a real client.

use std::sync::Arc;
use std::time::Duration;

use duban_audit::AuditDoor;
use duban_domain::agency::{AgencyCommand, AgencyKind};
use duban_domain::command::Context;
use duban_domain::text::Line;
use duban_domain::{Caller, PrincipalId, Role, Timestamp};
use duban_log::{Log, LogOptions, ManualClock};
use duban_proto::audit::v1 as pb;
use duban_proto::audit::v1::audit_service_client::AuditServiceClient;
use duban_proto::audit::v1::audit_service_server::AuditServiceServer;
use duban_rpc::{ACTOR, Doors, Options, ROLE, Server, door, identity};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;
use uuid::Uuid;

/// A running server on a log of its own.
pub(crate) struct Running {
    pub(crate) log: Log,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) client: AuditServiceClient<Channel>,
    stop: Option<oneshot::Sender<()>>,
    ended: JoinHandle<()>,
    _folder: tempfile::TempDir,
}

/// Starts a server whose log has `agencies` agencies, one each day from 2026-03-01 on, at noon in Shanghai.
pub(crate) async fn start(agencies: usize) -> Running {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(day(0)));
    let log = Log::open(LogOptions::new(folder.path()).clock(clock.clone())).await.unwrap();
    let server = Server::bind(Options::at("127.0.0.1:0".parse().unwrap())).await.unwrap();
    let address = server.address();
    let audit = AuditDoor::new(log.clone()).checkpoint_every(Duration::from_millis(1));
    let doors = Doors::default().with(door!(AuditServiceServer::new(audit)));
    let (stop, stopped) = oneshot::channel();
    let ended = tokio::spawn(async move {
        let stopped = async {
            let _ = stopped.await;
        };
        server.serve(doors, stopped).await.unwrap();
    });
    let channel = Channel::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap();
    let client = AuditServiceClient::new(channel);
    let running = Running { log, clock, client, stop: Some(stop), ended, _folder: folder };
    for n in 0..agencies {
        running.clock.set(day(n));
        running.register(n).await;
    }
    running
}

/// Noon in Shanghai, so many days after 2026-03-01.
pub(crate) fn day(n: usize) -> Timestamp {
    let first: Timestamp = "2026-03-01T04:00:00Z".parse().unwrap();
    first + jiff::SignedDuration::from_hours(24 * i64::try_from(n).unwrap())
}

impl Running {
    /// Registers the agency `agencies/a{n}`: one event.
    pub(crate) async fn register(&self, n: usize) {
        let request = duban_log::Request {
            caller: Caller {
                principal: PrincipalId::parse("supervisor-1").unwrap(),
                role: Role::Supervisor,
                agency: None,
            },
            request_id: Uuid::from_u128(n as u128 + 1),
            context: Context::default(),
            effective_on: None,
            etag: None,
            validate_only: false,
            rpc: "/duban.agencies.v1.AgencyService/RegisterAgency",
            correlation: None,
            causation: None,
            trace_id: None,
        };
        let command = AgencyCommand::Register {
            agency: Some(format!("agencies/a{n}").parse().unwrap()),
            full_name: Line::parse(&format!("第{n}厅")).unwrap(),
            kind: AgencyKind::ConstituentDepartment,
            division_code: None,
            superior: None,
            credit_code: None,
            aliases: Vec::new(),
        };
        self.log.execute(&request, command).await.unwrap();
    }

    /// The place after `position` in this log.
    pub(crate) fn cursor(&self, position: u64) -> pb::Cursor {
        pb::Cursor { log: Some(identity(self.log.identity())), position }
    }

    /// Reads a part of the log: its events and the last cursor.
    pub(crate) async fn read(
        &mut self,
        request: pb::ReadRequest,
    ) -> Result<(Vec<pb::Event>, pb::Cursor), Status> {
        let mut pages = self.client.read(asked(request)).await?.into_inner();
        let (mut events, mut cursor) = (Vec::new(), None);
        while let Some(page) = pages.message().await? {
            events.extend(page.events);
            cursor = page.cursor;
        }
        Ok((events, cursor.unwrap()))
    }

    /// Tells it to stop: it drains.
    pub(crate) fn tell_to_stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }

    /// Waits until it has stopped.
    pub(crate) async fn stopped(mut self) {
        if self.stop.is_some() {
            self.tell_to_stop();
        }
        drop(self.client);
        self.ended.await.unwrap();
        self.log.close().await;
    }
}

/// A message of `role`'s.
pub(crate) fn by<T>(role: &'static str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert(ACTOR, "somebody".parse().unwrap());
    request.metadata_mut().insert(ROLE, role.parse().unwrap());
    if matches!(role, "agency" | "coordinator") {
        request.metadata_mut().insert(duban_rpc::AGENCY, "agencies/a0".parse().unwrap());
    }
    request
}

/// A message of an auditor.
pub(crate) fn asked<T>(message: T) -> Request<T> {
    by("auditor", message)
}

/// Code and reason of a refusal, and what its ErrorInfo says besides under `key`.
pub(crate) fn told(status: &Status, key: &str) -> (Code, String, String) {
    let details = status.get_error_details();
    let info = details.error_info().unwrap_or_else(|| panic!("no ErrorInfo: {status:?}"));
    (status.code(), info.reason.clone(), info.metadata.get(key).cloned().unwrap_or_default())
}

/// Holds a refusal against a code and a reason.
#[track_caller]
pub(crate) fn is(status: &Status, code: Code, reason: &str) {
    let (found, why, _) = told(status, "");
    assert_eq!((found, why.as_str()), (code, reason), "{status:?}");
}

/// The fields that a refusal names.
pub(crate) fn fields(status: &Status) -> Vec<String> {
    let details = status.get_error_details();
    details.bad_request().unwrap().field_violations.iter().map(|v| v.field.clone()).collect()
}
