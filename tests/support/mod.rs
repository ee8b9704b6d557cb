//! A real server on a port of its own, with a clock that the test moves, and callers in every role.
//!
//! Everything is asked over gRPC. Each test ends with [`Office::verify`]: the log is dense and in order, and
//! every view is what a rebuild from zero makes of it.

#![allow(dead_code, reason = "each program uses its part")]

mod acts;
mod callers;
mod commands;
mod digests;
mod engine;
pub mod http;
pub mod keys;
mod process;
mod raw;
mod stuck;
mod verify;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use duban::server::{Running, Settings, start};
use duban_domain::Date;
use duban_domain::time::end_of;
use duban_log::ManualClock;
use tonic::transport::{Channel, Endpoint};

pub use callers::As;
pub use commands::*;
pub use engine::{Engine, Place};
pub use http::{get, get_with, metrics, ready};
pub use process::Process;
pub use raw::{Rpc, rpc, rpcs};
pub use stuck::{IN_PROGRESS, stuck};
pub use verify::{events, reason_of};

/// The binary under test.
pub const DUBAN: &str = env!("CARGO_BIN_EXE_duban");

/// The root of the checkout.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the checkout is there")
}

/// The seed of the province's opinion.
pub fn seed() -> PathBuf {
    root().join("seeds/qinghai-green-economy")
}

/// How long a test waits for what the server does by itself.
pub const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);

/// A server and the log it works on.
pub struct Office {
    place: Place,
    clock: Arc<ManualClock>,
    running: Option<Running>,
    channel: Channel,
}

impl Office {
    /// A new log; it is noon in Shanghai on 2 March 2026.
    pub async fn open() -> Self {
        Self::open_on("2026-03-02").await
    }

    /// A new log; it is noon in Shanghai on `day`.
    pub async fn open_on(day: &str) -> Self {
        Self::open_at(Place::new().await, day).await
    }

    /// The same on a place of its own, empty or not.
    pub async fn open_at(place: Place, day: &str) -> Self {
        let clock = Arc::new(ManualClock::at(noon(day)));
        let running = run(&place, &clock).await;
        let channel = connect(&running);
        Self { place, clock, running: Some(running), channel }
    }

    /// Stops the server and starts it again on the same folder, at another port.
    pub async fn restart(&mut self) {
        self.close().await;
        let running = run(&self.place, &self.clock).await;
        self.channel = connect(&running);
        self.running = Some(running);
    }

    /// Stops the server.
    pub async fn close(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop();
            running.ended().await.expect("it ends well");
        }
    }

    /// It becomes noon in Shanghai on `day`.
    pub fn on(&self, day: &str) {
        self.clock.set(noon(day));
    }

    /// The running server.
    pub fn running(&self) -> &Running {
        self.running.as_ref().expect("the server runs")
    }

    /// Where the log is.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The data folder, in tests of what only SQLite has.
    pub fn folder(&self) -> &Path {
        self.place.folder()
    }

    /// Its address as a URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.running().address)
    }

    /// Where its admin port is.
    pub fn admin(&self) -> SocketAddr {
        self.running().admin_address.expect("it has one")
    }

    /// A connection to it.
    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// Another connection to it.
    pub fn connection(&self) -> Channel {
        connect(self.running())
    }

    /// The head of the log.
    pub async fn head(&self) -> u64 {
        self.running().log.head().await.expect("the log answers")
    }

    /// Waits until the log stands at `position` or beyond: for what the server does by itself.
    pub async fn reached(&self, position: u64) {
        let mut head = self.running().log.watch();
        let there = tokio::time::timeout(PATIENCE, head.wait_for(|head| *head >= position)).await;
        there
            .unwrap_or_else(|_| panic!("it does not come to {position} by itself"))
            .expect("the log is open");
    }

    /// Sends the seed through the binary, as an operator would.
    pub async fn import(&self) {
        let output = tokio::process::Command::new(DUBAN)
            .args(["import", &seed().display().to_string(), "--server", &self.url()])
            .output()
            .await
            .expect("the binary runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

async fn run(place: &Place, clock: &Arc<ManualClock>) -> Running {
    let clock = Arc::clone(clock);
    let admin = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
    start(Settings { clock, admin, ..Settings::at(place.location()) }).await.expect("it starts")
}

fn connect(running: &Running) -> Channel {
    Endpoint::from_shared(format!("http://{}", running.address)).expect("a URL").connect_lazy()
}

/// Noon in Shanghai.
pub fn noon(day: &str) -> duban_domain::Timestamp {
    let day: Date = day.parse().expect("a date");
    let end = end_of(day);
    end.checked_sub(jiff::SignedDuration::from_hours(12)).expect("in range")
}

/// A connection on which the server may be only a little ahead of whoever reads.
pub fn slow_connection(office: &Office) -> Channel {
    let endpoint = Endpoint::from_shared(office.url()).expect("a URL");
    endpoint.initial_stream_window_size(65_535).initial_connection_window_size(65_535).connect_lazy()
}
