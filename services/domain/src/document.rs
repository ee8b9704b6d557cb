//! Policy documents (政策文件): the text as it came, what is damaged in it, and how that is read.
//!
//! Nothing is repaired in a document. Damage is recorded as an anomaly (异常), a choice that the text leaves
//! open is settled by a reading (认定), and whatever rests on a reading names it. A reading that is withdrawn
//! or superseded leaves what rests on it in force; nothing new may rest on it.
//!
//! A document's anomalies and readings are folded with it: their ids are unique within it, and their rules
//! need its text. So its etag is theirs as well.

mod check;
mod command;
mod event;
mod part;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use self::check::{
    ALTERNATIVES_MAX, ANOMALIES_MAX, CELLS_MAX, CLAUSES_MAX, ROWS_MAX, STATEMENT_MAX, TARGETS_MAX,
};
pub use self::command::DocumentCommand;
pub use self::event::DocumentEvent;
pub use self::part::{AnomalyKind, Clause, Confidence, Lines, PartId, TableRow, Target};
use crate::Position;
use crate::event::{Event, Recorded};
use crate::explain::Field;
use crate::name::{AnomalyId, ClauseId, DocumentId, ReadingId};
use crate::rejection::{Reason, Rejection};
use crate::text::{Line, SourceText, Text};
use crate::time::Date;
use crate::world::Fold;

/// Something that was unknown and came to be known, once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Learnt<T> {
    /// What.
    pub value: T,
    /// By which event.
    pub at: Position,
}

/// A place where the text is damaged, contradictory or silent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anomaly {
    /// Its resource name.
    pub id: AnomalyId,
    /// What kind of damage.
    pub kind: AnomalyKind,
    /// The lines that it concerns.
    pub lines: Lines,
    /// What stands there; `None`: something is missing.
    pub found: Option<Text>,
    /// What is wrong with it.
    pub description: Text,
    /// By which event.
    pub at: Position,
}

/// How the document is understood where its text leaves a choice, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// Its resource name.
    pub id: ReadingId,
    /// The anomalies that it settles.
    pub anomalies: Vec<AnomalyId>,
    /// What is taken to be so.
    pub statement: Text,
    /// Why.
    pub reason: Option<Text>,
    /// What else it could mean.
    pub alternatives: Vec<Text>,
    /// How sure.
    pub confidence: Confidence,
    /// The lines that it concerns.
    pub lines: Lines,
    /// The reading whose place it took.
    pub supersedes: Option<ReadingId>,
    /// From when it was adopted.
    pub adopted_on: Date,
    /// By which event.
    pub adopted_at: Position,
    /// Whether it stands.
    pub state: ReadingState,
}

/// Whether a reading stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadingState {
    /// 有效: it stands.
    Adopted,
    /// 已被取代: another took its place.
    Superseded {
        /// Which.
        by: ReadingId,
        /// By which event.
        at: Position,
    },
    /// 已撤回: what rests on it stays in force, and is contested.
    Withdrawn {
        /// Why.
        reason: Option<Text>,
        /// From when.
        on: Date,
        /// By which event.
        at: Position,
    },
}

impl ReadingState {
    /// The word in filters.
    pub fn as_str(&self) -> &'static str {
        match self {
            ReadingState::Adopted => "ADOPTED",
            ReadingState::Superseded { .. } => "SUPERSEDED",
            ReadingState::Withdrawn { .. } => "WITHDRAWN",
        }
    }
}

impl Reading {
    /// Whether anything new may rest on it.
    pub fn is_in_force(&self) -> bool {
        self.state == ReadingState::Adopted
    }

    /// The positions of its own events, ascending.
    pub fn because(&self) -> Vec<Position> {
        match self.state {
            ReadingState::Adopted => vec![self.adopted_at],
            ReadingState::Superseded { at, .. } | ReadingState::Withdrawn { at, .. } => {
                vec![self.adopted_at, at]
            }
        }
    }

