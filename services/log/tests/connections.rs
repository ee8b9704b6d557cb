//! Connections cut at every point of a commit: what was acknowledged is there once, what was not at most once, and
//! a retry finds out which.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod support;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use duban_log::{AppendError, Appended, Location, Log, LogOptions};
use duban_test_postgres::Database;
use support::{append, check, everything, request};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// A line between a log and its database that can be cut after so many bytes.
#[derive(Default)]
struct Line {
    /// How many bytes still go through to the database, and back; below zero: as many as will.
    there: AtomicI64,
    back: AtomicI64,
    cut: Notify,
}

const OPEN: i64 = -1;

impl Line {
    /// Takes what may go through of `bytes`; says whether the line is cut after it.
    fn pass(left: &AtomicI64, bytes: usize) -> (usize, bool) {
        let bytes = i64::try_from(bytes).unwrap();
        let before = left.load(Ordering::SeqCst);
        if before < 0 {
            return (usize::try_from(bytes).unwrap(), false);
        }
        let through = bytes.min(before);
        left.store(if through < bytes { OPEN } else { before - through }, Ordering::SeqCst);
        (usize::try_from(through).unwrap(), through < bytes)
    }

    async fn carry(self: Arc<Self>, client: TcpStream, server: SocketAddr) {
        let server = TcpStream::connect(server).await.unwrap();
        client.set_nodelay(true).unwrap();
        server.set_nodelay(true).unwrap();
        let (mut from_client, mut to_client) = client.into_split();
        let (mut from_server, mut to_server) = server.into_split();
        let mut up = vec![0; 64 * 1024];
        let mut down = vec![0; 64 * 1024];
        loop {
            let cut = tokio::select! {
                () = self.cut.notified() => return,
                read = from_client.read(&mut up) => {
                    let (through, cut) = Self::pass(&self.there, read.unwrap_or(0));
                    cut || through == 0 || to_server.write_all(&up[..through]).await.is_err()
                }
                read = from_server.read(&mut down) => {
                    let (through, cut) = Self::pass(&self.back, read.unwrap_or(0));
                    let done = to_client.write_all(&down[..through]).await;
                    cut || through == 0 || done.is_err()
                }
            };
            if cut {
                return;
            }
        }
    }
}

/// A line to the database, and the URL at its near end.
async fn line(database: &Database) -> (Arc<Line>, String) {
    let line = Arc::new(Line::default());
    line.there.store(OPEN, Ordering::SeqCst);
    line.back.store(OPEN, Ordering::SeqCst);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let near = listener.local_addr().unwrap();
    let url = database.app();
    let (front, rest) = url.split_once('@').unwrap();
    let (far, name) = rest.split_once('/').unwrap();
    let (far, near_url): (SocketAddr, _) = (far.parse().unwrap(), format!("{front}@{near}/{name}"));
    let carrying = Arc::clone(&line);
    tokio::spawn(async move {
        loop {
            let (client, _) = listener.accept().await.unwrap();
            tokio::spawn(Arc::clone(&carrying).carry(client, far));
        }
    });
    (line, near_url)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cut_at_every_point_of_a_commit_each_append_is_there_once() {
    let Some(database) = Database::migrated().await else { return };
    let (line, url) = line(&database).await;
    let log = Log::open(LogOptions::at(Location::Postgres(url))).await.unwrap();
    log.append(append(0, &[&["a"]])).await.unwrap();
    let mut id = 0;
    // A batch of one is some 900 bytes there and 300 back, prepared or not; steps that meet each message's middle.
    for (direction, bytes) in [(&line.there, 1600), (&line.back, 600)] {
        for point in (0..bytes).step_by(23) {
            id += 1;
            direction.store(point, Ordering::SeqCst);
            let first = log.append(append(id, &[&["a"]])).await;
            direction.store(OPEN, Ordering::SeqCst);
            let answer = match first {
                Ok(answer) => answer,
                Err(AppendError::Unavailable(_)) => log.append(append(id, &[&["a"]])).await.unwrap(),
                Err(error) => panic!("cut after {point} bytes: {error}"),
            };
            let stored = log.receipt("tester", request(id)).await.unwrap().unwrap();
            assert_eq!(stored.receipt, answer.receipt(), "cut after {point} bytes");
            assert_eq!(log.append(append(id, &[&["a"]])).await.unwrap(), Appended::Before(answer.receipt()));
        }
    }
    let events = everything(&log).await;
    check(&events);
    let requests: Vec<_> = events.iter().map(|event| event.request_id).collect();
    assert_eq!(requests, (0..=id).map(request).collect::<Vec<_>>(), "each is there once, in order");
    log.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_that_goes_dead_is_given_up_and_wake_ups_come_back() {
    let Some(database) = Database::migrated().await else { return };
    let (line, url) = line(&database).await;
    let log = Log::open(LogOptions::at(Location::Postgres(url))).await.unwrap();
    let other = Log::open(LogOptions::at(Location::Postgres(database.app()))).await.unwrap();
    for id in 1..=20 {
        // Every connection that reads is open, and cut: the first read after it may meet all of them.
        let reads = std::iter::repeat_with(|| log.receipt("tester", request(id))).take(8);
        assert!(futures::future::join_all(reads).await.iter().all(Result::is_ok));
        line.cut.notify_waiters();
        tokio::time::sleep(Duration::from_millis(20)).await;
        log.receipt("tester", request(id)).await.unwrap();
        let last = other.append(append(id, &[&["a"]])).await.unwrap().receipt().last;
        // Whether listening again or by the poll: within seconds it is known here.
        let mut head = log.watch();
        tokio::time::timeout(Duration::from_secs(5), head.wait_for(|head| *head >= last))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(log.head().await.unwrap(), last);
        assert_eq!(log.append(append(1000 + id, &[&["a"]])).await.unwrap().receipt().first, last + 1);
    }
    check(&everything(&log).await);
    log.close().await;
    other.close().await;
}
