//! From a log to a folder. The log may be in use: what is exported ends at the head that was found first.

use std::path::PathBuf;
use std::sync::Arc;

use duban_domain::event::Event;
use duban_domain::log::LogEvent;
use duban_domain::name::LogId;
use duban_domain::{Position, Subject};

use super::folder::{Folder, Kind};
use super::format::{Claim, Epoch, FORMAT, Line, Manifest};
use super::source::Source;
use super::{MoveError, Phase, Progress};
use crate::append::LogIdentity;
use crate::clock::{Clock, SystemClock};
use crate::engine::{Bounds, Location};
use crate::error::ReadError;
use crate::log::{PAGE_BYTES, PAGE_EVENTS};
use crate::views::Entry;

/// The most lines in a file.
const SEGMENT_LINES: u64 = 10_000;
/// A file ends with the line that takes it over so many bytes.
const SEGMENT_BYTES: usize = 16 * 1024 * 1024;
/// How much is read at once.
const PAGE: Bounds = Bounds { events: PAGE_EVENTS, bytes: PAGE_BYTES };

/// What to export, and where to.
pub struct ExportOptions {
    /// The log.
    pub from: Location,
    /// The folder of the export; made where there is none.
    pub to: PathBuf,
    /// Whether the log ends with this, to go on where the export is loaded.
    pub seal: bool,
    /// The views whose digests the export takes along, for those who build them again from the events.
    pub views: Vec<Entry>,
    /// The most lines in a file.
    pub lines: u64,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
}

impl ExportOptions {
    /// The log at `from` to the folder `to`, without ending it.
    pub fn new(from: Location, to: impl Into<PathBuf>) -> Self {
        let clock = Arc::new(SystemClock);
        Self { from, to: to.into(), seal: false, views: Vec::new(), lines: SEGMENT_LINES, clock }
    }
}

/// Exports a log, or goes on with an export that was broken off. An export that is there already, of all that
/// the log has, is left as it is.
pub async fn export(
    options: ExportOptions,
    mut progress: impl FnMut(Progress),
) -> Result<Manifest, MoveError> {
    let ExportOptions { from, to, seal, views, lines, clock } = options;
    if seal {
        // First of all: whatever the source said it had before would not be its end.
        Source::seal(&from, &*clock).await?;
    }
    let first = Source::open(&from).await?;
    let claims = claims_of(&from, first.identity(), &views).await;
    first.close().await;
    // Opened after the views were read: the head is at or beyond wherever they stood.
    let source = Source::open(&from).await?;
    if let Some(there) = Folder::finished(&to)? {
        let identity = source.identity();
        let same = (there.log, there.epoch) == (identity.log, identity.epoch);
        if same && there.head == source.head() && there.sealed == source.is_sealed() {
            return Ok(there);
        }
        let what = format!("holds an export of log {} up to position {}", there.log, there.head);
        return Err(MoveError::OtherExport { folder: to, what });
    }
    let (folder, begun) = Folder::begin(&to)?;
    let manifest = if let Some(begun) = begun {
        go_on(&begun, &source, &to)?;
        begun
    } else {
        let manifest = describe(&source, claims).await?;
        folder.start(&manifest)?;
        manifest
    };
    let mut writing = Writing { folder, source, manifest, lines: lines.max(1) };
    writing.events(&mut progress).await?;
    let receipts = writing.receipts(&mut progress).await?;
    let Writing { mut folder, source, mut manifest, .. } = writing;
    source.close().await;
    manifest.receipts = Some(receipts);
    folder.finish(&manifest)?;
    Ok(manifest)
}

/// Only the same log, sealed or not as it was, is gone on with; that it has grown doesn't matter.
fn go_on(begun: &Manifest, source: &Source, to: &std::path::Path) -> Result<(), MoveError> {
    let identity = source.identity();
    let other = |what: String| Err(MoveError::OtherExport { folder: to.to_owned(), what });
    if (begun.log, begun.epoch) != (identity.log, identity.epoch) || begun.head > source.head() {
        return other(format!(
            "holds the beginning of an export of log {} in epoch {}",
            begun.log, begun.epoch
        ));
    }
    if begun.format != FORMAT {
        return other(format!("holds the beginning of an export of format {}", begun.format));
    }
    if begun.sealed != source.is_sealed() {
        return other("holds the beginning of an export from before the log was sealed".to_owned());
    }
    Ok(())
}

/// What the views say. Where they can't be read, the export is one without: it is of the log.
async fn claims_of(from: &Location, identity: LogIdentity, views: &[Entry]) -> Vec<Claim> {
    crate::views::claims_of(from, identity, views).await.unwrap_or_else(|error| {
        tracing::warn!(%error, "the views can't be read; the export has no digests of them");
        Vec::new()
    })
}

