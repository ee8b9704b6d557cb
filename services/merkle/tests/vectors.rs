//! Public vectors of RFC 6962 trees: the eight leaves that every implementation since Certificate Transparency's
//! first has tested with, and cases of github.com/transparency-dev/merkle (`testonly/constants.go`, `testdata/`).

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

use duban_merkle::node::hashes;
use duban_merkle::{Algorithm, Frontier, Hash, Node, ProofError, Span, TreeHead, consistency, inclusion};

const SHA256: Algorithm = Algorithm::Sha256;

const LEAVES: [&str; 8] =
    ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];

const ROOTS: [&str; 9] = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

/// By level.
const NODES: [&[&str]; 4] = [
    &[
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "0298d122906dcfc10892cb53a73992fc5b9f493ea4c9badb27b791b4127a7fe7",
        "07506a85fd9dd2f120eb694f86011e5bb4662e5c415a62917033d4a9624487e7",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "4271a26be0d8a84f0bd54c8c302e7cb3a3b5d1fa6780a40bcce2873477dab658",
        "b08693ec2e721597130641e8211e7eedccb4c26413963eee6c1e2ed16ffb1a5f",
        "46f6ffadd3d06a09ff3c5860d2755c8b9819db7df44251788c7d8e3180de8eb1",
    ],
    &[
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
    ],
    &[
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    &["5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"],
];

fn hash(text: &str) -> Hash {
    Hash::from_slice(&hex::decode(text).unwrap()).unwrap()
}

fn known(node: Node) -> Result<Hash, Node> {
    let level = NODES.get(usize::from(node.level)).ok_or(node)?;
    level.get(usize::try_from(node.index).unwrap()).map(|text| hash(text)).ok_or(node)
}

fn head(size: usize) -> TreeHead {
    TreeHead { size: size as u64, root: hash(ROOTS[size]) }
}

fn base64(proof: &[&str]) -> Vec<Hash> {
    proof.iter().map(|text| Hash::from_base64(text).unwrap()).collect()
}

#[test]
fn the_eight_leaves_have_their_roots_and_nodes() {
    let mut frontier = Frontier::new(SHA256);
    assert_eq!(frontier.head(), head(0));
    for (size, leaf) in (1..).zip(LEAVES) {
        let leaf = SHA256.leaf(&hex::decode(leaf).unwrap());
        frontier.append_noting(leaf, |node, hash| assert_eq!(known(node), Ok(hash)));
        assert_eq!(frontier.head(), head(size));
        assert_eq!(Span::tree(size as u64).hash(SHA256, known), Ok(head(size).root));
    }
}

#[test]
fn inclusion_proofs_are_the_public_ones() {
    // testdata/inclusion/{0..4}/happy-path.json
    let cases: [(u64, usize, &[&str]); 5] = [
        (0, 1, &[]),
        (
            0,
            8,
            &[
                "lqKW0iTyhcZ77pPDD4owkVfw2qNdxbh+QQt4YwoJz8c=",
                "Xwg/ChozygdqlSeYMlgNs+DvRYS9/x9UyKNg9Q3jAx4=",
                "a0eq8p7jwq+a+Im8H7klTavTEXfxYjLdaqsDXKOb9uQ=",
            ],
        ),
        (
            5,
            8,
            &[
                "vBoGQ7EuTS18d5GPROD095qDi2z57FtcKD4fTYhZnms=",
                "yoVOoSjtBQtBs1/8G4e46yveRh6eO1WW7Oa51ZdaCuA=",
                "037kGJdt2VdTwcc4Yrk5j6Kiz5tP8P3+izDNlSCWFLc=",
            ],
        ),
        (2, 3, &["+sVCA+fMaWzw38tCySodnbr3CtnmIfS9jZhmLwDjwSU="]),
        (
            1,
            5,
            &[
                "bjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hRGjBhevoB0=",
                "Xwg/ChozygdqlSeYMlgNs+DvRYS9/x9UyKNg9Q3jAx4=",
                "vBoGQ7EuTS18d5GPROD095qDi2z57FtcKD4fTYhZnms=",
            ],
        ),
    ];
    for (index, size, proof) in cases {
        let proof = base64(proof);
        let path = inclusion::path(index, size as u64).unwrap();
        assert_eq!(hashes(SHA256, &path, known), Ok(proof.clone()));
        let leaf = known(Node { level: 0, index }).unwrap();
        assert_eq!(inclusion::verify(SHA256, &leaf, index, &head(size), &proof), Ok(()));
    }
}

#[test]
fn consistency_proofs_are_the_public_ones() {
    // testdata/consistency/{0..4}/happy-path.json
    let cases: [(usize, usize, &[&str]); 5] = [
        (1, 1, &[]),
        (
            1,
            8,
            &[
                "lqKW0iTyhcZ77pPDD4owkVfw2qNdxbh+QQt4YwoJz8c=",
                "Xwg/ChozygdqlSeYMlgNs+DvRYS9/x9UyKNg9Q3jAx4=",
                "a0eq8p7jwq+a+Im8H7klTavTEXfxYjLdaqsDXKOb9uQ=",
            ],
        ),
        (
            6,
            8,
            &[
                "DrxdNDf74tsVi58Sah0RjjCBgQMdCpSfje3t68VY72o=",
                "yoVOoSjtBQtBs1/8G4e46yveRh6eO1WW7Oa51ZdaCuA=",
                "037kGJdt2VdTwcc4Yrk5j6Kiz5tP8P3+izDNlSCWFLc=",
            ],
        ),
        (
            2,
            5,
            &["Xwg/ChozygdqlSeYMlgNs+DvRYS9/x9UyKNg9Q3jAx4=", "vBoGQ7EuTS18d5GPROD095qDi2z57FtcKD4fTYhZnms="],
        ),
        (
            6,
            7,
            &[
                "DrxdNDf74tsVi58Sah0RjjCBgQMdCpSfje3t68VY72o=",
                "sIaT7C5yFZcTBkHoIR5+7cy0wmQTlj7ubB4u0W/7Gl8=",
                "037kGJdt2VdTwcc4Yrk5j6Kiz5tP8P3+izDNlSCWFLc=",
            ],
        ),
    ];
    for (old, new, proof) in cases {
        let proof = base64(proof);
        let path = consistency::path(old as u64, new as u64).unwrap();
        assert_eq!(hashes(SHA256, &path, known), Ok(proof.clone()));
        assert_eq!(consistency::verify(SHA256, &head(old), &head(new), &proof), Ok(()));
    }
}

#[test]
fn the_public_edge_cases_end_as_they_should() {
    // testdata/inclusion/{additional,single-entry}, testdata/consistency/additional: what they expect, and why.
    let (empty, other) = (SHA256.empty_root(), SHA256.leaf(b"don't care"));
    let tree = |size, root| TreeHead { size, root };
    assert!(inclusion::verify(SHA256, &other, 0, &tree(0, empty), &[]).is_err());
    assert!(inclusion::verify(SHA256, &empty, 0, &tree(1, other), &[]).is_err());
    assert_eq!(inclusion::verify(SHA256, &other, 0, &tree(1, other), &[]), Ok(()));
    let verify = |old: (u64, Hash), new: (u64, Hash), proof: &[Hash]| {
        consistency::verify(SHA256, &tree(old.0, old.1), &tree(new.0, new.1), proof)
    };
    assert_eq!(verify((0, empty), (1, empty), &[empty]), Err(ProofError::TooLong { hashes: 1 }));
    assert!(matches!(verify((0, empty), (0, other), &[]), Err(ProofError::Root { size: 0, .. })));
    assert!(matches!(verify((0, other), (0, other), &[]), Err(ProofError::Root { size: 0, .. })));
    assert!(matches!(verify((1, empty), (1, other), &[]), Err(ProofError::Fork { size: 1, .. })));
    assert_eq!(verify((2, other), (1, empty), &[]), Err(ProofError::Shrunk { old: 2, new: 1 }));
    assert_eq!(verify((1, other), (0, empty), &[]), Err(ProofError::Shrunk { old: 1, new: 0 }));
    assert_eq!(verify((1, other), (1, other), &[]), Ok(()));
    assert_eq!(verify((1, empty), (2, other), &[]), Err(ProofError::TooShort { hashes: 0 }));
    assert_eq!(verify((1, empty), (1, empty), &[empty]), Err(ProofError::TooLong { hashes: 1 }));
    // Two cases are ours to decide: theirs refuses the empty proof from size 0 as useless, tlog-witness asks for it.
    assert_eq!(verify((0, empty), (1, other), &[]), Ok(()));
}
