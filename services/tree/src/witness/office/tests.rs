use std::sync::Arc;

use duban_merkle::note::Note;
use duban_merkle::{Algorithm, Checkpoint, Frontier, Signer};
use tempfile::TempDir;

use super::*;

const ORIGIN: &str = "duban/logs/l/epochs/e";

fn signer(seed: u8) -> Signer {
    Signer::ed25519(ORIGIN.parse().unwrap(), &[seed; 32]).unwrap()
}

fn known(signer: &Signer) -> Known {
    Known { origin: ORIGIN.to_owned(), keys: vec![signer.verifier().clone()] }
}

/// The tree of so many leaves; those of another history differ from `fork` on.
fn head(size: u64, fork: u64) -> TreeHead {
    let mut frontier = Frontier::new(Algorithm::Sha256);
    for index in 0..size {
        let leaf = if index < fork { format!("{index}") } else { format!("other {index}") };
        frontier.append(Algorithm::Sha256.leaf(leaf.as_bytes()));
    }
    TreeHead { size, root: frontier.root() }
}

/// From a size of which a tree is a complete subtree: the proof is what stands beside it.
fn request(old: u64, head: TreeHead, proof: Vec<Hash>, signer: &Signer) -> Vec<u8> {
    let note = Checkpoint::new(ORIGIN, head).unwrap().sign(&[signer]).unwrap();
    AddCheckpoint::new(old, proof, note).unwrap().to_string().into_bytes()
}

fn leaf(index: u64) -> Hash {
    Algorithm::Sha256.leaf(format!("{index}").as_bytes())
}

fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    make_key(folder.path(), &"w.example".parse().unwrap()).unwrap();
    folder
}

fn office(folder: &TempDir) -> Office {
    Office::open(folder.path(), [known(&signer(1))]).unwrap()
}

fn status(answer: &Result<SignatureLine, Refused>) -> u16 {
    reply(answer).0.as_u16()
}

#[test]
fn a_key_is_made_once_and_only_its_owner_reads_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(verifier(folder.path()), Err(OfficeError::NoKey(_))));
    assert!(matches!(Office::open(folder.path(), []), Err(OfficeError::NoKey(_))));
    let key = make_key(folder.path(), &"w.example".parse().unwrap()).unwrap();
    assert_eq!(make_key(folder.path(), &"w.example".parse().unwrap()).unwrap(), key);
    assert_eq!(verifier(folder.path()).unwrap(), key);
    let other = make_key(folder.path(), &"v.example".parse().unwrap());
    assert!(matches!(other, Err(OfficeError::OtherName { .. })));
    let mode = folder.path().join("key").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn what_has_only_grown_is_cosigned_and_remembered() {
    let folder = folder();
    let first = office(&folder);
    let (body, tree) = (request(0, head(1, 9), vec![], &signer(1)), head(2, 9));
    let line = first.add(&body, 1000).unwrap();
    let note = Note::parse(&body[body.windows(2).position(|two| two == b"\n\n").unwrap() + 2..]).unwrap();
    let signed = Note::new(note.text().to_owned(), vec![line]).unwrap().verify(&[first.verifier()]).unwrap();
    assert_eq!(signed[0].at, Some(1000));
    drop(first);
    let again = office(&folder);
    assert_eq!(again.logs(), [(ORIGIN, 1)]);
    let grown = request(1, tree, vec![leaf(1)], &signer(1));
    assert_eq!(status(&again.add(&grown, 1001)), 200);
    assert_eq!(again.logs(), [(ORIGIN, 2)]);
    // Cosigned once more, at another time, from the size that it is.
    assert_eq!(status(&again.add(&request(2, tree, vec![], &signer(1)), 2000)), 200);
}

#[test]
fn each_refusal_has_its_status() {
    let folder = folder();
    let office = office(&folder);
    assert_eq!(status(&office.add(&request(0, head(2, 9), vec![], &signer(1)), 1)), 200);
    let cases: [(Vec<u8>, u16); 6] = [
        (b"old 0\n".to_vec(), 400),
        (request(3, head(2, 9), vec![], &signer(1)), 400),
        (request(2, head(4, 9), vec![], &signer(2)), 403),
        (request(0, head(4, 9), vec![], &signer(1)), 409),
        (request(2, head(4, 9), vec![leaf(3)], &signer(1)), 422),
        (request(2, head(2, 1), vec![], &signer(1)), 422),
    ];
    for (body, expected) in cases {
        assert_eq!(status(&office.add(&body, 1)), expected, "{}", String::from_utf8_lossy(&body));
    }
    let (_, kind, said) = reply(&office.add(&request(0, head(4, 9), vec![], &signer(1)), 1));
    assert_eq!((kind, said.as_str()), ("text/x.tlog.size", "2\n"));
    let note = Checkpoint::new("another", head(2, 9)).unwrap().sign(&[&signer(1)]).unwrap();
    let stranger = AddCheckpoint::new(0, vec![], note).unwrap().to_string();
    assert_eq!(status(&office.add(stranger.as_bytes(), 1)), 404);
    assert_eq!(office.logs(), [(ORIGIN, 2)], "none of them moved it");
}

