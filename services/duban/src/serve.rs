//! `duban serve`: the services on a log in a folder, until told to stop.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use duban_tree::{Grounds, Witnesses};
use tonic::transport::Endpoint;

use crate::args::{DEFAULT_LISTEN, ImportArgs, LogFormat, ServeArgs};
use crate::client::Client;
use crate::ending::Ending;
use crate::failure::{Exit, Failure, chain};
use crate::i18n::messages;
use crate::import::{self, Throwaway};
use crate::output::Printer;
use crate::server::{Running, Settings, StartError, start};
use crate::telemetry;
use crate::witness::circle;

/// How long one command of the demo's import may take.
const IMPORT_TIMEOUT: Duration = Duration::from_secs(30);

/// Serves until SIGTERM or SIGINT, then drains.
pub(crate) async fn run(args: ServeArgs, printer: &mut Printer) -> Result<(), Failure> {
    let telemetry = telemetry::set_up(args.log_format, args.otlp_endpoint.as_deref())
        .map_err(|error| Failure::Usage(format!("--otlp-endpoint: {error}")))?;
    let ending = Ending::watch(args.drain_within())?;
    let ended = Box::pin(serve(&args, &ending, printer)).await;
    ending.stage.is("the last traces");
    telemetry.shut_down();
    // Threads that block are waited for after this.
    ending.stage.is("threads at work");
    ended.map_err(|failure| match args.log_format {
        LogFormat::Text => failure,
        // Whoever reads objects reads nothing else.
        LogFormat::Json => {
            tracing::error!(%failure, "the server ends");
            Failure::Logged(failure.exit())
        }
    })
}

async fn serve(args: &ServeArgs, ending: &Ending, printer: &mut Printer) -> Result<(), Failure> {
    let settings = Settings {
        services: args.services(),
        listen: args.listen,
        admin: args.admin.address(),
        insecure: args.insecure,
        drain_within: args.drain_within(),
        stage: ending.stage.clone(),
        trees: grounds(args)?,
        ..Settings::at(args.log.location())
    };
    let Some(started) = ending.told.run_until_cancelled(Box::pin(start(settings))).await else {
        tracing::info!("told to stop before it had started");
        return Ok(());
    };
    let running = started.map_err(cannot_start)?;
    tracing::info!(address = %running.address, services = ?args.services(), "listening; callers are believed on their word");
    let shown = match ending.told.run_until_cancelled(Box::pin(demo(args, &running, printer))).await {
        Some(Ok(())) => {
            ending.told.cancelled().await;
            Ok(())
        }
        Some(failed) => failed,
        None => Ok(()),
    };
    tracing::info!("draining");
    running.stop();
    let ended = running.ended().await.map_err(|error| Failure::other(chain(&error)));
    shown.and(ended)
}

/// Where the trees are, and who witnesses them.
fn grounds(args: &ServeArgs) -> Result<Option<Grounds>, Failure> {
    let witnesses = circle(&args.circle)?.map(|circle| Arc::new(circle) as Arc<dyn Witnesses>);
    match args.tree.grounds(&args.log) {
        Some(grounds) => Ok(Some(Grounds { witnesses, ..grounds })),
        None if witnesses.is_some() => {
            Err(Failure::Usage("--witness: no tree is kept here that could be witnessed".to_owned()))
        }
        None => Ok(None),
    }
}

/// With `--demo`, imports every seed of the folder, then says where it listens and what to try.
async fn demo(args: &ServeArgs, running: &Running, printer: &mut Printer) -> Result<(), Failure> {
    if !args.demo {
        return Ok(());
    }
    let client = Client::within(channel(running.address)?, IMPORT_TIMEOUT);
    for seed in folders(&args.seeds)? {
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
    let running =
        start(Settings { trees: None, ..Settings::new(folder.path()) }).await.map_err(cannot_start)?;
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

fn cannot_start(error: StartError) -> Failure {
    match error {
        StartError::Open(error) => error.into(),
        StartError::View(_) => Failure::Other { exit: Exit::Unavailable, message: chain(&error) },
        StartError::Serve(_) | StartError::Tree(_) => {
            Failure::Other { exit: Exit::Usage, message: chain(&error) }
        }
    }
}
