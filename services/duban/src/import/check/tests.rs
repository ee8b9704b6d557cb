//! The seed as it is, and copies of it with one thing mangled: each is named by file and line.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::*;

pub(in crate::import) const SEED: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../seeds/qinghai-green-economy");

fn checked(folder: &Path) -> Vec<String> {
    let found = Seed::load(folder).and_then(|seed| all(&seed).map(|checked| checked.plays.len()));
    match found {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().map(ToString::to_string).collect(),
    }
}

/// The mistakes of a copy of the seed in which the first `from` in a file is `to`.
fn mangled(file: &str, from: &str, to: &str) -> Vec<String> {
    checked(copy(file, from, to).path())
}

/// A copy of the seed in which the first `from` in a file is `to`.
pub(in crate::import) fn copy(file: &str, from: &str, to: &str) -> TempDir {
    let copy = TempDir::new().unwrap();
    for entry in std::fs::read_dir(SEED).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, copy.path().join(path.file_name().unwrap())).unwrap();
    }
    let path = copy.path().join(file);
    let content = std::fs::read_to_string(&path).unwrap();
    assert!(content.contains(from), "{file} has no {from}");
    std::fs::write(&path, content.replacen(from, to, 1)).unwrap();
    copy
}

/// That one mistake was found, at that place, for that reason.
#[track_caller]
fn found(problems: &[String], place: &str, reason: &str) {
    let told =
        problems.iter().any(|problem| problem.starts_with(&format!("{place}: ")) && problem.contains(reason));
    assert!(told, "{place} with “{reason}” is not among {problems:#?}");
}

#[test]
fn the_seed_is_right() {
    assert_eq!(checked(Path::new(SEED)), Vec::<String>::new());
}

#[test]
fn request_ids_are_a_function_of_the_seed() {
    let seed = Seed::load(&PathBuf::from(SEED)).unwrap();
    let ids = |checked: Checked<'_>| {
        checked.plays.iter().filter_map(|play| schema::request_id(&play.message)).collect::<Vec<_>>()
    };
    let (once, twice) = (ids(all(&seed).unwrap()), ids(all(&seed).unwrap()));
    assert_eq!(once, twice);
    assert_eq!(once.iter().collect::<std::collections::BTreeSet<_>>().len(), seed.commands.len());
}

#[test]
fn another_text_is_found_by_its_digest() {
    let problems = mangled("document.txt", "青海省人民政府", "青海省人民政府 ");
    found(&problems, "seed.toml:8", "SHA-256");
    let problems = mangled("seed.toml", "lines = 115", "lines = 114");
    found(&problems, "seed.toml:9", "has 115 lines");
}

#[test]
fn a_row_must_be_its_line() {
    let problems = mangled("rows.tsv", "省生态环境厅、省自然资源厅", "省自然资源厅、省生态环境厅");
    found(&problems, "rows.tsv:3", "not the line's");
}

#[test]
fn headings_statements_and_quotations_must_stand_in_their_lines() {
    found(
        &mangled("clauses.tsv", "指导思想\t11\t11", "指导思想\t12\t12"),
        "clauses.tsv:3",
        "doesn't stand there",
    );
    found(&mangled("targets.tsv", "到2035年", "到2036年"), "targets.tsv:3", "doesn't stand there");
    found(
        &mangled("clauses.tsv", "指导思想\t11\t11", "指导思想\t11\t999"),
        "clauses.tsv:3",
        "no lines 11 to 999",
    );
}

#[test]
fn a_table_is_read_strictly() {
    found(
        &mangled("anomalies.tsv", "date-missing\t", "document-number-missing\t"),
        "anomalies.tsv:3",
        "is that of line 2",
    );
    found(&mangled("targets.tsv", "\t13\t13\n", "\t13\n"), "targets.tsv:2", "cells stand below");
    found(
        &mangled("anomalies.tsv", "ANOMALY_KIND_MISSING_ELEMENT", "ANOMALY_KIND_BROKEN"),
        "commands.jsonl:2",
        "ANOMALY_KIND_BROKEN",
    );
    found(&mangled("readings.toml", "[[reading]]", "[[reading]"), "readings.toml:5", "unclosed");
    found(&mangled("readings.toml", "confidence =", "certainty ="), "commands.jsonl:18", "certainty");
}

