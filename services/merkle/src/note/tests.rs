use proptest::prelude::*;

use super::*;
use crate::key::Signer;

/// The example of C2SP `signed-note`.
const EXAMPLE: &str = "This is an example message.\n\n— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";
const EXAMPLE_KEY: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";

fn signer(name: &str) -> Signer {
    Signer::ed25519(name.parse().unwrap(), &[7; 32]).unwrap()
}

fn note(text: &str, signers: &[&str]) -> Result<Note, NoteError> {
    let lines = signers.iter().map(|name| signer(name).sign(text).unwrap()).collect();
    Note::new(text.to_owned(), lines)
}

#[test]
fn the_example_of_the_specification_is_verified() {
    let note = Note::parse(EXAMPLE.as_bytes()).unwrap();
    assert_eq!(note.text(), "This is an example message.\n");
    let key: Verifier = EXAMPLE_KEY.parse().unwrap();
    let signed = note.verify(&[&key]).unwrap();
    assert_eq!(signed, [Signed { name: "example.com/foo".parse().unwrap(), id: 0x530d_903a, at: None }]);
    assert_eq!(note.to_string(), EXAMPLE);
}

#[test]
fn the_example_with_any_bit_changed_is_refused() {
    let key: Verifier = EXAMPLE_KEY.parse().unwrap();
    for bit in 0..EXAMPLE.len() * 8 {
        let mut bytes = EXAMPLE.as_bytes().to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let verified = Note::parse(&bytes).and_then(|note| note.verify(&[&key]));
        assert!(verified.is_err(), "{bit}");
    }
    for end in 0..EXAMPLE.len() {
        assert!(Note::parse(&EXAMPLE.as_bytes()[..end]).is_err(), "{end}");
    }
}

#[test]
fn the_text_ends_at_the_last_blank_line() {
    for text in ["\n", "a\n", "a\n\nb\n", "a\n\n", "\n\n\n", "a\n\n— b Zm9vYmFy\n", "督办 \u{7f}\n"] {
        let note = note(text, &["a"]).unwrap();
        assert_eq!(Note::parse(note.to_string().as_bytes()).unwrap(), note);
        assert_eq!(note.text(), text);
        assert!(note.verify(&[signer("a").verifier()]).is_ok());
    }
}

#[test]
fn a_text_that_is_none_of_a_note_is_refused() {
    for (text, error) in [
        ("", NoteError::Form),
        ("a", NoteError::Form),
        ("a\r\n", NoteError::Control),
        ("a\tb\n", NoteError::Control),
        ("a\u{0}\n", NoteError::Control),
    ] {
        assert_eq!(note(text, &["a"]), Err(error), "{text:?}");
    }
    assert_eq!(note("a\n", &[]), Err(NoteError::Form));
}

#[test]
fn the_limits_are_kept() {
    let names: Vec<String> = (0..=SIGNATURES_MAX).map(|i| i.to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    assert!(note("a\n", &names[1..]).is_ok());
    assert_eq!(note("a\n", &names), Err(NoteError::Signatures(65)));
    assert_eq!(Note::parse(&vec![b'a'; NOTE_MAX + 1]), Err(NoteError::TooLong(1_000_001)));
    assert_eq!(Note::parse(b"\xff\n\n"), Err(NoteError::Utf8));
}

#[test]
fn what_is_no_signature_is_refused() {
    for line in [
        "",
        "a Zm9vYmFy",
        "- a Zm9vYmFy",
        "—a Zm9vYmFy",
        "— a  Zm9vYmFy",
        "— a Zm9vYmFy ",
        "— a",
        "— a ",
        "—  Zm9vYmFy",
        "— a+b Zm9vYmFy",
        "— a\u{a0}b Zm9vYmFy",
        "— a Zm9vYg==",
        "— a Zm9v YmFy",
        "— a Zm9vYmE",
        "— a Zm9vYmF=",
    ] {
        let text = format!("a\n\n— a Zm9vYmFy\n{line}\n");
        // A blank line among the signatures is the last one, and nothing follows it.
        let expected = if line.is_empty() { NoteError::Form } else { NoteError::Signature(2) };
        let refused = Note::parse(text.as_bytes()).unwrap_err();
        assert!(refused == expected || line.is_empty(), "{line}: {refused}");
    }
}

#[test]
fn signatures_of_unknown_keys_are_kept_and_ignored() {
    let note = note("a\n", &["known", "unknown"]).unwrap();
    let signed = note.verify(&[signer("known").verifier()]).unwrap();
    assert_eq!(signed.len(), 1);
    assert_eq!(signed[0].name.as_str(), "known");
    assert_eq!(note.signatures().len(), 2);
    assert_eq!(note.verify(&[signer("other").verifier()]), Err(NoteError::Unsigned));
    assert_eq!(note.verify(&[]), Err(NoteError::Unsigned));
}

#[test]
fn a_key_that_shares_name_or_id_alone_is_unknown() {
    let known = signer("a");
    let other = Signer::ed25519("a".parse().unwrap(), &[8; 32]).unwrap();
    let same_name = Note::new("a\n".to_owned(), vec![other.sign("a\n").unwrap()]).unwrap();
    assert_eq!(same_name.verify(&[known.verifier()]), Err(NoteError::Unsigned));
    let same_id = SignatureLine::new("b".parse().unwrap(), known.verifier().id(), vec![1; 64]);
    let same_id = Note::new("a\n".to_owned(), vec![same_id]).unwrap();
    assert_eq!(same_id.verify(&[known.verifier()]), Err(NoteError::Unsigned));
}

#[test]
fn a_wrong_signature_of_a_known_key_refuses_the_whole() {
    let (good, bad) = (signer("good"), signer("bad"));
    let lines = vec![good.sign("a\n").unwrap(), bad.sign("b\n").unwrap()];
    let note = Note::new("a\n".to_owned(), lines).unwrap();
    assert!(note.verify(&[good.verifier()]).is_ok());
    let wrong = NoteError::Wrong { name: "bad".parse().unwrap(), id: bad.verifier().id() };
    assert_eq!(note.verify(&[good.verifier(), bad.verifier()]), Err(wrong));
}

#[test]
fn two_keys_of_one_name_and_id_are_ambiguous() {
    let key = signer("a");
    let note = note("a\n", &["a"]).unwrap();
    let twice = note.verify(&[key.verifier(), key.verifier()]);
    assert_eq!(twice, Err(NoteError::Ambiguous { name: "a".parse().unwrap(), id: key.verifier().id() }));
}

#[test]
fn signatures_are_added_once() {
    let line = signer("b").sign("a\n").unwrap();
    let once = note("a\n", &["a"]).unwrap().with([line.clone()]).unwrap();
    assert_eq!(once, note("a\n", &["a", "b"]).unwrap());
    assert_eq!(once.clone().with([line]).unwrap(), once);
}

proptest! {
    #[test]
    fn what_is_read_is_written_the_same(bytes in "(a|\n|\n\n|— a Zm9vYmFy|— b Zm9vYmE=| |—|督){0,12}") {
        if let Ok(note) = Note::parse(bytes.as_bytes()) {
            prop_assert_eq!(note.to_string(), bytes);
        }
    }

    #[test]
    fn any_text_that_is_signed_can_be_read(text in "[^\\x00-\\x1f]{0,40}(\n[^\\x00-\\x1f]{0,9}){0,4}\n") {
        let note = note(&text, &["a"]).unwrap();
        prop_assert_eq!(Note::parse(note.to_string().as_bytes()).unwrap(), note);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Note::parse(&bytes);
        let _ = parse_signatures(&bytes);
    }
}
