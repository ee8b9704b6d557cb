use proptest::prelude::*;

use super::*;
use crate::node::hashes;
use crate::testing::{ALGORITHM, Naive, mutations};

#[test]
fn every_pair_of_trees_up_to_300_is_proven_as_naively() {
    let tree = Naive::of(300);
    for new in 0..=300 {
        for old in 0..=new {
            let path = path(old, new).unwrap();
            let proof = hashes(ALGORITHM, &path, |node| tree.node(node)).unwrap();
            assert_eq!(proof, tree.consistency(old, new), "{old} to {new}");
            assert_eq!(verify(ALGORITHM, &tree.head(old), &tree.head(new), &proof), Ok(()));
        }
    }
}

#[test]
fn no_changed_proof_holds() {
    let tree = Naive::of(13);
    for new in 0..=13 {
        for old in 0..=new {
            for proof in mutations(&tree.consistency(old, new)) {
                let outcome = verify(ALGORITHM, &tree.head(old), &tree.head(new), &proof);
                assert!(outcome.is_err(), "{old} to {new}");
            }
        }
    }
}

#[test]
fn no_proof_holds_for_other_sizes_or_roots() {
    let tree = Naive::of(40);
    let forged = ALGORITHM.leaf(b"forged");
    for new in 2..=40 {
        for old in 1..new {
            let proof = tree.consistency(old, new);
            let (from, to) = (tree.head(old), tree.head(new));
            for size in (1..=45).chain([u64::MAX]) {
                let (other_from, other_to) = (TreeHead { size, ..from }, TreeHead { size, ..to });
                assert!(
                    size == old || verify(ALGORITHM, &other_from, &to, &proof).is_err(),
                    "{size} to {new}"
                );
                // A complete tree and another one of its height may share a proof: the sizes are bound by who
                // signs them together with the root, and by the proof's length only in part.
                let held = verify(ALGORITHM, &from, &other_to, &proof).is_ok();
                assert!(!held || tree.consistency(old, size.min(40)).len() == proof.len(), "{old} to {size}");
            }
            assert!(verify(ALGORITHM, &TreeHead { root: forged, ..from }, &to, &proof).is_err());
            assert!(verify(ALGORITHM, &from, &TreeHead { root: forged, ..to }, &proof).is_err());
            assert!(verify(ALGORITHM, &to, &from, &proof).is_err());
        }
    }
}

#[test]
fn a_rewritten_history_has_no_proof() {
    let (tree, mut other) = (Naive::of(40), Naive::of(40));
    other.rewrite(3);
    for new in 5..=40 {
        for old in 4..new {
            for proof in [tree.consistency(old, new), other.consistency(old, new)] {
                assert!(verify(ALGORITHM, &tree.head(old), &other.head(new), &proof).is_err());
            }
        }
    }
}

#[test]
fn the_proof_from_the_empty_tree_is_empty() {
    let tree = Naive::of(8);
    let empty = TreeHead::empty(ALGORITHM);
    assert_eq!(verify(ALGORITHM, &empty, &tree.head(8), &[]), Ok(()));
    assert_eq!(verify(ALGORITHM, &empty, &empty, &[]), Ok(()));
    let long = verify(ALGORITHM, &empty, &tree.head(8), &[tree.leaf(0)]);
    assert_eq!(long, Err(ProofError::TooLong { hashes: 1 }));
    let no_empty_root = TreeHead { size: 0, root: tree.leaf(0) };
    for (old, new) in [(no_empty_root, tree.head(8)), (no_empty_root, no_empty_root), (empty, no_empty_root)]
    {
        assert!(matches!(verify(ALGORITHM, &old, &new, &[]), Err(ProofError::Root { size: 0, .. })));
    }
}

#[test]
fn the_error_says_what_is_wrong() {
    let tree = Naive::of(8);
    let forged = TreeHead { root: tree.leaf(0), ..tree.head(7) };
    let proof = tree.consistency(3, 7);
    let from = tree.head(3);
    let outcome = |old: &TreeHead, new: &TreeHead, proof: &[Hash]| verify(ALGORITHM, old, new, proof);
    assert_eq!(outcome(&tree.head(7), &from, &[]), Err(ProofError::Shrunk { old: 7, new: 3 }));
    assert_eq!(path(7, 3), Err(ProofError::Shrunk { old: 7, new: 3 }));
    assert_eq!(outcome(&from, &tree.head(7), &[]), Err(ProofError::TooShort { hashes: 0 }));
    assert_eq!(outcome(&from, &tree.head(7), &proof[..3]), Err(ProofError::TooShort { hashes: 3 }));
    let long = [&proof[..], &proof[..1]].concat();
    assert_eq!(outcome(&from, &tree.head(7), &long), Err(ProofError::TooLong { hashes: 5 }));
    assert!(matches!(outcome(&from, &forged, &proof), Err(ProofError::Root { size: 7, .. })));
    let fork = ProofError::Fork { size: 7, one: tree.head(7).root, other: forged.root };
    assert_eq!(outcome(&tree.head(7), &forged, &[]), Err(fork));
}

proptest! {
    #[test]
    fn no_numbers_make_it_panic(old in any::<u64>(), new in any::<u64>(), hashes in 0..70_usize) {
        let hash = ALGORITHM.leaf(b"x");
        let (old, new) = (TreeHead { size: old, root: hash }, TreeHead { size: new, root: hash });
        prop_assert!(verify(ALGORITHM, &old, &new, &vec![hash; hashes]).is_err() || old == new);
        if let Ok(path) = path(old.size, new.size) {
            prop_assert!(path.len() <= 65);
        }
    }
}
