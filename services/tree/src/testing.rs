//! A real log in a folder of its own, and events to put into it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use duban_domain::command::Context;
use duban_domain::{Caller, Event, PrincipalId, Role};
use duban_log::{Append, Condition, Log, LogIdentity, LogOptions, NewEvent, Origin};
use duban_merkle::Algorithm;
use serde_json::json;
use tempfile::TempDir;
use uuid::Uuid;

use crate::store::{Store, TreeId, Writer};

/// A tree of some log.
pub(crate) fn id(algorithm: Algorithm) -> TreeId {
    let identity = LogIdentity { log: Uuid::from_u128(1), epoch: Uuid::from_u128(2) };
    TreeId::new(identity, algorithm, None)
}

/// The leaf at an index, in a tree of which nobody asks what it means. Their lengths differ.
pub(crate) fn leaf(index: u64) -> Vec<u8> {
    format!("leaf {index} {}", "x".repeat(usize::try_from(index % 7).unwrap())).into_bytes()
}

/// A writer in a folder.
pub(crate) fn writer(folder: &Path) -> Writer {
    Writer::open(Arc::new(Store::of(folder, id(Algorithm::Sha256)))).unwrap()
}

/// Appends leaves up to a size and stores them.
pub(crate) fn grow(writer: &mut Writer, size: u64) {
    for index in writer.size()..size {
        writer.append(leaf(index)).unwrap();
    }
    writer.commit().unwrap();
}

/// A log that only this test has, and folders beside it.
pub(crate) struct Fixture {
    pub(crate) log: Log,
    requests: AtomicU64,
    folder: TempDir,
}

/// An empty log.
pub(crate) async fn log() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(LogOptions::new(folder.path().join("log"))).await.unwrap();
    Fixture { log, requests: AtomicU64::new(1), folder }
}

impl Fixture {
    /// A folder beside the log.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Appends so many events, in one append.
    pub(crate) async fn append(&self, count: u64) {
        let request = self.requests.fetch_add(1, Ordering::Relaxed);
        let request_id = Uuid::from_u128(request.into());
        let new = |n: u64| {
            let context = Context::default();
            let data = json!({ "document": format!("documents/d{request}-{n}"), "title": "意见", "text": "一", "sha256": "00" });
            let event_type = "document.registered.v1";
            let body = json!({ "event": { "type": event_type, "data": data }, "context": {} }).to_string();
            let event = Event::decode(event_type, body.as_bytes()).unwrap().0;
            NewEvent {
                id: Uuid::from_u64_pair(request, n),
                nonce: [7; 32],
                event_type: event_type.to_owned(),
                effective_on: "2026-03-01".parse().unwrap(),
                tags: event.tags(&context),
                body: body.into_bytes().into(),
            }
        };
        let append = Append {
            origin: Origin {
                caller: Caller {
                    principal: PrincipalId::parse("tester").unwrap(),
                    role: Role::Supervisor,
                    agency: None,
                },
                request_id,
                correlation: request_id,
                causation: None,
                trace_id: None,
            },
            fingerprint: [0; 32],
            events: (1..=count).map(new).collect(),
            condition: Condition::default(),
            read_at: 0,
        };
        self.log.append(append).await.unwrap();
    }
}
