//! `duban verify`: a log verified offline against what was signed, with a report that an auditor can file.

mod handovers;
mod input;
mod text;
mod watch;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use duban_log::{Archive, Held, SystemClock};
use duban_merkle::Algorithm;
use duban_tree::verification::{
    Claimed, Phase, Presented, Progress, Trust, Verification, VerifyError, verify,
};
use serde_json::Value;

use crate::args::{Service, VerifyArgs, given, is_off};
use crate::failure::{Exit, Failure, chain};
use crate::i18n::{Lang, messages, verification};
use crate::moving::Bar;
use crate::output::Printer;
use crate::server::views_of;
pub(crate) use input::keys;
use input::{Beside, read};

/// Verifies the log, shows what was found and files it.
pub(crate) async fn run(args: VerifyArgs, printer: &mut Printer) -> Result<(), Failure> {
    if let Some(url) = &args.watch {
        return watch::run(url, &args, printer).await;
    }
    let lang = printer.lang();
    let scratch = scratch()?;
    let verification = gather(&args, scratch.path()).await?;
    let mut bar = Bar::new();
    let verified = verify(verification, |progress| show(&mut bar, lang, progress)).await;
    bar.clear();
    let report = verified.map_err(refused)?;
    let text = text::of(&report, lang);
    let json = serde_json::to_value(&report).map_err(|error| Failure::other(error.to_string()))?;
    if let Some(path) = &args.report {
        file(path, &json, &text)?;
    }
    printer.outcome(text.trim_end(), &json)?;
    match report.first() {
        None => Ok(()),
        Some(first) => {
            let said = messages::UNVERIFIED.with(lang, &[&verification::finding(first, lang)]);
            Err(Failure::Other { exit: Exit::Unverified, message: said })
        }
    }
}

/// What was typed, read.
async fn gather(args: &VerifyArgs, scratch: &Path) -> Result<Verification, Failure> {
    let held = match &args.export {
        Some(folder) => Held::Export(folder.clone()),
        None => Held::Log(args.log.location()),
    };
    let algorithm = if args.sm { Algorithm::Sm3 } else { Algorithm::Sha256 };
    let first = Archive::open(&held).await?;
    let identity = first.identity();
    let views = if args.no_views { None } else { Some(claimed(&first, scratch).await?) };
    first.close().await;
    let beside = Beside::find(given(args.tree.as_ref()), &held, identity, algorithm)?;
    let mut checkpoints = Vec::new();
    if let Some(path) = &args.checkpoint {
        checkpoints.push(presented(path, false)?);
    } else if let Some(beside) = &beside {
        checkpoints.extend(beside.checkpoint.clone());
    }
    for path in &args.kept {
        checkpoints.push(presented(path, true)?);
    }
    let mut trust = Trust {
        keys: keys(&args.key, "--key")?,
        witnesses: keys(&args.witness, "--witness")?,
        quorum: args.quorum,
        untold: false,
        ended: Vec::new(),
    };
    if trust.quorum > trust.witnesses.len() {
        return Err(Failure::Usage(messages::QUORUM.en.to_owned()));
    }
    if trust.keys.is_empty() {
        trust.keys = beside.as_ref().map(|beside| beside.keys.clone()).unwrap_or_default();
        trust.untold = true;
    }
    if let Some(beside) = beside.as_ref().filter(|_| !trust.untold) {
        checkpoints.extend(handovers::follow(&beside.store, &held, &mut trust).await?);
    }
    if trust.keys.is_empty() && !checkpoints.is_empty() {
        return Err(Failure::Usage(
            "--key: no key is known that could have signed the checkpoint".to_owned(),
        ));
    }
    let left_out = args.tree.as_ref().is_some_and(is_off);
    if !args.key.is_empty() && checkpoints.is_empty() && !left_out {
        let message = format!(
            "--key: nothing that it could have signed is there: no tree of epoch {} is known, and no checkpoint was given",
            identity.epoch
        );
        return Err(Failure::Other { exit: Exit::Unverified, message });
    }
    // Opened again after views and tree were looked at: what they have is in the log by now.
    let archive = Archive::open(&held).await?;
    let tree = beside.map(|beside| (beside.store, beside.size));
    Ok(Verification { archive, algorithm, tree, checkpoints, trust, views, clock: Arc::new(SystemClock) })
}

/// What is claimed of the views.
async fn claimed(archive: &Archive, scratch: &Path) -> Result<Claimed, Failure> {
    let views = views_of(&Service::ALL);
    let claims = match archive.claims(&views).await {
        Ok(claims) => Ok(claims),
        Err(error) if error.is_damage() => Err(chain(&error)),
        Err(error) => return Err(error.into()),
    };
    Ok(Claimed { views, claims, scratch: scratch.to_owned() })
}

fn presented(path: &Path, kept: bool) -> Result<Presented, Failure> {
    Ok(Presented { name: path.display().to_string(), bytes: read(path)?, kept })
}

fn scratch() -> Result<tempfile::TempDir, Failure> {
    tempfile::tempdir().map_err(|error| Failure::other(format!("no temporary folder: {error}")))
}

fn show(bar: &mut Bar, lang: Lang, progress: Progress) {
    let title = match progress.phase {
        Phase::Events => messages::VERIFYING_EVENTS,
        Phase::Receipts => messages::VERIFYING_RECEIPTS,
        Phase::Views => messages::VERIFYING_VIEWS,
    };
    bar.show(title.of(lang), progress.done, progress.of);
}

fn refused(error: VerifyError) -> Failure {
    match error {
        VerifyError::Read(error) => error.into(),
        VerifyError::Views(_) | VerifyError::Random(_) => Failure::other(chain(&error)),
    }
}

/// Writes the report: JSON under its name, the text beside it.
fn file(path: &Path, json: &Value, text: &str) -> Result<(), Failure> {
    let beside: PathBuf = path.with_extension("txt");
    if beside == path {
        return Err(Failure::Usage(
            "--report: the text is written beside it as .txt, name it otherwise".into(),
        ));
    }
    let write = |path: &Path, text: &str| {
        let failed = |error: std::io::Error| Failure::other(format!("{}: {error}", path.display()));
        std::fs::write(path, text).map_err(failed)
    };
    write(path, &format!("{json:#}\n"))?;
    write(&beside, text)
}
