//! What is printed, in each format.

use std::sync::{Arc, Mutex};

use serde_json::json;

use super::*;

/// Keeps what is printed.
#[derive(Clone, Default)]
pub(crate) struct Paper(Arc<Mutex<Vec<u8>>>);

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Paper {
    /// What was printed so far.
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

/// A printer, with what it prints on stdout and on stderr.
pub(crate) fn printer(format: Format, lang: Lang) -> (Printer, Paper, Paper) {
    let (out, err) = (Paper::default(), Paper::default());
    let printer =
        Printer { format, lang, out: Box::new(out.clone()), err: Box::new(err.clone()), wrap: false };
    (printer, out, err)
}

fn listed(format: Format, lang: Lang, items: &[Value]) -> String {
    let (mut printer, out, _) = printer(format, lang);
    let mut list = printer.list("milestones");
    for item in items {
        list.push(item.clone()).unwrap();
    }
    list.end().unwrap();
    out.text()
}

#[test]
fn columns_stand_below_each_other_by_display_width() {
    let items = [json!({ "year": 2025, "statement": "取得成效" }), json!({ "year": 2035, "statement": "x" })];
    let (mut printer, out, _) = printer(Format::Table, Lang::Zh);
    let mut list = printer.list("responsibilities");
    for (agency, stage) in [("青海省能源局", "ASSIGNMENT_STAGE_ACTIVE"), ("qh", "ASSIGNMENT_STAGE_CONTESTED")]
    {
        list.push(json!({ "agencyFullName": agency, "stage": stage })).unwrap();
    }
    list.end().unwrap();
    let text = out.text();
    let lines: Vec<&str> = text.lines().collect();
    let starts = |line: &str, word: &str| {
        let before = &line[..line.find(word).unwrap()];
        before.chars().map(|letter| if letter.is_ascii() { 1 } else { 2 }).sum::<usize>()
    };
    assert_eq!(starts(lines[2], "签收"), starts(lines[3], "退办"), "{text}");
    assert_eq!(starts(lines[0], "阶段"), starts(lines[3], "退办"), "{text}");
    assert!(!listed(Format::Table, Lang::Zh, &items).contains('\u{1b}'));
}

#[test]
fn a_list_is_an_array_lines_or_csv() {
    let items = [json!({ "year": 2025, "statement": "a,b" }), json!({ "year": 2035, "statement": "c" })];
    let parsed: Value = serde_json::from_str(&listed(Format::Json, Lang::En, &items)).unwrap();
    assert_eq!(parsed, Value::from(items.to_vec()));
    assert_eq!(listed(Format::Jsonl, Lang::En, &items).lines().count(), 2);
    assert_eq!(listed(Format::Csv, Lang::En, &items), "year,statement\n2025,\"a,b\"\n2035,c\n");
}

#[test]
fn an_empty_list_is_an_empty_array_and_never_nothing() {
    assert_eq!(listed(Format::Json, Lang::En, &[]), "[]\n");
    assert_eq!(listed(Format::Jsonl, Lang::En, &[]), "");
    assert_eq!(listed(Format::Csv, Lang::En, &[]), "year,statement\n");
    assert_eq!(listed(Format::Table, Lang::Zh, &[]), "（无）\n");
}

#[test]
fn a_live_list_is_shown_item_by_item() {
    let (mut printer, out, _) = printer(Format::Table, Lang::En);
    let mut list = printer.live("events");
    let event = |position: &str, kind: &str| {
        json!({ "position": position, "recordedAt": "2026-11-22T00:00:00Z", "type": kind,
            "body": { "event": { "type": kind, "data": { "task": "tasks/t" } } } })
    };
    list.push(event("7", "task.started.v1")).unwrap();
    let before = out.text();
    assert!(before.contains("task.started.v1") && before.contains("task=t"), "{before}");
    list.push(event("8", "assignment.role_reinterpreted.v1")).unwrap();
    list.end().unwrap();
    let after = out.text();
    let lines: Vec<&str> = after.lines().collect();
    assert_eq!(lines[1].find("task.started"), lines[2].find("assignment.role"), "{after}");
}

#[test]
fn a_reply_is_a_record_with_its_lists_and_a_sentence() {
    let reply = json!({
        "task": {
            "name": "tasks/t", "stage": "TASK_STAGE_DISPATCHED", "label": "",
            "milestones": [{ "year": 2025, "statement": "s" }],
        },
        "receipt": { "firstPosition": "3", "lastPosition": "5", "recordedAt": "2026-11-22T00:00:00Z" },
    });
    let (mut printer, out, _) = printer(Format::Table, Lang::Zh);
    printer.reply(&reply).unwrap();
    let text = out.text();
    assert!(text.contains("阶段  交办") && text.contains("阶段目标") && text.contains("2025"), "{text}");
    assert!(
        text.ends_with("已记录：第3至5号事件，2026-11-22 08:00:00\n") && !text.contains("序号"),
        "{text}"
    );
}

#[test]
fn an_answer_says_as_of_when_and_that_nothing_was_known() {
    let known = json!({ "validOn": "2023-09-01", "position": "9", "knowledge": "KNOWLEDGE_KNOWN" });
    let (mut table, out, _) = printer(Format::Table, Lang::En);
    table.answer(&known).unwrap();
    assert!(out.text().starts_with("valid on 2023-09-01, as known at position 9"));

    let nothing = json!({ "position": "0", "knowledge": "KNOWLEDGE_NOTHING_KNOWN" });
    let (mut json, out, err) = printer(Format::Json, Lang::En);
    json.answer(&nothing).unwrap();
    assert_eq!(out.text(), "");
    assert!(err.text().contains("nothing was known at position 0"));
}
