//! Handovers as they are shown to whoever was given an earlier key: each stands for itself, without the log.
//!
//! `handovers.json` in a tree's folder is a JSON array of them, the earliest first. It is served beside the tiles, and
//! is in the answer to `GetCheckpoint`. Nothing in it is believed for being there: a trusted key has signed the
//! checkpoint, and the events that tell of keys are below it.

use duban_domain::Position;
use duban_domain::event::{Event, type_of};
use duban_merkle::{Algorithm, Hash, Leaf, Note, TreeHead, Verifier, inclusion};
use serde::{Deserialize, Serialize};

use crate::keys::{Change, Opening, Ring, Trusted, opened, trusted};
use crate::proofs::Inclusion;
use crate::publisher::head;
use crate::store::{Store, StoreError, TreeId};

/// A checkpoint at which a key handed over, and why it did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handover {
    /// The last checkpoint that the key has signed, as it was published.
    pub checkpoint: String,
    /// What the tree tells of keys since the handover before, by position.
    pub events: Vec<Told>,
}

/// An event that tells of a key, and that it is in the tree of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// Its position.
    pub position: Position,
    /// Its leaf.
    pub leaf: String,
    /// The sibling hashes, from the leaf up to the root.
    pub path: Vec<Hash>,
    /// What opens the leaf's commitment to the body.
    #[serde(with = "hex")]
    pub nonce: [u8; 32],
    /// The body.
    pub body: String,
}

impl Handover {
    /// The handovers as a tree shows them. Nothing of them is verified.
    pub fn shown(store: &Store) -> Result<Vec<Self>, StoreError> {
        let Some(bytes) = store.shown_handovers()? else { return Ok(Vec::new()) };
        let damaged = |error: serde_json::Error| store.untrue(format!("handovers.json: {error}"));
        serde_json::from_slice(&bytes).map_err(damaged)
    }

    /// The size and the root that its checkpoint says, whoever has signed it; `None` if it is none of this tree.
    pub fn head(&self, id: &TreeId) -> Option<TreeHead> {
        head(&Note::parse(self.checkpoint.as_bytes()).ok()?, id)
    }

    /// All that a tree has kept, by what the log tells of keys.
    pub(crate) fn kept(store: &Store, ring: &Ring) -> Result<Vec<Self>, StoreError> {
        let (mut kept, mut after) = (Vec::new(), 0);
        for bytes in store.handovers()? {
            // What is no checkpoint of this tree vouches for nobody.
            let Ok(note) = Note::parse(&bytes) else { continue };
            let Some(head) = head(&note, store.id()) else { continue };
            let events = ring.between(after, head.size).map(|change| Told::of(store, change, &head));
            let events = events.collect::<Result<_, _>>()?;
            kept.push(Self { checkpoint: note.to_string(), events });
            after = head.size;
        }
        Ok(kept)
    }

    /// What its events tell of keys; `None` unless all of them are in the tree, and tell of its keys.
    fn changes(&self, origin: &str, algorithm: Algorithm, head: &TreeHead) -> Option<Vec<Change>> {
        self.events.iter().map(|told| told.change(origin, algorithm, head)).collect()
    }
}

impl Told {
    fn of(store: &Store, change: &Change, head: &TreeHead) -> Result<Self, StoreError> {
        let Inclusion { index: _, leaf, path } = store.inclusion(change.position - 1, head)?;
        let text = |bytes: &[u8]| {
            let text = std::str::from_utf8(bytes).map(ToOwned::to_owned);
            text.map_err(|error| store.untrue(format!("event {}: {error}", change.position)))
        };
        Ok(Self {
            position: change.position,
            leaf: text(&leaf)?,
            path,
            nonce: change.opening.nonce,
            body: text(&change.opening.body)?,
        })
    }

    fn change(&self, origin: &str, algorithm: Algorithm, head: &TreeHead) -> Option<Change> {
        let (bytes, body) = (self.leaf.as_bytes(), self.body.as_bytes());
        let leaf = Leaf::decode(bytes).ok()?;
        let hash = algorithm.leaf(bytes);
        inclusion::verify(algorithm, &hash, leaf.index(), head, &self.path).ok()?;
        let is_its = leaf.position == self.position
            && leaf.body.opens(&self.nonce, body)
            && type_of(body) == Some(leaf.event_type.as_str());
        let (event, _) = is_its.then(|| Event::decode(&leaf.event_type, body).ok())??;
        let opening = Opening { nonce: self.nonce, body: body.into() };
        Change::told(origin, self.position, event, opening).ok()?
    }
}

/// Goes on from the keys that somebody was given, from handover to handover. One that no trusted key has signed, or
/// that has an event that isn't in its tree, counts for nothing.
pub fn follow(origin: &str, algorithm: Algorithm, given: &[Verifier], handovers: &[Handover]) -> Trusted {
    let (mut changes, mut notes) = (Vec::new(), Vec::new());
    let mut after = trusted(origin, given, &Ring::default(), &[]);
    for handover in handovers {
        let Ok(note) = Note::parse(handover.checkpoint.as_bytes()) else { continue };
        let Some(size) = opened(origin, &after.keys(), &note).map(|verified| verified.head().size) else {
            continue;
        };
        let Some(verified) = opened(origin, &after.at(size), &note) else { continue };
        let Some(told) = handover.changes(origin, algorithm, &verified.head()) else { continue };
        changes.extend(told);
        notes.push(note);
        after = trusted(origin, given, &Ring::of(changes.clone()), &notes);
    }
    after
}

#[cfg(test)]
mod tests;
