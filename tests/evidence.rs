//! Evidence in one file, checked as whoever gets it would: with `sha256sum`, `openssl` and the Python that is in it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::keys::hand_over;
use crate::support::{DUBAN, Office, PATIENCE, get};

/// What checks evidence, where all of it is there.
#[allow(clippy::disallowed_methods, reason = "a test's own environment")]
fn python() -> Option<String> {
    let python = std::env::var("DUBAN_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let there = |program: &str, says: &str| Command::new(program).arg(says).output().is_ok();
    let missing: Vec<_> =
        [(python.as_str(), "--version"), ("openssl", "version"), ("sha256sum", "--version")]
            .into_iter()
            .filter(|(program, says)| !there(program, says))
            .collect();
    if missing.is_empty() {
        return Some(python);
    }
    assert!(!std::env::var("CI").is_ok_and(|ci| ci == "true"), "not there: {missing:?}");
    eprintln!("NOT TESTED: evidence is checked with {missing:?}, which is not there");
    None
}

/// Asks for evidence of a task, and unpacks it.
async fn evidence(office: &Office, folder: &Path, more: &[&str]) -> (Value, PathBuf) {
    let file = folder.join("evidence.zip");
    let output = asked(office, &file, more).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let outcome = serde_json::from_slice(&output.stdout).unwrap();
    let unpacked = folder.join("unpacked");
    zip::ZipArchive::new(fs::File::open(file).unwrap()).unwrap().extract(&unpacked).unwrap();
    (outcome, unpacked)
}

async fn asked(office: &Office, file: &Path, more: &[&str]) -> Output {
    let mut command = tokio::process::Command::new(DUBAN);
    command.args(["evidence", "qh-green-08", "--server", &office.url(), "-o", "json"]);
    command.arg("--to").arg(file).args(more).output().await.unwrap()
}

fn check(python: &str, folder: &Path, key: &str) -> Output {
    run(python, folder, "check.py", key)
}

fn run(python: &str, folder: &Path, script: &str, key: &str) -> Output {
    Command::new(python).arg(folder.join(script)).arg(key).output().unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn json(folder: &Path, name: &str) -> Value {
    serde_json::from_slice(&fs::read(folder.join(name)).unwrap()).unwrap()
}

/// The digests of the files as they are now, as a forger would write them.
fn sum_again(folder: &Path) {
    let sums = folder.join("SHA256SUMS");
    let names: Vec<String> =
        fs::read_to_string(&sums).unwrap().lines().map(|line| line[66..].to_owned()).collect();
    let output = Command::new("sha256sum").args(&names).current_dir(folder).output().unwrap();
    fs::write(sums, output.stdout).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn evidence_is_checked_with_the_tools_of_any_office() {
    let Some(python) = python() else { return };
    let office = Office::open().await;
    office.import().await;
    let folder = tempfile::tempdir().unwrap();
    let (outcome, unpacked) = evidence(&office, folder.path(), &[]).await;
    let key = outcome["key"].as_str().unwrap();

    let sums =
        Command::new("sha256sum").args(["-c", "--quiet", "SHA256SUMS"]).current_dir(&unpacked).output();
    assert!(sums.unwrap().status.success());
    let signature =
        "pkeyutl -verify -pubin -inkey key.pem -rawin -in checkpoint.signed -sigfile checkpoint.sig";
    let openssl = Command::new("openssl").args(signature.split(' ')).current_dir(&unpacked).output().unwrap();
    assert!(openssl.status.success(), "{}", said(&openssl));
    let checked = check(&python, &unpacked, key);
    assert!(checked.status.success(), "{}", said(&checked));

    let answer = json(&unpacked, "answer.json");
    assert!(answer["responsibilities"].as_array().is_some_and(|rows| !rows.is_empty()));
    let readings = json(&unpacked, "readings.json");
    assert!(readings.as_array().is_some_and(|readings| !readings.is_empty()), "it rests on readings");
    let sources = fs::read_to_string(unpacked.join("sources.txt")).unwrap();
    assert!(sources.contains("documents/"), "{sources}");
    let prov = json(&unpacked, "prov.json");
    let derived = prov["wasDerivedFrom"].as_object().unwrap().len().to_string();
    assert_eq!(outcome["events"], derived, "each event is in the provenance");
    let readme = fs::read_to_string(unpacked.join("README.md")).unwrap();
    assert!(readme.contains("怎样核对") && !readme.contains('{'), "{readme}");
    office.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn evidence_that_was_touched_is_refused_even_with_digests_made_anew() {
    let Some(python) = python() else { return };
    let office = Office::open().await;
    office.import().await;
    let folder = tempfile::tempdir().unwrap();
    let (outcome, unpacked) = evidence(&office, folder.path(), &[]).await;
    let key = outcome["key"].as_str().unwrap();
    let proofs = json(&unpacked, "proofs.json");
    let event = proofs["events"][1].clone();
    let (leaf, body) = (event["leaf"].as_str().unwrap(), event["body"].as_str().unwrap());
    let sound: BTreeMap<String, Vec<u8>> =
        [leaf, body, "proofs.json", "checkpoint", "checkpoint.sig", "answer.json", "key.pem"]
            .into_iter()
            .map(|name| (name.to_owned(), fs::read(unpacked.join(name)).unwrap()))
            .collect();
    for (name, contents) in &sound {
        let mut touched = contents.clone();
        // Within a value of each of these files.
        let at = match name.as_str() {
            "answer.json" => position_of(contents, b"\"because\": [") + 30,
            "proofs.json" => position_of(contents, b"\"path\": [") + 40,
            "key.pem" => 70,
            _ => contents.len() / 2,
        };
        touched[at] = if touched[at] == b'1' { b'2' } else { b'1' };
        fs::write(unpacked.join(name), &touched).unwrap();
        let plain = check(&python, &unpacked, key);
        assert!(!plain.status.success(), "{name} was touched");
        sum_again(&unpacked);
        let again = check(&python, &unpacked, key);
        assert!(!again.status.success(), "{name} was touched: {}", said(&again));
        fs::write(unpacked.join(name), contents).unwrap();
        sum_again(&unpacked);
    }
    assert!(check(&python, &unpacked, key).status.success(), "put back, it holds");

    let mut gap = proofs.clone();
    gap["events"].as_array_mut().unwrap().remove(1);
    fs::write(unpacked.join("proofs.json"), gap.to_string()).unwrap();
    sum_again(&unpacked);
    let left_out = check(&python, &unpacked, key);
    assert!(
        said(&left_out).contains("left out") || said(&left_out).contains("missing"),
        "{}",
        said(&left_out)
    );

    let other = check(&python, &unpacked, "somebody+00000000+AAAA");
    assert!(!other.status.success(), "another key was given");
    office.verify().await;
}

fn position_of(contents: &[u8], part: &[u8]) -> usize {
    contents.windows(part.len()).position(|window| window == part).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_known_then_is_shown_with_what_came_next_and_nothing_is_overwritten() {
    let office = Office::open().await;
    office.import().await;
    let folder = tempfile::tempdir().unwrap();
    let all = evidence(&office, folder.path(), &[]).await.1;
    let positions = |folder: &Path| -> Vec<u64> {
        let events = json(folder, "proofs.json")["events"].as_array().unwrap().clone();
        events.iter().map(|event| event["position"].as_u64().unwrap()).collect()
    };
    let last = *positions(&all).last().unwrap();
    let earlier = tempfile::tempdir().unwrap();
    let at = (last - 1).to_string();
    let (_, before) = evidence(&office, earlier.path(), &["--at-position", &at]).await;
    let shown = json(&before, "proofs.json");
    let closing = shown["events"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(closing["position"], last, "the next one closes the history");
    assert!(closing["body"].is_null(), "but is not shown");
    if let Some(python) = python() {
        let checked = check(&python, &before, fs::read_to_string(before.join("key.vkey")).unwrap().trim());
        assert!(checked.status.success(), "{}", said(&checked));
    }

    let again = asked(&office, &earlier.path().join("evidence.zip"), &[]).await;
    assert_eq!(again.status.code(), Some(5), "the file is there: {}", said(&again));
    let nothing = asked(&office, &earlier.path().join("none.zip"), &["--at-position", "0"]).await;
    assert_eq!(nothing.status.code(), Some(3), "{}", said(&nothing));
    let stranger = "duban/logs/x+12345678+AXNvbWVib2R5IGVsc2UncyBrZXksIDMyIGJ5dGVzIGxvbmc=";
    let unsigned = asked(&office, &earlier.path().join("none.zip"), &["--key", stranger]).await;
    assert!(matches!(unsigned.status.code(), Some(2 | 7)), "{}", said(&unsigned));
    assert!(!earlier.path().join("none.zip").exists());
    office.verify().await;
}

/// Waits until the published checkpoint covers all that the log has.
async fn covered(office: &Office) {
    let head = office.head().await.to_string();
    let covered = async {
        while get(office.admin(), "/checkpoint").await.1.lines().nth(1) != Some(&head) {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, covered).await.expect("a checkpoint of the head");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_given_an_earlier_key_follows_the_handovers_in_the_evidence() {
    let Some(python) = python() else { return };
    let office = Office::open().await;
    office.import().await;
    let (first, second) = hand_over(office.admin()).await;
    covered(&office).await;
    office.register_agencies(&["later"]).await;
    covered(&office).await;
    let folder = tempfile::tempdir().unwrap();
    let (outcome, unpacked) = evidence(&office, folder.path(), &["--key", &first.to_string()]).await;
    assert_eq!(outcome["key"], second.to_string(), "the key of now has signed it");
    let follow = |given: &str| run(&python, &unpacked, "handovers.py", given);
    for given in [&first, &second] {
        let followed = follow(&given.to_string());
        assert_eq!(said(&followed).trim(), second.to_string(), "the key of now");
    }
    let checked = check(&python, &unpacked, &second.to_string());
    assert!(checked.status.success(), "{}", said(&checked));
    let refused = check(&python, &unpacked, &first.to_string());
    assert!(said(&refused).contains("handovers.py"), "{}", said(&refused));
    let stranger = duban_merkle::Signer::ed25519(first.name().clone(), &[7; 32]).unwrap();
    let refused = follow(&stranger.verifier().to_string());
    assert!(said(&refused).contains("handed over"), "{}", said(&refused));
    assert!(!refused.status.success());

    // A handover that is left out, or whose body or root was changed, leads nowhere.
    let file = unpacked.join("handovers.json");
    let shown = fs::read_to_string(&file).unwrap();
    let size = json(&unpacked, "handovers.json")[0]["events"][1]["position"].to_string();
    for (what, forged) in [
        ("left out", "[]".to_owned()),
        ("another key", shown.replace(&second.to_string(), &stranger.verifier().to_string())),
        ("another place", shown.replacen(&format!("\"position\": {size}"), "\"position\": 7", 1)),
        ("another note", shown.replacen("epochs/", "epochs/x", 1)),
    ] {
        assert_ne!(forged, shown, "{what}");
        fs::write(&file, forged).unwrap();
        sum_again(&unpacked);
        let followed = follow(&first.to_string());
        assert!(!followed.status.success(), "{what}: {}", said(&followed));
    }
    office.verify().await;
}
