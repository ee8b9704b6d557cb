//! `duban witness`: another office sees to it that a log shows everybody the same history.
//!
//! It answers `POST /add-checkpoint` (C2SP `tlog-witness`) and nothing else. Whom it serves is configured: logs by
//! origin and key. Whoever reaches it may ask; what it cosigns is decided by signatures and proofs.

mod logs;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use duban_log::{Clock, Location, SystemClock};
use duban_merkle::witness::AddCheckpoint;
use duban_merkle::{KeyName, Verifier};
use duban_tree::StoreError;
use duban_tree::witness::{
    self, Accepted, Circle, FileError, Office, OfficeError, REQUEST_MAX, Refused, make_key, reply,
};
use http::StatusCode;
use serde_json::json;

use crate::args::{CircleArgs, OfficeArgs, WitnessCommand, WitnessServeArgs};
use crate::ending::Ending;
use crate::failure::{Exit, Failure, chain};
use crate::http::accept;
use crate::i18n::messages;
use crate::output::Printer;
use crate::telemetry;
use crate::tree::only;

/// Nothing is in progress that a witness would wait for: whoever got no answer asks again.
const DRAIN_WITHIN: Duration = Duration::from_secs(1);

/// Does what was typed.
pub(crate) async fn run(command: WitnessCommand, printer: &mut Printer) -> Result<(), Failure> {
    match command {
        WitnessCommand::Serve(args) => serve(args, printer).await,
        WitnessCommand::Key { folder, name } => key(&folder, name.as_ref(), printer),
        WitnessCommand::Request { tree, old_size, to } => {
            let request = witness::request(&only(&tree)?, old_size)?;
            write(&to, &request.to_string())?;
            let said = messages::WITNESS_REQUESTED.with(printer.lang(), &[&to.display()]);
            printer.outcome(&said, &json!({ "origin": request.origin(), "path": to.display().to_string() }))
        }
        WitnessCommand::Sign { request, to, office } => sign(&request, &to, &office, printer),
        WitnessCommand::Accept { note, tree, witness } => take(&note, &tree, &witness, printer),
    }
}

/// The witnesses that were named, if any were.
pub(crate) fn circle(args: &CircleArgs) -> Result<Option<Circle>, Failure> {
    if args.witness.is_empty() && args.witness_quorum == 0 {
        return Ok(None);
    }
    let circle = Circle::new(args.witness_quorum, args.witness.clone());
    circle.map(Some).map_err(|error| Failure::Usage(format!("--witness: {error}")))
}

async fn serve(args: WitnessServeArgs, printer: &mut Printer) -> Result<(), Failure> {
    let telemetry =
        telemetry::set_up(args.log_format, None).map_err(|error| Failure::other(error.to_string()))?;
    let ending = Ending::watch(DRAIN_WITHIN)?;
    let office = Arc::new(open(&args.office)?);
    let listening = duban_rpc::listen(args.listen, args.insecure).await;
    let (listener, address) =
        listening.map_err(|error| Failure::Other { exit: Exit::Usage, message: chain(&error) })?;
    let (key, logs) = (office.verifier().to_string(), office.logs());
    tracing::info!(%address, key, ?logs, "the witness listens");
    printer.say(&messages::WITNESS_LISTENS.with(printer.lang(), &[&address, &key]))?;
    let routes = Router::new()
        .route("/add-checkpoint", post(add_checkpoint))
        .layer(DefaultBodyLimit::max(REQUEST_MAX))
        .with_state(Arc::clone(&office));
    ending.told.run_until_cancelled(accept("witness", listener, routes)).await;
    tracing::info!("the witness ends");
    telemetry.shut_down();
    Ok(())
}

