//! The commands and queries of documents, their anomalies and their readings.

use duban_domain::document::{
    ALTERNATIVES_MAX, ANOMALIES_MAX, AnomalyKind, CELLS_MAX, CLAUSES_MAX, Clause, Confidence,
    DocumentCommand, Lines, PartId, ROWS_MAX, STATEMENT_MAX, TARGETS_MAX, TableRow, Target,
};
use duban_domain::name::{AnomalyId, DocumentId, ReadingId};
use duban_domain::text::SourceText;
use duban_log::Request;
use duban_proto::tasks::v1 as pb;
use duban_rpc::filter::Kind;
use duban_rpc::validate::{date, id, line, name, text};
use duban_rpc::{AsOf, Call, Error, Field, Fields, Filter, Page, gather};

use super::{LABEL_MAX, TITLE_MAX};

/// The longest document number (发文字号), in code points.
const NUMBER_MAX: usize = 100;

/// What documents are filtered by.
const DOCUMENT_FILTER: &[(&str, Kind)] = &[("issuer", Kind::Text), ("number", Kind::Text)];
/// What anomalies are filtered by.
const ANOMALY_FILTER: &[(&str, Kind)] = &[(
    "kind",
    Kind::Choice(&[
        "REPEATED_SERIAL",
        "HEADING_WITH_CONTENT",
        "ROW_ORDER",
        "MISPLACED_CELL",
        "FUSED_CELLS",
        "REPEATED_HEADER",
        "BROKEN_PARAGRAPH",
        "PUNCTUATION",
        "LABEL_MISMATCH",
        "MISSING_ELEMENT",
        "AMBIGUOUS_WORDING",
        "OTHER",
    ]),
)];
/// What readings are filtered by.
const READING_FILTER: &[(&str, Kind)] = &[
    ("state", Kind::Choice(&["ADOPTED", "SUPERSEDED", "WITHDRAWN"])),
    ("confidence", Kind::Choice(&["LOW", "MEDIUM", "HIGH"])),
];
/// What dependents are filtered by.
const DEPENDENT_FILTER: &[(&str, Kind)] = &[("type", Kind::Text), ("subject", Kind::Text)];

type Read = Result<(Request, DocumentCommand), Error>;

pub(crate) fn register_document(call: &Call, request: pb::RegisterDocumentRequest) -> Read {
    let pb::RegisterDocumentRequest {
        context,
        document_id,
        title,
        issuer,
        text,
        clauses,
        rows,
        targets,
        number,
        issued_on,
    } = request;
    call.command(context, |f| {
        gather!(DocumentCommand::Register {
            document: f.maybe("document_id", document_id, id(DocumentId::from_id)),
            title: f.one("title", title, line(TITLE_MAX)),
            issuer: f.maybe("issuer", issuer, line(TITLE_MAX)),
            text: f.one("text", text, SourceText::parse),
            clauses: f.each("clauses", clauses, CLAUSES_MAX, clause),
            rows: f.each("rows", rows, ROWS_MAX, row),
            targets: f.each("targets", targets, TARGETS_MAX, target),
            number: f.maybe("number", number, line(NUMBER_MAX)),
            issued_on: f.maybe("issued_on", issued_on, date),
        })
    })
}

/// Its name follows from its id.
fn clause(f: &mut Fields, clause: pb::Clause) -> Field<Clause> {
    let pb::Clause { name: _, clause_id, label, title, first_line, last_line } = clause;
    gather!(Clause {
        id: f.one("clause_id", clause_id, id(PartId::parse)),
        label: f.maybe("label", label, line(LABEL_MAX)),
        title: f.maybe("title", title, line(TITLE_MAX)),
        lines: lines(f, first_line, last_line),
    })
}

/// Its cells are compared with the text, byte for byte, by the rule.
fn row(f: &mut Fields, row: pb::TableRow) -> Field<TableRow> {
    let pb::TableRow { row_id, line, cells } = row;
    gather!(TableRow {
        id: f.one("row_id", row_id, id(PartId::parse)),
        line: f.number("line", line, 1.., "a line from 1"),
        cells: f.each("cells", cells, CELLS_MAX, |_, cell| Ok(cell)),
    })
}

