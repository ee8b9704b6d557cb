//! Folded subjects kept between commands, so that a command on a busy subject need not read its history.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};

use duban_domain::World;
use duban_domain::subject::Subject;
use lru::LruCache;

use crate::log::lock;

/// How many are kept.
const FOLDS_MAX: NonZeroUsize = NonZeroUsize::new(2048).unwrap();

/// Folded subjects, each as of when it was last used. Only good for decisions that append.
pub(crate) struct Folds(Mutex<LruCache<Subject, Arc<World>>>);

impl Default for Folds {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(FOLDS_MAX)))
    }
}

impl Folds {
    pub(crate) fn get(&self, subject: &Subject) -> Option<Arc<World>> {
        lock(&self.0).get(subject).cloned()
    }

    /// Keeps the newer of what it has and what it is given.
    pub(crate) fn put(&self, subject: Subject, world: Arc<World>) {
        let mut folds = lock(&self.0);
        let newer = folds.peek(&subject).is_none_or(|had| had.last(&subject) <= world.last(&subject));
        if newer {
            folds.put(subject, world);
        }
    }
}
