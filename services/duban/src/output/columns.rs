//! Which fields of a list's items are shown as columns, by the list's name in proto JSON.

/// A list and its columns, each a path in proto JSON.
type Columns = (&'static str, &'static [&'static str]);

const COLUMNS: &[Columns] = &[
    ("tasks", &["name", "label", "title", "stage", "track", "dueOn", "contested"]),
    ("assignments", &["name", "agency", "role", "stage", "period", "acknowledgedOn", "contested"]),
    ("agencies", &["name", "fullName", "kind", "status", "active", "superior"]),
    ("documents", &["name", "title", "issuer", "number", "issuedOn", "lineCount"]),
    ("clauses", &["clauseId", "label", "title", "firstLine", "lastLine"]),
    ("rows", &["rowId", "line", "cells"]),
    ("targets", &["targetId", "year", "statement", "firstLine", "lastLine"]),
    ("anomalies", &["name", "kind", "firstLine", "lastLine", "found", "description"]),
    ("readings", &["name", "statement", "confidence", "state", "adoptedOn"]),
    ("dependents", &["position", "type", "subject", "effectiveOn", "contested"]),
    ("cycles", &["name", "dueOn", "holdersOn", "rule", "coordinator", "stage", "obligationCount"]),
    ("obligations", &["name", "agency", "state", "dueOn", "firstSubmittedOn", "late", "report"]),
    ("reports", &["name", "cycle", "agency", "stage", "round", "late", "submittedOn"]),
    ("items", &["task", "selfAssessment", "progress", "difficulties", "nextSteps", "evidence"]),
    ("findings", &["task", "text"]),
    (
        "responsibilities",
        &["task", "taskLabel", "taskTitle", "agencyFullName", "agency", "role", "stage", "period", "because"],
    ),
    ("candidates", &["agency.name", "agency.fullName", "agency.status", "matchedBy", "because"]),
    ("fields", &["field", "value", "positions"]),
    ("events", &["position", "recordedAt", "effectiveOn", "type", "actor", "agency", "body.event.data"]),
    ("eventTypes", &["type", "subject", "description"]),
    ("aliases", &["alias", "period", "because"]),
    ("fullNames", &["fullName", "period", "because"]),
    ("milestones", &["year", "statement"]),
    ("selfAssessed", &["agency", "level", "on", "text", "evidence"]),
    ("rebuilt", &["view", "position", "rows", "before", "after"]),
    ("tags", &["tag", "previous"]),
    ("evidence", &["name", "mediaType", "size", "sha256"]),
];

/// The widths of the columns of a list that is shown line by line; the last has no end.
pub(super) const LIVE: &[u16] = &[8, 19, 12, 33, 16, 24];

/// The columns of a list; of one that is not in the table, the fields of its first item.
pub(super) fn of(list: &str, items: &[serde_json::Value]) -> Vec<String> {
    if let Some((_, paths)) = COLUMNS.iter().find(|(name, _)| *name == list) {
        return paths.iter().map(|path| (*path).to_owned()).collect();
    }
    let first = items.first().and_then(serde_json::Value::as_object);
    first.map(|fields| fields.keys().cloned().collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};

    use super::*;
    use crate::client::schema;

    fn has(message: &MessageDescriptor, path: &str) -> bool {
        let (field, rest) = path.split_once('.').map_or((path, None), |(field, rest)| (field, Some(rest)));
        let Some(found) = message.get_field_by_json_name(field) else { return false };
        match (found.kind(), rest) {
            (Kind::Message(inner), Some(rest)) => has(&inner, rest),
            // An event's body is JSON inside bytes: its fields are not the wire's.
            (Kind::Bytes, Some(_)) | (_, None) => true,
            _ => false,
        }
    }

    /// What comes with proofs: `duban prove` and `duban checkpoint` have a way of their own to show it.
    const SHOWN_OTHERWISE: [&str; 3] = [
        "duban.audit.v1.ProveHistoryResponse.events",
        "duban.audit.v1.GetCheckpointResponse.handovers",
        "duban.audit.v1.Handover.events",
    ];

    #[test]
    fn every_column_is_a_field_of_the_items_and_every_list_has_columns() {
        for message in
            schema::pool().all_messages().filter(|message| message.full_name().starts_with("duban."))
        {
            for list in message.fields().filter(FieldDescriptor::is_list) {
                let Kind::Message(item) = list.kind() else { continue };
                if SHOWN_OTHERWISE.contains(&list.full_name()) {
                    continue;
                }
                let requested = message.name().ends_with("Request");
                let known = COLUMNS.iter().find(|(name, _)| *name == list.json_name());
                assert!(known.is_some() || requested, "{} has no columns", list.full_name());
                for path in known.map(|(_, paths)| *paths).unwrap_or_default().iter().filter(|_| !requested) {
                    assert!(has(&item, path), "{} has no {path}", item.full_name());
                }
            }
        }
    }
}
