//! What may be asked of a document, and what follows.

use jiff::civil::date;

use super::*;
use crate::command::Proposed;
use crate::name::DocumentId;
use crate::subject::Subject;
use crate::testing::{DAY, Given, Happened, given, given_nothing, happened, line, name, text};
use crate::text::{SOURCE_MAX, SourceText, TEXT_MAX};

mod readings;
mod stored;

const OPINION: &str = "documents/opinion";
const SOURCE: &str = "标题\n\n(一)推进工业绿色升级。\n到2025年，产业结构明显优化。\n2\t(一)推进工业绿色升级\t省工业和信息化厅\n";
const FUSED: &str = "documents/opinion/anomalies/fused";
const FIRST: &str = "documents/opinion/readings/first";
const SECOND: &str = "documents/opinion/readings/second";
const BEFORE: Date = date(2026, 2, 1);
const AFTER: Date = date(2026, 6, 1);

fn source() -> SourceText {
    SourceText::parse(SOURCE).unwrap()
}

fn part(id: &str) -> PartId {
    PartId::parse(id).unwrap()
}

fn lines(first: u32, last: u32) -> Lines {
    Lines { first, last }
}

fn clause(id: &str, lines: Lines) -> Clause {
    Clause { id: part(id), label: Some(line("(一)")), title: Some(line("推进工业绿色升级")), lines }
}

fn row(id: &str, on: u32, cells: &[&str]) -> TableRow {
    TableRow { id: part(id), line: on, cells: cells.iter().map(|&cell| cell.to_owned()).collect() }
}

fn target(id: &str, year: i16, lines: Lines) -> Target {
    Target { id: part(id), year, statement: text("产业结构明显优化"), lines }
}

/// A registration's parts, to be spoilt one at a time.
#[derive(Clone)]
struct Parts {
    text: SourceText,
    clauses: Vec<Clause>,
    rows: Vec<TableRow>,
    targets: Vec<Target>,
}

fn parts() -> Parts {
    Parts {
        text: source(),
        clauses: vec![clause("article-1", lines(3, 3))],
        rows: vec![row("p1-2", 5, &["2", "(一)推进工业绿色升级", "省工业和信息化厅"])],
        targets: vec![target("y2025", 2025, lines(4, 4))],
    }
}

fn register(Parts { text, clauses, rows, targets }: Parts) -> DocumentCommand {
    DocumentCommand::Register {
        document: Some(name(OPINION)),
        title: line("实施意见"),
        issuer: Some(line("青海省人民政府")),
        text,
        clauses,
        rows,
        targets,
        number: None,
        issued_on: None,
    }
}

fn registered() -> DocumentEvent {
    let Parts { text, clauses, rows, targets } = parts();
    DocumentEvent::Registered {
        document: name(OPINION),
        title: line("实施意见"),
        issuer: Some(line("青海省人民政府")),
        sha256: text.sha256(),
        text,
        clauses,
        rows,
        targets,
        number: None,
        issued_on: None,
    }
}

fn the_opinion() -> Given {
    given([registered()])
}

fn repealed() -> Happened {
    happened(DocumentEvent::Repealed { document: name(OPINION) }).on(AFTER)
}

fn identify(number: Option<&str>, issued_on: Option<Date>) -> DocumentCommand {
    DocumentCommand::Identify { document: name(OPINION), number: number.map(line), issued_on }
}

fn identified(number: Option<&str>, issued_on: Option<Date>) -> DocumentEvent {
    DocumentEvent::Identified { document: name(OPINION), number: number.map(line), issued_on }
}

fn repeal() -> DocumentCommand {
    DocumentCommand::Repeal { document: name(OPINION) }
}

fn record(lines: Lines) -> DocumentCommand {
    DocumentCommand::RecordAnomaly {
        document: name(OPINION),
        anomaly: Some(name(FUSED)),
        kind: AnomalyKind::FusedCells,
        lines,
        found: Some(text("(一)推进工业绿色升级\t省工业和信息化厅")),
        description: text("单元格粘连"),
    }
}

fn recorded() -> DocumentEvent {
    DocumentEvent::AnomalyRecorded {
        anomaly: name(FUSED),
        kind: AnomalyKind::FusedCells,
        lines: lines(5, 5),
        found: Some(text("(一)推进工业绿色升级\t省工业和信息化厅")),
        description: text("单元格粘连"),
    }
}

fn adopt(reading: &str, supersedes: Option<&str>) -> DocumentCommand {
    DocumentCommand::AdoptReading {
        document: name(OPINION),
        reading: Some(name(reading)),
        anomalies: vec![name(FUSED)],
        statement: text("第一个单元格是任务，其余是单位。"),
        alternatives: vec![text("全部是任务。")],
        confidence: Confidence::High,
        lines: lines(5, 5),
        supersedes: supersedes.map(name),
    }
}

fn adopted(reading: &str, supersedes: Option<&str>) -> DocumentEvent {
    DocumentEvent::ReadingAdopted {
        reading: name(reading),
        anomalies: vec![name(FUSED)],
        statement: text("第一个单元格是任务，其余是单位。"),
        alternatives: vec![text("全部是任务。")],
        confidence: Confidence::High,
        lines: lines(5, 5),
        supersedes: supersedes.map(name),
    }
}

