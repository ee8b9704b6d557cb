//! What the tests of moving share: a log with something of everything in it, and ways to move it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use duban_log::moving::{ExportOptions, LoadOptions, Loaded, Manifest, MoveError, Progress, export, load};
use duban_log::{Ids, Location, Log, LogOptions, StoredEvent, StoredReceipt};
use tempfile::TempDir;

use crate::support::domain::rename_many;
use crate::support::{Fixture, append, everything, raw, request};

/// Lines in a file of the exports here: few, so that there are many files.
const LINES: u64 = 7;
/// Requests in the log of a scene.
pub(crate) const REQUESTS: u128 = 60;

/// A log of 60 requests: most with an event, one that changed nothing, and bodies that are no text.
pub(crate) async fn fixture() -> Fixture {
    let f = Fixture::new().await;
    rename_many(&f.log, 50).await;
    for id in 51..=REQUESTS {
        let mut one = append(id, &[&["a", "b"], &["督"]]);
        one.origin.trace_id = Some("0af7651916cd43dd8448eb211c80319c".into());
        one.origin.causation = Some(7);
        one.events.push(raw("test.happened.v1", &[], &[0xff, 0, b'"', b'\n']));
        one.events[0].body = " {\"a\" : \"督\u{2028}\\n\"}".as_bytes().into();
        if id == 55 {
            one.events.clear();
            one.read_at = f.log.head().await.unwrap();
        }
        f.log.append(one).await.unwrap();
    }
    f
}

/// All that a log holds.
#[derive(Debug, PartialEq)]
pub(crate) struct Contents {
    pub(crate) events: Vec<StoredEvent>,
    pub(crate) receipts: Vec<Option<StoredReceipt>>,
}

pub(crate) async fn contents(log: &Log) -> Contents {
    let mut receipts = Vec::new();
    for id in 1..=REQUESTS {
        receipts.push(log.receipt("tester", request(id)).await.unwrap());
    }
    Contents { events: everything(log).await, receipts }
}

pub(crate) fn at(folder: &Path) -> Location {
    Location::Folder(folder.to_owned())
}

pub(crate) struct Exporting {
    pub(crate) folder: TempDir,
}

impl Exporting {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("export")
    }

    pub(crate) fn options(&self, f: &Fixture) -> ExportOptions {
        let clock = Arc::clone(&f.clock) as Arc<dyn duban_log::Clock>;
        ExportOptions { lines: LINES, clock, ..ExportOptions::new(at(f.folder.path()), self.path()) }
    }

    pub(crate) async fn export(&self, f: &Fixture) -> Result<Manifest, MoveError> {
        export(self.options(f), |_| {}).await
    }

    /// Exports and ends the source, which must be closed.
    pub(crate) async fn seal(&self, f: &Fixture) -> Result<Manifest, MoveError> {
        export(ExportOptions { seal: true, ..self.options(f) }, |_| {}).await
    }
}

/// Where a log is loaded.
pub(crate) struct Home {
    pub(crate) folder: TempDir,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn options(&self, f: &Fixture, export: &Path) -> LoadOptions {
        let clock = Arc::clone(&f.clock) as Arc<dyn duban_log::Clock>;
        let ids = Arc::new(duban_log::clock::CountedIds::new(2)) as Arc<dyn Ids>;
        LoadOptions { clock, ids, ..LoadOptions::new(export, at(self.folder.path())) }
    }

    pub(crate) async fn load(&self, f: &Fixture, export: &Exporting) -> Result<Loaded, MoveError> {
        self.load_with(f, export, |_| {}).await
    }

    pub(crate) async fn load_with(
        &self,
        f: &Fixture,
        export: &Exporting,
        progress: impl FnMut(Progress),
    ) -> Result<Loaded, MoveError> {
        load(self.options(f, &export.path()), progress).await
    }

    pub(crate) async fn open(&self, f: &Fixture) -> Result<Log, duban_log::OpenError> {
        let clock = Arc::clone(&f.clock) as Arc<dyn duban_log::Clock>;
        Log::open(LogOptions::new(self.folder.path()).clock(clock)).await
    }
}
