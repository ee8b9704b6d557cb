//! The documents, their anomalies and their readings as they are got and listed.
//!
//! They are the same on all days: the days in them say from when, and a reading is how the text is understood,
//! on whatever day that is asked about. What was known when is the other clock, and that one counts.
//!
//! No view keeps what a document says: its registration in the log tells it.

use std::collections::BTreeSet;

use duban_domain::document::{Anomaly, AnomalyKind, Confidence, Entry, Reading};
use duban_domain::event::Event;
use duban_domain::name::{AnomalyId, ReadingId};
use duban_domain::{Period, Recorded, Subject};
use duban_log::Snapshot;
use duban_log::views::{ALWAYS, Column, Of, Resource, STATE};
use duban_rpc::{Error, Moment};
use serde::{Deserialize, Serialize};

/// `documents`: a row for each document.
pub struct Documents;

/// What documents are filtered by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocumentColumns {
    /// Who issued it.
    pub issuer: Option<String>,
    /// Its number.
    pub document_number: Option<String>,
}

impl Documents {
    /// The column of the wire's `number`: that name is the rows'.
    pub const NUMBER: &'static str = "document_number";
}

impl Resource for Documents {
    const NAME: &'static str = "documents";
    const VERSION: i64 = 2;
    const COLUMNS: &'static [Column] = &[Column::text("issuer"), Column::text(Self::NUMBER), STATE];
    type State = Entry;
    type Columns = DocumentColumns;
    const SUBJECT: Option<fn(&str) -> Option<Subject>> =
        Some(|name| Some(Subject::Document(name.parse().ok()?)));

    fn names(recorded: &Recorded) -> Vec<String> {
        match &recorded.event {
            // Also what happens to its anomalies and readings: its etag is theirs.
            Event::Document(event) => vec![event.document().to_string()],
            Event::Agency(_)
            | Event::Task(_)
            | Event::Assignment(_)
            | Event::Cycle(_)
            | Event::Report(_)
            | Event::Log(_) => {
                vec![]
            }
        }
    }

    fn evolve(_: &str, state: Option<Entry>, recorded: &Recorded) -> Option<Entry> {
        Entry::evolve(state, recorded)
    }

    fn columns(entry: &Entry) -> Vec<(Period, DocumentColumns)> {
        let columns = DocumentColumns {
            issuer: entry.issuer.as_ref().map(ToString::to_string),
            document_number: entry.number.as_ref().map(|number| number.value.to_string()),
        };
        vec![(ALWAYS, columns)]
    }
}

/// `anomalies`: a row for each anomaly.
pub struct Anomalies;

/// What anomalies are filtered and sorted by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnomalyColumns {
    /// The document.
    pub document: String,
    /// What kind of damage.
    pub kind: AnomalyKind,
    /// Its place among the document's anomalies: by the first line that it concerns, then by name.
    pub place: String,
}

impl Resource for Anomalies {
    const NAME: &'static str = "anomalies";
    const VERSION: i64 = 2;
    const COLUMNS: &'static [Column] =
        &[Column::text("document"), Column::text("kind"), Column::text("place"), STATE];
    const INDEXES: &'static [&'static [&'static str]] = &[&["document", "place"]];
    type State = Anomaly;
    type Columns = AnomalyColumns;
    const SUBJECT: Option<fn(&str) -> Option<Subject>> =
        Some(|name| Some(Subject::Document(name.parse::<AnomalyId>().ok()?.document().clone())));

    fn names(recorded: &Recorded) -> Vec<String> {
        match &recorded.event {
            Event::Document(event) => event.anomalies().iter().map(ToString::to_string).collect(),
            Event::Agency(_)
            | Event::Task(_)
            | Event::Assignment(_)
            | Event::Cycle(_)
            | Event::Report(_)
            | Event::Log(_) => {
                vec![]
            }
        }
    }

    fn evolve(name: &str, state: Option<Anomaly>, recorded: &Recorded) -> Option<Anomaly> {
        let name: AnomalyId = name.parse().ok()?;
        Anomaly::evolve(state, &name, recorded)
    }

    fn columns(anomaly: &Anomaly) -> Vec<(Period, AnomalyColumns)> {
        let columns = AnomalyColumns {
            document: anomaly.id.document().to_string(),
            kind: anomaly.kind,
            place: format!("{:010} {}", anomaly.lines.first, anomaly.id),
        };
        vec![(ALWAYS, columns)]
    }
}

/// `readings`: a row for each reading.
pub struct Readings;

/// What readings are filtered and sorted by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadingColumns {
    /// The document.
    pub document: String,
    /// Whether it stands: ADOPTED, SUPERSEDED or WITHDRAWN.
    pub standing: String,
    /// How sure.
    pub confidence: Confidence,
    /// Its place among the document's readings: by the position of its adoption.
    pub place: String,
}

impl Readings {
    /// The column of the wire's `state`: that name is the folded state's.
    pub const STANDING: &'static str = "standing";
}

impl Resource for Readings {
    const NAME: &'static str = "readings";
    const VERSION: i64 = 2;
    const COLUMNS: &'static [Column] = &[
        Column::text("document"),
        Column::text(Self::STANDING),
        Column::text("confidence"),
        Column::text("place"),
        STATE,
    ];
    const INDEXES: &'static [&'static [&'static str]] = &[&["document", "place"]];
    type State = Reading;
    type Columns = ReadingColumns;
    const SUBJECT: Option<fn(&str) -> Option<Subject>> =
        Some(|name| Some(Subject::Document(name.parse::<ReadingId>().ok()?.document().clone())));

    fn names(recorded: &Recorded) -> Vec<String> {
        match &recorded.event {
            Event::Document(event) => event.reading().iter().map(ToString::to_string).collect(),
            Event::Agency(_)
            | Event::Task(_)
            | Event::Assignment(_)
            | Event::Cycle(_)
            | Event::Report(_)
            | Event::Log(_) => {
                vec![]
            }
        }
    }

    fn evolve(name: &str, state: Option<Reading>, recorded: &Recorded) -> Option<Reading> {
        let name: ReadingId = name.parse().ok()?;
        Reading::evolve(state, &name, recorded)
    }

    fn columns(reading: &Reading) -> Vec<(Period, ReadingColumns)> {
        let columns = ReadingColumns {
            document: reading.id.document().to_string(),
            standing: reading.state.as_str().to_owned(),
            confidence: reading.confidence,
            place: format!("{:020}", reading.adopted_at),
        };
        vec![(ALWAYS, columns)]
    }
}

/// The readings that no longer stood as known then, because they were withdrawn or another took their place:
/// what rests on one of these is in force and contested. Whatever the day: a reading that is given up is given
/// up for all days.
///
/// The snapshot is of this view; what was known at a position never changes, so what rests on the readings may
/// be read from another one.
pub async fn fallen(snapshot: &mut Snapshot, moment: Moment) -> Result<BTreeSet<ReadingId>, Error> {
    let rest = "known_from <= $1 AND known_to > $1 AND standing <> 'ADOPTED'";
    let found = snapshot.query::<Of<Readings>>("key", rest, &[moment.position.into()]).await?;
    Ok(found.iter().filter_map(|row| row.text("key")?.parse().ok()).collect())
}
