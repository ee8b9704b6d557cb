//! One process: a log in its folder, the views that follow it, any subset of the services on one port.
//!
//! The order of starting is the order of need: the log, then what follows it, then who may ask. The order of
//! stopping is the reverse: callers are turned away first, the log is closed when nobody writes any more. The
//! admin port is there before and after all of it, to say so.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use duban_log::views::Entry;
use duban_log::{
    Clock, Ids, Location, Log, LogOptions, OpenError, StorageError, SystemClock, SystemIds, Views,
};
use duban_proto::agencies::v1::agency_service_server::AgencyServiceServer;
use duban_proto::audit::v1::audit_service_server::AuditServiceServer;
use duban_proto::audit::v1::proof_service_server::ProofServiceServer;
use duban_proto::reports::v1::cycle_service_server::CycleServiceServer;
use duban_proto::reports::v1::report_service_server::ReportServiceServer;
use duban_proto::tasks::v1::assignment_service_server::AssignmentServiceServer;
use duban_proto::tasks::v1::document_service_server::DocumentServiceServer;
use duban_proto::tasks::v1::responsibility_service_server::ResponsibilityServiceServer;
use duban_proto::tasks::v1::task_service_server::TaskServiceServer;
use duban_reports::Health;
use duban_rpc::{Doors, Options, Quotas, ServeError, Server, door};
use duban_tree::{Grounds, StoreError, Trees};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::server::NamedService;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use crate::Service;
use crate::admin::{Admin, Open};
use crate::away::waited_for;
use crate::ending::Stage;

/// In the data folder: the audit trees.
pub(crate) const TREE: &str = "tree";
/// In the data folder: the keys that sign them, and what they have signed.
pub(crate) const SIGNER: &str = "signer";

/// What to run, where, on which log.
#[derive(Clone)]
pub struct Settings {
    /// Which services.
    pub services: Vec<Service>,
    /// Where to listen; port 0 lets the machine choose.
    pub listen: SocketAddr,
    /// Where the admin port is; `None`: nowhere.
    pub admin: Option<SocketAddr>,
    /// Listen beyond loopback although callers are believed on their word.
    pub insecure: bool,
    /// How long calls in progress may take to end once it is told to stop.
    pub drain_within: Duration,
    /// Told what is waited for while it ends.
    pub stage: Stage,
    /// Where the log and its views are.
    pub log: Location,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Where ids and nonces come from.
    pub ids: Arc<dyn Ids>,
    /// How much may be asked.
    pub quotas: Quotas,
    /// Where the audit trees are and how they are signed; `None`: none are kept here.
    pub trees: Option<Grounds>,
}

impl Settings {
    /// All services on loopback, at a port that the machine chooses, with the log in `data`.
    pub fn new(data: impl Into<PathBuf>) -> Self {
        Self::at(Location::Folder(data.into()))
    }

    /// The same on the log at `log`. The audit tree of a log in a folder is in the same folder; of one on Postgres
    /// none is kept unless that is said.
    pub fn at(log: Location) -> Self {
        let trees = match &log {
            Location::Folder(data) => {
                Some(Grounds::new(Location::Folder(data.join(TREE)), data.join(SIGNER)))
            }
            Location::Postgres(_) => None,
        };
        Self {
            services: Service::ALL.to_vec(),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            admin: None,
            insecure: false,
            drain_within: Duration::from_secs(10),
            stage: Stage::default(),
            log,
            clock: Arc::new(SystemClock),
            ids: Arc::new(SystemIds),
            quotas: Quotas::default(),
            trees,
        }
    }
}

