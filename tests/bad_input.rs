//! Bad input, on every RPC: it is refused in words that a program can branch on, and never more than that. No
//! panic, nothing INTERNAL but bytes that are no message, nothing written, and the server answers on.

mod scene;
mod template;

use bytes::Bytes;
use duban_domain::Role;
use prost::Message as _;
use prost_reflect::{DynamicMessage, Kind, Value};
use rand::rngs::StdRng;
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use tonic::Code;

use crate::support::{Engine, Rpc, rpcs};
use scene::{Scene, roles};
use template::{Place, is_date, is_name, places, template};

/// Refused with this code and reason, for these fields alone.
#[track_caller]
fn refused_for(told: &scene::Told, code: Code, reason: &str, field: &str, what: &str) {
    let (got, why, fields) = told;
    assert_eq!((*got, why.as_str()), (code, reason), "{what}: {fields:?}");
    // A violation names the whole of a mask.
    let field = field.trim_end_matches(".paths[0]");
    assert_eq!(fields, &[field], "{what}");
}

/// Every RPC with every field of its request that `wanted` holds of.
fn every(wanted: impl Fn(&Place, &Value) -> bool) -> Vec<(Rpc, DynamicMessage, Place)> {
    let mut every = Vec::new();
    for rpc in rpcs() {
        let message = template(&rpc.input);
        let fitting = places(&message).into_iter().filter(|place| wanted(place, &place.get(&message)));
        every.extend(fitting.map(|place| (rpc.clone(), message.clone(), place)));
    }
    assert!(every.len() > 10, "there is something to try");
    every
}

