//! A superuser who changes the log on Postgres past its triggers: `duban verify` names what was changed.

#[allow(dead_code, reason = "most of the scene is of SQLite's files")]
#[path = "verifying/scene.rs"]
mod scene;

use duban_log::{Held, Location};
use scene::{Verified, duban, sign};
use sqlx::{AssertSqlSafe, Connection as _};

use crate::support::Office;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_superuser_changes_is_named() {
    let mut office = Office::open().await;
    office.import().await;
    office.digests().await;
    office.close().await;
    let original = office.place().database().clone();
    let trees = tempfile::tempdir().expect("a folder");
    let held = Held::Log(Location::Postgres(original.app()));
    let (_, key) = sign(&held, trees.path(), &trees.path().join("signer")).await;
    let tree = trees.path().join("tree").display().to_string();
    let verify =
        |url: &str| Verified(duban(&["verify", "--log", url, "--tree", &tree, "--key", &key, "-o", "json"]));
    let report = verify(&original.app()).sound();
    assert_eq!((&report["events"], &report["tree"]["compared"]), (&248.into(), &248.into()));
    assert!(!report["views"].as_array().expect("views").is_empty());

    let receipt = "WHERE request_id = (SELECT request_id FROM duban_log.receipts
                   WHERE first_position <= last_position ORDER BY request_id LIMIT 1)";
    let of_a_task = "(tag, position) = (SELECT tag, position FROM duban_log.event_tags WHERE tag LIKE 'task:%' ORDER BY 2 DESC LIMIT 1)";
    for (sql, fault, position) in [
        (
            "UPDATE duban_log.events SET body = set_byte(body, 40, 63) WHERE position = 100".to_owned(),
            "changed",
            Some(100),
        ),
        ("UPDATE duban_log.events SET actor = 'other' WHERE position = 101".to_owned(), "changed", Some(101)),
        ("DELETE FROM duban_log.events WHERE position = 102".to_owned(), "missing", Some(102)),
        (
            "UPDATE duban_log.events SET previous[1] = previous[1] + 1 WHERE position = 103".to_owned(),
            "previous",
            Some(103),
        ),
        ("DELETE FROM duban_log.events WHERE position > 240".to_owned(), "end", None),
        (format!("DELETE FROM duban_log.event_tags WHERE {of_a_task}"), "index", None),
        ("INSERT INTO duban_log.event_tags VALUES ('task:none', 104)".to_owned(), "index", Some(104)),
        (format!("UPDATE duban_log.event_tags SET tag = 'task:none' WHERE {of_a_task}"), "index", None),
        (format!("UPDATE duban_log.receipts SET fingerprint = sha256('x') {receipt}"), "receipt", None),
        (
            "UPDATE duban_views.responsibility SET valid_from = '2001-01-01' WHERE number = 1".to_owned(),
            "view",
            None,
        ),
    ] {
        let database = original.copy().await;
        let mut superuser = database.superuser().await;
        sqlx::raw_sql("SET session_replication_role = replica").execute(&mut superuser).await.expect("set");
        let done = sqlx::raw_sql(AssertSqlSafe(sql.clone())).execute(&mut superuser).await.expect("done");
        assert!(done.rows_affected() > 0, "{sql}");
        superuser.close().await.expect("closed");
        let found = verify(&database.app()).of(fault);
        assert!(position.is_none_or(|position| found[0]["position"] == position), "{sql}: {found:?}");
    }
}
