use proptest::prelude::*;

use super::*;
use crate::key::Signer;
use crate::policy::{OpenError, Policy, Quorum};
use crate::proof::{ProofError, TreeHead};
use crate::testing::{ALGORITHM, Naive};

const ORIGIN: &str = "example.com/behind-the-sofa";

/// The example of C2SP `tlog-witness`.
const EXAMPLE: &str = "old 20852014
PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=
jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=
5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=
/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=

example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
— example.com/behind-the-sofa opLqBQsREYCgu6xQkYQwJr9fo45a62DN9EdmHXnZdXNqlcVGlCum2Wks+49/V6267UEjw6QUXTS5Rovnzv++qbSzm9Q=
";

fn signer() -> Signer {
    Signer::ed25519(ORIGIN.parse().unwrap(), &[1; 32]).unwrap()
}

fn note(head: TreeHead) -> Note {
    Checkpoint::new(ORIGIN, head).unwrap().sign(&[&signer()]).unwrap()
}

fn known(head: TreeHead) -> Witnessed {
    let policy = Policy::new(ORIGIN, vec![signer().verifier().clone()], Quorum::none()).unwrap();
    Witnessed { policy, algorithm: ALGORITHM, head }
}

fn ask(log: &Witnessed, old: u64, proof: Vec<Hash>, note: Note) -> Result<TreeHead, Refusal> {
    let request = AddCheckpoint::new(old, proof, note)?;
    let read = AddCheckpoint::parse(request.to_string().as_bytes()).unwrap();
    assert_eq!(read, request);
    decide(&read, Some(log)).map(|verified| verified.head())
}

#[test]
fn the_example_of_the_specification_is_read_and_written() {
    let request = AddCheckpoint::parse(EXAMPLE.as_bytes()).unwrap();
    assert_eq!((request.old_size(), request.proof().len()), (20_852_014, 4));
    assert_eq!(request.origin(), ORIGIN);
    assert_eq!(request.note().signatures().len(), 2);
    assert_eq!(request.to_string(), EXAMPLE);
}

#[test]
fn a_tree_that_has_only_grown_is_cosigned() {
    let tree = Naive::of(40);
    for (old, new) in [(0, 0), (0, 1), (0, 40), (1, 2), (3, 7), (8, 40), (40, 40)] {
        let log = known(tree.head(old));
        let answer = ask(&log, old, tree.consistency(old, new), note(tree.head(new)));
        assert_eq!(answer, Ok(tree.head(new)), "{old} to {new}");
    }
}

#[test]
fn another_size_than_the_last_is_a_conflict() {
    let tree = Naive::of(40);
    let log = known(tree.head(7));
    for old in [0, 3, 8, 20] {
        let answer = ask(&log, old, tree.consistency(old, 20), note(tree.head(20)));
        assert_eq!(answer, Err(Refusal::Conflict(7)));
    }
    // Also where the checkpoint is older than the last one: the log shall learn where the witness is.
    assert_eq!(ask(&log, 3, tree.consistency(3, 5), note(tree.head(5))), Err(Refusal::Conflict(7)));
}

#[test]
fn an_old_size_above_the_new_is_a_bad_request() {
    let tree = Naive::of(40);
    let answer = ask(&known(tree.head(7)), 7, vec![], note(tree.head(5)));
    assert_eq!(answer, Err(Refusal::BadRequest(RequestError::Shrunk { old: 7, new: 5 })));
    assert!(AddCheckpoint::new(u64::MAX, vec![], note(tree.head(5))).is_err());
}

#[test]
fn an_unknown_log_is_not_found() {
    let tree = Naive::of(4);
    let request = AddCheckpoint::new(0, vec![], note(tree.head(4))).unwrap();
    assert_eq!(decide(&request, None), Err(Refusal::NotFound(ORIGIN.to_owned())));
    let policy = Policy::new("example.com/other", vec![signer().verifier().clone()], Quorum::none()).unwrap();
    let other = Witnessed { policy, ..known(tree.head(0)) };
    assert_eq!(decide(&request, Some(&other)), Err(Refusal::NotFound(ORIGIN.to_owned())));
}

