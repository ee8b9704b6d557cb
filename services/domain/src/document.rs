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
mod entry;
mod event;
mod part;
mod reading;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use self::check::{
    ALTERNATIVES_MAX, ANOMALIES_MAX, CELLS_MAX, CLAUSES_MAX, ROWS_MAX, STATEMENT_MAX, TARGETS_MAX,
};
pub use self::command::DocumentCommand;
pub use self::entry::{Content, Entry, Learnt};
pub use self::event::DocumentEvent;
pub use self::part::{AnomalyKind, Clause, Confidence, Lines, PartId, TableRow, Target};
pub use self::reading::{Anomaly, Reading, ReadingState};
use crate::event::{Event, Recorded};
use crate::explain::Field;
use crate::name::{AnomalyId, ClauseId, ReadingId};
use crate::rejection::{Reason, Rejection};
use crate::time::Date;
use crate::world::Fold;

/// A document with its content, its anomalies and its readings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// What it is as a whole.
    pub entry: Entry,
    /// What it says.
    pub content: Content,
    /// What is damaged.
    pub anomalies: BTreeMap<AnomalyId, Anomaly>,
    /// How it is read.
    pub readings: BTreeMap<ReadingId, Reading>,
}

impl Document {
    /// Whether it is not repealed on `day`.
    pub fn is_in_force_on(&self, day: Date) -> bool {
        self.entry.is_in_force_on(day)
    }

    /// Whether it has this clause.
    pub fn has_clause(&self, clause: &ClauseId) -> bool {
        let clauses = &self.content.clauses;
        *clause.document() == self.entry.id && clauses.iter().any(|known| known.id.as_str() == clause.id())
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

    /// Each field, and the events that made it so.
    pub fn explain(&self) -> Vec<Field> {
        self.entry.explain()
    }

    /// Folds an event into the anomalies and readings that it is about.
    fn apply(&mut self, event: &DocumentEvent, recorded: &Recorded) {
        for name in event.anomalies() {
            let state = self.anomalies.remove(name);
            let anomaly = Anomaly::evolve(state, name, recorded);
            self.anomalies.extend(anomaly.map(|anomaly| (name.clone(), anomaly)));
        }
        if let Some(name) = event.reading() {
            let state = self.readings.remove(name);
            let reading = Reading::evolve(state, name, recorded);
            self.readings.extend(reading.map(|reading| (name.clone(), reading)));
        }
    }
}

impl Fold for Document {
    fn evolve(state: Option<Self>, recorded: &Recorded) -> Option<Self> {
        let Event::Document(event) = &recorded.event else { return state };
        let (entry, rest) = match state {
            Some(Document { entry, content, anomalies, readings }) => {
                (Some(entry), (content, anomalies, readings))
            }
            None => (None, (Content::of(&recorded.event)?, BTreeMap::new(), BTreeMap::new())),
        };
        let entry = Entry::evolve(entry, recorded)?;
        let (content, anomalies, readings) = rest;
        let mut document = Document { entry, content, anomalies, readings };
        document.apply(event, recorded);
        Some(document)
    }
}
