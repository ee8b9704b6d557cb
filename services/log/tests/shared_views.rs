//! Views on Postgres, run by one process and read by all: whoever runs them, and whoever dies.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod support;

use std::time::Duration;

use duban_domain::Recorded;
use duban_log::{Column, Location, Log, Poison, Row, State, View, ViewError, Views, Wanted};
use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, Row as _};
use support::Fixture;
use support::domain::{NameColumns, Names, rename_many, renamed, unruled};
use tokio::time::Instant;

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(10)
}

/// One more process: its log, its views.
struct Process {
    log: Log,
    views: Views,
}

impl Process {
    async fn start(f: &Fixture) -> Self {
        let log = f.again().await;
        let views = Views::open(&log).await.unwrap();
        views.start::<Names>().await.unwrap();
        Self { log, views }
    }

    async fn rows(&self) -> usize {
        let mut snapshot = self.views.read::<Names>(Wanted::Head, soon()).await.unwrap();
        snapshot.select::<Names>("key = 'all'", &[]).await.unwrap().len()
    }

    async fn stop(self) {
        self.log.close().await;
        self.views.close().await;
    }
}

async fn connect(f: &Fixture) -> PgConnection {
    let Location::Postgres(url) = &f.location else { unreachable!("these are tests of Postgres") };
    PgConnection::connect(url).await.unwrap()
}

