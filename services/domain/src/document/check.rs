//! What can be said of a request's fields by looking at them and at the text.

use std::collections::BTreeSet;

use super::{Clause, Lines, TableRow, Target};
use crate::rejection::Rejection;
use crate::text::{SourceText, Text};
use crate::time::{DATE_MAX, DATE_MIN};

/// The most clauses of a document.
pub const CLAUSES_MAX: usize = 500;
/// The most rows of its table.
pub const ROWS_MAX: usize = 500;
/// The most cells of a row.
pub const CELLS_MAX: usize = 32;
/// The most targets.
pub const TARGETS_MAX: usize = 100;
/// The most anomalies that one reading settles.
pub const ANOMALIES_MAX: usize = 16;
/// The most alternatives of a reading.
pub const ALTERNATIVES_MAX: usize = 16;
/// The longest statement, alternative, finding or description, in code points: with
/// [`ALTERNATIVES_MAX`] of them and the longest reason, a reading fits an event's body.
pub const STATEMENT_MAX: usize = 2000;

pub(super) fn check_clauses(clauses: &[Clause], text: &SourceText) -> Result<(), Rejection> {
    at_most("clauses", clauses.len(), CLAUSES_MAX)?;
    each_once(clauses.iter().map(|clause| &clause.id), |at| format!("clauses[{at}].clause_id"))?;
    for (at, clause) in clauses.iter().enumerate() {
        within(&format!("clauses[{at}]."), clause.lines, text)?;
    }
    Ok(())
}

pub(super) fn check_rows(rows: &[TableRow], text: &SourceText) -> Result<(), Rejection> {
    at_most("rows", rows.len(), ROWS_MAX)?;
    each_once(rows.iter().map(|row| &row.id), |at| format!("rows[{at}].row_id"))?;
    let lines: Vec<&str> = text.as_str().lines().collect();
    for (at, row) in rows.iter().enumerate() {
        at_most(&format!("rows[{at}].cells"), row.cells.len(), CELLS_MAX)?;
        let line = (row.line as usize).checked_sub(1).and_then(|index| lines.get(index));
        let Some(mut rest) = line.copied() else {
            let detail = format!("is not a line of the text, which has {}", lines.len());
            return Err(Rejection::field(&format!("rows[{at}].line"), detail));
        };
        for (column, cell) in row.cells.iter().enumerate() {
            let Some(found) = rest.find(cell) else {
                let detail = format!("does not stand on line {} after the cells before it", row.line);
                return Err(Rejection::field(&format!("rows[{at}].cells[{column}]"), detail));
            };
            rest = &rest[found + cell.len()..];
        }
    }
    Ok(())
}

pub(super) fn check_targets(targets: &[Target], text: &SourceText) -> Result<(), Rejection> {
    at_most("targets", targets.len(), TARGETS_MAX)?;
    each_once(targets.iter().map(|target| &target.id), |at| format!("targets[{at}].target_id"))?;
    for (at, target) in targets.iter().enumerate() {
        if !(DATE_MIN.year()..=DATE_MAX.year()).contains(&target.year) {
            let detail = format!("must be {} to {}", DATE_MIN.year(), DATE_MAX.year());
            return Err(Rejection::field(&format!("targets[{at}].year"), detail));
        }
        short(&format!("targets[{at}].statement"), &target.statement)?;
        within(&format!("targets[{at}]."), target.lines, text)?;
    }
    Ok(())
}

pub(super) fn at_most(path: &str, count: usize, max: usize) -> Result<(), Rejection> {
    if count <= max {
        return Ok(());
    }
    Err(Rejection::field(path, format!("has {count} entries, at most {max} are allowed")))
}

pub(super) fn each_once<T: Ord>(
    items: impl IntoIterator<Item = T>,
    path: impl Fn(usize) -> String,
) -> Result<(), Rejection> {
    let mut seen = BTreeSet::new();
    match items.into_iter().position(|item| !seen.insert(item)) {
        Some(at) => Err(Rejection::field(&path(at), "is named twice")),
        None => Ok(()),
    }
}

/// That the lines are lines of the text; `path` is that of the message that has them, ended by a dot.
pub(super) fn within(path: &str, lines: Lines, text: &SourceText) -> Result<(), Rejection> {
    let count = text.lines();
    if lines.first == 0 || lines.first > count {
        let detail = format!("is not a line of the text, which has {count}");
        return Err(Rejection::field(&format!("{path}first_line"), detail));
    }
    if lines.last < lines.first || lines.last > count {
        let detail = format!("must be {} to {count}", lines.first);
        return Err(Rejection::field(&format!("{path}last_line"), detail));
    }
    Ok(())
}

/// That the text has at most [`STATEMENT_MAX`] code points.
pub(super) fn short(path: &str, text: &Text) -> Result<(), Rejection> {
    let length = text.as_str().chars().count();
    if length <= STATEMENT_MAX {
        return Ok(());
    }
    Err(Rejection::field(path, format!("is {length} long, at most {STATEMENT_MAX} are allowed")))
}
