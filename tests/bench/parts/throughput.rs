//! Many clients at once: commands on unrelated tasks against an echo, and nine in ten of one busy agency against
//! unrelated ones. All views follow; how long they lag behind at the end of a stretch is told too.

use std::time::Duration;

use bytes::Bytes;
use prost::Message as _;

use crate::Result;
use crate::args::Args;
use crate::cost::cpu;
use crate::echo;
use crate::load::{Caller, Commander, Mix, Shouter, Stretch, stretch};
use crate::log::kept;
use crate::log::story::Province;
use crate::place::Engine;
use crate::samples::{Samples, median};
use crate::server::Server;
use crate::table::{Figure, Goal, Table};

/// How much shorter than a stretch its warming up is.
const WARM: u32 = 4;

/// What was measured in one way, stretch by stretch.
#[derive(Default)]
struct Measured {
    rates: Vec<f64>,
    samples: Samples,
    server: Duration,
    clients: Duration,
    lags: Vec<f64>,
}

impl Measured {
    fn rate(&self) -> f64 {
        median(self.rates.iter().copied())
    }

    /// The median of the ratios to what was measured in the same round.
    fn to(&self, other: &Measured) -> f64 {
        median(self.rates.iter().zip(&other.rates).map(|(mine, theirs)| mine / theirs))
    }

    fn each(&self, time: Duration) -> Duration {
        time / u32::try_from(self.samples.len().max(1)).unwrap_or(u32::MAX)
    }

    fn told(&self, table: &mut Table, what: &str) {
        let figure = |name: &str, time| (format!("{what}: {name}"), Figure::Time(time));
        let lag = Duration::from_secs_f64(median(self.lags.iter().copied()));
        let rows = [
            figure("latency, p50", self.samples.p50()),
            figure("latency, p99", self.samples.p99()),
            figure("processor time of the server for a call", self.each(self.server)),
            figure("processor time of the clients for a call", self.each(self.clients)),
            figure("until the views had caught up after the last", lag),
        ];
        for (name, seen) in rows {
            if seen.is_something() {
                table.figure(&name, seen, Goal::None);
            }
        }
    }
}

/// A stretch of load on a process.
async fn measure<C: Caller + 'static>(
    callers: &mut Vec<C>,
    lasting: Duration,
    process: u32,
    to: &mut Measured,
) -> Result<()> {
    let us = std::process::id();
    let before = (cpu(process)?, cpu(us)?);
    let stretch: Stretch = stretch(callers, lasting).await?;
    to.clients += cpu(us)?.saturating_sub(before.1);
    to.server += cpu(process)?.saturating_sub(before.0);
    to.rates.push(stretch.rate());
    to.samples.extend(stretch.samples);
    Ok(())
}

fn commanders(server: &Server, province: Province, mix: Mix, clients: usize) -> Result<Vec<Commander>> {
    (0..clients).map(|number| Commander::new(&server.channel()?, province, mix, (number, clients))).collect()
}

/// Measures it.
pub async fn run(args: &Args, table: &mut Table) -> Result<()> {
    let log = kept(args.engine, args.busy_size()).await?;
    let place = log.place.copy().await?;
    let server = Server::start(&place).await?;
    let mut unrelated = commanders(&server, log.province, Mix::Unrelated, args.clients)?;
    let mut busy = commanders(&server, log.province, Mix::Busy, args.clients)?;
    let (request, reply) = unrelated[0].send().await?;
    let echo = echo::Process::start(reply.encoded_len()).await?;
    let message = Bytes::from(request.encode_to_vec());
    let shouters = (0..args.clients).map(|number| Shouter::new(&echo, number, &message));
    let mut shouters: Vec<Shouter> = shouters.collect::<Result<_>>()?;

    let warm = args.stretch() / WARM;
    stretch(&mut shouters, warm).await?;
    stretch(&mut unrelated, warm).await?;
    stretch(&mut busy, warm).await?;
    server.caught_up().await?;
    let (mut echoed, mut alike, mut crowded) =
        (Measured::default(), Measured::default(), Measured::default());
    for _ in 0..args.rounds {
        if !args.profile {
            measure(&mut shouters, args.stretch(), echo.id, &mut echoed).await?;
        }
        for (mix, to) in [(&mut unrelated, &mut alike), (&mut busy, &mut crowded)] {
            let before = cpu(server.id)?;
            measure(mix, args.stretch(), server.id, to).await?;
            let during = cpu(server.id)?.saturating_sub(before);
            to.lags.push(server.caught_up().await?.as_secs_f64());
            // What the views still had to do belongs to the commands.
            to.server += cpu(server.id)?.saturating_sub(before + during);
        }
    }
    server.stop().await?;
    told(table, args, &echoed, &alike, &crowded);
    Ok(())
}

fn told(table: &mut Table, args: &Args, echoed: &Measured, alike: &Measured, crowded: &Measured) {
    let name = |what: &str| format!("{} clients: {what}", args.clients);
    let goal = match args.engine {
        Engine::Sqlite => 0.5,
        Engine::Postgres => 0.25,
    };
    table.ratio_of(
        &name("unrelated commands"),
        Figure::Rate(alike.rate()),
        "bare tonic echo",
        Figure::Rate(echoed.rate()),
        alike.to(echoed),
        Goal::AtLeast(goal),
    );
    table.ratio_of(
        &name("nine in ten of one agency"),
        Figure::Rate(crowded.rate()),
        "unrelated commands",
        Figure::Rate(alike.rate()),
        crowded.to(alike),
        Goal::AtLeast(0.5),
    );
    echoed.told(table, &name("echo"));
    alike.told(table, &name("unrelated"));
    crowded.told(table, &name("one agency"));
}
