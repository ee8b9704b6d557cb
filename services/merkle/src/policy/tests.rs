use super::*;
use crate::hash::Algorithm;
use crate::key::{Cosigner, Signer};
use crate::testing::verified;

const ORIGIN: &str = "example.com/log";

fn log() -> Signer {
    Signer::ed25519(ORIGIN.parse().unwrap(), &[1; 32]).unwrap()
}

fn witness(number: u8) -> Cosigner {
    Cosigner::new(format!("witness.example/{number}").parse().unwrap(), &[number; 32]).unwrap()
}

fn checkpoint() -> Checkpoint {
    Checkpoint::new(ORIGIN, TreeHead { size: 7, root: Algorithm::Sha256.leaf(b"x") }).unwrap()
}

fn policy(needed: usize) -> Policy {
    let witnesses = (2..5).map(|number| witness(number).verifier().clone()).collect();
    Policy::new(ORIGIN, vec![log().verifier().clone()], Quorum::new(needed, witnesses).unwrap()).unwrap()
}

/// Signed by the log, and by these witnesses at the time of their number.
fn note(witnesses: &[u8]) -> Note {
    let lines = witnesses
        .iter()
        .map(|number| witness(*number).cosign(&verified(&checkpoint()), u64::from(*number)).unwrap());
    checkpoint().sign(&[&log()]).unwrap().with(lines).unwrap()
}

fn open(policy: &Policy, note: &Note) -> Result<Verified, OpenError> {
    policy.open(note.to_string().as_bytes())
}

#[test]
fn a_checkpoint_with_enough_witnesses_is_verified() {
    let verified = open(&policy(2), &note(&[2, 4])).unwrap();
    assert_eq!(verified.checkpoint(), &checkpoint());
    assert_eq!(verified.head().size, 7);
    let times: Vec<_> = verified.witnesses().iter().map(|one| one.at).collect();
    assert_eq!(times, [Some(2), Some(4)]);
    assert_eq!(verified.note(), &note(&[2, 4]));
    assert!(open(&policy(0), &note(&[])).is_ok());
}

#[test]
fn too_few_witnesses_are_refused() {
    assert_eq!(open(&policy(1), &note(&[])), Err(OpenError::Quorum { needed: 1, found: 0 }));
    assert_eq!(open(&policy(3), &note(&[2, 3])), Err(OpenError::Quorum { needed: 3, found: 2 }));
    // One that is not named doesn't count.
    assert_eq!(open(&policy(2), &note(&[2, 9])), Err(OpenError::Quorum { needed: 2, found: 1 }));
}

#[test]
fn a_witness_that_signs_twice_is_one() {
    let again = witness(2).cosign(&verified(&checkpoint()), 77).unwrap();
    let twice = note(&[2]).with([again]).unwrap();
    assert_eq!(open(&policy(2), &twice), Err(OpenError::Quorum { needed: 2, found: 1 }));
    assert_eq!(open(&policy(1), &twice).unwrap().witnesses().len(), 2);
}

#[test]
fn witnesses_alone_do_not_make_a_checkpoint() {
    let lines = vec![
        witness(2).cosign(&verified(&checkpoint()), 2).unwrap(),
        witness(3).cosign(&verified(&checkpoint()), 3).unwrap(),
    ];
    let without = Note::new(checkpoint().to_text(), lines).unwrap();
    assert_eq!(open(&policy(2), &without), Err(OpenError::NotByLog));
}

#[test]
fn a_wrong_signature_of_a_known_witness_refuses_the_whole() {
    let other = Checkpoint::new(ORIGIN, TreeHead::empty(Algorithm::Sha256)).unwrap();
    let wrong = note(&[2]).with([witness(3).cosign(&verified(&other), 3).unwrap()]).unwrap();
    assert!(matches!(open(&policy(1), &wrong), Err(OpenError::Note(NoteError::Wrong { .. }))));
}

