//! The folder of an export, read line by line whatever became of it.

use std::path::Path;
use std::sync::Arc;

use crate::append::LogIdentity;
use crate::archive::{Receipts, Stretch, Unreadable};
use crate::event::StoredEvent;
use crate::moving::{Evidence, FoundLines, Kind, Line, Manifest, MoveError, Place, StoredRequest};

/// An export, and what is wrong with it as a set of files.
pub(super) struct Export {
    evidence: Arc<Evidence>,
    pub(super) manifest: Manifest,
    pub(super) faults: Vec<Unreadable>,
}

impl Export {
    pub(super) fn open(folder: &Path) -> Result<Self, MoveError> {
        let (evidence, manifest, faults) = Evidence::open(folder)?;
        let faults = faults.into_iter().map(|what| Unreadable { position: None, what }).collect();
        Ok(Self { evidence: Arc::new(evidence), manifest, faults })
    }

    pub(super) fn identity(&self) -> LogIdentity {
        LogIdentity { log: self.manifest.log, epoch: self.manifest.epoch }
    }

    /// The next events of its files; `None` after the last.
    pub(super) async fn events(&self, place: &mut Place) -> Result<Option<Stretch>, MoveError> {
        let Some(FoundLines { lines, first, fault }) = self.read::<StoredEvent>(Kind::Events, place).await?
        else {
            return Ok(None);
        };
        let mut expected = first;
        let events = lines.map(move |line| {
            let found = line.map_err(|what| Unreadable { position: expected, what });
            // Of a line that can't be read the one before it tells the position.
            expected = match &found {
                Ok(event) => Some(event.position + 1),
                Err(_) => expected.map(|position| position + 1),
            };
            found
        });
        let file = fault.map(|what| Unreadable { position: None, what });
        Ok(Some(Stretch { events: Box::new(events), file }))
    }

    /// The next receipts of its files; `None` after the last.
    pub(super) async fn receipts(&self, place: &mut Place) -> Result<Option<Receipts>, MoveError> {
        let found = self.read::<StoredRequest>(Kind::Receipts, place).await?;
        let of = |what: String| Unreadable { position: None, what };
        Ok(found.map(|FoundLines { lines, fault, .. }| Receipts {
            receipts: lines.map(|line| line.map_err(of)).collect(),
            file: fault.map(of),
        }))
    }

    /// Reads on, off the threads that answer calls.
    async fn read<L: Line>(&self, kind: Kind, place: &mut Place) -> Result<Option<FoundLines<L>>, MoveError> {
        let (evidence, mut at) = (Arc::clone(&self.evidence), std::mem::take(place));
        let read = tokio::task::spawn_blocking(move || {
            let found = evidence.read(kind, &mut at);
            (found, at)
        });
        let (found, at) =
            read.await.unwrap_or_else(|panicked| std::panic::resume_unwind(panicked.into_panic()));
        *place = at;
        found
    }
}
