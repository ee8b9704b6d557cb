//! What may be asked of a document, and when it is refused.

use serde::Serialize;

use super::check::{at_most, check_clauses, check_rows, check_targets, each_once, short, within};
use super::{ALTERNATIVES_MAX, ANOMALIES_MAX};
use super::{
    AnomalyKind, Clause, Confidence, Document, DocumentEvent, Lines, ReadingState, TableRow, Target,
};
use crate::command::{Command, Facts, Proposed, Seed};
use crate::event::{BODY_MAX, Event};
use crate::name::{AnomalyId, DocumentId, ReadingId};
use crate::rejection::{Reason, Rejection};
use crate::subject::Subject;
use crate::text::{Line, SourceText, Text};
use crate::time::{DATE_MIN, Date};
use crate::world::World;

/// Something that a supervisor asks of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum DocumentCommand {
    /// The text comes into the log as it is.
    Register {
        /// Its name to be; filled in when left out.
        document: Option<DocumentId>,
        /// 标题.
        title: Line,
        /// 发文机关, where printed.
        issuer: Option<Line>,
        /// The text, lines ended by LF.
        text: SourceText,
        /// 条款, at most [`CLAUSES_MAX`](super::CLAUSES_MAX).
        clauses: Vec<Clause>,
        /// 附表原始行, at most [`ROWS_MAX`](super::ROWS_MAX); each cell stands on the row's line, in this order.
        rows: Vec<TableRow>,
        /// 目标, at most [`TARGETS_MAX`](super::TARGETS_MAX).
        targets: Vec<Target>,
        /// 发文字号, if known.
        number: Option<Line>,
        /// 成文日期, if known.
        issued_on: Option<Date>,
    },
    /// What was unknown of it is known now.
    Identify {
        /// Which.
        document: DocumentId,
        /// 发文字号.
        number: Option<Line>,
        /// 成文日期.
        issued_on: Option<Date>,
    },
    /// From the effective day on it is without force. Needs a reason.
    Repeal {
        /// Which.
        document: DocumentId,
    },
    /// Something in the text is damaged.
    RecordAnomaly {
        /// Of which document.
        document: DocumentId,
        /// Its name to be; filled in when left out.
        anomaly: Option<AnomalyId>,
        /// What kind of damage.
        kind: AnomalyKind,
        /// The lines that it concerns.
        lines: Lines,
        /// What stands there; `None`: something is missing.
        found: Option<Text>,
        /// What is wrong with it.
        description: Text,
    },
    /// This is taken to be so. Needs a reason.
    AdoptReading {
        /// Of which document.
        document: DocumentId,
        /// Its name to be; filled in when left out.
        reading: Option<ReadingId>,
        /// The anomalies that it settles, of the same document, at most [`ANOMALIES_MAX`].
        anomalies: Vec<AnomalyId>,
        /// What is taken to be so.
        statement: Text,
        /// What else it could mean, at most [`ALTERNATIVES_MAX`].
        alternatives: Vec<Text>,
        /// How sure.
        confidence: Confidence,
        /// The lines that it concerns.
        lines: Lines,
        /// The reading in force whose place it takes.
        supersedes: Option<ReadingId>,
    },
    /// Nothing new may rest on it. Needs a reason.
    WithdrawReading {
        /// Which.
        reading: ReadingId,
    },
}

impl DocumentCommand {
    /// The document that it is about.
    ///
    /// # Panics
    /// Before [`Command::complete`].
    pub fn document(&self) -> &DocumentId {
        match self {
            Self::Register { document, .. } => completed(document.as_ref()),
            Self::Identify { document, .. }
            | Self::Repeal { document }
            | Self::RecordAnomaly { document, .. }
            | Self::AdoptReading { document, .. } => document,
            Self::WithdrawReading { reading } => reading.document(),
        }
    }

    /// The anomaly that it records.
    pub fn anomaly(&self) -> Option<&AnomalyId> {
        match self {
            Self::RecordAnomaly { anomaly, .. } => anomaly.as_ref(),
            Self::Register { .. }
            | Self::Identify { .. }
            | Self::Repeal { .. }
            | Self::AdoptReading { .. }
            | Self::WithdrawReading { .. } => None,
        }
    }

    /// The reading that it adopts or withdraws.
    pub fn reading(&self) -> Option<&ReadingId> {
        match self {
            Self::AdoptReading { reading, .. } => reading.as_ref(),
            Self::WithdrawReading { reading } => Some(reading),
            Self::Register { .. }
            | Self::Identify { .. }
            | Self::Repeal { .. }
            | Self::RecordAnomaly { .. } => None,
        }
    }
}

