//! The view machinery: rows and position in one transaction, the same at every position, deletable.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use duban_domain::Recorded;
use duban_log::{Found, Location, State, View, ViewError, Views, Wanted};
use proptest::prelude::*;
use sqlx::postgres::PgConnection;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};
use support::domain::{NameColumns, Names, rename_many, renamed, unruled};
use support::{Fixture, append, raw};
use tokio::time::Instant;

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(10)
}

async fn open(f: &Fixture) -> Views {
    let views = Views::open(&f.log).await.unwrap();
    views.start::<Names>().await.unwrap();
    views
}

async fn rows(views: &Views, rest: &str) -> Vec<Found<NameColumns>> {
    let mut snapshot = views.read::<Names>(Wanted::Head, soon()).await.unwrap();
    snapshot.select::<Names>(rest, &[]).await.unwrap()
}

/// Changes what a view says behind its back.
async fn tamper(f: &Fixture, sql: &str) {
    match &f.location {
        Location::Folder(folder) => {
            let options = SqliteConnectOptions::new().filename(folder.join("views.db"));
            let mut connection = options.connect().await.unwrap();
            sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
            connection.close().await.unwrap();
        }
        Location::Postgres(url) => {
            let mut connection = PgConnection::connect(url).await.unwrap();
            let sql = format!("SET search_path = duban_views; {sql}");
            sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
            connection.close().await.unwrap();
        }
    }
}

/// Each on a fresh log of either engine.
macro_rules! on_both_engines {
    ($($name:ident)*) => {
        mod sqlite {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $name() {
                    super::$name(super::Fixture::new().await).await;
                }
            )*
        }

        mod postgres {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $name() {
                    // Said loudly where the engine is missing.
                    let Some(fixture) = super::Fixture::postgres().await else { return };
                    super::$name(fixture).await;
                }
            )*
        }
    };
}

on_both_engines! {
    a_row_says_what_was_known_when_and_why
    a_reader_sees_every_write_that_was_acknowledged_before
    rows_and_position_are_of_one_moment
    a_position_beyond_the_head_is_said_so_at_once
    a_view_that_stopped_says_so_at_once
    a_view_behind_says_so_at_the_deadline
    a_view_goes_on_where_it_stood
    a_rebuild_shows_what_was_changed_and_repairs_it
    a_rebuild_keeps_up_with_what_comes_meanwhile
    a_reader_keeps_its_state_while_the_tables_are_swapped
    two_followers_of_one_view_fence_each_other
    a_view_is_no_larger_than_what_it_was_told
    a_long_log_is_caught_up_while_more_comes
}

async fn a_row_says_what_was_known_when_and_why(f: Fixture) {
    let views = open(&f).await;
    for (id, name) in [(1, "one"), (2, "two"), (3, "three")] {
        f.log.append(unruled(id, &renamed("finance", name))).await.unwrap();
    }
    let found = rows(&views, "key = 'agencies/finance' ORDER BY number").await;
    let known: Vec<_> =
        found.iter().map(|row| (row.known_from, row.known_to, row.columns.name.as_str())).collect();
    assert_eq!(known, [(1, Some(2), "one"), (2, Some(3), "two"), (3, None, "three")]);
    assert_eq!(found[1].because, [2]);
    assert_eq!(found[1].columns.former.as_deref(), Some("one"));
    assert_eq!(found[1].columns.letters, ['t', 'w', 'o']);
    assert_eq!(found[1].valid.until, None);
}

async fn a_reader_sees_every_write_that_was_acknowledged_before(f: Fixture) {
    let views = open(&f).await;
    for n in 1..=100 {
        f.log.append(unruled(n, &renamed("finance", &format!("name {n}")))).await.unwrap();
        let found = rows(&views, "key = 'agencies/finance' ORDER BY number DESC LIMIT 1").await;
        assert_eq!(found[0].columns.name, format!("name {n}"));
    }
}

