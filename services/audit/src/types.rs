//! The types of events that the log may hold, and the schemas of their bodies.

use duban_domain::event::schemas;
use duban_proto::audit::v1 as pb;
use duban_rpc::filter::{Kind, Value};
use duban_rpc::{Error, Filter};
use serde_json::Value as Json;

/// What event types may be filtered on.
pub(crate) const FILTERABLE: [(&str, Kind); 2] = [("type", Kind::Text), ("subject", Kind::Choice(&SUBJECTS))];
/// What events happen to.
const SUBJECTS: [&str; 8] =
    ["document", "agency", "task", "assignment", "cycle", "obligation", "report", "log"];

/// The schema of a type's body.
pub(crate) fn schema(event_type: &str) -> Result<pb::GetEventSchemaResponse, Error> {
    let schema = schemas()
        .get(event_type)
        .ok_or_else(|| Error::not_found("EVENT_TYPE_NOT_FOUND", "event_type", event_type))?;
    Ok(pb::GetEventSchemaResponse { r#type: event_type.to_owned(), schema: schema.to_string() })
}

/// At most `size` types after the one called `after`, and whether there are more.
pub(crate) fn page(filter: &Filter, after: &str, size: usize) -> (Vec<pb::EventType>, bool) {
    let mut rest = schemas()
        .iter()
        .filter(|(name, _)| name.as_str() > after)
        .filter(|(name, _)| {
            filter.passes(|field| {
                let value = if field == "type" { name.as_str() } else { subject(name) };
                Some(Value::Text(value.to_owned()))
            })
        })
        .map(|(name, schema)| pb::EventType {
            r#type: name.clone(),
            subject: subject(name).to_owned(),
            description: description(schema),
        });
    let page = rest.by_ref().take(size).collect();
    (page, rest.next().is_some())
}

/// What such an event happens to: anomalies and readings are their document's.
fn subject(event_type: &str) -> &str {
    match event_type.split('.').next().unwrap_or(event_type) {
        "anomaly" | "reading" => "document",
        subject => subject,
    }
}

/// What it says: the comment that stands at it in the domain.
fn description(schema: &Json) -> String {
    let said = schema["properties"]["event"]["description"].as_str().unwrap_or_default();
    said.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_has_a_subject_a_description_and_a_schema() {
        let (all, more) = page(&Filter::default(), "", 1000);
        assert!(!more && all.len() > 40 && all.is_sorted_by_key(|one| one.r#type.clone()));
        for one in all {
            assert!(SUBJECTS.contains(&one.subject.as_str()), "{}", one.r#type);
            assert!(!one.description.is_empty(), "{}", one.r#type);
            let schema: Json = serde_json::from_str(&schema(&one.r#type).unwrap().schema).unwrap();
            assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
            assert_eq!(schema["properties"]["event"]["properties"]["type"]["const"], one.r#type);
        }
        assert_eq!(schema("task.invented.v1").unwrap_err().reason(), "EVENT_TYPE_NOT_FOUND");
    }

    #[test]
    fn pages_make_up_the_list_and_filters_choose_from_it() {
        let (all, _) = page(&Filter::default(), "", 1000);
        let (mut paged, mut more) = (Vec::<pb::EventType>::new(), true);
        while more {
            let after = paged.last().map(|last| last.r#type.clone()).unwrap_or_default();
            let (next, left) = page(&Filter::default(), &after, 7);
            paged.extend(next);
            more = left;
        }
        assert_eq!(paged, all);
        let filter = duban_rpc::filter::parse("subject = document", &FILTERABLE).unwrap();
        let (documents, _) = page(&filter, "", 1000);
        assert!(documents.iter().any(|one| one.r#type == "reading.adopted.v1"));
        assert!(documents.iter().all(|one| one.subject == "document"));
        let filter = duban_rpc::filter::parse("type = reading.adopted.v1", &FILTERABLE).unwrap();
        assert_eq!(page(&filter, "", 1000).0.len(), 1);
    }
}
