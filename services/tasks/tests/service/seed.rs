//! The document of the seed, as large as such documents are.

use std::path::{Path, PathBuf};

use duban_proto::tasks::v1 as pb;

use crate::support::{OPINION, Service, now, opinion};

fn seed(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../seeds/qinghai-green-economy").join(file)
}

/// The rows of a table below its header, each as its cells.
fn table(file: &str) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(seed(file)).unwrap();
    text.lines().skip(1).map(|line| line.split('\t').map(str::to_owned).collect()).collect()
}

fn number(cell: &str) -> u32 {
    cell.parse().unwrap()
}

fn whole() -> pb::RegisterDocumentRequest {
    let clause = |cells: Vec<String>| pb::Clause {
        name: String::new(),
        clause_id: cells[0].clone(),
        label: cells[1].clone(),
        title: cells[2].clone(),
        first_line: number(&cells[3]),
        last_line: number(&cells[4]),
    };
    let row = |cells: Vec<String>| pb::TableRow {
        row_id: cells[0].clone(),
        line: number(&cells[1]),
        cells: cells[3..].to_vec(),
    };
    let target = |cells: Vec<String>| pb::Target {
        target_id: cells[0].clone(),
        year: number(&cells[1]),
        statement: cells[2].clone(),
        first_line: number(&cells[3]),
        last_line: number(&cells[4]),
    };
    pb::RegisterDocumentRequest {
        text: std::fs::read_to_string(seed("document.txt")).unwrap(),
        clauses: table("clauses.tsv").into_iter().map(clause).collect(),
        rows: table("rows.tsv").into_iter().map(row).collect(),
        targets: table("targets.tsv").into_iter().map(target).collect(),
        ..opinion()
    }
}

#[tokio::test]
async fn the_opinion_is_kept_byte_for_byte_with_all_its_parts() {
    let service = Service::start().await;
    let sent = whole();
    let registered = service.register(sent.clone()).await.document.unwrap();
    let got = service.get(OPINION, now()).await.document.unwrap();
    assert_eq!(got, registered);
    assert_eq!(got.text, sent.text);
    assert_eq!(got.line_count as usize, sent.text.lines().count());
    assert_eq!(got.text_sha256, duban_domain::text::SourceText::parse(&sent.text).unwrap().sha256());
    assert_eq!((got.rows, got.targets), (sent.rows, sent.targets));
    assert!(!sent.clauses.is_empty() && got.clauses.len() == sent.clauses.len());
    service.stop().await;
}

#[tokio::test]
async fn the_longest_text_comes_and_goes() {
    let service = Service::start().await;
    let text = "省".repeat(duban_domain::text::SOURCE_MAX / "省".len());
    let (clauses, rows, targets) = Default::default();
    let request = pb::RegisterDocumentRequest { text: text.clone(), clauses, rows, targets, ..opinion() };
    service.register(request).await;
    assert_eq!(service.get(OPINION, now()).await.document.unwrap().text, text);
    service.stop().await;
}