async fn rows_and_position_are_of_one_moment(f: Fixture) {
    let views = open(&f).await;
    rename_many(&f.log, 5).await;
    let mut snapshot = views.read::<Names>(Wanted::AtLeast(5), soon()).await.unwrap();
    rename_many(&f.log, 5).await;
    views.read::<Names>(Wanted::Head, soon()).await.unwrap();
    let counts = "COUNT(*) AS rows, MAX(known_from) AS last";
    let record = snapshot.query::<Names>(counts, "key = $1", &["all".into()]).await.unwrap().remove(0);
    assert_eq!((snapshot.position(), record.integer("rows"), record.integer("last")), (5, Some(5), Some(5)));
}

async fn a_position_beyond_the_head_is_said_so_at_once(f: Fixture) {
    let views = open(&f).await;
    let refused = views.read::<Names>(Wanted::AtLeast(1), soon()).await.err().unwrap();
    assert!(matches!(refused, ViewError::BeyondHead { wanted: 1, head: 0 }), "{refused}");
}

async fn a_view_that_stopped_says_so_at_once(f: Fixture) {
    let views = open(&f).await;
    rename_many(&f.log, 3).await;
    f.log.append(unruled(100, &renamed("finance", "poison"))).await.unwrap();
    for wanted in [Wanted::Head, Wanted::AtLeast(4), Wanted::AtLeast(1), Wanted::Latest] {
        views.following("names").unwrap().reached(4).await;
        let refused = views.read::<Names>(wanted, soon()).await.err().unwrap();
        assert!(matches!(refused, ViewError::Stopped { position: 4, .. }), "{refused}");
    }
    let digest = views.digest::<Names>().await.unwrap();
    assert_eq!(digest.position, 3);
}

