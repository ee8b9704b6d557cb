//! Which keys sign a tree, as the log's own events tell; and whom an auditor who trusts one of them comes to trust.
//!
//! A tree's first key is what auditors are given: no event tells of it. A key that is announced signs, beside those
//! before it, every checkpoint that has the announcement below it. A key that is retired signs once more, the first
//! checkpoint that has its retirement below it: the handover, which is kept. So who trusts the one finds in a
//! checkpoint that it signed that the other was announced.

use std::sync::Arc;

use duban_domain::event::Event;
use duban_domain::log::LogEvent;
use duban_domain::name::LogId;
use duban_domain::{Position, Subject};
use duban_log::{Log, ReadError, StoredEvent};
use duban_merkle::key::KeyError;
use duban_merkle::{Note, Policy, Quorum, TreeHead, Verified, Verifier};

/// The types of the events that tell of keys.
const TYPES: [&str; 2] = ["log.key_announced.v1", "log.key_retired.v1"];
/// How many events are read at once.
const PAGE: usize = 1000;

/// What became of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// It signs from now on.
    Announced,
    /// It signs one checkpoint more.
    Retired,
}

/// An event that tells of a key of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its position.
    pub position: Position,
    /// The key.
    pub key: Verifier,
    /// What became of it.
    pub turn: Turn,
    /// What the event's leaf commits to.
    pub opening: Opening,
}

/// What opens a leaf's commitment to the body of its event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Opening {
    /// The nonce.
    pub nonce: [u8; 32],
    /// The body's bytes.
    pub body: Arc<[u8]>,
}

/// Why an event can't be taken.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// The log can't be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// What it says is a key is none of this tree.
    #[error("the event at {position} tells of no key of this tree")]
    Key {
        /// The event's position.
        position: Position,
        /// What is wrong with the key; nothing if it is another tree's.
        #[source]
        error: Option<KeyError>,
    },
}

/// How a key stands in a tree of some size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// No event tells of it: the tree's first key.
    First,
    /// It is announced beyond this size.
    Coming,
    /// It signs.
    InForce,
    /// It was retired by the event at this position.
    Retired(Position),
}

/// All that a log's events tell of the keys of one tree, up to a position.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ring {
    changes: Vec<Change>,
    through: Position,
}

impl Change {
    /// What an event tells of the keys of the tree of this origin; `None` if nothing.
    pub fn of(origin: &str, event: &StoredEvent) -> Result<Option<Self>, ChangeError> {
        if !TYPES.contains(&event.event_type.as_str()) {
            return Ok(None);
        }
        let opening = Opening { nonce: event.nonce, body: Arc::clone(&event.body) };
        Self::told(origin, event.position, event.decode()?.event, opening)
    }

    /// The same of what was read of an event.
    pub(crate) fn told(
        origin: &str,
        position: Position,
        event: Event,
        opening: Opening,
    ) -> Result<Option<Self>, ChangeError> {
        let (of, key, turn) = match event {
            Event::Log(LogEvent::KeyAnnounced { log: _, origin, algorithm: _, key }) => {
                (origin, key, Turn::Announced)
            }
            Event::Log(LogEvent::KeyRetired { log: _, origin, key }) => (origin, key, Turn::Retired),
            // Not of these types.
            _ => return Ok(None),
        };
        if of != origin {
            return Ok(None);
        }
        let key: Verifier = key.parse().map_err(|error| ChangeError::Key { position, error: Some(error) })?;
        if key.name().as_str() != origin {
            return Err(ChangeError::Key { position, error: None });
        }
        Ok(Some(Self { position, key, turn, opening }))
    }
}

impl Ring {
    /// What these events tell, in order of position.
    pub fn of(changes: Vec<Change>) -> Self {
        let through = changes.last().map_or(0, |last| last.position);
        Self { changes, through }
    }

    /// What is told after a position, up to another.
    pub(crate) fn between(&self, after: Position, up_to: Position) -> impl Iterator<Item = &Change> {
        self.changes.iter().filter(move |change| change.position > after && change.position <= up_to)
    }

