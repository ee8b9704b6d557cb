//! What the audit tree costs those who append, and how fast it proves that an event is in it.

use std::path::Path;
use std::time::{Duration, Instant};

use duban_log::Location;
use duban_proto::audit::v1::ProveInclusionRequest;
use duban_proto::audit::v1::proof_service_client::ProofServiceClient;
use duban_tree::Grove;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::Result;
use crate::args::Args;
use crate::cost::cpu;
use crate::load::{Commander, Mix, Who, stretch};
use crate::log::{Kept, kept};
use crate::place::Engine;
use crate::samples::{Samples, median};
use crate::server::Server;
use crate::table::{Figure, Goal, Table};

/// How long a tree may take to be built.
const PATIENCE: Duration = Duration::from_mins(10);

/// Measures it.
pub async fn run(args: &Args, table: &mut Table) -> Result<()> {
    let log = kept(args.engine, args.busy_size()).await?;
    appends(table, args, &log).await?;
    if args.engine == Engine::Sqlite && !args.profile {
        for size in args.sizes() {
            let log = kept(args.engine, size).await?;
            proofs(table, args, &log).await?;
        }
    }
    Ok(())
}

/// The same load with the tree builder and without, in turns.
async fn appends(table: &mut Table, args: &Args, log: &Kept) -> Result<()> {
    let (with, without) = (log.place.copy().await?, log.place.copy().await?);
    let folder = crate::place::scratch()?;
    let on = Server::start_with(&with, &tree(folder.path())).await?;
    let off = Server::start_with(&without, &["--tree".to_owned(), "off".to_owned()]).await?;
    covered(&on, log.province.events).await?;
    let commanders = |server: &Server| -> Result<Vec<Commander>> {
        let each =
            |number| Commander::new(&server.channel()?, log.province, Mix::Unrelated, (number, args.clients));
        (0..args.clients).map(each).collect()
    };
    let (mut with, mut without) = (commanders(&on)?, commanders(&off)?);
    stretch(&mut with, args.stretch() / 4).await?;
    stretch(&mut without, args.stretch() / 4).await?;
    let (mut rates, mut costs) = (Vec::new(), (Duration::ZERO, Duration::ZERO));
    let mut counts = (0, 0);
    for round in 0..args.rounds {
        // Who begins takes turns too: the disk and the views of the one still work when the other starts.
        let (mut seen_on, mut seen_off) = (0.0, 0.0);
        for first in [round % 2 == 0, round % 2 != 0] {
            let (server, callers) = if first { (&on, &mut with) } else { (&off, &mut without) };
            let before = cpu(server.id)?;
            let seen = stretch(callers, args.stretch()).await?;
            server.caught_up().await?;
            let cost = cpu(server.id)?.saturating_sub(before);
            if first {
                (seen_on, costs.0, counts.0) = (seen.rate(), costs.0 + cost, counts.0 + seen.samples.len());
            } else {
                (seen_off, costs.1, counts.1) = (seen.rate(), costs.1 + cost, counts.1 + seen.samples.len());
            }
        }
        rates.push((seen_on, seen_off));
    }
    on.stop().await?;
    off.stop().await?;
    let each = |cost: Duration, count: usize| cost / u32::try_from(count.max(1)).unwrap_or(u32::MAX);
    table.ratio_of(
        &format!("{} clients: appends with the tree builder", args.clients),
        Figure::Rate(median(rates.iter().map(|(on, _)| *on))),
        "without it",
        Figure::Rate(median(rates.iter().map(|(_, off)| *off))),
        median(rates.iter().map(|(on, off)| on / off)),
        Goal::AtLeast(0.9),
    );
    table.figure(
        "processor time of the server for a call, with it",
        Figure::Time(each(costs.0, counts.0)),
        Goal::None,
    );
    table.figure(
        "processor time of the server for a call, without",
        Figure::Time(each(costs.1, counts.1)),
        Goal::None,
    );
    Ok(())
}

/// Proofs of events anywhere in the log, in turns with a call that proves nothing.
async fn proofs(table: &mut Table, args: &Args, log: &Kept) -> Result<()> {
    let events = log.province.events;
    let (folder, place) = (crate::place::scratch()?, log.place.copy().await?);
    let start = Instant::now();
    let server = Server::start_with(&place, &tree(folder.path())).await?;
    covered(&server, events).await?;
    let built = start.elapsed();
    server.caught_up().await?;
    let channel = server.channel()?;
    let mut client = ProofServiceClient::new(Who::auditor()?.on(&channel));
    let mut health = HealthClient::new(channel);
    let (mut samples, mut nothing) = (Samples::default(), Samples::default());
    let calls = (args.calls * args.rounds) as u64;
    for call in 0..calls {
        let position = 1 + drawn(call, events);
        let asked = Instant::now();
        client.prove_inclusion(ProveInclusionRequest { position, ..Default::default() }).await?;
        samples.push(asked.elapsed());
        let asked = Instant::now();
        health.check(HealthCheckRequest::default()).await?;
        nothing.push(asked.elapsed());
    }
    server.stop().await?;
    let own = made(folder.path(), events, calls)?;
    let all = |what: &str| format!("{events} events: {what}");
    table.figure(&all("tree built from nothing, beside the views"), Figure::Time(built), Goal::None);
    for (part, share, goal) in [("p50", 0.5, Goal::None), ("p99", 0.99, Goal::AtMost(0.001))] {
        let what = all(&format!("inclusion proof read and checked, {part}"));
        table.figure(&what, Figure::Time(own.quantile(share)), goal);
        let (proof, call) = (samples.quantile(share), nothing.quantile(share));
        let what = all(&format!("inclusion proof over gRPC, {part}"));
        table.ratio(&what, Figure::Time(proof), "a call that does nothing", Figure::Time(call), Goal::None);
    }
    table.figure(&all("inclusion proof over gRPC, p99"), Figure::Time(samples.p99()), Goal::AtMost(0.001));
    Ok(())
}

/// Far from each other: as an auditor would draw them.
fn drawn(call: u64, events: u64) -> u64 {
    call.wrapping_mul(0x9E37_79B9_7F4A_7C15) % events
}

/// Proofs from the stored tree itself, without a server: read, and checked against the root.
fn made(folder: &Path, events: u64, calls: u64) -> Result<Samples> {
    let grove = Grove::at(&Location::Folder(folder.join("tree")))?;
    let name = grove.names()?.pop().ok_or("there is no tree")?;
    let store = grove.open(&name)?;
    let head = store.head(store.size()?)?;
    let mut samples = Samples::default();
    for call in 0..calls {
        let asked = Instant::now();
        store.inclusion(drawn(call, events), &head)?;
        samples.push(asked.elapsed());
    }
    Ok(samples)
}

/// The options that put the tree and its key into a folder.
fn tree(folder: &Path) -> Vec<String> {
    let below = |name: &str| folder.join(name).display().to_string();
    vec!["--tree".to_owned(), below("tree"), "--signer".to_owned(), below("signer")]
}

/// Waits until a checkpoint covers so many events.
async fn covered(server: &Server, events: u64) -> Result<()> {
    let start = Instant::now();
    let mut client = ProofServiceClient::new(Who::auditor()?.on(&server.channel()?));
    loop {
        match client.prove_inclusion(ProveInclusionRequest { position: events, ..Default::default() }).await {
            Ok(_) => return Ok(()),
            Err(status) if status.code() == Code::Unavailable && start.elapsed() < PATIENCE => {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Err(status) => return Err(status.into()),
        }
    }
}