async fn a_view_behind_says_so_at_the_deadline(f: Fixture) {
    let views = Views::open(&f.log).await.unwrap();
    rename_many(&f.log, 1).await;
    let not_run = views.read::<Names>(Wanted::Latest, soon()).await.err().unwrap();
    assert!(matches!(not_run, ViewError::NotRunning("names")), "{not_run}");
    let mut newer = append(100, &[]);
    newer.events = vec![raw("task.teleported.v1", &["a"], br#"{"event":{"type":"task.teleported.v1"}}"#)];
    f.log.append(newer).await.unwrap();
    let following = views.start::<Names>().await.unwrap();
    let status = following.reached(2).await;
    assert!(matches!(status.state, State::Outdated { position: 2, .. }));
}

#[tokio::test]
async fn views_may_be_deleted_and_are_built_again() {
    let mut f = Fixture::new().await;
    let views = open(&f).await;
    rename_many(&f.log, 30).await;
    rows(&views, "1 = 1").await;
    let before = views.digest::<Names>().await.unwrap();
    f.log.close().await;
    views.close().await;
    for name in ["views.db", "views.db-wal", "views.db-shm"] {
        std::fs::remove_file(f.folder.path().join(name)).ok();
    }
    f.reopen().await;
    let views = open(&f).await;
    rows(&views, "1 = 1").await;
    assert_eq!(views.digest::<Names>().await.unwrap(), before);
}

#[tokio::test]
async fn views_that_cannot_be_read_are_built_again() {
    let mut f = Fixture::new().await;
    let views = open(&f).await;
    rename_many(&f.log, 3).await;
    rows(&views, "1 = 1").await;
    f.log.close().await;
    views.close().await;
    std::fs::write(f.folder.path().join("views.db"), "not a database at all, but long enough").unwrap();
    f.reopen().await;
    let views = open(&f).await;
    assert_eq!(rows(&views, "key = 'all'").await.len(), 3);
}

#[tokio::test]
async fn views_of_another_log_are_built_again() {
    let f = Fixture::new().await;
    let views = open(&f).await;
    rename_many(&f.log, 3).await;
    rows(&views, "1 = 1").await;
    f.log.close().await;
    views.close().await;
    let other = Fixture::new().await;
    other.log.close().await;
    std::fs::copy(f.folder.path().join("views.db"), other.folder.path().join("views.db")).unwrap();
    std::fs::remove_file(other.folder.path().join("log.db")).unwrap();
    let log = duban_log::Log::open(duban_log::LogOptions::new(other.folder.path())).await.unwrap();
    // As many events as those views have seen, and others.
    for n in 1..=3 {
        log.append(unruled(n, &renamed("other", &format!("other {n}")))).await.unwrap();
    }
    let views = Views::open(&log).await.unwrap();
    views.start::<Names>().await.unwrap();
    let found = rows(&views, "key = 'all'").await;
    assert!(found.len() == 3 && found.iter().all(|row| row.columns.agency == "agencies/other"), "{found:?}");
}

/// The same table by another version, which also keeps nothing.
struct NewNames;

impl View for NewNames {
    const NAME: &'static str = "names";
    const VERSION: i64 = 2;
    const COLUMNS: &'static [duban_log::Column] = Names::COLUMNS;
    type Columns = NameColumns;

    fn keys(_: &Recorded) -> Vec<String> {
        vec![]
    }

    fn project(
        _: &str,
        open: Vec<duban_log::Row<NameColumns>>,
        _: &Recorded,
    ) -> Result<Vec<duban_log::Row<NameColumns>>, duban_log::Poison> {
        Ok(open)
    }
}

#[tokio::test]
async fn a_view_of_another_version_is_built_again() {
    let mut f = Fixture::new().await;
    let views = open(&f).await;
    rename_many(&f.log, 3).await;
    rows(&views, "1 = 1").await;
    f.reopen().await;
    views.close().await;
    let views = Views::open(&f.log).await.unwrap();
    views.start::<NewNames>().await.unwrap();
    let mut snapshot = views.read::<NewNames>(Wanted::Head, soon()).await.unwrap();
    assert_eq!(snapshot.position(), 3);
    assert!(snapshot.select::<NewNames>("1 = 1", &[]).await.unwrap().is_empty());
}

async fn a_view_goes_on_where_it_stood(mut f: Fixture) {
    let views = open(&f).await;
    rename_many(&f.log, 7).await;
    rows(&views, "1 = 1").await;
    f.reopen().await;
    views.close().await;
    rename_many(&f.log, 6).await;
    let views = open(&f).await;
    assert_eq!(rows(&views, "key = 'all'").await.len(), 13);
    let rebuilt = views.rebuild::<Names>().await.unwrap();
    assert!(rebuilt.is_same(), "{rebuilt:?}");
}

async fn a_rebuild_shows_what_was_changed_and_repairs_it(f: Fixture) {
    let views = open(&f).await;
    rename_many(&f.log, 20).await;
    let sound = rows(&views, "1 = 1 ORDER BY number").await;
    tamper(&f, "UPDATE names SET name = 'forged' WHERE number = 5").await;
    let rebuilt = views.rebuild::<Names>().await.unwrap();
    assert!(!rebuilt.is_same());
    assert_eq!((rebuilt.before.position, rebuilt.after.position), (20, 20));
    assert_eq!(rows(&views, "1 = 1 ORDER BY number").await, sound);
    // It goes on in its new table, and can be rebuilt again.
    rename_many(&f.log, 5).await;
    rows(&views, "1 = 1").await;
    assert!(views.rebuild::<Names>().await.unwrap().is_same());
}

async fn a_rebuild_keeps_up_with_what_comes_meanwhile(f: Fixture) {
    let views = open(&f).await;
    rename_many(&f.log, 100).await;
    let log = f.log.clone();
    let writing = tokio::spawn(async move { rename_many(&log, 200).await });
    for _ in 0..5 {
        assert!(views.rebuild::<Names>().await.unwrap().is_same());
    }
    writing.await.unwrap();
    assert_eq!(rows(&views, "key = 'all'").await.len(), 300);
    assert!(views.rebuild::<Names>().await.unwrap().is_same());
}

async fn a_reader_keeps_its_state_while_the_tables_are_swapped(f: Fixture) {
    let views = open(&f).await;
    rename_many(&f.log, 50).await;
    for _ in 0..3 {
        let mut snapshot = views.read::<Names>(Wanted::Head, soon()).await.unwrap();
        let rebuilding = tokio::spawn({
            let views = views.clone();
            async move { views.rebuild::<Names>().await }
        });
        // Long enough for all of it, were there nobody reading; and meanwhile the others go on.
        for _ in 0..20 {
            tokio::time::sleep(Duration::from_millis(50)).await;
            assert_eq!(rows(&views, "key = 'all'").await.len(), 50);
        }
        assert_eq!(snapshot.select::<Names>("key = 'all'", &[]).await.unwrap().len(), 50);
        drop(snapshot);
        assert!(rebuilding.await.unwrap().unwrap().is_same());
    }
}

async fn two_followers_of_one_view_fence_each_other(f: Fixture) {
    // On Postgres, one of them has the lease: there they never come to that.
    let (one, other) = (open(&f).await, open(&f).await);
    for _ in 0..30 {
        rename_many(&f.log, 1).await;
        one.read::<Names>(Wanted::Head, soon()).await.unwrap();
    }
    other.read::<Names>(Wanted::Head, soon()).await.unwrap();
    assert_eq!(rows(&one, "key = 'all'").await.len(), 30);
    assert!(one.rebuild::<Names>().await.unwrap().is_same());
}

/// More than a stretch of the log, and than the run behind leaves to the one at the front.
async fn a_long_log_is_caught_up_while_more_comes(f: Fixture) {
    const TOGETHER: u128 = 400;
    for batch in 0..26 {
        let event = |n: u128| {
            unruled(batch * TOGETHER + n, &renamed(&format!("a{}", n % 10), &format!("第{batch}厅{n}")))
        };
        let mut append = event(0);
        append.events.extend((1..TOGETHER).flat_map(|n| event(n).events));
        f.log.append(append).await.unwrap();
    }
    let views = open(&f).await;
    for n in 0..100 {
        f.log.append(unruled(100_000 + n, &renamed("a1", &format!("厅{n}")))).await.unwrap();
    }
    let all = rows(&views, "1 = 1 ORDER BY number").await;
    assert!(all.iter().map(|row| row.number).eq(1..=2 * 10_500), "two rows an event, none twice");
    assert!(views.rebuild::<Names>().await.unwrap().is_same());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// However the events come in, in one page or one by one, the rows are the same bytes at every stop.
    #[test]
    fn pages_of_any_size_come_to_the_same(stops in proptest::collection::vec(1..40_u128, 1..6)) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let f = Fixture::new().await;
            let live = open(&f).await;
            for stop in stops {
                for _ in 0..stop {
                    rename_many(&f.log, 1).await;
                    // Now and then the view takes a page of one.
                    if stop % 3 == 0 {
                        rows(&live, "1 = 0").await;
                    }
                }
                rows(&live, "1 = 0").await;
                let rebuilt = live.rebuild::<Names>().await.unwrap();
                assert!(rebuilt.is_same(), "{rebuilt:?}");
            }
            f.log.close().await;
        });
    }
}

async fn a_view_is_no_larger_than_what_it_was_told(f: Fixture) {
    let views = open(&f).await;
    rename_many(&f.log, 50).await;
    let open_rows = rows(&views, "known_to = 9223372036854775807").await;
    // One for each of ten agencies, and the last three of all.
    assert_eq!(open_rows.len(), 13);
    let numbers: Vec<_> = rows(&views, "1 = 1 ORDER BY number").await.iter().map(|row| row.number).collect();
    assert_eq!(numbers, (1..=100).collect::<Vec<_>>());
    drop(Arc::new(views));
}
