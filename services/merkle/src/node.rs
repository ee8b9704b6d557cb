//! Where hashes stand in the tree. A complete subtree never changes again, so its hash ([`Node`]) is stored;
//! a stretch at the right edge ([`Span`]) is hashed together from the nodes that make it up.

use crate::hash::{Algorithm, Hash};

/// A complete subtree: the 2^`level` leaves from `index` · 2^`level` on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node {
    /// Its height: 0 is a leaf, at most 63.
    pub level: u8,
    /// Its place among the subtrees of its level, from 0 on.
    pub index: u64,
}

/// A stretch of leaves whose hash RFC 6962 §2.1 defines as MTH(D\[begin:end\]): a whole tree, or a side of a split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    begin: u64,
    end: u64,
}

impl Span {
    /// The whole tree of this size.
    pub fn tree(size: u64) -> Self {
        Self { begin: 0, end: size }
    }

    /// The first leaf in it.
    pub fn begin(self) -> u64 {
        self.begin
    }

    /// The first leaf after it.
    pub fn end(self) -> u64 {
        self.end
    }

    /// Both sides of a stretch of two leaves or more: on the left the largest power of two that is less.
    pub(crate) fn split(self) -> (Span, Span) {
        let left = 1 << (self.end - self.begin - 1).ilog2();
        let middle = self.begin + left;
        (Self { begin: self.begin, end: middle }, Self { begin: middle, end: self.end })
    }

    /// The complete subtrees that make it up, from the left: one for each binary digit of its length. These are
    /// what must be read to hash it.
    pub fn nodes(self) -> impl DoubleEndedIterator<Item = Node> {
        let length = self.end - self.begin;
        (0..64_u8).rev().filter(move |level| length >> level & 1 == 1).map(move |level| {
            // What stands to the left of it: the larger digits.
            let before = self.begin + (length & (u64::MAX << level << 1));
            Node { level, index: before >> level }
        })
    }

    /// Its hash, from the hashes of its nodes. Fails only as `read` does.
    pub fn hash<E>(
        self,
        algorithm: Algorithm,
        mut read: impl FnMut(Node) -> Result<Hash, E>,
    ) -> Result<Hash, E> {
        let mut right = None;
        for node in self.nodes().rev() {
            let left = read(node)?;
            right = Some(right.map_or(left, |right| algorithm.node(&left, &right)));
        }
        Ok(right.unwrap_or_else(|| algorithm.empty_root()))
    }
}

/// The hashes of several stretches: a proof, from its path. Fails only as `read` does.
pub fn hashes<E>(
    algorithm: Algorithm,
    path: &[Span],
    mut read: impl FnMut(Node) -> Result<Hash, E>,
) -> Result<Vec<Hash>, E> {
    path.iter().map(|span| span.hash(algorithm, &mut read)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{ALGORITHM, Naive};

    #[test]
    fn a_tree_of_seven_leaves_is_a_four_a_two_and_a_one() {
        let nodes: Vec<(u8, u64)> = Span::tree(7).nodes().map(|node| (node.level, node.index)).collect();
        assert_eq!(nodes, [(2, 0), (1, 2), (0, 6)]);
        assert_eq!(Span::tree(0).nodes().count(), 0);
        assert_eq!(Span::tree(u64::MAX).nodes().count(), 64);
        assert_eq!(Span::tree(1 << 63).nodes().next(), Some(Node { level: 63, index: 0 }));
    }

    #[test]
    fn every_root_up_to_300_is_the_naive_one() {
        let tree = Naive::of(300);
        for size in 0..=300 {
            let root = Span::tree(size).hash(ALGORITHM, |node| tree.node(node));
            assert_eq!(root, Ok(tree.root(size)), "{size}");
        }
    }

    #[test]
    fn a_split_is_at_the_largest_power_of_two_below() {
        for (size, left) in [(2, 1), (3, 2), (4, 2), (5, 4), (8, 4), (9, 8), (u64::MAX, 1 << 63)] {
            let (low, high) = Span::tree(size).split();
            assert_eq!((low.begin(), low.end(), high.begin(), high.end()), (0, left, left, size));
        }
    }
}
