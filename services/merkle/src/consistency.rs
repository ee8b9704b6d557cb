//! That a tree is an earlier one with leaves appended, and nothing else.
//!
//! Any tree is consistent with the empty one, so the proof from size 0 is empty (`tlog-witness`; RFC 9162
//! leaves it undefined), and so is the proof between equal sizes.

use crate::hash::{Algorithm, Hash};
use crate::node::Span;
use crate::proof::{ProofError, TreeHead, reached};

/// What the proof from the tree of size `old` to the tree of size `new` is made of, from the leaves to the root:
/// PROOF of RFC 6962 §2.1.2. [`crate::node::hashes`] makes the proof of it. Fails with [`ProofError::Shrunk`].
pub fn path(old: u64, new: u64) -> Result<Vec<Span>, ProofError> {
    if old > new {
        return Err(ProofError::Shrunk { old, new });
    }
    let mut path = Vec::new();
    if old == 0 {
        return Ok(path);
    }
    // Down to the subtree on whose end the old tree ends.
    let mut rest = Span::tree(new);
    while rest.end() != old {
        let (left, right) = rest.split();
        let (inside, beside) = if old <= left.end() { (left, right) } else { (right, left) };
        path.push(beside);
        rest = inside;
    }
    // If it begins at the first leaf, it is the old tree itself, whose root the verifier has.
    if rest.begin() > 0 {
        path.push(rest);
    }
    path.reverse();
    Ok(path)
}

/// Whether the tree `new` is the tree `old` with leaves appended: RFC 9162 §2.1.4.2.
pub fn verify(
    algorithm: Algorithm,
    old: &TreeHead,
    new: &TreeHead,
    proof: &[Hash],
) -> Result<(), ProofError> {
    if old.size > new.size {
        return Err(ProofError::Shrunk { old: old.size, new: new.size });
    }
    for head in [old, new].into_iter().filter(|head| head.size == 0) {
        reached(algorithm.empty_root(), head)?;
    }
    if old.size == 0 || old.size == new.size {
        if !proof.is_empty() {
            return Err(ProofError::TooLong { hashes: proof.len() });
        }
        let fork = old.size == new.size && old.root != new.root;
        return if fork { Err(forked(old, new)) } else { Ok(()) };
    }
    let (old_root, new_root) = walk(algorithm, old, new, proof)?;
    reached(old_root, old)?;
    reached(new_root, new)
}

/// The roots of both trees that the proof leads to. `0 < old.size < new.size`.
fn walk(
    algorithm: Algorithm,
    old: &TreeHead,
    new: &TreeHead,
    proof: &[Hash],
) -> Result<(Hash, Hash), ProofError> {
    let (mut node, mut last) = (old.size - 1, new.size - 1);
    let passed = node.trailing_ones();
    node >>= passed;
    last >>= passed;
    // An old tree that is a complete subtree of the new one is its own first hash.
    let (seed, rest) = if old.size.is_power_of_two() {
        (old.root, proof)
    } else {
        let (seed, rest) = proof.split_first().ok_or(ProofError::TooShort { hashes: 0 })?;
        (*seed, rest)
    };
    let (mut old_hash, mut new_hash) = (seed, seed);
    for beside in rest {
        if last == 0 {
            return Err(ProofError::TooLong { hashes: proof.len() });
        }
        if node & 1 == 1 || node == last {
            old_hash = algorithm.node(beside, &old_hash);
            new_hash = algorithm.node(beside, &new_hash);
            // At the right edge, levels on which nothing stands to the left are passed over.
            let passed = node.trailing_zeros();
            node >>= passed;
            last >>= passed;
        } else {
            new_hash = algorithm.node(&new_hash, beside);
        }
        node >>= 1;
        last >>= 1;
    }
    if last == 0 { Ok((old_hash, new_hash)) } else { Err(ProofError::TooShort { hashes: proof.len() }) }
}

fn forked(old: &TreeHead, new: &TreeHead) -> ProofError {
    ProofError::Fork { size: old.size, one: old.root, other: new.root }
}

#[cfg(test)]
mod tests;
