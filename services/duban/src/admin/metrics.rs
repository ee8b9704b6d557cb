//! What Prometheus reads: the calls, the log and what follows it.
//!
//! Calls are counted as they end; everything else is looked up when it is asked for. What isn't known, such as
//! the head of a log that doesn't answer, is left out rather than guessed: a gap shows, an old value lies.

mod proof;

use std::fmt;

use duban_domain::Position;
use duban_log::Load;
use duban_rpc::Calls;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use super::ready::{self, Standing};
use super::{Office, Open};

/// OpenMetrics text.
pub(super) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Follower {
    follower: &'static str,
}

/// A value for each follower.
type Followers = Family<Follower, Gauge>;

/// The prefix of every name.
const PREFIX: &str = "duban";

/// Everything that the process tells of itself in numbers.
pub(super) struct Metrics {
    /// What is counted as it happens.
    counted: Registry,
}

impl Metrics {
    pub(super) fn of(calls: &Calls) -> Self {
        let mut counted = Registry::with_prefix(PREFIX);
        counted.register("build", "What runs", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
        calls.register(&mut counted);
        Self { counted }
    }

    /// All of it, as it is now.
    pub(super) async fn text(&self, office: &Office) -> Result<String, fmt::Error> {
        let mut seen = Registry::with_prefix(PREFIX);
        let Standing { in_the_way, head } = ready::look(office).await;
        let ready = gauge(u64::from(in_the_way.is_empty()));
        seen.register("ready", "1 if it can answer callers, as /readyz says", ready);
        if let Some(open) = office.open() {
            register(open, head, &mut seen);
        }
        let mut text = String::new();
        encode_registry(&mut text, &self.counted)?;
        encode_registry(&mut text, &seen)?;
        encode_eof(&mut text)?;
        Ok(text)
    }
}

/// The log and its followers, as they are now.
fn register(open: &Open, head: Option<Position>, seen: &mut Registry) {
    let (position, lag, healthy) = (Followers::default(), Followers::default(), Followers::default());
    seen.register("follower_position", "Up to where it has taken the log", position.clone());
    seen.register("follower_healthy", "1 unless it has stopped", healthy.clone());
    let followers = open.log.followers();
    for following in &followers {
        let (of, status) = (Follower { follower: following.name }, following.status());
        position.get_or_create(&of).set(signed(status.position));
        healthy.get_or_create(&of).set(i64::from(status.is_healthy()));
    }
    if let Some(load) = open.log.workload() {
        let Load { waiting, batches, appends, room } = load;
        let help = "Appends that wait for the next batch";
        seen.register("log_appends_waiting", help, gauge(waiting as u64));
        seen.register("log_batches", "Batches that this process has committed", counter(batches));
        seen.register("log_appends", "Appends in those batches", counter(appends));
        if let Some(room) = room {
            seen.register("log_free_positions", "For how many positions there are partitions", gauge(room));
        }
    }
    if let Some(trees) = &open.trees {
        proof::register(trees, head, seen);
    }
    let Some(head) = head else { return };
    seen.register("log_head_position", "The last committed position", gauge(head));
    seen.register("follower_lag_events", "How many events it is behind the head", lag.clone());
    for following in &followers {
        let behind = head.saturating_sub(following.status().position);
        lag.get_or_create(&Follower { follower: following.name }).set(signed(behind));
    }
}

fn counter(value: u64) -> Counter {
    let counter = Counter::default();
    counter.inc_by(value);
    counter
}

fn gauge(value: u64) -> Gauge {
    let gauge = Gauge::default();
    gauge.set(signed(value));
    gauge
}

/// As a gauge holds it.
fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
