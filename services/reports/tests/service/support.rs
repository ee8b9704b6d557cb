//! The service on a log in a folder of its own, with a clock that stands still, and with or without its
//! calendar.

use std::sync::Arc;

use duban_domain::Timestamp;
use duban_log::{Log, LogOptions, ManualClock, Views};
use duban_proto::reports::v1::cycle_service_client::CycleServiceClient;
use duban_proto::reports::v1::cycle_service_server::CycleServiceServer;
use duban_proto::reports::v1::report_service_client::ReportServiceClient;
use duban_proto::reports::v1::report_service_server::ReportServiceServer;
use duban_reports::{Calendar, ReportsDoor};
use duban_rpc::{ACTOR, AGENCY, Doors, Options, ROLE, Server, door};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::transport::Channel;
use tonic::{Code, Request, Response, Status};
use tonic_types::StatusExt as _;

/// The day on which the clock of a new service stands.
pub(crate) const TODAY: &str = "2026-11-02";

/// A running service.
pub(crate) struct Service {
    pub(crate) log: Log,
    pub(crate) views: Views,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) cycles: CycleServiceClient<Channel>,
    pub(crate) reports: ReportServiceClient<Channel>,
    pub(crate) calendar: Option<Calendar>,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<()>,
    folder: TempDir,
}

impl Service {
    /// With its calendar at work.
    pub(crate) async fn start() -> Self {
        let mut service = Self::without_calendar().await;
        service.start_calendar().await;
        service
    }

    pub(crate) async fn without_calendar() -> Self {
        let clock = Arc::new(ManualClock::at(noon(TODAY)));
        Self::open(tempfile::tempdir().unwrap(), clock).await
    }

    async fn open(folder: TempDir, clock: Arc<ManualClock>) -> Self {
        let log = Log::open(LogOptions::new(folder.path()).clock(clock.clone())).await.unwrap();
        let views = Views::open(&log).await.unwrap();
        let handler = ReportsDoor::open(&log, &views).await.unwrap();
        let server = Server::bind(Options::at("127.0.0.1:0".parse().unwrap())).await.unwrap();
        let channel = Channel::from_shared(format!("http://{}", server.address())).unwrap();
        let (stop, stopped) = oneshot::channel();
        let doors = Doors::default()
            .with(door!(CycleServiceServer::new(handler.clone())))
            .with(door!(ReportServiceServer::new(handler)));
        let ended = tokio::spawn(async move {
            let stopped = async { stopped.await.unwrap_or_default() };
            server.serve(doors, stopped).await.unwrap();
        });
        let channel = channel.connect().await.unwrap();
        let cycles = CycleServiceClient::new(channel.clone());
        let reports = ReportServiceClient::new(channel);
        Self { log, views, clock, cycles, reports, calendar: None, stop, ended, folder }
    }

    pub(crate) async fn start_calendar(&mut self) {
        self.calendar = Some(Calendar::start(&self.log, &self.views).await.unwrap());
    }

    /// Lets the calendar do all that is to do by now.
    pub(crate) async fn tick(&self) {
        self.calendar.as_ref().unwrap().tick().await.unwrap();
    }

    pub(crate) async fn stop(self) {
        self.close().await;
    }

    async fn close(self) -> (TempDir, Arc<ManualClock>) {
        self.stop.send(()).unwrap();
        self.ended.await.unwrap();
        if let Some(calendar) = self.calendar {
            calendar.stop().await;
        }
        self.log.close().await;
        self.views.close().await;
        (self.folder, self.clock)
    }

    /// The same folder with another process on it, so to speak; its calendar is not at work yet.
    pub(crate) async fn restart(self) -> Self {
        let (folder, clock) = self.close().await;
        Self::open(folder, clock).await
    }

    /// Moves the clock to noon UTC of a day.
    pub(crate) fn on(&self, day: &str) {
        self.clock.set(noon(day));
    }

    pub(crate) async fn head(&self) -> u64 {
        self.log.head().await.unwrap()
    }

    /// The types of the events after a position, in order.
    pub(crate) async fn types_after(&self, after: u64) -> Vec<String> {
        let page = self.log.read(after, 1000).await.unwrap();
        page.events.into_iter().map(|event| event.event_type).collect()
    }
}

fn noon(day: &str) -> Timestamp {
    format!("{day}T12:00:00Z").parse().unwrap()
}

/// A message of `actor` in a role, for an agency unless it is empty.
pub(crate) fn by<T>(actor: &str, role: &'static str, agency: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    let metadata = request.metadata_mut();
    metadata.insert(ACTOR, actor.parse().unwrap());
    metadata.insert(ROLE, role.parse().unwrap());
    if !agency.is_empty() {
        metadata.insert(AGENCY, format!("agencies/{agency}").parse().unwrap());
    }
    request
}

/// Of the agency that coordinates.
pub(crate) fn coordinator<T>(message: T) -> Request<T> {
    by("coordinator-1", "coordinator", "fgw", message)
}

pub(crate) fn supervisor<T>(message: T) -> Request<T> {
    by("supervisor-1", "supervisor", "", message)
}

pub(crate) fn auditor<T>(message: T) -> Request<T> {
    by("auditor-1", "auditor", "", message)
}

/// Somebody of an agency.
pub(crate) fn officer<T>(agency: &str, message: T) -> Request<T> {
    by(&format!("officer-{agency}"), "agency", agency, message)
}

/// What was answered.
pub(crate) fn said<T>(reply: Result<Response<T>, Status>) -> T {
    reply.map(Response::into_inner).unwrap()
}

/// Code and reason of a refusal, in our domain.
pub(crate) fn told<T: std::fmt::Debug>(reply: Result<Response<T>, Status>) -> (Code, String) {
    let status = reply.unwrap_err();
    let details = status.get_error_details();
    let info = details.error_info().unwrap_or_else(|| panic!("no ErrorInfo: {status:?}"));
    assert_eq!(info.domain, "duban");
    (status.code(), info.reason.clone())
}

/// The fields that a refusal names.
pub(crate) fn fields<T: std::fmt::Debug>(reply: Result<Response<T>, Status>) -> Vec<String> {
    let status = reply.unwrap_err();
    let details = status.get_error_details();
    let bad = details.bad_request().unwrap_or_else(|| panic!("no BadRequest: {status:?}"));
    bad.field_violations.iter().map(|violation| violation.field.clone()).collect()
}

/// Code and reason as a test writes them.
pub(crate) fn is(code: Code, reason: &str) -> (Code, String) {
    (code, reason.to_owned())
}
