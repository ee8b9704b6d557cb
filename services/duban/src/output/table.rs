//! Tables aligned by what a terminal shows: a Chinese character is two columns wide.

use comfy_table::{ColumnConstraint, ContentArrangement, LineStyle, Row, Table, TableStyle, Width};
use serde_json::Value;

use super::{cell, columns};
use crate::i18n::{self, Lang};

/// Blanks to the right of each column.
const GAP: u16 = 2;

/// The headings of a list's columns.
pub(super) fn headings(lang: Lang, list: &str, items: &[Value]) -> Vec<String> {
    columns::of(list, items).iter().map(|path| i18n::heading(lang, path)).collect()
}

/// The cells of a list's items, each cut at a width.
pub(super) fn rows(lang: Lang, list: &str, items: &[Value], width: usize) -> Vec<Vec<String>> {
    let columns = columns::of(list, items);
    let row = |item: &Value| {
        let cells = columns.iter().map(|path| {
            let field = path.rsplit('.').next().unwrap_or(path);
            cell::brief(lang, field, cell::at(item, path), width)
        });
        cells.collect()
    };
    items.iter().map(row).collect()
}

/// A table without borders, each column as wide as its widest cell; wrapped at the terminal's width if asked.
pub(super) fn table(header: Option<Vec<String>>, rows: Vec<Vec<String>>, wrap: bool) -> String {
    let mut table = bare();
    if let Some(header) = header {
        table.style_mut().header_separator = LineStyle::none().fill('-');
        table.set_header(header);
    }
    table.add_rows(rows);
    if wrap {
        table.set_content_arrangement(ContentArrangement::Dynamic);
    }
    finished(table)
}

/// One line of a table that is shown line by line: columns of fixed widths, the last without end.
pub(super) fn line(cells: Vec<String>, widths: &[u16]) -> String {
    let mut table = bare();
    let last = cells.len().saturating_sub(1);
    let fitted: Vec<String> = cells
        .into_iter()
        .enumerate()
        .map(|(index, cell)| if index == last { cell.replace('\n', " ") } else { cell })
        .collect();
    table.add_row(Row::from(fitted));
    let fixed =
        widths.iter().take(last).map(|width| ColumnConstraint::LowerBoundary(Width::Fixed(width + GAP)));
    table.set_constraints(fixed);
    finished(table)
}

fn bare() -> Table {
    let mut table = Table::new();
    table.load_style(TableStyle::new()).force_no_tty();
    table
}

fn finished(mut table: Table) -> String {
    for column in table.column_iter_mut() {
        column.set_padding((0, GAP));
    }
    let mut text = table.trim_fmt();
    text.push('\n');
    text
}
