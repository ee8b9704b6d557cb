//! Placeholders: an object with `$text`, `$table` or `$row` stands for what it names.

use serde_json::{Map, Value};

use super::problem::Place;
use super::seed::Seed;
use super::table::{Entry, Table};

const TEXT: &str = "$text";
const TABLE: &str = "$table";
const ROW: &str = "$row";

/// A request with every placeholder replaced, and from where the rows were taken.
pub(super) struct Expanded {
    pub(super) request: Value,
    pub(super) rows: Vec<Place>,
}

/// Replaces the placeholders of a request; the error says which can't be.
pub(super) fn expand(seed: &Seed, request: &Value) -> Result<Expanded, String> {
    let mut rows = Vec::new();
    let request = replaced(seed, request, &mut rows)?;
    Ok(Expanded { request, rows })
}

fn replaced(seed: &Seed, value: &Value, rows: &mut Vec<Place>) -> Result<Value, String> {
    match value {
        Value::Array(items) => items.iter().map(|item| replaced(seed, item, rows)).collect(),
        Value::Object(fields) => object(seed, fields, rows),
        other => Ok(other.clone()),
    }
}

fn object(seed: &Seed, fields: &Map<String, Value>, rows: &mut Vec<Place>) -> Result<Value, String> {
    if let Some(unknown) =
        fields.keys().find(|key| key.starts_with('$') && ![TEXT, TABLE, ROW].contains(&key.as_str()))
    {
        return Err(format!("there is no placeholder {unknown}"));
    }
    let alone = |key: &str| match fields.get(key) {
        Some(_) if fields.len() > 1 => Err(format!("nothing may stand beside {key}")),
        Some(file) => file.as_str().map(Some).ok_or_else(|| format!("{key} is the name of a file")),
        None => Ok(None),
    };
    if let Some(file) = alone(TEXT)? {
        return seed.file(file).map(Value::from);
    }
    if let Some(file) = alone(TABLE)? {
        let entries = &table(seed, file)?.entries;
        return Ok(entries.iter().map(|entry| Value::Object(entry.fields.clone())).collect());
    }
    let mut whole = Map::new();
    for (key, value) in fields.iter().filter(|(key, _)| *key != ROW) {
        whole.insert(key.clone(), replaced(seed, value, rows)?);
    }
    if let Some(wanted) = fields.get(ROW) {
        let entry = row(seed, wanted)?;
        rows.push(entry.place());
        merge(&mut whole, &entry.fields)?;
    }
    Ok(Value::Object(whole))
}

fn table<'s>(seed: &'s Seed, file: &str) -> Result<&'s Table, String> {
    seed.tables.get(file).ok_or_else(|| format!("{file} is no table of a seed"))
}

/// The one entry that a `$row` names.
fn row<'s>(seed: &'s Seed, wanted: &Value) -> Result<&'s Entry, String> {
    let expected = || format!("{ROW} names a file and the value of one column");
    let fields = wanted.as_object().ok_or_else(expected)?;
    let file = fields.get("file").and_then(Value::as_str).ok_or_else(expected)?;
    let mut keys = fields.iter().filter(|(key, _)| *key != "file");
    let (Some((key, Value::String(value))), None) = (keys.next(), keys.next()) else {
        return Err(expected());
    };
    let mut found = table(seed, file)?.entries.iter().filter(|entry| entry.text(key) == *value);
    match (found.next(), found.next()) {
        (Some(entry), None) => Ok(entry),
        (None, _) => Err(format!("{file} has no entry whose {key} is {value}")),
        (Some(_), Some(_)) => Err(format!("{file} has more than one entry whose {key} is {value}")),
    }
}

/// Adds fields to an object; objects in both are merged, anything else in both is said twice.
fn merge(whole: &mut Map<String, Value>, more: &Map<String, Value>) -> Result<(), String> {
    for (key, value) in more {
        match (whole.get_mut(key), value) {
            (None, value) => {
                whole.insert(key.clone(), value.clone());
            }
            (Some(Value::Object(inner)), Value::Object(more)) => merge(inner, more)?,
            (Some(_), _) => return Err(format!("{key} is said twice, in the command and in the row")),
        }
    }
    Ok(())
}
