//! What is damaged in a document, and how that is read.

use serde::{Deserialize, Serialize};

use super::{AnomalyKind, Confidence, DocumentEvent, Learnt, Lines};
use crate::Position;
use crate::event::{Event, Recorded};
use crate::explain::Field;
use crate::name::{AnomalyId, ReadingId};
use crate::text::Text;
use crate::time::Date;

/// A place where the text is damaged, contradictory or silent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    /// The readings that settle it, in order of adoption; superseded and withdrawn ones as well.
    pub readings: Vec<Learnt<ReadingId>>,
    /// By which event.
    pub at: Position,
}

impl Anomaly {
    /// The anomaly after `recorded`, which may be about another one; `None` before it is recorded.
    #[must_use]
    pub fn evolve(state: Option<Self>, name: &AnomalyId, recorded: &Recorded) -> Option<Self> {
        let Event::Document(event) = &recorded.event else { return state };
        let at = recorded.position;
        match event {
            DocumentEvent::AnomalyRecorded { anomaly, kind, lines, found, description }
                if anomaly == name =>
            {
                let (found, description) = (found.clone(), description.clone());
                let (id, readings) = (name.clone(), Vec::new());
                Some(Anomaly { id, kind: *kind, lines: *lines, found, description, readings, at })
            }
            DocumentEvent::ReadingAdopted { reading, anomalies, .. } if anomalies.contains(name) => {
                let mut anomaly = state?;
                anomaly.readings.push(Learnt { value: reading.clone(), at });
                Some(anomaly)
            }
            DocumentEvent::Registered { .. }
            | DocumentEvent::Identified { .. }
            | DocumentEvent::Repealed { .. }
            | DocumentEvent::AnomalyRecorded { .. }
            | DocumentEvent::ReadingAdopted { .. }
            | DocumentEvent::ReadingSuperseded { .. }
            | DocumentEvent::ReadingWithdrawn { .. } => state,
        }
    }

    /// The positions of the events that made it as it is, ascending.
    pub fn because(&self) -> Vec<Position> {
        std::iter::once(self.at).chain(self.readings.iter().map(|reading| reading.at)).collect()
    }
}

/// How the document is understood where its text leaves a choice, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    /// The reading after `recorded`, which may be about another one; `None` before it is adopted.
    #[must_use]
    pub fn evolve(state: Option<Self>, name: &ReadingId, recorded: &Recorded) -> Option<Self> {
        let Event::Document(event) = &recorded.event else { return state };
        let (on, at) = (recorded.effective_on, recorded.position);
        let ended = |state: Option<Self>, end| state.map(|reading| Reading { state: end, ..reading });
        match event {
            DocumentEvent::ReadingAdopted { reading, .. } if reading == name => adopted(event, recorded),
            DocumentEvent::ReadingSuperseded { reading, by } if reading == name => {
                ended(state, ReadingState::Superseded { by: by.clone(), at })
            }
            DocumentEvent::ReadingWithdrawn { reading } if reading == name => {
                ended(state, ReadingState::Withdrawn { reason: recorded.context.reason.clone(), on, at })
            }
            DocumentEvent::Registered { .. }
            | DocumentEvent::Identified { .. }
            | DocumentEvent::Repealed { .. }
            | DocumentEvent::AnomalyRecorded { .. }
            | DocumentEvent::ReadingAdopted { .. }
            | DocumentEvent::ReadingSuperseded { .. }
            | DocumentEvent::ReadingWithdrawn { .. } => state,
        }
    }

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
