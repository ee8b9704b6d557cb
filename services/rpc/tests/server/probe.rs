//! A service that does what each test needs, behind the real server, asked by a real client.

use std::pin::Pin;
use std::time::Duration;

use duban_proto::audit::v1 as pb;
use duban_proto::audit::v1::audit_service_client::AuditServiceClient;
use duban_proto::audit::v1::audit_service_server::{AuditService, AuditServiceServer};
use duban_rpc::{ACTOR, Call, Doors, Error, Options, ROLE, Server, door};
use futures::{Stream, StreamExt as _};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::transport::Channel;
use tonic::{Request, Response, Status};

/// What the probe shall do, by the request's `type` or filter.
pub(crate) struct Probe;

type Replies<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Never in time for any test.
pub(crate) async fn for_ever() {
    std::future::pending::<()>().await;
}

#[tonic::async_trait]
impl AuditService for Probe {
    type ReadStream = Replies<pb::ReadResponse>;
    type SubscribeStream = Replies<pb::SubscribeResponse>;

    /// One page, then what `limit` says: 0 the end, 1 a panic, 2 silence, 3 an error without details,
    /// 4 one of ours with a cause.
    async fn read(&self, request: Request<pb::ReadRequest>) -> Result<Response<Self::ReadStream>, Status> {
        let call = Call::of(&request)?;
        let limit = request.get_ref().limit;
        let first = futures::stream::once(async { Ok(pb::ReadResponse::default()) });
        let rest = futures::stream::once(async move {
            // Lets the first page go out by itself.
            tokio::task::yield_now().await;
            match limit {
                1 => panic!("in the stream: /secret/path"),
                2 => for_ever().await,
                _ => {}
            }
            Err(Status::unknown("SELECT secret"))
        });
        if limit == 4 {
            let cause = std::io::Error::other("no space left on /secret/path");
            let failure = futures::stream::once(async { Err(Error::internal().because(cause)) });
            return Ok(Response::new(call.replies(failure).boxed()));
        }
        if limit == 0 {
            return Ok(Response::new(first.boxed()));
        }
        Ok(Response::new(first.chain(rest).boxed()))
    }

    /// One frame, then silence until the server drains.
    async fn subscribe(
        &self,
        request: Request<pb::SubscribeRequest>,
    ) -> Result<Response<Self::SubscribeStream>, Status> {
        let draining = Call::of(&request)?.draining().clone();
        let first = futures::stream::once(async { Ok(pb::SubscribeResponse::default()) });
        let last = futures::stream::once(async move {
            draining.cancelled().await;
            Ok(pb::SubscribeResponse::default())
        });
        Ok(Response::new(first.chain(last).boxed()))
    }

    async fn get_head(
        &self,
        request: Request<pb::GetHeadRequest>,
    ) -> Result<Response<pb::GetHeadResponse>, Status> {
        Call::of(&request)?;
        Ok(Response::new(pb::GetHeadResponse { position: 7, ..Default::default() }))
    }

    async fn resolve_position(
        &self,
        _: Request<pb::ResolvePositionRequest>,
    ) -> Result<Response<pb::ResolvePositionResponse>, Status> {
        Err(Status::unknown("SELECT secret"))
    }

    async fn explain(&self, _: Request<pb::ExplainRequest>) -> Result<Response<pb::ExplainResponse>, Status> {
        for_ever().await;
        Err(Status::unknown("never"))
    }

    async fn get_event_schema(
        &self,
        request: Request<pb::GetEventSchemaRequest>,
    ) -> Result<Response<pb::GetEventSchemaResponse>, Status> {
        match request.into_inner().r#type.as_str() {
            "panic" => panic!("in the handler: /secret/path"),
            "large" => Ok(Response::new(pb::GetEventSchemaResponse {
                schema: "x".repeat(duban_rpc::MESSAGE_BYTES_MAX + 1),
                ..Default::default()
            })),
            echoed => Ok(Response::new(pb::GetEventSchemaResponse {
                r#type: echoed.to_owned(),
                ..Default::default()
            })),
        }
    }

    async fn list_event_types(
        &self,
        _: Request<pb::ListEventTypesRequest>,
    ) -> Result<Response<pb::ListEventTypesResponse>, Status> {
        Ok(Response::new(pb::ListEventTypesResponse::default()))
    }
}

/// A running server.
pub(crate) struct Running {
    pub(crate) channel: Channel,
    pub(crate) address: std::net::SocketAddr,
    pub(crate) health: tonic_health::server::HealthReporter,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<()>,
}

impl Running {
    /// Tells it to stop, and waits until it has.
    pub(crate) async fn stop(self) {
        let _ = self.stop.send(());
        self.ended.await.unwrap();
    }

    /// Tells it to stop and doesn't wait.
    pub(crate) fn tell_to_stop(self) -> JoinHandle<()> {
        let _ = self.stop.send(());
        self.ended
    }
}

/// Starts a server on a port of its own.
pub(crate) async fn start(set: impl FnOnce(&mut Options)) -> Running {
    let mut options = Options::at("127.0.0.1:0".parse().unwrap());
    options.drain_within = Duration::from_secs(5);
    set(&mut options);
    let server = Server::bind(options).await.unwrap();
    let (address, health) = (server.address(), server.health());
    let doors = Doors::default().with(door!(AuditServiceServer::new(Probe)));
    let (stop, stopped) = oneshot::channel();
    let ended = tokio::spawn(async move {
        let stopped = async {
            let _ = stopped.await;
        };
        server.serve(doors, stopped).await.unwrap();
    });
    let channel = Channel::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap();
    Running { channel, address, health, stop, ended }
}

/// A client without limits of its own.
pub(crate) fn client(channel: Channel) -> AuditServiceClient<Channel> {
    AuditServiceClient::new(channel).max_decoding_message_size(usize::MAX)
}

/// A message of `actor` in `role`.
pub(crate) fn by<T>(actor: &'static str, role: &'static str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert(ACTOR, actor.parse().unwrap());
    request.metadata_mut().insert(ROLE, role.parse().unwrap());
    request
}

/// A message of an auditor.
pub(crate) fn asked<T>(message: T) -> Request<T> {
    by("auditor-1", "auditor", message)
}