#[test]
fn a_command_is_read_strictly() {
    found(
        &mangled("commands.jsonl", r#""document_id""#, r#""dokument_id""#),
        "commands.jsonl:1",
        "dokument_id",
    );
    found(
        &mangled("commands.jsonl", r#""as":"supervisor""#, r#""as":"nobody""#),
        "commands.jsonl:1",
        "nobody",
    );
    found(
        &mangled("commands.jsonl", "RegisterDocument", "RegisterDokument"),
        "commands.jsonl:1",
        "RegisterDokument",
    );
    found(&mangled("commands.jsonl", "$text", "$file"), "commands.jsonl:1", "placeholder $file");
    found(
        &mangled("commands.jsonl", r#""id":"document""#, r#""id":"document","why":1"#),
        "commands.jsonl:1",
        "why",
    );
    let twice = mangled("commands.jsonl", r#""id":"anomaly/date-missing""#, r#""id":"document""#);
    found(&twice, "commands.jsonl:3", "is that of line 1");
}

#[test]
fn files_are_utf_8_in_nfc_with_lf() {
    found(&mangled("targets.tsv", "\n", "\r\n"), "targets.tsv:1", "LF");
    found(&mangled("anomalies.tsv", "正文", "e\u{301}"), "anomalies.tsv:3", "NFC");
    let copy = TempDir::new().unwrap();
    found(&checked(copy.path()), "seed.toml:1", "can't be read");
}

#[test]
fn a_citation_must_stand_where_it_says() {
    let cited = r#""cites":[{"line":87,"cell":"p1-2/3","text":"省生态环境厅"}]"#;
    let other = cited.replace("省生态环境厅", "省生态环保厅");
    found(&mangled("commands.jsonl", cited, &other), "commands.jsonl:36", "doesn't stand on line 87");
    let elsewhere = cited.replace("87", "88");
    found(&mangled("commands.jsonl", cited, &elsewhere), "commands.jsonl:36", "stands on line 87");
    let nowhere = cited.replace("p1-2/3", "p1-2/9");
    found(&mangled("commands.jsonl", cited, &nowhere), "commands.jsonl:36", "no cell p1-2/9");
}

#[test]
fn what_a_reading_takes_must_stand_there_and_be_what_is_done() {
    let taken = "省生态环境厅、省市场监管局、省司法厅、省发展改革委、省工业和信息化厅\"";
    let problems = mangled("readings.toml", taken, "省生态环境厅、省财政厅\"");
    assert!(
        problems
            .iter()
            .any(|problem| problem.starts_with("readings.toml:") && problem.contains("doesn't stand there")),
        "{problems:?}"
    );
    let problems = mangled("readings.toml", taken, "省生态环境厅、省市场监管局\"");
    assert!(
        problems
            .iter()
            .any(|problem| problem.contains("agencies of tasks/qh-green-18 are not what is taken here")),
        "{problems:?}"
    );
}

#[test]
fn a_title_is_that_of_its_clauses() {
    let problems = mangled("commands.jsonl", r#""title":"打造绿色物流""#, r#""title":"打造绿色物流业""#);
    found(&problems, "commands.jsonl:72", "the title of article-10 is 打造绿色物流");
}

#[test]
fn nobody_in_a_cell_is_left_out_or_taken_for_another() {
    let last = r#",{"line":95,"cell":"p1-10/3","text":"青海机场公司"}]"#;
    found(&mangled("commands.jsonl", last, "]"), "commands.jsonl:118", "5 agencies are cited and 6 assigned");
    let assigned = r#"{"assignment_id":"qh-transport","agency":"agencies/qh-transport""#;
    let swapped = assigned.replace("agencies/qh-transport", "agencies/qh-finance");
    found(
        &mangled("commands.jsonl", assigned, &swapped),
        "commands.jsonl:118",
        "is no name of agencies/qh-finance",
    );
}

#[test]
fn names_come_from_the_seed_and_from_before() {
    let problems =
        mangled("commands.jsonl", r#""agency":"agencies/qh-transport""#, r#""agency":"agencies/nowhere""#);
    found(&problems, "commands.jsonl:118", "agencies/nowhere is not in the seed");
    let problems = mangled(
        "commands.jsonl",
        "readings/annex-number-is-the-serial",
        "readings/item-8-agencies-as-printed",
    );
    found(&problems, "commands.jsonl:65", "no longer stands by then");
    let problems = mangled("readings.toml", "anomalies/header-repeated", "anomalies/serials-repeated");
    assert!(
        problems.iter().any(|problem| problem.contains("no reading that stands settles")
            && problem.contains("header-repeated")),
        "{problems:?}"
    );
}

#[test]
fn the_counts_are_those_expected() {
    found(
        &mangled("seed.toml", "assignments = 114", "assignments = 113"),
        "seed.toml:29",
        "113 assignments are expected, there are 114",
    );
    found(&mangled("seed.toml", "rows = 28", "rows = 23"), "seed.toml:24", "there are 28");
    found(&mangled("seed.toml", "tasks = 23", "dasks = 23"), "seed.toml:28", "no count of dasks");
}
