//! The views by replay: built anew from the events, compared with what is claimed of them.

use std::path::Path;
use std::sync::Arc;

use duban_domain::Position;
use duban_log::archive::Cursor;
use duban_log::moving::Claim;
use duban_log::views::{Entry, Replay, Replayed};
use duban_log::{Archive, ReadError};
use serde::Serialize;

use super::VerifyError;
use super::finding::{Fault, Findings};

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

/// Feeds all that can be understood, in order; how far that is.
async fn feed(
    archive: &Archive,
    replay: &mut Replay,
    findings: &mut Findings,
    mut progress: impl FnMut(Position),
) -> Result<Position, VerifyError> {
    let mut cursor = Cursor::default();
    let mut next = 1;
    while next <= replay.until() {
        let stretch = match archive.events(&mut cursor).await {
            Ok(Some(stretch)) => stretch,
            Ok(None) => break,
            // It was told on the way through the events.
            Err(error) if error.is_damage() => break,
            Err(error) => return Err(error.into()),
        };
        let mut recorded = Vec::new();
        let mut whole = true;
        for event in stretch.events.flatten() {
            if event.position != next {
                whole = false;
                break;
            }
            match event.decode() {
                Ok(event) => recorded.push(Arc::new(event)),
                Err(error) => {
                    if let ReadError::DataLoss { position, what } = error {
                        findings.at(position, Fault::Body { what });
                    }
                    whole = false;
                    break;
                }
            }
            next += 1;
        }
        replay.take(&recorded).await?;
        progress(next - 1);
        if !whole {
            break;
        }
    }
    Ok(next - 1)
}
