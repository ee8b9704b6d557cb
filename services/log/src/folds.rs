//! Folded subjects kept between commands, so that a command on a busy subject need not read its history.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};

use duban_domain::{Subject, Tag, World};
use lru::LruCache;

use crate::log::lock;

/// How many are kept.
const FOLDS_MAX: NonZeroUsize = NonZeroUsize::new(2048).unwrap();

/// Folded subjects by their tags, each as of when it was last used. One may be stale (another process writes, or
/// a slow reader puts what it read long ago): good only for decisions that append on a condition.
pub(crate) struct Folds(Mutex<LruCache<Tag, Arc<World>>>);

impl Default for Folds {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(FOLDS_MAX)))
    }
}

impl Folds {
    pub(crate) fn get(&self, subject: &Subject) -> Option<Arc<World>> {
        lock(&self.0).get(&subject.tag()).cloned()
    }

    /// Keeps the newer of what it has and what it is given.
    pub(crate) fn put(&self, subject: &Subject, world: Arc<World>) {
        let mut folds = lock(&self.0);
        let tag = subject.tag();
        if folds.peek(&tag).is_none_or(|had| had.last(subject) <= world.last(subject)) {
            folds.put(tag, world);
        }
    }

    /// Lets go of a subject that has moved on.
    pub(crate) fn forget(&self, tag: &Tag) {
        lock(&self.0).pop(tag);
    }
}
