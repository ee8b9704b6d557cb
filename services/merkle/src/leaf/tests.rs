use proptest::prelude::*;

use super::*;
use crate::hash::Algorithm;

fn leaf() -> Leaf {
    Leaf {
        actor: "zhang.san".to_owned(),
        agency: Some("agencies/fgw".to_owned()),
        body: Commitment::new(Algorithm::Sha256, &[7; 32], b"{}"),
        causation: Some(3),
        command: Some(Commitment::new(Algorithm::Sha256, &[7; 32], &[1; 32])),
        correlation: Uuid::from_u128(1),
        effective_on: jiff::civil::date(2026, 3, 1),
        id: Uuid::from_u128(2),
        leaf: Version::V1,
        position: 9,
        recorded_at: 1_772_323_200_000_001,
        request_id: Uuid::from_u128(3),
        role: "coordinator".to_owned(),
        tags: vec![("agency:fgw".to_owned(), 0), ("task:a".to_owned(), 8)],
        trace_id: Some("0af7651916cd43dd8448eb211c80319c".to_owned()),
        event_type: "task.assigned.v1".to_owned(),
    }
}

/// History rests on these bytes: they may never change.
const STORED: &str = concat!(
    r#"{"actor":"zhang.san","agency":"agencies/fgw","#,
    r#""body":{"sha256":"605dcbfd3c387c45b6db7e7b1fb961bdd75d762260c4879b3c3b4f15edacad42"},"#,
    r#""causation":3,"#,
    r#""command":{"sha256":"07c5ee68836d5b59ca594debcbc33e22c487bf5493cc6940af07b445d67cc6c0"},"#,
    r#""correlation":"00000000-0000-0000-0000-000000000001","effective_on":"2026-03-01","#,
    r#""id":"00000000-0000-0000-0000-000000000002","leaf":"duban.leaf.v1","position":9,"#,
    r#""recorded_at":1772323200000001,"request_id":"00000000-0000-0000-0000-000000000003","#,
    r#""role":"coordinator","tags":[["agency:fgw",0],["task:a",8]],"#,
    r#""trace_id":"0af7651916cd43dd8448eb211c80319c","type":"task.assigned.v1"}"#,
);

#[test]
fn a_leaf_is_written_as_history_has_it() {
    assert_eq!(String::from_utf8(leaf().encode().unwrap()).unwrap(), STORED);
    assert_eq!(Leaf::decode(STORED.as_bytes()).unwrap(), leaf());
    assert_eq!(leaf().index(), 8);
}

#[test]
fn what_is_absent_is_null() {
    let bare = Leaf { agency: None, causation: None, command: None, trace_id: None, tags: vec![], ..leaf() };
    let text = String::from_utf8(bare.encode().unwrap()).unwrap();
    for null in [r#""agency":null"#, r#""causation":null"#, r#""command":null"#, r#""trace_id":null"#] {
        assert!(text.contains(null), "{text}");
    }
    assert_eq!(Leaf::decode(text.as_bytes()).unwrap(), bare);
}

#[test]
fn keys_are_sorted_as_rfc_8785_sorts() {
    let value: serde_json::Value = serde_json::from_str(STORED).unwrap();
    let mut places: Vec<(String, usize)> = value
        .as_object()
        .unwrap()
        .keys()
        .map(|key| (key.clone(), STORED.find(&format!("\"{key}\":")).unwrap()))
        .collect();
    places.sort();
    assert!(places.windows(2).all(|pair| pair[0].1 < pair[1].1));
    assert_eq!(places.len(), 16);
}

#[test]
fn strings_are_escaped_as_rfc_8785_escapes() {
    // RFC 8785 §3.2.2.2: short forms, other controls as lower-case \u00xx, all else as it is.
    let odd = "\u{0}\u{1f}\u{8}\t\n\u{c}\r\"\\/\u{7f}\u{2028}督\u{1f600}€";
    let text = String::from_utf8(Leaf { actor: odd.to_owned(), ..leaf() }.encode().unwrap()).unwrap();
    let written = "{\"actor\":\"\\u0000\\u001f\\b\\t\\n\\f\\r\\\"\\\\/\u{7f}\u{2028}督\u{1f600}€\",";
    assert!(text.starts_with(written), "{text}");
    assert_eq!(Leaf::decode(text.as_bytes()).unwrap().actor, odd);
}

