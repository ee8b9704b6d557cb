//! A Postgres that is away when a server starts: waited for, aloud, for a minute.

use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, ChildStderr, Command};
use tokio::time::timeout;

use crate::support::{DUBAN, Place};

/// Longer than any of it takes.
const PATIENCE: Duration = Duration::from_mins(2);

/// A server that was started, whatever becomes of it.
struct Started {
    child: Child,
    lines: Lines<BufReader<ChildStderr>>,
}

impl Started {
    fn on(url: &str) -> Self {
        let mut child = Command::new(DUBAN)
            .args([
                "serve",
                "--listen",
                "127.0.0.1:0",
                "--admin",
                "off",
                "--log-format",
                "json",
                "--log",
                url,
            ])
            .env("RUST_LOG", "info")
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        Self { child, lines }
    }

    /// Reads on until a line holds these words.
    async fn says(&mut self, words: &str) -> Value {
        let found = async {
            loop {
                let line = self.lines.next_line().await.unwrap().unwrap_or_else(|| panic!("never: {words}"));
                if line.contains(words) {
                    return serde_json::from_str(&line).unwrap();
                }
            }
        };
        timeout(PATIENCE, found).await.expect("in time")
    }

    async fn terminate(&self) {
        let pid = self.child.id().unwrap().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().await.unwrap().success());
    }

    async fn ended(mut self) -> ExitStatus {
        timeout(PATIENCE, self.child.wait()).await.expect("it ends").unwrap()
    }
}

/// A port of loopback at which nobody listens.
async fn nobody() -> u16 {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port()
}

/// The URL of the same database at another port, and where it is now.
fn moved(url: &str, port: u16) -> (String, String) {
    let (before, after) = url.rsplit_once('@').unwrap();
    let (address, database) = after.split_once('/').unwrap();
    (format!("{before}@127.0.0.1:{port}/{database}"), address.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_comes_late_is_waited_for() {
    let place = Place::new().await;
    let port = nobody().await;
    let (url, address) = moved(&place.database().app(), port);
    let mut server = Started::on(&url);
    let waiting = server.says("the database is away").await;
    assert_eq!(waiting["level"], "WARN", "{waiting}");
    assert!(waiting["error"].as_str().unwrap().contains("refused"), "it says why: {waiting}");
    assert!(!waiting.to_string().contains("duban_app"), "and no secrets: {waiting}");

    let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut database = TcpStream::connect(&address).await.unwrap();
            tokio::spawn(async move { copy_bidirectional(&mut stream, &mut database).await.ok() });
        }
    });
    server.says("listening").await;
    server.terminate().await;
    assert!(server.ended().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_stays_away_is_given_up_after_a_minute_or_when_told_to() {
    let url = format!("postgres://duban_app:duban_app@127.0.0.1:{}/duban", nobody().await);
    let (mut patient, mut told, began) = (Started::on(&url), Started::on(&url), Instant::now());
    told.says("the database is away").await;
    told.terminate().await;
    assert!(told.ended().await.success(), "it was told to stop, and did");
    assert!(began.elapsed() < Duration::from_secs(20), "at once: {:?}", began.elapsed());

    let last = patient.says("the server ends").await;
    assert!(last["failure"].as_str().unwrap().contains("the database can't be opened"), "{last}");
    assert!((50..80).contains(&began.elapsed().as_secs()), "it took {:?}", began.elapsed());
    assert_eq!(patient.ended().await.code(), Some(6));
}
