//! The keys that sign the log's checkpoints: announced, in overlap with those before, retired.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Chronicle, LogEvent};
use crate::Position;
use crate::command::{Command, Facts, Proposed};
use crate::explain::Field;
use crate::name::LogId;
use crate::rejection::{Reason, Rejection};
use crate::subject::Subject;
use crate::world::World;

/// How a key signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum KeyAlgorithm {
    /// Ed25519 (RFC 8032).
    Ed25519,
    /// SM2 with SM3 (GB/T 32918.2).
    Sm2,
}

/// A key of one tree, as events tell of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// The tree whose checkpoints it signs.
    pub origin: String,
    /// The public key, as it was announced.
    pub key: String,
    /// Since when, or until when.
    pub stage: KeyStage,
}

/// Where a key is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyStage {
    /// It signs.
    InForce {
        /// The event that announced it.
        announced_at: Position,
    },
    /// It signs no more.
    Retired {
        /// The event that announced it; none of a tree's first key.
        announced_at: Option<Position>,
        /// The event that retired it.
        retired_at: Position,
    },
}

impl KeyStage {
    /// The events that brought it there.
    fn because(self) -> Vec<Position> {
        match self {
            KeyStage::InForce { announced_at } => vec![announced_at],
            KeyStage::Retired { announced_at, retired_at } => {
                announced_at.into_iter().chain([retired_at]).collect()
            }
        }
    }
}

impl Key {
    /// Its two fields, under the key itself: a log may have several.
    pub(super) fn explain(&self) -> Vec<Field> {
        let stage = match self.stage {
            KeyStage::InForce { .. } => "IN_FORCE",
            KeyStage::Retired { .. } => "RETIRED",
        };
        let because = self.stage.because();
        vec![
            Field::new(format!("keys/{}.origin", self.key), &self.origin, because[..1].to_vec()),
            Field::new(format!("keys/{}.stage", self.key), stage, because),
        ]
    }
}

impl Chronicle {
    /// The key of this tree, if an event tells of it.
    fn key(&self, origin: &str, key: &str) -> Option<&Key> {
        self.keys.iter().find(|one| one.origin == origin && one.key == key)
    }

    /// What is announced twice stays as it was.
    pub(super) fn announced(&mut self, origin: &str, key: &str, announced_at: Position) {
        if self.key(origin, key).is_none() {
            let stage = KeyStage::InForce { announced_at };
            self.keys.push(Key { origin: origin.to_owned(), key: key.to_owned(), stage });
        }
    }

    /// A key of which no event told is the tree's first.
    pub(super) fn retired(&mut self, origin: &str, key: &str, retired_at: Position) {
        let Some(known) = self.keys.iter_mut().find(|one| one.origin == origin && one.key == key) else {
            let stage = KeyStage::Retired { announced_at: None, retired_at };
            self.keys.push(Key { origin: origin.to_owned(), key: key.to_owned(), stage });
            return;
        };
        if let KeyStage::InForce { announced_at } = known.stage {
            known.stage = KeyStage::Retired { announced_at: Some(announced_at), retired_at };
        }
    }
}

/// What may be asked of a log's keys. That the keys are keys, and which is a tree's first, whoever asks has seen to:
/// the rule knows what the log tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum KeyCommand {
    /// 启用密钥: another key signs, too.
    Announce {
        /// Of which log.
        log: LogId,
        /// Of which tree.
        origin: String,
        /// How it shall sign.
        algorithm: KeyAlgorithm,
        /// The public key. Drawn for the request, not part of it: a retry is the same request.
        #[serde(skip)]
        key: String,
    },
    /// 停用密钥: a key signs no more, and another one does.
    Retire {
        /// Of which log.
        log: LogId,
        /// Of which tree.
        origin: String,
        /// The public key.
        key: String,
    },
}

impl Command for KeyCommand {
    fn subject(&self) -> Subject {
        match self {
            Self::Announce { log, .. } | Self::Retire { log, .. } => Subject::Log(log.clone()),
        }
    }

    fn reads(&self, _: &World) -> Vec<Subject> {
        vec![self.subject()]
    }

