//! What the log keeps: events, their stored bodies, and the envelope around them.
//!
//! A body is JSON written once and from then on only copied:
//! `{"event":{"type":"assignment.acknowledged.v1","data":{…}},"context":{…}}`. Variants are added, never
//! renamed or reused.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::Position;
use crate::agency::AgencyEvent;
use crate::assignment::AssignmentEvent;
use crate::caller::PrincipalId;
use crate::command::Context;
use crate::cycle::CycleEvent;
use crate::document::DocumentEvent;
use crate::log::LogEvent;
use crate::name::AgencyId;
use crate::report::ReportEvent;
use crate::subject::{Subject, Tag};
use crate::task::TaskEvent;
use crate::time::{Date, Timestamp};

/// The longest body, in bytes.
pub const BODY_MAX: usize = 256 * 1024;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// To a document, its anomalies or readings.
    Document(DocumentEvent),
    /// To an agency.
    Agency(AgencyEvent),
    /// To a task.
    Task(TaskEvent),
    /// To one agency's part in a task.
    Assignment(AssignmentEvent),
    /// To a cycle or an obligation.
    Cycle(CycleEvent),
    /// To a report.
    Report(ReportEvent),
    /// To the log itself.
    Log(LogEvent),
}

/// An event as it stands in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Its place; the first is 1.
    pub position: Position,
    /// Its id, a UUIDv7.
    pub id: Uuid,
    /// When the log took it; never decreases along the log.
    pub recorded_at: Timestamp,
    /// The civil date in Shanghai from which it holds.
    pub effective_on: Date,
    /// What it is filed under.
    pub tags: Vec<Tag>,
    /// Who acted.
    pub actor: PrincipalId,
    /// The actor's agency.
    pub agency: Option<AgencyId>,
    /// Why.
    pub context: Context,
    /// What happened.
    pub event: Event,
}

impl Recorded {
    /// Whether it is filed under `tag`.
    pub fn is_filed_under(&self, tag: &Tag) -> bool {
        self.tags.contains(tag)
    }
}

#[derive(Serialize)]
struct BodyRef<'a, E> {
    event: &'a E,
    context: &'a Context,
}

#[derive(Deserialize, JsonSchema)]
struct Body<E> {
    event: E,
    context: Context,
}

/// Why a stored event can't be read.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// A newer version wrote it.
    #[error("the event type {0} is not known to this version")]
    UnknownType(String),
    /// It is damaged.
    #[error("the body of {event_type} can't be read")]
    Malformed {
        /// What it says it is.
        event_type: String,
        /// Where it went wrong.
        source: serde_json::Error,
    },
}

impl Event {
    /// The body's bytes.
    ///
    /// # Panics
    /// Never: every body type has text keys and no failing serialiser.
    pub fn encode(&self, context: &Context) -> Vec<u8> {
        fn body<E: Serialize>(event: &E, context: &Context) -> Vec<u8> {
            let written = serde_json::to_vec(&BodyRef { event, context });
            written.unwrap_or_else(|error| unreachable!("a body is always writable: {error}"))
        }
        match self {
            Event::Document(event) => body(event, context),
            Event::Agency(event) => body(event, context),
            Event::Task(event) => body(event, context),
            Event::Assignment(event) => body(event, context),
            Event::Cycle(event) => body(event, context),
            Event::Report(event) => body(event, context),
            Event::Log(event) => body(event, context),
        }
    }

