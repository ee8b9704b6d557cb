//! Bytes and headers sent as they are: what no generated client would send, and without its own limits.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use http::HeaderMap;
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tonic::Status;

/// Sends a request as it is, and waits for the whole answer, but not for ever.
pub(crate) async fn http(request: http::Request<Full<Bytes>>) -> (http::response::Parts, HeaderMap) {
    tokio::time::timeout(Duration::from_secs(10), answer(request)).await.expect("an answer in time")
}

async fn answer(request: http::Request<Full<Bytes>>) -> (http::response::Parts, HeaderMap) {
    let client = Client::builder(TokioExecutor::new()).http2_only(true).build_http();
    let (parts, body) = client.request(request).await.unwrap().into_parts();
    let trailers = body.collect().await.unwrap().trailers().cloned().unwrap_or_default();
    (parts, trailers)
}

/// Sends these bytes as one message, and gives the status that comes back.
pub(crate) async fn raw(to: SocketAddr, path: &str, message: &[u8], headers: &[(&str, &str)]) -> Status {
    let mut framed = BytesMut::new();
    framed.put_u8(0);
    framed.put_u32(u32::try_from(message.len()).unwrap());
    framed.put_slice(message);
    let mut request =
        http::Request::post(format!("http://{to}{path}")).header("content-type", "application/grpc");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (parts, trailers) = http(request.body(Full::new(framed.freeze())).unwrap()).await;
    assert_eq!(parts.status, 200);
    Status::from_header_map(&parts.headers).or_else(|| Status::from_header_map(&trailers)).unwrap()
}
