//! A log with a signed tree, for somebody to tamper with.

use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Arc;

use duban_log::archive::Cursor;
use duban_log::{Archive, Held, Location};
use duban_merkle::Algorithm;
use duban_tree::keys::Ring;
use duban_tree::{Signer, Store, TreeId, Writer};
use serde_json::Value;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};
use tempfile::TempDir;
use tokio::sync::OnceCell;

use crate::support::{DUBAN, Office, Place, context};

/// How far the log is when the auditor keeps a checkpoint: the whole opinion.
pub const EARLIER: u64 = 248;
/// How far it is at last.
pub const LAST: u64 = 251;

/// A log in a folder, its tree beside it.
pub struct Case {
    folder: TempDir,
    /// The key that it is signed with.
    pub key: String,
    /// The checkpoint that was signed when there were [`EARLIER`] events.
    pub earlier: String,
    /// The newest checkpoint.
    pub newest: String,
    kept: TempDir,
}

/// Made once, then copied: the data, with a copy of it as it was earlier.
struct Template {
    folder: TempDir,
    key: String,
    earlier: String,
    newest: String,
}

static TEMPLATE: OnceCell<Template> = OnceCell::const_new();

async fn template() -> &'static Template {
    let make = async || {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().join("data");
        let mut office =
            Office::open_at(Place::Folder(TempDir::new().expect("a folder")), "2026-03-02").await;
        office.import().await;
        settled(&office).await;
        office.close().await;
        copy(office.folder(), &data);
        let (earlier, key) =
            sign(&Held::Log(Location::Folder(data.clone())), &data, &data.join("signer")).await;
        copy(&data, &folder.path().join("backup"));
        copy(&data.join("tree"), &office.folder().join("tree"));
        copy(&data.join("signer"), &office.folder().join("signer"));
        office.restart().await;
        for task in ["x", "y", "z"] {
            office.supervisor().propose(context(), Some(task)).await.expect("proposed");
        }
        settled(&office).await;
        office.close().await;
        std::fs::remove_dir_all(&data).expect("the older one is gone");
        copy(office.folder(), &data);
        let (newest, _) = sign(&Held::Log(Location::Folder(data.clone())), &data, &data.join("signer")).await;
        Template { folder, key, earlier, newest }
    };
    TEMPLATE.get_or_init(make).await
}

/// The views stand at the head.
async fn settled(office: &Office) {
    office.digests().await;
}

impl Case {
    /// A log of [`LAST`] events.
    pub async fn new() -> Self {
        Self::of("data").await
    }

    /// The same log when it had [`EARLIER`] events.
    pub async fn earlier() -> Self {
        Self::of("backup").await
    }

    async fn of(which: &str) -> Self {
        let template = template().await;
        let folder = tempfile::tempdir().expect("a folder");
        copy(&template.folder.path().join(which), folder.path());
        let kept = tempfile::tempdir().expect("a folder");
        let (key, earlier, newest) =
            (template.key.clone(), template.earlier.clone(), template.newest.clone());
        Self { folder, key, earlier, newest, kept }
    }

    /// The data folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// As a server is told.
    pub fn place(self) -> Place {
        Place::Folder(self.folder)
    }

    /// The folder of the tree.
    pub fn tree(&self) -> PathBuf {
        let mut trees = std::fs::read_dir(self.folder().join("tree")).expect("trees");
        trees.next().expect("a tree").expect("a tree").path()
    }

    /// A checkpoint as an auditor keeps it.
    pub fn keep(&self, checkpoint: &str) -> String {
        let size = checkpoint.lines().nth(1).expect("a size");
        let file = self.kept.path().join(size);
        std::fs::write(&file, checkpoint).expect("kept");
        file.display().to_string()
    }

