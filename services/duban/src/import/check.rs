//! What is checked before anything is sent. Each check names the file, the line and the reason; all are made,
//! so one run tells every mistake.

mod citations;
mod order;
mod tasks;
mod text;

use prost_reflect::{DynamicMessage, MethodDescriptor, SerializeOptions};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::expand;
use super::problem::{Place, Problem, Problems};
use super::seed::{Command, ROWS, Seed};
use super::table::Entry;
use crate::client::{Identity, schema};
use crate::failure::Failure;

/// A seed that can be trusted.
pub(crate) struct Checked<'s> {
    pub(super) seed: &'s Seed,
    /// What is sent, in order.
    pub(super) plays: Vec<Play<'s>>,
}

/// One command, ready to be sent.
pub(super) struct Play<'s> {
    pub(super) command: &'s Command,
    pub(super) identity: Identity,
    pub(super) method: MethodDescriptor,
    pub(super) message: DynamicMessage,
    /// The message in proto JSON with the proto's field names, default values left out.
    request: Value,
    /// The entry of a table from which its fields come, if there is one.
    row: Option<Place>,
}

impl Play<'_> {
    /// Where its fields stand.
    fn place(&self) -> Place {
        self.row.clone().unwrap_or_else(|| self.command.place())
    }

    fn is(&self, method: &str) -> bool {
        self.method.name() == method
    }

    /// A text of the request; empty where there is none.
    fn text(&self, path: &str) -> &str {
        at(&self.request, path).as_str().unwrap_or_default()
    }

    /// A list of texts of the request.
    fn list(&self, path: &str) -> Vec<&str> {
        at(&self.request, path).as_array().into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// A list of objects of the request.
    fn objects(&self, path: &str) -> Vec<&Value> {
        at(&self.request, path).as_array().into_iter().flatten().collect()
    }
}

impl Checked<'_> {
    /// Whoever sends the first command.
    pub(super) fn first_principal(&self) -> Result<Identity, Failure> {
        let first = self.plays.first().map(|play| play.identity.clone());
        first.ok_or_else(|| Failure::Usage("the seed has no commands".to_owned()))
    }
}

/// Checks all of a seed.
pub(super) fn all(seed: &Seed) -> Result<Checked<'_>, Vec<Problem>> {
    let mut problems = Problems::default();
    text::check(seed, &mut problems);
    let plays = seed.commands.iter().filter_map(|command| match play(seed, command) {
        Ok(play) => Some(play),
        Err(reason) => {
            problems.add(&command.place(), reason);
            None
        }
    });
    let checked = Checked { seed, plays: plays.collect() };
    // What a command that can't be read would have said is no mistake of the others.
    if checked.plays.len() == seed.commands.len() {
        citations::check(&checked, &mut problems);
        tasks::check(&checked, &mut problems);
        order::check(&checked, &mut problems);
    }
    problems.or(checked)
}

/// Makes a command's request, as it will be sent.
fn play<'s>(seed: &'s Seed, command: &'s Command) -> Result<Play<'s>, String> {
    let principal = seed.manifest.principals.get(&command.principal);
    let principal = principal.ok_or_else(|| format!("there is no principal {}", command.principal))?;
    let expand::Expanded { mut request, rows } = expand::expand(seed, &command.request)?;
    let fields = request.as_object_mut().ok_or("a request is an object")?;
    let context = fields.entry("context").or_insert_with(|| Value::Object(Map::new()));
    let context = context.as_object_mut().ok_or("context is an object")?;
    let id = Uuid::new_v5(&seed.manifest.requests.namespace, command.id.as_bytes()).to_string();
    if context.insert("request_id".to_owned(), Value::from(id)).is_some() {
        return Err("context.request_id is filled in by the importer".to_owned());
    }
    let (method, message) = schema::request(&command.rpc, &request).map_err(|error| {
        let from = rows.first().map(|row| format!(" (with {row})")).unwrap_or_default();
        format!("{}{from}: {error}", command.rpc)
    })?;
    if !schema::is_command(&method) {
        return Err(format!("{} is no command", command.rpc));
    }
    let options = SerializeOptions::new().use_proto_field_name(true);
    let request = message
        .serialize_with_options(serde_json::value::Serializer, &options)
        .map_err(|error| error.to_string())?;
    let identity = principal.identity();
    Ok(Play { command, identity, method, message, request, row: rows.into_iter().next() })
}

/// The value at a path; null where there is none.
fn at<'v>(value: &'v Value, path: &str) -> &'v Value {
    path.split('.').fold(value, |value, field| &value[field])
}

/// A cell of the document's table, by `{row_id}/{column}`: the row's line, and the cell's text.
fn cell<'s>(seed: &'s Seed, name: &str) -> Result<(usize, &'s str), String> {
    let absent = || format!("there is no cell {name} in {ROWS}");
    let (row_id, column) = name.rsplit_once('/').ok_or_else(absent)?;
    let row = |entry: &&Entry| entry.text("row_id") == row_id;
    let entry = seed.table(ROWS).entries.iter().find(row).ok_or_else(absent)?;
    let column = column.parse::<usize>().ok().and_then(|column| column.checked_sub(1)).ok_or_else(absent)?;
    let text = entry.list("cells").get(column).copied().ok_or_else(absent)?;
    Ok((entry.number("line"), text))
}

/// The text at a place of the document: the cell's, else the whole line.
fn text_at<'s>(seed: &'s Seed, line: usize, name: Option<&str>) -> Result<&'s str, String> {
    let lines = seed.lines();
    let whole = line.checked_sub(1).and_then(|index| lines.get(index)).copied();
    let whole = whole.ok_or_else(|| format!("the text has no line {line}"))?;
    let Some(name) = name else { return Ok(whole) };
    let (stands, text) = cell(seed, name)?;
    if stands == line {
        Ok(text)
    } else {
        Err(format!("the cell {name} stands on line {stands}, not on line {line}"))
    }
}

#[cfg(test)]
pub(super) mod tests;