fn withdraw(reading: &str) -> DocumentCommand {
    DocumentCommand::WithdrawReading { reading: name(reading) }
}

/// The document with its anomaly, and somebody with a reason.
fn damaged() -> Given {
    the_opinion().and([recorded()]).because("表格排版所致")
}

/// And with a reading of it.
fn read() -> Given {
    damaged().when(adopt(FIRST, None)).then([adopted(FIRST, None)])
}

fn folded(given: &Given) -> Document {
    let id: DocumentId = name(OPINION);
    given.world([Subject::Document(id.clone())]).document(&id).unwrap().clone()
}

#[test]
fn a_document_is_registered_as_it_came_with_its_digest() {
    let given = given_nothing().when(register(parts())).then([registered()]);
    let document = folded(&given);
    assert_eq!(document.content.text.as_str(), SOURCE);
    assert_eq!(document.entry.sha256, source().sha256());
    assert!(document.has_clause(&name("documents/opinion/clauses/article-1")));
    assert!(!document.has_clause(&name("documents/opinion/clauses/article-2")));
    assert!(!document.has_clause(&name("documents/other/clauses/article-1")));
    assert_eq!(document.entry.number, None);
}

#[test]
fn an_id_that_is_left_out_is_the_same_for_a_retry() {
    let unnamed = || {
        let mut command = register(parts());
        if let DocumentCommand::Register { document, .. } = &mut command {
            *document = None;
        }
        command
    };
    let one = given_nothing().when(unnamed()).carried_out();
    let same = given_nothing().when(unnamed()).carried_out();
    assert_eq!(one.events[0].event, same.events[0].event);
}

#[test]
fn a_document_id_is_taken_once() {
    the_opinion().when(register(parts())).then_rejected(Reason::DocumentExists);
}

/// The field that a registration with these parts is refused for.
fn refused_for(spoil: impl FnOnce(&mut Parts)) -> String {
    let mut parts = parts();
    spoil(&mut parts);
    let rejection = given_nothing().when(register(parts)).then_rejected(Reason::InvalidField);
    rejection.metadata["field"].clone()
}

#[test]
fn clauses_rows_and_targets_stand_on_lines_of_the_text() {
    assert_eq!(refused_for(|p| p.clauses[0].lines = lines(0, 1)), "clauses[0].first_line");
    assert_eq!(refused_for(|p| p.clauses[0].lines = lines(6, 6)), "clauses[0].first_line");
    assert_eq!(refused_for(|p| p.clauses[0].lines = lines(3, 2)), "clauses[0].last_line");
    assert_eq!(refused_for(|p| p.clauses[0].lines = lines(3, 6)), "clauses[0].last_line");
    assert_eq!(refused_for(|p| p.targets[0].lines = lines(4, 6)), "targets[0].last_line");
    assert_eq!(refused_for(|p| p.rows[0].line = 0), "rows[0].line");
    assert_eq!(refused_for(|p| p.rows[0].line = 6), "rows[0].line");
}

#[test]
fn ids_of_parts_are_unique_among_their_sort() {
    assert_eq!(refused_for(|p| p.clauses.push(p.clauses[0].clone())), "clauses[1].clause_id");
    assert_eq!(refused_for(|p| p.rows.push(p.rows[0].clone())), "rows[1].row_id");
    assert_eq!(refused_for(|p| p.targets.push(p.targets[0].clone())), "targets[1].target_id");
    let mut shared = parts();
    shared.clauses[0].id = part("p1-2");
    given_nothing().when(register(shared)).carried_out();
}

#[test]
fn a_cell_stands_on_its_row_after_the_cells_before_it() {
    assert_eq!(refused_for(|p| p.rows[0].cells[2] = "省财政厅".to_owned()), "rows[0].cells[2]");
    assert_eq!(refused_for(|p| p.rows[0].cells.swap(1, 2)), "rows[0].cells[2]");
    assert_eq!(refused_for(|p| p.rows[0].line = 4), "rows[0].cells[1]");
    let mut empty = parts();
    empty.rows[0].cells = vec![String::new(), "省工业和信息化厅".to_owned(), String::new()];
    given_nothing().when(register(empty)).carried_out();
}

#[test]
fn parts_are_counted_and_years_bounded() {
    let clauses = |count: usize| (0..count).map(|i| clause(&format!("c{i}"), lines(3, 3))).collect();
    assert_eq!(refused_for(|p| p.clauses = clauses(CLAUSES_MAX + 1)), "clauses");
    let rows = |count: usize| (0..count).map(|i| row(&format!("r{i}"), 5, &["2"])).collect();
    assert_eq!(refused_for(|p| p.rows = rows(ROWS_MAX + 1)), "rows");
    let targets = |count: usize| (0..count).map(|i| target(&format!("t{i}"), 2025, lines(4, 4))).collect();
    assert_eq!(refused_for(|p| p.targets = targets(TARGETS_MAX + 1)), "targets");
    assert_eq!(refused_for(|p| p.rows[0].cells = vec![String::new(); CELLS_MAX + 1]), "rows[0].cells");
    assert_eq!(refused_for(|p| p.targets[0].year = 1948), "targets[0].year");
    assert_eq!(refused_for(|p| p.targets[0].year = 2200), "targets[0].year");
    let long = text(&"优".repeat(STATEMENT_MAX + 1));
    assert_eq!(refused_for(|p| p.targets[0].statement = long), "targets[0].statement");
    let mut most = parts();
    (most.clauses, most.rows, most.targets) = (clauses(CLAUSES_MAX), rows(ROWS_MAX), targets(TARGETS_MAX));
    given_nothing().when(register(most)).carried_out();
}

