//! Asking the admin port of a process on this machine.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use http::Method;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// The most that is read of an answer, in bytes.
const ANSWER_MAX: usize = 64 * 1024;

type Said = Result<(bool, String), Box<dyn std::error::Error + Send + Sync>>;

/// Whether the answer is yes, and what it says.
pub(crate) async fn get(address: SocketAddr, path: &str) -> Said {
    ask(Method::GET, address, path).await
}

/// The same of something that it shall do.
pub(crate) async fn post(address: SocketAddr, path: &str) -> Said {
    ask(Method::POST, address, path).await
}

async fn ask(method: Method, address: SocketAddr, path: &str) -> Said {
    let address = reachable(address);
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let request =
        http::Request::builder().method(method).uri(path).header(http::header::HOST, address.to_string());
    let response = sender.send_request(request.body(Empty::<bytes::Bytes>::new())?).await?;
    let yes = response.status().is_success();
    let body = Limited::new(response.into_body(), ANSWER_MAX).collect().await?.to_bytes();
    Ok((yes, String::from_utf8_lossy(&body).into_owned()))
}

/// Where a server that listens everywhere is reached from the same machine.
fn reachable(address: SocketAddr) -> SocketAddr {
    let loopback = match address.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        other => other,
    };
    SocketAddr::new(loopback, address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_listens_everywhere_is_asked_on_loopback() {
        for (listens, asked) in [
            ("0.0.0.0:7351", "127.0.0.1:7351"),
            ("[::]:7351", "[::1]:7351"),
            ("127.0.0.1:1", "127.0.0.1:1"),
            ("10.0.0.2:1", "10.0.0.2:1"),
        ] {
            assert_eq!(reachable(listens.parse().unwrap()), asked.parse().unwrap());
        }
    }
}
