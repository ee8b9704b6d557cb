//! What is published of a tree. Only the one who writes it does: a builder that has lost its place publishes nothing
//! over what the next one has.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use duban_merkle::Verifier;

use super::files::Pen;
use super::{CHECKPOINT, HANDOVERS, KEYS, SHOWN_HANDOVERS, StoreError};
use crate::handover::Handover;

/// Of the one who writes a tree, with what it publishes. Cheap to clone; the tree has its writer until all are dropped.
#[derive(Clone)]
pub struct Press(Arc<Mutex<Box<dyn Pen>>>);

impl Press {
    pub(super) fn new(pen: Box<dyn Pen>) -> Self {
        Self(Arc::new(Mutex::new(pen)))
    }

    /// Publishes a checkpoint: replaces the one before at once.
    pub fn publish(&self, note: &str) -> Result<(), StoreError> {
        self.pen().replace(CHECKPOINT, note.as_bytes())
    }

    /// Says with which keys the checkpoints are signed.
    pub(crate) fn name_keys(&self, keys: &[Verifier]) -> Result<(), StoreError> {
        let lines: Vec<String> = keys.iter().map(ToString::to_string).collect();
        self.pen().replace(KEYS, (lines.join("\n") + "\n").as_bytes())
    }

    /// Keeps a checkpoint at which keys handed over.
    pub(crate) fn hand_over(&self, size: u64, note: &str) -> Result<(), StoreError> {
        self.pen().replace(&format!("{HANDOVERS}/{size}"), note.as_bytes())
    }

    /// Shows the handovers.
    pub(crate) fn show_handovers(&self, handovers: &[Handover]) -> Result<(), StoreError> {
        // Numbers, and texts that are texts already.
        let json = serde_json::to_vec(handovers).unwrap_or_else(|error| unreachable!("{error}"));
        self.pen().replace(SHOWN_HANDOVERS, &json)
    }

    pub(super) fn pen(&self) -> MutexGuard<'_, Box<dyn Pen>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
