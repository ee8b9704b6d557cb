//! The provenance of the answer as W3C PROV-JSON: what was recorded by whom, and what follows from what.

use serde_json::{Map, Value, json};

use super::gather::Case;

/// Of which vocabulary our own names are.
const NAMESPACE: &str = "urn:duban:";

/// The whole document.
pub(super) fn of(case: &Case) -> Value {
    let mut prov = Prov::default();
    let answer = "duban:answer";
    prov.entities.insert(
        answer.to_owned(),
        json!({ "prov:label": case.task_name, "duban:validOn": case.valid_on, "duban:position": case.position }),
    );
    for (position, proven) in &case.proven {
        let Some(event) = &proven.event else { continue };
        let (entity, activity) =
            (format!("duban:events/{position}"), format!("duban:requests/{}", event.request_id));
        let recorded = event.recorded_at.map(|at| at.to_string()).unwrap_or_default();
        prov.entities.insert(
            entity.clone(),
            json!({ "prov:type": event.r#type, "duban:effectiveOn": event.effective_on, "duban:id": event.id }),
        );
        prov.activities.insert(activity.clone(), json!({ "prov:endTime": recorded }));
        let actor = format!("duban:principals/{}", event.actor);
        prov.agents.insert(actor.clone(), json!({ "duban:role": event.role }));
        prov.relate(
            "wasGeneratedBy",
            json!({ "prov:entity": entity, "prov:activity": activity, "prov:time": recorded }),
        );
        prov.relate("wasAssociatedWith", json!({ "prov:activity": activity, "prov:agent": actor }));
        if let Some(agency) = &event.agency {
            let agency = format!("duban:{agency}");
            prov.agents.insert(agency.clone(), json!({ "prov:type": "prov:Organization" }));
            prov.relate(
                "actedOnBehalfOf",
                json!({ "prov:delegate": actor, "prov:responsible": agency, "prov:activity": activity }),
            );
        }
        let before = event.causation.and_then(|position| case.proven.get(&position)?.event.as_ref());
        if let Some(before) = before {
            let informant = format!("duban:requests/{}", before.request_id);
            prov.relate("wasInformedBy", json!({ "prov:informed": activity, "prov:informant": informant }));
        }
        prov.relate("wasDerivedFrom", json!({ "prov:generatedEntity": answer, "prov:usedEntity": entity }));
    }
    prov.written()
}

#[derive(Default)]
struct Prov {
    entities: Map<String, Value>,
    activities: Map<String, Value>,
    agents: Map<String, Value>,
    relations: Map<String, Value>,
    count: usize,
}

impl Prov {
    /// A relation of a kind, each under a name of its own.
    fn relate(&mut self, kind: &str, relation: Value) {
        self.count += 1;
        let name = format!("_:r{}", self.count);
        let of_kind = self.relations.entry(kind).or_insert_with(|| json!({}));
        of_kind[&name] = relation;
    }

    fn written(self) -> Value {
        let mut document = Map::new();
        document.insert("prefix".to_owned(), json!({ "duban": NAMESPACE }));
        document.insert("entity".to_owned(), self.entities.into());
        document.insert("activity".to_owned(), self.activities.into());
        document.insert("agent".to_owned(), self.agents.into());
        document.extend(self.relations);
        document.into()
    }
}