    /// Reads a body of the type that the log says it is of.
    pub fn decode(event_type: &str, body: &[u8]) -> Result<(Event, Context), DecodeError> {
        fn read<'de, E: Deserialize<'de> + Into<Event>>(
            body: &'de [u8],
        ) -> Result<(Event, Context), serde_json::Error> {
            let Body { event, context } = serde_json::from_slice::<Body<E>>(body)?;
            Ok((event.into(), context))
        }
        if !schemas().contains_key(event_type) {
            return Err(DecodeError::UnknownType(event_type.to_owned()));
        }
        let decoded = match event_type.split('.').next() {
            Some("document" | "anomaly" | "reading") => read::<DocumentEvent>(body),
            Some("agency") => read::<AgencyEvent>(body),
            Some("task") => read::<TaskEvent>(body),
            Some("assignment") => read::<AssignmentEvent>(body),
            Some("cycle" | "obligation") => read::<CycleEvent>(body),
            Some("report") => read::<ReportEvent>(body),
            Some("log") => read::<LogEvent>(body),
            _ => return Err(DecodeError::UnknownType(event_type.to_owned())),
        };
        decoded.map_err(|source| DecodeError::Malformed { event_type: event_type.to_owned(), source })
    }

    /// The subjects that it is about.
    pub fn subjects(&self) -> Vec<Subject> {
        match self {
            Event::Document(event) => event.subjects(),
            Event::Agency(event) => event.subjects(),
            Event::Task(event) => event.subjects(),
            Event::Assignment(event) => event.subjects(),
            Event::Cycle(event) => event.subjects(),
            Event::Report(event) => event.subjects(),
            Event::Log(event) => event.subjects(),
        }
    }

    /// The tags it is filed under: those of its subjects and of the readings it rests on, sorted, each once.
    pub fn tags(&self, context: &Context) -> Vec<Tag> {
        let readings = context.readings.iter().map(|reading| Subject::Reading(reading.clone()));
        let mut tags: Vec<Tag> = self.subjects().into_iter().chain(readings).map(|s| s.tag()).collect();
        tags.sort();
        tags.dedup();
        tags
    }
}

/// The type name and version that stands at the head of a body, such as `task.registered.v1`.
pub fn type_of(body: &[u8]) -> Option<&str> {
    let rest = body.strip_prefix(br#"{"event":{"type":""#)?;
    let end = rest.iter().position(|&b| b == b'"')?;
    std::str::from_utf8(&rest[..end]).ok()
}

/// The JSON Schema of each event type's body, by type name.
pub fn schemas() -> &'static BTreeMap<String, Value> {
    static SCHEMAS: OnceLock<BTreeMap<String, Value>> = OnceLock::new();
    SCHEMAS.get_or_init(|| {
        let mut all = BTreeMap::new();
        split::<DocumentEvent>(&mut all);
        split::<AgencyEvent>(&mut all);
        split::<TaskEvent>(&mut all);
        split::<AssignmentEvent>(&mut all);
        split::<CycleEvent>(&mut all);
        split::<ReportEvent>(&mut all);
        split::<LogEvent>(&mut all);
        all
    })
}

/// Splits the schema of a family of events into one for each variant.
fn split<E: JsonSchema>(all: &mut BTreeMap<String, Value>) {
    let family = schemars::schema_for!(Body<E>).to_value();
    let events = match family["properties"]["event"]["$ref"].as_str() {
        Some(reference) => family.pointer(reference.trim_start_matches('#')).cloned().unwrap_or_default(),
        None => family["properties"]["event"].clone(),
    };
    for variant in events["oneOf"].as_array().into_iter().flatten() {
        let Some(name) = variant["properties"]["type"]["const"].as_str() else { continue };
        let mut one = family.clone();
        one["title"] = Value::from(name);
        one["properties"]["event"] = variant.clone();
        all.insert(name.to_owned(), one);
    }
}

macro_rules! families {
    ($($family:ident($events:ty)),*) => {
        $(impl From<$events> for Event {
            fn from(event: $events) -> Event {
                Event::$family(event)
            }
        })*
    };
}

families!(
    Document(DocumentEvent),
    Agency(AgencyEvent),
    Task(TaskEvent),
    Assignment(AssignmentEvent),
    Cycle(CycleEvent),
    Report(ReportEvent),
    Log(LogEvent)
);
