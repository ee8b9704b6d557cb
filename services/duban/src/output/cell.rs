//! One value of proto JSON as text.

use jiff::tz::{Offset, TimeZone};
use serde_json::Value;

use crate::i18n::{self, Lang, messages};

/// How wide a text may be in a column of a list; `-o json` has it whole.
pub(super) const IN_LIST: usize = 60;
/// How wide it may be in a list that a record holds.
pub(super) const IN_RECORD: usize = 160;
/// The most lines of a text that a record shows.
const LINES_MAX: usize = 40;
/// The fields that are resource names one level down in a table only by their ids.
const COLLECTIONS: [&str; 11] = [
    "documents",
    "anomalies",
    "readings",
    "clauses",
    "agencies",
    "tasks",
    "assignments",
    "cycles",
    "obligations",
    "reports",
    "logs",
];

/// In a column: on one line, names by their ids, cut at a width.
pub(super) fn brief(lang: Lang, field: &str, value: &Value, width: usize) -> String {
    let mut text = shown(lang, field, value, ", ").replace('\n', " ");
    let mut wide = 0;
    let over = text.char_indices().find(|(_, letter)| {
        wide += columns(*letter);
        wide > width
    });
    if let Some((at, _)) = over {
        text.truncate(at);
        text.push('…');
    }
    text
}

/// In a record: whole, unless it has very many lines; a long list an item a line.
pub(super) fn whole(lang: Lang, field: &str, value: &Value) -> String {
    let nested = value.as_object().is_some_and(|fields| fields.values().any(Value::is_object));
    let text = if nested { format!("{value:#}") } else { shown(lang, field, value, ", ") };
    let is_long = value.is_array() && text.chars().map(columns).sum::<usize>() > IN_LIST;
    let text = if is_long { shown(lang, field, value, "\n") } else { text };
    let lines = text.lines().count();
    if lines <= LINES_MAX {
        return text;
    }
    let kept: Vec<&str> = text.lines().take(LINES_MAX).collect();
    format!("{}\n{}", kept.join("\n"), messages::TEXT_OF.with(lang, &[&lines]))
}

/// How many columns of a terminal a letter takes, near enough to cut a text.
fn columns(letter: char) -> usize {
    if letter.is_ascii() { 1 } else { 2 }
}

/// As it is, for programs: text and numbers plain, anything else as JSON.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.iter().all(Value::is_string) => {
            items.iter().map(plain).collect::<Vec<_>>().join(";")
        }
        other => other.to_string(),
    }
}

/// An instant in Shanghai, to the second.
pub(super) fn instant(value: &Value) -> String {
    let text = value.as_str().unwrap_or_default();
    let shanghai = TimeZone::fixed(Offset::constant(8));
    text.parse::<jiff::Timestamp>()
        .map_or_else(|_| text.to_owned(), |at| at.to_zoned(shanghai).strftime("%F %T").to_string())
}

fn shown(lang: Lang, field: &str, value: &Value, between: &str) -> String {
    match value {
        Value::Null | Value::Bool(false) => String::new(),
        Value::Bool(true) => messages::YES.of(lang).to_owned(),
        Value::Number(number) => number.to_string(),
        // What a draft doesn't say yet.
        Value::String(text) if i18n::is_unspecified(text) => String::new(),
        Value::String(_) if field.ends_with("At") => instant(value),
        Value::String(text) => i18n::term(lang, text).map_or_else(|| ids(text), str::to_owned),
        Value::Array(items) => {
            items.iter().map(|item| shown(lang, field, item, between)).collect::<Vec<_>>().join(between)
        }
        Value::Object(fields) => {
            let keys: Vec<&str> = fields.keys().map(String::as_str).collect();
            let part =
                |key: &str| fields.get(key).map(|value| shown(lang, key, value, between)).unwrap_or_default();
            match keys.as_slice() {
                ["from"] | ["from", "until"] => {
                    format!("{} – {}", part("from"), part("until")).trim_end().to_owned()
                }
                ["id", "version"] => format!("{} v{}", part("id"), part("version")),
                ["tag", "previous"] => part("tag"),
                keys => {
                    let parts = keys.iter().map(|key| (key, part(key))).filter(|(_, text)| !text.is_empty());
                    parts.map(|(key, text)| format!("{key}={text}")).collect::<Vec<_>>().join(" ")
                }
            }
        }
    }
}

/// A resource name by its ids alone, as the command line takes it too; any other text as it is.
fn ids(text: &str) -> String {
    let parts: Vec<&str> = text.split('/').collect();
    let named =
        parts.len().is_multiple_of(2) && parts.iter().step_by(2).all(|part| COLLECTIONS.contains(part));
    if !named {
        return text.to_owned();
    }
    parts.into_iter().skip(1).step_by(2).collect::<Vec<_>>().join("/")
}

/// The value at a path; null where there is none.
pub(super) fn at<'v>(item: &'v Value, path: &str) -> &'v Value {
    path.split('.').fold(item, |value, field| &value[field])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_shown_for_people() {
        let zh = |field: &str, value: Value| brief(Lang::Zh, field, &value, IN_LIST);
        assert_eq!(zh("stage", json!("TASK_STAGE_IN_PROGRESS")), "推进中");
        assert_eq!(zh("selfAssessment", json!("PROGRESS_LEVEL_UNSPECIFIED")), "");
        assert_eq!(zh("agency", json!("agencies/qh-energy")), "qh-energy");
        assert_eq!(zh("name", json!("tasks/t/assignments/a")), "t/a");
        assert_eq!(zh("title", json!("a/b")), "a/b");
        assert_eq!(zh("period", json!({ "from": "2022-01-01" })), "2022-01-01 –");
        assert_eq!(zh("rule", json!({ "id": "every-lead", "version": 1 })), "every-lead v1");
        assert_eq!(zh("because", json!(["3", "4"])), "3, 4");
        assert_eq!(zh("contested", json!(false)), "");
        assert_eq!(zh("recordedAt", json!("2026-11-22T18:00:00.5Z")), "2026-11-23 02:00:00");
    }

    #[test]
    fn long_text_is_cut_in_a_column_and_whole_in_a_record() {
        let long = json!("长".repeat(100));
        assert_eq!(brief(Lang::Zh, "text", &long, 60), format!("{}…", "长".repeat(30)));
        assert_eq!(whole(Lang::Zh, "text", &long).chars().count(), 100);
        let lines = json!("x\n".repeat(100));
        assert!(whole(Lang::En, "text", &lines).ends_with("(100 lines; -o json shows them)"));
    }
}
