//! `duban verify` against somebody with full access to the log: every way to change it is named, offline.

mod judges;
mod scene;
mod tampering;
mod watched;
mod withheld;

use scene::Case;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_as_it_was_signed_is_sound_where_it_lies_and_as_an_export() {
    let case = Case::new().await;
    let report = case.sound(&["--kept", &case.keep(&case.earlier)]);
    assert_eq!(report["head"], report["events"]);
    let outcomes = report["checkpoints"].as_array().expect("two").iter().map(|one| one["outcome"].clone());
    assert_eq!(outcomes.collect::<Vec<_>>(), ["same", "same"]);
    assert_eq!(report["tree"]["compared"], report["head"]);
    let views = report["views"].as_array().expect("views");
    assert!(!views.is_empty() && views.iter().all(|view| view["claimed"] == view["replayed"]));
    let uncovered: Vec<_> =
        report["uncovered"].as_array().expect("a list").iter().map(|one| one["uncovered"].clone()).collect();
    assert!(
        !uncovered.contains(&"nothing_signed".into()) && !uncovered.contains(&"keys_untold".into()),
        "{uncovered:?}"
    );

    let export = case.export();
    let report = case.verify_export(export.path(), &[]).sound();
    assert_eq!((&report["events"], &report["root"]), (&case.sound(&[])["events"], &case.sound(&[])["root"]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_anything_signed_it_says_so_loudly() {
    let case = Case::new().await;
    std::fs::remove_dir_all(case.tree()).expect("the tree is gone");
    let named = case.verify(&[]);
    assert_eq!(
        named.0.status.code(),
        Some(7),
        "a key was named, and nothing is there that it signed: {}",
        named.said()
    );
    let report = case.verify(&["--tree", "off"]).sound();
    assert_eq!(report["uncovered"][0]["uncovered"], "nothing_signed");
    let said = case.text(&["--tree", "off", "--lang", "en"]);
    assert!(said.contains("NOTHING SIGNED was compared"), "{said}");
    let said = case.text(&["--tree", "off", "--lang", "zh"]);
    assert!(said.contains("没有比对任何签名"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_that_nobody_has_told_are_believed_and_it_is_said() {
    let case = Case::new().await;
    let data = case.folder().display().to_string();
    let told = |more: &[&str]| {
        let asked = [&["verify", "--data", &data, "--no-views", "-o", "json"], more].concat();
        let report = scene::Verified(scene::duban(&asked)).sound();
        let uncovered = report["uncovered"].as_array().expect("a list");
        !uncovered.iter().any(|one| one["uncovered"] == "keys_untold")
    };
    assert!(!told(&[]) && told(&["--key", &case.key]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_is_filed_as_json_and_as_text() {
    let case = Case::new().await;
    let file = case.folder().join("report.json");
    case.sound(&["--report", &file.display().to_string()]);
    let json: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).expect("JSON")).expect("JSON");
    let text = std::fs::read_to_string(file.with_extension("txt")).expect("a text");
    for said in [&json["root"], &json["log"], &json["started_at"]] {
        assert!(text.contains(said.as_str().expect("a text")), "{said} is in {text}");
    }
    assert!(text.contains("nothing is wrong"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_checkpoint_is_believed_from_its_key_alone() {
    let case = Case::new().await;
    let name = case.key.split('+').next().expect("a name").parse().expect("a name");
    let other = duban_merkle::Signer::ed25519(name, &[7; 32]).expect("a key");
    let report = case.verify_by(&other.verifier().to_string(), &[]).wrong();
    assert_eq!(report["findings"][0]["fault"], "checkpoint");
    let checkpoint = case.tree().join("checkpoint");
    let note = std::fs::read_to_string(&checkpoint).expect("a note");
    let (text, signature) = note.split_once("\n\n").expect("a note");
    let mut lines: Vec<&str> = text.lines().collect();
    lines[1] = "17";
    std::fs::write(&checkpoint, format!("{}\n\n{signature}", lines.join("\n"))).expect("written");
    assert_eq!(case.verify(&[]).wrong()["findings"][0]["fault"], "checkpoint");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_few_witnesses_are_no_quorum() {
    let case = Case::new().await;
    let name = "witness.example/w".parse().expect("a name");
    let witness = duban_merkle::Cosigner::new(name, &[9; 32]).expect("a key");
    let asked = ["--witness", &witness.verifier().to_string(), "--quorum", "1"];
    let report = case.verify(&asked).wrong();
    assert_eq!(report["findings"][0]["fault"], "checkpoint");
    assert!(report["findings"][0]["what"].as_str().expect("why").contains("witnesses have cosigned"));
}
