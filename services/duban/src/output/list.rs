//! A list as it is filled: written out page by page or item by item, in any format.

use std::io::Write;

use serde_json::Value;

use super::{Format, Printer, cell, columns, table};
use crate::failure::Failure;
use crate::i18n::messages;

/// A list of one kind of items, being shown.
pub(crate) struct List<'p> {
    printer: &'p mut Printer,
    key: String,
    /// Whether each item is shown when it comes, even in a table.
    live: bool,
    shown: u64,
    /// What a table waits for: its widths are known only at the end.
    waiting: Vec<Value>,
}

impl<'p> List<'p> {
    pub(super) fn new(printer: &'p mut Printer, key: &str, live: bool) -> Self {
        Self { printer, key: key.to_owned(), live, shown: 0, waiting: Vec::new() }
    }

    /// How many items it has so far.
    pub(crate) fn len(&self) -> u64 {
        self.shown
    }

    /// Adds an item.
    pub(crate) fn push(&mut self, item: Value) -> Result<(), Failure> {
        let first = self.shown == 0;
        self.shown += 1;
        let out = &mut self.printer.out;
        match self.printer.format {
            Format::Json => {
                let indented = format!("{item:#}").replace('\n', "\n  ");
                write!(out, "{}\n  {indented}", if first { "[" } else { "," })?;
            }
            Format::Jsonl => writeln!(out, "{item}")?,
            Format::Csv => {
                let columns = columns::of(&self.key, std::slice::from_ref(&item));
                if first {
                    csv_line(out, &columns)?;
                }
                csv_line(
                    out,
                    &columns.iter().map(|path| cell::plain(cell::at(&item, path))).collect::<Vec<_>>(),
                )?;
            }
            Format::Table if self.live => {
                let items = [item];
                let lang = self.printer.lang;
                if first {
                    let headings = table::headings(lang, &self.key, &items);
                    write!(out, "{}", table::line(headings, columns::LIVE))?;
                }
                for row in table::rows(lang, &self.key, &items, cell::IN_LIST) {
                    write!(out, "{}", table::line(row, columns::LIVE))?;
                }
            }
            Format::Table => self.waiting.push(item),
        }
        if self.live {
            self.printer.out.flush()?;
        }
        Ok(())
    }

    /// Shows what is still waiting: a list without items is `[]`, or says so.
    pub(crate) fn end(self) -> Result<(), Failure> {
        let Printer { out, format, lang, wrap, .. } = self.printer;
        match format {
            Format::Json if self.shown == 0 => writeln!(out, "[]")?,
            Format::Json => writeln!(out, "\n]")?,
            Format::Table if self.shown == 0 => writeln!(out, "{}", messages::NOTHING.of(*lang))?,
            Format::Table if !self.live => {
                let rows = table::rows(*lang, &self.key, &self.waiting, cell::IN_LIST);
                let headings = table::headings(*lang, &self.key, &self.waiting);
                write!(out, "{}", table::table(Some(headings), rows, *wrap))?;
            }
            Format::Csv if self.shown == 0 => csv_line(out, &columns::of(&self.key, &[]))?,
            Format::Table | Format::Jsonl | Format::Csv => {}
        }
        Ok(out.flush()?)
    }
}

/// One line of CSV (RFC 4180).
pub(super) fn csv_line(out: &mut dyn Write, cells: &[String]) -> Result<(), Failure> {
    let mut writer = csv::WriterBuilder::new().from_writer(Vec::new());
    let written = writer.write_record(cells).map_err(|error| Failure::other(error.to_string()));
    written?;
    let line = writer.into_inner().map_err(|error| Failure::other(error.to_string()))?;
    Ok(out.write_all(&line)?)
}
