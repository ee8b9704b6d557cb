//! What only somebody else can tell: an auditor's saved checkpoint against a history that was written anew, set back,
//! or shown differently to another.

use serde_json::Value;

use super::scene::{Case, EARLIER, LAST};
use crate::support::{Office, context};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn history_written_anew_and_signed_with_the_old_key() {
    let case = Case::new().await;
    case.tamper("UPDATE events SET body = CAST(replace(CAST(body AS TEXT), '\"context\"', '\"context\" ') AS BLOB) WHERE position = 100").await;
    case.sign_anew().await;
    // By itself it holds together: that is what a signature by the operator is worth.
    case.verify(&["--no-views"]).sound();
    let verified = case.verify(&["--no-views", "--kept", &case.keep(&case.earlier)]);
    let roots = verified.of("root");
    assert_eq!((roots.len(), &roots[0]["size"]), (1, &EARLIER.into()));
    assert_ne!(roots[0]["signed"], roots[0]["found"]);
    let report = verified.wrong();
    let outcomes: Vec<&Value> =
        report["checkpoints"].as_array().expect("two").iter().map(|one| &one["outcome"]).collect();
    assert_eq!((&outcomes[0]["other"]["found"], outcomes[1]), (&roots[0]["found"], &"same".into()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_set_back_to_an_old_backup() {
    let case = Case::earlier().await;
    case.sound(&["--kept", &case.keep(&case.earlier)]);
    let ends = case.verify(&["--kept", &case.keep(&case.newest)]).of("end");
    assert_eq!((&ends[0]["claimed"], &ends[0]["found"]), (&LAST.into(), &EARLIER.into()));
    assert!(case.text(&["--kept", &case.keep(&case.newest)]).contains("the log has lost its end"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fork_shown_to_a_second_auditor() {
    let first = Case::new().await;
    let kept = first.keep(&first.newest);
    // The same log, which went on otherwise from its backup on.
    let mut office = Office::open_at(Case::earlier().await.place(), "2026-03-04").await;
    for task in ["u", "v", "w"] {
        office.supervisor().propose(context(), Some(task)).await.expect("proposed");
    }
    office.digests().await;
    office.close().await;
    let fork = Case::earlier().await;
    super::scene::copy(office.folder(), fork.folder());
    fork.sign_anew().await;
    fork.sound(&[]);
    let roots = fork.verify(&["--kept", &kept]).of("root");
    assert_eq!((&roots[0]["size"], &roots[0]["same_until"]), (&LAST.into(), &LAST.into()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_restored_as_it_should_be_tells_where_its_last_epoch_ended() {
    let case = Case::new().await;
    let elsewhere = tempfile::tempdir().expect("a folder");
    let (export, data) = (case.export(), elsewhere.path().join("data").display().to_string());
    let loaded = super::scene::duban(&["load", &export.path().display().to_string(), "--data", &data]);
    assert!(loaded.status.success(), "{}", String::from_utf8_lossy(&loaded.stderr));
    let ask = |kept: &str| {
        let asked =
            ["verify", "--data", &data, "--key", &case.key, "--kept", kept, "--no-views", "-o", "json"];
        super::scene::Verified(super::scene::duban(&asked))
    };
    let report = ask(&case.keep(&case.newest)).sound();
    assert_eq!(report["epochs"].as_array().map(Vec::len), Some(2));
    assert_eq!(
        (&report["epochs"][0]["last"], &report["checkpoints"][0]["outcome"]),
        (&LAST.into(), &"same".into())
    );
}

/// What is said of an export that ends before the tree.
fn later(report: &Value) -> (&Value, &Value) {
    let told = report["uncovered"].as_array().expect("a list").iter();
    let told: Vec<_> = told.filter(|one| one["uncovered"] == "later").collect();
    assert_eq!(told.len(), 1, "{report:#}");
    (&told[0]["ends"], &told[0]["tree"])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_from_before_the_tree_grew_on_is_its_beginning() {
    let (case, earlier) = (Case::new().await, Case::earlier().await);
    let export = earlier.export();
    let verified = case.verify_export(export.path(), &["--kept", &case.keep(&case.newest)]);
    let report = verified.sound();
    assert_eq!(later(&report), (&EARLIER.into(), &LAST.into()));
    for checkpoint in report["checkpoints"].as_array().expect("two") {
        assert_eq!(checkpoint["outcome"], "goes_on", "{checkpoint}");
    }
    let text = super::scene::duban(&[
        "verify",
        "--export",
        &export.path().display().to_string(),
        "--tree",
        &case.folder().join("tree").display().to_string(),
        "--key",
        &case.key,
    ]);
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    assert!(text.contains(&format!("the export ends at {EARLIER}, the tree goes on to {LAST}")), "{text}");

    // The log itself has no such excuse, wherever it lies.
    let (data, tree) =
        (earlier.folder().display().to_string(), case.folder().join("tree").display().to_string());
    let asked = ["verify", "--data", &data, "--tree", &tree, "--key", &case.key, "--no-views", "-o", "json"];
    let ends = super::scene::Verified(super::scene::duban(&asked)).of("end");
    assert!(ends.iter().all(|end| end["claimed"] == LAST && end["found"] == EARLIER), "{ends:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_that_is_no_beginning_of_the_tree_is_no_earlier_one() {
    let case = Case::new().await;
    // The same log, which went on otherwise for two events.
    let mut office = Office::open_at(Case::earlier().await.place(), "2026-03-04").await;
    for task in ["u", "v"] {
        office.supervisor().propose(context(), Some(task)).await.expect("proposed");
    }
    office.close().await;
    let fork = Case::earlier().await;
    super::scene::copy(office.folder(), fork.folder());
    let export = fork.export();
    let verified = case.verify_export(export.path(), &["--no-views"]);
    assert!(verified.of("end").iter().all(|end| end["claimed"] == LAST), "{}", verified.said());
    // Nor is one whose tree was made to show it: what was signed is not what the hashes lead to.
    let tile = case.tree().join(format!("tile/0/000.p/{LAST}"));
    let mut hashes = std::fs::read(&tile).expect("a tile");
    hashes[32 * 249] ^= 1;
    std::fs::write(&tile, &hashes).expect("written");
    let export = Case::earlier().await.export();
    case.verify_export(export.path(), &["--no-views"]).of("end");
}
