//! The service on a log in a folder of its own, with a clock that stands still; and the requests that the
//! tests make of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use duban_log::{Log, LogOptions, ManualClock, Views};
use duban_proto::agencies::v1 as pb;
use duban_proto::agencies::v1::agency_service_client::AgencyServiceClient;
use duban_proto::agencies::v1::agency_service_server::AgencyServiceServer;
use duban_proto::call::v1::{AsOf, CommandContext, as_of};
use duban_rpc::{ACTOR, Doors, Options, ROLE, Server, door};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;
use uuid::Uuid;

/// The day on which the clock of a new service stands.
pub(crate) const TODAY: &str = "2026-03-01";
/// Credit codes whose check characters were computed apart from this code.
pub(crate) const CODE: &str = "11630000015000000H";
pub(crate) const OTHER_CODE: &str = "11630000015000123J";

/// A running service.
pub(crate) struct Service {
    pub(crate) log: Log,
    pub(crate) views: Views,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) client: AgencyServiceClient<Channel>,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<()>,
    _folder: tempfile::TempDir,
}

impl Service {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(noon(TODAY)));
        let log = Log::open(LogOptions::new(folder.path()).clock(clock.clone())).await.unwrap();
        let views = Views::open(&log).await.unwrap();
        let door = duban_agencies::open(&log, &views).await.unwrap();
        let server = Server::bind(Options::at("127.0.0.1:0".parse().unwrap())).await.unwrap();
        let channel = Channel::from_shared(format!("http://{}", server.address())).unwrap();
        let (stop, stopped) = oneshot::channel();
        let doors = Doors::default().with(door!(AgencyServiceServer::new(door)));
        let ended = tokio::spawn(async move {
            let stopped = async { stopped.await.unwrap_or_default() };
            server.serve(doors, stopped).await.unwrap();
        });
        let client = AgencyServiceClient::new(channel.connect().await.unwrap());
        Self { log, views, clock, client, stop, ended, _folder: folder }
    }

    pub(crate) async fn stop(self) {
        self.stop.send(()).unwrap();
        self.ended.await.unwrap();
        self.log.close().await;
        self.views.close().await;
    }

    /// Moves the clock to noon UTC of a day.
    pub(crate) fn on(&self, day: &str) {
        self.clock.set(noon(day));
    }

    pub(crate) async fn head(&self) -> u64 {
        self.log.head().await.unwrap()
    }

    pub(crate) async fn register(&self, request: pb::RegisterAgencyRequest) -> pb::RegisterAgencyResponse {
        self.client.clone().register_agency(supervisor(request)).await.unwrap().into_inner()
    }

    pub(crate) async fn rename(&self, agency: &str, full_name: &str, on: &str) -> pb::RenameAgencyResponse {
        let request = supervisor(rename(agency, full_name, on));
        self.client.clone().rename_agency(request).await.unwrap().into_inner()
    }

    pub(crate) async fn get(&self, name: &str, as_of: AsOf) -> Result<pb::GetAgencyResponse, Status> {
        let request = pb::GetAgencyRequest { name: name.into(), as_of: Some(as_of), consistency: None };
        self.client.clone().get_agency(auditor(request)).await.map(tonic::Response::into_inner)
    }

    pub(crate) async fn list(&self, request: pb::ListAgenciesRequest) -> pb::ListAgenciesResponse {
        self.client.clone().list_agencies(auditor(request)).await.unwrap().into_inner()
    }

    pub(crate) async fn resolve(&self, text: &str, as_of: AsOf) -> pb::ResolveNameResponse {
        let request = pb::ResolveNameRequest { text: text.into(), as_of: Some(as_of), consistency: None };
        self.client.clone().resolve_name(auditor(request)).await.unwrap().into_inner()
    }
}

fn noon(day: &str) -> duban_domain::Timestamp {
    format!("{day}T12:00:00Z").parse().unwrap()
}

/// A message in a role.
pub(crate) fn by<T>(role: &'static str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert(ACTOR, "somebody".parse().unwrap());
    request.metadata_mut().insert(ROLE, role.parse().unwrap());
    request
}

pub(crate) fn supervisor<T>(message: T) -> Request<T> {
    by("supervisor", message)
}

pub(crate) fn auditor<T>(message: T) -> Request<T> {
    by("auditor", message)
}

/// What a command carries, with a request id of its own; effective today unless a day is given.
pub(crate) fn context(on: &str) -> CommandContext {
    static REQUESTS: AtomicU64 = AtomicU64::new(1);
    let id = Uuid::from_u128(REQUESTS.fetch_add(1, Ordering::Relaxed).into());
    CommandContext {
        request_id: id.to_string(),
        effective_on: (!on.is_empty()).then(|| on.to_owned()),
        reason: "因为".to_owned(),
        ..Default::default()
    }
}

pub(crate) fn registration(id: &str, full_name: &str, on: &str) -> pb::RegisterAgencyRequest {
    pb::RegisterAgencyRequest {
        context: Some(context(on)),
        agency_id: Some(id.to_owned()),
        full_name: full_name.to_owned(),
        kind: pb::AgencyKind::ConstituentDepartment.into(),
        ..Default::default()
    }
}

pub(crate) fn rename(agency: &str, full_name: &str, on: &str) -> pb::RenameAgencyRequest {
    pb::RenameAgencyRequest {
        context: Some(context(on)),
        agency: agency.to_owned(),
        full_name: full_name.to_owned(),
    }
}

/// Valid on a day, as known now.
pub(crate) fn valid_on(day: &str) -> AsOf {
    AsOf { valid_on: Some(day.to_owned()), known: None }
}

/// Valid on a day, as known at a position.
pub(crate) fn known_at(day: &str, position: u64) -> AsOf {
    AsOf { valid_on: Some(day.to_owned()), known: Some(as_of::Known::Position(position)) }
}

/// The full name and the status of an agency.
pub(crate) fn seen(agency: &pb::Agency) -> (&str, pb::AgencyStatus) {
    (&agency.full_name, agency.status())
}

/// Code and reason, in our domain.
pub(crate) fn told(status: &Status) -> (Code, String) {
    let details = status.get_error_details();
    let info = details.error_info().unwrap_or_else(|| panic!("no ErrorInfo: {status:?}"));
    assert_eq!(info.domain, "duban");
    (status.code(), info.reason.clone())
}

/// The fields that a refusal names.
pub(crate) fn fields(status: &Status) -> Vec<String> {
    let details = status.get_error_details();
    let bad = details.bad_request().unwrap_or_else(|| panic!("no BadRequest: {status:?}"));
    bad.field_violations.iter().map(|violation| violation.field.clone()).collect()
}
