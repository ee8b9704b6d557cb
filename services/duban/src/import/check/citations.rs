//! What commands and readings take from the text stands where they say.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::problem::{Place, Problems};
use super::super::seed::READINGS;
use super::{Checked, Play, text, text_at};

pub(super) fn check(checked: &Checked<'_>, problems: &mut Problems) {
    for play in &checked.plays {
        cited(checked, play, problems);
        anchors(checked, play, &play.request, problems);
        if play.row.is_none()
            && let Some((first, last)) = range(&play.request)
            && let Err(reason) = text::lines(checked.seed, first, last)
        {
            problems.add(&play.place(), reason);
        }
    }
    for entry in &checked.seed.table(READINGS).entries {
        for take in &entry.takes {
            let place = Place::new(READINGS, take.at);
            let cell = (!take.cell.is_empty()).then_some(take.cell.as_str());
            match text_at(checked.seed, take.line, cell) {
                Ok(text) if text.contains(&take.text) => {}
                Ok(_) => problems.add(&place, format!("“{}” doesn't stand there", take.text)),
                Err(reason) => problems.add(&place, reason),
            }
        }
    }
}

/// Each citation stands in its cell or line, several of one cell in their order.
fn cited(checked: &Checked<'_>, play: &Play<'_>, problems: &mut Problems) {
    let mut read: BTreeMap<&str, usize> = BTreeMap::new();
    for citation in &play.command.cites {
        let text = match text_at(checked.seed, citation.line, citation.cell.as_deref()) {
            Ok(text) => text,
            Err(reason) => {
                problems.add(&play.command.place(), reason);
                continue;
            }
        };
        let cell = citation.cell.as_deref();
        let from = cell.and_then(|cell| read.get(cell)).copied().unwrap_or_default();
        let Some(at) = text[from..].find(&citation.text) else {
            let reason = format!("“{}” doesn't stand on line {} in that order", citation.text, citation.line);
            problems.add(&play.command.place(), reason);
            continue;
        };
        if let Some(cell) = cell {
            read.insert(cell, from + at + citation.text.len());
        }
    }
}

/// Every anchor in a request is a range of the text, its cell on one of the lines.
fn anchors(checked: &Checked<'_>, play: &Play<'_>, value: &Value, problems: &mut Problems) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| anchors(checked, play, item, problems)),
        Value::Object(fields) => {
            if let Some(source) = fields.get("source")
                && let Err(reason) = anchored(checked, source)
            {
                problems.add(&play.command.place(), reason);
            }
            fields.values().for_each(|inner| anchors(checked, play, inner, problems));
        }
        _ => {}
    }
}

fn anchored(checked: &Checked<'_>, source: &Value) -> Result<(), String> {
    let (first, last) = range(source).ok_or("a source names its lines")?;
    text::lines(checked.seed, first, last)?;
    let Some(name) = source["cell"].as_str() else { return Ok(()) };
    let (line, _) = super::cell(checked.seed, name)?;
    if (first..=last).contains(&line) {
        Ok(())
    } else {
        Err(format!("the cell {name} stands on line {line}, not on lines {first} to {last}"))
    }
}

fn range(value: &Value) -> Option<(usize, usize)> {
    let line = |key: &str| value[key].as_u64().and_then(|line| usize::try_from(line).ok());
    match (line("first_line"), line("last_line")) {
        (None, None) => None,
        (first, last) => Some((first.unwrap_or_default(), last.unwrap_or_default())),
    }
}
