//! Commands against each other: each names only what is there by then, rests on readings that stand, every
//! anomaly is settled at the end, and the counts are those expected.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::problem::{Place, Problems};
use super::super::seed::{CLAUSES, MANIFEST, ROWS};
use super::{Checked, Play};

/// The most readings that one command may rest on.
const READINGS_MAX: usize = 8;
/// What a command may name only once the seed has made it.
const KINDS: [&str; 6] = ["documents", "clauses", "anomalies", "readings", "agencies", "tasks"];
/// What makes something: the RPC, the field of the new id, the field of the parent, the collection.
const CREATIONS: [(&str, &str, &str, &str); 5] = [
    ("RegisterDocument", "document_id", "", "documents"),
    ("RecordAnomaly", "anomaly_id", "document", "anomalies"),
    ("AdoptReading", "reading_id", "document", "readings"),
    ("RegisterAgency", "agency_id", "", "agencies"),
    ("ProposeTask", "task_id", "", "tasks"),
];

pub(super) fn check(checked: &Checked<'_>, problems: &mut Problems) {
    let mut known = clauses(checked);
    let mut gone = BTreeSet::new();
    let later: BTreeSet<String> = checked.plays.iter().filter_map(created).collect();
    for play in &checked.plays {
        let mut names = BTreeSet::new();
        named(&play.request, &mut names);
        for name in names.into_iter().filter(|name| !known.contains(*name)) {
            let when =
                if later.contains(name) { "comes only later in the seed" } else { "is not in the seed" };
            problems.add(&play.place(), format!("{name} {when}"));
        }
        let readings = play.list("context.readings");
        if readings.len() > READINGS_MAX {
            let reason = format!("it rests on {} readings, {READINGS_MAX} are allowed", readings.len());
            problems.add(&play.place(), reason);
        }
        for reading in readings.into_iter().filter(|reading| gone.contains(*reading)) {
            problems.add(&play.place(), format!("{reading} no longer stands by then"));
        }
        gone.extend(ended(play).map(str::to_owned));
        known.extend(created(play));
    }
    settled(checked, &gone, problems);
    counted(checked, problems);
}

/// The readings that were superseded or withdrawn by the end.
pub(super) fn no_longer_standing(checked: &Checked<'_>) -> BTreeSet<String> {
    checked.plays.iter().filter_map(ended).map(str::to_owned).collect()
}

/// The reading that a command puts an end to.
fn ended<'p>(play: &'p Play<'_>) -> Option<&'p str> {
    let reading = match play.method.name() {
        "AdoptReading" => play.text("supersedes"),
        "WithdrawReading" => play.text("reading"),
        _ => "",
    };
    (!reading.is_empty()).then_some(reading)
}

/// The name of what a command makes.
fn created(play: &Play<'_>) -> Option<String> {
    let (_, id, parent, collection) = CREATIONS.into_iter().find(|(method, ..)| play.is(method))?;
    let id = play.text(id);
    let name = if parent.is_empty() {
        format!("{collection}/{id}")
    } else {
        format!("{}/{collection}/{id}", play.text(parent))
    };
    (!id.is_empty()).then_some(name)
}

fn clauses(checked: &Checked<'_>) -> BTreeSet<String> {
    let document = &checked.seed.manifest.document;
    let clauses = checked.seed.table(CLAUSES).entries.iter();
    clauses.map(|entry| format!("{document}/clauses/{}", entry.text("clause_id"))).collect()
}

/// The resource names in a request, of the kinds that a seed makes.
fn named<'v>(value: &'v Value, names: &mut BTreeSet<&'v str>) {
    match value {
        Value::String(text) if is_name(text) => {
            names.insert(text);
        }
        Value::Array(items) => items.iter().for_each(|item| named(item, names)),
        Value::Object(fields) => fields.values().for_each(|inner| named(inner, names)),
        _ => {}
    }
}

fn is_name(text: &str) -> bool {
    let parts: Vec<&str> = text.split('/').collect();
    let is_id = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    parts.len().is_multiple_of(2)
        && parts.iter().step_by(2).all(|part| KINDS.contains(part))
        && parts.iter().skip(1).step_by(2).all(|part| is_id(part))
}

fn settled(checked: &Checked<'_>, gone: &BTreeSet<String>, problems: &mut Problems) {
    let standing = checked.plays.iter().filter(|play| play.is("AdoptReading"));
    let standing = standing.filter(|play| created(play).is_some_and(|reading| !gone.contains(&reading)));
    let settled: BTreeSet<&str> = standing.flat_map(|play| play.list("anomalies")).collect();
    for play in checked.plays.iter().filter(|play| play.is("RecordAnomaly")) {
        let name = created(play).unwrap_or_default();
        if !settled.contains(name.as_str()) {
            problems.add(&play.place(), format!("no reading that stands settles {name}"));
        }
    }
}

fn counted(checked: &Checked<'_>, problems: &mut Problems) {
    let rows = checked.seed.table(ROWS).entries.iter();
    let plays = |method: &str| checked.plays.iter().filter(|play| play.is(method)).count();
    let dispatched = checked.plays.iter().filter(|play| play.is("DispatchTask"));
    let found = [
        ("rows", rows.filter(|row| row.aside.get("kind").is_none_or(|kind| kind != "header")).count()),
        ("anomalies", plays("RecordAnomaly")),
        ("readings", plays("AdoptReading")),
        ("agencies", plays("RegisterAgency")),
        ("tasks", plays("ProposeTask")),
        (
            "assignments",
            dispatched.map(|play| play.objects("assignments").len()).sum::<usize>() + plays("AssignAgency"),
        ),
    ];
    let manifest = &checked.seed.manifest;
    for (what, count) in found {
        match manifest.expect.get(what) {
            Some(expected) if *expected.get_ref() == count => {}
            Some(expected) => {
                let reason = format!("{} {what} are expected, there are {count}", expected.get_ref());
                problems.add(&manifest.place(expected), reason);
            }
            None => {
                problems.add(&Place::new(MANIFEST, 1), format!("[expect] lacks {what}: there are {count}"));
            }
        }
    }
    for (what, expected) in &manifest.expect {
        if found.iter().all(|(known, _)| known != what) {
            problems.add(&manifest.place(expected), format!("there is no count of {what}"));
        }
    }
}
