//! Seeds played into servers of this process.

use std::path::Path;

use super::check::tests::{SEED, copy};
use super::*;
use crate::client::{Identity, schema};
use crate::failure::Exit;
use crate::i18n::Lang;
use crate::output::Format;
use crate::output::tests::printer;
use crate::serve::throwaway;

/// A server that stands for the real one.
async fn real() -> (Client, Throwaway) {
    let server = throwaway().await.unwrap();
    (Client::within(server.channel.clone(), REHEARSAL), server)
}

async fn import(seed: &Path, dry_run: bool, client: &Client) -> (Result<(), Failure>, String) {
    let (mut printer, out, _) = printer(Format::Json, Lang::En);
    let args = ImportArgs { seed: seed.to_owned(), dry_run };
    let outcome = run(&args, client, throwaway(), &mut printer).await;
    (outcome, out.text())
}

async fn head(client: &Client) -> String {
    let auditor = Identity { actor: "a1".to_owned(), role: "auditor".to_owned(), agency: None };
    let (method, message) = schema::request("duban.audit.v1.AuditService/GetHead", &json!({})).unwrap();
    let reply = client.call(&auditor, &method, &message).await.unwrap();
    schema::to_json(&reply).unwrap()["position"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn importing_twice_records_once_and_says_so() {
    let (client, server) = real().await;
    let mut outcomes = Vec::new();
    for _ in 0..2 {
        let (outcome, said) = import(Path::new(SEED), false, &client).await;
        outcome.unwrap();
        outcomes.push((serde_json::from_str::<Value>(&said).unwrap(), head(&client).await));
    }
    let [(first, after_first), (second, after_second)] = &outcomes[..] else { panic!("two imports") };
    assert_eq!((&first["new"], &first["there"]), (&first["commands"], &json!(0)));
    assert_eq!((&second["new"], &second["there"]), (&json!(0), &first["commands"]));
    assert_eq!(after_first, after_second);
    server.end.await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_shows_what_would_be_recorded_and_leaves_the_log_alone() {
    let (client, server) = real().await;
    let (outcome, said) = import(Path::new(SEED), true, &client).await;
    outcome.unwrap();
    let shown: Value = serde_json::from_str(&said).unwrap();
    let dispatched = |event: &&Value| event["type"] == "assignment.dispatched.v1";
    assert_eq!(shown["events"].as_array().unwrap().iter().filter(dispatched).count(), 114);
    assert_eq!(shown["anomalies"].as_array().unwrap().len(), 16);
    assert_eq!(head(&client).await, "0");
    server.end.await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mangled_seed_writes_nothing_whether_the_checks_or_the_rules_find_it() {
    let (client, server) = real().await;
    let unreadable = copy("commands.jsonl", "RegisterDocument", "RegisterDokument");
    let (outcome, _) = import(unreadable.path(), false, &client).await;
    assert!(
        matches!(outcome, Err(Failure::Seed(problems)) if problems[0].to_string().starts_with("commands.jsonl:1: "))
    );

    // Two first leads of one task: the seed is consistent, the rule says no.
    let second = r#""agency":"agencies/qh-development-reform","role":"ASSIGNMENT_ROLE_CO_LEAD""#;
    let ruled_out = copy("commands.jsonl", second, &second.replace("CO_LEAD", "LEAD"));
    let (outcome, _) = import(ruled_out.path(), false, &client).await;
    let failure = outcome.unwrap_err();
    assert_eq!(failure.exit(), Exit::Conflict);
    let Failure::Play { place, rehearsal: true, .. } = failure else { panic!("{failure:?}") };
    assert_eq!(place, "commands.jsonl:111");
    assert_eq!(head(&client).await, "0");
    server.end.await;
}
