//! A real log in a folder of its own, events to put into it, and both storages of trees.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use duban_domain::command::Context;
use duban_domain::{Caller, Event, Position, PrincipalId, Role, Tag, Timestamp};
use duban_log::{
    Append, Condition, Filed, Location, Log, LogIdentity, LogOptions, NewEvent, Origin, StoredEvent,
};
use duban_merkle::Algorithm;
use duban_test_postgres::Database;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::json;
use sqlx::AssertSqlSafe;
use sqlx::postgres::{PgQueryResult, PgRow};
use tempfile::TempDir;
use tokio::net::TcpListener;
use uuid::Uuid;

use crate::store::{Grove, Store, TreeId, Writer};

/// A tree of some log.
pub(crate) fn id(algorithm: Algorithm) -> TreeId {
    let identity = LogIdentity { log: Uuid::from_u128(1), epoch: Uuid::from_u128(2) };
    TreeId::new(identity, algorithm, None)
}

/// The leaf at an index, in a tree of which nobody asks what it means. Their lengths differ.
pub(crate) fn leaf(index: u64) -> Vec<u8> {
    format!("leaf {index} {}", "x".repeat(usize::try_from(index % 7).unwrap())).into_bytes()
}

/// The storages of trees.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Folder,
    Database,
}

impl Kind {
    /// Whether this machine has it; where it doesn't, that was said.
    pub(crate) fn is_there(self) -> bool {
        match self {
            Self::Folder => true,
            Self::Database => apart(Database::empty()).is_some(),
        }
    }

    /// A new place of trees.
    pub(crate) fn home(self) -> Home {
        match self {
            Self::Folder => Home::Folder(tempfile::tempdir().unwrap()),
            Self::Database => Home::Database(Box::new(apart(Database::empty()).unwrap())),
        }
    }
}

