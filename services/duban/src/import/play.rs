//! The commands of a seed, sent in order.

use std::time::Duration;

use serde_json::{Value, json};

use super::check::Checked;
use crate::client::{Client, schema};
use crate::failure::Failure;
use crate::i18n::{Lang, messages};
use crate::output;

const HEAD: &str = "duban.audit.v1.AuditService/GetHead";
/// How often the progress bar is drawn anew while a command takes its time.
const TICK: Duration = Duration::from_millis(200);

/// Into which log a seed is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// The throw-away one.
    Rehearsal,
    /// The one of the services.
    Real,
}

/// How many commands were recorded now, and how many had been before.
#[derive(Debug, Default)]
pub(super) struct Played {
    pub(super) new: usize,
    pub(super) there: usize,
}

impl Played {
    pub(super) fn all(&self) -> usize {
        self.new + self.there
    }
}

/// Sends every command and waits for its answer before the next.
pub(super) async fn all(
    checked: &Checked<'_>,
    client: &Client,
    stage: Stage,
    lang: Lang,
) -> Result<Played, Failure> {
    let before = head(checked, client).await?;
    let title = match stage {
        Stage::Rehearsal => messages::REHEARSING,
        Stage::Real => messages::SENDING,
    };
    let bar = output::progress(title.of(lang), checked.plays.len());
    bar.enable_steady_tick(TICK);
    let mut played = Played::default();
    for play in &checked.plays {
        let reply = client.call(&play.identity, &play.method, &play.message).await;
        let reply = reply.map_err(|failure| match failure {
            Failure::Refused(refusal) => Failure::Play {
                place: play.command.place().to_string(),
                rehearsal: stage == Stage::Rehearsal,
                refusal,
            },
            other => other,
        })?;
        // A receipt from before this import is an answer to the same command sent earlier; one whose range is
        // empty found everything as it should be. Either way nothing was recorded now.
        let receipt = &schema::to_json(&reply)?["receipt"];
        let position =
            |key: &str| receipt[key].as_str().and_then(|text| text.parse::<u64>().ok()).unwrap_or_default();
        let (first, last) = (position("firstPosition"), position("lastPosition"));
        if first > before && first <= last {
            played.new += 1;
        } else {
            played.there += 1;
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(played)
}

/// The head of the log before the first command.
async fn head(checked: &Checked<'_>, client: &Client) -> Result<u64, Failure> {
    let (method, message) = schema::request(HEAD, &json!({})).map_err(Failure::Usage)?;
    let reply = client.call(&checked.first_principal()?, &method, &message).await?;
    let head = schema::to_json(&reply)?;
    Ok(head.get("position").and_then(Value::as_str).and_then(|text| text.parse().ok()).unwrap_or_default())
}