    /// Reads on, up to a position.
    pub(crate) async fn follow(
        &mut self,
        log: &Log,
        origin: &str,
        up_to: Position,
    ) -> Result<(), ChangeError> {
        // A log's id is a UUID, and that is an id.
        let Some(name) = LogId::from_id(&log.identity().log.to_string()) else { return Ok(()) };
        let tag = [Subject::Log(name).tag()];
        while self.through < up_to {
            let page = log.read_tags(&tag, self.through, up_to, PAGE).await?;
            for event in &page.events {
                self.changes.extend(Change::of(origin, event)?);
            }
            self.through = page.through.max(self.through + u64::from(page.events.is_empty()));
        }
        Ok(())
    }

    /// How a key stands in a tree of this size.
    pub fn standing(&self, key: &Verifier, size: u64) -> Standing {
        let mut standing = Standing::First;
        for change in self.changes.iter().filter(|change| change.key == *key) {
            standing = match (change.turn, change.position <= size) {
                (Turn::Announced, false) if standing == Standing::First => Standing::Coming,
                (Turn::Announced, true) if standing == Standing::First => Standing::InForce,
                (Turn::Retired, true) => Standing::Retired(change.position),
                (Turn::Announced | Turn::Retired, _) => standing,
            };
        }
        standing
    }

    /// The keys that were announced and are in force in a tree of this size.
    pub fn announced(&self, size: u64) -> Vec<Verifier> {
        let mut keys: Vec<Verifier> = Vec::new();
        for change in &self.changes {
            if self.standing(&change.key, size) == Standing::InForce && !keys.contains(&change.key) {
                keys.push(change.key.clone());
            }
        }
        keys
    }
}

/// Whom an auditor trusts after the handovers, and on what that rests.
#[derive(Debug, Clone)]
pub struct Trusted {
    keys: Vec<(Verifier, Option<u64>)>,
    /// The checkpoints by which it came to trust further keys. Each must have the root that the log comes to at its
    /// size: else the announcement isn't below it, and nothing of this holds.
    pub rests_on: Vec<Verified>,
}

impl Trusted {
    /// All keys that are trusted, those that were retired too.
    pub fn keys(&self) -> Vec<Verifier> {
        self.keys.iter().map(|(key, _)| key.clone()).collect()
    }

    /// The keys that were retired, each with the size of the last checkpoint on which it counts.
    pub fn ended(&self) -> Vec<(Verifier, u64)> {
        self.keys.iter().filter_map(|(key, last)| Some((key.clone(), (*last)?))).collect()
    }

    /// The keys whose signature counts on a checkpoint of this size: not those that had handed over before.
    pub fn at(&self, size: u64) -> Vec<Verifier> {
        let counts = |last: &Option<u64>| last.is_none_or(|last| size <= last);
        self.keys.iter().filter(|(_, last)| counts(last)).map(|(key, _)| key.clone()).collect()
    }
}

/// Goes on from the keys that an auditor was given, by what the log tells of keys and by checkpoints that were signed
/// when it did: the handovers, and any others at hand. A note that no trusted key has signed counts for nothing.
pub fn trusted(origin: &str, given: &[Verifier], ring: &Ring, notes: &[Note]) -> Trusted {
    let mut keys: Vec<Verifier> = given.to_vec();
    let mut rests_on: Vec<Verified> = Vec::new();
    // Each round comes to trust a key at least, or ends it.
    loop {
        let found = notes.iter().find_map(|note| {
            let verified = opened(origin, &keys, note)?;
            let more = ring.announced_by(verified.head(), &keys);
            (!more.is_empty()).then_some((verified, more))
        });
        let Some((verified, more)) = found else { break };
        keys.extend(more);
        rests_on.push(verified);
    }
    let handed_over = |key: &Verifier| match ring.standing(key, u64::MAX) {
        Standing::Retired(position) => {
            let sizes = notes.iter().filter_map(|note| opened(origin, std::slice::from_ref(key), note));
            let sizes = sizes.map(|verified| verified.head().size).filter(|size| *size >= position);
            // Without a handover at hand it ends where it was retired.
            Some(sizes.min().unwrap_or(position))
        }
        Standing::First | Standing::Coming | Standing::InForce => None,
    };
    let keys = keys.into_iter().map(|key| {
        let last = handed_over(&key);
        (key, last)
    });
    Trusted { keys: keys.collect(), rests_on }
}

