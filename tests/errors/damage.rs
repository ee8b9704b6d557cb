//! What is said when the log or a view is not as it should be: damaged past its triggers, stopped, locked, full.
//! Where the damage is done to SQLite's file, the tests of the other engine pass by: its own are beside the log.

use std::path::Path;
use std::time::Duration;

use duban_log::{Log, LogOptions, Views};
use duban_proto::agencies::v1 as agencies;
use duban_proto::agencies::v1::agency_service_server::AgencyServiceServer;
use duban_proto::audit::v1 as audit;
use duban_proto::tasks::v1 as tasks;
use duban_rpc::{Doors, Options, Server, door};
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};
use tokio_util::sync::CancellationToken;
use tonic::transport::Endpoint;
use tonic::{Code, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use super::{again_soon, fact, told};
use crate::support::{As, Engine, Office, because, context, events};

/// The log's file, by somebody who has no business there.
async fn intruder(folder: &Path) -> SqliteConnection {
    SqliteConnectOptions::new().filename(folder.join("log.db")).connect().await.expect("the file opens")
}

/// Four agencies, the first of which was renamed: five events. Then somebody does this to the log, past its
/// triggers, the views are gone, and the server is started again.
async fn damaged(sql: &'static str) -> Office {
    let mut office = Office::open().await;
    office.register_agencies(&["a", "b", "c", "d"]).await;
    office.supervisor().rename(context(), "a", "新名").await.expect("renamed");
    office.close().await;
    let mut file = intruder(office.folder()).await;
    for what in ["update", "delete"] {
        let drop = format!("DROP TRIGGER events_no_{what}");
        sqlx::raw_sql(AssertSqlSafe(drop)).execute(&mut file).await.expect("the trigger is gone");
    }
    let done = sqlx::raw_sql(sql).execute(&mut file).await.expect("it is done");
    assert_eq!(done.rows_affected(), 1);
    file.close().await.expect("closed");
    for part in ["views.db", "views.db-wal", "views.db-shm"] {
        // Not each of them is always there.
        let _ = std::fs::remove_file(office.folder().join(part));
    }
    office.restart().await;
    office
}

/// How reading the whole log ends.
async fn read_through(office: &Office, format: audit::EventFormat) -> Status {
    let request = audit::ReadRequest { format: format.into(), ..Default::default() };
    let mut pages = match office.auditor().audit().read(request).await {
        Ok(pages) => pages.into_inner(),
        Err(status) => return status,
    };
    loop {
        match pages.message().await {
            Ok(page) => assert!(page.is_some(), "the damage is not passed over"),
            Err(status) => return status,
        }
    }
}

/// Damage, at a position.
#[track_caller]
fn lost(status: &Status, position: u64) {
    let details = told(status, Code::DataLoss, "POSITION_GAP");
    assert_eq!(fact(&details, "position"), position.to_string());
}

/// A view that stopped before a position.
#[track_caller]
fn stopped(status: &Status, position: u64) {
    let details = told(status, Code::Unavailable, "VIEW_STOPPED");
    again_soon(&details);
    assert_eq!(fact(&details, "position"), position.to_string());
    assert!(!fact(&details, "view").is_empty());
}

/// Asks the view of agencies until it has found out that it can't go on.
async fn listed(office: &Office) -> Status {
    office
        .auditor()
        .agencies()
        .list_agencies(agencies::ListAgenciesRequest::default())
        .await
        .expect_err("a refusal")
}

#[tokio::test]
async fn an_event_that_is_gone_is_data_loss_and_stops_the_views() {
    if crate::ENGINE != Engine::Sqlite {
        return;
    }
    let mut office = damaged("DELETE FROM events WHERE position = 1").await;
    lost(&read_through(&office, audit::EventFormat::Event).await, 1);
    // What was decided on it is not decided anew without it.
    lost(&office.supervisor().rename(context(), "a", "又一名").await.unwrap_err(), 1);
    stopped(&listed(&office).await, 1);
    assert_eq!(office.head().await, 5);

    let mut health = HealthClient::new(office.channel());
    let mut watched = health
        .watch(HealthCheckRequest { service: "duban.agencies.v1.AgencyService".to_owned() })
        .await
        .expect("anyone may watch")
        .into_inner();
    let unhealthy =
        async { while watched.message().await.expect("a status").expect("a status").status != 2 {} };
    tokio::time::timeout(Duration::from_secs(10), unhealthy).await.expect("NOT_SERVING");
    office.close().await;
}

#[tokio::test]
async fn a_gap_in_the_middle_is_named_by_its_position() {
    if crate::ENGINE != Engine::Sqlite {
        return;
    }
    let mut office = damaged("DELETE FROM events WHERE position = 3").await;
    lost(&read_through(&office, audit::EventFormat::Event).await, 3);
    stopped(&listed(&office).await, 3);
    office.close().await;
}

#[tokio::test]
async fn a_body_that_is_no_event_is_data_loss_and_stops_the_views() {
    if crate::ENGINE != Engine::Sqlite {
        return;
    }
    let mut office = damaged("UPDATE events SET body = CAST('secret' AS BLOB) WHERE position = 1").await;
    lost(&office.supervisor().rename(context(), "a", "又一名").await.unwrap_err(), 1);
    lost(&read_through(&office, audit::EventFormat::CloudEventsJson).await, 1);
    let status = listed(&office).await;
    stopped(&status, 1);
    assert!(!format!("{status:?}").contains("secret"), "the damage is not repeated to callers");
    office.close().await;
}

#[tokio::test]
async fn an_event_of_a_newer_version_asks_for_a_newer_server() {
    if crate::ENGINE != Engine::Sqlite {
        return;
    }
    let mut office = damaged("UPDATE events SET type = 'agency.registered.v9' WHERE position = 1").await;
    let refused = office.supervisor().rename(context(), "a", "又一名").await.unwrap_err();
    let details = told(&refused, Code::Unavailable, "VERSION_OUTDATED");
    again_soon(&details);
    assert_eq!(fact(&details, "position"), "1");
    assert_eq!(listed(&office).await.code(), Code::Unavailable);
    office.close().await;
}

#[tokio::test]
async fn a_log_that_takes_no_writes_says_when_to_send_it_again() {
    if crate::ENGINE != Engine::Sqlite {
        return;
    }
    let office = Office::open().await;
    let mut file = intruder(office.folder()).await;
    let lock = file.begin_with("BEGIN IMMEDIATE").await.expect("the write lock");
    let (supervisor, context) = (office.supervisor(), context());
    let refused = office.refuses("LOG_UNAVAILABLE", supervisor.propose(context.clone(), Some("t"))).await;
    again_soon(&told(&refused, Code::Unavailable, "LOG_UNAVAILABLE"));
    let words = refused.message().to_lowercase();
    assert!(!words.contains("sqlite") && !words.contains("lock"), "{words}");
    office.auditor().audit().get_head(audit::GetHeadRequest {}).await.expect("it is still read");
    lock.rollback().await.expect("let go");
    let receipt =
        supervisor.propose(context, Some("t")).await.expect("sent again").receipt.expect("a receipt");
    assert_eq!((receipt.last_position, office.head().await), (1, 1));
    office.verify().await;
}

#[tokio::test]
async fn a_full_queue_says_when_to_send_it_again() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::bind(Options::at(([127, 0, 0, 1], 0).into())).await.unwrap();
    let log = Log::open(LogOptions { queue: 1, ..LogOptions::new(folder.path()) }).await.unwrap();
    let views = Views::open(&log).await.unwrap();
    let service = duban_agencies::open(&log, &views).await.unwrap();
    let doors = Doors::default().with(door!(AgencyServiceServer::new(service)));
    let (address, stop) = (server.address(), CancellationToken::new());
    let serving = tokio::spawn(server.serve(doors, stop.clone().cancelled_owned()));
    let channel = Endpoint::from_shared(format!("http://{address}")).unwrap().connect_lazy();
    let supervisor = As::on(channel, "supervisor-1", "supervisor", None);

    let mut file = intruder(folder.path()).await;
    let lock = file.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let register = |number: usize| {
        let (supervisor, context, name) = (supervisor.clone(), context(), format!("机构{number}"));
        async move { (supervisor.register_agency(context.clone(), None, &name).await, context, name) }
    };
    // Some are being written, one waits, and whoever comes then hears so at once.
    let mut calls: FuturesUnordered<_> = (0..16).map(register).collect();
    let (answer, context, name) = calls.next().await.unwrap();
    let details = told(&answer.unwrap_err(), Code::ResourceExhausted, "QUEUE_FULL");
    again_soon(&details);
    assert!(details.quota_failure().is_some());
    lock.rollback().await.unwrap();
    let answers: Vec<_> = calls.collect().await;
    let written = answers.iter().filter(|(answer, ..)| answer.is_ok()).count();
    assert!(written > 0, "what waited is written");
    supervisor.register_agency(context, None, &name).await.expect("sent again");
    let auditor = As::on(
        Endpoint::from_shared(format!("http://{address}")).unwrap().connect_lazy(),
        "a",
        "auditor",
        None,
    );
    let list = agencies::ListAgenciesRequest { page_size: 100, ..Default::default() };
    let listed = auditor.agencies().list_agencies(list).await.unwrap().into_inner().agencies;
    assert_eq!(listed.len(), written + 1);
    drop(auditor);

    stop.cancel();
    serving.await.unwrap().unwrap();
    log.close().await;
    views.close().await;
}

