//! The folder of an export, read line by line whatever became of it.

use std::path::Path;

use crate::append::LogIdentity;
use crate::archive::{Stretch, Unreadable};
use crate::event::StoredEvent;
use crate::moving::{Evidence, FoundLines, Kind, Line, Manifest, MoveError, Segment, StoredRequest};

/// An export, and what is wrong with it as a set of files.
pub(super) struct Export {
    evidence: Evidence,
    pub(super) manifest: Manifest,
    pub(super) faults: Vec<Unreadable>,
}

impl Export {
    pub(super) fn open(folder: &Path) -> Result<Self, MoveError> {
        let (evidence, manifest, faults) = Evidence::open(folder)?;
        let faults = faults.into_iter().map(|what| Unreadable { position: None, what }).collect();
        Ok(Self { evidence, manifest, faults })
    }

    pub(super) fn identity(&self) -> LogIdentity {
        LogIdentity { log: self.manifest.log, epoch: self.manifest.epoch }
    }

    pub(super) async fn events(&self, files: &mut usize) -> Result<Option<Stretch>, MoveError> {
        let Some(segment) = self.next(Kind::Events, files) else { return Ok(None) };
        let first = segment.first(Kind::Events);
        let FoundLines { lines, fault } = self.read::<StoredEvent>(segment).await?;
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
        Ok(Some(Stretch {
            events: Box::new(events),
            file: fault.map(|what| Unreadable { position: first, what }),
        }))
    }

    pub(super) async fn receipts(
        &self,
        files: &mut usize,
    ) -> Result<Option<Vec<Result<StoredRequest, Unreadable>>>, MoveError> {
        let Some(segment) = self.next(Kind::Receipts, files) else { return Ok(None) };
        let FoundLines { lines, fault } = self.read::<StoredRequest>(segment).await?;
        let of = |what: String| Unreadable { position: None, what };
        let receipts = lines.map(|line| line.map_err(of)).chain(fault.map(|what| Err(of(what))));
        Ok(Some(receipts.collect()))
    }

    /// The next file of a kind.
    fn next(&self, kind: Kind, files: &mut usize) -> Option<Segment> {
        let segment = self.evidence.of(kind).get(*files).cloned()?;
        *files += 1;
        Some(segment)
    }

    async fn read<L: Line>(&self, segment: Segment) -> Result<FoundLines<L>, MoveError> {
        let evidence = self.evidence.clone();
        let read = tokio::task::spawn_blocking(move || evidence.read(&segment)).await;
        read.unwrap_or_else(|panicked| std::panic::resume_unwind(panicked.into_panic()))
    }
}
