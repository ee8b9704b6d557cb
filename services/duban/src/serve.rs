//! `duban serve`: the services on a log in a folder, until told to stop.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tonic::transport::Endpoint;

use crate::args::{DEFAULT_LISTEN, ImportArgs, ServeArgs};
use crate::client::Client;
use crate::failure::{Exit, Failure, chain};
use crate::i18n::messages;
use crate::import::{self, Throwaway};
use crate::output::Printer;
use crate::server::{Running, Settings, StartError, start};
use crate::telemetry;

/// How long one command of the demo's import may take.
const IMPORT_TIMEOUT: Duration = Duration::from_secs(30);

/// Serves until SIGTERM or SIGINT, then drains.
pub(crate) async fn run(args: ServeArgs, printer: &mut Printer) -> Result<(), Failure> {
    let telemetry = telemetry::set_up(args.log_format, args.otlp_endpoint.as_deref())
        .map_err(|error| Failure::Usage(format!("--otlp-endpoint: {error}")))?;
    let settings = Settings {
        services: args.services(),
        listen: args.listen,
        insecure: args.insecure,
        ..Settings::at(args.log.location())
    };
    let running = start(settings).await.map_err(cannot_start)?;
    tracing::info!(address = %running.address, services = ?args.services(), "listening; callers are believed on their word");
    let stop = stop_signal()?;
    if args.demo {
        demo(&args.seeds, &running, printer).await?;
    }
    stop.await;
    tracing::info!("draining");
    running.stop();
    let ended = running.ended().await;
    telemetry.shut_down();
    ended.map_err(|error| Failure::other(chain(&error)))
}

/// Imports every seed of the folder, then says where it listens and what to try.
async fn demo(seeds: &Path, running: &Running, printer: &mut Printer) -> Result<(), Failure> {
    let client = Client::within(channel(running.address)?, IMPORT_TIMEOUT);
    for seed in folders(seeds)? {
        import::run(&ImportArgs { seed, dry_run: false }, &client, throwaway(), printer).await?;
    }
    let address = running.address;
    // Where clients look by themselves they needn't be told.
    let server = if address.to_string() == DEFAULT_LISTEN {
        String::new()
    } else {
        format!(" --server http://{address}")
    };
    printer.say(&messages::DEMO.with(printer.lang(), &[&address, &server, &server, &server]))?;
    printer.flush()
}

/// The seeds below a folder, in order of name.
fn folders(seeds: &Path) -> Result<Vec<std::path::PathBuf>, Failure> {
    let unreadable = |error: std::io::Error| Failure::Usage(format!("--seeds {}: {error}", seeds.display()));
    let entries = std::fs::read_dir(seeds).map_err(unreadable)?;
    let paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>();
    let mut found = paths.map_err(unreadable)?;
    found.retain(|path| path.join("seed.toml").is_file());
    found.sort();
    Ok(found)
}

/// All services on a log in a temporary folder, gone when it has ended.
pub(crate) async fn throwaway() -> Result<Throwaway, Failure> {
    let folder =
        tempfile::tempdir().map_err(|error| Failure::other(format!("no temporary folder: {error}")))?;
    let running = start(Settings::new(folder.path())).await.map_err(cannot_start)?;
    let channel = channel(running.address)?;
    let end = Box::pin(async move {
        running.stop();
        // What it says at its end is of no use: its log is thrown away.
        running.ended().await.ok();
        drop(folder);
    });
    Ok(Throwaway { channel, end })
}

fn channel(address: SocketAddr) -> Result<tonic::transport::Channel, Failure> {
    let endpoint = Endpoint::from_shared(format!("http://{address}"));
    endpoint.map(|endpoint| endpoint.connect_lazy()).map_err(|error| Failure::other(error.to_string()))
}

/// Done when the process is told to stop. Set up before anything is promised.
fn stop_signal() -> Result<impl Future<Output = ()>, Failure> {
    let listen = |kind| signal(kind).map_err(|error| Failure::other(format!("no signals: {error}")));
    let (mut terminate, mut interrupt) = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

fn cannot_start(error: StartError) -> Failure {
    match error {
        StartError::Open(error) => error.into(),
        StartError::View(_) => Failure::Other { exit: Exit::Unavailable, message: chain(&error) },
        StartError::Serve(_) => Failure::Other { exit: Exit::Usage, message: chain(&error) },
    }
}
