use std::sync::Arc;

use duban_merkle::leaf::Version;
use duban_merkle::{Checkpoint, Commitment, Signer};
use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::keys::Turn;
use crate::store::Writer;
use crate::testing::{Home, Kind, id, leaf};

const SHA256: Algorithm = Algorithm::Sha256;

fn origin() -> String {
    id(SHA256).origin
}

fn signer(seed: u8) -> Signer {
    Signer::ed25519(origin().parse().unwrap(), &[seed; 32]).unwrap()
}

fn key(seed: u8) -> Verifier {
    signer(seed).verifier().clone()
}

/// What is recorded when a key is announced or retired.
fn change(position: Position, seed: u8, turn: Turn) -> (Change, Vec<u8>) {
    let (key, mut data) = (key(seed), json!({ "log": "logs/l", "origin": origin() }));
    let event_type = match turn {
        Turn::Announced => "log.key_announced.v1",
        Turn::Retired => "log.key_retired.v1",
    };
    if turn == Turn::Announced {
        data["algorithm"] = "ED25519".into();
    }
    data["key"] = key.to_string().into();
    let body = json!({ "event": { "type": event_type, "data": data }, "context": {} }).to_string();
    let opening = Opening { nonce: [seed; 32], body: body.as_bytes().into() };
    let leaf = Leaf {
        actor: "system:signer".to_owned(),
        agency: None,
        body: Commitment::new(SHA256, &opening.nonce, &opening.body),
        causation: None,
        command: None,
        correlation: Uuid::from_u128(1),
        effective_on: "2026-03-02".parse().unwrap(),
        id: Uuid::from_u128(position.into()),
        leaf: Version::V1,
        position,
        recorded_at: 1,
        request_id: Uuid::from_u128(1),
        role: "system".to_owned(),
        tags: vec![("log:l".to_owned(), 0)],
        trace_id: None,
        event_type: event_type.to_owned(),
    };
    (Change { position, key, turn, opening }, leaf.encode().unwrap())
}

/// A tree in which the first key hands over to the second at 9, and that to the third at 31.
struct Scene {
    store: Arc<Store>,
    ring: Ring,
    writer: Writer,
    _home: Home,
}

impl Scene {
    fn new() -> Self {
        let home = Kind::Folder.home();
        let mut writer = home.writer();
        let mut changes = Vec::new();
        let mut grow = |writer: &mut Writer, told: &[(Position, u8, Turn)], size: u64, seeds: &[u8]| {
            for index in writer.size()..size {
                let told = told.iter().find(|(position, ..)| *position == index + 1);
                let told = told.map(|(position, seed, turn)| change(*position, *seed, *turn));
                let bytes = told.as_ref().map_or_else(|| leaf(index), |(_, leaf)| leaf.clone());
                changes.extend(told.map(|(change, _)| change));
                writer.append(bytes).unwrap();
            }
            let head = writer.commit().unwrap();
            writer.press().hand_over(size, &note(head, seeds).to_string()).unwrap();
        };
        grow(&mut writer, &[(5, 2, Turn::Announced), (8, 1, Turn::Retired)], 9, &[1, 2]);
        grow(&mut writer, &[(20, 3, Turn::Announced), (30, 2, Turn::Retired)], 31, &[2, 3]);
        Self { store: Arc::clone(writer.store()), ring: Ring::of(changes), writer, _home: home }
    }

    fn kept(&self) -> Vec<Handover> {
        Handover::kept(&self.store, &self.ring).unwrap()
    }
}

fn note(head: TreeHead, seeds: &[u8]) -> Note {
    let signers: Vec<Signer> = seeds.iter().copied().map(signer).collect();
    Checkpoint::new(&origin(), head).unwrap().sign(&signers.iter().collect::<Vec<_>>()).unwrap()
}

fn followed(given: u8, handovers: &[Handover]) -> Vec<Verifier> {
    follow(&origin(), SHA256, &[key(given)], handovers).at(31 + 1)
}

#[test]
fn who_was_given_any_key_follows_to_the_last() {
    let kept = Scene::new().kept();
    assert_eq!(kept.iter().map(|one| one.events.len()).collect::<Vec<_>>(), [2, 2]);
    for given in [1, 2, 3] {
        assert_eq!(followed(given, &kept), [key(3)], "given {given}");
    }
    let after = follow(&origin(), SHA256, &[key(1)], &kept);
    assert_eq!(after.rests_on.iter().map(|one| one.head().size).collect::<Vec<_>>(), [9, 31]);
    assert_eq!(after.at(9), [key(1), key(2), key(3)]);
}

#[test]
fn they_are_shown_as_they_were_kept() {
    let scene = Scene::new();
    assert_eq!(Handover::shown(&scene.store).unwrap(), [], "nothing is shown yet");
    scene.writer.press().show_handovers(&scene.kept()).unwrap();
    assert_eq!(Handover::shown(&scene.store).unwrap(), scene.kept());
}

#[test]
fn what_is_not_signed_or_not_in_the_tree_leads_nowhere() {
    let scene = Scene::new();
    let kept = scene.kept();
    assert_eq!(followed(9, &kept), [key(9)], "a stranger's key");
    assert_eq!(followed(1, &kept[1..]), [key(1)], "one is left out");
    let refused = |what: &str, forge: &dyn Fn(&mut Handover)| {
        let mut forged = kept.clone();
        forge(&mut forged[0]);
        assert_ne!(forged, kept, "{what}");
        assert_eq!(followed(1, &forged), [key(1)], "{what}");
    };
    refused("another key in the body", &|one| {
        one.events[0].body = one.events[0].body.replace(&key(2).to_string(), &key(9).to_string());
    });
    refused("an event of another tree", &|one| {
        let (change, leaf) = change(5, 9, Turn::Announced);
        one.events[0].leaf = String::from_utf8(leaf).unwrap();
        one.events[0].nonce = change.opening.nonce;
        one.events[0].body = String::from_utf8(change.opening.body.to_vec()).unwrap();
    });
    refused("another position", &|one| one.events[0].position = 6);
    refused("another path", &|one| one.events[0].path.swap(0, 1));
    refused("signed by the new key alone", &|one| {
        one.checkpoint = note(one.head(&id(SHA256)).unwrap(), &[2]).to_string();
    });
    refused("another tree, signed by a stranger", &|one| {
        one.checkpoint = note(TreeHead { size: 9, root: SHA256.leaf(b"x") }, &[9]).to_string();
    });
}

#[test]
fn a_key_that_has_handed_over_vouches_for_nobody_any_more() {
    let scene = Scene::new();
    let mut kept = scene.kept();
    let head = kept[1].head(&id(SHA256)).unwrap();
    kept[1].checkpoint = note(head, &[1]).to_string();
    assert_eq!(followed(1, &kept), [key(2)], "the second handover is signed by the first key alone");
}