fn completed<T>(id: Option<&T>) -> &T {
    id.unwrap_or_else(|| unreachable!("completed before"))
}

impl Command for DocumentCommand {
    fn complete(&mut self, seed: &Seed) {
        match self {
            Self::Register { document: document @ None, .. } => {
                *document = DocumentId::from_id(&seed.id("document"));
            }
            Self::RecordAnomaly { document, anomaly: anomaly @ None, .. } => {
                *anomaly = AnomalyId::new(document.clone(), &seed.id("anomaly"));
            }
            Self::AdoptReading { document, reading: reading @ None, .. } => {
                *reading = ReadingId::new(document.clone(), &seed.id("reading"));
            }
            Self::Register { .. }
            | Self::Identify { .. }
            | Self::Repeal { .. }
            | Self::RecordAnomaly { .. }
            | Self::AdoptReading { .. }
            | Self::WithdrawReading { .. } => {}
        }
    }

    fn subject(&self) -> Subject {
        Subject::Document(self.document().clone())
    }

    fn reads(&self, _known: &World) -> Vec<Subject> {
        Vec::new()
    }

    fn decide(&self, world: &World, facts: &Facts) -> Result<Vec<Proposed>, Rejection> {
        let events = match self {
            Self::Register { .. } => register(self, world, facts)?,
            Self::Identify { document, number, issued_on } => {
                identify(world.document(document)?, number.as_ref(), *issued_on)?
            }
            Self::Repeal { document } => {
                facts.reason()?;
                repeal(world.document(document)?, facts)?
            }
            Self::RecordAnomaly { document, .. } => record_anomaly(self, world.document(document)?, facts)?,
            Self::AdoptReading { document, .. } => {
                facts.reason()?;
                adopt(self, world.document(document)?, facts)?
            }
            Self::WithdrawReading { reading } => {
                facts.reason()?;
                withdraw(reading, world.find_document(reading.document()), facts)?
            }
        };
        Ok(events.into_iter().map(|event| facts.propose(event)).collect())
    }
}

type Decision = Result<Vec<DocumentEvent>, Rejection>;

fn register(command: &DocumentCommand, world: &World, facts: &Facts) -> Decision {
    let DocumentCommand::Register {
        document: _,
        title,
        issuer,
        text,
        clauses,
        rows,
        targets,
        number,
        issued_on,
    } = command
    else {
        unreachable!("asked only of a registration")
    };
    check_clauses(clauses, text)?;
    check_rows(rows, text)?;
    check_targets(targets, text)?;
    let document = command.document();
    if world.find_document(document).is_some() {
        return Err(Rejection::new(Reason::DocumentExists, document, "this document is registered already"));
    }
    let registered = DocumentEvent::Registered {
        document: document.clone(),
        title: title.clone(),
        issuer: issuer.clone(),
        text: text.clone(),
        sha256: text.sha256(),
        clauses: clauses.clone(),
        rows: rows.clone(),
        targets: targets.clone(),
        number: number.clone(),
        issued_on: *issued_on,
    };
    // Its parts are within their bounds, but not all of them may be at their bounds at once.
    let length = Event::from(registered.clone()).encode(&facts.context).len();
    if length > BODY_MAX {
        let detail = format!("with all its parts it takes {length} bytes, at most {BODY_MAX} fit an event");
        return Err(Rejection::new(Reason::TooLarge, document, detail)
            .with("bytes", length)
            .with("max", BODY_MAX));
    }
    Ok(vec![registered])
}

fn identify(document: &Document, number: Option<&Line>, issued_on: Option<Date>) -> Decision {
    if number.is_none() && issued_on.is_none() {
        return Err(Rejection::field("number", "neither number nor issued_on is given"));
    }
    let number = still_unknown(document, "number", document.entry.number.as_ref().map(|n| &n.value), number)?;
    let known = document.entry.issued_on.as_ref().map(|day| &day.value);
    let issued_on = still_unknown(document, "issued_on", known, issued_on.as_ref())?;
    let event = DocumentEvent::Identified {
        document: document.entry.id.clone(),
        number: number.cloned(),
        issued_on: issued_on.copied(),
    };
    Ok(if number.is_none() && issued_on.is_none() { vec![] } else { vec![event] })
}

/// What is new of `given`; nothing if it is known to be so, and a no if it is known to be otherwise.
fn still_unknown<'a, T: PartialEq + std::fmt::Display>(
    document: &Document,
    field: &'static str,
    known: Option<&T>,
    given: Option<&'a T>,
) -> Result<Option<&'a T>, Rejection> {
    match (known, given) {
        (Some(known), Some(given)) if known != given => {
            let detail = format!("its {field} is {known}, and never replaced");
            Err(Rejection::new(Reason::DocumentIdentified, &document.entry.id, detail).with(field, known))
        }
        (Some(_), _) => Ok(None),
        (None, given) => Ok(given),
    }
}

