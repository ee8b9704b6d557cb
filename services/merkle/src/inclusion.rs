//! That a leaf is in a tree, at its index.

use crate::hash::{Algorithm, Hash};
use crate::node::Span;
use crate::proof::{ProofError, TreeHead, reached};

/// What the proof for leaf `index` in the tree of `size` is made of, from the leaf to the root: PATH of RFC 6962
/// §2.1.1. [`crate::node::hashes`] makes the proof of it. Fails with [`ProofError::Beyond`].
pub fn path(index: u64, size: u64) -> Result<Vec<Span>, ProofError> {
    if index >= size {
        return Err(ProofError::Beyond { index, size });
    }
    let mut path = Vec::new();
    let mut rest = Span::tree(size);
    while rest.end() - rest.begin() > 1 {
        let (left, right) = rest.split();
        let (inside, beside) = if index < left.end() { (left, right) } else { (right, left) };
        path.push(beside);
        rest = inside;
    }
    path.reverse();
    Ok(path)
}

/// Whether the leaf of this hash stands at `index` in the tree: RFC 9162 §2.1.3.2.
pub fn verify(
    algorithm: Algorithm,
    leaf: &Hash,
    index: u64,
    head: &TreeHead,
    proof: &[Hash],
) -> Result<(), ProofError> {
    if index >= head.size {
        return Err(ProofError::Beyond { index, size: head.size });
    }
    let (mut node, mut last) = (index, head.size - 1);
    let mut hash = *leaf;
    for beside in proof {
        if last == 0 {
            return Err(ProofError::TooLong { hashes: proof.len() });
        }
        if node & 1 == 1 || node == last {
            hash = algorithm.node(beside, &hash);
            // At the right edge, levels on which nothing stands to the left are passed over.
            let passed = node.trailing_zeros();
            node >>= passed;
            last >>= passed;
        } else {
            hash = algorithm.node(&hash, beside);
        }
        node >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(ProofError::TooShort { hashes: proof.len() });
    }
    reached(hash, head)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::node::hashes;
    use crate::testing::{ALGORITHM, Naive, mutations};

    #[test]
    fn every_leaf_of_every_tree_up_to_300_is_proven_as_naively() {
        let tree = Naive::of(300);
        for size in 1..=300 {
            for index in 0..size {
                let path = path(index, size).unwrap();
                let proof = hashes(ALGORITHM, &path, |node| tree.node(node)).unwrap();
                assert_eq!(proof, tree.inclusion(index, size), "{index} in {size}");
                assert_eq!(verify(ALGORITHM, &tree.leaf(index), index, &tree.head(size), &proof), Ok(()));
            }
        }
    }

    #[test]
    fn no_changed_proof_holds() {
        let tree = Naive::of(13);
        for size in 1..=13 {
            for index in 0..size {
                let (leaf, head) = (tree.leaf(index), tree.head(size));
                for proof in mutations(&tree.inclusion(index, size)) {
                    assert!(verify(ALGORITHM, &leaf, index, &head, &proof).is_err(), "{index} in {size}");
                }
            }
        }
    }

    #[test]
    fn no_proof_holds_for_another_index_leaf_or_root() {
        let tree = Naive::of(40);
        for size in 1..=40 {
            for index in 0..size {
                let (leaf, head) = (tree.leaf(index), tree.head(size));
                let proof = tree.inclusion(index, size);
                for other in (0..64).chain([u64::MAX]).filter(|other| *other != index) {
                    assert!(verify(ALGORITHM, &leaf, other, &head, &proof).is_err(), "{index} as {other}");
                    let leaf = ALGORITHM.leaf(&other.to_be_bytes());
                    assert!(verify(ALGORITHM, &leaf, index, &head, &proof).is_err());
                    let head = TreeHead { root: leaf, ..head };
                    assert!(verify(ALGORITHM, &tree.leaf(index), index, &head, &proof).is_err());
                }
            }
        }
    }

    #[test]
    fn a_proof_holds_for_its_own_size_alone() {
        let tree = Naive::of(40);
        for size in 1..=40 {
            for index in 0..size {
                let (leaf, proof) = (tree.leaf(index), tree.inclusion(index, size));
                for other in (1..=40).filter(|other| *other != size) {
                    assert!(verify(ALGORITHM, &leaf, index, &tree.head(other), &proof).is_err());
                }
            }
        }
    }

    #[test]
    fn the_error_says_what_is_wrong() {
        let tree = Naive::of(8);
        let (leaf, head, proof) = (tree.leaf(2), tree.head(8), tree.inclusion(2, 8));
        let outcome = |index, proof: &[Hash]| verify(ALGORITHM, &leaf, index, &head, proof);
        assert_eq!(outcome(8, &proof), Err(ProofError::Beyond { index: 8, size: 8 }));
        assert_eq!(outcome(2, &proof[..2]), Err(ProofError::TooShort { hashes: 2 }));
        assert_eq!(outcome(2, &[&proof[..], &[leaf]].concat()), Err(ProofError::TooLong { hashes: 4 }));
        let wrong = outcome(3, &proof);
        assert!(matches!(wrong, Err(ProofError::Root { size: 8, claimed, .. }) if claimed == head.root));
        assert_eq!(path(0, 0), Err(ProofError::Beyond { index: 0, size: 0 }));
    }

    proptest! {
        #[test]
        fn no_numbers_make_it_panic(index in any::<u64>(), size in any::<u64>(), hashes in 0..70_usize) {
            let hash = ALGORITHM.leaf(b"x");
            let head = TreeHead { size, root: hash };
            prop_assert!(verify(ALGORITHM, &hash, index, &head, &vec![hash; hashes]).is_err() || size == 1);
            if let Ok(path) = path(index, size) {
                prop_assert!(path.len() <= 64);
                prop_assert!(path.iter().all(|span| span.end() <= size));
            }
        }
    }
}