#[tokio::test]
async fn a_reply_without_measure_asks_for_a_smaller_page() {
    let office = Office::open().await;
    let supervisor = office.supervisor();
    let long = "省".repeat(10_000);
    // Each reading says its reason: some thirty kilobytes.
    document(&supervisor).await;
    for _ in 0..150 {
        let adopt = tasks::AdoptReadingRequest {
            context: Some(because(&long)),
            document: "documents/d".to_owned(),
            statement: "就是这样".to_owned(),
            confidence: 3,
            first_line: 1,
            last_line: 1,
            ..Default::default()
        };
        supervisor.documents().adopt_reading(adopt).await.expect("adopted");
    }
    let list = |page_size| tasks::ListReadingsRequest {
        parent: "documents/d".to_owned(),
        page_size,
        ..Default::default()
    };
    let refused = supervisor.documents().list_readings(list(1000)).await.unwrap_err();
    let details = told(&refused, Code::ResourceExhausted, "REPLY_TOO_LARGE");
    assert!(details.quota_failure().is_some() && details.retry_info().is_none(), "waiting doesn't help");
    let page = supervisor.documents().list_readings(list(100)).await.expect("a smaller page").into_inner();
    assert_eq!(page.readings.len(), 100);
    assert_eq!(events(&office.auditor()).await.len(), 151);
    office.verify().await;
}

async fn document(supervisor: &As) {
    let register = tasks::RegisterDocumentRequest {
        context: Some(context()),
        document_id: Some("d".to_owned()),
        title: "实施意见".to_owned(),
        text: "第一条\n".to_owned(),
        ..Default::default()
    };
    supervisor.documents().register_document(register).await.expect("registered");
}