fn is_text(_: &Place, value: &Value) -> bool {
    value.as_str().is_some()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_other_tests_put_wrong_can_be_taken_as_it_is() {
    let scene = Scene::set().await;
    for rpc in rpcs() {
        let told = scene.send(&rpc, template(&rpc.input).encode_to_vec()).await;
        let fine = told.as_ref().is_none_or(|(code, ..)| {
            matches!(code, Code::NotFound | Code::FailedPrecondition | Code::AlreadyExists)
        });
        assert!(fine, "{}: {told:?}", rpc.path);
    }
    scene.ended().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_message_is_refused_or_answered() {
    let scene = Scene::set().await;
    for rpc in rpcs() {
        let told = scene.send(&rpc, Bytes::new()).await;
        match &told {
            Some(told) if rpc.is_command() => {
                assert_eq!(
                    (told.0, told.1.as_str()),
                    (Code::InvalidArgument, "INVALID_FIELD"),
                    "{}",
                    rpc.path
                );
                assert!(told.2.contains(&"context".to_owned()), "{}: {told:?}", rpc.path);
            }
            // Where no folder for a tree is given, there is none.
            Some(told) if told.1 == "TREE_NOT_FOUND" => assert!(matches!(crate::ENGINE, Engine::Postgres)),
            Some(told) => assert_eq!(told.0, Code::InvalidArgument, "{}: {told:?}", rpc.path),
            None => assert!(!rpc.is_command(), "{}", rpc.path),
        }
    }
    scene.ended().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn five_megabytes_are_too_much() {
    let scene = Scene::set().await;
    for rpc in rpcs() {
        let mut message = template(&rpc.input).encode_to_vec();
        // A field that nobody knows, with the rest: tag 1000, length-delimited.
        message.extend([0xc2, 0x3e]);
        prost::encode_length_delimiter(5_000_000, &mut message).expect("room");
        message.resize(message.len() + 5_000_000, b'x');
        for who in scene.everybody() {
            let told = scene.tell(&who, &rpc, message.clone()).await.expect("a refusal");
            let expected = (Code::ResourceExhausted, "MESSAGE_TOO_LARGE");
            assert_eq!((told.0, told.1.as_str()), expected, "{}", rpc.path);
        }
    }
    scene.ended().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_utf8_is_no_message_however_deep_it_stands() {
    const MARK: &str = "~~here~~";
    let scene = Scene::set().await;
    for (rpc, message, place) in every(is_text) {
        let mut bytes = place.with(&message, Value::String(MARK.to_owned())).encode_to_vec();
        let at = bytes.windows(MARK.len()).position(|window| window == MARK.as_bytes()).expect("the mark");
        bytes[at..at + 2].copy_from_slice(&[0xc3, 0x28]);
        let told = scene.send(&rpc, bytes).await.expect("a refusal");
        let expected = (Code::Internal, "MALFORMED_MESSAGE");
        assert_eq!((told.0, told.1.as_str()), expected, "{} {}", rpc.path, place.path);
    }
    scene.ended().await;
}

/// What a text may not hold: it would show other than it is.
const HIDDEN: [&str; 6] = ["a\0b", "a\u{202e}b", "a\u{2066}b", "a\u{200f}b", "a\u{7f}b", "a\u{85}b"];

#[tokio::test(flavor = "multi_thread")]
async fn control_and_bidi_characters_are_refused_in_every_text() {
    let scene = Scene::set().await;
    for (rpc, message, place) in every(is_text) {
        for hidden in HIDDEN {
            let told = scene
                .send(&rpc, place.with(&message, Value::String(hidden.to_owned())).encode_to_vec())
                .await;
            let what = format!("{} {} {hidden:?}: {told:?}", rpc.path, place.path);
            // An etag is compared and never shown: this is no etag of ours. Of what is not there yet nothing is
            // compared.
            if place.field().name() == "etag" {
                let codes = [Code::Aborted, Code::NotFound, Code::FailedPrecondition, Code::AlreadyExists];
                assert!(told.is_none_or(|told| codes.contains(&told.0)), "{what}");
                continue;
            }
            let told = told.expect(&what);
            match place.field().name() {
                "filter" => refused_for(&told, Code::InvalidArgument, "FILTER_INVALID", &place.path, &what),
                "page_token" => {
                    refused_for(&told, Code::InvalidArgument, "PAGE_TOKEN_INVALID", &place.path, &what);
                }
                "paths" => refused_for(&told, Code::InvalidArgument, "MASK_INVALID", &place.path, &what),
                _ => refused_for(&told, Code::InvalidArgument, "INVALID_FIELD", &place.path, &what),
            }
        }
    }
    scene.ended().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_of_a_megabyte_is_refused_wherever_it_stands() {
    let scene = Scene::set().await;
    let long = "省".repeat(350_000);
    for (rpc, message, place) in every(is_text) {
        let bytes = place.with(&message, Value::String(long.clone())).encode_to_vec();
        let told = scene.send(&rpc, bytes).await.unwrap_or_else(|| panic!("{} {}", rpc.path, place.path));
        assert_eq!(told.0, Code::InvalidArgument, "{} {}: {told:?}", rpc.path, place.path);
        assert_eq!(told.2, [place.path.trim_end_matches(".paths[0]")], "{} {}", rpc.path, place.path);
    }
    scene.ended().await;
}

/// What is no name of a resource.
fn no_names() -> Vec<String> {
    let fixed = [
        "x",
        "/",
        "agencies/",
        "agencies/FGW",
        "agencies/../tasks",
        "agencies/a/b/c",
        "agencies/-a",
        "cycles/1",
    ];
    let more = [
        "nobody/x",
        "tasks/t/assignments/",
        "documents//readings/r",
        "reports/r ",
        "任务/t",
        "cycles/2026/obligations",
    ];
    let long = format!("tasks/{}", "a".repeat(64));
    fixed.iter().chain(&more).map(|name| (*name).to_owned()).chain([long]).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_name_is_refused_by_its_path() {
    let scene = Scene::set().await;
    for (rpc, message, place) in every(|_, value| is_name(value)) {
        for name in no_names() {
            let told =
                scene.send(&rpc, place.with(&message, Value::String(name.clone())).encode_to_vec()).await;
            let what = format!("{} {} {name:?}: {told:?}", rpc.path, place.path);
            refused_for(&told.expect(&what), Code::InvalidArgument, "INVALID_FIELD", &place.path, &what);
        }
    }
    for (rpc, message, place) in every(|place, _| place.field().name().ends_with("_id")) {
        for id in ["-", "A", "a-", "a b", "a/b", "省", "a.b", &"a".repeat(64)] {
            let told =
                scene.send(&rpc, place.with(&message, Value::String(id.to_owned())).encode_to_vec()).await;
            let what = format!("{} {} {id:?}: {told:?}", rpc.path, place.path);
            refused_for(&told.expect(&what), Code::InvalidArgument, "INVALID_FIELD", &place.path, &what);
        }
    }
    scene.ended().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_said_to_be_so() {
    let scene = Scene::set().await;
    for (rpc, message, place) in every(|_, value| is_name(value)) {
        let there = place.get(&message);
        let parts = there.as_str().expect("a name").split('/').map(|part| match part {
            "2026" => "2031".to_owned(),
            id if id.len() <= 3 => format!("no-{id}"),
            collection => collection.to_owned(),
        });
        let absent = parts.collect::<Vec<_>>().join("/");
        let told =
            scene.send(&rpc, place.with(&message, Value::String(absent.clone())).encode_to_vec()).await;
        // Whether it is looked up at all is the RPC's; the words are the same everywhere.
        if let Some((code, reason, _)) = told {
            let fine = match code {
                Code::NotFound => reason.ends_with("_NOT_FOUND"),
                Code::PermissionDenied => reason == "NOT_YOURS",
                Code::FailedPrecondition | Code::AlreadyExists => true,
                // Of two names that must fit each other.
                Code::InvalidArgument => reason == "INVALID_FIELD",
                _ => false,
            };
            assert!(fine, "{} {} {absent}: {code:?} {reason}", rpc.path, place.path);
        }
    }
    scene.ended().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dates_out_of_range_are_refused_by_their_path() {
    let scene = Scene::set().await;
    let bad = [
        "1949-09-30",
        "2200-01-01",
        "2026-02-30",
        "2026-13-01",
        "0000-00-00",
        "2026-3-2",
        "20260302",
        "today",
        "2026-03-02T00:00:00Z",
        "+2026-03-02",
        "-2026-03-02",
        "9999-12-31",
        "２０２６-03-02",
        " 2026-03-02",
    ];
    for (rpc, message, place) in every(|_, value| is_date(value)) {
        for date in bad {
            let told =
                scene.send(&rpc, place.with(&message, Value::String(date.to_owned())).encode_to_vec()).await;
            let what = format!("{} {} {date:?}: {told:?}", rpc.path, place.path);
            refused_for(&told.expect(&what), Code::InvalidArgument, "INVALID_FIELD", &place.path, &what);
        }
    }
    scene.ended().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_that_no_enum_has_are_refused_by_their_path() {
    let scene = Scene::set().await;
    for (rpc, message, place) in every(|_, value| value.as_enum_number().is_some()) {
        for number in [99, -1, i32::MAX, i32::MIN] {
            let told =
                scene.send(&rpc, place.with(&message, Value::EnumNumber(number)).encode_to_vec()).await;
            let what = format!("{} {} {number}: {told:?}", rpc.path, place.path);
            refused_for(&told.expect(&what), Code::InvalidArgument, "INVALID_FIELD", &place.path, &what);
        }
    }
    scene.ended().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_at_the_edges_are_taken_or_refused() {
    let scene = Scene::set().await;
    for (rpc, message, place) in every(|place, _| !place.field().is_list()) {
        let edges: Vec<Value> = match place.field().kind() {
            Kind::Uint32 => [0, 1, 2_200, u32::MAX].map(Value::U32).into(),
            Kind::Uint64 => [0, 1 << 53, u64::MAX >> 1, u64::MAX].map(Value::U64).into(),
            Kind::Int32 => [0, -1, 1000, 1001, i32::MIN, i32::MAX].map(Value::I32).into(),
            _ => continue,
        };
        for edge in edges {
            let _ = scene.send(&rpc, place.with(&message, edge).encode_to_vec()).await;
        }
    }
    scene.ended().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn instants_that_there_are_not_are_refused_by_their_path() {
    let scene = Scene::set().await;
    let bad =
        [(i64::MAX, 0), (i64::MIN, 0), (0, -1), (0, 1_000_000_000), (0, i32::MAX), (253_402_300_800, 0)];
    let asking = rpcs().into_iter().filter(|rpc| rpc.input.get_field_by_name("as_of").is_some());
    let asking: Vec<Rpc> = asking.collect();
    assert!(asking.len() > 10, "there is something to try");
    for rpc in asking {
        for (seconds, nanos) in bad {
            let mut message = template(&rpc.input);
            let as_of = message.get_field_by_name_mut("as_of").expect("its clocks");
            let as_of = as_of.as_message_mut().expect("a message");
            as_of.set_field_by_name("known_at", template::instant(as_of, seconds, nanos));
            let told = scene.send(&rpc, message.encode_to_vec()).await;
            let what = format!("{} {seconds} {nanos}: {told:?}", rpc.path);
            let path = "as_of.known_at";
            refused_for(&told.expect(&what), Code::InvalidArgument, "INVALID_FIELD", path, &what);
        }
    }
    scene.ended().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_without_measure_are_refused_by_their_path() {
    let scene = Scene::set().await;
    for (rpc, message, place) in every(|place, _| place.field().is_list()) {
        let told = scene.send(&rpc, place.repeated(&message, 10_000).encode_to_vec()).await;
        let what = format!("{} {}: {told:?}", rpc.path, place.path);
        // The whole list is meant, not its first entry. A mask says ten thousand times the same.
        let path = place.path.trim_end_matches("[0]");
        match told {
            None => assert_eq!(place.field().name(), "paths", "{what}"),
            Some(told) if place.field().name() == "paths" => assert_ne!(told.0, Code::Internal),
            Some(told) => refused_for(&told, Code::InvalidArgument, "INVALID_FIELD", path, &what),
        }
    }
    scene.ended().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn noise_is_refused_whoever_makes_it() {
    let scene = Scene::set().await;
    let mut random = StdRng::seed_from_u64(710);
    for rpc in rpcs() {
        let good = template(&rpc.input).encode_to_vec();
        for who in scene.everybody() {
            for _ in 0..4 {
                let mut noise = vec![0; random.random_range(1..200)];
                random.fill_bytes(&mut noise);
                let _ = scene.tell(&who, &rpc, noise).await;
            }
            if !good.is_empty() {
                // Cut off, and a few bytes changed.
                let _ = scene.tell(&who, &rpc, good[..random.random_range(0..good.len())].to_vec()).await;
                for _ in 0..8 {
                    let mut changed = good.clone();
                    for _ in 0..random.random_range(1..4) {
                        let at = random.random_range(0..changed.len());
                        changed[at] = random.random();
                    }
                    let _ = scene.tell(&who, &rpc, changed).await;
                }
            }
        }
    }
    scene.ended().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_role_hears_that_it_may_not_whatever_it_sends() {
    let scene = Scene::set().await;
    for rpc in rpcs() {
        let allowed = roles(&rpc);
        let good = template(&rpc.input);
        let bad = places(&good).into_iter().find(|place| is_text(place, &place.get(&good)));
        let bad = bad.map_or(good.clone(), |place| place.with(&good, Value::String("\0".to_owned())));
        for (role, who) in scene.by_role() {
            for message in [good.encode_to_vec(), bad.encode_to_vec(), Vec::new()] {
                let told = scene.tell(&who, &rpc, message).await;
                let denied = told.is_some_and(|(code, reason, _)| {
                    code == Code::PermissionDenied && reason == "ROLE_NOT_ALLOWED"
                });
                // A supervisor may judge the coordinator's own reports, and no others: the rule says so.
                let either = allowed.contains(&Role::Supervisor) && allowed.contains(&Role::Coordinator);
                assert!(
                    denied != allowed.contains(&role) || either && role == Role::Supervisor,
                    "{} {role:?}",
                    rpc.path
                );
            }
        }
    }
    scene.ended().await;
}
