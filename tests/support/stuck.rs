//! A call that ends when its connection does: its message never comes.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, Pending};
use http_body_util::StreamBody;
use hyper::body::Frame;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio::task::JoinHandle;

type Never = StreamBody<Pending<Result<Frame<Bytes>, Infallible>>>;

/// Begins one; it is in progress when this returns. The task ends when the server ends the call.
pub async fn stuck(address: SocketAddr) -> JoinHandle<()> {
    let client: Client<_, Never> = Client::builder(TokioExecutor::new()).http2_only(true).build_http();
    let request = http::Request::post(format!("http://{address}/duban.audit.v1.AuditService/GetHead"))
        .header("content-type", "application/grpc")
        .header("duban-actor", "auditor-1")
        .header("duban-role", "auditor")
        .body(StreamBody::new(stream::pending()))
        .expect("a request");
    let call = tokio::spawn(async move {
        // Cut, it is an error; what kind is the client's affair.
        client.request(request).await.ok();
    });
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!call.is_finished(), "it is in progress");
    call
}