/// Why the process can't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The log or its views can't be opened.
    #[error("the data can't be opened")]
    Open(#[from] OpenError),
    /// Its audit trees can't be where they shall be.
    #[error("the audit tree can't be kept there")]
    Tree(#[from] StoreError),
    /// A view can't be started.
    #[error("a view can't be started")]
    View(#[from] StorageError),
    /// It can't listen.
    #[error(transparent)]
    Serve(#[from] ServeError),
}

/// A process that answers.
pub struct Running {
    /// Where it listens.
    pub address: SocketAddr,
    /// Where its admin port is, if it has one.
    pub admin_address: Option<SocketAddr>,
    /// Its log.
    pub log: Log,
    /// Its views.
    pub views: Views,
    /// Its audit trees.
    pub trees: Option<Trees>,
    stop: CancellationToken,
    serving: JoinHandle<Result<(), ServeError>>,
    calendar: Option<duban_reports::Calendar>,
    admin: Option<Admin>,
    stage: Stage,
}

/// Every view of these services.
pub fn views_of(services: &[Service]) -> Vec<Entry> {
    let of = |service: &Service| match service {
        Service::Agencies => duban_agencies::VIEWS,
        Service::Tasks => duban_tasks::VIEWS,
        Service::Reports => duban_reports::VIEWS,
        Service::Audit => &[],
    };
    services.iter().flat_map(of).copied().collect()
}

/// Starts the services.
pub async fn start(settings: Settings) -> Result<Running, StartError> {
    let Settings { services, listen, admin, insecure, drain_within, stage, log, clock, ids, quotas, trees } =
        settings;
    // Before the log is opened: a process that can't listen should not touch it.
    let mut server = Server::bind(Options { address: listen, insecure, quotas, drain_within }).await?;
    let stop = CancellationToken::new();
    let admin = match admin {
        Some(address) => Some(Admin::start(address, insecure, &server.calls(), stop.clone()).await?),
        None => None,
    };
    let options = LogOptions::at(log).clock(clock).ids(ids);
    let log = match &options.location {
        Location::Folder(_) => Log::open(options).await?,
        Location::Postgres(_) => waited_for(|| Log::open(options.clone())).await?,
    };
    let views = Views::open(&log).await?;
    let trees = match trees {
        Some(grounds) => Some(Trees::start(&log, &grounds).await?),
        None => None,
    };
    let mut doors = Doors::default();
    let mut calendar = None;
    for service in &services {
        doors = open(*service, doors, &log, &views, trees.as_ref()).await?;
        if *service == Service::Reports {
            calendar = Some(duban_reports::Calendar::start(&log, &views).await?);
        }
    }
    // A view may have stopped already: that is said after this, or it would be unsaid.
    server.announce(&doors).await;
    watch_health(&server.health(), &services, &views);
    if let Some(calendar) = &calendar {
        watch_calendar(server.health(), calendar.health());
    }
    if let Some(trees) = trees.iter().flat_map(Trees::iter).next() {
        watch_tree(server.health(), trees.status());
    }
    if let Some(admin) = &admin {
        let needed = views_of(&services);
        admin.opened(Open { log: log.clone(), views: views.clone(), needed, trees: trees.clone() });
    }
    let (address, admin_address) = (server.address(), admin.as_ref().map(|admin| admin.address));
    let serving = tokio::spawn(server.serve(doors, stop.clone().cancelled_owned()));
    Ok(Running { address, admin_address, log, views, trees, stop, serving, calendar, admin, stage })
}

async fn open(
    service: Service,
    doors: Doors,
    log: &Log,
    views: &Views,
    trees: Option<&Trees>,
) -> Result<Doors, StorageError> {
    Ok(match service {
        Service::Agencies => {
            doors.with(door!(AgencyServiceServer::new(duban_agencies::open(log, views).await?)))
        }
        Service::Tasks => {
            let door = duban_tasks::TasksDoor::open(log, views).await?;
            doors
                .with(door!(DocumentServiceServer::new(door.clone())))
                .with(door!(TaskServiceServer::new(door.clone())))
                .with(door!(AssignmentServiceServer::new(door.clone())))
                .with(door!(ResponsibilityServiceServer::new(door)))
        }
        Service::Reports => {
            let door = duban_reports::ReportsDoor::open(log, views).await?;
            doors
                .with(door!(CycleServiceServer::new(door.clone())))
                .with(door!(ReportServiceServer::new(door)))
        }
        Service::Audit => {
            let proofs = duban_audit::ProofDoor::new(log.clone(), trees.cloned());
            doors
                .with(door!(AuditServiceServer::new(duban_audit::AuditDoor::new(log.clone()))))
                .with(door!(ProofServiceServer::new(proofs)))
        }
    })
}

/// The gRPC services that need the views of a service.
fn names_of(service: Service) -> &'static [&'static str] {
    match service {
        Service::Agencies => &[AgencyServiceServer::<duban_agencies::AgenciesDoor>::NAME],
        Service::Tasks => &[
            DocumentServiceServer::<duban_tasks::TasksDoor>::NAME,
            TaskServiceServer::<duban_tasks::TasksDoor>::NAME,
            AssignmentServiceServer::<duban_tasks::TasksDoor>::NAME,
            ResponsibilityServiceServer::<duban_tasks::TasksDoor>::NAME,
        ],
        Service::Reports => &[
            CycleServiceServer::<duban_reports::ReportsDoor>::NAME,
            ReportServiceServer::<duban_reports::ReportsDoor>::NAME,
        ],
        Service::Audit => &[],
    }
}

/// A view that has stopped makes its service, and the process as a whole, unhealthy, and stays so.
fn watch_health(health: &HealthReporter, services: &[Service], views: &Views) {
    for service in services {
        for view in views_of(&[*service]) {
            let Some(following) = views.following(view.name) else { continue };
            let (health, names) = (health.clone(), [names_of(*service), &[""]].concat());
            tokio::spawn(async move {
                let mut status = following.watch();
                // Ends without a word when the log closes: the server says then that it drains.
                let stopped = |status: &duban_log::Status| {
                    !status.is_healthy() && status.state != duban_log::State::Closed
                };
                if let Ok(status) = status.wait_for(stopped).await.map(|status| status.clone()) {
                    tracing::error!(view = following.name, state = ?status.state, "a view has stopped");
                    for name in names {
                        health.set_service_status(name, ServingStatus::NotServing).await;
                    }
                }
            });
        }
    }
}

/// Cycles are not served well while what they owe can't be opened or marked missed; they are again once it can.
fn watch_calendar(health: HealthReporter, mut calendar: watch::Receiver<Health>) {
    let cycles = CycleServiceServer::<duban_reports::ReportsDoor>::NAME;
    tokio::spawn(async move {
        while calendar.changed().await.is_ok() {
            let now = calendar.borrow_and_update().clone();
            let status = match now {
                Health::Well => ServingStatus::Serving,
                Health::Failing(why) => {
                    tracing::error!(why, "the calendar fails and tries again");
                    ServingStatus::NotServing
                }
                Health::Stopped => return,
            };
            health.set_service_status(cycles, status).await;
        }
    });
}

/// Proofs are not served well while the tree doesn't grow; they are again once it does.
fn watch_tree(health: HealthReporter, mut tree: watch::Receiver<duban_tree::Status>) {
    let proofs = ProofServiceServer::<duban_audit::ProofDoor>::NAME;
    tokio::spawn(async move {
        loop {
            let now = tree.borrow_and_update().clone();
            // The server says itself that it drains.
            if now.state != duban_tree::State::Closed {
                let status =
                    if now.is_healthy() { ServingStatus::Serving } else { ServingStatus::NotServing };
                health.set_service_status(proofs, status).await;
            }
            if tree.changed().await.is_err() {
                return;
            }
        }
    });
}

impl Running {
    /// Asks it to drain and stop, which [`Running::ended`] waits for.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Waits until it has drained and closed everything.
    pub async fn ended(self) -> Result<(), ServeError> {
        let Self { stage, serving, calendar, log, views, trees, admin, .. } = self;
        stage.is("calls in progress");
        let served = serving.await.unwrap_or_else(|failed| std::panic::resume_unwind(failed.into_panic()));
        stage.is("the calendar");
        if let Some(calendar) = calendar {
            calendar.stop().await;
        }
        stage.is("the audit tree");
        if let Some(trees) = trees {
            trees.close().await;
        }
        stage.is("the log");
        log.close().await;
        stage.is("the views");
        views.close().await;
        if let Some(admin) = admin {
            admin.close().await;
        }
        served
    }
}
