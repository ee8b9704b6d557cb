//! 10: replaying the log from zero gives every view byte for byte, at every position.
//!
//! The live views took the events as they came; beside them, each prefix of the log is replayed by itself into
//! new views. At every position both say the same: digest for digest where the live views stood, and row for
//! row as what was known then.

use std::collections::BTreeMap;
use std::path::Path;

use duban::Service;
use duban::server::views_of;
use duban_log::views::Digest;
use duban_log::{Log, LogOptions, Views};
use duban_proto::call::v1::ProgressLevel;
use duban_proto::tasks::v1 as tasks;
use duban_proto::tasks::v1::AssignmentRole as Role;
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

    let mut last = connect(&office.folder().join("views.db")).await;
    let mut compared = 0;
    for position in 0..=head {
        let (folder, replayed) = replay(office.folder(), position).await;
        if let Some(digests) = live.0.get(&position) {
            assert_eq!(&replayed, digests, "replayed to {position}");
            compared += 1;
        }
        let mut then = connect(&folder.path().join("views.db")).await;
        for view in views_of(&Service::ALL) {
            let known = rows(&mut last, view.name, position).await;
            let stood = rows(&mut then, view.name, position).await;
            assert_eq!(known, stood, "{} as known at {position}", view.name);
        }
        then.close().await.expect("closed");
    }
    assert!(compared > 25 && head > 35, "{compared} of {head}");
    last.close().await.expect("closed");
}

/// A new folder with the first events of the log, and the views that follow from them.
async fn replay(source: &Path, position: u64) -> (TempDir, Digests) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("log.db");
    std::fs::copy(source.join("log.db"), &path).expect("copied");
    // What SQLite has not folded in yet stands beside it.
    if source.join("log.db-wal").exists() {
        std::fs::copy(source.join("log.db-wal"), folder.path().join("log.db-wal")).expect("copied");
    }
    truncate(&path, position).await;
    let log = Log::open(LogOptions::new(folder.path())).await.expect("a log");
    assert_eq!(log.head().await.expect("a head"), position);
    let views = Views::open(&log).await.expect("views");
    let mut digests = Vec::new();
    for view in views_of(&Service::ALL) {
        view.start(&views).await.expect("started").reached(position).await;
        digests.push((view.name, view.digest(&views).await.expect("a digest")));
    }
    log.close().await;
    views.close().await;
    (folder, digests)
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

/// The rows of a view that were known at a position, every column but the row number and the end of knowing.
async fn rows(views: &mut SqliteConnection, view: &str, position: u64) -> Vec<String> {
    let sql =
        format!("SELECT name FROM pragma_table_info('{view}') WHERE name NOT IN ('number', 'known_to')");
    let columns: Vec<String> =
        sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_all(&mut *views).await.expect("columns");
    assert!(columns.len() > 4, "{view}: {columns:?}");
    let columns = columns.join(", ");
    let sql = format!(
        "SELECT json_array({columns}) AS row FROM {view}
         WHERE known_from <= {position} AND {position} < known_to ORDER BY row"
    );
    sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_all(views).await.expect("rows")
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
