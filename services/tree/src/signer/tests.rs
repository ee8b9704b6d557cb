use std::os::unix::fs::PermissionsExt as _;

use duban_merkle::{Frontier, Policy, Quorum};
use tempfile::tempdir;

use super::*;
use crate::keys::{Change, Opening, Turn};
use crate::testing::{Kind, grow, id, leaf};

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
    let (folder, tiles) = (tempdir().unwrap(), Kind::Folder.home());
    let mut tree = tiles.writer();
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
    let (other, rewritten) = (tempdir().unwrap(), Kind::Folder.home());
    let mut lie = rewritten.writer();
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

fn ring(changes: &[(u64, &Verifier, Turn)]) -> Ring {
    let change = |(position, key, turn): &(u64, &Verifier, Turn)| Change {
        position: *position,
        key: (*key).clone(),
        turn: *turn,
        opening: Opening::default(),
    };
    Ring::of(changes.iter().map(change).collect())
}

/// Which of these keys signed.
fn signed_by(signature: &Signature, keys: &[&Verifier]) -> Vec<bool> {
    keys.iter().map(|key| signature.note.verify(&[key]).is_ok()).collect()
}

#[test]
fn two_keys_sign_in_overlap_and_the_one_that_goes_signs_the_handover() {
    for algorithm in Algorithm::ALL {
        let folder = tempdir().unwrap();
        let signer = Signer::open(folder.path(), &id(algorithm)).unwrap();
        let first = signer.verifiers().unwrap().remove(0);
        let next = signer.draw_next().unwrap();
        assert_eq!(signer.verifiers().unwrap(), std::slice::from_ref(&first), "what is drawn signs nothing");
        let both = [&first, &next];
        let ring = ring(&[(3, &next, Turn::Announced), (5, &first, Turn::Retired)]);
        let sign = |size: u64, handed_over| {
            // Opened anew each time, as after a crash. That the tree grows is not what is tested.
            fs::write(folder.path().join("signed.json"), "{}").unwrap();
            let signer = Signer::open(folder.path(), &id(algorithm)).unwrap();
            let empty = TreeHead::empty(algorithm);
            signer.note(&All::from([(signer.origin.clone(), Signed { size: 0, root: empty.root })])).unwrap();
            let root = if size == 0 { empty.root } else { algorithm.leaf(&size.to_be_bytes()) };
            signer.sign(TreeHead { size, root }, &ring, handed_over, none).unwrap()
        };
        let before = sign(2, 0);
        assert!(signed_by(&before, &both) == [true, false] && !before.hands_over);
        for size in [3, 4] {
            let overlap = sign(size, 0);
            assert!(signed_by(&overlap, &both) == [true, true] && !overlap.hands_over, "{size}");
        }
        // The handover again and again, until it is kept.
        for size in [5, 9] {
            let handover = sign(size, 0);
            assert!(signed_by(&handover, &both) == [true, true] && handover.hands_over, "{size}");
        }
        let after = sign(9, 9);
        assert!(signed_by(&after, &both) == [false, true] && !after.hands_over);
    }
}

#[test]
fn a_key_that_is_not_its_own_is_not_vouched_for() {
    let (folder, other) = (tempdir().unwrap(), tempdir().unwrap());
    let signer = open(folder.path());
    let stranger = open(other.path()).draw_next().unwrap();
    let ring = ring(&[(3, &stranger, Turn::Announced)]);
    assert!(signer.sign(head(2), &ring, 0, none).is_ok());
    let refused = signer.sign(TreeHead { size: 3, ..head(3) }, &ring, 0, none);
    assert!(matches!(refused, Err(SignerError::Stranger(key)) if key == stranger));
    let drawn = signer.draw_next().unwrap();
    signer.forget(&drawn).unwrap();
    let ring = Ring::of(vec![Change {
        position: 1,
        key: drawn,
        turn: Turn::Announced,
        opening: Opening::default(),
    }]);
    assert!(matches!(signer.sign(head(2), &ring, 0, none), Err(SignerError::Stranger(_))));
}
