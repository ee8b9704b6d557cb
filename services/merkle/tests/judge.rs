//! Another implementation of RFC 6962 as judge: the crate ct-merkle takes our roots and proofs, in both hash
//! algorithms, and refuses them once they are tampered with; and we take its.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

use ct_merkle::digest::Digest;
use ct_merkle::mem_backed_tree::MemoryBackedTree;
use ct_merkle::{ConsistencyProof, InclusionProof, RootHash};
use duban_merkle::node::hashes;
use duban_merkle::{Algorithm, Hash, Node, Span, TreeHead, consistency, inclusion};

const SIZE: u64 = 130;

fn leaf(index: u64) -> Vec<u8> {
    format!("leaf {index}").into_bytes()
}

/// Our own stored nodes, made by a frontier.
struct Ours {
    algorithm: Algorithm,
    nodes: std::collections::HashMap<Node, Hash>,
}

impl Ours {
    fn new(algorithm: Algorithm) -> Self {
        let mut nodes = std::collections::HashMap::new();
        let mut frontier = duban_merkle::Frontier::new(algorithm);
        for index in 0..SIZE {
            frontier.append_noting(algorithm.leaf(&leaf(index)), |node, hash| {
                nodes.insert(node, hash);
            });
        }
        Self { algorithm, nodes }
    }

    fn read(&self, path: &[Span]) -> Vec<Hash> {
        hashes(self.algorithm, path, |node| self.nodes.get(&node).copied().ok_or(node)).unwrap()
    }

    fn head(&self, size: u64) -> TreeHead {
        TreeHead { size, root: self.read(&[Span::tree(size)])[0] }
    }
}

fn bytes(proof: &[Hash]) -> Vec<u8> {
    proof.iter().flat_map(|hash| *hash.as_bytes()).collect()
}

fn ours(bytes: &[u8]) -> Vec<Hash> {
    bytes.chunks(32).map(|chunk| Hash::from_slice(chunk).unwrap()).collect()
}

fn root<D: Digest>(head: &TreeHead) -> RootHash<D> {
    let digest = ct_merkle::digest::Output::<D>::try_from(head.root.as_bytes().as_slice()).unwrap();
    RootHash::new(digest, head.size)
}

/// The same with one bit flipped.
fn tampered(proof: &[u8], at: usize) -> Vec<u8> {
    let mut other = proof.to_vec();
    let length = other.len();
    other[at % length] ^= 1 << (at % 8);
    other
}

fn judge<D: Digest>(algorithm: Algorithm) {
    let store = Ours::new(algorithm);
    let mut theirs = MemoryBackedTree::<D, Vec<u8>>::new();
    for size in 1..=SIZE {
        theirs.push(leaf(size - 1));
        let head = store.head(size);
        assert!(theirs.root() == root(&head), "{size}");
        for index in (0..size).filter(|index| index % 7 == size % 7) {
            let proof = bytes(&store.read(&inclusion::path(index, size).unwrap()));
            let verify = |proof: Vec<u8>, head: &TreeHead, index| {
                root::<D>(head).verify_inclusion(&leaf(index), index, &InclusionProof::from_bytes(proof))
            };
            assert!(verify(proof.clone(), &head, index).is_ok(), "{index} in {size}");
            assert!(proof.is_empty() || verify(tampered(&proof, 13), &head, index).is_err());
            assert!(verify(proof.clone(), &head, (index + 1) % size).is_err() || size == 1);
            let given = theirs.prove_inclusion(usize::try_from(index).unwrap());
            assert_eq!(given.as_bytes(), proof);
            let hash = algorithm.leaf(&leaf(index));
            assert_eq!(inclusion::verify(algorithm, &hash, index, &head, &ours(given.as_bytes())), Ok(()));
        }
        for old in 1..size {
            let proof = bytes(&store.read(&consistency::path(old, size).unwrap()));
            let from = store.head(old);
            let verify = |proof: Vec<u8>, from: &TreeHead| {
                let proof = ConsistencyProof::<D>::try_from_bytes(proof).unwrap();
                root::<D>(&head).verify_consistency(&root(from), &proof)
            };
            assert!(verify(proof.clone(), &from).is_ok(), "{old} to {size}");
            assert!(verify(tampered(&proof, 13), &from).is_err());
            let forged = TreeHead { root: algorithm.leaf(b"forged"), ..from };
            assert!(verify(proof.clone(), &forged).is_err());
            let given = theirs.prove_consistency(usize::try_from(size - old).unwrap());
            assert_eq!(given.as_bytes(), proof);
            assert_eq!(consistency::verify(algorithm, &from, &head, &ours(given.as_bytes())), Ok(()));
        }
    }
}

#[test]
fn another_implementation_takes_our_sha256_trees() {
    judge::<sha2::Sha256>(Algorithm::Sha256);
}

#[test]
fn another_implementation_takes_our_sm3_trees() {
    judge::<sm3::Sm3>(Algorithm::Sm3);
}
