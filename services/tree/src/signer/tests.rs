use std::os::unix::fs::PermissionsExt as _;

use duban_merkle::{Frontier, Policy, Quorum};
use tempfile::tempdir;

use super::*;
use crate::testing::{grow, id, leaf, writer};

fn open(folder: &Path) -> Signer {
    Signer::open(folder, &id(Algorithm::Sha256)).unwrap()
}

fn head(size: u64) -> TreeHead {
    let mut frontier = Frontier::new(Algorithm::Sha256);
    (0..size).for_each(|index| frontier.append(Algorithm::Sha256.leaf(&leaf(index))));
    frontier.head()
}

#[allow(clippy::unnecessary_wraps, reason = "as a prover answers")]
fn none(_: u64) -> Result<Vec<Hash>, StoreError> {
    Ok(Vec::new())
}

#[test]
fn it_makes_one_key_and_keeps_it() {
    for (algorithm, key_type) in
        [(Algorithm::Sha256, duban_merkle::KeyType::Ed25519), (Algorithm::Sm3, duban_merkle::KeyType::Sm2)]
    {
        let folder = tempdir().unwrap();
        let signer = Signer::open(folder.path(), &id(algorithm)).unwrap();
        let verifiers = signer.verifiers().unwrap();
        assert_eq!(verifiers.len(), 1);
        assert_eq!(verifiers[0].key_type(), key_type);
        assert_eq!(verifiers[0].name().as_str(), id(algorithm).origin);
        let again = Signer::open(folder.path(), &id(algorithm)).unwrap();
        assert_eq!(again.verifiers().unwrap(), verifiers);
        let note = again.sign(TreeHead::empty(algorithm), &Ring::default(), 0, none).unwrap().note;
        let policy = Policy::new(&id(algorithm).origin, verifiers.clone(), Quorum::none()).unwrap();
        assert_eq!(policy.verify(note).unwrap().head(), TreeHead::empty(algorithm));
        let key = folder.path().join(format!("key-{:08x}", verifiers[0].id()));
        assert_eq!(fs::metadata(key).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn a_smaller_tree_or_another_one_is_never_signed() {
    let (folder, tiles) = (tempdir().unwrap(), tempdir().unwrap());
    let mut tree = writer(tiles.path());
    grow(&mut tree, 300);
    let prove = |old| tree.store().growth(old, 300);
    let signer = open(folder.path());
    assert!(signer.sign(head(200), &Ring::default(), 0, none).is_ok());
    assert!(signer.sign(head(300), &Ring::default(), 0, prove).is_ok());
    assert!(signer.sign(head(300), &Ring::default(), 0, prove).is_ok(), "the same again");
    // Whoever opens the folder anew knows what was signed.
    let signer = open(folder.path());
    assert!(matches!(
        signer.sign(head(299), &Ring::default(), 0, none),
        Err(SignerError::Smaller { signed: 300, size: 299 })
    ));
    let forked = TreeHead { root: head(1).root, size: 300 };
    assert!(matches!(signer.sign(forked, &Ring::default(), 0, none), Err(SignerError::Inconsistent { .. })));
    // Rewritten below what was signed, and grown.
    let (other, rewritten) = (tempdir().unwrap(), tempdir().unwrap());
    let mut lie = writer(rewritten.path());
    lie.append(b"another first leaf".to_vec()).unwrap();
    grow(&mut lie, 400);
    let prove = |old| lie.store().growth(old, 400);
    assert!(matches!(
        signer.sign(lie.head(), &Ring::default(), 0, prove),
        Err(SignerError::Inconsistent { .. })
    ));
    assert!(matches!(
        signer.sign(lie.head(), &Ring::default(), 0, none),
        Err(SignerError::Inconsistent { .. })
    ));
    assert!(
        open(other.path()).sign(lie.head(), &Ring::default(), 0, prove).is_ok(),
        "it is a tree, only not ours"
    );
    // A refusal leaves no trace: the true one is still signed.
    grow(&mut tree, 400);
    assert!(signer.sign(tree.head(), &Ring::default(), 0, |old| tree.store().growth(old, 400)).is_ok());
}

#[test]
fn without_its_memory_it_signs_nothing() {
    let folder = tempdir().unwrap();
    open(folder.path()).sign(head(3), &Ring::default(), 0, none).unwrap();
    fs::remove_file(folder.path().join(SIGNED)).unwrap();
    assert!(matches!(
        open(folder.path()).sign(head(4), &Ring::default(), 0, none),
        Err(SignerError::Forgotten { .. })
    ));
    fs::write(folder.path().join(SIGNED), b"{").unwrap();
    let damaged = open(folder.path()).sign(head(4), &Ring::default(), 0, none);
    assert!(matches!(damaged, Err(SignerError::Store(StoreError::Damaged { .. }))));
}

#[test]
fn trees_of_one_folder_have_keys_and_memories_of_their_own() {
    let folder = tempdir().unwrap();
    let (sha256, sm3) = (open(folder.path()), Signer::open(folder.path(), &id(Algorithm::Sm3)).unwrap());
    sha256.sign(head(5), &Ring::default(), 0, none).unwrap();
    assert!(sm3.sign(TreeHead::empty(Algorithm::Sm3), &Ring::default(), 0, none).is_ok());
    assert_eq!(open(folder.path()).verifiers().unwrap(), sha256.verifiers().unwrap());
    assert!(matches!(sha256.sign(head(4), &Ring::default(), 0, none), Err(SignerError::Smaller { .. })));
}

#[test]
fn a_damaged_key_is_named() {
    let folder = tempdir().unwrap();
    let id_of = open(folder.path()).verifiers().unwrap()[0].id();
    let path = folder.path().join(format!("key-{id_of:08x}"));
    fs::write(&path, b"PRIVATE+KEY+nonsense").unwrap();
    let refused = Signer::open(folder.path(), &id(Algorithm::Sha256));
    assert!(matches!(refused, Err(SignerError::Key(file, _)) if file == path));
}