/// The largest leaf of an event that the log takes: `PRINCIPAL_MAX`, `ID_MAX`, `TAG_MAX`, `TAGS_MAX` of the
/// domain, the longest role, and a type as long as an id, which is more than any has.
fn largest() -> Leaf {
    let tag = |i: u8| (format!("{}{:>02}", "t".repeat(126), i), INTEGER_MAX - 1);
    Leaf {
        actor: "a".repeat(64),
        agency: Some(format!("agencies/{}", "a".repeat(63))),
        causation: Some(INTEGER_MAX),
        position: INTEGER_MAX,
        recorded_at: -9_007_199_254_740_991,
        role: "coordinator".to_owned(),
        tags: (10..26).map(tag).collect(),
        event_type: "t".repeat(63),
        ..leaf()
    }
}

#[test]
fn the_largest_event_that_the_log_takes_fits() {
    assert_eq!(largest().encode().unwrap().len(), 3171);
}

#[test]
fn the_largest_tags_fit_in_any_script() {
    // Tags are ASCII today. Three-byte characters are not escaped, so 128 bytes stay 128 bytes.
    let mut leaf = largest();
    leaf.tags = (10..26).map(|i: u8| (format!("{}{i}", "督".repeat(42)), INTEGER_MAX - 1)).collect();
    assert_eq!(leaf.encode().unwrap().len(), 3171);
}

#[test]
fn a_leaf_that_does_not_fit_is_refused_and_not_cut() {
    let spare = LEAF_MAX - largest().encode().unwrap().len();
    let grown = |by: usize| Leaf { role: "r".repeat("coordinator".len() + by), ..largest() };
    assert_eq!(grown(spare).encode().unwrap().len(), LEAF_MAX);
    assert!(matches!(grown(spare + 1).encode(), Err(LeafError::TooLong(4097))));
    // Quotes are escaped and count twice: no tag of ours has them.
    let mut quoted = largest();
    quoted.tags = (10..26).map(|i: u8| (format!("{}{i}", "\"".repeat(126)), 0)).collect();
    assert!(matches!(quoted.encode(), Err(LeafError::TooLong(_))));
    assert!(matches!(Leaf::decode(&[b' '; LEAF_MAX + 1]), Err(LeafError::TooLong(4097))));
}

#[test]
fn what_is_outside_of_its_bounds_is_refused() {
    let tags = |tags: &[(&str, u64)]| tags.iter().map(|(t, p)| ((*t).to_owned(), *p)).collect::<Vec<_>>();
    let many = (10..27).map(|i: u8| (format!("t{i}"), 0)).collect();
    let other = Commitment::new(Algorithm::Sm3, &[7; 32], &[1; 32]);
    let cases = [
        ("position", Leaf { position: 0, tags: vec![], ..leaf() }),
        ("position", Leaf { position: INTEGER_MAX + 1, ..leaf() }),
        ("causation", Leaf { causation: Some(0), ..leaf() }),
        ("causation", Leaf { causation: Some(INTEGER_MAX + 1), ..leaf() }),
        ("command", Leaf { command: Some(other), ..leaf() }),
        ("recorded_at", Leaf { recorded_at: 1 << 53, ..leaf() }),
        ("recorded_at", Leaf { recorded_at: i64::MIN, ..leaf() }),
        ("trace_id", Leaf { trace_id: Some("0AF7651916CD43DD8448EB211C80319C".to_owned()), ..leaf() }),
        ("trace_id", Leaf { trace_id: Some("0af7".to_owned()), ..leaf() }),
        ("tags", Leaf { tags: many, ..leaf() }),
        ("tags", Leaf { tags: tags(&[("b", 0), ("a", 0)]), ..leaf() }),
        ("tags", Leaf { tags: tags(&[("a", 0), ("a", 1)]), ..leaf() }),
        ("tags", Leaf { tags: tags(&[("a", 9)]), ..leaf() }),
        ("tags", Leaf { tags: vec![("t".repeat(129), 0)], ..leaf() }),
    ];
    for (name, leaf) in cases {
        let error = leaf.encode().unwrap_err();
        assert!(matches!(error, LeafError::Field { field, .. } if field == name), "{name}: {error}");
        let bytes = serde_json::to_vec(&leaf).unwrap();
        assert!(Leaf::decode(&bytes).is_err(), "{name} can be read");
    }
}