/// Nothing is answered before it is on the disk.
async fn add_checkpoint(State(office): State<Arc<Office>>, body: Bytes) -> Response {
    let adding = tokio::task::spawn_blocking(move || {
        let cosigned = office.add(&body, now());
        said(&body, &cosigned);
        reply(&cosigned)
    });
    match adding.await {
        Ok((status, kind, text)) => (status, [(header::CONTENT_TYPE, kind)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "a checkpoint can't be judged");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// A line for each answer: a witness is asked about once a second a log at most.
fn said(body: &[u8], cosigned: &Result<duban_merkle::SignatureLine, Refused>) {
    let origin = AddCheckpoint::parse(body).map(|request| request.origin().to_owned()).unwrap_or_default();
    match cosigned {
        Ok(_) => tracing::info!(origin, "cosigned"),
        Err(Refused::Refusal(refusal)) => tracing::warn!(origin, %refusal, "not cosigned"),
        Err(error) => tracing::error!(origin, error = chain(error), "the witness can't sign"),
    }
}

fn now() -> u64 {
    u64::try_from(SystemClock.now().as_second()).unwrap_or(0)
}

fn open(args: &OfficeArgs) -> Result<Office, Failure> {
    let known = logs::known(args)?;
    if known.is_empty() {
        return Err(Failure::Usage("a witness is for a log at least: --log-key or --log-keys".to_owned()));
    }
    Ok(Office::open(&args.folder, known)?)
}

fn key(folder: &Path, name: Option<&KeyName>, printer: &mut Printer) -> Result<(), Failure> {
    let key = match name {
        Some(name) => make_key(folder, name)?,
        None => witness::verifier(folder)?,
    };
    printer.outcome(&key.to_string(), &json!({ "key": key.to_string() }))
}

fn sign(request: &Path, to: &Path, office: &OfficeArgs, printer: &mut Printer) -> Result<(), Failure> {
    let body = read(request)?;
    let office = open(office)?;
    let line = office.add(&body, now())?;
    let parsed = AddCheckpoint::parse(&body).map_err(|error| Failure::other(error.to_string()))?;
    let note = parsed.note().clone().with([line]).map_err(|error| Failure::other(error.to_string()))?;
    write(to, &note.to_string())?;
    let origin = parsed.origin();
    let said = messages::WITNESS_SIGNED.with(printer.lang(), &[&origin, &to.display()]);
    printer.outcome(&said, &json!({ "origin": origin, "path": to.display().to_string() }))
}

fn take(note: &Path, tree: &Location, witness: &Verifier, printer: &mut Printer) -> Result<(), Failure> {
    let Accepted { size, published } = witness::accept(&Arc::new(only(tree)?), &read(note)?, witness)?;
    let message = if published { messages::WITNESS_ACCEPTED } else { messages::WITNESS_KEPT };
    let said = message.with(printer.lang(), &[&size]);
    printer.outcome(&said, &json!({ "size": size.to_string(), "published": published }))
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(file).map_err(|error| unreadable(file, &error))
}

fn write(file: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(file, text).map_err(|error| Failure::other(format!("{}: {error}", file.display())))
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::Usage(format!("{}: {error}", path.display()))
}

impl From<OfficeError> for Failure {
    fn from(error: OfficeError) -> Self {
        let exit = match &error {
            OfficeError::NoKey(_) => Exit::NotFound,
            OfficeError::InUse(_) | OfficeError::Random(_) | OfficeError::Store(_) => Exit::Unavailable,
            OfficeError::OtherName { .. } => Exit::Conflict,
            OfficeError::Key(..) | OfficeError::Log { .. } | OfficeError::Mixed(_) => Exit::Usage,
        };
        Self::Other { exit, message: chain(&error) }
    }
}

impl From<Refused> for Failure {
    fn from(error: Refused) -> Self {
        let exit = match error.status() {
            StatusCode::NOT_FOUND => Exit::NotFound,
            StatusCode::FORBIDDEN => Exit::NotAllowed,
            StatusCode::CONFLICT => Exit::Conflict,
            StatusCode::UNPROCESSABLE_ENTITY => Exit::Unverified,
            StatusCode::BAD_REQUEST => Exit::Usage,
            _ => Exit::Unavailable,
        };
        Self::Other { exit, message: chain(&error) }
    }
}

impl From<FileError> for Failure {
    fn from(error: FileError) -> Self {
        let exit = match &error {
            FileError::Unpublished(_) | FileError::Store(StoreError::Absent(_)) => Exit::NotFound,
            FileError::Store(_) => Exit::Unavailable,
            FileError::Request(_) => Exit::Usage,
            FileError::Ahead { .. }
            | FileError::OtherTree(_)
            | FileError::OtherRoot(_)
            | FileError::Uncosigned(_)
            | FileError::NotByLog
            | FileError::Note(_) => Exit::Unverified,
        };
        Self::Other { exit, message: chain(&error) }
    }
}
