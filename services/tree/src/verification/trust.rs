//! Which checkpoints are believed, and where in the log each of them holds.

use duban_domain::Position;
use duban_log::LogIdentity;
use duban_merkle::{Algorithm, Hash, Note, Policy, Quorum, TreeHead, Verified, Verifier};
use serde::Serialize;
use uuid::Uuid;

use crate::keys::Trusted;

/// A checkpoint as it is presented: nothing about it is believed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presented {
    /// What it is called in the report, such as the name of its file.
    pub name: String,
    /// The note.
    pub bytes: Vec<u8>,
    /// Whether somebody has kept it since earlier: it needs no witnesses but him.
    pub kept: bool,
}

/// Whom the verifier trusts.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    /// The log's keys, of any of its epochs.
    pub keys: Vec<Verifier>,
    /// Witnesses.
    pub witnesses: Vec<Verifier>,
    /// How many of the witnesses must have cosigned the current checkpoint.
    pub quorum: usize,
    /// Whether nobody has told the keys: they were found beside the tree.
    pub untold: bool,
    /// Keys that were retired, each with the size of the last checkpoint on which it counts.
    pub ended: Vec<(Verifier, u64)>,
}

impl Trust {
    /// The keys of the tree of this origin.
    pub fn of(&self, origin: &str) -> Vec<Verifier> {
        self.keys.iter().filter(|key| key.name().as_str() == origin).cloned().collect()
    }

    /// Puts those that are trusted after the handovers in the place of the keys of the tree of this origin.
    pub fn go_on(&mut self, origin: &str, after: &Trusted) {
        self.keys.retain(|key| key.name().as_str() != origin);
        self.keys.extend(after.keys());
        self.ended = after.ended();
    }

    /// The checkpoint, verified; else why it is not to be believed.
    pub(crate) fn open(&self, presented: &Presented) -> Result<Verified, String> {
        let said = |error: &dyn std::error::Error| error.to_string();
        let note = Note::parse(&presented.bytes).map_err(|error| said(&error))?;
        // Unverified: it only chooses the keys, and is verified with them.
        let origin = note.text().lines().next().unwrap_or_default().to_owned();
        let named = |key: &&Verifier| key.name().as_str() == origin;
        let named: Vec<Verifier> = self.keys.iter().filter(named).cloned().collect();
        let mut keys = if named.is_empty() { self.keys.clone() } else { named };
        let size = note.text().lines().nth(1).and_then(|size| size.parse().ok()).unwrap_or(0_u64);
        keys.retain(|key| !self.ended.iter().any(|(ended, last)| ended == key && *last < size));
        let needed = if presented.kept { 0 } else { self.quorum };
        let quorum = Quorum::new(needed, self.witnesses.clone()).map_err(|error| said(&error))?;
        let policy = Policy::new(&origin, keys, quorum).map_err(|error| said(&error))?;
        policy.verify(note).map_err(|error| said(&error))
    }
}

/// What became of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The log's events come to its root.
    Same,
    /// They come to another one.
    Other {
        /// This one.
        found: Hash,
    },
    /// The log, or the epoch that it is of, ends before it.
    Beyond,
    /// The export ends before it, and its tree is this one's beginning.
    GoesOn,
    /// Events below it are missing or can't be read: the log has no root there.
    Unknown,
    /// It is not to be believed.
    Refused,
    /// It is of a tree of another algorithm.
    OtherTree,
}

/// A checkpoint that was presented, as the report has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// What it is called.
    pub name: String,
    /// Whether somebody has kept it since earlier.
    pub kept: bool,
    /// Its origin.
    pub origin: String,
    /// Its size; 0 if it is not to be believed.
    pub size: u64,
    /// Its root.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root: Option<Hash>,
    /// The log's keys that have signed it, by name and id.
    pub signed: Vec<String>,
    /// The witnesses that have cosigned it.
    pub witnesses: Vec<String>,
    /// What became of it.
    pub outcome: Outcome,
    /// Where the tree's folder has other leaves than the log comes to: whether those come to the root.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub copy_same: Option<bool>,
}

/// A checkpoint on its way through the log.
pub(super) struct Mark {
    pub(super) checked: Checked,
    pub(super) head: TreeHead,
    /// The epoch that its origin names; none if it names none.
    pub(super) epoch: Option<Uuid>,
    /// Why it is not to be believed.
    pub(super) refused: Option<String>,
}