#[test]
fn the_error_tells_a_wrong_field_from_a_wrong_spelling() {
    let more = STORED.replace("\"causation\":3", "\"causation\":3,\"cause\":3");
    let error = Leaf::decode(more.as_bytes()).unwrap_err();
    assert!(matches!(&error, LeafError::Json(cause) if cause.to_string().contains("`cause`")), "{error:?}");
    let spaced = STORED.replacen(',', ", ", 1);
    assert!(matches!(Leaf::decode(spaced.as_bytes()), Err(LeafError::NotCanonical)));
}

#[test]
fn another_spelling_of_the_same_leaf_is_refused() {
    let respelt = [
        STORED.replacen(',', ", ", 1),
        format!("{STORED}\n"),
        format!(" {STORED}"),
        format!("{STORED}{{}}"),
        STORED.replace("zhang", "\\u007ahang"),
        STORED.replace("agencies/", "agencies\\/"),
        STORED.replace("\"position\":9", "\"position\":9.0"),
        STORED.replace("\"position\":9", "\"position\":9e0"),
        STORED.replace("\"position\":9", "\"position\":09"),
        STORED.replace("0000-0000-0000-000000000001", "0000-0000-0000-000000000001\u{0}"),
        STORED.replace("00000000-0000-0000-0000-000000000001", "00000000000000000000000000000001"),
        STORED.replace("2026-03-01", "20260301"),
        STORED.replace("2026-03-01", "2026-03-01T00:00"),
        STORED.replace("2026-03-01", "2026-02-30"),
        STORED.replace("\"causation\":3", "\"causation\":3,\"causation\":3"),
        STORED.replace("\"causation\":3,", ""),
        STORED.replace("\"causation\":3", "\"causation\":3,\"cause\":3"),
        STORED.replace("duban.leaf.v1", "duban.leaf.v2"),
        STORED.replace("\"sha256\"", "\"sha512\""),
        STORED.replacen(
            "605dcbfd3c387c45b6db7e7b1fb961bdd75d762260c4879b3c3b4f15edacad42",
            "605DCBFD3C387C45B6DB7E7B1FB961BDD75D762260C4879B3C3B4F15EDACAD42",
            1,
        ),
    ];
    for text in respelt {
        assert_ne!(text, STORED);
        assert!(Leaf::decode(text.as_bytes()).is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn it_is_written_as_serde_json_writes_it(
        texts in prop::array::uniform4(any::<String>()),
        numbers in prop::array::uniform4(1..INTEGER_MAX),
        ids in prop::array::uniform3(any::<u128>()),
        days in -800_000..2_900_000_i32,
        present in prop::array::uniform3(any::<bool>()),
    ) {
        let [actor, agency, role, event_type] = texts;
        let [position, causation, previous, recorded_at] = numbers;
        let day = jiff::civil::date(1970, 1, 1).checked_add(jiff::Span::new().days(days)).unwrap();
        let leaf = Leaf {
            actor,
            agency: present[0].then_some(agency),
            causation: present[1].then_some(causation),
            command: present[2].then(|| Commitment::new(Algorithm::Sm3, &[7; 32], &[1; 32])),
            body: Commitment::new(Algorithm::Sm3, &[7; 32], b"{}"),
            correlation: Uuid::from_u128(ids[0]),
            effective_on: day,
            id: Uuid::from_u128(ids[1]),
            position,
            recorded_at: i64::try_from(recorded_at).unwrap() * if present[0] { 1 } else { -1 },
            request_id: Uuid::from_u128(ids[2]),
            role,
            tags: if previous < position { vec![("t".to_owned(), previous)] } else { vec![] },
            event_type,
            ..leaf()
        };
        if let Ok(bytes) = leaf.encode() {
            prop_assert_eq!(String::from_utf8(bytes).unwrap(), serde_json::to_string(&leaf).unwrap());
        }
    }

    #[test]
    fn any_text_comes_back_as_it_went(actor in any::<String>(), role in "\\PC{0,20}", position in 1..INTEGER_MAX) {
        let leaf = Leaf { actor, role, position, tags: vec![], ..leaf() };
        if let Ok(bytes) = leaf.encode() {
            prop_assert_eq!(Leaf::decode(&bytes).unwrap(), leaf);
        }
    }

    #[test]
    fn a_changed_byte_makes_another_leaf_or_none(at in 0..STORED.len(), to in any::<u8>()) {
        let mut bytes = STORED.as_bytes().to_vec();
        prop_assume!(bytes[at] != to);
        bytes[at] = to;
        if let Ok(other) = Leaf::decode(&bytes) {
            prop_assert_ne!(&other, &leaf());
            prop_assert_eq!(other.encode().unwrap(), bytes);
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Leaf::decode(&bytes);
    }
}
