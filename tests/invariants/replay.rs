//! 10: replaying the log from zero gives every view byte for byte, at every position.
//!
//! The live views took the events as they came; beside them, each prefix of the log is replayed by itself into
//! new views. At every position both say the same: digest for digest where the live views stood, and row for
//! row as what was known then.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::Path;

use duban::Service;
use duban::server::views_of;
use duban_agencies::{Agencies, AgencyNames};
use duban_log::views::{Digest, Found, Of, View, Wanted};
use duban_log::{Log, LogOptions, Views};
use duban_proto::call::v1::ProgressLevel;
use duban_proto::tasks::v1 as tasks;
use duban_proto::tasks::v1::AssignmentRole as Role;
use duban_reports::views::{Cycles, DutyHolders, Obligations, Reports};
use duban_tasks::views::{
    Anomalies, Assignments, Completion, Documents, Readings, Responsibility, ResponsibilityNames, Tasks,
};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};
use tempfile::TempDir;

use crate::support::{Engine, Office, assignment, because, context, from};

type Digests = Vec<(&'static str, Digest)>;

/// The views' digests, by where they stood.
#[derive(Default)]
struct Live(BTreeMap<u64, Digests>);

impl Live {
    async fn note(&mut self, office: &Office) {
        self.0.insert(office.head().await, office.digests().await);
    }
}

#[tokio::test]
async fn replaying_from_zero_gives_every_view_at_every_position() {
    // It cuts copies of the log's file; that the other engine has the same views, `both_engines` shows.
    if crate::ENGINE != Engine::Sqlite {
        return;
    }
    let mut office = Office::open().await;
    let mut live = Live::default();
    something_of_everything(&office, &mut live).await;
    let head = office.head().await;
    office.restart().await;
    assert_eq!(office.digests().await, live.0[&head], "going on after a restart changes nothing");
    office.close().await;

    let last = Replayed::in_folder(office.folder(), head).await;
    let mut compared = 0;
    for position in 0..=head {
        let folder = prefix(office.folder(), position).await;
        let then = Replayed::in_folder(folder.path(), position).await;
        if let Some(digests) = live.0.get(&position) {
            assert_eq!(&then.digests().await, digests, "replayed to {position}");
            compared += 1;
        }
        let (known, stood) = (last.known_at(position).await, then.known_at(position).await);
        for (view, stood) in stood {
            assert_eq!(known[view], stood, "{view} as known at {position}");
        }
        then.close().await;
    }
    assert!(compared > 25 && head > 35, "{compared} of {head}");
    last.close().await;
}

/// A log and the views that follow from it.
struct Replayed {
    log: Log,
    views: Views,
}

impl Replayed {
    async fn in_folder(folder: &Path, head: u64) -> Self {
        let log = Log::open(LogOptions::new(folder)).await.expect("a log");
        assert_eq!(log.head().await.expect("a head"), head);
        let views = Views::open(&log).await.expect("views");
        for view in views_of(&Service::ALL) {
            view.start(&views).await.expect("started").reached(head).await;
        }
        Self { log, views }
    }

    async fn digests(&self) -> Digests {
        let mut digests = Vec::new();
        for view in views_of(&Service::ALL) {
            digests.push((view.name, view.digest(&self.views).await.expect("a digest")));
        }
        digests
    }

    /// The rows of every view that were known at a position: all but their numbers and the end of knowing, and
    /// with the states that closed rows get back from the log.
    async fn known_at(&self, position: u64) -> BTreeMap<&'static str, Vec<String>> {
        let mut known = BTreeMap::new();
        macro_rules! views {
            ($($view:ty),*) => { $(known.insert(<$view>::NAME, self.rows::<$view>(position).await);)* };
        }
        views!(Of<Agencies>, AgencyNames, Of<Documents>, Of<Anomalies>, Of<Readings>, Of<Tasks>);
        views!(Of<Assignments>, Responsibility, Completion, ResponsibilityNames);
        views!(Of<Cycles>, Of<Obligations>, Of<Reports>, DutyHolders);
        assert_eq!(known.len(), views_of(&Service::ALL).len(), "every view is compared");
        known
    }

    async fn rows<V: View<Columns: Debug>>(&self, position: u64) -> Vec<String> {
        let mut snapshot =
            self.views.read::<V>(Wanted::Latest, tokio::time::Instant::now()).await.expect("a snapshot");
        let rest = "known_from <= $1 AND $1 < known_to ORDER BY key, number";
        let rows = snapshot.select::<V>(rest, &[position.into()]).await.expect("rows");
        let shown = |row: &Found<V::Columns>| {
            let Found { number: _, key, valid, known_from, known_to: _, because, columns } = row;
            format!("{key} {valid:?} {known_from} {because:?} {columns:?}")
        };
        rows.iter().map(shown).collect()
    }

    async fn close(self) {
        self.log.close().await;
        self.views.close().await;
    }
}

/// A new folder with the first events of the log.
async fn prefix(source: &Path, position: u64) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("log.db");
    std::fs::copy(source.join("log.db"), &path).expect("copied");
    // What SQLite has not folded in yet stands beside it.
    if source.join("log.db-wal").exists() {
        std::fs::copy(source.join("log.db-wal"), folder.path().join("log.db-wal")).expect("copied");
    }
    truncate(&path, position).await;
    folder
}

