//! `duban verify --watch`: what a running server publishes, against what it published before.

use std::path::Path;
use std::time::Duration;

use duban_merkle::Algorithm;
use duban_tree::verification::{Presented, Trust};
use duban_tree::watch::{Seen, Watch, WatchError};
use serde_json::json;

use super::input::{keys, read};
use crate::args::VerifyArgs;
use crate::failure::{Exit, Failure};
use crate::i18n::messages;
use crate::output::Printer;

/// Looks until something is wrong, or once.
pub(super) async fn run(url: &str, args: &VerifyArgs, printer: &mut Printer) -> Result<(), Failure> {
    let Some(state) = &args.state else { return Err(Failure::Usage("--state is missing".to_owned())) };
    let algorithm = if args.sm { Algorithm::Sm3 } else { Algorithm::Sha256 };
    let trust = Trust {
        keys: keys(&args.key, "--key")?,
        witnesses: keys(&args.witness, "--witness")?,
        quorum: args.quorum,
        untold: false,
        ended: Vec::new(),
    };
    if trust.keys.is_empty() {
        return Err(Failure::Usage("--key: whose signature counts must be said".to_owned()));
    }
    let kept = match (state.is_file(), args.kept.first()) {
        (true, _) => Some(state),
        (false, kept) => kept,
    };
    let kept = kept.map(|file| presented(file)).transpose()?;
    let mut watch = Watch::new(url, algorithm, trust, kept);
    loop {
        match watch.look().await {
            Ok(seen) => {
                keep(state, &seen)?;
                tell(url, &seen, printer)?;
            }
            // Who watches for ever asks again.
            Err(WatchError::Away(why)) if !args.once => printer.note(&why)?,
            Err(error) => return Err(failed(url, error, printer)),
        }
        if args.once {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_secs(args.every)).await;
    }
}

fn presented(file: &Path) -> Result<Presented, Failure> {
    Ok(Presented { name: file.display().to_string(), bytes: read(file)?, kept: true })
}

/// Keeps the checkpoint: whole, or the one before.
fn keep(state: &Path, seen: &Seen) -> Result<(), Failure> {
    let part = state.with_extension("new");
    let written = std::fs::write(&part, seen.verified.note().to_string());
    let kept = written.and_then(|()| std::fs::rename(&part, state));
    kept.map_err(|error| Failure::other(format!("{}: {error}", state.display())))
}

fn tell(url: &str, seen: &Seen, printer: &mut Printer) -> Result<(), Failure> {
    let (lang, head) = (printer.lang(), seen.verified.head());
    let said = match seen.before {
        None => messages::WATCHED_FIRST.with(lang, &[&url, &head.size]),
        Some(before) if before.size == head.size => messages::WATCHED_SAME.with(lang, &[&url, &head.size]),
        Some(before) => messages::WATCHED_GROWN.with(lang, &[&url, &head.size, &before.size, &seen.leaves]),
    };
    let outcome = json!({
        "origin": seen.verified.checkpoint().origin(),
        "size": head.size,
        "root": head.root.to_string(),
        "before": seen.before.map(|before| before.size),
        "leaves": seen.leaves,
        "witnesses": seen.verified.witnesses().len(),
    });
    printer.outcome(&said, &outcome)
}

fn failed(url: &str, error: WatchError, printer: &Printer) -> Failure {
    match error {
        WatchError::Away(message) => Failure::Other { exit: Exit::Unavailable, message },
        WatchError::Broken(why) => {
            let message = messages::WATCH_BROKEN.with(printer.lang(), &[&url, &why]);
            Failure::Other { exit: Exit::Unverified, message }
        }
    }
}
