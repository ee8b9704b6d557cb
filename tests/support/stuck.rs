//! A call that ends when its connection does: its message never comes.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::stream::{self, Pending};
use http_body_util::StreamBody;
use hyper::body::Frame;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio::task::JoinHandle;

use super::PATIENCE;
use super::http::metrics;

type Never = StreamBody<Pending<Result<Frame<Bytes>, Infallible>>>;

/// The calls of its kind that the server counts as in progress.
pub const IN_PROGRESS: &str =
    r#"duban_calls_in_progress{service="duban.audit.v1.AuditService",method="GetHead"}"#;

/// Begins one; the server counts it as in progress when this returns. The task ends when the server ends the call.
pub async fn stuck(address: SocketAddr, admin: SocketAddr) -> JoinHandle<()> {
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
    let until = Instant::now() + PATIENCE;
    while metrics(admin).await.get(IN_PROGRESS) != Some(&1.0) {
        assert!(!call.is_finished() && Instant::now() < until, "it is in progress");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    call
}
