//! A request of any RPC with every field filled so that it can be taken in form, and its fields one by one: so
//! that whatever is then put wrong is the only thing wrong.

use duban_domain::Date;
use prost_reflect::prost_types::Timestamp;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, ReflectMessage as _, Value};

use crate::support::context;

/// What is read from a resource in a request; its other fields are ignored there.
const READ: [(&str, &[&str]); 3] = [
    ("duban.agencies.v1.Agency", &["name", "kind", "division_code", "superior", "credit_code"]),
    ("duban.reports.v1.Report", &["name", "items"]),
    ("duban.tasks.v1.Clause", &["clause_id", "label", "title", "first_line", "last_line"]),
];

/// A request to this RPC, without effect.
pub(crate) fn template(input: &MessageDescriptor) -> DynamicMessage {
    let mut message = DynamicMessage::new(input.clone());
    for field in input.fields().filter(is_read) {
        // Of a choice, the one that is text; else the first.
        let rival = |other: &FieldDescriptor| *other != field && matches!(other.kind(), Kind::String);
        if let Some(choice) = field.containing_oneof().filter(|choice| choice.fields().count() > 1) {
            let text = matches!(field.kind(), Kind::String);
            let first = choice.fields().next().as_ref() == Some(&field);
            if !text && (!first || choice.fields().any(|other| rival(&other))) {
                continue;
            }
        }
        let value = value(input, &field);
        let value = if field.is_list() { Value::List(vec![value]) } else { value };
        message.set_field(&field, value);
    }
    message
}

fn is_read(field: &FieldDescriptor) -> bool {
    let of = field.parent_message();
    READ.iter()
        .find(|(message, _)| *message == of.full_name())
        .is_none_or(|(_, read)| read.contains(&field.name()))
}

fn value(of: &MessageDescriptor, field: &FieldDescriptor) -> Value {
    match field.kind() {
        Kind::String => Value::String(text(of.name(), field.name())),
        Kind::Message(message) if message.full_name() == "google.protobuf.Timestamp" => {
            let mut at = DynamicMessage::new(message);
            at.transcode_from(&Timestamp { seconds: 1_772_000_000, nanos: 0 }).expect("a timestamp");
            Value::Message(at)
        }
        Kind::Message(message) if message.full_name() == "google.protobuf.FieldMask" => {
            let mut mask = DynamicMessage::new(message);
            let paths: &[&str] = match of.name() {
                "ReviseReportRequest" => &["items"],
                _ => &["kind", "division_code", "superior", "credit_code"],
            };
            let paths = paths.iter().map(|path| Value::String((*path).to_owned())).collect();
            mask.set_field_by_name("paths", Value::List(paths));
            Value::Message(mask)
        }
        Kind::Message(message) => Value::Message(template(&message)),
        Kind::Enum(_) => Value::EnumNumber(1),
        Kind::Bool => Value::Bool(true),
        Kind::Uint32 => Value::U32(if field.name() == "year" { 2026 } else { 1 }),
        Kind::Uint64 => Value::U64(1),
        Kind::Int32 => Value::I32(10),
        other => panic!("no request has a field of kind {other:?}"),
    }
}

/// An instant for the field `known_at` of `as_of`.
pub(crate) fn instant(as_of: &DynamicMessage, seconds: i64, nanos: i32) -> Value {
    let field = as_of.descriptor().get_field_by_name("known_at").expect("the field");
    let mut at = DynamicMessage::new(field.kind().as_message().expect("a timestamp").clone());
    at.transcode_from(&Timestamp { seconds, nanos }).expect("a timestamp");
    Value::Message(at)
}

/// A text that the field can take.
fn text(of: &str, field: &str) -> String {
    let text = match field {
        "request_id" | "log" | "epoch" => return context().request_id,
        "etag" | "filter" | "page_token" => "",
        "effective_on" | "valid_on" | "known_on" | "issued_on" | "holders_on" | "on" => "2026-03-02",
        "due_on" | "until" => "2026-12-31",
        "agency" if of == "ReassignAssignmentRequest" => "agencies/czt",
        "agency" | "superior" | "on_behalf_of" => "agencies/fgw",
        "document" => "documents/d",
        "clause" | "clauses" => "documents/d/clauses/c",
        "anomalies" => "documents/d/anomalies/a",
        "reading" | "readings" | "supersedes" => "documents/d/readings/r",
        "task" | "subjects" => "tasks/t",
        "assignment" | "earlier" => "tasks/t/assignments/fgw",
        "later" => "tasks/t/assignments/czt",
        "cycle" => "cycles/2026",
        "obligation" => "cycles/2026/obligations/fgw",
        "report" => "reports/r",
        "parent" | "name" => named(of),
        "rule" => "every-lead",
        "types" | "type" => "agency.registered.v1",
        "sha256" => return "a".repeat(64),
        "aliases" => "别名",
        "division_code" => "630000",
        "credit_code" => CREDIT_CODE,
        id if id.ends_with("_id") => "new-1",
        _ => "说明",
    };
    text.to_owned()
}