#[test]
fn a_checkpoint_of_another_log_is_refused() {
    let other = Checkpoint::new("example.com/other", checkpoint().head()).unwrap().sign(&[&log()]).unwrap();
    let (expected, found) = (ORIGIN.to_owned(), "example.com/other".to_owned());
    assert_eq!(open(&policy(0), &other), Err(OpenError::Origin { expected, found }));
    let text = "example.com/log\nseven\n";
    let none = Note::new(text.to_owned(), vec![log().sign(text).unwrap()]).unwrap();
    assert_eq!(open(&policy(0), &none), Err(OpenError::Checkpoint(CheckpointError::Lines)));
}

#[test]
fn a_checkpoint_with_a_bit_of_any_byte_changed_is_refused() {
    let bytes = note(&[2]).to_string().into_bytes();
    for at in 0..bytes.len() {
        let mut other = bytes.clone();
        other[at] ^= 1 << (at % 8);
        assert!(policy(1).open(&other).is_err(), "{at}");
    }
}

#[test]
fn an_sm2_signature_stands_beside_the_other_and_holds_alone() {
    let sm2 = Signer::sm2(ORIGIN.parse().unwrap(), &[1; 32]).unwrap();
    let both = checkpoint().sign(&[&log(), &sm2]).unwrap();
    let alone = checkpoint().sign(&[&sm2]).unwrap();
    let of = |keys: Vec<Verifier>| Policy::new(ORIGIN, keys, Quorum::none()).unwrap();
    let (knows, does_not) = (of(vec![sm2.verifier().clone()]), of(vec![log().verifier().clone()]));
    assert!(open(&knows, &both).is_ok() && open(&knows, &alone).is_ok() && open(&does_not, &both).is_ok());
    assert_eq!(open(&does_not, &alone), Err(OpenError::Note(NoteError::Unsigned)));
}

#[test]
fn of_an_answer_the_known_cosignatures_are_taken() {
    let text = checkpoint().to_text();
    let answer = |numbers: &[u8]| {
        let lines =
            numbers.iter().map(|number| witness(*number).cosign(&verified(&checkpoint()), 5).unwrap());
        lines.fold(String::new(), |answer, line| format!("{answer}{line}\n"))
    };
    let taken = policy(1).cosignatures(&text, answer(&[9, 2, 3]).as_bytes()).unwrap();
    assert_eq!(taken.len(), 2);
    let note = checkpoint().sign(&[&log()]).unwrap().with(taken).unwrap();
    assert_eq!(open(&policy(2), &note).unwrap().witnesses().len(), 2);
    assert_eq!(policy(1).cosignatures(&text, answer(&[9]).as_bytes()), Ok(vec![]));
    let other = policy(1).cosignatures("example.com/log\n8\n", answer(&[2]).as_bytes());
    assert!(matches!(other, Err(NoteError::Wrong { .. })));
    assert_eq!(policy(1).cosignatures(&text, b""), Err(NoteError::Form));
    assert_eq!(policy(1).cosignatures(&text, b"no\n"), Err(NoteError::Signature(1)));
}

#[test]
fn a_policy_that_would_mean_something_else_is_refused() {
    let (w, l) = (witness(2).verifier().clone(), log().verifier().clone());
    let renamed = Cosigner::new("other.example".parse().unwrap(), &[2; 32]).unwrap().verifier().clone();
    let own = Cosigner::new("own.example".parse().unwrap(), &[1; 32]).unwrap().verifier().clone();
    assert_eq!(Quorum::new(2, vec![w.clone()]), Err(PolicyError::TooMany { needed: 2, named: 1 }));
    assert_eq!(Quorum::new(1, vec![l.clone()]), Err(PolicyError::NoWitness(l.name().clone())));
    assert_eq!(Quorum::new(1, vec![w, renamed.clone()]), Err(PolicyError::Twice(renamed.name().clone())));
    assert_eq!(Policy::new(ORIGIN, vec![], Quorum::none()), Err(PolicyError::NoKey));
    let itself = Quorum::new(1, vec![own.clone()]).unwrap();
    assert_eq!(Policy::new(ORIGIN, vec![l], itself), Err(PolicyError::Twice(own.name().clone())));
}
