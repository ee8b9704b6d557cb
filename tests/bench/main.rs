//! How fast it is: `cargo bench`, or `cargo bench -- --help` for what may be chosen.
//!
//! The real server runs in a process of its own and is spoken to over gRPC. Next to each figure stands a baseline
//! that was measured in the same run, in turns with it, so that a busy machine slows both: what counts is their
//! ratio. Nothing here is asserted: `cargo test` only plays it through on a few events, so that it can't rot.

#![allow(unreachable_pub, reason = "what the modules of one program share is public among them")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it is there to print figures")]
#![allow(clippy::cast_precision_loss, reason = "figures are rounded when they are printed anyway")]

mod args;
mod cost;
mod disk;
mod echo;
mod load;
mod log;
mod parts;
mod place;
mod rows;
mod samples;
mod server;
mod table;

use std::error::Error;
use std::process::ExitCode;

use self::args::{Args, Part};
use self::table::Table;

/// Views are built in this process, as in the server.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The binary.
pub const DUBAN: &str = env!("CARGO_BIN_EXE_duban");

/// Whatever goes wrong ends the run.
pub type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

#[tokio::main]
async fn main() -> ExitCode {
    let Some(args) = Args::typed() else { return ExitCode::SUCCESS };
    match run(args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the benchmark ended: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> Result<()> {
    if let Some(reply) = args.echo {
        return echo::serve(reply).await;
    }
    let mut table = Table::default();
    for part in args.parts() {
        eprintln!("{part:?}");
        match part {
            Part::Latency => parts::latency::run(&args, &mut table).await?,
            Part::Throughput => parts::throughput::run(&args, &mut table).await?,
            Part::Bulk => parts::bulk::run(&args, &mut table).await?,
            Part::Audit => parts::audit::run(&args, &mut table).await?,
            Part::Queries => parts::queries::run(&args, &mut table).await?,
            Part::Memory => parts::memory::run(&args, &mut table).await?,
            Part::Proof => parts::proof::run(&args, &mut table).await?,
        }
    }
    println!("{table}");
    Ok(())
}
