//! A document, its anomalies and its readings on the wire.

use duban_domain::document::{
    Anomaly, AnomalyKind, Clause, Confidence, Content, Entry, Reading, ReadingState, TableRow, Target,
};
use duban_domain::event::Event;
use duban_domain::world::etag;
use duban_domain::{Position, Recorded};
use duban_proto::tasks::v1 as pb;

/// The document, with its content unless it is one of a list.
pub(crate) fn document(entry: &Entry, content: Option<&Content>) -> pb::Document {
    let text = content.map(|content| content.text.as_str().to_owned());
    let clauses = content.iter().flat_map(|content| &content.clauses);
    let rows = content.iter().flat_map(|content| &content.rows);
    let mut targets: Vec<pb::Target> =
        content.iter().flat_map(|content| &content.targets).map(target).collect();
    targets.sort_by_key(|target| target.year);
    pb::Document {
        name: entry.id.to_string(),
        title: entry.title.to_string(),
        issuer: entry.issuer.as_ref().map(ToString::to_string).unwrap_or_default(),
        text: text.unwrap_or_default(),
        text_sha256: entry.sha256.clone(),
        line_count: entry.lines,
        clauses: clauses.map(|of| clause(entry, of)).collect(),
        rows: rows.map(row).collect(),
        targets,
        number: entry.number.as_ref().map(|number| number.value.to_string()),
        issued_on: entry.issued_on.as_ref().map(|day| day.value.to_string()),
        repealed_on: entry.repealed_on.as_ref().map(|day| day.value.to_string()),
        etag: etag(entry.last),
        because: entry.because.clone(),
    }
}

fn clause(entry: &Entry, clause: &Clause) -> pb::Clause {
    pb::Clause {
        name: format!("{}/clauses/{}", entry.id, clause.id),
        clause_id: clause.id.to_string(),
        label: clause.label.as_ref().map(ToString::to_string).unwrap_or_default(),
        title: clause.title.as_ref().map(ToString::to_string).unwrap_or_default(),
        first_line: clause.lines.first,
        last_line: clause.lines.last,
    }
}

fn row(row: &TableRow) -> pb::TableRow {
    pb::TableRow { row_id: row.id.to_string(), line: row.line, cells: row.cells.clone() }
}

fn target(target: &Target) -> pb::Target {
    pb::Target {
        target_id: target.id.to_string(),
        year: target.year.try_into().unwrap_or_default(),
        statement: target.statement.to_string(),
        first_line: target.lines.first,
        last_line: target.lines.last,
    }
}

/// The anomaly; `last` is the position of its document's last event, which its etag tells.
pub(crate) fn anomaly(anomaly: &Anomaly, last: Position) -> pb::Anomaly {
    pb::Anomaly {
        name: anomaly.id.to_string(),
        kind: kind(anomaly.kind).into(),
        first_line: anomaly.lines.first,
        last_line: anomaly.lines.last,
        found: anomaly.found.as_ref().map(ToString::to_string).unwrap_or_default(),
        description: anomaly.description.to_string(),
        readings: anomaly.readings.iter().map(|reading| reading.value.to_string()).collect(),
        etag: etag(last),
        because: anomaly.because(),
    }
}

fn kind(kind: AnomalyKind) -> pb::AnomalyKind {
    match kind {
        AnomalyKind::RepeatedSerial => pb::AnomalyKind::RepeatedSerial,
        AnomalyKind::HeadingWithContent => pb::AnomalyKind::HeadingWithContent,
        AnomalyKind::RowOrder => pb::AnomalyKind::RowOrder,
        AnomalyKind::MisplacedCell => pb::AnomalyKind::MisplacedCell,
        AnomalyKind::FusedCells => pb::AnomalyKind::FusedCells,
        AnomalyKind::RepeatedHeader => pb::AnomalyKind::RepeatedHeader,
        AnomalyKind::BrokenParagraph => pb::AnomalyKind::BrokenParagraph,
        AnomalyKind::Punctuation => pb::AnomalyKind::Punctuation,
        AnomalyKind::LabelMismatch => pb::AnomalyKind::LabelMismatch,
        AnomalyKind::MissingElement => pb::AnomalyKind::MissingElement,
        AnomalyKind::AmbiguousWording => pb::AnomalyKind::AmbiguousWording,
        AnomalyKind::Other => pb::AnomalyKind::Other,
    }
}

/// The reading; `last` is the position of its document's last event, which its etag tells.
pub(crate) fn reading(reading: &Reading, last: Position) -> pb::Reading {
    let (state, superseded_by, withdrawal_reason) = match &reading.state {
        ReadingState::Adopted => (pb::ReadingState::Adopted, None, None),
        ReadingState::Superseded { by, .. } => (pb::ReadingState::Superseded, Some(by.to_string()), None),
        ReadingState::Withdrawn { reason, .. } => {
            (pb::ReadingState::Withdrawn, None, reason.as_ref().map(ToString::to_string))
        }
    };
    pb::Reading {
        name: reading.id.to_string(),
        anomalies: reading.anomalies.iter().map(ToString::to_string).collect(),
        statement: reading.statement.to_string(),
        reason: reading.reason.as_ref().map(ToString::to_string).unwrap_or_default(),
        alternatives: reading.alternatives.iter().map(ToString::to_string).collect(),
        confidence: confidence(reading.confidence).into(),
        first_line: reading.lines.first,
        last_line: reading.lines.last,
        supersedes: reading.supersedes.as_ref().map(ToString::to_string),
        superseded_by,
        state: state.into(),
        adopted_on: reading.adopted_on.to_string(),
        withdrawal_reason,
        etag: etag(last),
        because: reading.because(),
    }
}

fn confidence(confidence: Confidence) -> pb::Confidence {
    match confidence {
        Confidence::Low => pb::Confidence::Low,
        Confidence::Medium => pb::Confidence::Medium,
        Confidence::High => pb::Confidence::High,
    }
}

/// An event that rests on a reading; `contested` is whether the reading no longer stands.
pub(crate) fn dependent(recorded: &Recorded, event_type: &str, contested: bool) -> pb::Dependent {
    pb::Dependent {
        position: recorded.position,
        r#type: event_type.to_owned(),
        subject: resource_of(&recorded.event),
        effective_on: recorded.effective_on.to_string(),
        contested,
    }
}

/// What an event happened to; of a boundary's two assignments, the earlier one.
fn resource_of(event: &Event) -> String {
    let part = match event {
        Event::Document(event) => match (event.reading(), event.anomalies()) {
            (Some(reading), _) => Some(reading.to_string()),
            (None, [anomaly, ..]) => Some(anomaly.to_string()),
            (None, []) => None,
        },
        Event::Assignment(event) => event.assignments().first().map(ToString::to_string),
        Event::Agency(_) | Event::Task(_) | Event::Cycle(_) | Event::Report(_) | Event::Log(_) => None,
    };
    part.or_else(|| event.subjects().first().map(ToString::to_string)).unwrap_or_default()
}