impl Mark {
    /// What was presented for a log, in a verification of its tree of `algorithm`.
    pub(super) fn of(presented: &Presented, trust: &Trust, log: LogIdentity, algorithm: Algorithm) -> Self {
        let empty = TreeHead::empty(algorithm);
        let (name, kept) = (presented.name.clone(), presented.kept);
        let verified = match trust.open(presented) {
            Ok(verified) => verified,
            Err(why) => {
                let checked = Checked {
                    name,
                    kept,
                    origin: String::new(),
                    size: 0,
                    root: None,
                    signed: Vec::new(),
                    witnesses: Vec::new(),
                    outcome: Outcome::Refused,
                    copy_same: None,
                };
                return Self { checked, head: empty, epoch: None, refused: Some(why) };
            }
        };
        let (origin, head) = (verified.checkpoint().origin().to_owned(), verified.head());
        let known = |keys: &[Verifier]| -> Vec<String> {
            let by = |key: &&Verifier| {
                let mut lines = verified.note().signatures().iter();
                lines.any(|line| line.id() == key.id() && line.name() == key.name())
            };
            keys.iter().filter(by).map(|key| format!("{}+{:08x}", key.name(), key.id())).collect()
        };
        let place = Place::of(&origin);
        let refused = place.log.filter(|named| *named != log.log);
        let refused = refused.map(|other| format!("it is of another log, {other}"));
        let outcome = match &refused {
            Some(_) => Outcome::Refused,
            None if place.algorithm != algorithm => Outcome::OtherTree,
            None => Outcome::Unknown,
        };
        let (signed, witnesses) = (known(&trust.keys), known(&trust.witnesses));
        let (size, root) = (head.size, Some(head.root));
        let checked = Checked { name, kept, origin, size, root, signed, witnesses, outcome, copy_same: None };
        Self { checked, head, epoch: place.epoch, refused }
    }

    /// Whether the walk compares it.
    pub(super) fn is_compared(&self) -> bool {
        !matches!(self.checked.outcome, Outcome::Refused | Outcome::OtherTree)
    }
}

/// What an origin says of itself: `duban/logs/{log}/epochs/{epoch}`, with `/sm3` behind it for SM3.
struct Place {
    log: Option<Uuid>,
    epoch: Option<Uuid>,
    algorithm: Algorithm,
}

impl Place {
    fn of(origin: &str) -> Self {
        let parts: Vec<&str> = origin.split('/').collect();
        let after = |name: &str| {
            let place = parts.iter().rposition(|part| *part == name)?;
            parts.get(place + 1)?.parse().ok()
        };
        let last = parts.last().and_then(|last| Algorithm::from_tag(last));
        let algorithm = last.unwrap_or(Algorithm::Sha256);
        Self { log: after("logs"), epoch: after("epochs"), algorithm }
    }
}

/// One life of the log, as its events tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Life {
    /// The epoch.
    pub epoch: Uuid,
    /// Its last position; none of the one that goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<Position>,
}

#[cfg(test)]
mod tests {
    use duban_merkle::{Checkpoint, Signer};

    use super::*;

    const LOG: LogIdentity = LogIdentity { log: Uuid::from_u128(1), epoch: Uuid::from_u128(2) };

    fn signer(log: Uuid) -> Signer {
        let origin = format!("duban/logs/{log}/epochs/{}", LOG.epoch);
        Signer::ed25519(origin.parse().unwrap(), &[7; 32]).unwrap()
    }

    /// A checkpoint of so many events, by the key of the log.
    fn presented(signer: &Signer, size: u64) -> Presented {
        let head = TreeHead { size, root: Algorithm::Sha256.leaf(b"one") };
        let checkpoint = Checkpoint::new(signer.verifier().name().as_str(), head).unwrap();
        let bytes = checkpoint.sign(&[signer]).unwrap().to_string().into_bytes();
        Presented { name: "kept".to_owned(), bytes, kept: true }
    }

    fn trust(signer: &Signer) -> Trust {
        Trust { keys: vec![signer.verifier().clone()], ..Trust::default() }
    }

    #[test]
    fn what_another_log_has_signed_says_nothing_of_this_one() {
        for (log, outcome) in [(LOG.log, Outcome::Unknown), (Uuid::from_u128(9), Outcome::Refused)] {
            let signer = signer(log);
            let mark = Mark::of(&presented(&signer, 5), &trust(&signer), LOG, Algorithm::Sha256);
            assert_eq!(mark.checked.outcome, outcome);
            assert_eq!(mark.refused.is_some(), outcome == Outcome::Refused, "{:?}", mark.refused);
        }
    }

    #[test]
    fn a_key_that_has_ended_counts_up_to_its_last_checkpoint() {
        let signer = signer(LOG.log);
        let trust = Trust { ended: vec![(signer.verifier().clone(), 5)], ..trust(&signer) };
        assert!(trust.open(&presented(&signer, 5)).is_ok());
        assert!(trust.open(&presented(&signer, 6)).is_err());
    }
}