#[test]
fn a_fork_is_refused_for_ever_and_kept_as_evidence() {
    let folder = folder();
    let office = office(&folder);
    assert_eq!(status(&office.add(&request(0, head(2, 9), vec![], &signer(1)), 1)), 200);
    let fork = request(2, head(2, 1), vec![], &signer(1));
    for _ in 0..2 {
        assert_eq!(status(&office.add(&fork, 1)), 422);
    }
    let kept: Vec<_> = std::fs::read_dir(folder.path().join("forks")).unwrap().collect();
    let note = std::fs::read(kept[0].as_ref().unwrap().path()).unwrap();
    assert_eq!(kept.len(), 1);
    assert!(Note::parse(&note).unwrap().verify(&[signer(1).verifier()]).is_ok());
    // Nor does a longer one pass, whatever it claims to grow from.
    assert_eq!(status(&office.add(&request(2, head(4, 1), vec![leaf(2)], &signer(1)), 1)), 422);
    assert_eq!(status(&office.add(&request(1, head(4, 1), vec![leaf(1)], &signer(1)), 1)), 409);
}

#[test]
fn of_many_at_once_one_history_is_cosigned() {
    let folder = folder();
    let office = Arc::new(office(&folder));
    let rivals = (0..16).map(|number| {
        let office = Arc::clone(&office);
        // Each of the rivals' trees has a root of its own.
        let tree = TreeHead { size: 5, root: Algorithm::Sha256.leaf(&[number]) };
        std::thread::spawn(move || status(&office.add(&request(0, tree, vec![], &signer(1)), 1)))
    });
    let answers: Vec<u16> = rivals.collect::<Vec<_>>().into_iter().map(|one| one.join().unwrap()).collect();
    assert_eq!(answers.iter().filter(|status| **status == 200).count(), 1, "{answers:?}");
    assert_eq!(answers.iter().filter(|status| **status == 409).count(), 15, "{answers:?}");
}

#[test]
fn nothing_is_cosigned_that_can_not_be_stored() {
    let folder = folder();
    let office = office(&folder);
    let logs = folder.path().join("logs");
    std::fs::remove_dir(&logs).unwrap();
    let body = request(0, head(2, 9), vec![], &signer(1));
    assert_eq!(status(&office.add(&body, 1)), 500);
    assert_eq!(office.logs(), [(ORIGIN, 0)]);
    std::fs::create_dir(&logs).unwrap();
    assert_eq!(status(&office.add(&body, 1)), 200);
}

#[test]
fn what_was_stored_counts_although_nobody_got_the_cosignature() {
    let folder = folder();
    let crashed = office(&folder);
    let tree = head(2, 9);
    let TreeHead { size, root } = tree;
    crashed.store(&Stored { origin: ORIGIN.to_owned(), size, root, checkpoint: String::new() }).unwrap();
    drop(crashed);
    let office = office(&folder);
    let answer = office.add(&request(0, head(2, 1), vec![], &signer(1)), 1);
    assert!(matches!(answer, Err(Refused::Refusal(Refusal::Conflict(2)))));
    assert_eq!(status(&office.add(&request(2, tree, vec![], &signer(1)), 1)), 200);
}

#[test]
fn one_process_cosigns() {
    let folder = folder();
    let _first = office(&folder);
    assert!(matches!(Office::open(folder.path(), []), Err(OfficeError::InUse(_))));
}

#[test]
fn a_log_that_changes_its_key_is_known_by_both() {
    let folder = folder();
    let office = Office::open(folder.path(), [known(&signer(1)), known(&signer(2))]).unwrap();
    assert_eq!(status(&office.add(&request(0, head(1, 9), vec![], &signer(1)), 1)), 200);
    assert_eq!(status(&office.add(&request(1, head(2, 9), vec![leaf(1)], &signer(2)), 1)), 200);
}