fn target(f: &mut Fields, target: pb::Target) -> Field<Target> {
    let pb::Target { target_id, year, statement, first_line, last_line } = target;
    let year = f.number("year", year, 1949..=2199, "a year from 1949 to 2199");
    gather!(Target {
        id: f.one("target_id", target_id, id(PartId::parse)),
        // Within the bounds just checked, a year fits.
        year: year.map(|year| i16::try_from(year).unwrap_or(i16::MAX)),
        statement: f.one("statement", statement, text(STATEMENT_MAX)),
        lines: lines(f, first_line, last_line),
    })
}

/// That they are lines of the text is the rule's to say.
fn lines(f: &mut Fields, first: u32, last: u32) -> Field<Lines> {
    let first = f.number("first_line", first, 1.., "a line from 1")?;
    let last = f.number("last_line", last, first.., "a line not before first_line")?;
    Ok(Lines { first, last })
}

pub(crate) fn identify(call: &Call, request: pb::IdentifyDocumentRequest) -> Read {
    let pb::IdentifyDocumentRequest { context, document, number, issued_on } = request;
    call.command(context, |f| {
        let given = number.is_some() || issued_on.is_some();
        let given = f.check(given, "number", "or issued_on is required");
        given.and(gather!(DocumentCommand::Identify {
            document: f.one("document", document, name),
            number: f.maybe("number", number, line(NUMBER_MAX)),
            issued_on: f.maybe("issued_on", issued_on, date),
        }))
    })
}

pub(crate) fn repeal(call: &Call, request: pb::RepealDocumentRequest) -> Read {
    let pb::RepealDocumentRequest { context, document } = request;
    call.command(context, |f| {
        gather!(DocumentCommand::Repeal { document: f.one("document", document, name) })
    })
}

pub(crate) fn record_anomaly(call: &Call, request: pb::RecordAnomalyRequest) -> Read {
    let pb::RecordAnomalyRequest {
        context,
        document,
        anomaly_id,
        kind: number,
        first_line,
        last_line,
        found,
        description,
    } = request;
    call.command(context, |f| {
        let document = f.one("document", document, name);
        let anomaly = f.maybe("anomaly_id", anomaly_id, id(part_of(&document, AnomalyId::new)));
        gather!(DocumentCommand::RecordAnomaly {
            document: document,
            anomaly: anomaly,
            kind: f.choice("kind", number, kind),
            lines: lines(f, first_line, last_line),
            found: f.maybe("found", found, text(STATEMENT_MAX)),
            description: f.one("description", description, text(STATEMENT_MAX)),
        })
    })
}

/// The name of something to be made of a document, which may itself be wrong: then that is said, once.
fn part_of<'a, T>(
    document: &'a Field<DocumentId>,
    make: impl Fn(DocumentId, &str) -> Option<T> + 'a,
) -> impl Fn(&str) -> Option<T> + 'a {
    move |id| match document {
        Ok(document) => make(document.clone(), id),
        Err(_) => DocumentId::from_id("a").and_then(|any| make(any, id)),
    }
}

fn kind(kind: pb::AnomalyKind) -> Option<AnomalyKind> {
    match kind {
        pb::AnomalyKind::Unspecified => None,
        pb::AnomalyKind::RepeatedSerial => Some(AnomalyKind::RepeatedSerial),
        pb::AnomalyKind::HeadingWithContent => Some(AnomalyKind::HeadingWithContent),
        pb::AnomalyKind::RowOrder => Some(AnomalyKind::RowOrder),
        pb::AnomalyKind::MisplacedCell => Some(AnomalyKind::MisplacedCell),
        pb::AnomalyKind::FusedCells => Some(AnomalyKind::FusedCells),
        pb::AnomalyKind::RepeatedHeader => Some(AnomalyKind::RepeatedHeader),
        pb::AnomalyKind::BrokenParagraph => Some(AnomalyKind::BrokenParagraph),
        pb::AnomalyKind::Punctuation => Some(AnomalyKind::Punctuation),
        pb::AnomalyKind::LabelMismatch => Some(AnomalyKind::LabelMismatch),
        pb::AnomalyKind::MissingElement => Some(AnomalyKind::MissingElement),
        pb::AnomalyKind::AmbiguousWording => Some(AnomalyKind::AmbiguousWording),
        pb::AnomalyKind::Other => Some(AnomalyKind::Other),
    }
}