/// A unified social credit code whose check character fits.
const CREDIT_CODE: &str = "11630000MB1234567D";

/// The name that a request asks for.
fn named(of: &str) -> &'static str {
    match of {
        "GetAgencyRequest" | "Agency" => "agencies/fgw",
        "GetDocumentRequest" | "ListAnomaliesRequest" | "ListReadingsRequest" => "documents/d",
        "GetAssignmentRequest" => "tasks/t/assignments/fgw",
        "GetCycleRequest" | "ListObligationsRequest" => "cycles/2026",
        "GetObligationRequest" => "cycles/2026/obligations/fgw",
        "GetReportRequest" | "Report" => "reports/r",
        "EvidenceFile" => "佐证.pdf",
        _ => "tasks/t",
    }
}

/// A field of a request, however deep: of a list, its first entry.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    steps: Vec<FieldDescriptor>,
    /// As a violation names it.
    pub(crate) path: String,
}

impl Place {
    /// The field itself.
    pub(crate) fn field(&self) -> &FieldDescriptor {
        self.steps.last().expect("at least one step")
    }

    /// What stands there.
    pub(crate) fn get(&self, message: &DynamicMessage) -> Value {
        let (last, above) = self.steps.split_last().expect("at least one step");
        let mut message = message.clone();
        for step in above {
            message = first(message.get_field(step).into_owned()).as_message().expect("a message").clone();
        }
        first(message.get_field(last).into_owned())
    }

    /// The message with something else there.
    pub(crate) fn with(&self, message: &DynamicMessage, value: Value) -> DynamicMessage {
        let mut message = message.clone();
        let entry = if self.field().is_list() { Value::List(vec![value]) } else { value };
        put(&mut message, &self.steps, entry);
        message
    }

    /// The message with the list there as long as this.
    pub(crate) fn repeated(&self, message: &DynamicMessage, times: usize) -> DynamicMessage {
        let entry = self.get(message);
        let mut message = message.clone();
        put(&mut message, &self.steps, Value::List(vec![entry; times]));
        message
    }
}

fn first(value: Value) -> Value {
    match value {
        Value::List(entries) => entries.into_iter().next().expect("one entry"),
        one => one,
    }
}

fn put(message: &mut DynamicMessage, steps: &[FieldDescriptor], value: Value) {
    let [step, rest @ ..] = steps else { return };
    if rest.is_empty() {
        return message.set_field(step, value);
    }
    match message.get_field_mut(step) {
        Value::Message(inner) => put(inner, rest, value),
        Value::List(entries) => match &mut entries[0] {
            Value::Message(inner) => put(inner, rest, value),
            other => panic!("{other:?} has no fields"),
        },
        other => panic!("{other:?} has no fields"),
    }
}

/// Every field that is filled in the message, however deep, in order.
pub(crate) fn places(message: &DynamicMessage) -> Vec<Place> {
    let mut places = Vec::new();
    walk(message, &mut Vec::new(), "", &mut places);
    places
}

fn walk(message: &DynamicMessage, steps: &mut Vec<FieldDescriptor>, prefix: &str, places: &mut Vec<Place>) {
    for field in message.descriptor().fields() {
        // An empty text without presence is filled as far as the wire can tell.
        if !message.has_field(&field) && !matches!(field.kind(), Kind::String) || !is_read(&field) {
            continue;
        }
        if field.supports_presence() && !message.has_field(&field) {
            continue;
        }
        let entry = if field.is_list() { "[0]" } else { "" };
        let path = format!("{prefix}{}{entry}", field.name());
        steps.push(field.clone());
        places.push(Place { steps: steps.clone(), path: path.clone() });
        if let Value::Message(inner) = first(message.get_field(&field).into_owned()) {
            walk(&inner, steps, &format!("{path}."), places);
        }
        steps.pop();
    }
}

/// Whether the field takes a date.
pub(crate) fn is_date(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.parse::<Date>().is_ok())
}

/// Whether the field takes the name of a resource.
pub(crate) fn is_name(value: &Value) -> bool {
    let collections = ["agencies/", "documents/", "tasks/", "cycles/", "reports/"];
    value.as_str().is_some_and(|text| collections.iter().any(|collection| text.starts_with(collection)))
}
