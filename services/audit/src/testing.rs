//! A real log in a folder of its own, and events to put into it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use duban_domain::command::Context;
use duban_domain::{Caller, Event, PrincipalId, Role, Timestamp};
use duban_log::{Append, Condition, Log, LogOptions, ManualClock, NewEvent, Origin};
use proptest::prelude::*;
use proptest::sample::subsequence;
use proptest::test_runner::TestCaseError;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::select::Selection;

/// A log that only this test has.
pub(crate) struct Fixture {
    pub(crate) log: Log,
    requests: AtomicU64,
    _folder: tempfile::TempDir,
}

/// An empty log, on a day in 2026 that stands still.
pub(crate) async fn log() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let now: Timestamp = "2026-03-01T04:00:00Z".parse().unwrap();
    let options = LogOptions::new(folder.path()).clock(Arc::new(ManualClock::at(now)));
    Fixture { log: Log::open(options).await.unwrap(), requests: AtomicU64::new(1), _folder: folder }
}

impl Fixture {
    /// Appends events, in one append; what the rules would say of them does not matter here.
    pub(crate) async fn append(&self, events: &[Event]) {
        let request = self.requests.fetch_add(1, Ordering::Relaxed);
        let request_id = Uuid::from_u128(request.into());
        let principal = PrincipalId::parse("tester").unwrap();
        let new = |(n, event): (u64, &Event)| {
            let context = Context::default();
            let body = event.encode(&context);
            NewEvent {
                id: Uuid::from_u64_pair(request, n),
                nonce: [7; 32],
                event_type: duban_domain::event::type_of(&body).unwrap().to_owned(),
                effective_on: "2026-03-01".parse().unwrap(),
                tags: event.tags(&context),
                body: body.into(),
            }
        };
        let append = Append {
            origin: Origin {
                caller: Caller { principal, role: Role::Supervisor, agency: None },
                request_id,
                correlation: request_id,
                causation: None,
                trace_id: None,
            },
            fingerprint: [0; 32],
            events: (1..).zip(events).map(new).collect(),
            condition: Condition::default(),
            read_at: 0,
        };
        self.log.append(append).await.unwrap();
    }
}

fn event(event_type: &str, data: &Value) -> Event {
    let body = json!({ "event": { "type": event_type, "data": data }, "context": {} });
    Event::decode(event_type, body.to_string().as_bytes()).unwrap().0
}

/// An agency was registered, called as its id is.
pub(crate) fn registered(agency: &str) -> Event {
    let name = format!("agencies/{agency}");
    let data = json!({ "agency": name, "fullName": agency, "kind": "CONSTITUENT_DEPARTMENT" });
    event("agency.registered.v1", &data)
}

/// An agency bears another name.
pub(crate) fn renamed(agency: &str, to: &str) -> Event {
    let data = json!({ "agency": format!("agencies/{agency}"), "fullName": to, "former": agency });
    event("agency.renamed.v1", &data)
}

/// A document was registered.
pub(crate) fn document(id: &str) -> Event {
    let data =
        json!({ "document": format!("documents/{id}"), "title": "意见", "text": "一", "sha256": "00" });
    event("document.registered.v1", &data)
}

/// A document of so many bytes.
pub(crate) fn large(bytes: usize) -> Event {
    let text = "a".repeat(bytes);
    let data = json!({ "document": "documents/large", "title": "大", "text": text, "sha256": "00" });
    event("document.registered.v1", &data)
}

/// A reading of a document was adopted.
pub(crate) fn reading(document: &str, id: &str) -> Event {
    let name = format!("documents/{document}/readings/{id}");
    let lines = json!({ "first": 1, "last": 1 });
    let data = json!({ "reading": name, "statement": "第一行", "confidence": "HIGH", "lines": lines });
    event("reading.adopted.v1", &data)
}

/// A task was proposed.
pub(crate) fn task(id: &str) -> Event {
    let outline = json!({ "title": "打造绿色物流", "track": "CONTINUING" });
    event("task.proposed.v1", &json!({ "task": format!("tasks/{id}"), "outline": outline }))
}

/// An agency was asked to take a task.
pub(crate) fn assigned(task: &str, id: &str, agency: &str) -> Event {
    let data = json!({
        "assignment": format!("tasks/{task}/assignments/{id}"),
        "agency": format!("agencies/{agency}"),
        "role": "LEAD",
        "period": { "from": "2026-03-01" },
    });
    event("assignment.dispatched.v1", &data)
}

/// One to `max` events of a few subjects and types.
pub(crate) fn batch(max: usize) -> impl Strategy<Value = Vec<Event>> {
    let one = prop_oneof![
        (0..3).prop_map(|n| registered(&format!("a{n}"))),
        (0..3).prop_map(|n| task(&format!("t{n}"))),
        (0..3, 0..3).prop_map(|(t, a)| assigned(&format!("t{t}"), "x", &format!("a{a}"))),
    ];
    prop::collection::vec(one, 1..=max)
}

/// Some of the types and some of the subjects of a [`batch`], or all.
pub(crate) fn selection() -> impl Strategy<Value = Selection> {
    let types = vec!["agency.registered.v1", "task.proposed.v1", "assignment.dispatched.v1"];
    let tags = vec!["agency:a0", "duty:a1", "task:t0", "task:t2"];
    (subsequence(types, 0..=3), subsequence(tags, 0..=4)).prop_map(|(types, tags)| Selection {
        types: types.into_iter().map(ToOwned::to_owned).collect(),
        tags: tags.into_iter().map(duban_domain::Tag::stored).collect(),
    })
}

/// Runs a property's case.
pub(crate) fn run(case: impl Future<Output = Result<(), TestCaseError>>) -> Result<(), TestCaseError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(case)
}
