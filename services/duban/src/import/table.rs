//! The tables of a seed: `.tsv` with a header line, and `.toml` with one array of tables.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::{Place, Problems, line_at};

/// A part of a reading that is for the checks alone.
const TAKES: &str = "takes";
/// The keys of a `takes`.
const TAKE: [&str; 5] = ["task", "part", "line", "cell", "text"];

/// A table.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) entries: Vec<Entry>,
}

/// One entry.
#[derive(Debug, Default)]
pub(super) struct Entry {
    pub(super) file: String,
    /// The line at which it begins.
    pub(super) line: usize,
    /// What is sent, by the proto's field names.
    pub(super) fields: Map<String, Value>,
    /// What is for readers and for the checks: the columns `#name`.
    pub(super) aside: BTreeMap<String, String>,
    /// What a reading says it takes from the text.
    pub(super) takes: Vec<Take>,
}

/// From where a reading takes a task's title or agencies.
#[derive(Debug, Default)]
pub(super) struct Take {
    pub(super) at: usize,
    pub(super) task: String,
    pub(super) part: String,
    pub(super) line: usize,
    pub(super) cell: String,
    pub(super) text: String,
}

impl Table {
    pub(super) const fn empty() -> Self {
        Self { entries: Vec::new() }
    }
}

impl Entry {
    /// A field as text; a number too, and empty where there is none.
    pub(super) fn text(&self, field: &str) -> String {
        match self.fields.get(field) {
            Some(Value::String(text)) => text.clone(),
            None | Some(Value::Null) => String::new(),
            Some(other) => other.to_string(),
        }
    }

    /// A field as a line of the document; 0 where there is none.
    pub(super) fn number(&self, field: &str) -> usize {
        self.text(field).parse().unwrap_or_default()
    }

    /// A list of texts.
    pub(super) fn list(&self, field: &str) -> Vec<&str> {
        let items = self.fields.get(field).and_then(Value::as_array);
        items.into_iter().flatten().filter_map(Value::as_str).collect()
    }

    pub(super) fn place(&self) -> Place {
        Place::new(&self.file, self.line)
    }
}

/// Reads a table by the ending of its file.
pub(super) fn parse(file: &str, content: &str, problems: &mut Problems) -> Table {
    let is_toml = std::path::Path::new(file).extension().is_some_and(|ending| ending == "toml");
    let (key, entries) =
        if is_toml { toml_entries(file, content, problems) } else { tsv_entries(file, content, problems) };
    let mut seen = BTreeMap::new();
    for entry in &entries {
        let value = entry.text(&key);
        if value.is_empty() {
            problems.add(&entry.place(), format!("{key} is missing"));
        } else if let Some(first) = seen.insert(value.clone(), entry.line) {
            problems.add(&entry.place(), format!("{key} {value} is that of line {first}"));
        }
    }
    Table { entries }
}

/// The entries of a `.tsv`, and the column that names them: the first.
fn tsv_entries(file: &str, content: &str, problems: &mut Problems) -> (String, Vec<Entry>) {
    let mut lines = content.lines();
    let header: Vec<&str> = lines.next().unwrap_or_default().split('\t').collect();
    let rest = header.last().and_then(|last| last.strip_suffix("[]"));
    let mut entries = Vec::new();
    for (index, line) in lines.enumerate() {
        let mut entry = Entry { file: file.to_owned(), line: index + 2, ..Entry::default() };
        let cells: Vec<&str> = line.split('\t').collect();
        let fits = if rest.is_some() { cells.len() >= header.len() } else { cells.len() == header.len() };
        if !fits {
            let reason = format!("{} cells stand below {} columns", cells.len(), header.len());
            problems.add(&entry.place(), reason);
            continue;
        }
        for (position, (column, cell)) in header.iter().zip(&cells).enumerate() {
            if let Some(name) = column.strip_prefix('#') {
                entry.aside.insert(name.to_owned(), (*cell).to_owned());
            } else if let Some(name) = column.strip_suffix("[]") {
                let list = cells[position..].iter().map(|cell| Value::from(*cell)).collect();
                entry.fields.insert(name.to_owned(), list);
            } else if !cell.is_empty() {
                entry.fields.insert((*column).to_owned(), Value::from(*cell));
            }
        }
        entries.push(entry);
    }
    (header.first().copied().unwrap_or_default().to_owned(), entries)
}

/// The entries of a `.toml` with one array of tables, and the key that names them: the array's name and `_id`.
fn toml_entries(file: &str, content: &str, problems: &mut Problems) -> (String, Vec<Entry>) {
    let parsed = match DeTable::parse(content) {
        Ok(parsed) => parsed,
        Err(error) => {
            let line = error.span().map_or(1, |span| line_at(content, span.start));
            problems.add(&Place::new(file, line), error.message());
            return (String::new(), Vec::new());
        }
    };
    let mut tables = parsed.get_ref().iter();
    let (Some((name, array)), None) = (tables.next(), tables.next()) else {
        problems.add(&Place::new(file, 1), "one array of tables is expected");
        return (String::new(), Vec::new());
    };
    let mut entries = Vec::new();
    for item in array.get_ref().as_array().into_iter().flat_map(|items| items.iter()) {
        let mut entry =
            Entry { file: file.to_owned(), line: line_at(content, item.span().start), ..Entry::default() };
        for (key, value) in item.get_ref().as_table().into_iter().flatten() {
            if key.get_ref() == TAKES {
                entry.takes = takes(file, content, value, problems);
            } else {
                entry.fields.insert(key.get_ref().to_string(), json(value.get_ref()));
            }
        }
        entries.push(entry);
    }
    (format!("{}_id", name.get_ref()), entries)
}

fn takes(file: &str, content: &str, value: &Spanned<DeValue<'_>>, problems: &mut Problems) -> Vec<Take> {
    let mut takes = Vec::new();
    for item in value.get_ref().as_array().into_iter().flat_map(|items| items.iter()) {
        let at = line_at(content, item.span().start);
        let fields = json(item.get_ref());
        let text = |key: &str| fields[key].as_str().unwrap_or_default().to_owned();
        for key in fields.as_object().into_iter().flat_map(Map::keys) {
            if !TAKE.contains(&key.as_str()) {
                problems.add(&Place::new(file, at), format!("a takes has no {key}"));
            }
        }
        let line = fields["line"].as_u64().and_then(|line| usize::try_from(line).ok()).unwrap_or_default();
        takes.push(Take {
            at,
            line,
            task: text("task"),
            part: text("part"),
            cell: text("cell"),
            text: text("text"),
        });
    }
    takes
}

/// A TOML value as JSON; a number that JSON can't hold, and a date, as text.
fn json(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::from(text.as_ref()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or_else(|_| number.as_str().into(), Value::from),
        DeValue::Float(number) => Value::from(number.as_str()),
        DeValue::Boolean(truth) => Value::from(*truth),
        DeValue::Datetime(date) => Value::from(date.to_string()),
        DeValue::Array(items) => items.iter().map(|item| json(item.get_ref())).collect(),
        DeValue::Table(fields) => {
            fields.iter().map(|(key, value)| (key.get_ref().to_string(), json(value.get_ref()))).collect()
        }
    }
}
