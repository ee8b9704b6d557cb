//! How fast the log takes appends on this machine: `cargo run --release --example throughput [folder]`.
//!
//! Each append has one event of about 300 bytes under two tags, and a condition on one of them. Prints the
//! latency of one client and the rate of many, beside the bare rate of `fdatasync` on the same disk.

#![allow(clippy::print_stdout, clippy::cast_precision_loss, reason = "it is there to print figures")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use duban_domain::agency::{AgencyCommand, AgencyKind};
use duban_domain::caller::{Caller, PrincipalId, Role};
use duban_domain::command::Context;
use duban_domain::name::AgencyId;
use duban_domain::text::Line;
use duban_domain::{Tag, Timestamp};
use duban_log::{
    Append, AppendError, Clock, Condition, ExecuteError, Ids, Log, LogOptions, NewEvent, Origin, Request,
    SystemClock, SystemIds,
};

const CLIENTS: [usize; 3] = [1, 64, 256];
const LASTING: Duration = Duration::from_secs(5);

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args().nth(1).map_or_else(|| PathBuf::from("target/throughput"), PathBuf::from);
    println!("fdatasync: {:.0} µs", fdatasync(&folder)?.as_secs_f64() * 1e6);
    let log = Log::open(LogOptions::new(&folder)).await?;
    for clients in CLIENTS {
        let (start, cpu) = (Instant::now(), cpu_time());
        let tasks: Vec<_> = (0..clients).map(|client| tokio::spawn(client_of(log.clone(), client))).collect();
        let mut all = Vec::new();
        for task in tasks {
            all.extend(task.await??);
        }
        all.sort_unstable();
        let rate = all.len() as f64 / start.elapsed().as_secs_f64();
        let at = |share: usize| all[(all.len() - 1) * share / 100].as_secs_f64() * 1e6;
        let cpu = cpu_since(cpu).as_secs_f64() * 1e6 / all.len() as f64;
        let (p50, p99) = (at(50), at(99));
        println!(
            "{clients} clients: {rate:.0} appends/s, p50 {p50:.0} µs, p99 {p99:.0} µs, CPU {cpu:.0} µs each"
        );
    }
    println!("and with a real command, decided on a folded subject:");
    for clients in CLIENTS {
        let (start, cpu) = (Instant::now(), cpu_time());
        let tasks: Vec<_> = (0..clients).map(|_| tokio::spawn(commander(log.clone()))).collect();
        let mut done = 0;
        for task in tasks {
            done += task.await??;
        }
        let rate = f64::from(done) / start.elapsed().as_secs_f64();
        let cpu = cpu_since(cpu).as_secs_f64() * 1e6 / f64::from(done);
        println!("{clients} clients: {rate:.0} commands/s, CPU {cpu:.0} µs each");
    }
    let (start, cpu) = (Instant::now(), cpu_time());
    let (mut after, mut bytes) = (0, 0);
    loop {
        let page = log.read(after, usize::MAX).await?;
        if page.events.is_empty() {
            break;
        }
        bytes += page.events.iter().map(|event| event.body.len()).sum::<usize>();
        after = page.through;
    }
    let rate = after as f64 / start.elapsed().as_secs_f64();
    let cpu = cpu_since(cpu).as_secs_f64() * 1e6 / after as f64;
    println!("read {after} events ({bytes} bytes): {rate:.0} events/s, CPU {cpu:.1} µs each");
    log.close().await;
    Ok(())
}

fn fdatasync(folder: &Path) -> std::io::Result<Duration> {
    std::fs::create_dir_all(folder)?;
    let mut file = std::fs::File::create(folder.join("fdatasync"))?;
    let start = Instant::now();
    for _ in 0..1000 {
        file.write_all(&[0; 4096])?;
        file.sync_data()?;
    }
    Ok(start.elapsed() / 1000)
}

/// What the process has used of all cores, where Linux tells: steadier than the clock on a busy machine.
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: u64 = fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

fn cpu_since(start: Duration) -> Duration {
    cpu_time().saturating_sub(start)
}

async fn client_of(log: Log, client: usize) -> Result<Vec<Duration>, AppendError> {
    let mut latencies = Vec::new();
    let start: Timestamp = SystemClock.now();
    let mut last = 0;
    while SystemClock.now().duration_since(start).unsigned_abs() < LASTING {
        let tag = Tag::stored(format!("task:{}-{client}", start.as_microsecond()));
        let append = append_of(client, tag, last);
        let sent = Instant::now();
        last = log.append(append).await?.receipt().last;
        latencies.push(sent.elapsed());
    }
    Ok(latencies)
}

/// Registers agencies, and gives each some aliases.
async fn commander(log: Log) -> Result<u32, ExecuteError> {
    const ALIASES: u32 = 20;
    let start: Timestamp = SystemClock.now();
    let mut done = 0;
    while SystemClock.now().duration_since(start).unsigned_abs() < LASTING {
        let unique = SystemIds.identity().to_string();
        let agency = AgencyId::from_id(&unique).expect("a uuid is an id");
        let full_name = Line::parse(&unique).expect("a plain word");
        let register = AgencyCommand::Register {
            agency: Some(agency.clone()),
            full_name,
            kind: AgencyKind::ConstituentDepartment,
            division_code: None,
            superior: None,
            credit_code: None,
            aliases: vec![],
        };
        log.execute(&request(), register).await?;
        for number in 0..ALIASES {
            let alias = Line::parse(&format!("{unique} {number}")).expect("a plain word");
            log.execute(&request(), AgencyCommand::AddAlias { agency: agency.clone(), alias }).await?;
        }
        done += 1 + ALIASES;
    }
    Ok(done)
}

fn request() -> Request {
    let principal = PrincipalId::parse("bench").expect("a plain word");
    Request {
        caller: Caller { principal, role: Role::Supervisor, agency: None },
        request_id: SystemIds.event(),
        context: Context::default(),
        effective_on: None,
        etag: None,
        validate_only: false,
        rpc: "bench",
        correlation: None,
        causation: None,
        trace_id: None,
    }
}

fn append_of(client: usize, tag: Tag, last: u64) -> Append {
    let principal = PrincipalId::parse("bench").expect("a plain word");
    let request_id = SystemIds.event();
    let body = format!(r#"{{"event":{{"type":"task.measured.v1","data":"{}"}}}}"#, "x".repeat(250));
    Append {
        origin: Origin {
            caller: Caller { principal, role: Role::Supervisor, agency: None },
            request_id,
            correlation: request_id,
            causation: None,
            trace_id: None,
        },
        fingerprint: [0; 32],
        events: vec![NewEvent {
            id: SystemIds.event(),
            nonce: SystemIds.nonce(),
            event_type: "task.measured.v1".into(),
            effective_on: duban_domain::time::DATE_MIN,
            tags: vec![Tag::stored(format!("duty:{}", client % 29)), tag.clone()],
            body: body.into_bytes().into(),
        }],
        condition: Condition::at([tag], last),
        read_at: last,
    }
}
