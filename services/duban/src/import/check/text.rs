//! The document against what was taken down of it: digest, rows, clauses, targets, anomalies, line ranges.

use sha2::{Digest as _, Sha256};

use super::super::problem::Problems;
use super::super::seed::{ANOMALIES, CLAUSES, READINGS, ROWS, Seed, TARGETS};
use super::super::table::Entry;

/// What stands in a quotation for what is left out.
const LEFT_OUT: &str = " … ";

pub(super) fn check(seed: &Seed, problems: &mut Problems) {
    digest(seed, problems);
    for entry in &seed.table(ROWS).entries {
        let cells = entry.list("cells").join("\t");
        agrees(seed, entry, entry.number("line"), entry.number("line"), problems, |text| {
            (text == cells).then_some(()).ok_or_else(|| "the cells are not the line's".to_owned())
        });
    }
    for entry in &seed.table(CLAUSES).entries {
        let heading = [entry.text("label"), entry.text("title")];
        let first = entry.number("first_line");
        agrees(seed, entry, first, first, problems, |text| {
            in_order(text, heading.iter().map(String::as_str))
        });
        range(seed, entry, problems, |_| Ok(()));
    }
    for entry in &seed.table(TARGETS).entries {
        range(seed, entry, problems, |text| in_order(text, [entry.text("statement").as_str()]));
    }
    for entry in &seed.table(ANOMALIES).entries {
        range(seed, entry, problems, |text| in_order(text, entry.text("found").split(LEFT_OUT)));
    }
    for entry in &seed.table(READINGS).entries {
        range(seed, entry, problems, |_| Ok(()));
    }
}

fn digest(seed: &Seed, problems: &mut Problems) {
    let said = &seed.manifest.text;
    let found = hex::encode(Sha256::digest(seed.text.as_bytes()));
    if found != *said.sha256.get_ref() {
        problems.add(&seed.manifest.place(&said.sha256), format!("the SHA-256 of {} is {found}", said.file));
    }
    let lines = seed.lines().len();
    if lines != *said.lines.get_ref() {
        problems.add(&seed.manifest.place(&said.lines), format!("{} has {lines} lines", said.file));
    }
}

/// Checks the text of an entry's range of lines.
fn range(seed: &Seed, entry: &Entry, problems: &mut Problems, check: impl Fn(&str) -> Result<(), String>) {
    agrees(seed, entry, entry.number("first_line"), entry.number("last_line"), problems, check);
}

fn agrees(
    seed: &Seed,
    entry: &Entry,
    first: usize,
    last: usize,
    problems: &mut Problems,
    check: impl Fn(&str) -> Result<(), String>,
) {
    let said = lines(seed, first, last).and_then(|text| check(&text));
    if let Err(reason) = said {
        problems.add(&entry.place(), reason);
    }
}

/// The text of a range of lines.
pub(super) fn lines(seed: &Seed, first: usize, last: usize) -> Result<String, String> {
    let all = seed.lines();
    let exists = 1 <= first && first <= last && last <= all.len();
    if exists {
        Ok(all[first - 1..last].join("\n"))
    } else {
        Err(format!("the text has no lines {first} to {last}"))
    }
}

/// Whether pieces stand in a text one after the other.
fn in_order<'p>(text: &str, pieces: impl IntoIterator<Item = &'p str>) -> Result<(), String> {
    let mut rest = text;
    for piece in pieces {
        let at = rest.find(piece).ok_or_else(|| format!("“{piece}” doesn't stand there"))?;
        rest = &rest[at + piece.len()..];
    }
    Ok(())
}