    /// Each field, and the events that made it so.
    pub fn explain(&self) -> Vec<Field> {
        vec![
            Field::new("statement", &self.statement, [self.adopted_at]),
            Field::new("state", self.state.as_str(), self.because()),
        ]
    }
}

/// A document with its anomalies and readings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its resource name.
    pub id: DocumentId,
    /// 标题.
    pub title: Line,
    /// 发文机关, where printed.
    pub issuer: Option<Line>,
    /// The text, byte for byte.
    pub text: SourceText,
    /// SHA-256 of the text, in lower-case hexadecimal.
    pub sha256: String,
    /// Its clauses.
    pub clauses: Vec<Clause>,
    /// The rows of its table.
    pub rows: Vec<TableRow>,
    /// Its targets.
    pub targets: Vec<Target>,
    /// 发文字号, once known.
    pub number: Option<Learnt<Line>>,
    /// 成文日期, once known.
    pub issued_on: Option<Learnt<Date>>,
    /// The first day without force, once repealed.
    pub repealed_on: Option<Learnt<Date>>,
    /// What is damaged.
    pub anomalies: BTreeMap<AnomalyId, Anomaly>,
    /// How it is read.
    pub readings: BTreeMap<ReadingId, Reading>,
    /// The position of its registration.
    pub registered_at: Position,
    /// The positions of the events of the document itself, ascending; not those of its anomalies and readings.
    pub because: Vec<Position>,
}

impl Document {
    /// Whether it is not repealed on `day`.
    pub fn is_in_force_on(&self, day: Date) -> bool {
        self.repealed_on.as_ref().is_none_or(|repealed| day < repealed.value)
    }

    /// Whether it has this clause.
    pub fn has_clause(&self, clause: &ClauseId) -> bool {
        *clause.document() == self.id && self.clauses.iter().any(|known| known.id.as_str() == clause.id())
    }

    /// The anomaly.
    pub fn anomaly(&self, id: &AnomalyId) -> Result<&Anomaly, Rejection> {
        let absent = || Rejection::new(Reason::AnomalyNotFound, id, "the document has no such anomaly");
        self.anomalies.get(id).ok_or_else(absent)
    }

    /// The reading.
    pub fn reading(&self, id: &ReadingId) -> Result<&Reading, Rejection> {
        let absent = || Rejection::new(Reason::ReadingNotFound, id, "the document has no such reading");
        self.readings.get(id).ok_or_else(absent)
    }

    /// The reading, if something new may rest on it.
    pub fn reading_in_force(&self, id: &ReadingId) -> Result<&Reading, Rejection> {
        let reading = self.reading(id)?;
        let no = |detail: &str| Rejection::new(Reason::ReadingNotInForce, id, detail);
        match &reading.state {
            ReadingState::Adopted => Ok(reading),
            ReadingState::Superseded { by, .. } => {
                Err(no("another reading took its place").with("superseded_by", by))
            }
            ReadingState::Withdrawn { .. } => Err(no("it is withdrawn")),
        }
    }

    /// The readings that settle an anomaly, in order of adoption; superseded and withdrawn ones as well.
    pub fn readings_of(&self, anomaly: &AnomalyId) -> Vec<&Reading> {
        let settle = self.readings.values().filter(|reading| reading.anomalies.contains(anomaly));
        let mut readings: Vec<&Reading> = settle.collect();
        readings.sort_by_key(|reading| reading.adopted_at);
        readings
    }

    /// Each field, and the events that made it so.
    pub fn explain(&self) -> Vec<Field> {
        let registered = [self.registered_at];
        let mut fields = vec![
            Field::new("title", &self.title, registered),
            Field::new("text_sha256", &self.sha256, registered),
        ];
        fields.extend(self.issuer.as_ref().map(|issuer| Field::new("issuer", issuer, registered)));
        fields.extend(self.number.as_ref().map(|number| Field::new("number", &number.value, [number.at])));
        fields.extend(self.issued_on.as_ref().map(|day| Field::new("issued_on", day.value, [day.at])));
        fields.extend(self.repealed_on.as_ref().map(|day| Field::new("repealed_on", day.value, [day.at])));
        fields
    }

