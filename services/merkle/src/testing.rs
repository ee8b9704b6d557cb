//! A tree as RFC 6962 §2.1 writes it down, recursive and slow, that shares no code with ours but the hashing of
//! one leaf and one node; and what can be done to a proof.

use std::collections::HashMap;

use crate::checkpoint::Checkpoint;
use crate::hash::{Algorithm, Hash};
use crate::key::Signer;
use crate::node::Node;
use crate::policy::{Policy, Quorum, Verified};
use crate::proof::TreeHead;

/// The algorithm of most tests.
pub(crate) const ALGORITHM: Algorithm = Algorithm::Sha256;

/// A tree whose leaf *i* is the decimal *i*.
pub(crate) struct Naive {
    leaves: Vec<Hash>,
    known: std::cell::RefCell<HashMap<(usize, usize), Hash>>,
}

impl Naive {
    pub(crate) fn of(size: u64) -> Self {
        let leaves = (0..size).map(|index| ALGORITHM.leaf(index.to_string().as_bytes())).collect();
        Self { leaves, known: std::cell::RefCell::default() }
    }

    /// Puts another leaf in the place of this one.
    pub(crate) fn rewrite(&mut self, index: usize) {
        self.leaves[index] = ALGORITHM.leaf(b"rewritten");
        self.known.borrow_mut().clear();
    }

    pub(crate) fn leaf(&self, index: u64) -> Hash {
        self.leaves[usize::try_from(index).unwrap()]
    }

    /// As a reader of stored nodes; `Err` of one that is not complete.
    pub(crate) fn node(&self, node: Node) -> Result<Hash, Node> {
        let width = 1 << node.level;
        let begin = usize::try_from(node.index).unwrap() * width;
        if begin + width > self.leaves.len() { Err(node) } else { Ok(self.hash(begin, begin + width)) }
    }

    pub(crate) fn root(&self, size: u64) -> Hash {
        self.hash(0, usize::try_from(size).unwrap())
    }

    pub(crate) fn head(&self, size: u64) -> TreeHead {
        TreeHead { size, root: self.root(size) }
    }

    /// PATH(m, D[n]).
    pub(crate) fn inclusion(&self, index: u64, size: u64) -> Vec<Hash> {
        self.path(usize::try_from(index).unwrap(), 0, usize::try_from(size).unwrap())
    }

    /// PROOF(m, D[n]); empty from the empty tree.
    pub(crate) fn consistency(&self, old: u64, new: u64) -> Vec<Hash> {
        if old == 0 {
            return vec![];
        }
        self.subproof(usize::try_from(old).unwrap(), 0, usize::try_from(new).unwrap(), true)
    }

    /// MTH(D[begin:end]).
    fn hash(&self, begin: usize, end: usize) -> Hash {
        assert!(end <= self.leaves.len(), "no tree of {end}");
        if end == begin {
            return ALGORITHM.empty_root();
        }
        if end - begin == 1 {
            return self.leaves[begin];
        }
        if let Some(hash) = self.known.borrow().get(&(begin, end)) {
            return *hash;
        }
        let k = below(end - begin);
        let hash = ALGORITHM.node(&self.hash(begin, begin + k), &self.hash(begin + k, end));
        self.known.borrow_mut().insert((begin, end), hash);
        hash
    }

    fn path(&self, m: usize, begin: usize, end: usize) -> Vec<Hash> {
        if end - begin == 1 {
            return vec![];
        }
        let k = below(end - begin);
        if m < k {
            [self.path(m, begin, begin + k), vec![self.hash(begin + k, end)]].concat()
        } else {
            [self.path(m - k, begin + k, end), vec![self.hash(begin, begin + k)]].concat()
        }
    }

    fn subproof(&self, m: usize, begin: usize, end: usize, known: bool) -> Vec<Hash> {
        if m == end - begin {
            return if known { vec![] } else { vec![self.hash(begin, end)] };
        }
        let k = below(end - begin);
        if m <= k {
            [self.subproof(m, begin, begin + k, known), vec![self.hash(begin + k, end)]].concat()
        } else {
            [self.subproof(m - k, begin + k, end, false), vec![self.hash(begin, begin + k)]].concat()
        }
    }
}

/// The checkpoint as a client has it that trusts its log, which signs with the seed of ones.
pub(crate) fn verified(checkpoint: &Checkpoint) -> Verified {
    let signer = Signer::ed25519("log".parse().unwrap(), &[1; 32]).unwrap();
    let keys = vec![signer.verifier().clone()];
    let policy = Policy::new(checkpoint.origin(), keys, Quorum::none()).unwrap();
    policy.verify(checkpoint.sign(&[&signer]).unwrap()).unwrap()
}

/// The largest power of two that is less than `n`.
fn below(n: usize) -> usize {
    let mut k = 1;
    while k * 2 < n {
        k *= 2;
    }
    k
}

/// Proofs that are not this one: every bit flipped, every hash left out, repeated, put in or exchanged.
pub(crate) fn mutations(proof: &[Hash]) -> Vec<Vec<Hash>> {
    let mut all = Vec::new();
    for at in 0..proof.len() {
        for bit in 0..256 {
            let mut bytes = *proof[at].as_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let mut flipped = proof.to_vec();
            flipped[at] = bytes.into();
            all.push(flipped);
        }
        all.push([&proof[..at], &proof[at + 1..]].concat());
        let mut swapped = proof.to_vec();
        swapped.swap(at, (at + 1) % proof.len());
        all.extend((swapped != proof).then_some(swapped));
    }
    for at in 0..=proof.len() {
        for more in [Hash::from([0; 32]), ALGORITHM.empty_root(), *proof.first().unwrap_or(&[1; 32].into())] {
            all.push([&proof[..at], &[more], &proof[at..]].concat());
        }
    }
    all
}
