//! The views by replay: built anew from the events, compared with what is claimed of them.

use std::path::Path;
use std::sync::Arc;

use duban_domain::{Position, Recorded};
use duban_log::archive::{Cursor, Stretch};
use duban_log::moving::Claim;
use duban_log::views::{Entry, Replay, Replayed};
use duban_log::{Archive, ReadError};
use serde::Serialize;
use tokio::sync::mpsc;

use super::VerifyError;
use super::finding::{Fault, Findings};

/// Stretches that reading may be ahead of the replay.
const AHEAD: usize = 8;

/// What became of a view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ViewChecked {
    /// The view.
    pub view: String,
    /// The position that the claim is about.
    pub position: Position,
    /// The digest that was claimed.
    pub claimed: String,
    /// The digest that replaying comes to; none where it couldn't be replayed so far.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replayed: Option<String>,
}

/// Compares the claims about these views with what the events come to, in the empty folder `scratch`.
pub(super) async fn check(
    archive: &Archive,
    views: &[Entry],
    claims: Vec<Claim>,
    scratch: &Path,
    findings: &mut Findings,
    mut progress: impl FnMut(Position, Position),
) -> Result<Vec<ViewChecked>, VerifyError> {
    let entry = |claim: &Claim| views.iter().find(|view| view.name == claim.view).copied();
    let wanted: Vec<(Entry, Position)> =
        claims.iter().filter_map(|claim| Some((entry(claim)?, claim.position))).collect();
    let mut replay = Replay::begin(scratch, archive.identity(), &wanted).await?;
    let until = replay.until();
    let reached = feed(archive, &mut replay, findings, |done| progress(done, until)).await?;
    let replayed = replay.end().await?;
    let mut checked = Vec::new();
    for claim in claims {
        let found = replayed.iter().find(|replayed| replayed.view == claim.view);
        let mut outcome =
            ViewChecked { view: claim.view, position: claim.position, claimed: claim.sha256, replayed: None };
        match found.map(|Replayed { came_to, .. }| came_to) {
            Some(Ok(digest)) if claim.position <= reached => {
                let replayed = hex::encode(digest.sha256);
                if replayed != outcome.claimed {
                    findings.of(Fault::View {
                        view: outcome.view.clone(),
                        claimed: outcome.claimed.clone(),
                        replayed: replayed.clone(),
                    });
                }
                outcome.replayed = Some(replayed);
            }
            Some(Err((position, what))) => {
                findings.at(*position, Fault::Refused { view: outcome.view.clone(), what: what.clone() });
            }
            // Not replayed so far: the event that is in the way was told, or the claim is beyond the log.
            Some(Ok(_)) if claim.position > archive.head() => {
                let claim = format!("the view {}", outcome.view);
                findings.of(Fault::End { claim, claimed: outcome.position, found: archive.head() });
            }
            Some(Ok(_)) | None => {}
        }
        checked.push(outcome);
    }
    Ok(checked)
}

/// Feeds all that can be understood, in order; how far that is. It is read and decoded while what was read before is
/// replayed.
async fn feed(
    archive: &Archive,
    replay: &mut Replay,
    findings: &mut Findings,
    mut progress: impl FnMut(Position),
) -> Result<Position, VerifyError> {
    let until = replay.until();
    let (ahead, mut read) = mpsc::channel::<Understood>(AHEAD);
    let reading = async move {
        let (mut cursor, mut next) = (Cursor::default(), 1);
        while next <= until {
            let stretch = match archive.events(&mut cursor).await {
                Ok(Some(stretch)) => stretch,
                Ok(None) => break,
                // It was told on the way through the events.
                Err(error) if error.is_damage() => break,
                Err(error) => return Err(error.into()),
            };
            let understood = tokio::task::spawn_blocking(move || Understood::of(stretch, next)).await;
            let understood =
                understood.unwrap_or_else(|panicked| std::panic::resume_unwind(panicked.into_panic()));
            let more = understood.whole;
            next = understood.next;
            if ahead.send(understood).await.is_err() || !more {
                break;
            }
        }
        Ok::<_, VerifyError>(next - 1)
    };
    let replaying = async {
        while let Some(Understood { events, next, damaged, .. }) = read.recv().await {
            replay.take(events).await?;
            if let Some((position, what)) = damaged {
                findings.at(position, Fault::Body { what });
            }
            progress(next - 1);
        }
        Ok::<_, VerifyError>(())
    };
    // What is read ahead is of no use where the replay can't go on.
    let (reached, ()) = tokio::try_join!(reading, replaying)?;
    Ok(reached)
}

/// What can be understood of a stretch.
struct Understood {
    events: Vec<Arc<Recorded>>,
    /// The position that comes next.
    next: Position,
    /// Whether that was all of it.
    whole: bool,
    /// A body that can't be read.
    damaged: Option<(Position, String)>,
}

impl Understood {
    /// The events from `next` on, without a gap.
    fn of(stretch: Stretch, next: Position) -> Self {
        let mut understood = Self { events: Vec::new(), next, whole: true, damaged: None };
        for event in stretch.events.flatten() {
            let decoded = (event.position == understood.next).then(|| event.decode());
            if let Some(Ok(event)) = decoded {
                understood.events.push(Arc::new(event));
                understood.next += 1;
                continue;
            }
            if let Some(Err(ReadError::DataLoss { position, what })) = decoded {
                understood.damaged = Some((position, what));
            }
            understood.whole = false;
            break;
        }
        understood
    }
}
