//! `duban migrate`, and a server on a database that is not ready for it.

use std::process::Output;

use duban_test_postgres::{APP, Database};

use crate::support::DUBAN;

fn duban(arguments: &[&str]) -> Output {
    std::process::Command::new(DUBAN).args(arguments).args(["-o", "jsonl"]).output().expect("the binary runs")
}

fn said(output: &Output) -> (Option<i32>, String) {
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    (output.status.code(), String::from_utf8(text).expect("text"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schema_is_made_by_its_owner_and_never_by_a_server() {
    let Some(database) = Database::empty().await else { return };
    let (owner, app) = (database.owner(), database.app());
    let (code, text) = said(&duban(&["serve", "--listen", "127.0.0.1:0", "--admin", "off", "--log", &app]));
    assert_eq!(code, Some(5), "{text}");
    assert!(text.contains("run duban migrate up"), "{text}");

    let (code, text) = said(&duban(&["migrate", "--log", &owner, "status"]));
    assert!(code == Some(0) && text.contains("\"applied\":false"), "{text}");
    let (code, text) = said(&duban(&["migrate", "--log", &owner, "up", "--dry-run"]));
    assert!(code == Some(0) && text.contains("CREATE FUNCTION duban_log.append_batch"), "{text}");
    let (_, text) = said(&duban(&["migrate", "--log", &owner, "status"]));
    assert!(text.contains("\"applied\":false"), "a dry run applies nothing: {text}");
    let (code, text) = said(&duban(&["migrate", "--log", &owner, "up", "--app-role", APP]));
    assert!(code == Some(0) && text.contains("\"applied\":true"), "{text}");

    let (code, text) = said(&duban(&["serve", "--listen", "127.0.0.1:0", "--admin", "off", "--log", &owner]));
    assert_eq!(code, Some(5), "the owner could write past the functions: {text}");
    let (code, text) = said(&duban(&["migrate", "--log", &app, "up"]));
    assert!(code.is_some_and(|code| code != 0), "the role that serves can't migrate: {text}");
}
