//! Which events a reader wants, and pages of them from storage.

use std::collections::BTreeSet;

use duban_domain::{Position, Tag};
use duban_log::{Log, Page, ReadError, StoredEvent};

/// The most events that are read from storage at once for one reader.
pub(crate) const PAGE_EVENTS: usize = 256;

/// Which events are wanted. Nothing said: all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Selection {
    /// Of any of these types; empty: of every type.
    pub(crate) types: BTreeSet<String>,
    /// Filed under any of these; empty: all.
    pub(crate) tags: Vec<Tag>,
}

impl Selection {
    /// Whether an event is wanted.
    pub(crate) fn passes(&self, event: &StoredEvent) -> bool {
        let typed = self.types.is_empty() || self.types.contains(&event.event_type);
        let filed = || event.tags.iter().any(|filed| self.tags.contains(&filed.tag));
        typed && (self.tags.is_empty() || filed())
    }

    /// The next of the wanted events after `after` up to `up_to`, which must be beyond it and committed. The
    /// page may be empty though there are more to come: go on after its end.
    pub(crate) async fn page(&self, log: &Log, after: Position, up_to: Position) -> Result<Page, ReadError> {
        let mut page = match self.tags.as_slice() {
            [] => log.read(after, PAGE_EVENTS).await?,
            tags => log.read_tags(tags, after, up_to, PAGE_EVENTS).await?,
        };
        page.through = page.through.min(up_to);
        page.events.retain(|event| event.position <= up_to && self.passes(event));
        Ok(page)
    }
}
