//! What stands in the files of an export. Whoever changes it counts [`FORMAT`] up, and reads the older ones still.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use duban_domain::{Date, Position, Timestamp};
use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
use uuid::Uuid;

use super::{StoredRequest, digits};
use crate::append::{Receipt, StoredReceipt};
use crate::event::{Filed, StoredEvent};

/// The format that this version writes.
/// 2: events have the fingerprint of their command.
pub const FORMAT: u32 = 2;

/// `export.json`: what the export is of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: u32,
    /// Which log.
    pub log: Uuid,
    /// In which epoch it was exported.
    pub epoch: Uuid,
    /// Every epoch of it, the first one first.
    pub epochs: Vec<Epoch>,
    /// The last position: all events up to it are here.
    pub head: Position,
    /// Whether the source was ended, so that the log goes on where this is loaded.
    pub sealed: bool,
    /// How many receipts there are; none while the export is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipts: Option<u64>,
    /// What the source said of its views.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub views: Vec<Claim>,
}

/// One life of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Epoch {
    /// Its id.
    pub epoch: Uuid,
    /// The position of its first event.
    pub first: Position,
}

/// What a view came to at its position, for whoever builds it again from the events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The view.
    pub view: String,
    /// After how many events.
    pub position: Position,
    /// How many rows it had.
    pub rows: u64,
    /// The digest of its rows, 64 hexadecimal digits.
    pub sha256: String,
}

/// 32 bytes in hexadecimal.
#[derive(Serialize, Deserialize)]
struct Hash(#[serde(with = "digits")] [u8; 32]);

/// An event as a line.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct EventLine<'a> {
    position: Position,
    id: Uuid,
    #[serde(rename = "type")]
    #[serde(borrow)]
    event_type: Cow<'a, str>,
    recorded_at: Timestamp,
    effective_on: Date,
    #[serde(borrow)]
    actor: Cow<'a, str>,
    #[serde(borrow)]
    role: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    agency: Option<Cow<'a, str>>,
    request_id: Uuid,
    correlation: Uuid,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    causation: Option<Position>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trace_id: Option<Cow<'a, str>>,
    tags: Cow<'a, [Filed]>,
    #[serde(with = "digits")]
    nonce: [u8; 32],
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fingerprint: Option<Hash>,
    /// The body's bytes as text, which they are unless they are damaged; else in `bodyHex`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body: Option<Text>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body_hex: Option<String>,
}

/// The bytes of a text. A body is written with an escape for each of its quotes: it is read into its place at once.
struct Text(Arc<[u8]>);

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(std::str::from_utf8(&self.0).map_err(ser::Error::custom)?)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor)
    }
}

struct TextVisitor;

impl Visitor<'_> for TextVisitor {
    type Value = Text;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_str<E>(self, text: &str) -> Result<Text, E> {
        Ok(Text(text.as_bytes().into()))
    }
}

/// A receipt as a line.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReceiptLine<'a> {
    request_id: Uuid,
    principal: Cow<'a, str>,
    #[serde(with = "digits")]
    fingerprint: [u8; 32],
    first: Position,
    last: Position,
    recorded_at: Timestamp,
}

/// Something that stands in an export as a line.
pub(crate) trait Line: Sized + Send + 'static {
    /// Writes it, with its end.
    fn write(&self, to: &mut Vec<u8>);
    /// Reads it.
    fn read(line: &str) -> Result<Self, serde_json::Error>;
}

impl Line for StoredEvent {
    fn write(&self, to: &mut Vec<u8>) {
        let is_text = std::str::from_utf8(&self.body).is_ok();
        let line = EventLine {
            position: self.position,
            id: self.id,
            event_type: self.event_type.as_str().into(),
            recorded_at: self.recorded_at,
            effective_on: self.effective_on,
            actor: self.actor.as_str().into(),
            role: self.role.as_str().into(),
            agency: self.agency.as_deref().map(Into::into),
            request_id: self.request_id,
            correlation: self.correlation,
            causation: self.causation,
            trace_id: self.trace_id.as_deref().map(Into::into),
            tags: Cow::Borrowed(&self.tags),
            nonce: self.nonce,
            fingerprint: self.fingerprint.map(Hash),
            body: is_text.then(|| Text(Arc::clone(&self.body))),
            body_hex: (!is_text).then(|| hex::encode(&self.body)),
        };
        put(&line, to);
    }

