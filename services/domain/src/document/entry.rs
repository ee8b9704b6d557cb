//! What a document is as a whole, and what it says.

use serde::{Deserialize, Serialize};

use super::{Clause, DocumentEvent, TableRow, Target};
use crate::Position;
use crate::event::{Event, Recorded};
use crate::explain::Field;
use crate::name::DocumentId;
use crate::text::{Line, SourceText};
use crate::time::Date;

/// Something that was unknown and came to be known, once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Learnt<T> {
    /// What.
    pub value: T,
    /// By which event.
    pub at: Position,
}

/// A document as a list shows it: all but its content, its anomalies and its readings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its resource name.
    pub id: DocumentId,
    /// 标题.
    pub title: Line,
    /// 发文机关, where printed.
    pub issuer: Option<Line>,
    /// SHA-256 of the text, in lower-case hexadecimal.
    pub sha256: String,
    /// How many lines the text has.
    pub lines: u32,
    /// 发文字号, once known.
    pub number: Option<Learnt<Line>>,
    /// 成文日期, once known.
    pub issued_on: Option<Learnt<Date>>,
    /// The first day without force, once repealed.
    pub repealed_on: Option<Learnt<Date>>,
    /// The position of its registration, which alone tells its content.
    pub registered_at: Position,
    /// The positions of the events of the document itself, ascending; not those of its anomalies and readings.
    pub because: Vec<Position>,
    /// The position of its last event; its anomalies' and readings' are counted.
    pub last: Position,
}

/// What a document says (内容): told once, when it is registered, and never changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// The text, byte for byte.
    pub text: SourceText,
    /// Its clauses.
    pub clauses: Vec<Clause>,
    /// The rows of its table.
    pub rows: Vec<TableRow>,
    /// Its targets.
    pub targets: Vec<Target>,
}

impl Entry {
    /// The entry after `recorded`, which is an event of this document; `None` before its registration.
    #[must_use]
    pub fn evolve(state: Option<Self>, recorded: &Recorded) -> Option<Self> {
        let Event::Document(event) = &recorded.event else { return state };
        let mut entry = state.or_else(|| Entry::registered(event, recorded.position))?;
        entry.apply(event, recorded);
        Some(entry)
    }

    /// An entry as it begins; `None` of any other event.
    fn registered(event: &DocumentEvent, at: Position) -> Option<Self> {
        let DocumentEvent::Registered {
            document,
            title,
            issuer,
            text,
            sha256,
            clauses: _,
            rows: _,
            targets: _,
            number,
            issued_on,
        } = event
        else {
            return None;
        };
        Some(Self {
            id: document.clone(),
            title: title.clone(),
            issuer: issuer.clone(),
            sha256: sha256.clone(),
            lines: text.lines(),
            number: number.clone().map(|value| Learnt { value, at }),
            issued_on: issued_on.map(|value| Learnt { value, at }),
            repealed_on: None,
            registered_at: at,
            because: Vec::new(),
            last: at,
        })
    }

    fn apply(&mut self, event: &DocumentEvent, recorded: &Recorded) {
        let at = recorded.position;
        self.last = at;
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
                self.repealed_on = Some(Learnt { value: recorded.effective_on, at });
                self.because.push(at);
            }
            DocumentEvent::AnomalyRecorded { .. }
            | DocumentEvent::ReadingAdopted { .. }
            | DocumentEvent::ReadingSuperseded { .. }
            | DocumentEvent::ReadingWithdrawn { .. } => {}
        }
    }

    /// Whether it is not repealed on `day`.
    pub fn is_in_force_on(&self, day: Date) -> bool {
        self.repealed_on.as_ref().is_none_or(|repealed| day < repealed.value)
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
}

impl Content {
    /// The content of a document as its registration tells it; `None` of any other event.
    pub fn of(event: &Event) -> Option<Self> {
        let Event::Document(DocumentEvent::Registered { text, clauses, rows, targets, .. }) = event else {
            return None;
        };
        Some(Self {
            text: text.clone(),
            clauses: clauses.clone(),
            rows: rows.clone(),
            targets: targets.clone(),
        })
    }
}
