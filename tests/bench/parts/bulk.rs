//! Whole logs: written in bulk, read over gRPC, and replayed through all views; against bare rows in and out.

use std::time::Instant;

use duban_log::{Log, LogOptions};
use duban_proto::audit::v1::ReadRequest;
use duban_proto::audit::v1::audit_service_client::AuditServiceClient;

use crate::Result;
use crate::args::Args;
use crate::load::Who;
use crate::log::fill::{fill, follow};
use crate::log::story::Province;
use crate::log::{Kept, kept};
use crate::place::{Engine, Place};
use crate::rows::{Rows, scan};
use crate::samples::median;
use crate::server::Server;
use crate::table::{Figure, Goal, Table};

/// The largest log that is written anew in every run.
const WRITTEN_MAX: u64 = 100_000;

/// Measures it.
pub async fn run(args: &Args, table: &mut Table) -> Result<()> {
    for size in args.sizes() {
        let log = kept(args.engine, size).await?;
        if size <= WRITTEN_MAX {
            written(table, args.engine, &log).await?;
        }
        read(table, args, &log).await?;
    }
    Ok(())
}

fn rate(events: u64, seconds: f64) -> Figure {
    Figure::Rate(events as f64 / seconds)
}

/// Commands by the thousand, each an append with its receipt.
async fn written(table: &mut Table, engine: Engine, log: &Kept) -> Result<()> {
    let Province { events, .. } = log.province;
    let row = scan(&log.place).await?.row;
    let (place, beside) = (Place::empty(engine).await?, Place::empty(engine).await?);
    let (took, filled) = fill(&place, log.province).await?;
    filled.close().await;
    let bare = Rows::beside(&beside, row).await?.in_bulk(events).await?;
    table.ratio(
        &format!("{events} events: appended in bulk"),
        rate(events, took.as_secs_f64()),
        "bare INSERT in bulk",
        rate(events, bare.as_secs_f64()),
        Goal::None,
    );
    Ok(())
}

async fn read(table: &mut Table, args: &Args, log: &Kept) -> Result<()> {
    let Province { events, .. } = log.province;
    let (mut scans, mut reads, mut replays) = (Vec::new(), Vec::new(), Vec::new());
    let server = Server::start(&log.place).await?;
    // A large log takes its time: it is not read as often.
    let rounds = if events > WRITTEN_MAX { 1 } else { args.rounds };
    for _ in 0..rounds {
        scans.push(scan(&log.place).await?.took.as_secs_f64());
        reads.push(over_grpc(&server, events).await?);
    }
    server.stop().await?;
    for _ in 0..rounds.min(3) {
        scans.push(scan(&log.place).await?.took.as_secs_f64());
        replays.push(replayed(log).await?);
    }
    let (scanned, read, replayed) = (median(scans), median(reads), median(replays));
    let scanned = rate(events, scanned);
    let all = |what: &str| format!("{events} events: {what}");
    let read = rate(events, read);
    table.ratio(&all("read over gRPC"), read, "bare SELECT scan", scanned, Goal::AtLeast(0.5));
    let goal = if events >= 1_000_000 { Goal::AtMost(15.0) } else { Goal::None };
    let took = Figure::Time(std::time::Duration::from_secs_f64(replayed));
    table.figure(&all("all views built from nothing"), took, goal);
    let replayed = rate(events, replayed);
    table.ratio(
        &all("replayed through all views"),
        replayed,
        "bare SELECT scan",
        scanned,
        Goal::AtLeast(0.5),
    );
    Ok(())
}

/// The whole log to an auditor, in seconds.
async fn over_grpc(server: &Server, events: u64) -> Result<f64> {
    let who = Who::auditor()?;
    let mut client = AuditServiceClient::new(who.on(&server.channel()?));
    let start = Instant::now();
    let mut frames = client.read(ReadRequest::default()).await?.into_inner();
    let mut count = 0;
    while let Some(frame) = frames.message().await? {
        count += frame.events.len() as u64;
    }
    if count == events { Ok(start.elapsed().as_secs_f64()) } else { Err("events are missing".into()) }
}

/// Every view of every service built from an empty file, in this process, in seconds.
async fn replayed(log: &Kept) -> Result<f64> {
    let copy = log.place.copy_without_views().await?;
    let log = Log::open(LogOptions::at(copy.location())).await?;
    let (took, views) = follow(&log).await?;
    log.close().await;
    views.close().await;
    Ok(took.as_secs_f64())
}