    /// Does this to the log, past its triggers.
    pub async fn tamper(&self, sql: &str) {
        let mut file = intruder(&self.folder().join("log.db")).await;
        let triggers: Vec<String> =
            sqlx::query_scalar("SELECT name FROM sqlite_schema WHERE type = 'trigger'")
                .fetch_all(&mut file)
                .await
                .expect("triggers");
        for trigger in triggers {
            let drop = format!("DROP TRIGGER {trigger}");
            sqlx::raw_sql(AssertSqlSafe(drop)).execute(&mut file).await.expect("it is gone");
        }
        let done = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut file).await.expect("it is done");
        assert!(done.rows_affected() > 0, "something was changed");
        file.close().await.expect("closed");
    }

    /// Signs the log as it is by now, with the old key, whatever was signed before.
    pub async fn sign_anew(&self) -> String {
        std::fs::remove_dir_all(self.folder().join("tree")).expect("the tree is gone");
        let keys = self.folder().join("signer");
        // What was signed before is forgotten: that of an empty tree is all that there was.
        let last = std::fs::read(keys.join("signed.json")).expect("what was signed");
        let mut last: Value = serde_json::from_slice(&last).expect("JSON");
        for one in last.as_object_mut().expect("origins").values_mut() {
            one["size"] = 0.into();
            one["root"] = Algorithm::Sha256.empty_root().to_string().into();
        }
        std::fs::write(keys.join("signed.json"), last.to_string()).expect("forgotten");
        let held = Held::Log(Location::Folder(self.folder().to_owned()));
        sign(&held, self.folder(), &keys).await.0
    }

    /// `duban verify` with the key of this log.
    pub fn verify(&self, more: &[&str]) -> Verified {
        self.verify_by(&self.key, more)
    }

    /// The same with another key.
    pub fn verify_by(&self, key: &str, more: &[&str]) -> Verified {
        let data = self.folder().display().to_string();
        Verified(duban(&[&["verify", "--data", &data, "--key", key, "-o", "json"], more].concat()))
    }

    /// The same of an export.
    pub fn verify_export(&self, export: &Path, more: &[&str]) -> Verified {
        let (export, tree) = (export.display().to_string(), self.folder().join("tree").display().to_string());
        let asked = ["verify", "--export", &export, "--tree", &tree, "--key", &self.key, "-o", "json"];
        Verified(duban(&[&asked, more].concat()))
    }

    /// What `duban verify` says to people.
    pub fn text(&self, more: &[&str]) -> String {
        let data = self.folder().display().to_string();
        let output = duban(&[&["verify", "--data", &data, "--key", &self.key], more].concat());
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    }

    /// The report of what is as it should be.
    pub fn sound(&self, more: &[&str]) -> Value {
        self.verify(more).sound()
    }

    /// An export of the log as it is.
    pub fn export(&self) -> TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        let (data, to) = (self.folder().display().to_string(), folder.path().display().to_string());
        let output = duban(&["export", "--data", &data, "--to", &to]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        folder
    }
}

/// How a verification ended.
pub struct Verified(pub Output);

impl Verified {
    /// The report, if nothing is wrong.
    #[track_caller]
    pub fn sound(&self) -> Value {
        assert_eq!(self.0.status.code(), Some(0), "{}", self.said());
        self.report()
    }

    /// The report, if something is.
    #[track_caller]
    pub fn wrong(&self) -> Value {
        assert_eq!(self.0.status.code(), Some(7), "{}", self.said());
        self.report()
    }

    /// The first finding.
    #[track_caller]
    pub fn first(&self) -> Value {
        self.wrong()["findings"][0].clone()
    }

    /// The findings of a kind.
    #[track_caller]
    pub fn of(&self, fault: &str) -> Vec<Value> {
        let report = self.wrong();
        let findings = report["findings"].as_array().expect("findings").iter();
        let found: Vec<Value> = findings.filter(|finding| finding["fault"] == fault).cloned().collect();
        assert!(!found.is_empty(), "{fault} is among {report:#}");
        found
    }

    fn report(&self) -> Value {
        serde_json::from_slice(&self.0.stdout).unwrap_or_else(|_| panic!("{}", self.said()))
    }

    /// All that it said.
    pub fn said(&self) -> String {
        String::from_utf8_lossy(&[self.0.stdout.clone(), self.0.stderr.clone()].concat()).into_owned()
    }
}

/// The binary.
pub fn duban(arguments: &[&str]) -> Output {
    std::process::Command::new(DUBAN).args(arguments).output().expect("the binary runs")
}

/// A database, by somebody who has no business there.
pub async fn intruder(file: &Path) -> SqliteConnection {
    SqliteConnectOptions::new().filename(file).connect().await.expect("the file opens")
}

/// Builds the tree of a log below `data`, or goes on with it, and signs it: the checkpoint and the key.
pub async fn sign(log: &Held, data: &Path, keys: &Path) -> (String, String) {
    let archive = Archive::open(log).await.expect("the log opens");
    let id = TreeId::new(archive.identity(), Algorithm::Sha256, None);
    let store = Arc::new(Store::of(data.join("tree").join(id.folder()), id.clone()));
    let mut writer = Writer::open(Arc::clone(&store)).expect("a tree");
    let mut cursor = Cursor::default();
    while let Some(stretch) = archive.events(&mut cursor).await.expect("events") {
        for event in stretch.events {
            let event = event.expect("an event");
            if event.position > writer.size() {
                writer.append(event.leaf_bytes(Algorithm::Sha256).expect("a leaf")).expect("appended");
            }
        }
    }
    archive.close().await;
    let head = writer.commit().expect("stored");
    let signer = Signer::open(keys, &id).expect("a signer");
    let note = signer
        .sign(head, &Ring::default(), 0, |old| store.growth(old, head.size))
        .expect("signed")
        .note
        .to_string();
    writer.press().publish(&note).expect("published");
    (note, signer.verifiers().expect("its keys")[0].to_string())
}

/// Copies a folder with all that is in it.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), &target).expect("copied");
        }
    }
}