/// The same tests on both storages, a module for each.
macro_rules! on_both {
    (async $($test:ident)*) => {
        mod in_a_folder {
            $(#[tokio::test] async fn $test() { super::$test(crate::testing::Kind::Folder).await; })*
        }
        mod in_a_database {
            use crate::testing::Kind;
            $(#[tokio::test] async fn $test() { if Kind::Database.is_there() { super::$test(Kind::Database).await; } })*
        }
    };
    ($($test:ident)*) => {
        mod in_a_folder {
            $(#[test] fn $test() { super::$test(crate::testing::Kind::Folder); })*
        }
        mod in_a_database {
            use crate::testing::Kind;
            $(#[test] fn $test() { if Kind::Database.is_there() { super::$test(Kind::Database); } })*
        }
    };
}
pub(crate) use on_both;

/// A place of trees, until it is dropped.
pub(crate) enum Home {
    Folder(TempDir),
    Database(Box<Database>),
}

impl Home {
    pub(crate) fn location(&self) -> Location {
        match self {
            Self::Folder(folder) => Location::from(folder.path()),
            Self::Database(database) => Location::Postgres(database.owner()),
        }
    }

    /// The tree in it of which nobody asks what it means.
    pub(crate) fn store(&self) -> Arc<Store> {
        Arc::new(Grove::at(&self.location()).unwrap().tree(id(Algorithm::Sha256)))
    }

    /// One who writes it.
    pub(crate) fn writer(&self) -> Writer {
        Writer::open(self.store()).unwrap()
    }

    /// Writes a file of that tree, by somebody who has no business there; without bytes, removes it.
    pub(crate) fn tamper(&self, name: &str, bytes: Option<&[u8]>) {
        match self {
            Self::Folder(folder) => {
                let path = folder.path().join(id(Algorithm::Sha256).folder()).join(name);
                match bytes {
                    Some(bytes) => std::fs::write(path, bytes).unwrap(),
                    None => std::fs::remove_file(path).unwrap(),
                }
            }
            Self::Database(_) => {
                let bytes = bytes.map(hex::encode);
                let row = format!("WHERE name = '{name}'");
                let done = self.sql(match bytes {
                    None => format!("DELETE FROM duban_tree.files {row}"),
                    Some(bytes) => {
                        format!("UPDATE duban_tree.files SET bytes = decode('{bytes}', 'hex') {row}")
                    }
                });
                assert_eq!(done.rows_affected(), 1, "{name}");
            }
        }
    }

    /// Tells the database.
    pub(crate) fn sql(&self, sql: impl Into<String>) -> PgQueryResult {
        let (database, sql) = (self.database().clone(), AssertSqlSafe(sql.into()));
        apart(async move { sqlx::raw_sql(sql).execute(&mut database.superuser().await).await.unwrap() })
    }

    /// Asks the database.
    pub(crate) fn rows(&self, sql: &'static str) -> Vec<PgRow> {
        let database = self.database().clone();
        apart(async move { sqlx::query(sql).fetch_all(&mut database.superuser().await).await.unwrap() })
    }

    fn database(&self) -> &Database {
        let Self::Database(database) = self else { panic!("it is in a folder") };
        database
    }
}

/// Waits for what is asynchronous on a thread of its own, wherever it is asked.
pub(crate) fn apart<T: Send>(work: impl Future<Output = T> + Send) -> T {
    let run = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work);
    std::thread::scope(|scope| scope.spawn(run).join().unwrap())
}

/// An event under a tag that all have and one that every other has; two make up a command.
pub(crate) fn event(position: Position) -> StoredEvent {
    let data = json!({ "document": format!("documents/d{position}"), "title": "意见", "text": "一", "sha256": "00" });
    let event_type = "document.registered.v1";
    let body = json!({ "event": { "type": event_type, "data": data }, "context": {} }).to_string();
    let request = position.div_ceil(2);
    let request_id = Uuid::from_u128(request.into());
    let filed = |tag: &str, previous| Filed { tag: Tag::stored(tag), previous };
    let mut tags = vec![filed("all:one", position - 1)];
    if position.is_multiple_of(2) {
        tags.push(filed("even:one", position - 2));
    }
    StoredEvent {
        position,
        id: Uuid::from_u64_pair(1, position),
        event_type: event_type.to_owned(),
        recorded_at: Timestamp::from_second(request.try_into().unwrap()).unwrap(),
        effective_on: "2026-03-01".parse().unwrap(),
        actor: "tester".to_owned(),
        role: "supervisor".to_owned(),
        agency: None,
        request_id,
        correlation: request_id,
        causation: None,
        trace_id: None,
        nonce: [7; 32],
        body: body.into_bytes().into(),
        tags,
        fingerprint: Some([9; 32]),
    }
}

/// Answers each request by `answer`, of its path and its body: a status, a type, a body. The URL of it.
pub(crate) async fn serve(
    answer: impl Fn(&str, &[u8]) -> (u16, &'static str, Vec<u8>) + Send + Sync + 'static,
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer = Arc::new(answer);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let answer = Arc::clone(&answer);
            let respond = move |request: Request<Incoming>| {
                let answer = Arc::clone(&answer);
                async move {
                    let path = request.uri().path().to_owned();
                    let body = request.into_body().collect().await.unwrap().to_bytes();
                    let (status, kind, said) = answer(&path, &body);
                    let response = Response::builder().status(status).header("content-type", kind);
                    Ok::<_, Infallible>(response.body(Full::new(Bytes::from(said))).unwrap())
                }
            };
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(respond)));
        }
    });
    url
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
    kind: Kind,
    /// Of trees, by name.
    databases: Mutex<BTreeMap<String, Home>>,
}

/// An empty log, whose trees are stored so.
pub(crate) async fn log(kind: Kind) -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(LogOptions::new(folder.path().join("log"))).await.unwrap();
    Fixture { log, requests: AtomicU64::new(1), folder, kind, databases: Mutex::default() }
}

impl Fixture {
    /// A folder beside the log.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A place of trees that is called so.
    pub(crate) fn grove(&self, name: &str) -> Grove {
        let location = match self.kind {
            Kind::Folder => Location::Folder(self.path(name)),
            Kind::Database => {
                let mut databases = self.databases.lock().unwrap();
                databases.entry(name.to_owned()).or_insert_with(|| self.kind.home()).location()
            }
        };
        Grove::at(&location).unwrap()
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
