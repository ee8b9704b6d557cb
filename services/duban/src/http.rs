//! HTTP/1.1 for the few routes that are no gRPC: the admin port's and a witness's.
//!
//! # Determinations
//! - **The accept loop is ours**, as that of the services: axum's own bounds neither connections nor headers.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// The most connections at once; the next waits to be accepted.
const CONNECTIONS_MAX: usize = 64;
/// How long a connection may take to send its next request.
const HEADERS_WITHIN: Duration = Duration::from_secs(30);
/// How long to wait when the machine has no file descriptor left for another connection.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// Accepts for ever; the connections end with it. `port` is what the log lines call it.
pub(crate) async fn accept(port: &'static str, listener: TcpListener, routes: Router) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        while connections.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, _)) => {
                let routes = routes.clone();
                connections.spawn(async move {
                    connection(port, stream, routes).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(port, %error, "a connection can't be accepted");
                tokio::time::sleep(ACCEPT_AGAIN).await;
            }
        }
    }
}

async fn connection(port: &'static str, stream: TcpStream, routes: Router) {
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEADERS_WITHIN);
    if let Err(error) = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes)).await
    {
        tracing::debug!(port, %error, "a connection ended in an error");
    }
}
