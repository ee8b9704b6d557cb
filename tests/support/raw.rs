//! Calls as bytes: what no generated client would send, to whatever the descriptors name.

use std::sync::LazyLock;
use std::time::Duration;

use bytes::{Buf as _, BufMut as _, Bytes};
use http::uri::PathAndQuery;
use prost_reflect::{DescriptorPool, MessageDescriptor};
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::{Request, Status};

use super::As;

/// How long an answer may take before the test fails.
const WITHIN: Duration = Duration::from_mins(1);

/// An RPC of the descriptors.
#[derive(Debug, Clone)]
pub struct Rpc {
    /// As `/package.Service/Method`.
    pub path: String,
    /// What it takes.
    pub input: MessageDescriptor,
    /// What it answers with.
    pub output: MessageDescriptor,
}

impl Rpc {
    /// Whether it is a command: its request carries what every command does.
    pub fn is_command(&self) -> bool {
        let context = self.input.get_field_by_name("context");
        let of = context.and_then(|field| field.kind().as_message().map(|of| of.full_name().to_owned()));
        of.as_deref() == Some("duban.call.v1.CommandContext")
    }
}

static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
    DescriptorPool::decode(duban_proto::FILE_DESCRIPTOR_SET).expect("the descriptors fit together")
});

/// Every RPC of duban's own services.
pub fn rpcs() -> Vec<Rpc> {
    let services = POOL.services().filter(|service| service.full_name().starts_with("duban."));
    let rpcs: Vec<Rpc> = services
        .flat_map(|service| service.methods().collect::<Vec<_>>())
        .map(|method| Rpc {
            path: format!("/{}/{}", method.parent_service().full_name(), method.name()),
            input: method.input(),
            output: method.output(),
        })
        .collect();
    assert!(rpcs.len() > 60, "all services are described");
    rpcs
}

/// The RPC of this name, as `Service/Method` or in full.
pub fn rpc(name: &str) -> Rpc {
    let found = rpcs().into_iter().find(|rpc| rpc.path.ends_with(name));
    found.unwrap_or_else(|| panic!("{name} is described"))
}

impl As {
    /// Sends these bytes as one message. The messages that come back: all of them, but of a subscription, which
    /// has no end, the first.
    pub async fn raw(&self, path: &str, message: impl Into<Bytes>) -> Result<Vec<Bytes>, Status> {
        let request = Request::new(message.into());
        tokio::time::timeout(WITHIN, self.ask(path, request)).await.expect("an answer in time")
    }

    /// The same of a request with more metadata.
    pub async fn ask(&self, path: &str, request: Request<Bytes>) -> Result<Vec<Bytes>, Status> {
        let mut client = Grpc::new(self.service());
        client.ready().await.map_err(|error| Status::unknown(error.to_string()))?;
        let at: PathAndQuery = path.parse().expect("a path");
        let mut replies = client.server_streaming(request, at, Raw).await?.into_inner();
        let mut all = Vec::new();
        while let Some(reply) = replies.message().await? {
            all.push(reply);
            if path.ends_with("/Subscribe") {
                break;
            }
        }
        Ok(all)
    }
}

/// Messages as they are.
#[derive(Debug, Clone, Copy, Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put(message);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}
