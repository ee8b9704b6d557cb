//! What a proof is about, and why it may not hold.

use crate::hash::{Algorithm, Hash};

/// A tree as it is known by its size and its root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TreeHead {
    /// How many leaves it has.
    pub size: u64,
    /// The hash over all of them (MTH of RFC 6962 §2.1).
    pub root: Hash,
}

impl TreeHead {
    /// The tree without leaves.
    pub fn empty(algorithm: Algorithm) -> Self {
        Self { size: 0, root: algorithm.empty_root() }
    }
}

/// Why a proof can't be made, or doesn't hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// There is no such leaf.
    #[error("leaf {index} is beyond the tree of size {size}")]
    Beyond {
        /// The index of the leaf.
        index: u64,
        /// The size of the tree.
        size: u64,
    },
    /// A tree only grows.
    #[error("the tree of size {new} is smaller than the one of size {old} before it")]
    Shrunk {
        /// The size before.
        old: u64,
        /// The size after.
        new: u64,
    },
    /// The proof has fewer hashes than these sizes need.
    #[error("the proof is too short: it has {hashes} hashes")]
    TooShort {
        /// How many it has.
        hashes: usize,
    },
    /// The proof has more hashes than these sizes need.
    #[error("the proof is too long: it has {hashes} hashes")]
    TooLong {
        /// How many it has.
        hashes: usize,
    },
    /// The proof leads elsewhere: the leaf, the root or the proof is not what it should be.
    #[error("the root at size {size} is {claimed}, but the proof leads to {computed}")]
    Root {
        /// The size of the tree whose root was not reached.
        size: u64,
        /// What the proof leads to.
        computed: Hash,
        /// What should be the root.
        claimed: Hash,
    },
    /// Two trees of one size: the log has shown different histories.
    #[error("the tree of size {size} has two roots, {one} and {other}")]
    Fork {
        /// The size of both.
        size: u64,
        /// The one root.
        one: Hash,
        /// The other root.
        other: Hash,
    },
}

/// Whether the proof led to the root that is claimed.
pub(crate) fn reached(computed: Hash, head: &TreeHead) -> Result<(), ProofError> {
    if computed == head.root {
        Ok(())
    } else {
        Err(ProofError::Root { size: head.size, computed, claimed: head.root })
    }
}
