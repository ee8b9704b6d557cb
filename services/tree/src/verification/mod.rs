//! A log verified against what was signed: offline, from its events alone, trusting nothing that it says of itself.
//!
//! One way through the events checks their places, times and chains, makes the leaf of each and the tree of all, and
//! compares the roots wherever a checkpoint was signed; where the folder of the tree is at hand, leaf by leaf, so
//! that the first event that was changed is named with the fields that differ. A second one takes the receipts, a
//! third replays the views. What is wrong is a [`Finding`]; nothing that is found ends the verification. Memory
//! doesn't grow with the log but for one position a tag.
//!
//! It does no I/O but to read the [`Archive`] and the stored tree, and to build views in a scratch folder.

mod commands;
mod entries;
mod finding;
mod leaf;
mod report;
mod since;
mod tags;
mod trust;
mod views;
mod walk;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use duban_domain::Position;
use duban_log::archive::{Cursor, ReceiptCursor, Stretch, Unreadable};
use duban_log::moving::{Claim, MoveError};
use duban_log::views::Entry;
use duban_log::{Archive, Clock, ViewError};
use duban_merkle::Algorithm;
use tokio::sync::mpsc;

use crate::store::Store;

pub use finding::{FINDINGS_MAX, Fault, Finding};
pub use report::{Report, TreeChecked, Uncovered};
pub use trust::{Checked, Life, Outcome, Presented, Trust};
pub use views::ViewChecked;

use commands::{Command, Wrong};
use entries::Entries;
use finding::Findings;
use since::Since;
use trust::Mark;
use walk::Walk;

/// Stretches that reading may be ahead of hashing.
const AHEAD: usize = 2;

/// What to verify, and by what.
pub struct Verification {
    /// The log. Opened after the tree was looked at: a tree never is ahead of its log.
    pub archive: Archive,
    /// The algorithm of the tree.
    pub algorithm: Algorithm,
    /// The tree as it is stored, and how many leaves it has.
    pub tree: Option<(Arc<Store>, u64)>,
    /// Checkpoints.
    pub checkpoints: Vec<Presented>,
    /// Whose signatures count.
    pub trust: Trust,
    /// The views to replay; none: they are left out.
    pub views: Option<Claimed>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
}

/// Views to be replayed.
pub struct Claimed {
    /// The views.
    pub views: Vec<Entry>,
    /// What is claimed of them, or why that can't be read. Read before the archive was opened: a view is never ahead of
    /// its log.
    pub claims: Result<Vec<Claim>, String>,
    /// An empty folder to build them in.
    pub scratch: PathBuf,
}

/// What a verification is about at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Hashes, tree, chains: by position.
    Events,
    /// Receipts, by number.
    Receipts,
    /// Views by replay, by position.
    Views,
}

/// How far a verification is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What it is about.
    pub phase: Phase,
    /// How many are done.
    pub done: u64,
    /// How many there are, as far as is known.
    pub of: u64,
}

