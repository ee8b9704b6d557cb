//! A leaf written out: its fields in order, each value in the one spelling that RFC 8785 gives it. Whoever hashes a log
//! writes a leaf for each event, so what has nothing to escape is not looked through for it.

use std::io::Write as _;

use serde::Serialize;
use uuid::Uuid;
use uuid::fmt::Hyphenated;

use super::{Leaf, Version};
use crate::commitment::Commitment;
use crate::hash::LENGTH;

impl<S: AsRef<str>> Leaf<S> {
    pub(super) fn write(&self, to: &mut Vec<u8>) {
        plain(to, "{\"actor\":");
        text(to, self.actor.as_ref());
        plain(to, ",\"agency\":");
        either(to, self.agency.as_ref(), |to, agency| text(to, agency.as_ref()));
        plain(to, ",\"body\":");
        commitment(to, &self.body);
        plain(to, ",\"causation\":");
        either(to, self.causation, integer);
        plain(to, ",\"command\":");
        either(to, self.command.as_ref(), commitment);
        plain(to, ",\"correlation\":");
        uuid(to, self.correlation);
        plain(to, ",\"effective_on\":\"");
        write!(to, "{}", self.effective_on).ok();
        plain(to, "\",\"id\":");
        uuid(to, self.id);
        plain(to, ",\"leaf\":");
        match self.leaf {
            Version::V1 => plain(to, "\"duban.leaf.v1\""),
        }
        plain(to, ",\"position\":");
        integer(to, self.position);
        plain(to, ",\"recorded_at\":");
        integer(to, self.recorded_at);
        plain(to, ",\"request_id\":");
        uuid(to, self.request_id);
        plain(to, ",\"role\":");
        text(to, self.role.as_ref());
        plain(to, ",\"tags\":[");
        for (index, (tag, previous)) in self.tags.iter().enumerate() {
            plain(to, if index == 0 { "[" } else { ",[" });
            text(to, tag.as_ref());
            plain(to, ",");
            integer(to, *previous);
            plain(to, "]");
        }
        plain(to, "],\"trace_id\":");
        either(to, self.trace_id.as_ref(), |to, id| text(to, id.as_ref()));
        plain(to, ",\"type\":");
        text(to, self.event_type.as_ref());
        plain(to, "}");
    }
}

// Into memory, which is always writable: no result of writing there is looked at.

fn plain(to: &mut Vec<u8>, text: &str) {
    to.extend_from_slice(text.as_bytes());
}

/// serde_json escapes in strings exactly what RFC 8785 §3.2.2.2 escapes, in the same form.
fn text(to: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(to, text).ok();
}

fn either<T>(to: &mut Vec<u8>, value: Option<T>, write: impl FnOnce(&mut Vec<u8>, T)) {
    match value {
        Some(value) => write(to, value),
        None => plain(to, "null"),
    }
}

fn integer(to: &mut Vec<u8>, integer: impl Serialize) {
    serde_json::to_writer(to, &integer).ok();
}

fn uuid(to: &mut Vec<u8>, id: Uuid) {
    plain(to, "\"");
    plain(to, id.hyphenated().encode_lower(&mut [0; Hyphenated::LENGTH]));
    plain(to, "\"");
}

fn commitment(to: &mut Vec<u8>, commitment: &Commitment) {
    let (Commitment::Sha256(hash) | Commitment::Sm3(hash)) = commitment;
    let mut digits = [0; 2 * LENGTH];
    // Twice as long as the hash, which is all that it asks for.
    hex::encode_to_slice(hash.as_bytes(), &mut digits).ok();
    plain(to, "{\"");
    plain(to, commitment.algorithm().tag());
    plain(to, "\":\"");
    to.extend_from_slice(&digits);
    plain(to, "\"}");
}
