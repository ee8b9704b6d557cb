//! The service on a log in a folder of its own, with a clock that stands still; and the requests that the
//! tests make of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use duban_domain::command::Context;
use duban_domain::{Caller, Event, PrincipalId, Role};
use duban_log::{Append, Condition, Log, LogOptions, ManualClock, NewEvent, Origin, Views};
use duban_proto::call::v1::{AsOf, CommandContext, Receipt, as_of};
use duban_proto::tasks::v1 as pb;
use duban_proto::tasks::v1::document_service_client::DocumentServiceClient;
use duban_proto::tasks::v1::document_service_server::DocumentServiceServer;
use duban_proto::tasks::v1::task_service_client::TaskServiceClient;
use duban_proto::tasks::v1::task_service_server::TaskServiceServer;
use duban_rpc::{ACTOR, Doors, Options, ROLE, Server, door};
use duban_tasks::TasksDoor;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::transport::Channel;
use tonic::{Code, Request, Response, Status};
use tonic_types::StatusExt as _;
use uuid::Uuid;

/// The day on which the clock of a new service stands.
pub(crate) const TODAY: &str = "2026-03-01";
/// The document that most tests are about, and its text.
pub(crate) const OPINION: &str = "documents/opinion";
pub(crate) const TEXT: &str = "实施意见\n\n(一)推进工业绿色升级。\n到2025年，产业结构明显优化。\n2\t(一)推进工业绿色升级\t省工业和信息化厅\n";

/// A running service.
pub(crate) struct Service {
    pub(crate) log: Log,
    pub(crate) views: Views,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) documents: DocumentServiceClient<Channel>,
    pub(crate) tasks: TaskServiceClient<Channel>,
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
        let handler = TasksDoor::open(&log, &views).await.unwrap();
        let server = Server::bind(Options::at("127.0.0.1:0".parse().unwrap())).await.unwrap();
        let channel = Channel::from_shared(format!("http://{}", server.address())).unwrap();
        let (stop, stopped) = oneshot::channel();
        let doors = Doors::default()
            .with(door!(DocumentServiceServer::new(handler.clone())))
            .with(door!(TaskServiceServer::new(handler)));
        let ended = tokio::spawn(async move {
            let stopped = async { stopped.await.unwrap_or_default() };
            server.serve(doors, stopped).await.unwrap();
        });
        let channel = channel.connect().await.unwrap();
        let documents = DocumentServiceClient::new(channel.clone());
        let tasks = TaskServiceClient::new(channel);
        Self { log, views, clock, documents, tasks, stop, ended, _folder: folder }
    }

    /// With the opinion, at position 1.
    pub(crate) async fn with_opinion() -> Self {
        let service = Self::start().await;
        service.register(opinion()).await;
        service
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

    pub(crate) async fn register(
        &self,
        request: pb::RegisterDocumentRequest,
    ) -> pb::RegisterDocumentResponse {
        said(self.documents.clone().register_document(supervisor(request)).await)
    }

    pub(crate) async fn get(&self, name: &str, as_of: AsOf) -> pb::GetDocumentResponse {
        let request = pb::GetDocumentRequest { name: name.into(), as_of: Some(as_of), consistency: None };
        said(self.documents.clone().get_document(auditor(request)).await)
    }

    pub(crate) async fn record(&self, request: pb::RecordAnomalyRequest) -> pb::RecordAnomalyResponse {
        said(self.documents.clone().record_anomaly(supervisor(request)).await)
    }

    pub(crate) async fn adopt(&self, request: pb::AdoptReadingRequest) -> pb::AdoptReadingResponse {
        said(self.documents.clone().adopt_reading(supervisor(request)).await)
    }

    pub(crate) async fn withdraw(&self, reading: &str) -> pb::WithdrawReadingResponse {
        said(self.documents.clone().withdraw_reading(supervisor(withdrawal(reading))).await)
    }

    /// The opinion's anomalies.
    pub(crate) async fn anomalies(&self, as_of: AsOf, filter: &str) -> Vec<pb::Anomaly> {
        let request = pb::ListAnomaliesRequest {
            parent: OPINION.into(),
            filter: filter.into(),
            as_of: Some(as_of),
            ..Default::default()
        };
        said(self.documents.clone().list_anomalies(auditor(request)).await).anomalies
    }

    /// The opinion's readings.
    pub(crate) async fn readings(&self, as_of: AsOf, filter: &str) -> Vec<pb::Reading> {
        let request = pb::ListReadingsRequest {
            parent: OPINION.into(),
            filter: filter.into(),
            as_of: Some(as_of),
            ..Default::default()
        };
        said(self.documents.clone().list_readings(auditor(request)).await).readings
    }

    /// Appends events that rest on a reading; what the rules would say of them does not matter here.
    pub(crate) async fn append(&self, reading: &str, events: Vec<Event>) {
        let context = Context { readings: vec![reading.parse().unwrap()], ..Default::default() };
        let request_id: Uuid = crate::support::context("").request_id.parse().unwrap();
        let new = |(n, event): (u64, Event)| {
            let body = event.encode(&context);
            NewEvent {
                id: Uuid::from_u64_pair(self.log.now().as_second().unsigned_abs(), n),
                nonce: [7; 32],
                event_type: duban_domain::event::type_of(&body).unwrap().to_owned(),
                effective_on: TODAY.parse().unwrap(),
                tags: event.tags(&context),
                body: body.into(),
            }
        };
        let principal = PrincipalId::parse("somebody").unwrap();
        let append = Append {
            origin: Origin {
                caller: Caller { principal, role: Role::Supervisor, agency: None },
                request_id,
                correlation: request_id,
                causation: None,
                trace_id: None,
            },
            fingerprint: [0; 32],
            events: (1 + self.head().await..).zip(events).map(new).collect(),
            condition: Condition::default(),
            read_at: 0,
        };
        self.log.append(append).await.unwrap();
    }

    /// Proposes a task that rests on readings.
    pub(crate) async fn propose(&self, id: &str, readings: &[&str]) -> pb::ProposeTaskResponse {
        let context = resting_on(context(""), readings);
        let request = pb::ProposeTaskRequest {
            context: Some(context),
            task_id: Some(id.to_owned()),
            title: "推进工业绿色升级".to_owned(),
            track: pb::TaskTrack::Continuing.into(),
            ..Default::default()
        };
        said(self.tasks.clone().propose_task(supervisor(request)).await)
    }
}

