//! Turns on a busy subject: who lost a race for it queues, first come first served, instead of racing on.
//!
//! Only a courtesy within this process: what keeps commands apart is the condition of their append.

use std::hash::{DefaultHasher, Hash, Hasher};

use duban_domain::Subject;
use tokio::sync::{Mutex, MutexGuard};

/// How many queues there are; subjects that share one only wait longer.
const QUEUES: usize = 256;

/// The queues.
pub(crate) struct Turns(Vec<Mutex<()>>);

impl Default for Turns {
    fn default() -> Self {
        Self((0..QUEUES).map(|_| Mutex::default()).collect())
    }
}

impl Turns {
    /// A turn if others queue already: nobody overtakes them. `None` at once otherwise.
    pub(crate) async fn join(&self, subject: &Subject) -> Option<MutexGuard<'_, ()>> {
        let queue = self.queue(subject);
        if queue.try_lock().is_ok() { None } else { Some(queue.lock().await) }
    }

    /// A turn, waited for.
    pub(crate) async fn wait(&self, subject: &Subject) -> MutexGuard<'_, ()> {
        self.queue(subject).lock().await
    }

    fn queue(&self, subject: &Subject) -> &Mutex<()> {
        let mut hasher = DefaultHasher::new();
        subject.hash(&mut hasher);
        // Cut to the machine's word: any part of a hash is one.
        let hash = usize::try_from(hasher.finish() & 0xffff).unwrap_or_default();
        &self.0[hash % QUEUES]
    }
}