    fn apply(&mut self, event: &DocumentEvent, recorded: &Recorded) {
        let (on, at) = (recorded.effective_on, recorded.position);
        match event {
            DocumentEvent::Registered { .. } => self.because.push(at),
            DocumentEvent::Identified { document: _, number, issued_on } => {
                let number = number.clone().map(|value| Learnt { value, at });
                let issued_on = issued_on.map(|value| Learnt { value, at });
                self.number = self.number.take().or(number);
                self.issued_on = self.issued_on.take().or(issued_on);
                self.because.push(at);
            }
            DocumentEvent::Repealed { document: _ } => {
                self.repealed_on = Some(Learnt { value: on, at });
                self.because.push(at);
            }
            DocumentEvent::AnomalyRecorded { anomaly, kind, lines, found, description } => {
                let (id, found, description) = (anomaly.clone(), found.clone(), description.clone());
                let anomaly = Anomaly { id: id.clone(), kind: *kind, lines: *lines, found, description, at };
                self.anomalies.insert(id, anomaly);
            }
            DocumentEvent::ReadingAdopted { .. } => {
                self.readings.extend(adopted(event, recorded).map(|reading| (reading.id.clone(), reading)));
            }
            DocumentEvent::ReadingSuperseded { reading, by } => {
                self.end(reading, ReadingState::Superseded { by: by.clone(), at });
            }
            DocumentEvent::ReadingWithdrawn { reading } => {
                let reason = recorded.context.reason.clone();
                self.end(reading, ReadingState::Withdrawn { reason, on, at });
            }
        }
    }

    fn end(&mut self, reading: &ReadingId, state: ReadingState) {
        if let Some(reading) = self.readings.get_mut(reading) {
            reading.state = state;
        }
    }
}

/// A reading as it begins; `None` of any other event.
fn adopted(event: &DocumentEvent, recorded: &Recorded) -> Option<Reading> {
    let DocumentEvent::ReadingAdopted {
        reading,
        anomalies,
        statement,
        alternatives,
        confidence,
        lines,
        supersedes,
    } = event
    else {
        return None;
    };
    Some(Reading {
        id: reading.clone(),
        anomalies: anomalies.clone(),
        statement: statement.clone(),
        reason: recorded.context.reason.clone(),
        alternatives: alternatives.clone(),
        confidence: *confidence,
        lines: *lines,
        supersedes: supersedes.clone(),
        adopted_on: recorded.effective_on,
        adopted_at: recorded.position,
        state: ReadingState::Adopted,
    })
}

/// A document as it begins; `None` of any other event.
fn registered(event: &DocumentEvent, recorded: &Recorded) -> Option<Document> {
    let DocumentEvent::Registered {
        document,
        title,
        issuer,
        text,
        sha256,
        clauses,
        rows,
        targets,
        number,
        issued_on,
    } = event
    else {
        return None;
    };
    let at = recorded.position;
    Some(Document {
        id: document.clone(),
        title: title.clone(),
        issuer: issuer.clone(),
        text: text.clone(),
        sha256: sha256.clone(),
        clauses: clauses.clone(),
        rows: rows.clone(),
        targets: targets.clone(),
        number: number.clone().map(|value| Learnt { value, at }),
        issued_on: issued_on.map(|value| Learnt { value, at }),
        repealed_on: None,
        anomalies: BTreeMap::new(),
        readings: BTreeMap::new(),
        registered_at: at,
        because: Vec::new(),
    })
}

impl Fold for Document {
    fn evolve(state: Option<Self>, recorded: &Recorded) -> Option<Self> {
        let Event::Document(event) = &recorded.event else { return state };
        let mut document = state.or_else(|| registered(event, recorded))?;
        document.apply(event, recorded);
        Some(document)
    }
}
