//! What may be chosen after `cargo bench --`.

use std::time::Duration;

use clap::{Parser, ValueEnum};

use crate::place::Engine;

/// A part of the benchmark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// One client, one durable command after the other
    Latency,
    /// Many clients: unrelated commands, and nine in ten of one busy agency
    Throughput,
    /// Loading, reading and replaying whole logs
    Bulk,
    /// Auditing whole logs offline
    Audit,
    /// Who is responsible, now and as of then, on logs of several sizes
    Queries,
    /// Memory and time to start, on logs of several sizes
    Memory,
    /// The audit tree: what it costs appends, and its proofs
    Proof,
}

/// How fast duban is, next to baselines measured in the same run
#[derive(Debug, Clone, Parser)]
pub struct Args {
    /// Which parts [default: all]
    #[arg(value_enum, value_name = "PARTS")]
    parts: Vec<Part>,
    /// Sizes of logs, in events; generated once, kept below target/
    #[arg(long, value_name = "N", value_delimiter = ',', default_values_t = [10_000, 100_000])]
    pub events: Vec<u64>,
    /// A log of a million events too
    #[arg(long)]
    pub million: bool,
    /// On which engine; a Postgres is started for the run
    #[arg(long, value_enum, default_value = "sqlite")]
    pub engine: Engine,
    /// How many clients send commands at once
    #[arg(long, value_name = "N", default_value_t = 64)]
    pub clients: usize,
    /// How long each stretch of load lasts, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 4.0)]
    seconds: f64,
    /// How often each measurement takes its turn
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub rounds: usize,
    /// How many calls one client makes in each of its turns
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub calls: usize,
    /// One part of the work only, for a profile: no baselines
    #[arg(long)]
    pub profile: bool,
    /// Said by `cargo bench`
    #[arg(long, hide = true)]
    pub bench: bool,
    /// Be the echo, with replies of so many bytes
    #[arg(long, hide = true)]
    pub echo: Option<usize>,
}

impl Args {
    /// What was typed, or a few moments' worth of each part where this is run as a test.
    ///
    /// `cargo bench` says `--bench`, and `cargo test` doesn't. `None`: it was only asked which tests there are.
    pub fn typed() -> Option<Self> {
        let says = |word: &str| std::env::args().any(|typed| typed == word);
        if says("--bench") || says("--echo") {
            return Some(Self::parse());
        }
        if says("--list") {
            if !says("--ignored") {
                println!("every_part_plays_through: test");
            }
            return None;
        }
        let few = "measure --events 2000 --clients 4 --seconds 0.1 --rounds 1 --calls 3";
        Some(Self::parse_from(few.split(' ')))
    }

    /// The parts to run, in their own order.
    pub fn parts(&self) -> Vec<Part> {
        let asked = |part: &Part| self.parts.is_empty() || self.parts.contains(part);
        Part::value_variants().iter().copied().filter(asked).collect()
    }

    /// The sizes of logs, ascending.
    pub fn sizes(&self) -> Vec<u64> {
        let mut sizes = self.events.clone();
        sizes.extend(self.million.then_some(1_000_000));
        sizes.sort_unstable();
        sizes.dedup();
        sizes
    }

    /// The size of the log that commands are sent to: the largest, but none of a million.
    pub fn busy_size(&self) -> u64 {
        self.events.iter().copied().max().unwrap_or(10_000)
    }

    /// How long each stretch of load lasts.
    pub fn stretch(&self) -> Duration {
        Duration::from_secs_f64(self.seconds)
    }
}
