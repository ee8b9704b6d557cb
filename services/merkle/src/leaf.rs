//! A leaf: what the tree holds of an event. It is everything but the body and the command, which it commits
//! to, so it may be shown to those who may not read them.
//!
//! A leaf is a pure function of the stored event, written as RFC 8785 JSON with integers only. There is one
//! encoding of a leaf: the bytes are hashed into the tree, so what could be written in two ways could be
//! proven in two ways. Its form is history: a change is a new [`Version`].

mod check;
mod write;

use jiff::civil::Date;
use serde::Deserialize;
#[cfg(test)]
use serde::Serialize;
use uuid::Uuid;

use crate::commitment::Commitment;

/// The longest leaf, in bytes. The largest event that the log takes has 3,171, see the tests.
pub const LEAF_MAX: usize = 4096;
/// What most leaves have room in, in bytes.
const USUAL: usize = 1024;
/// The largest integer: what a double holds exactly (RFC 8785 §3.2.2.3), 2^53 - 1.
pub const INTEGER_MAX: u64 = (1 << 53) - 1;
/// The most tags of a leaf.
pub const TAGS_MAX: usize = 16;
/// The longest tag, in bytes of UTF-8.
pub const TAG_MAX: usize = 128;

/// The form of a leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(Serialize))]
pub enum Version {
    /// The first.
    #[serde(rename = "duban.leaf.v1")]
    V1,
}

/// The envelope of one event. The fields stand in the order of their stored names, as RFC 8785 §3.2.3 sorts. What is
/// only written needs no texts of its own: then `S` is `&str`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(Serialize))]
#[serde(deny_unknown_fields)]
pub struct Leaf<S = String> {
    /// Who acted: a pseudonymous principal id.
    pub actor: S,
    /// The actor's agency, as a resource name.
    pub agency: Option<S>,
    /// H(nonce ‖ body).
    pub body: Commitment,
    /// The position of the event that caused it, where one did.
    pub causation: Option<u64>,
    /// H(nonce ‖ the 32 bytes of the command's fingerprint), where that is known.
    pub command: Option<Commitment>,
    /// What it belongs to: the first request of a chain.
    pub correlation: Uuid,
    /// The civil date in Shanghai from which it holds.
    pub effective_on: Date,
    /// Its id.
    pub id: Uuid,
    /// The form of this leaf.
    pub leaf: Version,
    /// Its place in the log, from 1 on; its index in the tree is one less.
    pub position: u64,
    /// When the log took it: microseconds since 1970-01-01T00:00:00Z.
    pub recorded_at: i64,
    /// The request that caused it.
    pub request_id: Uuid,
    /// The role in which the actor acted.
    pub role: S,
    /// What it is filed under, each tag with the last position under it before this one (0 if there is none):
    /// sorted by bytes, each once.
    pub tags: Vec<(S, u64)>,
    /// The W3C trace id, 32 lower-case hexadecimal digits.
    pub trace_id: Option<S>,
    /// The type name and version, such as `task.assigned.v1`.
    #[serde(rename = "type")]
    pub event_type: S,
}

/// Why this is no leaf.
#[derive(Debug, thiserror::Error)]
pub enum LeafError {
    /// Longer than [`LEAF_MAX`].
    #[error("a leaf of {0} bytes, at most {LEAF_MAX} are taken")]
    TooLong(usize),
    /// Not the JSON of a leaf.
    #[error("not the JSON of a leaf")]
    Json(#[from] serde_json::Error),
    /// A leaf, but not in its one encoding.
    #[error("the JSON of a leaf, but not in canonical form (RFC 8785)")]
    NotCanonical,
    /// A field outside of its bounds.
    #[error("{field}: {rule}")]
    Field {
        /// The stored name of the field.
        field: &'static str,
        /// What it must be.
        rule: &'static str,
    },
}

impl<S: AsRef<str>> Leaf<S> {
    /// Its one encoding. Refused if a field is outside of its bounds or the whole is longer than [`LEAF_MAX`].
    pub fn encode(&self) -> Result<Vec<u8>, LeafError> {
        self.check()?;
        let mut bytes = Vec::with_capacity(USUAL);
        self.write(&mut bytes);
        if bytes.len() > LEAF_MAX { Err(LeafError::TooLong(bytes.len())) } else { Ok(bytes) }
    }
}

impl Leaf {
    /// Reads a leaf, in its one encoding only: what is read is written again and must be the same bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, LeafError> {
        if bytes.len() > LEAF_MAX {
            return Err(LeafError::TooLong(bytes.len()));
        }
        let leaf: Self = serde_json::from_slice(bytes)?;
        if leaf.encode()? == bytes { Ok(leaf) } else { Err(LeafError::NotCanonical) }
    }

    /// Its index in the tree, from 0 on.
    pub fn index(&self) -> u64 {
        self.position.saturating_sub(1)
    }
}

#[cfg(test)]
mod tests;
