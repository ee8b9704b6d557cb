//! An export that was taken before the tree went on: what came after it is not in it, and that is no fault.
//!
//! Its manifest says where it ends, and nothing but its own word tells that it was there that it was taken: who cuts
//! an export and writes its manifest anew has an older export. So it is always said how far the tree goes on. A log
//! in use has no such excuse.

use std::sync::Arc;

use duban_log::Archive;
use duban_merkle::TreeHead;

use crate::store::Store;

/// The tree beside an export.
pub(super) struct Since(Arc<Store>);

impl Since {
    /// The stored tree, if what is verified is an export.
    pub(super) fn of(archive: &Archive, tree: &Arc<Store>) -> Option<Self> {
        archive.is_export().then(|| Self(Arc::clone(tree)))
    }

    /// Whether the tree `later`, which was signed, is the tree `taken` with leaves appended. That is proven from the
    /// one root to the other by hashes that are taken from the folder: whoever changed them finds no proof.
    pub(super) fn shows(&self, taken: &TreeHead, later: &TreeHead) -> bool {
        let begins = self.0.head_within(taken.size, later.size).is_ok_and(|head| head == *taken);
        begins && self.0.consistency(taken.size, later.size, later).is_ok()
    }
}
