//! The admin port, asked as plainly as any tool would.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::PATIENCE;

/// What `GET path` answers: the status and the body.
pub async fn get(address: SocketAddr, path: &str) -> (u16, String) {
    get_with(address, path, "").await
}

/// The same with more header lines, each with its CR LF.
pub async fn get_with(address: SocketAddr, path: &str, headers: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.expect("the admin port is there");
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("headers and a body");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, body.to_owned())
}

/// What `GET path` answers: the status, the header lines in lower case, and the bytes.
pub async fn get_bytes(address: SocketAddr, path: &str) -> (u16, String, Vec<u8>) {
    let mut stream = TcpStream::connect(address).await.expect("the admin port is there");
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("an answer");
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").expect("headers and a body");
    let body = answer.split_off(end + 4);
    let head = String::from_utf8(answer).expect("headers").to_lowercase();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, head, body)
}

/// Waits until it is ready: a view that was just started has yet to find out where it stands.
pub async fn ready(address: SocketAddr) {
    let until = Instant::now() + PATIENCE;
    loop {
        let (status, said) = get(address, "/readyz").await;
        if status == 200 {
            return assert_eq!(said, "ready\n");
        }
        assert!(Instant::now() < until, "it doesn't become ready: {said}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Every sample of `/metrics` by its name and labels, in the order of OpenMetrics: what is not in that form
/// fails.
pub async fn metrics(address: SocketAddr) -> BTreeMap<String, f64> {
    let (status, text) = get(address, "/metrics").await;
    assert_eq!(status, 200);
    let body = text.strip_suffix("# EOF\n").expect("it ends as OpenMetrics does");
    let (mut samples, mut family) = (BTreeMap::new(), "");
    for line in body.lines() {
        if let Some(said) = line.strip_prefix("# ") {
            let (what, rest) = said.split_once(' ').expect("a keyword");
            let (name, _) = rest.split_once(' ').expect("a name and what is said of it");
            assert!(["HELP", "TYPE", "UNIT"].contains(&what), "{line}");
            family = name;
            continue;
        }
        let (name, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no sample: {line}"));
        assert!(name.starts_with(family) && family.starts_with("duban_"), "{line} is not of {family}");
        let value = value.parse().unwrap_or_else(|_| panic!("no number: {line}"));
        assert_eq!(samples.insert(name.to_owned(), value), None, "{name} is there twice");
    }
    samples
}
