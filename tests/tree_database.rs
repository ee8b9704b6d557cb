//! The audit tree in a database of its own: built there by one of several processes, killed at any moment, proven
//! from, verified, written out as a folder.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Output;
use std::time::Duration;

use duban_proto::agencies::v1 as agencies;
use duban_proto::audit::v1 as audit;
use duban_test_postgres::Database;
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection as _};
use tempfile::TempDir;
use tonic::transport::Channel;

use crate::support::{As, DUBAN, PATIENCE, Place, Process, from};

/// How often builders are killed.
const KILLS: u64 = 12;

/// A log, its trees in a database of their own, and the signer's folder.
struct Scene {
    place: Place,
    trees: Database,
    signer: TempDir,
}

impl Scene {
    async fn new() -> Self {
        let place = Place::new().await;
        let trees = Database::empty().await.expect("there is one, since there is one for the log");
        Self { place, trees, signer: tempfile::tempdir().expect("a folder") }
    }

    /// A process that builds the tree, or reads it while another does.
    async fn start(&self) -> Process {
        self.start_on(&self.trees.owner(), self.signer.path()).await
    }

    async fn start_on(&self, tree: &str, signer: &Path) -> Process {
        Process::start_with(&self.place, |command| {
            command.args(["agencies", "audit", "--tree", tree]).arg("--signer").arg(signer);
        })
        .await
    }

    fn log(&self) -> String {
        self.place.database().app()
    }

    /// `duban verify` against the trees there.
    fn verify(&self, tree: &str, more: &[&str]) -> Output {
        duban(&[&["verify", "--log", &self.log(), "--tree", tree, "--no-views", "-o", "json"], more].concat())
    }

    /// The trees written out as folders: the one there is, file by file.
    fn export(&self, to: &Path) -> BTreeMap<String, Vec<u8>> {
        let exported =
            duban(&["tree", "export", "--tree", &self.trees.owner(), "--to", &to.display().to_string()]);
        assert!(exported.status.success(), "{}", said(&exported));
        files(to)
    }

    async fn tamper(&self, sql: &str) {
        let mut superuser = self.trees.superuser().await;
        let sql = AssertSqlSafe(sql.to_owned());
        let done = sqlx::raw_sql(sql).execute(&mut superuser).await.expect("done");
        assert_eq!(done.rows_affected(), 1);
        superuser.close().await.expect("closed");
    }
}

/// All files of the one tree in a folder, but those that only its builder needs.
fn files(trees: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut folders: Vec<_> =
        std::fs::read_dir(trees).expect("trees").map(|one| one.expect("one").path()).collect();
    assert_eq!(folders.len(), 1, "one tree");
    let (tree, mut found) = (folders[0].clone(), BTreeMap::new());
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).expect("a folder").map(|one| one.expect("one").path()) {
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(&tree).expect("below").display().to_string();
                found.insert(name, std::fs::read(&path).expect("a file"));
            }
        }
    }
    found.remove("lock");
    found
}

fn duban(arguments: &[&str]) -> Output {
    std::process::Command::new(DUBAN).args(arguments).output().expect("the binary runs")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}

/// The report of a verification, which ended with this code.
#[track_caller]
fn report(output: &Output, code: i32) -> Value {
    assert_eq!(output.status.code(), Some(code), "{}", said(output));
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", said(output)))
}

/// Registers an agency; its position. None if the server is gone.
async fn register(channel: Channel, id: &str) -> Option<u64> {
    let request = agencies::RegisterAgencyRequest {
        context: Some(from("2020-01-01")),
        agency_id: Some(id.to_owned()),
        full_name: format!("机构{id}"),
        kind: agencies::AgencyKind::ConstituentDepartment.into(),
        ..Default::default()
    };
    let supervisor = As::on(channel, "supervisor-1", "supervisor", None);
    Some(supervisor.agencies().register_agency(request).await.ok()?.into_inner().receipt?.last_position)
}

