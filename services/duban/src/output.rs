//! All that the program prints, and the only place that prints: answers on stdout in the format that was
//! asked for, notes and errors on stderr. Works on proto JSON, so one way of showing serves every message.

mod cell;
mod columns;
mod complaint;
mod list;
mod record;
mod table;

use std::io::{self, BufWriter, IsTerminal as _, Write};

use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Map, Value};

use crate::failure::Failure;
use crate::i18n::{Lang, Text, messages};
pub(crate) use list::List;

/// How answers are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Table,
    /// Proto JSON, indented; a list is one array
    Json,
    /// Proto JSON, one line each
    Jsonl,
    /// A header, then a line each
    Csv,
}

/// Prints answers, notes and errors.
pub(crate) struct Printer {
    format: Format,
    lang: Lang,
    out: Box<dyn Write + Send>,
    err: Box<dyn Write + Send>,
    /// Whether lines are wrapped at the terminal's width.
    wrap: bool,
}

impl Printer {
    /// On stdout and stderr.
    pub(crate) fn new(format: Format, lang: Lang) -> Self {
        let wrap = io::stdout().is_terminal();
        Self { format, lang, out: Box::new(BufWriter::new(io::stdout())), err: Box::new(io::stderr()), wrap }
    }

    /// The language that it speaks.
    pub(crate) fn lang(&self) -> Lang {
        self.lang
    }

    /// Shows a whole reply: its resources, what they list, and in a sentence what was recorded or as of when
    /// it holds.
    pub(crate) fn reply(&mut self, reply: &Value) -> Result<(), Failure> {
        match self.format {
            Format::Json => writeln!(self.out, "{reply:#}")?,
            Format::Jsonl => writeln!(self.out, "{reply}")?,
            Format::Csv => self.csv_record(reply)?,
            Format::Table => {
                let fields = reply.as_object().cloned().unwrap_or_default();
                let parts = record::parts(self.lang, &fields, self.wrap);
                write!(self.out, "{}", parts.join("\n"))?;
                self.receipt(&fields)?;
            }
        }
        if let Some(answer) = reply.get("answer") {
            self.answer(answer)?;
        }
        Ok(self.out.flush()?)
    }

    /// A list to be filled with the items of `key`, shown page by page as they come.
    pub(crate) fn list(&mut self, key: &str) -> List<'_> {
        List::new(self, key, false)
    }

    /// A list whose items are shown one by one, as they come.
    pub(crate) fn live(&mut self, key: &str) -> List<'_> {
        List::new(self, key, true)
    }

    /// Says as of when an answer holds: below a table, else only that nothing was known, on stderr.
    pub(crate) fn answer(&mut self, answer: &Value) -> Result<(), Failure> {
        let position = answer.get("position").map(cell::plain).unwrap_or_default();
        if answer.get("knowledge").and_then(Value::as_str) == Some("KNOWLEDGE_NOTHING_KNOWN") {
            return self.note(&messages::NOTHING_KNOWN.with(self.lang, &[&position]));
        }
        if self.format == Format::Table {
            let valid_on = answer.get("validOn").map(cell::plain).unwrap_or_default();
            let recorded = answer.get("recordedAt").map(cell::instant).unwrap_or_default();
            let said = messages::ANSWERED.with(self.lang, &[&valid_on, &position, &recorded]);
            writeln!(self.out, "{said}")?;
        }
        Ok(())
    }

    /// Sends out what is still held back.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        Ok(self.out.flush()?)
    }

    /// A line on stdout, for people.
    pub(crate) fn say(&mut self, line: &str) -> Result<(), Failure> {
        writeln!(self.out, "{line}")?;
        Ok(self.out.flush()?)
    }

    /// A line on stderr, for people.
    pub(crate) fn note(&mut self, line: &str) -> Result<(), Failure> {
        self.out.flush()?;
        Ok(writeln!(self.err, "{line}")?)
    }

    /// What came of something: a sentence for people, an object for programs.
    pub(crate) fn outcome(&mut self, said: &str, outcome: &Value) -> Result<(), Failure> {
        if self.format == Format::Table { self.say(said) } else { self.reply(outcome) }
    }

    /// Several lists in one answer, each by its name and under its heading; in JSON one object.
    pub(crate) fn sections(&mut self, sections: &[(&str, Text, Vec<Value>)]) -> Result<(), Failure> {
        if self.format == Format::Json {
            let object: Map<String, Value> = sections
                .iter()
                .map(|(key, _, items)| ((*key).to_owned(), Value::from(items.clone())))
                .collect();
            return self.reply(&Value::Object(object));
        }
        for (index, (key, heading, items)) in sections.iter().enumerate() {
            if index > 0 && self.format != Format::Jsonl {
                writeln!(self.out)?;
            }
            if self.format == Format::Table {
                writeln!(self.out, "{}", heading.of(self.lang))?;
            }
            let mut list = self.list(key);
            for item in items {
                list.push(item.clone())?;
            }
            list.end()?;
        }
        Ok(())
    }

    /// Says on stderr why a command failed and what to do. Nothing is left to do if even that fails.
    pub(crate) fn fail(&mut self, failure: &Failure) {
        let _ = self.out.flush();
        for line in complaint::lines(self.lang, failure) {
            let _ = writeln!(self.err, "{line}");
        }
    }

    /// What a command recorded, in a sentence.
    fn receipt(&mut self, reply: &Map<String, Value>) -> Result<(), Failure> {
        let Some(receipt) = reply.get("receipt") else {
            return Ok(());
        };
        let position = |key: &str| receipt.get(key).map(cell::plain).unwrap_or_default();
        let (first, last) = (position("firstPosition"), position("lastPosition"));
        let at = receipt.get("recordedAt").map(cell::instant).unwrap_or_default();
        let nothing = first.parse::<u64>().ok() > last.parse().ok();
        let said = if nothing {
            messages::UNCHANGED.with(self.lang, &[&last])
        } else if first == last {
            messages::RECORDED_ONE.with(self.lang, &[&last, &at])
        } else {
            messages::RECORDED.with(self.lang, &[&first, &last, &at])
        };
        Ok(writeln!(self.out, "{said}")?)
    }

    /// A reply as one line of CSV: its first resource, else its own fields.
    fn csv_record(&mut self, reply: &Value) -> Result<(), Failure> {
        let resource = reply.as_object().and_then(|fields| {
            fields.iter().find(|(key, value)| value.is_object() && *key != "answer" && *key != "receipt")
        });
        let record = resource.map_or(reply, |(_, value)| value);
        let keys: Vec<String> =
            record.as_object().map(|fields| fields.keys().cloned().collect()).unwrap_or_default();
        let cells = keys.iter().map(|key| cell::plain(&record[key])).collect::<Vec<_>>();
        list::csv_line(&mut self.out, &keys)?;
        list::csv_line(&mut self.out, &cells)
    }
}

/// A bar on stderr for `steps` steps; nothing is drawn where nobody looks.
pub(crate) fn progress(title: &'static str, steps: usize) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(steps as u64), ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{msg} {bar:40} {pos}/{len}");
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())).with_message(title)
}

#[cfg(test)]
pub(crate) mod tests;
