//! What the audit tree holds of an event: a pure function of what is stored.

use duban_merkle::leaf::{LeafError, Version};
use duban_merkle::{Algorithm, Commitment, Leaf};

use crate::event::StoredEvent;

impl StoredEvent {
    /// Its leaf in a tree of `algorithm`: the body and the command are committed to, not in it.
    pub fn leaf(&self, algorithm: Algorithm) -> Leaf<&str> {
        Leaf {
            actor: &self.actor,
            agency: self.agency.as_deref(),
            body: Commitment::new(algorithm, &self.nonce, &self.body),
            causation: self.causation,
            command: self.fingerprint.map(|command| Commitment::new(algorithm, &self.nonce, &command)),
            correlation: self.correlation,
            effective_on: self.effective_on,
            id: self.id,
            leaf: Version::V1,
            position: self.position,
            recorded_at: self.recorded_at.as_microsecond(),
            request_id: self.request_id,
            role: &self.role,
            tags: self.tags.iter().map(|filed| (filed.tag.as_str(), filed.previous)).collect(),
            trace_id: self.trace_id.as_deref(),
            event_type: &self.event_type,
        }
    }

    /// The bytes of its leaf; refused for an envelope that no log has written.
    pub fn leaf_bytes(&self, algorithm: Algorithm) -> Result<Vec<u8>, LeafError> {
        self.leaf(algorithm).encode()
    }
}
