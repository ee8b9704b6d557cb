//! The server: one listener, HTTP/2 alone, every service behind the gate, with health and reflection.
//!
//! tonic's own server isn't used: it answers an expired deadline with CANCELLED before our layers see it,
//! and its graceful shutdown waits without bound. So the accept loop is here, on hyper.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::service::{Routes, RoutesBuilder};
use tonic_health::ServingStatus;
use tonic_health::server::{HealthReporter, HealthService};
use tower::ServiceExt as _;

use crate::calls::Calls;
use crate::layer::{Gate, Gated};
use crate::rate::Quotas;

/// The largest message taken or sent, in bytes of protobuf: what gRPC clients take by default.
pub const MESSAGE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// The most bytes of headers of one call.
const HEADER_BYTES_MAX: u32 = 16 * 1024;
/// The most connections at once; the next waits to be accepted.
const CONNECTIONS_MAX: usize = 1024;
/// The most calls at once on one connection.
const STREAMS_MAX: u32 = 256;
/// How often a quiet connection is asked whether it lives, and how long it may take to say so.
const KEEPALIVE: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(20));
/// How long a fresh connection may stay silent.
const FIRST_BYTE_WITHIN: Duration = Duration::from_secs(10);
/// How long to wait when the machine has no file descriptor left for another connection.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// Where and how to listen.
#[derive(Debug, Clone)]
pub struct Options {
    /// The address; port 0 lets the machine choose.
    pub address: SocketAddr,
    /// Listen beyond loopback although callers are believed on their word.
    pub insecure: bool,
    /// How much may be asked.
    pub quotas: Quotas,
    /// How long calls may take to end once the server is told to stop; then they are cut.
    pub drain_within: Duration,
}

impl Options {
    /// At this address, loopback alone, with the default quotas and ten seconds to drain.
    pub fn at(address: SocketAddr) -> Self {
        Self { address, insecure: false, quotas: Quotas::default(), drain_within: Duration::from_secs(10) }
    }
}

/// Why the server can't listen or answer.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Anyone on the network could act as anyone.
    #[error(
        "{0} is not a loopback address, and callers are believed on their word: pass --insecure to listen there anyway"
    )]
    NotLoopback(SocketAddr),
    /// The address is taken or isn't ours.
    #[error("can't listen on {0}")]
    Bind(SocketAddr, #[source] io::Error),
    /// The descriptors don't fit together.
    #[error("the services can't be described")]
    Reflection(#[from] tonic_reflection::server::Error),
}

/// The services of one server, each made by [`door!`](crate::door).
#[derive(Debug, Default)]
pub struct Doors {
    routes: RoutesBuilder,
    names: Vec<&'static str>,
}

impl Doors {
    /// With one more service.
    #[must_use]
    pub fn with<S>(mut self, service: S) -> Self
    where
        S: tower::Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
        S: NamedService + Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
    {
        self.routes.add_service(service);
        self.names.push(S::NAME);
        self
    }

    /// The services' full names.
    pub fn names(&self) -> &[&'static str] {
        &self.names
    }

    /// The names that health is asked about: theirs, and the process's as a whole.
    fn reported(&self) -> Vec<&'static str> {
        [self.names(), &[""]].concat()
    }

    /// All routes, with health and both reflections, which some clients speak only one of.
    fn routes(mut self, health: HealthReporter) -> Result<Routes, ServeError> {
        let describe = || {
            let builder = tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(duban_proto::FILE_DESCRIPTOR_SET)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
                .with_service_name("grpc.health.v1.Health");
            self.names.iter().fold(builder, |builder, name| builder.with_service_name(*name))
        };
        let (v1, v1alpha) = (describe().build_v1()?, describe().build_v1alpha()?);
        let health = HealthService::from_health_reporter(health);
        self.routes
            .add_service(crate::door!(tonic_health::pb::health_server::HealthServer::new(health)))
            .add_service(crate::door!(v1))
            .add_service(crate::door!(v1alpha));
        Ok(self.routes.routes().prepare())
    }
}

/// A server that listens and doesn't answer yet.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    options: Options,
    health: HealthReporter,
    calls: Calls,
    announced: bool,
    draining: CancellationToken,
}

