//! Calling the services. Requests and replies are dynamic messages described by the protos' own descriptors,
//! so one way of calling serves every RPC.
//!
//! # Determinations
//! Generated clients would need a line of code for each of 60 RPCs to choose a method and a type; the
//! descriptors say both. What is typed is checked against them when the request is built, and a test builds
//! a request for every RPC.

mod codec;
mod retry;
pub(crate) mod schema;

use std::str::FromStr as _;
use std::time::Duration;

use http::uri::PathAndQuery;
use prost::Message;
use prost_reflect::{DynamicMessage, MethodDescriptor};
use serde_json::Value;
use tonic::codec::CompressionEncoding;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status, Streaming};

use crate::args::ClientArgs;
use crate::failure::{Failure, Refusal};
use codec::DynamicCodec;

/// The largest reply that is taken: a page of documents' worth, well above what a server sends.
const REPLY_MAX: usize = 64 * 1024 * 1024;
/// How long to wait for a connection.
const CONNECT: Duration = Duration::from_secs(5);

/// Who calls.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    /// The principal's pseudonymous id.
    pub(crate) actor: String,
    /// In which role.
    pub(crate) role: String,
    /// For which agency, as `agencies/{id}`.
    pub(crate) agency: Option<String>,
}

impl From<&ClientArgs> for Identity {
    fn from(args: &ClientArgs) -> Self {
        let actor = args.actor.clone().unwrap_or_else(|| args.role.clone());
        Self { actor, role: args.role.clone(), agency: args.agency.clone() }
    }
}

/// The services, wherever they listen.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    servers: Vec<Server>,
    timeout: Duration,
}

/// One address.
#[derive(Debug, Clone)]
struct Server {
    /// The proto package that it serves; none: every package that no other server has.
    package: Option<&'static str>,
    url: String,
    channel: Channel,
}

impl Client {
    /// For the addresses that were typed. Connects with the first call.
    pub(crate) fn of(args: &ClientArgs) -> Result<Self, Failure> {
        let typed = [
            (Some("duban.agencies.v1"), args.agencies_server.as_ref()),
            (Some("duban.tasks.v1"), args.tasks_server.as_ref()),
            (Some("duban.reports.v1"), args.reports_server.as_ref()),
            (Some("duban.audit.v1"), args.audit_server.as_ref()),
            (None, Some(&args.server)),
        ];
        let servers = typed.into_iter().filter_map(|(package, url)| Some(connect(package, url?)));
        Ok(Self { servers: servers.collect::<Result<_, _>>()?, timeout: args.timeout() })
    }

    /// For a server in this process, which serves every package.
    pub(crate) fn within(channel: Channel, timeout: Duration) -> Self {
        let url = "this process".to_owned();
        Self { servers: vec![Server { package: None, url, channel }], timeout }
    }

    /// Calls an RPC that answers once. What may be tried again is, with the same request.
    pub(crate) async fn call(
        &self,
        identity: &Identity,
        method: &MethodDescriptor,
        message: &DynamicMessage,
    ) -> Result<DynamicMessage, Failure> {
        let server = self.server(method)?;
        let mut tries = retry::Tries::default();
        loop {
            tracing::debug!(rpc = method.full_name(), server = server.url, "calling");
            let status = match self.once(server, identity, method, message).await {
                Ok(reply) => return Ok(reply),
                Err(status) => status,
            };
            let Some(pause) = tries.pause_after(&status) else {
                return Err(server.refused(status, message));
            };
            tracing::debug!(code = ?status.code(), ?pause, "trying again");
            tokio::time::sleep(pause).await;
        }
    }

    async fn once(
        &self,
        server: &Server,
        identity: &Identity,
        method: &MethodDescriptor,
        message: &DynamicMessage,
    ) -> Result<DynamicMessage, Status> {
        let mut request = signed(identity, message)?;
        request.set_timeout(self.timeout);
        let mut grpc = server.grpc();
        grpc.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
        let reply = grpc.unary(request, path(method)?, DynamicCodec::of(method)).await?;
        Ok(reply.into_inner())
    }

    /// Calls an RPC that answers with a stream. It has no deadline: it may go on for ever.
    pub(crate) async fn stream(
        &self,
        identity: &Identity,
        method: &MethodDescriptor,
        message: &DynamicMessage,
    ) -> Result<Stream, Failure> {
        let server = self.server(method)?;
        tracing::debug!(rpc = method.full_name(), server = server.url, "calling");
        let opened = async {
            let request = signed(identity, message)?;
            let mut grpc = server.grpc();
            grpc.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
            grpc.server_streaming(request, path(method)?, DynamicCodec::of(method)).await
        };
        let reply = opened.await.map_err(|status| server.refused(status, message))?;
        Ok(Stream { messages: reply.into_inner(), server: server.url.clone() })
    }