    fn read(line: &str) -> Result<Self, serde_json::Error> {
        let line: EventLine<'_> = serde_json::from_str(line)?;
        let body = match (line.body, line.body_hex) {
            (Some(Text(body)), None) => body,
            (None, Some(bytes)) => hex::decode(bytes).map_err(de::Error::custom)?.into(),
            _ => return Err(de::Error::custom("one body is expected")),
        };
        Ok(Self {
            position: line.position,
            id: line.id,
            event_type: line.event_type.into_owned(),
            recorded_at: line.recorded_at,
            effective_on: line.effective_on,
            actor: line.actor.into_owned(),
            role: line.role.into_owned(),
            agency: line.agency.map(Cow::into_owned),
            request_id: line.request_id,
            correlation: line.correlation,
            causation: line.causation,
            trace_id: line.trace_id.map(Cow::into_owned),
            nonce: line.nonce,
            fingerprint: line.fingerprint.map(|Hash(bytes)| bytes),
            body,
            tags: line.tags.into_owned(),
        })
    }
}

impl Line for StoredRequest {
    fn write(&self, to: &mut Vec<u8>) {
        let Receipt { first, last, recorded_at } = self.stored.receipt;
        let line = ReceiptLine {
            request_id: self.request_id,
            principal: self.principal.as_str().into(),
            fingerprint: self.stored.fingerprint,
            first,
            last,
            recorded_at,
        };
        put(&line, to);
    }

    fn read(line: &str) -> Result<Self, serde_json::Error> {
        let ReceiptLine { request_id, principal, fingerprint, first, last, recorded_at } =
            serde_json::from_str(line)?;
        let stored = StoredReceipt { fingerprint, receipt: Receipt { first, last, recorded_at } };
        Ok(Self { request_id, principal: principal.into_owned(), stored })
    }
}

fn put(line: &impl Serialize, to: &mut Vec<u8>) {
    // Plain data with text keys, into memory: it is always writable.
    serde_json::to_writer(&mut *to, line).ok();
    to.push(b'\n');
}

#[cfg(test)]
mod tests {
    use duban_domain::Tag;

    use super::*;

    fn event(body: &[u8]) -> StoredEvent {
        StoredEvent {
            position: 7,
            id: Uuid::from_u128(1),
            event_type: "task.proposed.v1".into(),
            recorded_at: "2026-03-02T01:02:03.000004Z".parse().unwrap(),
            effective_on: "2026-03-01".parse().unwrap(),
            actor: "supervisor-1".into(),
            role: "supervisor".into(),
            agency: Some("agencies/fgw".into()),
            request_id: Uuid::from_u128(2),
            correlation: Uuid::from_u128(3),
            causation: Some(6),
            trace_id: Some("0af7651916cd43dd8448eb211c80319c".into()),
            nonce: [9; 32],
            body: body.into(),
            tags: vec![Filed { tag: Tag::stored("task:t"), previous: 5 }],
            fingerprint: Some([8; 32]),
        }
    }

    #[test]
    fn an_event_is_written_like_this() {
        let mut line = Vec::new();
        event("{\"a\":\"督\\n\" }".as_bytes()).write(&mut line);
        let expected = "{\"position\":7,\"id\":\"00000000-0000-0000-0000-000000000001\",\
            \"type\":\"task.proposed.v1\",\"recordedAt\":\"2026-03-02T01:02:03.000004Z\",\
            \"effectiveOn\":\"2026-03-01\",\"actor\":\"supervisor-1\",\"role\":\"supervisor\",\
            \"agency\":\"agencies/fgw\",\"requestId\":\"00000000-0000-0000-0000-000000000002\",\
            \"correlation\":\"00000000-0000-0000-0000-000000000003\",\"causation\":6,\
            \"traceId\":\"0af7651916cd43dd8448eb211c80319c\",\"tags\":[[\"task:t\",5]],\
            \"nonce\":\"0909090909090909090909090909090909090909090909090909090909090909\",\
            \"fingerprint\":\"0808080808080808080808080808080808080808080808080808080808080808\",\
            \"body\":\"{\\\"a\\\":\\\"督\\\\n\\\" }\"}\n";
        assert_eq!(String::from_utf8(line).unwrap(), expected);
    }

    #[test]
    fn any_body_comes_back_byte_for_byte() {
        let texts = ["", "{}", " {\"a\" : 1}\n", "\u{0}\u{7f}\u{2028}督"];
        let bodies = texts.iter().map(|text| text.as_bytes()).chain([&[0xff, 0x00, b'"'][..]]);
        for body in bodies {
            let mut line = Vec::new();
            event(body).write(&mut line);
            assert_eq!(line.split(|byte| *byte == b'\n').count(), 2, "one line");
            assert_eq!(StoredEvent::read(std::str::from_utf8(&line).unwrap()).unwrap(), event(body));
        }
    }

    #[test]
    fn a_line_of_format_1_has_no_fingerprint() {
        let old = StoredEvent { fingerprint: None, ..event(b"{}") };
        let mut line = Vec::new();
        old.write(&mut line);
        let line = String::from_utf8(line).unwrap();
        assert!(!line.contains("fingerprint"));
        assert_eq!(StoredEvent::read(&line).unwrap(), old);
    }
}
