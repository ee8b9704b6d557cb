//! The right edge of a growing tree: the complete subtrees that make it up (a compact range from leaf 0). It is
//! all that is needed to append and to know the root: at most 63 hashes, whatever the size.

use crate::hash::{Algorithm, Hash};
use crate::node::{Node, Span};
use crate::proof::TreeHead;

/// The largest size of a tree. Proofs then have at most 63 hashes, which is what `tlog-witness` allows.
pub const SIZE_MAX: u64 = u64::MAX >> 1;

/// A tree that grows, reduced to its right edge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frontier {
    algorithm: Algorithm,
    size: u64,
    /// The hashes of `Span::tree(size).nodes()`.
    peaks: Vec<Hash>,
}

impl Frontier {
    /// The tree without leaves.
    pub fn new(algorithm: Algorithm) -> Self {
        Self { algorithm, size: 0, peaks: Vec::new() }
    }

    /// The tree of this size, read from its stored nodes. Fails only as `read` does, or with `None` of a size
    /// above [`SIZE_MAX`].
    pub fn read<E>(
        algorithm: Algorithm,
        size: u64,
        read: impl FnMut(Node) -> Result<Hash, E>,
    ) -> Result<Option<Self>, E> {
        let peaks = Span::tree(size).nodes().map(read).collect::<Result<_, E>>()?;
        Ok(Self::from_peaks(algorithm, size, peaks))
    }

    /// The tree of this size with the hashes of `Span::tree(size).nodes()`; `None` if they are not as many, or
    /// if the size is above [`SIZE_MAX`]. Whether they are the right ones shows in the root.
    pub fn from_peaks(algorithm: Algorithm, size: u64, peaks: Vec<Hash>) -> Option<Self> {
        let fits = size <= SIZE_MAX && peaks.len() == size.count_ones() as usize;
        fits.then_some(Self { algorithm, size, peaks })
    }

    /// How many leaves it has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The algorithm it is hashed with.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The hashes of the complete subtrees that make it up, from the left.
    pub fn peaks(&self) -> &[Hash] {
        &self.peaks
    }

    /// Appends a leaf by its hash.
    pub fn append(&mut self, leaf: Hash) {
        self.append_noting(leaf, |_, _| ());
    }

    /// Appends a leaf by its hash, and tells each subtree that it completes, the leaf first: what a store of
    /// tiles has to write.
    pub fn append_noting(&mut self, leaf: Hash, mut note: impl FnMut(Node, Hash)) {
        let mut hash = leaf;
        note(Node { level: 0, index: self.size }, hash);
        // Every binary digit 1 at the end of the size is a subtree that the new one stands beside.
        let size = self.size;
        for level in (0..63_u8).take_while(|level| size >> level & 1 == 1) {
            let Some(left) = self.peaks.pop() else { break };
            hash = self.algorithm.node(&left, &hash);
            note(Node { level: level + 1, index: size >> (level + 1) }, hash);
        }
        self.peaks.push(hash);
        self.size += 1;
    }

    /// The hash over all leaves.
    pub fn root(&self) -> Hash {
        let joined =
            self.peaks.iter().rev().copied().reduce(|right, left| self.algorithm.node(&left, &right));
        joined.unwrap_or_else(|| self.algorithm.empty_root())
    }

    /// The size and the root.
    pub fn head(&self) -> TreeHead {
        TreeHead { size: self.size, root: self.root() }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::testing::{ALGORITHM, Naive};

    #[test]
    fn every_root_up_to_300_is_the_naive_one() {
        let tree = Naive::of(300);
        let mut frontier = Frontier::new(ALGORITHM);
        for size in 0..300 {
            assert_eq!(frontier.head(), tree.head(size), "{size}");
            assert_eq!(Frontier::read(ALGORITHM, size, |node| tree.node(node)), Ok(Some(frontier.clone())));
            frontier.append(tree.leaf(size));
        }
    }

    #[test]
    fn it_tells_every_complete_subtree_once() {
        let tree = Naive::of(300);
        let mut frontier = Frontier::new(ALGORITHM);
        let mut told = BTreeMap::new();
        for index in 0..300 {
            frontier.append_noting(tree.leaf(index), |node, hash| {
                assert_eq!(tree.node(node), Ok(hash));
                assert_eq!(told.insert(node, hash), None);
            });
        }
        let complete: u64 = (0..9).map(|level| 300 >> level).sum();
        assert_eq!(told.len() as u64, complete);
    }

    #[test]
    fn a_frontier_of_the_wrong_shape_is_refused() {
        let hash = ALGORITHM.leaf(b"x");
        assert_eq!(Frontier::from_peaks(ALGORITHM, 3, vec![hash]), None);
        assert_eq!(Frontier::from_peaks(ALGORITHM, 4, vec![]), None);
        assert_eq!(Frontier::from_peaks(ALGORITHM, u64::MAX, vec![hash; 64]), None);
        assert!(Frontier::from_peaks(ALGORITHM, SIZE_MAX, vec![hash; 63]).is_some());
    }

    proptest! {
        #[test]
        fn it_goes_on_from_any_size(size in 0..300_u64, more in 0..300_u64) {
            let tree = Naive::of(600);
            let mut frontier = Frontier::read(ALGORITHM, size, |node| tree.node(node)).unwrap().unwrap();
            (size..size + more).for_each(|index| frontier.append(tree.leaf(index)));
            prop_assert_eq!(frontier.head(), tree.head(size + more));
        }
    }
}