async fn describe(source: &Source, views: Vec<Claim>) -> Result<Manifest, MoveError> {
    let identity = source.identity();
    Ok(Manifest {
        format: FORMAT,
        log: identity.log,
        epoch: identity.epoch,
        epochs: epochs(source).await?,
        head: source.head(),
        sealed: source.is_sealed(),
        receipts: None,
        views,
    })
}

/// Every epoch of the log, as its events tell.
async fn epochs(source: &Source) -> Result<Vec<Epoch>, MoveError> {
    let identity = source.identity();
    let mut epochs: Vec<Epoch> = Vec::new();
    let Some(log) = LogId::from_id(&identity.log.to_string()) else { return Ok(epochs) };
    let tag = Subject::Log(log).tag();
    let mut after = 0;
    while after < source.head() {
        let page = source.filed(tag.clone(), after, PAGE).await?;
        for event in &page.events {
            let recorded = event.decode()?;
            let Event::Log(LogEvent::EpochOpened { epoch, previous_epoch, .. }) = recorded.event else {
                continue;
            };
            if epochs.is_empty() {
                epochs.push(Epoch { epoch: previous_epoch, first: 1 });
            }
            epochs.push(Epoch { epoch, first: recorded.position });
        }
        after = page.through;
    }
    if epochs.is_empty() {
        epochs.push(Epoch { epoch: identity.epoch, first: 1 });
    }
    if epochs.last().map(|last| last.epoch) != Some(identity.epoch) {
        let what = "the log's events don't tell of the epoch that it is in".to_owned();
        return Err(ReadError::DataLoss { position: source.head(), what }.into());
    }
    Ok(epochs)
}

/// An export under way.
struct Writing {
    folder: Folder,
    source: Source,
    manifest: Manifest,
    lines: u64,
}

/// Lines that will be a file.
#[derive(Default)]
struct Lines {
    bytes: Vec<u8>,
    count: u64,
}

impl Lines {
    fn add(&mut self, line: &impl Line) {
        line.write(&mut self.bytes);
        self.count += 1;
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.count = 0;
    }
}

impl Writing {
    fn is_full(&self, lines: &Lines) -> bool {
        lines.count >= self.lines || lines.bytes.len() >= SEGMENT_BYTES
    }

    async fn events(&mut self, progress: &mut impl FnMut(Progress)) -> Result<(), MoveError> {
        let head = self.manifest.head;
        // The last file that is there is whole, however many lines it has: its end is read again.
        let mut written = self.done(Kind::Events)?;
        let mut lines = Lines::default();
        while written + lines.count < head {
            let page = self.source.page(written + lines.count, head, PAGE).await?;
            for event in &page.events {
                lines.add(event);
                if self.is_full(&lines) {
                    self.folder.add(Kind::Events, written + 1, &lines.bytes)?;
                    written += lines.count;
                    lines.clear();
                    progress(Progress { phase: Phase::Events, done: written, of: head });
                }
            }
        }
        if lines.count > 0 {
            self.folder.add(Kind::Events, written + 1, &lines.bytes)?;
            progress(Progress { phase: Phase::Events, done: head, of: head });
        }
        Ok(())
    }

    /// How many receipts there are in the end.
    async fn receipts(&mut self, progress: &mut impl FnMut(Progress)) -> Result<u64, MoveError> {
        let mut written = self.done(Kind::Receipts)?;
        let of = self.source.count(self.manifest.head).await?;
        let last = match self.folder.of(Kind::Receipts).last() {
            Some((_, last)) => self.folder.read::<super::StoredRequest>(last, |_| None)?.pop(),
            None => None,
        };
        let mut after = last.map(|last| (last.request_id, last.principal));
        let mut lines = Lines::default();
        loop {
            let page = self.source.receipts(after.take(), self.manifest.head, PAGE_EVENTS).await?;
            let Some(last) = page.last() else { break };
            after = Some((last.request_id, last.principal.clone()));
            for receipt in &page {
                lines.add(receipt);
                if self.is_full(&lines) {
                    self.folder.add(Kind::Receipts, written + 1, &lines.bytes)?;
                    written += lines.count;
                    lines.clear();
                    progress(Progress { phase: Phase::Receipts, done: written, of: of.max(written) });
                }
            }
        }
        if lines.count > 0 {
            self.folder.add(Kind::Receipts, written + 1, &lines.bytes)?;
            written += lines.count;
            progress(Progress { phase: Phase::Receipts, done: written, of: written });
        }
        Ok(written)
    }

    /// How many lines of a kind are in whole files already.
    fn done(&self, kind: Kind) -> Result<Position, MoveError> {
        let Some((first, last)) = self.folder.of(kind).last() else { return Ok(0) };
        let lines = match kind {
            Kind::Events => self.folder.read::<crate::StoredEvent>(last, |event| Some(event.position))?.len(),
            Kind::Receipts => self.folder.read::<super::StoredRequest>(last, |_| None)?.len(),
        };
        Ok(first - 1 + lines as u64)
    }
}