/// Cuts the copy of a log after a position: what no log lets be done to itself.
async fn truncate(path: &Path, position: u64) {
    let mut copy = connect(path).await;
    let tables = [("events", "position"), ("event_tags", "position"), ("receipts", "last_position")];
    let mut script = "PRAGMA synchronous = OFF;".to_owned();
    for (table, column) in tables {
        let cut = format!("DROP TRIGGER {table}_no_delete; DELETE FROM {table} WHERE {column} > {position};");
        script.push_str(&cut);
    }
    sqlx::raw_sql(sqlx::AssertSqlSafe(script)).execute(&mut copy).await.expect("cut");
    copy.close().await.expect("closed");
}

async fn connect(path: &Path) -> SqliteConnection {
    SqliteConnectOptions::new().filename(path).connect().await.expect("a database")
}

/// A small log with events of every subject, the views noted after each command.
async fn something_of_everything(office: &Office, live: &mut Live) {
    let supervisor = office.supervisor();
    for id in ["fgw", "czt", "jtt", "gxt"] {
        office.register_agencies(&[id]).await;
        live.note(office).await;
    }
    a_document(office, live).await;
    office.dispatch("t", "2026-01-05", &["fgw", "czt"]).await;
    live.note(office).await;
    for id in ["fgw", "czt"] {
        office.acknowledge("t", id).await;
        live.note(office).await;
    }
    let parties = ("t", "jtt");
    supervisor
        .assign(from("2026-01-10"), parties, "jtt", Role::Supporting, Some("2026-12-01"))
        .await
        .expect("assigned");
    live.note(office).await;
    office.agency("jtt").contest(context(), parties, "职责不符").await.expect("contested");
    live.note(office).await;
    supervisor.uphold(context(), &assignment("t", "jtt")).await.expect("upheld");
    live.note(office).await;
    office.reassign("t", "czt", "gxt", "2026-02-01").await;
    live.note(office).await;
    let sides = (Some("czt"), Some("czt-gxt"));
    supervisor.correct_boundary(because("笔误"), "t", sides, "2026-02-10").await.expect("corrected");
    live.note(office).await;
    supervisor.reinterpret(from("2026-02-20"), parties, Role::Responsible).await.expect("reinterpreted");
    live.note(office).await;
    supervisor.rename(from("2026-02-01"), "gxt", "工业和信息化厅").await.expect("renamed");
    live.note(office).await;
    office.cycle_opened("fgw", 2026, "2026-03-31", 2).await;
    live.note(office).await;
    progress_and_reports(office, live).await;
    supervisor.release(from("2026-04-05"), &assignment("t", "jtt")).await.expect("released");
    live.note(office).await;
    let gone = duban_proto::call::v1::CommandContext { reason: "撤销".to_owned(), ..from("2026-05-01") };
    supervisor.dissolve(gone, "agencies/jtt").await.expect("dissolved");
    live.note(office).await;
}

async fn a_document(office: &Office, live: &mut Live) {
    let mut client = office.supervisor().documents();
    let register = tasks::RegisterDocumentRequest {
        context: Some(context()),
        document_id: Some("d".to_owned()),
        title: "意见".to_owned(),
        text: "一、总体要求\n二、任务\n".to_owned(),
        ..Default::default()
    };
    client.register_document(register).await.expect("registered");
    live.note(office).await;
    let anomaly = tasks::RecordAnomalyRequest {
        context: Some(context()),
        document: "documents/d".to_owned(),
        anomaly_id: Some("a".to_owned()),
        kind: tasks::AnomalyKind::MissingElement.into(),
        first_line: 1,
        last_line: 1,
        description: "没有文号".to_owned(),
        ..Default::default()
    };
    client.record_anomaly(anomaly).await.expect("recorded");
    live.note(office).await;
    let reading = tasks::AdoptReadingRequest {
        context: Some(because("原文如此")),
        document: "documents/d".to_owned(),
        reading_id: Some("r".to_owned()),
        anomalies: vec!["documents/d/anomalies/a".to_owned()],
        statement: "文号未知".to_owned(),
        confidence: tasks::Confidence::High.into(),
        first_line: 1,
        last_line: 1,
        ..Default::default()
    };
    client.adopt_reading(reading).await.expect("adopted");
    live.note(office).await;
    let withdraw = tasks::WithdrawReadingRequest {
        context: Some(because("文号已查明")),
        reading: "documents/d/readings/r".to_owned(),
    };
    client.withdraw_reading(withdraw).await.expect("withdrawn");
    live.note(office).await;
}

async fn progress_and_reports(office: &Office, live: &mut Live) {
    let (lead, supervisor) = (office.agency("fgw"), office.supervisor());
    lead.record(context(), "t", ProgressLevel::Limited, "起步").await.expect("recorded");
    live.note(office).await;
    supervisor.check(context(), "t", ProgressLevel::NotStarted, "未见佐证").await.expect("verified");
    live.note(office).await;
    lead.draft(context(), 2026, "r").await.expect("drafted");
    live.note(office).await;
    lead.endorse(context(), "reports/r").await.expect("endorsed");
    live.note(office).await;
    lead.submit(context(), "reports/r").await.expect("submitted");
    live.note(office).await;
    supervisor.receive(context(), "reports/r").await.expect("received");
    live.note(office).await;
    supervisor.accept(context(), "reports/r").await.expect("accepted");
    live.note(office).await;
    let head = office.head().await;
    office.on("2026-04-01");
    // Who leads with it has said nothing.
    office.reached(head + 1).await;
    live.note(office).await;
    lead.request_closure(context(), "t").await.expect("asked");
    live.note(office).await;
    supervisor.complete(context(), "t").await.expect("completed");
    live.note(office).await;
    office.second_supervisor().strike_off(context(), "tasks/t").await.expect("struck off");
    live.note(office).await;
}
