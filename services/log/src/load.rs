//! How much a log has to do, for whoever measures it.

use std::sync::atomic::{AtomicU64, Ordering};

/// What the committer of this process has to do and has done since the log was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    /// Appends that wait for the next batch.
    pub waiting: usize,
    /// Batches that were committed.
    pub batches: u64,
    /// Appends in them, refused ones among them: an append is answered with its batch.
    pub appends: u64,
    /// For how many positions there are partitions; `None` where none are needed.
    pub room: Option<u64>,
}

/// What a committer has committed.
#[derive(Debug, Default)]
pub(crate) struct Committed {
    batches: AtomicU64,
    appends: AtomicU64,
}

impl Committed {
    /// One more batch, of so many appends.
    pub(crate) fn batch(&self, appends: usize) {
        self.batches.fetch_add(1, Ordering::Relaxed);
        self.appends.fetch_add(appends as u64, Ordering::Relaxed);
    }

    /// Beside what waits, and without partitions.
    pub(crate) fn load(&self, waiting: usize) -> Load {
        let (batches, appends) = (self.batches.load(Ordering::Relaxed), self.appends.load(Ordering::Relaxed));
        Load { waiting, batches, appends, room: None }
    }
}
