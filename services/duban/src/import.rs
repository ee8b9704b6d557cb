//! 导入: a seed becomes a log. A seed is a document with everything that was made of it; `seeds/README.md`
//! says what its files hold and what is checked.
//!
//! Everything is checked, and the whole seed is played into a throw-away log, before the first command goes
//! to the real one. A command's request id is a function of the seed, so importing twice writes once, and an
//! import that was broken off is taken up by importing again. Nothing here knows any particular document.

mod check;
mod expand;
mod play;
mod problem;
mod seed;
mod table;

use std::pin::Pin;
use std::time::Duration;

use serde_json::{Value, json};
use tonic::transport::Channel;

use crate::args::ImportArgs;
use crate::client::Client;
use crate::failure::Failure;
use crate::i18n::messages;
use crate::output::Printer;
use crate::run::Session;
use check::Checked;
use play::Stage;
pub(crate) use problem::Problem;
use seed::Seed;

/// How long one command may take in the rehearsal.
const REHEARSAL: Duration = Duration::from_secs(30);

/// All services on a log of their own, in this process.
pub(crate) struct Throwaway {
    /// A way to them.
    pub(crate) channel: Channel,
    /// Stops them and throws the log away. Awaited before the program ends, or the folder would stay.
    pub(crate) end: Pin<Box<dyn Future<Output = ()> + Send>>,
}

/// Checks a seed, plays it into the throw-away log that `throwaway` starts, and then either shows what it
/// recorded there or sends it to the real services.
pub(crate) async fn run(
    args: &ImportArgs,
    client: &Client,
    throwaway: impl Future<Output = Result<Throwaway, Failure>>,
    printer: &mut Printer,
) -> Result<(), Failure> {
    let seed = Seed::load(&args.seed).map_err(Failure::Seed)?;
    let checked = check::all(&seed).map_err(Failure::Seed)?;

    let Throwaway { channel, end } = throwaway.await?;
    let rehearsed = rehearse(&checked, channel, args.dry_run, printer).await;
    end.await;
    rehearsed?;
    if args.dry_run {
        return Ok(());
    }

    let played = play::all(&checked, client, Stage::Real, printer.lang()).await?;
    let name = &seed.manifest.document;
    let said = messages::IMPORTED.with(printer.lang(), &[name, &played.all(), &played.new, &played.there]);
    let outcome =
        json!({ "document": name, "commands": played.all(), "new": played.new, "there": played.there });
    printer.outcome(&said, &outcome)
}

/// Plays a seed into the throw-away log, and shows what that recorded if asked.
async fn rehearse(
    checked: &Checked<'_>,
    channel: Channel,
    shown: bool,
    printer: &mut Printer,
) -> Result<(), Failure> {
    let client = Client::within(channel, REHEARSAL);
    play::all(checked, &client, Stage::Rehearsal, printer.lang()).await?;
    if shown {
        show(checked, &Session { client, identity: checked.first_principal()? }, printer).await?;
    }
    Ok(())
}

/// Shows what the rehearsal recorded: every event, and the damage of the document.
async fn show(checked: &Checked<'_>, session: &Session, printer: &mut Printer) -> Result<(), Failure> {
    let events = session.all_events().await?;
    let document = &checked.seed.manifest.document;
    let request = json!({ "parent": document, "page_size": 1000 });
    let anomalies = session.all_items("duban.tasks.v1.DocumentService/ListAnomalies", request).await?;
    let counts: [Value; 3] = [checked.plays.len(), events.len(), anomalies.len()].map(Value::from);
    printer.sections(&[
        ("events", messages::EVENTS_PROPOSED, events),
        ("anomalies", messages::ANOMALIES, anomalies),
    ])?;
    let [commands, events, anomalies] = &counts;
    printer.note(&messages::DRY_RUN.with(printer.lang(), &[commands, events, anomalies]))
}

#[cfg(test)]
mod tests;