/// The checkpoint that covers a position, proven.
async fn proven(channel: Channel, position: u64) -> audit::SignedCheckpoint {
    let request = audit::ProveInclusionRequest { position, ..Default::default() };
    let auditor = As::on(channel, "auditor-1", "auditor", None);
    let proven = auditor.proofs().prove_inclusion(request).await.expect("it is covered");
    proven.into_inner().checkpoint.expect("a checkpoint")
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_built_by_one_of_several_and_verified_and_what_is_changed_there_is_named() {
    let scene = Scene::new().await;
    let first = scene.start().await;
    register(first.channel(), "a").await.expect("registered");
    let built = proven(first.channel(), 1).await;
    let second = scene.start().await;
    assert_eq!(proven(second.channel(), 1).await, built);
    first.kill().await;
    let last = register(second.channel(), "b").await.expect("registered");
    let next = proven(second.channel(), last).await;
    assert_eq!((&next.origin, next.size), (&built.origin, last));
    assert!(second.terminate().await.success());

    let url = scene.trees.owner();
    let folder = tempfile::tempdir().expect("a folder");
    let exported = scene.export(folder.path());
    let key = String::from_utf8(exported["keys"].clone()).expect("a key");
    for tree in [&url, &folder.path().display().to_string()] {
        let report = report(&scene.verify(tree, &["--key", key.trim()]), 0);
        assert_eq!((&report["events"], &report["tree"]["compared"]), (&last.into(), &last.into()));
        assert!(!said(&scene.verify(tree, &[])).contains("duban_owner:"), "no password is shown");
    }
    let bundle = format!("name = 'tile/entries/000.p/{last}'");
    for (change, row, fault) in [
        // The first letter of the actor, behind the length of the leaf and `{"actor":"`.
        ("set_byte(bytes, 12, get_byte(bytes, 12) # 1)", bundle.as_str(), "entry"),
        ("set_byte(bytes, 3, get_byte(bytes, 3) # 1)", &bundle.replace("entries", "0"), "tile"),
        (
            "convert_to(replace(convert_from(bytes, 'UTF8'), '=', 'A'), 'UTF8')",
            "name = 'checkpoint'",
            "checkpoint",
        ),
    ] {
        let before = "ALTER TABLE duban_tree.files ADD COLUMN IF NOT EXISTS before BYTEA";
        sqlx::raw_sql(before).execute(&mut scene.trees.superuser().await).await.expect("done");
        scene
            .tamper(&format!("UPDATE duban_tree.files SET before = bytes, bytes = {change} WHERE {row}"))
            .await;
        let report = report(&scene.verify(&url, &["--key", key.trim()]), 7);
        let faults: Vec<&Value> = report["findings"]
            .as_array()
            .expect("findings")
            .iter()
            .map(|finding| &finding["fault"])
            .collect();
        assert!(faults.contains(&&fault.into()), "{row}: {faults:?}");
        scene.tamper(&format!("UPDATE duban_tree.files SET bytes = before WHERE {row}")).await;
    }
    report(&scene.verify(&url, &["--key", key.trim()]), 0);
}

/// However often its builder is killed, the tree comes to the same bytes as one that nobody disturbed, in a folder.
#[tokio::test(flavor = "multi_thread")]
async fn its_builders_are_killed_and_it_is_the_same_folder() {
    let scene = Scene::new().await;
    for round in 0..KILLS {
        let server = scene.start().await;
        let load = tokio::spawn({
            let channel = server.channel();
            async move {
                let mut count = 0;
                while register(channel.clone(), &format!("a-{round}-{count}")).await.is_some() {
                    count += 1;
                }
            }
        });
        // Within a round of the tree, at its end, between two.
        tokio::time::sleep(Duration::from_millis(100 + 170 * round)).await;
        server.kill().await;
        load.await.expect("it ends with its server");
    }
    let server = scene.start().await;
    let head = register(server.channel(), "last").await.expect("registered");
    let killed = proven(server.channel(), head).await;
    assert!(server.terminate().await.success());
    let (to, fresh) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let exported = scene.export(to.path());
    let server =
        scene.start_on(&fresh.path().join("tree").display().to_string(), &fresh.path().join("signer")).await;
    let built = proven(server.channel(), head).await;
    assert!(server.terminate().await.success());
    assert_eq!((killed.size, &killed.root), (built.size, &built.root));
    let undisturbed = files(&fresh.path().join("tree"));
    let tiles: Vec<_> = undisturbed.iter().filter(|(name, _)| name.starts_with("tile/")).collect();
    assert!(tiles.len() > 2);
    for (name, bytes) in tiles {
        assert_eq!(exported.get(name), Some(bytes), "{name}");
    }
    // Written out again, nothing of it has changed.
    assert_eq!(scene.export(to.path()), exported);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_of_a_log_is_refused() {
    let scene = Scene::new().await;
    let signer = scene.signer.path().display().to_string();
    let log = scene.log();
    let address = ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
    let mut serve = tokio::process::Command::new(DUBAN);
    serve
        .args(["serve", "--log", &log, "--tree", &log, "--signer", &signer])
        .args(address)
        .kill_on_drop(true);
    let served =
        tokio::time::timeout(PATIENCE, serve.output()).await.expect("it ends").expect("the binary runs");
    assert_eq!(served.status.code(), Some(2), "{}", said(&served));
    assert!(said(&served).contains("a database of its own"), "{}", said(&served));
    assert_eq!(scene.verify(&log, &[]).status.code(), Some(2));
}

/// Cosignatures carried by hand, and the opening of another epoch, find the tree in its database.
#[tokio::test(flavor = "multi_thread")]
async fn what_else_reads_a_tree_reads_it_there() {
    let scene = Scene::new().await;
    let server = scene.start().await;
    let last = register(server.channel(), "a").await.expect("registered");
    let checkpoint = proven(server.channel(), last).await;
    assert!(server.terminate().await.success());
    let (url, office) = (scene.trees.owner(), tempfile::tempdir().expect("a folder"));
    let path = |name: &str| office.path().join(name).display().to_string();
    let done = |arguments: &[&str]| {
        let output = duban(arguments);
        assert!(output.status.success(), "{arguments:?} {}", said(&output));
        String::from_utf8(output.stdout).expect("text").trim().to_owned()
    };
    let key = done(&["witness", "key", "--name", "witness.example/w1", "--folder", &path("office")]);
    let exported = scene.export(&office.path().join("exported"));
    let log_key = String::from_utf8(exported["keys"].clone()).expect("a key");
    done(&["witness", "request", "--tree", &url, "--to", &path("asked")]);
    let sign = ["witness", "sign", &path("asked"), "--log-key", log_key.trim(), "--folder", &path("office")];
    done(&[&sign[..], &["--to", &path("answered")]].concat());
    done(&["witness", "accept", &path("answered"), "--tree", &url, "--witness", &key]);
    let cosigned = scene.export(&office.path().join("exported"));
    let note = String::from_utf8(cosigned["checkpoint"].clone()).expect("a note");
    assert!(note.contains("witness.example/w1") && note.starts_with(&checkpoint.note), "{note}");
    assert!(cosigned.contains_key(&format!("cosigned/{last}")));

    let owner = scene.place.database().owner();
    done(&["restore", "--log", &owner, "--tree", &url]);
    let shown = done(&["verify", "--log", &owner, "--no-views", "-o", "json"]);
    let report: Value = serde_json::from_str(&shown).expect("a report");
    assert_eq!(report["epochs"].as_array().expect("epochs").len(), 2);
    let mut log = scene.place.database().superuser().await;
    let opening: Vec<u8> = sqlx::query_scalar("SELECT body FROM duban_log.events WHERE position = $1")
        .bind(i64::try_from(last + 1).expect("small"))
        .fetch_one(&mut log)
        .await
        .expect("an event");
    let opening: Value = serde_json::from_slice(&opening).expect("a body");
    assert_eq!(opening["event"]["data"]["previousCheckpoint"], note.as_str());
    // The epoch that is over is served beside the new one.
    let server = scene.start().await;
    let auditor = As::on(server.channel(), "auditor-1", "auditor", None);
    let asked = audit::GetCheckpointRequest { origin: checkpoint.origin.clone() };
    let old = auditor.proofs().get_checkpoint(asked).await.expect("it is there").into_inner();
    assert_eq!(old.checkpoint.expect("a checkpoint").note, note);
    assert_eq!(proven(server.channel(), last + 1).await.size, last + 1);
    assert!(server.terminate().await.success());
}