async fn runner(connection: &mut PgConnection) -> Option<uuid::Uuid> {
    let sql = "SELECT runner FROM duban_views.view_positions WHERE view = 'names'";
    sqlx::query(sql).fetch_one(connection).await.unwrap().try_get(0).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whoever_writes_and_whoever_runs_the_view_every_process_reads_it_at_the_head() {
    let Some(f) = Fixture::postgres().await else { return };
    let (one, other) = (Process::start(&f).await, Process::start(&f).await);
    for round in 1..=15 {
        rename_many(&one.log, 1).await;
        assert_eq!(other.rows().await, 2 * round - 1);
        rename_many(&other.log, 1).await;
        assert_eq!(one.rows().await, 2 * round);
    }
    let mut connection = connect(&f).await;
    let runner_then = runner(&mut connection).await;
    rename_many(&one.log, 1).await;
    other.rows().await;
    assert_eq!(runner(&mut connection).await, runner_then, "one runs it as long as it can");
    one.stop().await;
    other.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_process_that_stops_hands_over_at_once() {
    let Some(f) = Fixture::postgres().await else { return };
    let one = Process::start(&f).await;
    rename_many(&f.log, 3).await;
    assert_eq!(one.rows().await, 3);
    let other = Process::start(&f).await;
    assert_eq!(other.rows().await, 3);
    one.stop().await;
    let mut connection = connect(&f).await;
    let start = Instant::now();
    rename_many(&f.log, 1).await;
    assert_eq!(other.rows().await, 4);
    assert!(runner(&mut connection).await.is_some());
    assert!(start.elapsed() < Duration::from_millis(2500), "a lease that is given back is not waited for");
    other.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_view_whose_runner_falls_silent_is_taken_over_within_seconds() {
    let Some(f) = Fixture::postgres().await else { return };
    let process = Process::start(&f).await;
    rename_many(&f.log, 3).await;
    assert_eq!(process.rows().await, 3);
    // Another process got the lease and was stopped right after: the first one is fenced, and waits for it.
    let mut connection = connect(&f).await;
    let sql = "UPDATE duban_views.view_positions
               SET runner = gen_random_uuid(), leased_until = clock_timestamp() + interval '3 seconds'";
    sqlx::query(sql).execute(&mut connection).await.unwrap();
    let silent = runner(&mut connection).await;
    let start = Instant::now();
    rename_many(&f.log, 1).await;
    assert_eq!(process.rows().await, 4);
    assert!(
        start.elapsed() > Duration::from_secs(2),
        "nobody writes a view that another one has the lease of"
    );
    assert!(start.elapsed() < Duration::from_secs(8));
    assert_ne!(runner(&mut connection).await, silent);
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_view_that_stopped_says_so_in_every_process() {
    let Some(f) = Fixture::postgres().await else { return };
    let (one, other) = (Process::start(&f).await, Process::start(&f).await);
    rename_many(&f.log, 3).await;
    assert_eq!((one.rows().await, other.rows().await), (3, 3));
    f.log.append(unruled(100, &renamed("finance", "poison"))).await.unwrap();
    for process in [&one, &other] {
        let refused = process.views.read::<Names>(Wanted::Head, soon()).await.err().unwrap();
        assert!(matches!(refused, ViewError::Stopped { position: 4, .. }), "{refused}");
        let status = process.views.following("names").unwrap().reached(4).await;
        assert!(matches!(status.state, State::Stopped { position: 4, .. }), "{status:?}");
        assert_eq!(process.views.digest::<Names>().await.unwrap().position, 3);
    }
    one.stop().await;
    other.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn both_engines_come_to_the_same_digest() {
    let Some(postgres) = Fixture::postgres().await else { return };
    let sqlite = Fixture::new().await;
    let mut digests = Vec::new();
    for f in [&sqlite, &postgres] {
        rename_many(&f.log, 57).await;
        let process = Views::open(&f.log).await.unwrap();
        process.start::<Names>().await.unwrap();
        process.read::<Names>(Wanted::Head, soon()).await.unwrap();
        digests.push(process.digest::<Names>().await.unwrap());
    }
    assert_eq!(digests[0].position, 57);
    assert_eq!(digests[0], digests[1]);
}

/// The same view by a newer program: every name is longer.
struct NewNames;

impl View for NewNames {
    const NAME: &'static str = "names";
    const VERSION: i64 = 2;
    const COLUMNS: &'static [Column] = Names::COLUMNS;
    type Columns = NameColumns;

    fn keys(recorded: &Recorded) -> Vec<String> {
        Names::keys(recorded)
    }

    fn project(
        key: &str,
        open: Vec<Row<NameColumns>>,
        recorded: &Recorded,
    ) -> Result<Vec<Row<NameColumns>>, Poison> {
        let mut rows = Names::project(key, open, recorded)?;
        if let Some(last) = rows.last_mut() {
            last.columns.name.push('!');
        }
        Ok(rows)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_newer_version_takes_the_place_of_an_older_one_that_went_on_until_then() {
    let Some(f) = Fixture::postgres().await else { return };
    let old = Process::start(&f).await;
    rename_many(&f.log, 30).await;
    assert_eq!(old.rows().await, 30);
    let log = f.again().await;
    let new = Views::open(&log).await.unwrap();
    new.start::<NewNames>().await.unwrap();
    rename_many(&f.log, 5).await;
    let mut snapshot = new.read::<NewNames>(Wanted::Head, soon()).await.unwrap();
    let found = snapshot.select::<NewNames>("key = 'all'", &[]).await.unwrap();
    drop(snapshot);
    assert_eq!(found.len(), 35);
    assert!(found.iter().all(|row| row.columns.name.ends_with('!')));
    // The columns may be others: whoever doesn't know them says that it can't answer.
    let refused = old.views.read::<Names>(Wanted::Head, soon()).await.err().unwrap();
    assert!(matches!(refused, ViewError::Stopped { .. }), "{refused}");
    old.stop().await;
    rename_many(&f.log, 1).await;
    new.read::<NewNames>(Wanted::Head, soon()).await.unwrap();
    log.close().await;
    new.close().await;
    // Nor does it build the older one again.
    let old = Process::start(&f).await;
    let refused = old.views.read::<Names>(Wanted::Latest, soon()).await.err().unwrap();
    assert!(matches!(refused, ViewError::Stopped { .. }), "{refused}");
    old.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_rebuilds_while_another_runs_the_view_and_all_read_it() {
    let Some(f) = Fixture::postgres().await else { return };
    let (runs, rebuilds) = (Process::start(&f).await, Process::start(&f).await);
    rename_many(&f.log, 50).await;
    assert_eq!(runs.rows().await, 50);
    let log = f.log.clone();
    let writing = tokio::spawn(async move { rename_many(&log, 100).await });
    for _ in 0..3 {
        assert!(rebuilds.views.rebuild::<Names>().await.unwrap().is_same());
        assert!(runs.rows().await >= 50);
    }
    writing.await.unwrap();
    assert_eq!((runs.rows().await, rebuilds.rows().await), (150, 150));
    assert!(rebuilds.views.rebuild::<Names>().await.unwrap().is_same());
    runs.stop().await;
    rebuilds.stop().await;
}