/// Why a log can't be verified: nothing is said about it then.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// It can't be read.
    #[error(transparent)]
    Read(#[from] MoveError),
    /// Views can't be built here.
    #[error("the views can't be replayed")]
    Views(#[from] ViewError),
    /// There is no randomness.
    #[error("there is no randomness: {0}")]
    Random(getrandom::Error),
}

/// Verifies a log.
pub async fn verify(
    verification: Verification,
    mut progress: impl FnMut(Progress),
) -> Result<Report, VerifyError> {
    let Verification { archive, algorithm, tree, checkpoints, trust, views, clock } = verification;
    let started_at = clock.now();
    let (identity, head) = (archive.identity(), archive.head());
    let marks: Vec<Mark> =
        checkpoints.iter().map(|presented| Mark::of(presented, &trust, identity, algorithm)).collect();
    let entries = tree.as_ref().map(|(store, size)| Entries::new(Arc::clone(store), *size));
    let mut key = [0; 16];
    getrandom::fill(&mut key).map_err(VerifyError::Random)?;
    let mut walk = Walk::new(algorithm, &key, head, entries, marks);
    for fault in archive.faults() {
        walk.findings.of(Fault::Unreadable { what: fault.what.clone() });
    }
    let mut walk =
        walked(&archive, walk, |done| progress(Progress { phase: Phase::Events, done, of: head })).await?;
    match archive.misfiled(walk.tags.filings()).await {
        Ok(Some(position)) => walk.findings.at(position, Fault::Index),
        Ok(None) => {}
        // Tags that can't even be read were found on the way, and are in the way here.
        Err(_) if !walk.findings.kept.is_empty() => {}
        Err(error) if error.is_damage() => walk.findings.of(Fault::Unreadable { what: what(&error) }),
        Err(error) => return Err(error.into()),
    }
    let since = tree.as_ref().and_then(|(store, _)| Since::of(&archive, store));
    let root = walk.end(identity, &archive.held().to_string(), head, since.as_ref());
    let sealed = archive.seal();
    walk.findings.extend(sealed.filter(|says| *says != head).map(|says| Fault::Seal { says, is: head }));
    receipts(&archive, &mut walk, &mut progress).await?;
    let mut unclaimed = Vec::new();
    let replayed = match &views {
        None => Vec::new(),
        Some(Claimed { views: entries, claims: Ok(claims), scratch }) => {
            let of = |entry: &&Entry| !claims.iter().any(|claim| claim.view == entry.name);
            unclaimed.extend(entries.iter().filter(of).map(|entry| entry.name.to_owned()));
            let shown = |done, of| progress(Progress { phase: Phase::Views, done, of });
            views::check(&archive, entries, claims.clone(), scratch, &mut walk.findings, shown).await?
        }
        Some(Claimed { claims: Err(what), .. }) => {
            walk.findings.of(Fault::Unreadable { what: format!("the views: {what}") });
            Vec::new()
        }
    };
    let source = archive.held().to_string();
    archive.close().await;
    let checkpoints: Vec<Checked> = walk.marks().into_iter().map(|mark| mark.checked).collect();
    let tree = tree.map(|(store, size)| TreeChecked {
        folder: store.place().display().to_string(),
        size,
        compared: walk.compared,
    });
    let mut uncovered = unsigned(&checkpoints, head);
    uncovered.extend(walk.later.map(|tree| Uncovered::Later { ends: head, tree }));
    uncovered.extend(sealed.map(|at| Uncovered::Sealed { at }));
    let signed = checkpoints.iter().any(|one| !one.signed.is_empty());
    uncovered.extend((trust.untold && signed).then_some(Uncovered::KeysUntold));
    uncovered.extend(tree.is_none().then_some(Uncovered::NoTree));
    uncovered.extend(unread(&walk));
    uncovered.extend(match &views {
        None => Some(Uncovered::ViewsNotReplayed),
        Some(_) if replayed.is_empty() => Some(Uncovered::NoViews),
        Some(_) => unreplayed(&replayed, unclaimed),
    });
    let Findings { kept: mut findings, more: further_findings } = std::mem::take(&mut walk.findings);
    // Of one position that comes first which tells what was changed.
    let told = |fault: &Fault| !matches!(fault, Fault::Changed { .. });
    findings.sort_by_key(|finding| (finding.position.unwrap_or(Position::MAX), told(&finding.fault)));
    Ok(Report {
        log: identity.log,
        epoch: identity.epoch,
        epochs: walk.lives.clone(),
        source,
        algorithm: algorithm.tag(),
        started_at,
        ended_at: clock.now(),
        version: env!("CARGO_PKG_VERSION"),
        head,
        events: walk.events,
        root: root.map(|head| head.root),
        tags: walk.tags.len(),
        commands: walk.books.commands,
        receipts: walk.books.receipts,
        checkpoints,
        tree,
        views: replayed,
        findings,
        further_findings,
        uncovered,
    })
}

/// An error and what it comes from.
fn what(error: &dyn std::error::Error) -> String {
    std::iter::successors(error.source(), |error| error.source())
        .fold(error.to_string(), |said, error| format!("{said}: {error}"))
}

/// Takes all events through the walk: they are read here, and hashed in a thread of its own.
async fn walked(
    archive: &Archive,
    mut walk: Walk,
    mut progress: impl FnMut(Position),
) -> Result<Walk, VerifyError> {
    let (stretches, mut read) = mpsc::channel::<Stretch>(AHEAD);
    let reached = Arc::new(AtomicU64::new(0));
    let walking = tokio::task::spawn_blocking({
        let reached = Arc::clone(&reached);
        move || {
            while let Some(stretch) = read.blocking_recv() {
                walk.take(stretch);
                reached.store(walk.events, Ordering::Relaxed);
            }
            walk
        }
    });
    let mut cursor = Cursor::default();
    let mut damage = None;
    loop {
        let stretch = match archive.events(&mut cursor).await {
            Ok(Some(stretch)) => stretch,
            Ok(None) => break,
            Err(error) if error.is_damage() => {
                damage = Some(what(&error));
                break;
            }
            Err(error) => return Err(error.into()),
        };
        if stretches.send(stretch).await.is_err() {
            break;
        }
        progress(reached.load(Ordering::Relaxed));
    }
    drop(stretches);
    let walked = walking.await;
    let mut walk = walked.unwrap_or_else(|panicked| std::panic::resume_unwind(panicked.into_panic()));
    progress(walk.events);
    walk.findings.extend(damage.map(|what| Fault::Unreadable { what }));
    Ok(walk)
}

/// Compares the receipts with the commands that the events tell of.
async fn receipts(
    archive: &Archive,
    walk: &mut Walk,
    progress: &mut impl FnMut(Progress),
) -> Result<(), VerifyError> {
    let head = archive.head();
    let (mut cursor, mut done, mut beyond) = (ReceiptCursor::default(), 0, Vec::new());
    loop {
        let page = match archive.receipts(&mut cursor).await {
            Ok(Some(page)) => page,
            Ok(None) => break,
            Err(error) if error.is_damage() => {
                // Of a file that ends somewhere nothing more can be compared.
                walk.findings.of(Fault::Unreadable { what: what(&error) });
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        walk.findings.extend(page.file.map(|Unreadable { what, .. }| Fault::Unreadable { what }));
        for found in page.receipts {
            done += 1;
            match found {
                // A server may have gone on: what it answered since is looked at below.
                Ok(request) if request.stored.receipt.last > head => {
                    if beyond.len() < FINDINGS_MAX {
                        beyond.push(request);
                    }
                }
                Ok(request) => walk.books.receipt(&request),
                Err(unreadable) => walk.findings.of(Fault::Unreadable { what: unreadable.what }),
            }
        }
        let of = archive.receipts_claimed().unwrap_or(walk.books.commands).max(done);
        progress(Progress { phase: Phase::Receipts, done, of });
    }
    if let Some(claimed) = archive.receipts_claimed().filter(|claimed| *claimed != done) {
        walk.findings.of(Fault::Receipts { claimed, found: done });
    }
    if !beyond.is_empty() {
        let now = archive.head_now().await?;
        for request in beyond.into_iter().filter(|request| request.stored.receipt.last > now) {
            let (principal, request_id) = (request.principal, request.request_id);
            walk.findings.of(Fault::Receipt { principal, request_id, fields: vec!["last"] });
        }
    }
    if let Some(wrong) = walk.books.wrong() {
        again(archive, walk, wrong).await?;
    }
    Ok(())
}

/// Reads the part of the log again in which receipts and events differ, to name which.
async fn again(archive: &Archive, walk: &mut Walk, mut wrong: Wrong) -> Result<(), VerifyError> {
    let mut cursor = Cursor::default();
    let mut command: Option<Command> = None;
    while let Some(stretch) = archive.events(&mut cursor).await? {
        for event in stretch.events.flatten() {
            if !command.as_mut().is_some_and(|command| command.goes_on(&event)) {
                wrong.commands(command.replace(Command::begun(&event)));
            }
        }
    }
    wrong.commands(command);
    let mut cursor = ReceiptCursor::default();
    while let Some(page) = archive.receipts(&mut cursor).await? {
        for request in
            page.receipts.into_iter().flatten().filter(|one| one.stored.receipt.last <= archive.head())
        {
            walk.books.recall(&mut wrong, &request);
        }
    }
    wrong.tell(&mut walk.findings);
    Ok(())
}

/// What no signature covers.
fn unsigned(checkpoints: &[Checked], head: Position) -> Vec<Uncovered> {
    let mut uncovered = Vec::new();
    let compared = || checkpoints.iter().filter(|one| one.outcome != Outcome::OtherTree);
    let others: Vec<String> = checkpoints
        .iter()
        .filter(|one| one.outcome == Outcome::OtherTree)
        .map(|one| one.name.clone())
        .collect();
    if !others.is_empty() {
        uncovered.push(Uncovered::OtherTree { checkpoints: others });
    }
    match compared().filter(|one| one.outcome != Outcome::Refused).map(|one| one.size).max() {
        None => uncovered.push(Uncovered::NothingSigned),
        Some(size) => {
            if size < head {
                uncovered.push(Uncovered::Unsigned { from: size + 1, to: head });
            }
            if !compared().any(|one| one.kept || !one.witnesses.is_empty()) {
                uncovered.push(Uncovered::NoOtherSide);
            }
        }
    }
    uncovered
}

/// What was read and could not be compared.
fn unread(walk: &Walk) -> Vec<Uncovered> {
    let (receipts, commands, events) = (walk.books.empty, walk.books.without, walk.unknown_types);
    let found = [
        (receipts, Uncovered::EmptyReceipts { receipts }),
        (commands, Uncovered::Fingerprints { commands }),
        (events, Uncovered::UnknownTypes { events }),
    ];
    found.into_iter().filter(|(count, _)| *count > 0).map(|(_, uncovered)| uncovered).collect()
}

fn unreplayed(views: &[ViewChecked], unclaimed: Vec<String>) -> Option<Uncovered> {
    let left = views.iter().filter(|view| view.replayed.is_none()).map(|view| view.view.clone());
    let views: Vec<String> = left.chain(unclaimed).collect();
    (!views.is_empty()).then_some(Uncovered::Views { views })
}
