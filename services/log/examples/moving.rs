//! How fast a log moves on this machine: `cargo run --release --example moving [folder] [events] [owner's URL]`.
//!
//! Fills a log in the folder with events of about 300 bytes under two tags, exports it, loads it into another
//! folder, and into a migrated, empty Postgres database if one is given. Prints rates and the memory seen.

#![allow(clippy::print_stdout, clippy::cast_precision_loss, reason = "it is there to print figures")]

use std::path::{Path, PathBuf};
use std::time::Instant;

use duban_domain::caller::{Caller, PrincipalId, Role};
use duban_domain::{Date, Tag};
use duban_log::moving::{ExportOptions, LoadOptions, export, load};
use duban_log::{Append, Condition, Ids, Location, Log, LogOptions, NewEvent, Origin, SystemIds};

/// Events of an append.
const EACH: u64 = 2;
/// Appends sent at once.
const AT_ONCE: u64 = 512;
/// Tasks that the events are about.
const TASKS: u64 = 20_000;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().map_or_else(|| PathBuf::from("target/moving"), PathBuf::from);
    let events: u64 = arguments.next().map_or(Ok(1_000_000), |number| number.parse())?;
    let source = folder.join("source");
    fill(&source, events).await?;

    let path = folder.join("export");
    let (start, mut memory) = (Instant::now(), 0);
    let from = Location::from(source.as_path());
    let exported = export(ExportOptions::new(from, &path), |_| memory = memory.max(resident())).await?;
    say("exported", exported.head, start, memory);

    let homes = [Location::Folder(folder.join("home"))].into_iter();
    for home in homes.chain(arguments.next().map(Location::Postgres)) {
        let (start, mut memory) = (Instant::now(), 0);
        let options = LoadOptions::new(&path, home.clone());
        let loaded = load(options, |_| memory = memory.max(resident())).await?;
        say(&format!("loaded into {home}"), loaded.head, start, memory);
    }
    Ok(())
}

async fn fill(folder: &Path, events: u64) -> Result<(), Box<dyn std::error::Error>> {
    let log = Log::open(LogOptions::new(folder)).await?;
    let start = Instant::now();
    let mut number = log.head().await? / EACH;
    while number < events / EACH {
        let appends = (number..number + AT_ONCE).map(|number| log.append(append(number)));
        for answer in futures::future::join_all(appends).await {
            answer?;
        }
        number += AT_ONCE;
    }
    say("filled", log.head().await?, start, resident());
    log.close().await;
    Ok(())
}

fn append(number: u64) -> Append {
    let ids = SystemIds;
    let task = number.wrapping_mul(7919) % TASKS;
    let event = |index: u64| NewEvent {
        id: ids.event(),
        nonce: ids.nonce(),
        event_type: "test.happened.v1".into(),
        effective_on: Date::constant(2026, 3, 2),
        tags: vec![Tag::stored(format!("duty:agency-{}", number % 29)), Tag::stored(format!("task:{task}"))],
        body: format!("{{\"event\":{{\"index\":{index},\"text\":\"{}\"}}}}", "督".repeat(90))
            .into_bytes()
            .into(),
    };
    let request_id = ids.identity();
    Append {
        origin: Origin {
            caller: Caller {
                principal: PrincipalId::parse("supervisor-1").unwrap_or_else(|| unreachable!("a literal")),
                role: Role::Supervisor,
                agency: None,
            },
            request_id,
            correlation: request_id,
            causation: None,
            trace_id: None,
        },
        fingerprint: [0; 32],
        events: (0..EACH).map(event).collect(),
        condition: Condition::default(),
        read_at: 0,
    }
}

fn say(what: &str, events: u64, start: Instant, memory: u64) {
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{what}: {events} events in {seconds:.1} s, {:.0} a second, {memory} MiB",
        events as f64 / seconds
    );
}

/// The resident memory of this process in MiB, where the system tells.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or_default() / 1024
}
