//! What lies in the tables, the tree or the export was changed: the first position that is wrong is named, and what
//! is wrong with it.

use duban_proto::audit::v1::ProveHistoryRequest;
use serde_json::{Value, json};
use tonic::Code;

use super::scene::{Case, EARLIER, LAST, intruder};
use crate::support::{Office, reason_of};

/// A fault of the event at a position, and the fields that differ.
#[track_caller]
fn changed(finding: &Value, position: u64, fields: &[&str]) {
    assert_eq!(
        (&finding["position"], &finding["fault"], &finding["fields"]),
        (&position.into(), &"changed".into(), &json!(fields)),
        "{finding}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_byte_of_a_body() {
    let case = Case::new().await;
    case.tamper(
        "UPDATE events SET body = CAST(substr(body, 1, length(body) - 3) || '?' || substr(body, -2) AS BLOB)
         WHERE position = 100",
    )
    .await;
    let verified = case.verify(&[]);
    changed(&verified.first(), 100, &["body"]);
    assert!(verified.said().contains("position 100: the body is not what was committed to"));
    // Without the folder of the tree only the sizes around it can be told.
    let verified = case.verify(&["--no-views", "--kept", &case.keep(&case.earlier)]);
    let roots = verified.of("root");
    assert_eq!((&roots[0]["size"], &roots[0]["same_until"]), (&EARLIER.into(), &0.into()));
    let outcome = &verified.wrong()["checkpoints"][0];
    assert_eq!(outcome["copy_same"], true, "the tree's own leaves are what was signed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_field_of_an_envelope() {
    for (sql, field) in [
        ("actor = 'somebody-else'", "actor"),
        ("effective_on = '2020-01-01'", "effective_on"),
        ("nonce = randomblob(32)", "body"),
        ("type = 'task.archived.v1'", "type"),
        ("agency = 'agencies/other'", "agency"),
        ("trace_id = '0af7651916cd43dd8448eb211c80319c'", "trace_id"),
        ("id = randomblob(16)", "id"),
        ("fingerprint = randomblob(32)", "command"),
    ] {
        let case = Case::new().await;
        case.tamper(&format!("UPDATE events SET {sql} WHERE position = 57")).await;
        let findings = case.verify(&["--no-views"]).of("changed");
        let fields = findings[0]["fields"].as_array().expect("fields");
        assert!(findings[0]["position"] == 57 && fields.contains(&field.into()), "{findings:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_envelope_that_no_log_writes() {
    let case = Case::new().await;
    case.tamper("UPDATE events SET id = x'00' WHERE position = 57").await;
    let first = case.verify(&[]).first();
    assert_eq!((&first["position"], &first["fault"]), (&57.into(), &"unreadable".into()));
    case.tamper("UPDATE events SET id = randomblob(16), trace_id = 'x' WHERE position = 57").await;
    assert_eq!(case.verify(&[]).of("envelope")[0]["position"], 57);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tag() {
    let case = Case::new().await;
    case.tamper("UPDATE events SET tags = replace(tags, ':', ':a') WHERE position = 60").await;
    changed(&case.verify(&[]).first(), 60, &["tags"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_is_gone_from_the_middle() {
    let case = Case::new().await;
    case.tamper("DELETE FROM events WHERE position = 100").await;
    let verified = case.verify(&[]);
    assert_eq!((&verified.first()["position"], &verified.first()["fault"]), (&100.into(), &"missing".into()));
    assert!(verified.said().contains("position 100: the event is missing"));
    assert!(case.text(&["--lang", "zh"]).contains("第100号：事件缺失"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_tail_is_cut() {
    let case = Case::new().await;
    case.tamper("DELETE FROM events WHERE position > 240").await;
    let ends = case.verify(&["--kept", &case.keep(&case.earlier)]).of("end");
    for claimed in [EARLIER, LAST] {
        let both = |end: &&Value| end["claimed"] == claimed && end["found"] == 240;
        assert!(ends.iter().any(|end| both(&end)), "{claimed}: {ends:?}");
    }
    // It is not hidden by taking the checkpoint away either.
    std::fs::remove_file(case.tree().join("checkpoint")).expect("it is gone");
    let ends = case.verify(&["--no-views", "--kept", &case.keep(&case.earlier)]).of("end");
    let told = |end: &&Value| end["claim"] == "the tree" && end["claimed"] == LAST && end["found"] == 240;
    assert!(ends.iter().any(|end| told(&end)), "{ends:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_events_are_swapped() {
    let case = Case::new().await;
    case.tamper(
        "UPDATE events SET position = 100000 WHERE position = 70;
         UPDATE events SET position = 70 WHERE position = 71;
         UPDATE events SET position = 71 WHERE position = 100000",
    )
    .await;
    let found = case.verify(&["--no-views"]).of("changed");
    for (finding, position) in found.iter().zip([70, 71]) {
        let fields = finding["fields"].as_array().expect("fields");
        assert!(finding["position"] == position && fields.contains(&"id".into()), "{found:?}");
    }
    assert_eq!(found.len(), 2);
}

/// The tree is built and signed anew, so that only the chains tell.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_previous_position_of_a_tag_lies() {
    let case = Case::new().await;
    let mut file = intruder(&case.folder().join("log.db")).await;
    let sql = "SELECT position FROM events WHERE position > 100 AND tags NOT LIKE '%,0]%' ORDER BY position LIMIT 1";
    let position: i64 = sqlx::query_scalar(sql).fetch_one(&mut file).await.expect("an event");
    sqlx::Connection::close(file).await.expect("closed");
    case.tamper(&format!(
        "UPDATE events SET tags = json_set(tags, '$[0][1]', (tags ->> '$[0][1]') - 1) WHERE position = {position}"
    ))
    .await;
    changed(&case.verify(&[]).of("changed")[0], position.cast_unsigned(), &["tags"]);
    case.sign_anew().await;
    let first = case.verify(&[]).first();
    assert_eq!((&first["position"], &first["fault"]), (&position.into(), &"previous".into()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_index_of_tags_hides_or_adds_an_event() {
    let last = "(SELECT max(position) FROM event_tags WHERE tag LIKE 'task:%')";
    for sql in [
        format!("DELETE FROM event_tags WHERE tag LIKE 'task:%' AND position = {last}"),
        format!("INSERT INTO event_tags (tag, position) SELECT 'task:none', {last}"),
        format!("UPDATE event_tags SET tag = 'task:none' WHERE tag LIKE 'task:%' AND position = {last}"),
        // What no event can be filed as.
        "INSERT INTO event_tags (tag, position) VALUES ('task:none', 100000)".to_owned(),
        "INSERT INTO event_tags (tag, position) VALUES ('', 0)".to_owned(),
    ] {
        let case = Case::new().await;
        case.tamper(&sql).await;
        let found = case.verify(&["--no-views"]).of("index");
        assert!(found.len() == 1 && found[0]["position"].as_u64() != Some(1), "{sql}: {found:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn receipts_are_altered() {
    let first = "(SELECT min(request_id) FROM receipts WHERE last_position > 100 AND last_position >= first_position)";
    let one = format!("WHERE request_id = {first}");
    for (sql, fault) in [
        (format!("UPDATE receipts SET fingerprint = randomblob(32) {one}"), "receipt"),
        (format!("UPDATE receipts SET recorded_at = recorded_at + 1 {one}"), "receipt"),
        (format!("UPDATE receipts SET last_position = last_position + 1 {one}"), "receipt"),
        (format!("UPDATE receipts SET principal = 'somebody-else' {one}"), "no_receipt"),
        (format!("DELETE FROM receipts {one}"), "no_receipt"),
        (
            "INSERT INTO receipts SELECT randomblob(16), principal, fingerprint, first_position, last_position,
             recorded_at FROM receipts LIMIT 1"
                .to_owned(),
            "receipt",
        ),
    ] {
        let case = Case::new().await;
        case.tamper(&sql).await;
        let found = case.verify(&["--no-views"]).of(fault);
        assert!(found[0]["position"].is_u64() && found[0]["request_id"].is_string(), "{sql}: {found:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn receipts_that_no_event_speaks_of() {
    let insert = |id: &str, first: u64, last: u64| {
        format!(
            "INSERT INTO receipts SELECT {id}, principal, fingerprint, {first}, {last}, recorded_at FROM receipts LIMIT 1"
        )
    };
    let case = Case::new().await;
    case.tamper(&insert("randomblob(16)", LAST + 1, LAST + 1)).await;
    let found = case.verify(&["--no-views"]).of("receipt");
    assert_eq!((found.len(), &found[0]["fields"]), (1, &json!(["last"])));

    let case = Case::new().await;
    case.tamper(&insert("x'01'", 1, 1)).await;
    let found = case.verify(&["--no-views"]).of("unreadable");
    assert!(found[0]["what"].as_str().expect("why").contains("receipt"), "{found:?}");

    // A command that changed nothing has a receipt too: nothing is wrong, and it is told that nothing vouches for it.
    let case = Case::new().await;
    let empty = |report: &Value| {
        let uncovered = report["uncovered"].as_array().expect("a list").iter();
        uncovered
            .filter(|one| one["uncovered"] == "empty_receipts")
            .filter_map(|one| one["receipts"].as_u64())
            .sum()
    };
    let before: u64 = empty(&case.sound(&["--no-views"]));
    case.tamper(&insert("randomblob(16)", 1, 0)).await;
    assert_eq!(empty(&case.sound(&["--no-views"])), before + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_that_is_less_than_it_says() {
    let case = Case::new().await;
    let export = case.export();
    let file = export.path().join("receipts/000000000001.jsonl");
    let lines = std::fs::read_to_string(&file).expect("lines");
    let count = lines.lines().count();
    let fewer: Vec<&str> = lines.lines().take(count - 1).collect();
    std::fs::write(&file, fewer.join("\n") + "\n").expect("written");
    let found = case.verify_export(export.path(), &["--no-views"]).of("receipts");
    assert_eq!((&found[0]["claimed"], &found[0]["found"]), (&count.into(), &(count - 1).into()));

    std::fs::write(&file, &lines).expect("written");
    let manifest = export.path().join("export.json");
    let said = std::fs::read_to_string(&manifest).expect("a manifest");
    std::fs::write(&manifest, said + " ").expect("written");
    let found = case.verify_export(export.path(), &["--no-views"]).of("unreadable");
    assert!(found[0]["what"].as_str().expect("what").contains("export.json"), "{found:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_of_a_view_is_changed() {
    let case = Case::new().await;
    let mut file = intruder(&case.folder().join("views.db")).await;
    let sql = "UPDATE responsibility SET valid_from = '2001-01-01' WHERE number = (SELECT max(number) FROM responsibility)";
    let done = sqlx::query(sql).execute(&mut file).await.expect("it is done");
    assert_eq!(done.rows_affected(), 1);
    sqlx::Connection::close(file).await.expect("closed");
    let verified = case.verify(&[]);
    let found = verified.of("view");
    assert_eq!((found.len(), &found[0]["view"]), (1, &"responsibility".into()));
    assert_ne!(found[0]["claimed"], found[0]["replayed"]);
    case.sound(&["--no-views"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_view_that_is_kept_from_being_compared_is_told() {
    let case = Case::new().await;
    let mut file = intruder(&case.folder().join("views.db")).await;
    let sql = "UPDATE view_positions SET version = version + 5 WHERE view = 'responsibility'";
    assert_eq!(sqlx::query(sql).execute(&mut file).await.expect("it is done").rows_affected(), 1);
    sqlx::Connection::close(file).await.expect("closed");
    let report = case.sound(&[]);
    let told = report["uncovered"].as_array().expect("a list").iter();
    let views: Vec<_> = told.filter(|one| one["uncovered"] == "views").collect();
    assert_eq!(views[0]["views"], serde_json::json!(["responsibility"]), "{report:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forged_epoch_does_not_lead_away_from_the_tree() {
    let case = Case::new().await;
    case.tamper("INSERT INTO identity SELECT 2, log, randomblob(16) FROM identity").await;
    let verified = case.verify(&[]);
    assert_eq!(verified.0.status.code(), Some(7), "{}", verified.said());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tree_that_is_said_to_be_smaller_is_compared_all_the_same() {
    let case = Case::new().await;
    let file = case.tree().join("tree.json");
    let mut stood: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&file).expect("read")).expect("JSON");
    stood["size"] = 1.into();
    std::fs::write(&file, stood.to_string()).expect("written");
    assert_eq!(case.sound(&["--no-views"])["tree"]["compared"], LAST);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_the_engine_itself_cannot_read_is_a_finding() {
    let case = Case::new().await;
    std::fs::write(
        case.folder().join("views.db"),
        "no database, but some text that is longer than a header is; ".repeat(40),
    )
    .expect("written");
    assert!(!case.verify(&[]).of("unreadable").is_empty());
    let case = Case::new().await;
    let file = case.folder().join("log.db");
    let mut bytes = std::fs::read(&file).expect("read");
    let middle = bytes.len() / 2;
    bytes[middle..middle + 16_384].fill(0xa5);
    std::fs::write(&file, bytes).expect("written");
    let said = case.verify(&["--no-views"]);
    assert_eq!(said.0.status.code(), Some(7), "{}", said.said());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_copy_in_the_tree_is_changed_and_not_the_log() {
    let case = Case::new().await;
    let bundle = case.tree().join(format!("tile/entries/000.p/{LAST}"));
    let bytes = std::fs::read(&bundle).expect("a bundle");
    let text = String::from_utf8_lossy(&bytes[2..]).find("supervisor").expect("a role") + 2;
    let mut other = bytes.clone();
    other[text] = b'S';
    std::fs::write(&bundle, &other).expect("written");
    let first = case.verify(&[]).first();
    assert_eq!(first["fault"], "entry", "{first}");
    std::fs::write(&bundle, &bytes).expect("written");
    let tile = case.tree().join(format!("tile/0/000.p/{LAST}"));
    let mut hashes = std::fs::read(&tile).expect("a tile");
    hashes[32 * 77] ^= 1;
    std::fs::write(&tile, &hashes).expect("written");
    let first = case.verify(&[]).first();
    assert_eq!((&first["position"], &first["fault"]), (&78.into(), &"tile".into()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_is_changed() {
    let case = Case::new().await;
    let export = case.export();
    let file = export.path().join("events/000000000001.jsonl");
    let lines = std::fs::read_to_string(&file).expect("lines");
    let lines: Vec<&str> = lines.lines().collect();
    let write = |lines: &[&str]| std::fs::write(&file, lines.join("\n") + "\n").expect("written");

    let body = lines[99].replacen("\\\"context\\\"", "\\\"Context\\\"", 1);
    assert_ne!(body, lines[99]);
    write(&[&lines[..99], &[&body], &lines[100..]].concat());
    let verified = case.verify_export(export.path(), &[]);
    changed(&verified.first(), 100, &["body"]);
    assert!(verified.of("unreadable")[0]["what"].as_str().expect("what").contains("SHA256SUMS"));

    write(&[&lines[..99], &["no line"], &lines[100..]].concat());
    let first = case.verify_export(export.path(), &["--no-views"]).first();
    assert_eq!((&first["position"], &first["fault"]), (&100.into(), &"unreadable".into()));

    write(&[&lines[..99], &lines[100..]].concat());
    let first = case.verify_export(export.path(), &["--no-views"]).first();
    assert_eq!((&first["position"], &first["fault"]), (&100.into(), &"missing".into()));

    write(&[&lines[..99], &[lines[100], lines[99]], &lines[101..]].concat());
    let first = case.verify_export(export.path(), &["--no-views"]).first();
    assert_eq!((&first["position"], &first["fault"]), (&100.into(), &"missing".into()));

    write(&lines[..240]);
    let ends = case.verify_export(export.path(), &["--no-views"]).of("end");
    assert!(ends.iter().any(|end| end["claimed"] == LAST && end["found"] == 240), "{ends:?}");

    write(&lines);
    let manifest = export.path().join("export.json");
    let said = std::fs::read_to_string(&manifest).expect("a manifest");
    let json: Value = serde_json::from_str(&said).expect("JSON");
    let claimed = json["views"][0]["sha256"].as_str().expect("a digest").to_owned();
    std::fs::write(&manifest, said.replace(&claimed, &"0".repeat(64))).expect("written");
    let found = case.verify_export(export.path(), &[]).of("view");
    assert_eq!(found[0]["view"], json["views"][0]["view"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_leaf_in_the_tree_is_named_as_that() {
    let case = Case::new().await;
    let bundle = case.tree().join(format!("tile/entries/000.p/{LAST}"));
    let mut bytes = std::fs::read(&bundle).expect("a bundle");
    // The first brace of the first leaf.
    bytes[2] = b'[';
    std::fs::write(&bundle, &bytes).expect("written");
    let verified = case.verify(&["--no-views"]);
    let first = verified.first();
    assert_eq!((&first["position"], &first["fault"]), (&1.into(), &"no_leaf".into()));
    assert!(verified.said().contains("position 1: what the tree has in the event's place is no leaf"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_seal_elsewhere_than_at_the_end() {
    for at in [EARLIER, LAST + 1] {
        let case = Case::new().await;
        case.tamper(&format!("INSERT INTO seal (sequence, position, sealed_at) VALUES (1, {at}, 0)")).await;
        let seals = case.verify(&["--no-views"]).of("seal");
        assert_eq!((&seals[0]["says"], &seals[0]["is"]), (&at.into(), &LAST.into()));
    }
    // One at the end may be true or not: no event tells, and that is said.
    let case = Case::new().await;
    case.tamper(&format!("INSERT INTO seal (sequence, position, sealed_at) VALUES (1, {LAST}, 0)")).await;
    let report = case.sound(&["--no-views"]);
    let told = report["uncovered"].as_array().expect("a list").iter();
    let told: Vec<_> = told.filter(|one| one["uncovered"] == "sealed").collect();
    assert_eq!((told.len(), &told[0]["at"]), (1, &LAST.into()));
}

/// Nor does the server that runs on it, though what it sees first is its newest event alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_event_is_not_handed_out_as_proven() {
    let case = Case::new().await;
    let proposed = EARLIER + 1;
    case.tamper(&format!("UPDATE events SET actor = 'somebody' WHERE position = {proposed}")).await;
    let office = Office::open_at(case.place(), "2026-03-04").await;
    for (task, proven) in [("tasks/y", true), ("tasks/x", false)] {
        let request = ProveHistoryRequest { name: task.to_owned(), ..Default::default() };
        let mut parts = office.auditor().proofs().prove_history(request).await.expect("begun").into_inner();
        match parts.message().await {
            Ok(part) => assert!(proven && part.expect("a part").events.len() == 1, "{task}"),
            Err(status) => {
                let refused = (Code::DataLoss, "TREE_DAMAGED".to_owned());
                assert_eq!((proven, reason_of(&status)), (false, refused), "{task}");
            }
        }
    }
}
