//! A reply as a record: each resource in a table of its fields, then what it lists.

use serde_json::{Map, Value};

use super::{cell, table};
use crate::i18n::{self, Lang};

/// What is said in a sentence below.
const SAID_BELOW: [&str; 3] = ["receipt", "answer", "nextPageToken"];

/// The parts of a reply, to be shown with an empty line between them.
pub(super) fn parts(lang: Lang, reply: &Map<String, Value>, wrap: bool) -> Vec<String> {
    let (resources, values): (Vec<_>, Vec<_>) = reply
        .iter()
        .filter(|(key, _)| !SAID_BELOW.contains(&key.as_str()))
        .partition(|(_, value)| is_resource(value));
    let mut parts = one(lang, values, wrap);
    for resource in resources.into_iter().filter_map(|(_, value)| value.as_object()) {
        parts.extend(one(lang, resource.iter().collect(), wrap));
    }
    parts
}

/// One resource: its values below each other, then each of its lists in a table.
fn one(lang: Lang, fields: Vec<(&String, &Value)>, wrap: bool) -> Vec<String> {
    let (lists, values): (Vec<_>, Vec<_>) =
        fields.into_iter().partition(|(_, value)| is_list_of_objects(value));
    let rows = values
        .into_iter()
        .map(|(key, value)| vec![i18n::heading(lang, key), cell::whole(lang, key, value)])
        .filter(|row| !row[1].is_empty())
        .collect::<Vec<_>>();
    let record = (!rows.is_empty()).then(|| table::table(None, rows, wrap));
    let lists = lists.into_iter().map(|(key, value)| {
        let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
        let rows = table::rows(lang, key, items, cell::IN_RECORD);
        let shown = table::table(Some(table::headings(lang, key, items)), rows, wrap);
        format!("{}\n{shown}", i18n::heading(lang, key))
    });
    record.into_iter().chain(lists).collect()
}

/// A resource has a name, an event a position; any other object is a value.
fn is_resource(value: &Value) -> bool {
    value.as_object().is_some_and(|fields| fields.contains_key("name") || fields.contains_key("position"))
}

fn is_list_of_objects(value: &Value) -> bool {
    value.as_array().is_some_and(|items| items.iter().any(Value::is_object))
}