/// What was answered.
pub(crate) fn said<T>(reply: Result<Response<T>, Status>) -> T {
    reply.map(Response::into_inner).unwrap()
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

pub(crate) fn resting_on(context: CommandContext, readings: &[&str]) -> CommandContext {
    CommandContext { readings: readings.iter().copied().map(str::to_owned).collect(), ..context }
}

/// The opinion, with one of each of its parts.
pub(crate) fn opinion() -> pb::RegisterDocumentRequest {
    let clause = pb::Clause {
        clause_id: "article-1".into(),
        label: "(一)".into(),
        title: "推进工业绿色升级".into(),
        first_line: 3,
        last_line: 4,
        ..Default::default()
    };
    let cells = ["2", "(一)推进工业绿色升级", "省工业和信息化厅"].map(str::to_owned).to_vec();
    let target = |id: &str, year| pb::Target {
        target_id: id.into(),
        year,
        statement: "产业结构明显优化".into(),
        first_line: 4,
        last_line: 4,
    };
    pb::RegisterDocumentRequest {
        context: Some(context("")),
        document_id: Some("opinion".into()),
        title: "实施意见".into(),
        issuer: "青海省人民政府".into(),
        text: TEXT.into(),
        clauses: vec![clause],
        rows: vec![pb::TableRow { row_id: "p1-2".into(), line: 5, cells }],
        targets: vec![target("y2035", 2035), target("y2025", 2025)],
        number: None,
        issued_on: None,
    }
}

/// An anomaly of the opinion, on a line of it.
pub(crate) fn anomaly(id: &str, kind: pb::AnomalyKind, line: u32) -> pb::RecordAnomalyRequest {
    pb::RecordAnomalyRequest {
        context: Some(context("")),
        document: OPINION.into(),
        anomaly_id: Some(id.into()),
        kind: kind.into(),
        first_line: line,
        last_line: line,
        found: "(一)".into(),
        description: "标号不一".into(),
    }
}

/// A reading of the opinion that settles these anomalies.
pub(crate) fn adoption(id: &str, anomalies: &[&str], supersedes: Option<&str>) -> pb::AdoptReadingRequest {
    let named = |kind: &str, id: &str| format!("{OPINION}/{kind}/{id}");
    pb::AdoptReadingRequest {
        context: Some(context("")),
        document: OPINION.into(),
        reading_id: Some(id.into()),
        anomalies: anomalies.iter().map(|id| named("anomalies", id)).collect(),
        statement: "即正文第三条".into(),
        alternatives: vec!["另有所指".into()],
        confidence: pb::Confidence::Medium.into(),
        first_line: 3,
        last_line: 5,
        supersedes: supersedes.map(|id| named("readings", id)),
    }
}

pub(crate) fn withdrawal(reading: &str) -> pb::WithdrawReadingRequest {
    pb::WithdrawReadingRequest {
        context: Some(CommandContext { reason: "与正文不符".into(), ..context("") }),
        reading: reading.into(),
    }
}

/// Today, as known now.
pub(crate) fn now() -> AsOf {
    AsOf::default()
}

/// Valid today, as known at a position.
pub(crate) fn known_at(position: u64) -> AsOf {
    AsOf { valid_on: None, known: Some(as_of::Known::Position(position)) }
}

/// Valid today, as known at the end of a day.
pub(crate) fn known_on(day: &str) -> AsOf {
    AsOf { valid_on: None, known: Some(as_of::Known::KnownOn(day.to_owned())) }
}

/// The positions that a command wrote.
pub(crate) fn written(receipt: Option<Receipt>) -> (u64, u64) {
    let receipt = receipt.unwrap();
    (receipt.first_position, receipt.last_position)
}

/// Code and reason, in our domain.
pub(crate) fn told<T: std::fmt::Debug>(reply: Result<T, Status>) -> (Code, String) {
    let status = reply.unwrap_err();
    let details = status.get_error_details();
    let info = details.error_info().unwrap_or_else(|| panic!("no ErrorInfo: {status:?}"));
    assert_eq!(info.domain, "duban");
    (status.code(), info.reason.clone())
}

/// The fields that a refusal names.
pub(crate) fn fields<T: std::fmt::Debug>(reply: Result<T, Status>) -> Vec<String> {
    let status = reply.unwrap_err();
    let details = status.get_error_details();
    let bad = details.bad_request().unwrap_or_else(|| panic!("no BadRequest: {status:?}"));
    bad.field_violations.iter().map(|violation| violation.field.clone()).collect()
}
