//! What the committer remembers of the log between two batches, so that it needn't ask: the head, and the last
//! position under tags used lately.
//!
//! Good for as long as nobody else writes, which the folder's lock sees to; and should somebody have written all
//! the same, the positions of the next batch are not dense, and it fails whole. The database is the truth: after
//! any failure it is asked again.

use std::num::NonZeroUsize;

use duban_domain::{Position, Tag};
use lru::LruCache;

use super::plan::{Known, Plan};
use crate::append::Append;

/// How many tags are remembered.
const TAGS_MAX: NonZeroUsize = NonZeroUsize::new(16 * 1024).unwrap();

/// Where the log stood after the last batch.
#[derive(Debug)]
pub(crate) struct Memory {
    /// The head and when it was recorded; `None`: the database is to be asked.
    head: Option<(Position, i64)>,
    lasts: LruCache<Tag, Position>,
}

impl Memory {
    /// Nothing yet.
    pub(crate) fn blank() -> Self {
        Self { head: None, lasts: LruCache::new(TAGS_MAX) }
    }

    /// What the plan of a batch depends on, if all of it but the receipts is remembered.
    pub(crate) fn recall(&mut self, batch: &[Append]) -> Option<Known> {
        let (head, recorded_at) = self.head?;
        let mut known = Known { head, recorded_at, ..Known::default() };
        for tag in batch.iter().flat_map(tags) {
            if !known.lasts.contains_key(tag) {
                known.lasts.insert(tag.clone(), *self.lasts.get(tag)?);
            }
        }
        Some(known)
    }

    /// Takes over what is known after a plan was carried out.
    pub(crate) fn keep(&mut self, plan: &Plan<'_>) {
        let recorded_at = if plan.events.is_empty() { plan.known.recorded_at } else { plan.recorded_at };
        self.head = Some((plan.head, recorded_at));
        for (tag, last) in &plan.known.lasts {
            self.lasts.put(tag.clone(), *last);
        }
    }

    /// Forgets everything: the database may say otherwise.
    pub(crate) fn clear(&mut self) {
        self.head = None;
        self.lasts.clear();
    }
}

/// The tags that an append reads or writes.
pub(crate) fn tags(append: &Append) -> impl Iterator<Item = &Tag> {
    let read = append.condition.read.iter().map(|(tag, _)| tag);
    read.chain(append.events.iter().flat_map(|event| &event.tags))
}
