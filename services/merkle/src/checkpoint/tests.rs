use proptest::prelude::*;

use super::*;
use crate::hash::Algorithm;

/// The example of C2SP `tlog-checkpoint`, without its signatures.
const EXAMPLE: &str = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";

#[test]
fn the_example_of_the_specification_is_read_and_written() {
    let checkpoint = Checkpoint::parse(EXAMPLE).unwrap();
    assert_eq!(checkpoint.origin(), "example.com/behind-the-sofa");
    assert_eq!(checkpoint.head().size, 20_852_163);
    assert_eq!(checkpoint.head().root.to_base64(), "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=");
    assert_eq!(checkpoint.to_text(), EXAMPLE);
    let extended = format!("{EXAMPLE}one\ntwo words\n");
    let checkpoint = Checkpoint::parse(&extended).unwrap();
    assert_eq!(checkpoint.extensions(), ["one", "two words"]);
    assert_eq!(checkpoint.to_text(), extended);
}

#[test]
fn what_is_no_checkpoint_is_refused() {
    let size = |size: &str| EXAMPLE.replace("20852163", size);
    let root = |root: &str| EXAMPLE.replace("CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=", root);
    let cases = [
        (String::new(), CheckpointError::Lines),
        ("\n".to_owned(), CheckpointError::Lines),
        ("a\n1\n".to_owned(), CheckpointError::Lines),
        (EXAMPLE.trim_end().to_owned(), CheckpointError::Lines),
        (EXAMPLE.replace("example.com/behind-the-sofa", ""), CheckpointError::Lines),
        (format!("{EXAMPLE}\n"), CheckpointError::Lines),
        (format!("{EXAMPLE}a\n\nb\n"), CheckpointError::Lines),
        (format!("{EXAMPLE}a\tb\n"), CheckpointError::Control),
        (EXAMPLE.replace("the", "\u{0}"), CheckpointError::Control),
        (size(""), CheckpointError::Size),
        (size("020852163"), CheckpointError::Size),
        (size("00"), CheckpointError::Size),
        (size("+1"), CheckpointError::Size),
        (size("-1"), CheckpointError::Size),
        (size("1 "), CheckpointError::Size),
        (size("9223372036854775808"), CheckpointError::Size),
        (size("18446744073709551616"), CheckpointError::Size),
        (root(""), CheckpointError::Root(0)),
        (root("Zm9v"), CheckpointError::Root(3)),
        (root("CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I"), CheckpointError::Root(0)),
        (root("CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2J="), CheckpointError::Root(0)),
    ];
    for (text, error) in cases {
        assert_eq!(Checkpoint::parse(&text), Err(error), "{text:?}");
    }
    assert_eq!(Checkpoint::parse(&size("0")).unwrap().head().size, 0);
}

#[test]
fn one_that_could_not_be_read_back_is_not_made() {
    let head = TreeHead::empty(Algorithm::Sha256);
    assert_eq!(Checkpoint::new("", head), Err(CheckpointError::Lines));
    assert_eq!(Checkpoint::new("a\n1", head), Err(CheckpointError::Control));
    let extended = |line: &str| Checkpoint::with_extensions("a", head, vec![line.to_owned()]);
    assert_eq!(extended(""), Err(CheckpointError::Lines));
    assert_eq!(extended("a\nb"), Err(CheckpointError::Control));
    assert_eq!(Checkpoint::new("a", TreeHead { size: u64::MAX, ..head }), Err(CheckpointError::Size));
}

proptest! {
    #[test]
    fn a_checkpoint_comes_back_as_it_went(origin in "[^\\x00-\\x1f]{1,20}", size in 0..=SIZE_MAX, root: [u8; 32], lines in prop::collection::vec("[^\\x00-\\x1f]{1,9}", 0..3)) {
        let head = TreeHead { size, root: root.into() };
        let checkpoint = Checkpoint::with_extensions(&origin, head, lines).unwrap();
        prop_assert_eq!(Checkpoint::parse(&checkpoint.to_text()), Ok(checkpoint));
    }

    #[test]
    fn what_is_read_is_written_the_same(text in "[a\n]{1,4}\n?[0-9]{1,3}\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2[A-Z]=\n[b\n]{0,5}") {
        if let Ok(checkpoint) = Checkpoint::parse(&text) {
            prop_assert_eq!(checkpoint.to_text(), text);
        }
    }
}
