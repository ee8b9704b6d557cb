//! The log's own life (日志): what happened to the record itself, told in it like everything else.
//!
//! Most logs have no such event: the first epoch begins with the log. Another one begins when the log goes on
//! from a copy (a backup, an export that didn't end its source), because the copied log may have gone on too,
//! and the same position may then mean two different events.
//!
//! Nor is there one of the first key of its audit tree, which those who verify have from elsewhere. A key that
//! follows is announced before it signs alone, and the one before retired, so that who trusts the one comes to
//! trust the other: between the two, both sign.

mod keys;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Position;
use crate::event::{Event, Recorded};
use crate::explain::Field;
use crate::name::LogId;
use crate::subject::Subject;
use crate::world::Fold;

pub use keys::{Key, KeyAlgorithm, KeyCommand, KeyStage};

/// From what kind of copy a log went on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Origin {
    /// An export whose source was not ended.
    Export,
    /// A backup.
    Backup,
}

impl Origin {
    /// The stored word.
    pub fn as_str(self) -> &'static str {
        match self {
            Origin::Export => "EXPORT",
            Origin::Backup => "BACKUP",
        }
    }
}

/// What happened to a log. Stored forever: variants are added, never renamed or reused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", content = "data", rename_all_fields = "camelCase")]
pub enum LogEvent {
    /// 新纪元: the log goes on from a copy. What the log it was copied from recorded after the last position
    /// named here is not in this one, and cursors of that epoch are refused.
    #[serde(rename = "log.epoch_opened.v1")]
    EpochOpened {
        /// The log.
        log: LogId,
        /// The epoch that begins with this event.
        #[schemars(with = "String")]
        epoch: Uuid,
        /// From what kind of copy.
        origin: Origin,
        /// The epoch that ended for this log.
        #[schemars(with = "String")]
        previous_epoch: Uuid,
        /// The last position of that epoch in this log.
        previous_position: Position,
        /// The last checkpoint of that epoch that was at hand, as it was signed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        previous_checkpoint: Option<String>,
    },
    /// 启用密钥: from the first checkpoint on that has this event below it, the log signs with this key too.
    #[serde(rename = "log.key_announced.v1")]
    KeyAnnounced {
        /// The log.
        log: LogId,
        /// The tree whose checkpoints it signs: the first line of each.
        origin: String,
        /// How it signs.
        algorithm: KeyAlgorithm,
        /// The public key, as C2SP signed-note writes one: name, id and key.
        key: String,
    },
    /// 停用密钥: the first checkpoint that has this event below it is the last one that the log signs with this
    /// key. The others that are in force sign it too, so who trusts this one comes to trust them.
    #[serde(rename = "log.key_retired.v1")]
    KeyRetired {
        /// The log.
        log: LogId,
        /// The tree whose checkpoints it signed.
        origin: String,
        /// The public key.
        key: String,
    },
}

impl LogEvent {
    /// The log.
    pub fn log(&self) -> &LogId {
        match self {
            LogEvent::EpochOpened { log, .. }
            | LogEvent::KeyAnnounced { log, .. }
            | LogEvent::KeyRetired { log, .. } => log,
        }
    }

    /// The subjects that it is about: the log.
    pub fn subjects(&self) -> Vec<Subject> {
        vec![Subject::Log(self.log().clone())]
    }
}

/// A log as its own events tell of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chronicle {
    /// The epoch that it is in; none while that is the one in which it began.
    pub lineage: Option<Lineage>,
    /// The keys that events tell of, in the order in which they do.
    pub keys: Vec<Key>,
}

/// The epoch that a log is in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lineage {
    /// The epoch.
    pub epoch: Uuid,
    /// From what kind of copy it began.
    pub origin: Origin,
    /// The epoch before.
    pub previous_epoch: Uuid,
    /// The last position of the epoch before.
    pub previous_position: Position,
    /// The event that opened it.
    pub opened_at: Position,
}

impl Fold for Chronicle {
    fn evolve(state: Option<Self>, recorded: &Recorded) -> Option<Self> {
        let event = match &recorded.event {
            Event::Log(event) => event,
            // Filed under other subjects.
            Event::Document(_)
            | Event::Agency(_)
            | Event::Task(_)
            | Event::Assignment(_)
            | Event::Cycle(_)
            | Event::Report(_) => return state,
        };
        let mut chronicle = state.unwrap_or_default();
        match event {
            LogEvent::EpochOpened {
                log: _,
                epoch,
                origin,
                previous_epoch,
                previous_position,
                previous_checkpoint: _,
            } => {
                chronicle.lineage = Some(Lineage {
                    epoch: *epoch,
                    origin: *origin,
                    previous_epoch: *previous_epoch,
                    previous_position: *previous_position,
                    opened_at: recorded.position,
                });
            }
            LogEvent::KeyAnnounced { log: _, origin, algorithm: _, key } => {
                chronicle.announced(origin, key, recorded.position);
            }
            LogEvent::KeyRetired { log: _, origin, key } => {
                chronicle.retired(origin, key, recorded.position);
            }
        }
        Some(chronicle)
    }
}

impl Chronicle {
    /// Why its fields are as they are.
    pub fn explain(&self) -> Vec<Field> {
        let lineage = self.lineage.iter().flat_map(Lineage::explain);
        lineage.chain(self.keys.iter().flat_map(Key::explain)).collect()
    }
}

impl Lineage {
    /// All because of the event that opened the epoch.
    fn explain(&self) -> Vec<Field> {
        let because = vec![self.opened_at];
        vec![
            Field::new("epoch", self.epoch, because.clone()),
            Field::new("origin", self.origin.as_str(), because.clone()),
            Field::new("previous_epoch", self.previous_epoch, because.clone()),
            Field::new("previous_position", self.previous_position, because),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Context;
    use crate::testing::{given, happened};

    fn opened(checkpoint: Option<&str>) -> LogEvent {
        LogEvent::EpochOpened {
            log: "logs/0b0e2a52-7f0e-4b3e-9a52-0a5f1d3c9e11".parse().unwrap(),
            epoch: Uuid::from_u128(2),
            origin: Origin::Backup,
            previous_epoch: Uuid::from_u128(1),
            previous_position: 41,
            previous_checkpoint: checkpoint.map(str::to_owned),
        }
    }

    #[test]
    fn the_opening_of_an_epoch_is_stored_as_it_always_was() {
        let stored = [opened(None), opened(Some("duban.example/log\n41\n"))].map(|event| {
            let body = Event::from(event).encode(&Context::default());
            serde_json::from_slice::<serde_json::Value>(&body).unwrap()
        });
        insta::assert_json_snapshot!(stored);
    }

    #[test]
    fn a_log_is_in_the_epoch_that_was_opened_last() {
        let log = opened(None).log().clone();
        let world = given([happened(opened(None))]).world([Subject::Log(log.clone())]);
        let chronicle = world.log(&log).unwrap();
        let lineage = chronicle.lineage.as_ref().unwrap();
        assert_eq!((lineage.epoch, lineage.previous_position), (Uuid::from_u128(2), 41));
        assert!(chronicle.explain().iter().all(|field| field.because == [lineage.opened_at]));
        let nothing = given([happened(opened(None))]).world([Subject::Log("logs/x".parse().unwrap())]);
        assert_eq!(nothing.log(&"logs/x".parse().unwrap()).unwrap_err().reason, crate::Reason::EpochNotFound);
    }
}