    fn decide(&self, world: &World, facts: &Facts) -> Result<Vec<Proposed>, Rejection> {
        match self.clone() {
            Self::Announce { log, origin, algorithm, key } => {
                if world.find_log(&log).is_some_and(|chronicle| chronicle.key(&origin, &key).is_some()) {
                    return Ok(vec![]);
                }
                Ok(vec![facts.propose(LogEvent::KeyAnnounced { log, origin, algorithm, key })])
            }
            Self::Retire { log, origin, key } => {
                let nothing = Chronicle::default();
                let chronicle = world.find_log(&log).unwrap_or(&nothing);
                let known = chronicle.key(&origin, &key).map(|known| known.stage);
                if let Some(KeyStage::Retired { .. }) = known {
                    return Ok(vec![]);
                }
                let follows = |other: &Key| {
                    other.origin == origin
                        && other.key != key
                        && matches!(other.stage, KeyStage::InForce { .. })
                };
                if !chronicle.keys.iter().any(follows) {
                    let detail =
                        "no other key that was announced is in force: the log would be signed by none";
                    return Err(Rejection::new(Reason::KeyIsLast, log, detail).with("key", key));
                }
                Ok(vec![facts.propose(LogEvent::KeyRetired { log, origin, key })])
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Context;
    use crate::event::Event;
    use crate::testing::{given, given_nothing};

    const TREE: &str = "duban/logs/l/epochs/e";

    fn log() -> LogId {
        "logs/l".parse().unwrap()
    }

    fn announce(key: &str) -> KeyCommand {
        let (origin, algorithm) = (TREE.to_owned(), KeyAlgorithm::Ed25519);
        KeyCommand::Announce { log: log(), origin, algorithm, key: key.to_owned() }
    }

    fn retire(key: &str) -> KeyCommand {
        KeyCommand::Retire { log: log(), origin: TREE.to_owned(), key: key.to_owned() }
    }

    fn announced(key: &str) -> LogEvent {
        let (origin, algorithm) = (TREE.to_owned(), KeyAlgorithm::Ed25519);
        LogEvent::KeyAnnounced { log: log(), origin, algorithm, key: key.to_owned() }
    }

    fn retired(key: &str) -> LogEvent {
        LogEvent::KeyRetired { log: log(), origin: TREE.to_owned(), key: key.to_owned() }
    }

    #[test]
    fn a_key_is_announced_once() {
        given_nothing().when(announce("k2")).then([announced("k2")]).when(announce("k2")).then_nothing();
    }

    #[test]
    fn the_first_key_is_retired_once_another_is_announced() {
        given_nothing().when(retire("k1")).then_rejected(Reason::KeyIsLast);
        let given = given([announced("k2")]).when(retire("k1")).then([retired("k1")]);
        given.clone().when(retire("k1")).then_nothing();
        given.when(retire("k2")).then_rejected(Reason::KeyIsLast);
    }

    #[test]
    fn another_trees_key_is_none_that_follows() {
        let origin = format!("{TREE}/sm3");
        let other =
            LogEvent::KeyAnnounced { log: log(), origin, algorithm: KeyAlgorithm::Sm2, key: "k2".to_owned() };
        given([other]).when(retire("k1")).then_rejected(Reason::KeyIsLast);
    }

    #[test]
    fn a_chronicle_tells_since_when_and_until_when_a_key_signed() {
        let given = given([announced("k2"), retired("k1"), announced("k3"), retired("k2")]);
        let world = given.world([Subject::Log(log())]);
        let chronicle = world.log(&log()).unwrap();
        let stages: Vec<_> = chronicle.keys.iter().map(|one| (one.key.as_str(), one.stage)).collect();
        let expected = [
            ("k2", KeyStage::Retired { announced_at: Some(1), retired_at: 4 }),
            ("k1", KeyStage::Retired { announced_at: None, retired_at: 2 }),
            ("k3", KeyStage::InForce { announced_at: 3 }),
        ];
        assert_eq!(stages, expected);
        assert!(chronicle.lineage.is_none());
        let told = chronicle.explain();
        let stage = told.iter().find(|field| field.name == "keys/k2.stage").unwrap();
        assert_eq!((stage.value.as_str(), &stage.because[..]), ("RETIRED", &[1, 4][..]));
    }

    #[test]
    fn keys_are_stored_as_they_always_were() {
        let stored = [announced("k2"), retired("k1")].map(|event| {
            let body = Event::from(event).encode(&Context::default());
            serde_json::from_slice::<serde_json::Value>(&body).unwrap()
        });
        insta::assert_json_snapshot!(stored);
    }

    #[test]
    fn the_key_that_is_drawn_for_a_request_is_no_part_of_it() {
        let asked = [announce("k2"), announce("k3")].map(|command| serde_json::to_string(&command).unwrap());
        assert_eq!(asked[0], asked[1]);
    }
}