pub(crate) fn adopt_reading(call: &Call, request: pb::AdoptReadingRequest) -> Read {
    let pb::AdoptReadingRequest {
        context,
        document,
        reading_id,
        anomalies,
        statement,
        alternatives,
        confidence: number,
        first_line,
        last_line,
        supersedes,
    } = request;
    call.command(context, |f| {
        let document = f.one("document", document, name);
        let reading = f.maybe("reading_id", reading_id, id(part_of(&document, ReadingId::new)));
        gather!(DocumentCommand::AdoptReading {
            document: document,
            reading: reading,
            anomalies: f.many("anomalies", anomalies, ANOMALIES_MAX, name),
            statement: f.one("statement", statement, text(STATEMENT_MAX)),
            alternatives: f.many("alternatives", alternatives, ALTERNATIVES_MAX, text(STATEMENT_MAX)),
            confidence: f.choice("confidence", number, confidence),
            lines: lines(f, first_line, last_line),
            supersedes: f.maybe("supersedes", supersedes, name),
        })
    })
}

fn confidence(confidence: pb::Confidence) -> Option<Confidence> {
    match confidence {
        pb::Confidence::Unspecified => None,
        pb::Confidence::Low => Some(Confidence::Low),
        pb::Confidence::Medium => Some(Confidence::Medium),
        pb::Confidence::High => Some(Confidence::High),
    }
}

pub(crate) fn withdraw_reading(call: &Call, request: pb::WithdrawReadingRequest) -> Read {
    let pb::WithdrawReadingRequest { context, reading } = request;
    call.command(context, |f| {
        gather!(DocumentCommand::WithdrawReading { reading: f.one("reading", reading, name) })
    })
}

/// What every list asks for beside what it is a list of.
pub(crate) struct List {
    pub(crate) page: Page,
    pub(crate) filter: Filter,
    pub(crate) as_of: AsOf,
}

pub(crate) fn get_document(request: pb::GetDocumentRequest) -> Result<(DocumentId, AsOf), Error> {
    let pb::GetDocumentRequest { name: document, as_of, consistency } = request;
    Fields::read(|f| {
        let document = f.one("name", document, name);
        let as_of = f.as_of(as_of, consistency);
        Ok((document?, as_of?))
    })
}

pub(crate) fn list_documents(scope: &str, request: pb::ListDocumentsRequest) -> Result<List, Error> {
    let query = pb::ListDocumentsRequest { page_size: 0, page_token: String::new(), ..request.clone() };
    let pb::ListDocumentsRequest { page_size, page_token, filter, as_of, consistency } = request;
    Fields::read(|f| {
        gather!(List {
            page: f.page(page_size, &page_token, &query, scope),
            filter: f.filter(&filter, DOCUMENT_FILTER),
            as_of: f.as_of(as_of, consistency),
        })
    })
}

/// The lists of something's own.
macro_rules! lists_of {
    ($($read:ident: $request:ident { $of:ident: $name:ty } by $allowed:ident;)*) => { $(
        pub(crate) fn $read(scope: &str, request: pb::$request) -> Result<($name, List), Error> {
            let query = pb::$request { page_size: 0, page_token: String::new(), ..request.clone() };
            let pb::$request { $of, page_size, page_token, filter, as_of, consistency } = request;
            Fields::read(|f| {
                let of = f.one(stringify!($of), $of, name);
                let list = gather!(List {
                    page: f.page(page_size, &page_token, &query, scope),
                    filter: f.filter(&filter, $allowed),
                    as_of: f.as_of(as_of, consistency),
                });
                Ok((of?, list?))
            })
        }
    )* };
}

lists_of! {
    list_anomalies: ListAnomaliesRequest { parent: DocumentId } by ANOMALY_FILTER;
    list_readings: ListReadingsRequest { parent: DocumentId } by READING_FILTER;
    list_dependents: ListDependentsRequest { reading: ReadingId } by DEPENDENT_FILTER;
}