fn repeal(document: &Document, facts: &Facts) -> Decision {
    match &document.entry.repealed_on {
        None => Ok(vec![DocumentEvent::Repealed { document: document.entry.id.clone() }]),
        Some(repealed) if repealed.value == facts.effective_on() => Ok(vec![]),
        Some(_) => Err(without_force(document)),
    }
}

fn record_anomaly(command: &DocumentCommand, document: &Document, facts: &Facts) -> Decision {
    let DocumentCommand::RecordAnomaly { document: _, anomaly, kind, lines, found, description } = command
    else {
        unreachable!("asked only of an anomaly")
    };
    let anomaly = completed(anomaly.as_ref());
    within("", *lines, &document.content.text)?;
    found.iter().try_for_each(|found| short("found", found))?;
    short("description", description)?;
    if document.anomalies.contains_key(anomaly) {
        return Err(Rejection::new(Reason::AnomalyExists, anomaly, "this anomaly is recorded already"));
    }
    in_force(document, facts)?;
    Ok(vec![DocumentEvent::AnomalyRecorded {
        anomaly: anomaly.clone(),
        kind: *kind,
        lines: *lines,
        found: found.clone(),
        description: description.clone(),
    }])
}

fn adopt(command: &DocumentCommand, document: &Document, facts: &Facts) -> Decision {
    let DocumentCommand::AdoptReading {
        document: _,
        reading,
        anomalies,
        statement,
        alternatives,
        confidence,
        lines,
        supersedes,
    } = command
    else {
        unreachable!("asked only of a reading")
    };
    let reading = completed(reading.as_ref());
    at_most("anomalies", anomalies.len(), ANOMALIES_MAX)?;
    each_once(anomalies, |at| format!("anomalies[{at}]"))?;
    short("statement", statement)?;
    at_most("alternatives", alternatives.len(), ALTERNATIVES_MAX)?;
    for (at, alternative) in alternatives.iter().enumerate() {
        short(&format!("alternatives[{at}]"), alternative)?;
    }
    within("", *lines, &document.content.text)?;
    if document.readings.contains_key(reading) {
        return Err(Rejection::new(Reason::ReadingExists, reading, "this reading is adopted already"));
    }
    anomalies.iter().try_for_each(|anomaly| document.anomaly(anomaly).map(drop))?;
    let superseded = supersedes.as_ref().map(|old| document.reading_in_force(old)).transpose()?;
    in_force(document, facts)?;
    facts.step_after(reading, superseded.map_or(DATE_MIN, |old| old.adopted_on))?;
    let adopted = DocumentEvent::ReadingAdopted {
        reading: reading.clone(),
        anomalies: anomalies.clone(),
        statement: statement.clone(),
        alternatives: alternatives.clone(),
        confidence: *confidence,
        lines: *lines,
        supersedes: supersedes.clone(),
    };
    let ended = superseded
        .map(|old| DocumentEvent::ReadingSuperseded { reading: old.id.clone(), by: reading.clone() });
    Ok(std::iter::once(adopted).chain(ended).collect())
}

fn withdraw(reading: &ReadingId, document: Option<&Document>, facts: &Facts) -> Decision {
    let absent = || Rejection::new(Reason::ReadingNotFound, reading, "there is no such document");
    let reading = document.ok_or_else(absent)?.reading(reading)?;
    match &reading.state {
        ReadingState::Adopted => {
            facts.step_after(&reading.id, reading.adopted_on)?;
            Ok(vec![DocumentEvent::ReadingWithdrawn { reading: reading.id.clone() }])
        }
        ReadingState::Withdrawn { .. } => Ok(vec![]),
        ReadingState::Superseded { by, .. } => {
            let detail = "another reading took its place";
            Err(Rejection::new(Reason::ReadingNotInForce, &reading.id, detail).with("superseded_by", by))
        }
    }
}

fn in_force(document: &Document, facts: &Facts) -> Result<(), Rejection> {
    if document.is_in_force_on(facts.effective_on()) { Ok(()) } else { Err(without_force(document)) }
}

fn without_force(document: &Document) -> Rejection {
    let repealed_on =
        document.entry.repealed_on.as_ref().map(|day| day.value.to_string()).unwrap_or_default();
    let detail = format!("it is repealed from {repealed_on} on");
    Rejection::new(Reason::DocumentRepealed, &document.entry.id, detail).with("repealed_on", repealed_on)
}
