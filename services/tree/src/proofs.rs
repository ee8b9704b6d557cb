//! Proofs read from a tree's tiles. Each is checked against the signed root before it goes out: what is proven is
//! what was signed, or the tree is damaged.

use duban_merkle::proof::TreeHead;
use duban_merkle::{Hash, consistency, inclusion, node};

use crate::store::{Store, StoreError};

/// A leaf and the way from it to a root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inclusion {
    /// Its index in the tree; the event's position is one more.
    pub index: u64,
    /// The leaf.
    pub leaf: Vec<u8>,
    /// The sibling hashes, from the leaf up.
    pub path: Vec<Hash>,
}

impl Store {
    /// That the leaf at `index` is in the tree `head`, which was signed. Fails with [`StoreError::Damaged`] where
    /// the tiles don't lead to its root, or the tree has no such leaf.
    pub fn inclusion(&self, index: u64, head: &TreeHead) -> Result<Inclusion, StoreError> {
        let damaged = |error: duban_merkle::ProofError| self.untrue(error.to_string());
        let algorithm = self.id().algorithm;
        let spans = inclusion::path(index, head.size).map_err(damaged)?;
        let path = node::hashes(algorithm, &spans, |node| self.node(node, head.size))?;
        let leaf = self.leaf(index, head.size)?;
        inclusion::verify(algorithm, &algorithm.leaf(&leaf), index, head, &path).map_err(damaged)?;
        Ok(Inclusion { index, leaf, path })
    }

    /// That the tree of `new` leaves is the one of `old` with leaves appended, both being part of the tree `head`,
    /// which was signed. Fails with [`StoreError::Damaged`] as [`Store::inclusion`] does, and unless
    /// `old` ≤ `new` ≤ its size.
    pub fn consistency(&self, old: u64, new: u64, head: &TreeHead) -> Result<Vec<Hash>, StoreError> {
        let (earlier, later) = (self.head_within(old, head.size)?, self.head_within(new, head.size)?);
        // The one root that is known from elsewhere is the signed one.
        self.extension(&later, head, head.size)?;
        self.extension(&earlier, &later, head.size)
    }

    /// The consistency proof from the tree of `old` leaves to that of `new`, which was stored at the end of a round,
    /// as the tiles have it. It is not checked: whoever asks knows both roots.
    pub fn growth(&self, old: u64, new: u64) -> Result<Vec<Hash>, StoreError> {
        self.between(old, new, new)
    }

    /// The proof from one tree to another, which holds.
    fn extension(&self, old: &TreeHead, new: &TreeHead, within: u64) -> Result<Vec<Hash>, StoreError> {
        let path = self.between(old.size, new.size, within)?;
        let checked = consistency::verify(self.id().algorithm, old, new, &path);
        checked.map_err(|error| self.untrue(error.to_string()))?;
        Ok(path)
    }

    fn between(&self, old: u64, new: u64, within: u64) -> Result<Vec<Hash>, StoreError> {
        let spans = consistency::path(old, new).map_err(|error| self.untrue(error.to_string()))?;
        node::hashes(self.id().algorithm, &spans, |node| self.node(node, within))
    }

    pub(crate) fn untrue(&self, what: String) -> StoreError {
        StoreError::Damaged { file: self.place().to_owned(), what }
    }
}
