//! What a server needs to stand there: resident memory and time to start, on logs of several sizes.

use std::time::Instant;

use duban_proto::tasks::v1::GetTaskResponsibilityRequest;
use duban_proto::tasks::v1::responsibility_service_client::ResponsibilityServiceClient;

use crate::Result;
use crate::args::Args;
use crate::cost::memory;
use crate::load::{Commander, Mix, Who, calls};
use crate::log::story::task;
use crate::log::{Kept, kept};
use crate::server::Server;
use crate::table::{Figure, Goal, Table};

/// Turns of commands and of queries before the memory is read, all over the log.
const TURNS: usize = 10;

/// Measures it.
pub async fn run(args: &Args, table: &mut Table) -> Result<()> {
    let mut smallest = None;
    for size in args.sizes() {
        let log = kept(args.engine, size).await?;
        let calls = args.calls * TURNS;
        let (started, idle, used) = one(&log, calls).await?;
        let name = |what: &str| format!("{size} events: {what}");
        let goal = if size >= 1_000_000 { Goal::AtMost(1.0) } else { Goal::None };
        table.figure(&name("start, until the first answer at the head"), started, goal);
        table.figure(&name("resident memory right after"), idle, Goal::None);
        let used_said = name(&format!("resident memory after {calls} commands and queries"));
        match smallest {
            None => table.figure(&used_said, used, Goal::None),
            Some((least, base)) => {
                let baseline = format!("the same with {least} events");
                table.ratio(&used_said, used, &baseline, base, Goal::AtMost(1.5));
            }
        }
        smallest = smallest.or(Some((size, used)));
    }
    Ok(())
}

/// How long until the first answer, the memory then, and the memory after some work.
async fn one(log: &Kept, times: usize) -> Result<(Figure, Figure, Figure)> {
    let place = log.place.copy().await?;
    let start = Instant::now();
    let server = Server::start(&place).await?;
    server.caught_up().await?;
    let started = start.elapsed();
    let idle = memory(server.id)?;
    let mut commander = Commander::new(&server.channel()?, log.province, Mix::Unrelated, (0, 1))?;
    calls(&mut commander, times).await?;
    let mut client = ResponsibilityServiceClient::new(Who::supervisor(0)?.on(&server.channel()?));
    for number in 0..times as u64 {
        let task = format!("tasks/{}", task(number * 7919 % log.province.tasks));
        client.get_task_responsibility(GetTaskResponsibilityRequest { task, ..Default::default() }).await?;
    }
    let used = memory(server.id)?;
    server.stop().await?;
    Ok((Figure::Time(started), Figure::Bytes(idle), Figure::Bytes(used)))
}