    fn server(&self, method: &MethodDescriptor) -> Result<&Server, Failure> {
        let package = method.parent_service().parent_file().package_name().to_owned();
        let named = self.servers.iter().find(|server| server.package == Some(package.as_str()));
        named
            .or_else(|| self.servers.iter().find(|server| server.package.is_none()))
            .ok_or_else(|| Failure::Usage(format!("no server is known for {package}")))
    }
}

/// A message with who sends it.
fn signed(identity: &Identity, message: &DynamicMessage) -> Result<Request<DynamicMessage>, Status> {
    let mut request = Request::new(message.clone());
    let headers = request.metadata_mut();
    headers.insert(duban_rpc::ACTOR, header(&identity.actor)?);
    headers.insert(duban_rpc::ROLE, header(&identity.role)?);
    if let Some(agency) = &identity.agency {
        headers.insert(duban_rpc::AGENCY, header(agency)?);
    }
    Ok(request)
}

fn connect(package: Option<&'static str>, url: &str) -> Result<Server, Failure> {
    let url = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
    let endpoint = Endpoint::from_shared(url.clone())
        .map_err(|error| Failure::Usage(format!("{url} is no address of a server: {error}")))?;
    Ok(Server { package, url, channel: endpoint.connect_timeout(CONNECT).connect_lazy() })
}

fn header(value: &str) -> Result<MetadataValue<Ascii>, Status> {
    MetadataValue::from_str(value)
        .map_err(|_| Status::invalid_argument(format!("{value} can't be sent as a header")))
}

fn path(method: &MethodDescriptor) -> Result<PathAndQuery, Status> {
    let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
    PathAndQuery::from_str(&path).map_err(|error| Status::internal(error.to_string()))
}

impl Server {
    fn grpc(&self) -> tonic::client::Grpc<Channel> {
        tonic::client::Grpc::new(self.channel.clone())
            .accept_compressed(CompressionEncoding::Gzip)
            .accept_compressed(CompressionEncoding::Zstd)
            .max_decoding_message_size(REPLY_MAX)
    }

    fn refused(&self, status: Status, message: &DynamicMessage) -> Failure {
        refused(&self.url, status, schema::request_id(message))
    }
}

fn refused(server: &str, status: Status, request_id: Option<String>) -> Failure {
    Failure::Refused(Box::new(Refusal { status: named(status), server: server.to_owned(), request_id }))
}

/// A status without details is not from a service of ours but from this side of the connection, where tonic
/// calls a lost connection UNKNOWN or INTERNAL and a passed deadline CANCELLED.
fn named(status: Status) -> Status {
    let ours = !status.details().is_empty();
    match status.code() {
        Code::Unknown | Code::Internal if !ours => Status::unavailable(status.message()),
        Code::Cancelled if !ours => Status::deadline_exceeded(status.message()),
        _ => status,
    }
}

/// A stream of replies.
pub(crate) struct Stream {
    messages: Streaming<DynamicMessage>,
    server: String,
}

impl Stream {
    /// The next reply as proto JSON; none: the stream has ended.
    pub(crate) async fn next(&mut self) -> Result<Option<Value>, Failure> {
        self.received().await?.map(|message| schema::to_json(&message)).transpose()
    }

    /// The next reply as what it is; none: the stream has ended.
    pub(crate) async fn message<M: Message + Default>(&mut self) -> Result<Option<M>, Failure> {
        self.received().await?.map(|message| schema::typed(&message)).transpose()
    }

    async fn received(&mut self) -> Result<Option<DynamicMessage>, Failure> {
        self.messages.message().await.map_err(|status| refused(&self.server, status, None))
    }
}

#[cfg(test)]
mod tests {
    use tonic_types::{ErrorDetails, StatusExt as _};

    use super::*;

    #[test]
    fn what_happens_on_the_way_is_called_what_it_is() {
        assert_eq!(named(Status::unknown("transport error")).code(), Code::Unavailable);
        assert_eq!(named(Status::cancelled("Timeout expired")).code(), Code::DeadlineExceeded);
        let details =
            ErrorDetails::with_error_info("INTERNAL_ERROR", "duban", std::collections::HashMap::new());
        let server_said = Status::with_error_details(Code::Internal, "a mistake", details);
        assert_eq!(named(server_said).code(), Code::Internal);
    }
}