impl Server {
    /// Listens. Refuses an address beyond loopback unless `insecure`.
    pub async fn bind(options: Options) -> Result<Self, ServeError> {
        let (listener, address) = listen(options.address, options.insecure).await?;
        Ok(Self {
            listener,
            address,
            options,
            health: HealthReporter::new(),
            calls: Calls::default(),
            announced: false,
            draining: CancellationToken::new(),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// To say that a service can't answer, by its full name: a stopped view, say.
    pub fn health(&self) -> HealthReporter {
        self.health.clone()
    }

    /// The calls that it answers, for its metrics.
    pub fn calls(&self) -> Calls {
        self.calls.clone()
    }

    /// Says that these services answer, before anybody can say of one that it doesn't: what is said last holds.
    /// [`Server::serve`] does it where nobody has.
    pub async fn announce(&mut self, doors: &Doors) {
        report(&self.health, &doors.reported(), ServingStatus::Serving).await;
        self.announced = true;
    }

    /// Cancelled when draining begins.
    pub fn draining(&self) -> CancellationToken {
        self.draining.clone()
    }

    /// Answers until `stop`, then drains: refuses new calls, lets streams end, and cuts after the deadline.
    pub async fn serve(mut self, doors: Doors, stop: impl Future<Output = ()>) -> Result<(), ServeError> {
        if !self.announced {
            self.announce(&doors).await;
        }
        let Self { listener, options, health, calls, draining, .. } = self;
        let names = doors.reported();
        let gate = Arc::new(Gate::new(&options.quotas, options.insecure, calls, draining.clone()));
        let service = Gated { gate, inner: doors.routes(health.clone())? };

        let (connections, cut) = (TaskTracker::new(), CancellationToken::new());
        tokio::select! {
            () = stop => {}
            () = accept(listener, service, &connections, &draining, &cut) => {}
        }
        // The order matters: whoever watches health turns away first, then streams end, then the rest is cut.
        report(&health, &names, ServingStatus::NotServing).await;
        draining.cancel();
        connections.close();
        if tokio::time::timeout(options.drain_within, connections.wait()).await.is_err() {
            tracing::warn!(connections = connections.len(), "cut connections that didn't drain in time");
            cut.cancel();
            connections.wait().await;
        }
        Ok(())
    }
}

/// Listens, and says where: port 0 lets the machine choose. Refuses an address beyond loopback unless `insecure`.
pub async fn listen(address: SocketAddr, insecure: bool) -> Result<(TcpListener, SocketAddr), ServeError> {
    if !address.ip().is_loopback() {
        if !insecure {
            return Err(ServeError::NotLoopback(address));
        }
        tracing::warn!(%address, "INSECURE: anyone who reaches this address can act as anyone");
    }
    let listener = TcpListener::bind(address).await.map_err(|error| ServeError::Bind(address, error))?;
    let address = listener.local_addr().map_err(|error| ServeError::Bind(address, error))?;
    Ok((listener, address))
}

async fn report(health: &HealthReporter, names: &[&'static str], status: ServingStatus) {
    for name in names {
        health.set_service_status(name, status).await;
    }
}

/// Accepts for ever; the listener closes when this is dropped.
async fn accept(
    listener: TcpListener,
    service: Gated<Routes>,
    connections: &TaskTracker,
    draining: &CancellationToken,
    cut: &CancellationToken,
) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "can't accept a connection");
                tokio::time::sleep(ACCEPT_AGAIN).await;
                continue;
            }
        };
        let (service, draining, cut) = (service.clone(), draining.clone(), cut.clone());
        connections.spawn(async move {
            tokio::select! {
                () = cut.cancelled() => {}
                () = connection(stream, service, draining) => {}
            }
            drop(place);
        });
    }
}

async fn connection(stream: TcpStream, service: Gated<Routes>, draining: CancellationToken) {
    let spoke = tokio::select! {
        () = draining.cancelled() => false,
        ready = tokio::time::timeout(FIRST_BYTE_WITHIN, stream.readable()) => matches!(ready, Ok(Ok(()))),
    };
    if !spoke {
        return;
    }
    // Replies are small and whole: waiting to fill a packet only delays them.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "can't set TCP_NODELAY");
    }
    let mut builder = Builder::new(TokioExecutor::new()).http2_only();
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(HEADER_BYTES_MAX)
        .max_concurrent_streams(STREAMS_MAX)
        .keep_alive_interval(KEEPALIVE.0)
        .keep_alive_timeout(KEEPALIVE.1);
    let service = service.map_request(|request: Request<Incoming>| request.map(Body::new));
    let mut connection =
        std::pin::pin!(builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service)));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = draining.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended in an error");
    }
}

/// A generated server with the limits and compressions that every service has:
/// `door!(TaskServiceServer::new(handler))`.
#[macro_export]
macro_rules! door {
    ($server:expr) => {
        $server
            .accept_compressed(::tonic::codec::CompressionEncoding::Gzip)
            .accept_compressed(::tonic::codec::CompressionEncoding::Zstd)
            .send_compressed(::tonic::codec::CompressionEncoding::Gzip)
            .send_compressed(::tonic::codec::CompressionEncoding::Zstd)
            .max_decoding_message_size($crate::MESSAGE_BYTES_MAX)
            .max_encoding_message_size($crate::MESSAGE_BYTES_MAX)
    };
}