#[test]
fn the_longest_text_fits_unless_its_parts_or_its_escapes_outweigh_it() {
    let of = |c: &str| Parts {
        text: SourceText::parse(&c.repeat(SOURCE_MAX / c.len())).unwrap(),
        clauses: vec![],
        rows: vec![],
        targets: vec![],
    };
    given_nothing().when(register(of("省"))).carried_out();
    // A quotation mark takes two bytes of a body.
    given_nothing().when(register(of("\""))).then_rejected(Reason::TooLarge);
    let mut heavy = of("省");
    let statement = text(&"优".repeat(STATEMENT_MAX));
    let weighty = |i| Target { statement: statement.clone(), ..target(&format!("t{i}"), 2025, lines(1, 1)) };
    heavy.targets = (0..TARGETS_MAX).map(weighty).collect();
    let rejection = given_nothing().when(register(heavy)).then_rejected(Reason::TooLarge);
    assert_eq!(rejection.metadata["max"], "262144");
}

#[test]
fn a_number_is_unknown_until_it_is_supplied() {
    let given = the_opinion().when(identify(Some("青政〔2021〕1号"), None));
    let given = given.then([identified(Some("青政〔2021〕1号"), None)]);
    let given = given.when(identify(None, Some(BEFORE))).then([identified(None, Some(BEFORE))]);
    let document = folded(&given);
    assert_eq!(document.entry.number, Some(Learnt { value: line("青政〔2021〕1号"), at: 2 }));
    assert_eq!(document.entry.issued_on, Some(Learnt { value: BEFORE, at: 3 }));
    assert_eq!(document.entry.because, [1, 2, 3]);
}

#[test]
fn what_is_known_of_a_document_is_never_replaced() {
    let given = the_opinion().and([identified(Some("青政〔2021〕1号"), Some(BEFORE))]);
    let rejection =
        given.clone().when(identify(Some("青政〔2021〕2号"), None)).then_rejected(Reason::DocumentIdentified);
    assert_eq!(rejection.metadata["number"], "青政〔2021〕1号");
    given.clone().when(identify(None, Some(AFTER))).then_rejected(Reason::DocumentIdentified);
    given.when(identify(Some("青政〔2021〕1号"), Some(BEFORE))).then_nothing();
}

#[test]
fn of_what_is_supplied_only_the_news_is_recorded() {
    let given = the_opinion().and([identified(Some("青政〔2021〕1号"), None)]);
    given.when(identify(Some("青政〔2021〕1号"), Some(BEFORE))).then([identified(None, Some(BEFORE))]);
}

#[test]
fn supplying_nothing_or_of_nothing_is_refused() {
    the_opinion().when(identify(None, None)).then_rejected(Reason::InvalidField);
    given_nothing().when(identify(Some("青政〔2021〕1号"), None)).then_rejected(Reason::DocumentNotFound);
}

#[test]
fn a_document_is_repealed_once_and_for_a_reason() {
    given_nothing().because("新文件").when(repeal()).then_rejected(Reason::DocumentNotFound);
    the_opinion().when(repeal()).then_rejected(Reason::ReasonRequired);
    let given = the_opinion().because("新文件").effective_on(AFTER).when(repeal());
    let given = given.then_dated([Proposed::on(AFTER, DocumentEvent::Repealed { document: name(OPINION) })]);
    let document = folded(&given);
    assert!(document.is_in_force_on(DAY) && !document.is_in_force_on(AFTER));
    let given = given.when(repeal()).then_nothing();
    given.effective_on(DAY).when(repeal()).then_rejected(Reason::DocumentRepealed);
}

#[test]
fn each_field_is_explained_by_the_events_that_made_it_so() {
    let given = read().and([identified(Some("青政〔2021〕1号"), None)]).and([repealed()]);
    let document = folded(&given);
    let said = |fields: Vec<Field>| -> Vec<(String, Vec<u64>)> {
        fields.into_iter().map(|field| (field.name, field.because)).collect()
    };
    let expected = [("title", 1), ("text_sha256", 1), ("issuer", 1), ("number", 4), ("repealed_on", 5)];
    assert_eq!(said(document.explain()), expected.map(|(field, at)| (field.to_owned(), vec![at])));
    let reading = document.reading(&name(FIRST)).unwrap();
    assert_eq!(said(reading.explain()), [("statement".to_owned(), vec![3]), ("state".to_owned(), vec![3])]);
}
