//! Events as they go out: in the form asked for, in messages of bounded size, each with the cursor after it.

use std::borrow::Borrow;

use duban_domain::Position;
use duban_log::{LogIdentity, StoredEvent};
use duban_proto::audit::v1 as pb;
use duban_rpc::{Error, identity, instant};
use prost::Message as _;

use crate::cloudevents;

/// The most events in a message.
pub(crate) const BATCH_EVENTS: usize = 256;
/// A message ends with the event that takes it over this many bytes: with the largest event still under what
/// a client takes.
pub(crate) const BATCH_BYTES: usize = 1024 * 1024;

/// In which form events are delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Event,
    CloudEvents,
}

/// How events of one log are delivered to one reader.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Delivery {
    pub(crate) log: LogIdentity,
    pub(crate) format: Format,
}

/// What goes into one message.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) events: Vec<pb::Event>,
    pub(crate) cloud_events: Vec<String>,
    /// Up to here everything has been delivered.
    pub(crate) through: Position,
}

impl Delivery {
    /// The place after `position`.
    pub(crate) fn cursor(&self, position: Position) -> pb::Cursor {
        pb::Cursor { log: Some(identity(self.log)), position }
    }

    /// A page in messages: none without events; the last one leaves the reader at `through`.
    pub(crate) fn batches<E: Borrow<StoredEvent>>(
        &self,
        events: &[E],
        through: Position,
    ) -> Result<Vec<Batch>, Error> {
        let mut batches = Vec::new();
        let (mut batch, mut bytes) = (Batch::default(), 0);
        for (left, stored) in (0..events.len()).rev().zip(events) {
            let stored = stored.borrow();
            batch.through = stored.position;
            bytes += self.put(&mut batch, stored)?;
            let full = bytes >= BATCH_BYTES || batch.events.len() + batch.cloud_events.len() >= BATCH_EVENTS;
            if full || left == 0 {
                batches.push(std::mem::take(&mut batch));
                bytes = 0;
            }
        }
        if let Some(last) = batches.last_mut() {
            last.through = through;
        }
        Ok(batches)
    }

    /// Puts one event into a message; its size there.
    fn put(&self, batch: &mut Batch, stored: &StoredEvent) -> Result<usize, Error> {
        match self.format {
            Format::Event => {
                let event = event(stored);
                let size = event.encoded_len();
                batch.events.push(event);
                Ok(size)
            }
            Format::CloudEvents => {
                let text = cloudevents::render(stored, self.log)?;
                let size = text.len();
                batch.cloud_events.push(text);
                Ok(size)
            }
        }
    }
}

/// An event on the wire.
pub(crate) fn event(stored: &StoredEvent) -> pb::Event {
    let StoredEvent {
        position,
        id,
        event_type,
        recorded_at,
        effective_on,
        actor,
        role,
        agency,
        request_id,
        correlation,
        causation,
        trace_id,
        nonce,
        body,
        tags,
        fingerprint,
    } = stored;
    let tag =
        |filed: &duban_log::Filed| pb::EventTag { tag: filed.tag.to_string(), previous: filed.previous };
    pb::Event {
        position: *position,
        id: id.to_string(),
        r#type: event_type.clone(),
        recorded_at: Some(instant(*recorded_at)),
        effective_on: effective_on.to_string(),
        tags: tags.iter().map(tag).collect(),
        actor: actor.clone(),
        agency: agency.clone(),
        request_id: request_id.to_string(),
        correlation_id: correlation.to_string(),
        causation: *causation,
        trace_id: trace_id.clone(),
        body: body.to_vec().into(),
        nonce: nonce.to_vec(),
        role: role.clone(),
        fingerprint: fingerprint.map(Vec::from).unwrap_or_default(),
    }
}
