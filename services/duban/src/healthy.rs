//! `duban healthy`: asks a process on this machine whether it is ready, for whoever must know by an exit code.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::args::{AdminAddress, HealthyArgs};
use crate::failure::{Exit, Failure, chain};
use crate::output::Printer;

/// How long the answer may take: below what container engines give a health check.
const WITHIN: Duration = Duration::from_secs(5);
/// The most that is read of an answer, in bytes.
const ANSWER_MAX: usize = 64 * 1024;

/// Prints what `/readyz` says; fails if that is not yes.
pub(crate) async fn run(args: HealthyArgs, printer: &mut Printer) -> Result<(), Failure> {
    let AdminAddress::At(address) = args.admin else {
        return Err(Failure::Usage("--admin: the admin port is off".to_owned()));
    };
    let address = reachable(address);
    let unavailable = |message: String| Failure::Other {
        exit: Exit::Unavailable,
        message: format!("{address}: {message}"),
    };
    let asked = tokio::time::timeout(WITHIN, ask(address)).await;
    let asked = asked.map_err(|_late| unavailable(format!("no answer within {} s", WITHIN.as_secs())))?;
    let (ready, said) = asked.map_err(|error| unavailable(chain(&*error)))?;
    let said = said.trim_end();
    if ready { printer.say(said) } else { Err(unavailable(said.replace('\n', "; "))) }
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

async fn ask(address: SocketAddr) -> Result<(bool, String), Box<dyn std::error::Error + Send + Sync>> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let request = http::Request::get("/readyz").header(http::header::HOST, address.to_string());
    let response = sender.send_request(request.body(Empty::<bytes::Bytes>::new())?).await?;
    let ready = response.status().is_success();
    let body = Limited::new(response.into_body(), ANSWER_MAX).collect().await?.to_bytes();
    Ok((ready, String::from_utf8_lossy(&body).into_owned()))
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
