//! The bare cost of gRPC: a tonic server in a process of its own that answers any message with as many bytes as
//! the real one would, and a client that sends as many.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::io::Read as _;
use std::net::SocketAddr;
use std::process::Stdio;
use std::task::{Context, Poll};

use bytes::{Buf as _, BufMut as _, Bytes};
use futures::future::BoxFuture;
use http::uri::PathAndQuery;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tonic::body::Body;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::server::{NamedService, UnaryService};
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Request, Response, Status};

use crate::Result;
use crate::load::Who;

const PATH: &str = "/duban.bench.Echo/Echo";

/// Serves until its standard input ends, which it does when the benchmark does.
pub async fn serve(reply: usize) -> Result<()> {
    let incoming = TcpIncoming::bind(SocketAddr::from(([127, 0, 0, 1], 0)))?.with_nodelay(Some(true));
    println!("{}", incoming.local_addr()?);
    let echo = Echo(vec![0x5a; reply].into());
    std::thread::spawn(|| {
        std::io::stdin().read_to_end(&mut Vec::new()).ok();
        std::process::exit(0);
    });
    Ok(Server::builder().add_service(echo).serve_with_incoming(incoming).await?)
}

/// The echo's process.
pub struct Process {
    /// Its id.
    pub id: u32,
    address: String,
    _child: Child,
}

impl Process {
    /// Starts it.
    pub async fn start(reply: usize) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["--echo", &reply.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let lines = child.stdout.take().ok_or("the echo says nothing")?;
        let address = BufReader::new(lines).lines().next_line().await?.ok_or("the echo ended")?;
        Ok(Self { id: child.id().ok_or("the echo ended")?, address, _child: child })
    }

    /// A connection to it.
    pub fn channel(&self) -> Result<Channel> {
        Ok(Endpoint::from_shared(format!("http://{}", self.address))?.connect_lazy())
    }
}

/// Sends a message of these bytes and takes the answer.
pub async fn call(channel: &Channel, who: &Who, message: &Bytes) -> Result<usize> {
    let mut client = tonic::client::Grpc::new(who.on(channel));
    client.ready().await?;
    let path = PathAndQuery::from_static(PATH);
    let answer = client.unary(Request::new(message.clone()), path, Raw).await?;
    Ok(answer.into_inner().len())
}

#[derive(Clone)]
struct Echo(Bytes);

impl NamedService for Echo {
    const NAME: &'static str = "duban.bench.Echo";
}

impl tower::Service<http::Request<Body>> for Echo {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, std::result::Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<std::result::Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let echo = self.clone();
        Box::pin(async move { Ok(tonic::server::Grpc::new(Raw).unary(echo, request).await) })
    }
}

impl UnaryService<Bytes> for Echo {
    type Response = Bytes;
    type Future = Ready<std::result::Result<Response<Bytes>, Status>>;

    fn call(&mut self, _: Request<Bytes>) -> Self::Future {
        ready(Ok(Response::new(self.0.clone())))
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

    fn encode(&mut self, message: Bytes, to: &mut EncodeBuf<'_>) -> std::result::Result<(), Status> {
        to.put(message);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> std::result::Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}