#[test]
fn what_the_log_has_not_signed_is_forbidden() {
    let tree = Naive::of(4);
    let stranger = Signer::ed25519(ORIGIN.parse().unwrap(), &[2; 32]).unwrap();
    let checkpoint = Checkpoint::new(ORIGIN, tree.head(4)).unwrap();
    let unsigned = checkpoint.sign(&[&stranger]).unwrap();
    let answer = ask(&known(tree.head(0)), 0, vec![], unsigned);
    assert_eq!(answer, Err(Refusal::Forbidden(OpenError::Note(NoteError::Unsigned))));
    let wrong = Note::new(checkpoint.to_text(), vec![signer().sign("something else\n").unwrap()]).unwrap();
    let answer = ask(&known(tree.head(0)), 0, vec![], wrong);
    assert!(matches!(answer, Err(Refusal::Forbidden(OpenError::Note(NoteError::Wrong { .. })))));
    // The signature is looked at before the sizes: a stranger doesn't learn where the witness is.
    let stranger = checkpoint.sign(&[&stranger]).unwrap();
    assert!(matches!(ask(&known(tree.head(3)), 1, vec![], stranger), Err(Refusal::Forbidden(_))));
}

#[test]
fn a_rewritten_log_is_unprocessable() {
    let (tree, mut other) = (Naive::of(40), Naive::of(40));
    other.rewrite(3);
    let refused = |old, proof, head| {
        matches!(ask(&known(tree.head(old)), old, proof, note(head)), Err(Refusal::Unprocessable(_)))
    };
    assert!(refused(7, other.consistency(7, 20), other.head(20)));
    assert!(refused(7, tree.consistency(7, 20), other.head(20)));
    assert!(refused(7, vec![], tree.head(20)));
    assert!(refused(7, vec![], other.head(7)));
    assert!(refused(7, tree.consistency(6, 7), tree.head(7)));
    assert!(refused(0, tree.consistency(1, 2), tree.head(2)));
    let fork = ask(&known(tree.head(7)), 7, vec![], note(other.head(7)));
    let (one, two) = (tree.root(7), other.root(7));
    assert_eq!(fork, Err(Refusal::Unprocessable(ProofError::Fork { size: 7, one, other: two })));
    // The empty tree has one root.
    assert!(refused(0, vec![], TreeHead { size: 0, root: tree.leaf(0) }));
}

#[test]
fn what_is_no_request_is_refused() {
    let (head, rest) = EXAMPLE.split_once('\n').unwrap();
    let proof = |lines: usize| {
        format!(
            "old 1\n{}\n{}",
            format!("{}\n", tree_line()).repeat(lines),
            &EXAMPLE[EXAMPLE.find("\nexample").unwrap() + 1..]
        )
    };
    assert_eq!(AddCheckpoint::parse(proof(63).as_bytes()).unwrap().proof().len(), 63);
    assert_eq!(AddCheckpoint::parse(proof(64).as_bytes()), Err(RequestError::TooLong));
    // Nothing after the 63rd line is read.
    let endless = format!("old 1\n{}", format!("{}\n", tree_line()).repeat(64));
    assert_eq!(AddCheckpoint::parse(endless.as_bytes()), Err(RequestError::TooLong));
    let note = note(Naive::of(1).head(1));
    assert_eq!(AddCheckpoint::new(1, vec![ALGORITHM.empty_root(); 64], note), Err(RequestError::TooLong));
    for (text, error) in [
        (String::new(), RequestError::Form),
        (rest.to_owned(), RequestError::Form),
        (format!("{}\n{rest}", head.replace("old ", "old")), RequestError::Form),
        (format!("{}\n{rest}", head.replace("old ", "old  ")), RequestError::Form),
        (format!("{}\n{rest}", head.replace("old ", "old 0")), RequestError::Form),
        (format!("{head}\r\n{rest}"), RequestError::Form),
        (EXAMPLE.replacen("kaw=", "kaw", 1), RequestError::Proof(1)),
        (EXAMPLE.replacen("swk=", "swk= ", 1), RequestError::Proof(2)),
        (EXAMPLE.replacen("j/0=\n\n", "j/0=\n", 1), RequestError::Proof(5)),
        (EXAMPLE[..EXAMPLE.find("\n\n").unwrap()].to_owned(), RequestError::Form),
        (EXAMPLE.trim_end().to_owned(), RequestError::Note(NoteError::Form)),
        (EXAMPLE.replacen("20852163", "x", 1), RequestError::Checkpoint(CheckpointError::Size)),
    ] {
        assert_eq!(AddCheckpoint::parse(text.as_bytes()), Err(error), "{text}");
    }
}

fn tree_line() -> String {
    ALGORITHM.empty_root().to_base64()
}

proptest! {
    #[test]
    fn a_changed_byte_makes_another_request_or_none(at in 0..EXAMPLE.len(), to in any::<u8>()) {
        let mut bytes = EXAMPLE.as_bytes().to_vec();
        bytes[at] = to;
        if let Ok(request) = AddCheckpoint::parse(&bytes) {
            prop_assert_eq!(request.to_string().into_bytes(), bytes);
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = AddCheckpoint::parse(&bytes);
        let _ = AddCheckpoint::parse(&[b"old 1\n\n".as_slice(), &bytes].concat());
    }
}
