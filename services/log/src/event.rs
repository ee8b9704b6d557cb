//! An event as the log stores it: the envelope, the tags each with the previous position under it, and a body
//! that is only ever copied.

use std::sync::Arc;

use duban_domain::caller::PrincipalId;
use duban_domain::event::{DecodeError, type_of};
use duban_domain::name::AgencyId;
use duban_domain::{Date, Event, Position, Recorded, Tag, Timestamp};
use serde::{Deserialize, Serialize, Serializer};
use uuid::Uuid;

use crate::append::Fingerprint;
use crate::error::ReadError;

/// The most events that one append may have.
pub const EVENTS_MAX: usize = 512;

/// An event to be appended: all but its position, its time and what it follows.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// Its id.
    pub id: Uuid,
    /// The nonce under which its body is committed to.
    pub nonce: [u8; 32],
    /// The type name and version, such as `task.assigned.v1`.
    pub event_type: String,
    /// The civil date from which it holds.
    pub effective_on: Date,
    /// What it is filed under: sorted, each once.
    pub tags: Vec<Tag>,
    /// The body's bytes.
    pub body: Arc<[u8]>,
}

/// A tag of an event, and the position before it under the same tag. Stored as `["task:t",12]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "(Tag, Position)")]
pub struct Filed {
    /// The tag.
    pub tag: Tag,
    /// The last position under it before this event; 0 if there is none.
    pub previous: Position,
}

impl From<(Tag, Position)> for Filed {
    fn from((tag, previous): (Tag, Position)) -> Self {
        Self { tag, previous }
    }
}

impl Serialize for Filed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (&self.tag, self.previous).serialize(serializer)
    }
}

/// An event as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEvent {
    /// Its place; the first is 1.
    pub position: Position,
    /// Its id, a UUIDv7.
    pub id: Uuid,
    /// The type name and version, such as `task.assigned.v1`.
    pub event_type: String,
    /// When the log took it; never decreases along the log.
    pub recorded_at: Timestamp,
    /// The civil date in Shanghai from which it holds.
    pub effective_on: Date,
    /// Who acted.
    pub actor: String,
    /// In which role.
    pub role: String,
    /// The actor's agency, as a resource name.
    pub agency: Option<String>,
    /// The request that caused it.
    pub request_id: Uuid,
    /// What it belongs to: the first request of a chain.
    pub correlation: Uuid,
    /// The position of the event that caused it, where one did.
    pub causation: Option<Position>,
    /// The W3C trace id, 32 lower-case hexadecimal digits.
    pub trace_id: Option<String>,
    /// The nonce under which the body is committed to.
    pub nonce: [u8; 32],
    /// The body's bytes, as they were written.
    pub body: Arc<[u8]>,
    /// What it is filed under, in the order of tags.
    pub tags: Vec<Filed>,
    /// The fingerprint of the command that caused it, as in its receipt. None: recorded before it was kept.
    pub fingerprint: Option<Fingerprint>,
}

impl StoredEvent {
    /// What happened, in the domain's terms. Damage and an unknown type are told apart.
    pub fn decode(&self) -> Result<Recorded, ReadError> {
        let damaged = |what: &str| ReadError::DataLoss { position: self.position, what: what.to_owned() };
        if type_of(&self.body) != Some(self.event_type.as_str()) {
            return Err(match Event::decode(&self.event_type, &self.body) {
                Err(DecodeError::UnknownType(event_type)) => {
                    ReadError::Outdated { position: self.position, event_type }
                }
                _ => damaged("the body is not of the type that the envelope says"),
            });
        }
        let (event, context) = Event::decode(&self.event_type, &self.body).map_err(|error| match error {
            DecodeError::UnknownType(event_type) => {
                ReadError::Outdated { position: self.position, event_type }
            }
            DecodeError::Malformed { event_type, source } => {
                damaged(&format!("the body of {event_type} can't be read: {source}"))
            }
        })?;
        let agency = self.agency.as_deref().map(str::parse::<AgencyId>).transpose();
        Ok(Recorded {
            position: self.position,
            id: self.id,
            recorded_at: self.recorded_at,
            effective_on: self.effective_on,
            tags: self.tags.iter().map(|filed| filed.tag.clone()).collect(),
            actor: PrincipalId::parse(&self.actor).ok_or_else(|| damaged("the actor is no principal id"))?,
            agency: agency.map_err(|_| damaged("the agency is no agency name"))?,
            context,
            event,
        })
    }
}

/// A stretch of the log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// The events, in order.
    pub events: Vec<StoredEvent>,
    /// Everything asked for up to and including this position is in the page: go on after it.
    pub through: Position,
}
