//! `duban evidence`: one file that shows who answered for a task on a date, as known at another, and that anybody
//! can check with `sha256sum`, `openssl` and the few lines of Python that are in it.
//!
//! # Determinations
//! - **A ZIP archive of plain files**: every office can open one, and each file in it is checked by a tool of its own.
//! - **What doesn't check isn't packed.** Each proof is verified here first, as whoever gets the file will.
//! - **The task's whole history is in it**, not only the events that the answer names: that nothing between them was
//!   left out is half of what is to be shown.

mod files;
mod gather;
mod prov;

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::args::EvidenceArgs;
use crate::failure::{Exit, Failure};
use crate::i18n::messages;
use crate::output::Printer;
use crate::run::Session;

/// Gathers the evidence, checks it and writes it.
pub(crate) async fn run(
    args: &EvidenceArgs,
    session: &Session,
    printer: &mut Printer,
) -> Result<(), Failure> {
    let case = gather::case(session, args).await?;
    let path = args.to.clone().unwrap_or_else(|| default_name(&case));
    let files = files::of(&case)?;
    write(&path, &files)?;
    let (size, events) = (case.checkpoint.size, case.proven.len());
    let said = messages::EVIDENCE.with(printer.lang(), &[&events, &size, &path.display()]);
    let outcome = json!({
        "path": path.display().to_string(),
        "events": events.to_string(),
        "origin": case.checkpoint.origin,
        "size": size.to_string(),
        "key": case.key.to_string(),
    });
    printer.outcome(&said, &outcome)?;
    if args.key.is_none() {
        printer.note(&messages::EVIDENCE_KEY.with(printer.lang(), &[&case.key]))?;
    }
    Ok(())
}

/// `evidence-TASK-DATE-POSITION.zip`.
fn default_name(case: &gather::Case) -> PathBuf {
    let task = case.task_name.rsplit('/').next().unwrap_or_default();
    format!("evidence-{task}-{}-{}.zip", case.valid_on, case.position).into()
}

/// Written under its name only once all of it is on the disk; what has the name already is left as it is.
fn write(path: &Path, files: &files::Files) -> Result<(), Failure> {
    let fault = |error: std::io::Error| Failure::other(format!("{}: {error}", path.display()));
    if path.exists() {
        let message = format!("{} is there already", path.display());
        return Err(Failure::Other { exit: Exit::Conflict, message });
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut part = tempfile::NamedTempFile::new_in(folder).map_err(fault)?;
    part.write_all(&files.pack()?).map_err(fault)?;
    part.as_file().sync_all().map_err(fault)?;
    part.persist_noclobber(path).map_err(|error| fault(error.error))?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(fault)
}
