//! One client, one durable conditional command after the other, with all views following: against the sum of
//! what can't be spared, a sync of the disk and a call over gRPC.

use std::time::Duration;

use bytes::Bytes;
use prost::Message as _;

use crate::Result;
use crate::args::Args;
use crate::cost::cpu;
use crate::disk::Disk;
use crate::echo;
use crate::load::{Commander, Mix, Shouter, calls};
use crate::log::kept;
use crate::place::{Place, scratch};
use crate::rows::{Rows, scan};
use crate::samples::{Samples, median};
use crate::server::Server;
use crate::table::{Figure, Goal, Table};

/// Turns for each round asked for.
const TURNS: usize = 4;

/// What was measured in one way, turn by turn.
#[derive(Default)]
struct Turns(Vec<Samples>);

impl Turns {
    fn all(&self) -> Samples {
        let mut all = Samples::default();
        self.0.iter().cloned().for_each(|samples| all.extend(samples));
        all
    }
}

/// Measures it.
pub async fn run(args: &Args, table: &mut Table) -> Result<()> {
    let log = kept(args.engine, args.busy_size()).await?;
    let (place, folder, beside) = (log.place.copy().await?, scratch()?, Place::empty(args.engine).await?);
    let row = scan(&log.place).await?.row;
    let server = Server::start(&place).await?;
    let mut commander = Commander::new(&server.channel()?, log.province, Mix::Unrelated, (0, 1))?;
    let (request, reply) = commander.send().await?;
    let echo = echo::Process::start(reply.encoded_len()).await?;
    let mut shouter = Shouter::new(&echo, 0, &Bytes::from(request.encode_to_vec()))?;
    let (mut disk, mut rows) = (Disk::in_folder(folder.path())?, Rows::beside(&beside, row).await?);
    calls(&mut commander, args.calls).await?;
    calls(&mut shouter, args.calls).await?;

    let (mut syncs, mut inserts, mut echoes, mut commands) =
        (Turns::default(), Turns::default(), Turns::default(), Turns::default());
    let mut used = Duration::ZERO;
    for _ in 0..args.rounds * TURNS {
        syncs.0.push(disk.sync(args.calls)?);
        echoes.0.push(calls(&mut shouter, args.calls).await?);
        inserts.0.push(rows.one_by_one(args.calls).await?);
        let before = cpu(server.id)?;
        commands.0.push(calls(&mut commander, args.calls).await?);
        server.caught_up().await?;
        used += cpu(server.id)?.saturating_sub(before);
    }
    server.stop().await?;
    told(table, &syncs, &echoes, &inserts, &commands);
    let each = used / u32::try_from(commands.all().len())?;
    table.figure("one client: processor time of the server for a command", Figure::Time(each), Goal::None);
    Ok(())
}

fn told(table: &mut Table, syncs: &Turns, echoes: &Turns, inserts: &Turns, commands: &Turns) {
    let (sync, echo, insert, command) = (syncs.all(), echoes.all(), inserts.all(), commands.all());
    table.figure("one client: fdatasync after 4 KiB, p50", Figure::Time(sync.p50()), Goal::None);
    table.figure("one client: bare tonic echo, p50", Figure::Time(echo.p50()), Goal::None);
    // Turn by turn, so that a slow spell of the disk weighs on both sides.
    let turns = syncs.0.iter().zip(&echoes.0).zip(&commands.0);
    let ratio = median(turns.map(|((sync, echo), command)| {
        command.p50().as_secs_f64() / (sync.p50() + echo.p50()).as_secs_f64()
    }));
    table.ratio_of(
        "one client: durable command, p50",
        Figure::Time(command.p50()),
        "fdatasync + echo, p50",
        Figure::Time(sync.p50() + echo.p50()),
        ratio,
        Goal::AtMost(1.3),
    );
    table.ratio(
        "one client: durable command, p99",
        Figure::Time(command.p99()),
        "fdatasync + echo, p99",
        Figure::Time(sync.p99() + echo.p99()),
        Goal::None,
    );
    table.ratio(
        "one client: durable command, p50",
        Figure::Time(command.p50()),
        "bare INSERT, p50",
        Figure::Time(insert.p50()),
        Goal::None,
    );
}