impl Ring {
    /// The keys that a tree of this size tells of, and that are not known yet.
    fn announced_by(&self, head: TreeHead, known: &[Verifier]) -> Vec<Verifier> {
        let mut more: Vec<Verifier> = Vec::new();
        let below = self
            .changes
            .iter()
            .filter(|change| change.turn == Turn::Announced && change.position <= head.size);
        for change in below {
            if !known.contains(&change.key) && !more.contains(&change.key) {
                more.push(change.key.clone());
            }
        }
        more
    }
}

/// The note, if one of these keys has signed it.
pub(crate) fn opened(origin: &str, keys: &[Verifier], note: &Note) -> Option<Verified> {
    let policy = Policy::new(origin, keys.to_vec(), Quorum::none()).ok()?;
    policy.verify(note.clone()).ok()
}

#[cfg(test)]
mod tests {
    use duban_merkle::{Algorithm, Checkpoint, Signer};

    use super::*;

    const ORIGIN: &str = "duban/logs/l/epochs/e";

    fn signer(seed: u8) -> Signer {
        Signer::ed25519(ORIGIN.parse().unwrap(), &[seed; 32]).unwrap()
    }

    fn key(seed: u8) -> Verifier {
        signer(seed).verifier().clone()
    }

    fn change(position: Position, seed: u8, turn: Turn) -> Change {
        Change { position, key: key(seed), turn, opening: Opening::default() }
    }

    fn note(size: u64, seeds: &[u8]) -> Note {
        let signers: Vec<Signer> = seeds.iter().copied().map(signer).collect();
        let head = TreeHead { size, root: Algorithm::Sha256.leaf(&size.to_be_bytes()) };
        Checkpoint::new(ORIGIN, head).unwrap().sign(&signers.iter().collect::<Vec<_>>()).unwrap()
    }

    /// The second key from 5 on, the first until 8; the third from 20 on, the second until 30.
    fn ring() -> Ring {
        Ring::of(vec![
            change(5, 2, Turn::Announced),
            change(8, 1, Turn::Retired),
            change(20, 3, Turn::Announced),
            change(30, 2, Turn::Retired),
        ])
    }

    #[test]
    fn a_key_stands_as_the_tree_of_that_size_tells() {
        let ring = ring();
        let of = |seed: u8, sizes: [u64; 4]| sizes.map(|size| ring.standing(&key(seed), size));
        let (first, retired) = (Standing::First, Standing::Retired(8));
        assert_eq!(of(1, [0, 7, 8, 99]), [first, first, retired, retired]);
        let (coming, in_force, retired) = (Standing::Coming, Standing::InForce, Standing::Retired(30));
        assert_eq!(of(2, [4, 5, 29, 30]), [coming, in_force, in_force, retired]);
        assert_eq!(ring.announced(4), []);
        assert_eq!(ring.announced(20), [key(2), key(3)]);
        assert_eq!(ring.announced(30), [key(3)]);
    }

    #[test]
    fn trust_goes_from_key_to_key_by_the_handovers() {
        let notes = [note(31, &[2, 3]), note(9, &[1, 2])];
        let trusted = trusted(ORIGIN, &[key(1)], &ring(), &notes);
        assert_eq!(trusted.keys(), [key(1), key(2), key(3)]);
        assert_eq!(trusted.rests_on.iter().map(|one| one.head().size).collect::<Vec<_>>(), [9, 31]);
        assert_eq!(trusted.at(9), [key(1), key(2), key(3)]);
        assert_eq!(trusted.at(10), [key(2), key(3)]);
        assert_eq!(trusted.at(32), [key(3)]);
    }

    #[test]
    fn without_a_handover_that_a_trusted_key_signed_nobody_is_trusted_more() {
        let ring = ring();
        for notes in [
            vec![],
            // Before the announcement, by a stranger, by the new one alone, of another tree.
            vec![note(4, &[1])],
            vec![note(9, &[9])],
            vec![note(9, &[2])],
            vec![note(31, &[2, 3])],
        ] {
            assert_eq!(trusted(ORIGIN, &[key(1)], &ring, &notes).keys(), [key(1)]);
            assert_eq!(trusted("other", &[key(1)], &ring, &[note(9, &[1, 2])]).keys(), [key(1)]);
        }
    }

    #[test]
    fn a_retired_key_without_its_handover_ends_where_it_was_retired() {
        let trusted = trusted(ORIGIN, &[key(1), key(2)], &ring(), &[]);
        assert_eq!(trusted.at(8), [key(1), key(2)]);
        assert_eq!(trusted.at(9), [key(2)]);
    }
}
