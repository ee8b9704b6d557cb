//! Verifiers that share no code with ours take the tree of a real log, and refuse it once it is tampered with:
//! tlog-scales (PyPI) on the folder, ct-merkle (crates.io) on leaves and proofs, openssl on the note.

use std::path::Path;
use std::process::{Command, Output};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ct_merkle::mem_backed_tree::MemoryBackedTree;
use ct_merkle::{ConsistencyProof, InclusionProof, RootHash};
use duban_merkle::{Hash, TreeHead, Verifier};
use duban_tree::Store;
use sha2::Sha256;

use super::scene::{Case, EARLIER, LAST};
use crate::support::root;

/// Where a Python with tlog-scales is: `DUBAN_TEST_PYTHON`, else the one on the path.
#[allow(clippy::disallowed_methods, reason = "a test's own environment")]
fn python() -> Option<String> {
    let python = std::env::var("DUBAN_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let probe = Command::new(&python).args(["-c", "import tlog_scales.reader"]).output();
    let found = probe.is_ok_and(|output| output.status.success());
    if !found {
        let ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
        assert!(!ci, "no Python with tlog-scales: pip install it, or set DUBAN_TEST_PYTHON");
        eprintln!(
            "NOT TESTED: no Python with tlog-scales ({python}). pip install it, or set DUBAN_TEST_PYTHON"
        );
    }
    found.then_some(python)
}

/// What the judge from PyPI says to a tree.
fn judged(python: &str, case: &Case, kept: &[String]) -> Output {
    let mut command = Command::new(python);
    command.arg(root().join("tests/judge.py")).arg(case.tree()).arg(&case.key).args(kept);
    command.output().expect("it runs")
}

#[track_caller]
fn refused(output: &Output, why: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("refused") && said.contains(why), "{said}");
}

/// Turns a bit of a file.
fn turn(file: &Path, at: usize) {
    let mut bytes = std::fs::read(file).expect("a file");
    bytes[at] ^= 1;
    std::fs::write(file, bytes).expect("written");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_judge_from_pypi_takes_the_folder_and_refuses_tampered_ones() {
    let Some(python) = python() else { return };
    let case = Case::new().await;
    let output = judged(&python, &case, &[case.keep(&case.earlier)]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains(&format!("accepted {LAST} leaves, 1 kept")), "{output:?}");

    let bundle = case.tree().join(format!("tile/entries/000.p/{LAST}"));
    turn(&bundle, 500);
    refused(&judged(&python, &case, &[]), "InclusionProofInvalid");
    turn(&bundle, 500);
    let tile = case.tree().join(format!("tile/0/000.p/{LAST}"));
    turn(&tile, 32 * 77);
    refused(&judged(&python, &case, &[]), "not the one that was signed");
    turn(&tile, 32 * 77);
    let checkpoint = case.tree().join("checkpoint");
    let note = std::fs::read_to_string(&checkpoint).expect("a note");
    std::fs::write(&checkpoint, note.replacen(&format!("\n{LAST}\n"), "\n250\n", 1)).expect("written");
    refused(&judged(&python, &case, &[]), "InvalidSignature");

    let other = Case::new().await;
    other.tamper("UPDATE events SET actor = 'somebody-else' WHERE position = 100").await;
    other.sign_anew().await;
    assert!(judged(&python, &other, &[]).status.success(), "by itself it holds together");
    refused(&judged(&python, &other, &[other.keep(&other.earlier)]), "ConsistencyProofInvalid");
    let back = Case::earlier().await;
    refused(&judged(&python, &back, &[back.keep(&back.newest)]), "were signed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_judge_from_the_registry_takes_leaves_and_proofs() {
    let case = Case::new().await;
    let store = Store::open(case.tree()).expect("a tree");
    let (head, earlier) =
        (store.head(LAST).expect("a root"), store.head_within(EARLIER, LAST).expect("a root"));
    let mut theirs = MemoryBackedTree::<Sha256, Vec<u8>>::new();
    for index in 0..LAST {
        theirs.push(store.leaf(index, LAST).expect("a leaf"));
    }
    assert!(theirs.root() == known(&head));
    for index in 0..LAST {
        let mut proven = store.inclusion(index, &head).expect("a proof");
        let verify = |leaf: &[u8], path: &[Hash]| {
            let leaf = leaf.to_vec();
            known(&head).verify_inclusion(&leaf, index, &InclusionProof::<Sha256>::from_bytes(bytes(path)))
        };
        assert!(verify(&proven.leaf, &proven.path).is_ok(), "{index}");
        let last = proven.leaf.len() - 1;
        proven.leaf[last] ^= 1;
        assert!(verify(&proven.leaf, &proven.path).is_err(), "{index}");
    }
    let path = store.consistency(EARLIER, LAST, &head).expect("a proof");
    let verify = |path: &[Hash], from: &TreeHead| {
        let proof = ConsistencyProof::<Sha256>::try_from_bytes(bytes(path)).expect("hashes");
        known(&head).verify_consistency(&known(from), &proof)
    };
    assert!(verify(&path, &earlier).is_ok());
    let forged = TreeHead { root: head.root, ..earlier };
    assert!(verify(&path, &forged).is_err());
    let mut other = path.clone();
    other[0] = head.root;
    assert!(verify(&other, &earlier).is_err());
}

fn known(head: &TreeHead) -> RootHash<Sha256> {
    let digest =
        ct_merkle::digest::Output::<Sha256>::try_from(head.root.as_bytes().as_slice()).expect("a hash");
    RootHash::new(digest, head.size)
}

fn bytes(proof: &[Hash]) -> Vec<u8> {
    proof.iter().flat_map(|hash| *hash.as_bytes()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openssl_takes_the_signature_of_the_note() {
    let case = Case::new().await;
    let key: Verifier = case.key.parse().expect("a key");
    let (text, lines) = case.newest.split_once("\n\n").expect("a note");
    let signature = lines.lines().next().and_then(|line| line.rsplit(' ').next()).expect("a signature");
    let signature = STANDARD.decode(signature).expect("base64");
    // Ed25519 as a SubjectPublicKeyInfo (RFC 8410 §4).
    let spki = [hex::decode("302a300506032b6570032100").expect("hex"), key.public()].concat();
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(spki));
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).expect("written");
    write("key.pem", pem.as_bytes());
    // Behind the four bytes that say whose it is.
    write("signature", &signature[4..]);
    let verified = |text: &str| {
        write("text", text.as_bytes());
        let asked = [
            "pkeyutl",
            "-verify",
            "-pubin",
            "-inkey",
            "key.pem",
            "-rawin",
            "-in",
            "text",
            "-sigfile",
            "signature",
        ];
        let output = Command::new("openssl").args(asked).current_dir(folder.path()).output();
        output.expect("openssl is installed").status.success()
    };
    assert!(verified(&format!("{text}\n")));
    assert!(!verified(&format!("{}\n", text.replacen(&format!("\n{LAST}\n"), "\n250\n", 1))));
}
