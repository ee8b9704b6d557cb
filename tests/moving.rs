//! Moving house, as operators do it: with the binary, between a folder and whatever this program is for.

use std::path::{Path, PathBuf};
use std::process::Output;

use duban_log::views::Digest;
use duban_log::{Append, Condition, Location, Log, LogOptions, NewEvent, Origin, StoredEvent};
use duban_proto::agencies::v1 as agencies;
use duban_proto::audit::v1 as audit;
use duban_proto::call::v1::LogIdentity;
use tempfile::TempDir;
use tonic::Code;
use uuid::Uuid;

use crate::support::{As, DUBAN, Office, PATIENCE, Place, Process, context, events, reason_of};

/// The binary with these arguments, for programs.
fn duban<S: AsRef<str>>(arguments: &[S]) -> Output {
    let arguments = arguments.iter().map(AsRef::as_ref);
    std::process::Command::new(DUBAN).args(arguments).args(["-o", "json"]).output().expect("the binary runs")
}

/// What it printed, if it ended well.
fn done(output: &Output) -> serde_json::Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// With which code it ended, and what it said.
fn refused(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// How the command line is told of a log by who may do anything with it.
fn owned(place: &Place) -> [String; 2] {
    match place {
        Place::Folder(_) => place.flags(),
        Place::Database(database) => ["--log".into(), database.owner()],
    }
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

/// A server on a folder, with a small history.
async fn scene() -> Office {
    let office = Office::open_at(Place::Folder(folder()), "2026-03-02").await;
    office.register_agencies(&["a", "b", "c"]).await;
    office.dispatch("t", "2026-01-01", &["a", "b"]).await;
    office.acknowledge("t", "a").await;
    office
}

async fn identity(office: &Office) -> LogIdentity {
    let head = office.auditor().audit().get_head(audit::GetHeadRequest {}).await.expect("a head");
    head.into_inner().log.expect("an identity")
}

async fn cursor(office: &Office) -> audit::Cursor {
    audit::Cursor { log: Some(identity(office).await), position: office.head().await }
}

async fn read_after(who: &As, after: audit::Cursor) -> Result<u64, tonic::Status> {
    let request = audit::ReadRequest { after: Some(after), ..Default::default() };
    let mut pages = who.audit().read(request).await?.into_inner();
    let mut read = 0;
    while let Some(page) = pages.message().await? {
        read += page.events.len() as u64;
    }
    Ok(read)
}

async fn subscribe_after(who: &As, after: audit::Cursor) -> Result<(), tonic::Status> {
    let request = audit::SubscribeRequest { after: Some(after), ..Default::default() };
    who.audit().subscribe(request).await.map(drop)
}

/// A page of agencies, and the token of the next.
async fn page(who: &As, token: &str) -> Result<(Vec<String>, String), tonic::Status> {
    let request =
        agencies::ListAgenciesRequest { page_size: 2, page_token: token.to_owned(), ..Default::default() };
    let page = who.agencies().list_agencies(request).await?.into_inner();
    Ok((page.agencies.into_iter().map(|agency| agency.name).collect(), page.next_page_token))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sealed_log_goes_on_in_its_new_home() {
    let mut office = scene().await;
    let (log, known) = (identity(&office).await, cursor(&office).await);
    let asked = context();
    let first = office.supervisor().propose(asked.clone(), Some("u")).await.expect("proposed");
    let (_, token) = page(&office.auditor(), "").await.expect("a page");
    let (history, digests) = (events(&office.auditor()).await, office.digests().await);
    let elsewhere = folder();
    let path = elsewhere.path().join("export");
    let data = text(office.folder());
    let seal = ["export", "--data", &data, "--to", &text(&path), "--seal"];
    let (code, said) = refused(&duban(&seal));
    assert!(code == Some(6) && said.contains("in use"), "{said}");
    office.close().await;
    let exported = done(&duban(&seal));
    assert_eq!((&exported["sealed"], &exported["log"]["epoch"]), (&true.into(), &log.epoch.clone().into()));
    let manifest = std::fs::read(path.join("export.json")).expect("a manifest");
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).expect("JSON");
    let claimed = manifest["views"].as_array().expect("digests").iter();
    let claimed: Vec<_> =
        claimed.map(|claim| (&claim["view"], &claim["position"], &claim["sha256"])).collect();
    let said = |digest: &Digest| hex::encode(digest.sha256);
    assert_eq!(claimed.len(), digests.len());
    for ((view, digest), claim) in digests.iter().zip(claimed) {
        assert_eq!(claim, (&(*view).into(), &digest.position.into(), &said(digest).into()));
    }

    // The old home answers what was, and a retry of what was done; it takes nothing new.
    office.restart().await;
    assert_eq!(events(&office.auditor()).await, history);
    let again = office.supervisor().propose(asked.clone(), Some("u")).await.expect("its first answer");
    assert_eq!(again.receipt, first.receipt);
    let ended = office.supervisor().propose(context(), Some("v")).await.expect_err("it has ended");
    assert_eq!(reason_of(&ended), (Code::FailedPrecondition, "LOG_SEALED".to_owned()));
    office.verify().await;

    let home = Place::new().await;
    let [flag, place] = owned(&home);
    let loaded = done(&duban(&["load", &text(&path), &flag, &place]));
    assert_eq!((&loaded["sameEpoch"], &loaded["position"]), (&true.into(), &exported["position"]));
    let (code, said) = refused(&duban(&["load", &text(&path), &flag, &place]));
    assert!(code == Some(5) && said.contains("not empty"), "{said}");
    let office = Office::open_at(home, "2026-03-03").await;
    assert_eq!((identity(&office).await, office.digests().await), (log, digests));
    assert_eq!(events(&office.auditor()).await, history);
    let again = office.supervisor().propose(asked, Some("u")).await.expect("its first answer");
    assert_eq!((again.receipt, again.task), (first.receipt, first.task));
    office.supervisor().propose(context(), Some("v")).await.expect("the log goes on");
    assert_eq!(read_after(&office.auditor(), known).await.expect("the cursor is good"), 2);
    let (rest, _) = page(&office.auditor(), &token).await.expect("the token is good");
    assert_eq!(rest, ["agencies/c"]);
    office.verify().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_begins_an_epoch_and_old_cursors_fail_loudly() {
    let office = scene().await;
    let (log, known, history) =
        (identity(&office).await, cursor(&office).await, events(&office.auditor()).await);
    let (_, token) = page(&office.auditor(), "").await.expect("a page");
    let elsewhere = folder();
    let path = elsewhere.path().join("export");
    // While the server runs.
    done(&duban(&["export", "--data", &text(office.folder()), "--to", &text(&path)]));
    let home = Place::new().await;
    let [flag, place] = owned(&home);
    let loaded = done(&duban(&["load", &text(&path), &flag, &place]));
    assert_eq!(loaded["sameEpoch"], false);
    let copy = Office::open_at(home, "2026-03-03").await;
    let ours = identity(&copy).await;
    assert_eq!(ours.log, log.log);
    assert_ne!(ours.epoch, log.epoch);

    let read = read_after(&copy.auditor(), known.clone()).await.expect_err("it is of another epoch");
    let subscribed =
        subscribe_after(&copy.auditor(), known.clone()).await.expect_err("it is of another epoch");
    for status in [read, subscribed] {
        assert_eq!(reason_of(&status), (Code::FailedPrecondition, "OTHER_LOG".to_owned()));
        let details = tonic_types::StatusExt::get_error_details(&status);
        let metadata = &details.error_info().expect("details").metadata;
        assert_eq!(metadata["expected"], format!("{}/{}", ours.log, ours.epoch));
        assert_eq!(metadata["current"], format!("{}/{}", log.log, log.epoch));
    }
    let refused = page(&copy.auditor(), &token).await.expect_err("it is of another epoch");
    assert_eq!(reason_of(&refused), (Code::InvalidArgument, "PAGE_TOKEN_INVALID".to_owned()));

    // The epoch is an event like any other, and explains itself.
    let now = events(&copy.auditor()).await;
    let (opened, before) = now.split_last().expect("events");
    assert_eq!(before, history);
    assert_eq!((opened.r#type.as_str(), opened.actor.as_str()), ("log.epoch_opened.v1", "system:log"));
    let body: serde_json::Value = serde_json::from_slice(&opened.body).expect("JSON");
    assert_eq!(body["event"]["data"]["previousPosition"], known.position);
    assert_eq!(body["event"]["data"]["previousEpoch"], log.epoch.as_str());
    let name = format!("logs/{}", log.log);
    let explained = copy.auditor().explain(&name, None).await.expect("explained");
    let epoch = explained.fields.iter().find(|field| field.field == "epoch").expect("a field");
    assert_eq!((&epoch.value, &epoch.positions), (&ours.epoch, &vec![opened.position]));
    let filter = audit::EventFilter { subjects: vec![name.clone()], ..Default::default() };
    let request = audit::ReadRequest { filter: Some(filter), ..Default::default() };
    let mut found = copy.auditor().audit().read(request).await.expect("read").into_inner();
    let mut filed = Vec::new();
    while let Some(page) = found.message().await.expect("a page") {
        filed.extend(page.events);
    }
    assert_eq!(filed, std::slice::from_ref(opened));
    let unknown = office.auditor().explain(&name, None).await.expect_err("it is in its first epoch");
    assert_eq!(reason_of(&unknown), (Code::NotFound, "EPOCH_NOT_FOUND".to_owned()));

    // Both go on, each by itself.
    for both in [&office, &copy] {
        both.supervisor().propose(context(), Some("v")).await.expect("proposed");
    }
    assert_eq!(read_after(&office.auditor(), known).await.expect("where it is from it is good"), 1);
    copy.verify().await;
    office.verify().await;
}

/// A log large enough to be caught in the middle: 120 appends of 200 events of three kilobytes.
async fn large(folder: &Path) -> u64 {
    let log = Log::open(LogOptions::new(folder)).await.expect("it opens");
    for number in 0..120_u128 {
        let event = |index: u128| NewEvent {
            id: Uuid::from_u128(number * 1000 + index),
            nonce: [7; 32],
            event_type: "test.happened.v1".into(),
            effective_on: "2026-03-02".parse().expect("a date"),
            tags: vec![duban_domain::Tag::stored(format!("test:{}", index % 50))],
            body: format!("{{\"event\":\"{}\"}}", "x".repeat(3000)).into_bytes().into(),
        };
        let principal = duban_domain::PrincipalId::parse("tester").expect("an id");
        let append = Append {
            origin: Origin {
                caller: duban_domain::Caller {
                    principal,
                    role: duban_domain::Role::Supervisor,
                    agency: None,
                },
                request_id: Uuid::from_u128(number),
                correlation: Uuid::from_u128(number),
                causation: None,
                trace_id: None,
            },
            fingerprint: [1; 32],
            events: (0..200).map(event).collect(),
            condition: Condition::default(),
            read_at: 0,
        };
        log.append(append).await.expect("appended");
    }
    let head = log.head().await.expect("a head");
    log.close().await;
    head
}

async fn everything(location: Location) -> Vec<StoredEvent> {
    let log = Log::open(LogOptions::at(location)).await.expect("it opens");
    let mut events: Vec<StoredEvent> = Vec::new();
    loop {
        let page = log.read(events.len() as u64, usize::MAX).await.expect("it is read");
        if page.events.is_empty() {
            break;
        }
        events.extend(page.events);
    }
    log.close().await;
    events
}

/// Starts the binary and kills it (-9) as soon as `there` is; whether it was still at work.
async fn killed(arguments: &[String], there: impl Fn() -> bool) -> bool {
    let mut child = tokio::process::Command::new(DUBAN)
        .args(arguments)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("the binary runs");
    while !there() {
        if child.try_wait().expect("it is waited for").is_some() {
            return false;
        }
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    let at_work = child.try_wait().expect("it is waited for").is_none();
    child.kill().await.ok();
    at_work
}

fn files(folder: PathBuf) -> usize {
    let names = std::fs::read_dir(folder).into_iter().flatten().flatten();
    names.filter(|entry| entry.path().extension().is_some_and(|ending| ending == "jsonl")).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_in_the_middle_both_ways_it_goes_on() {
    let (source, elsewhere) = (folder(), folder());
    let head = large(source.path()).await;
    let path = elsewhere.path().join("export");
    let export = ["export", "--data", &text(source.path()), "--to", &text(&path)].map(ToOwned::to_owned);
    let mut kills = 0;
    for files_there in [1, 2, 3] {
        let events = path.join("events");
        kills += usize::from(killed(&export, || files(events.clone()) >= files_there).await);
    }
    assert!(kills >= 1, "it was never caught at work");
    assert_eq!(done(&duban(&export))["position"], head.to_string());

    let home = Place::new().await;
    let [flag, place] = owned(&home);
    let load = ["load".to_owned(), text(&path), flag, place];
    let mut kills = 0;
    for _ in 0..3 {
        let begun = std::time::Instant::now();
        // Whatever it is doing after a moment: the first file is loaded, or is being loaded.
        kills += usize::from(killed(&load, || begun.elapsed().as_millis() > 400).await);
    }
    if kills > 0 && matches!(home, Place::Folder(_)) && home.folder().join("log.db").exists() {
        let [flag, place] = home.flags();
        let (code, said) =
            refused(&duban(&["serve", "--listen", "127.0.0.1:0", "--admin", "off", &flag, &place]));
        assert!(code == Some(5) && said.contains("half loaded"), "a half-loaded log is not served: {said}");
    }
    // Who was killed may not have been missed yet.
    let loaded = loop {
        let output = duban(&load);
        if output.status.code() != Some(6) {
            break output;
        }
    };
    done(&loaded);
    let (before, mut after) =
        (everything(Location::from(source.path())).await, everything(home.location()).await);
    assert_eq!(after.pop().expect("the opening of the epoch").position, head + 1);
    assert!(before == after, "what was loaded is what was exported");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_of_a_running_server_is_restored_in_a_new_epoch() {
    let office = scene().await;
    let (log, known, history) =
        (identity(&office).await, cursor(&office).await, events(&office.auditor()).await);
    let elsewhere = folder();
    let (file, data) = (text(&elsewhere.path().join("duban.backup")), text(office.folder()));
    let backup = done(&duban(&["backup", "--data", &data, "--to", &file]));
    assert_eq!(backup["position"], known.position.to_string());
    assert_eq!(
        refused(&duban(&["backup", "--data", &data, "--to", &file])).0,
        Some(1),
        "nothing is overwritten"
    );
    office.supervisor().propose(context(), Some("v")).await.expect("lost to who restores");
    let (code, said) = refused(&duban(&["restore", &file, "--data", &data]));
    assert!(code == Some(6) && said.contains("in use"), "{said}");

    let home = Place::Folder(folder());
    let trees = office.folder().join("tree");
    let tree = office.running().trees.as_ref().expect("trees").find("").expect("a tree");
    let soon = tokio::time::Instant::now() + PATIENCE;
    tree.covering(known.position, soon).await.expect("a checkpoint");
    let restored = done(&duban(&["restore", &file, "--data", &text(home.folder()), "--tree", &text(&trees)]));
    assert_eq!(restored["log"]["log"], log.log.as_str());
    let (code, said) = refused(&duban(&["restore", &file, "--data", &text(home.folder())]));
    assert!(code == Some(5) && said.contains("not empty"), "{said}");
    let copy = Office::open_at(home, "2026-03-03").await;
    assert_ne!(identity(&copy).await.epoch, log.epoch);
    let all = events(&copy.auditor()).await;
    assert_eq!(all[..history.len()], history);
    // Who keeps the old epoch's checkpoint sees in the new one what was known to be lost.
    let opened: serde_json::Value = serde_json::from_slice(&all[history.len()].body).expect("a body");
    let named = opened["event"]["data"]["previousCheckpoint"].as_str().expect("a checkpoint");
    let origin = format!("duban/logs/{}/epochs/{}\n", log.log, log.epoch);
    assert!(named.starts_with(&origin) && named.contains("\n\n— "), "{named}");
    let refused = read_after(&copy.auditor(), known).await.expect_err("it is of another epoch");
    assert_eq!(reason_of(&refused).1, "OTHER_LOG");
    copy.verify().await;
    office.verify().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_is_said_with_its_exit_code() {
    let mut office = scene().await;
    office.close().await;
    let elsewhere = folder();
    let (path, nothing) = (elsewhere.path().join("export"), elsewhere.path().join("nothing"));
    let (code, said) = refused(&duban(&["export", "--data", &text(&nothing), "--to", &text(&path)]));
    assert!(code == Some(3) && said.contains("there is no log in"), "{said}");
    let (code, said) =
        refused(&duban(&["load", &text(&nothing), "--data", &text(&elsewhere.path().join("x"))]));
    assert!(code == Some(3) && said.contains("export.json"), "{said}");
    done(&duban(&["export", "--data", &text(office.folder()), "--to", &text(&path)]));
    let file = path.join("events/000000000001.jsonl");
    let lines = std::fs::read_to_string(&file).expect("a file");
    std::fs::write(&file, lines.replacen("\"position\":3,", "\"position\":3;", 1)).expect("damaged");
    let home = folder();
    let (code, said) = refused(&duban(&["load", &text(&path), "--data", &text(home.path())]));
    assert!(code == Some(7) && said.contains("000000000001.jsonl, position 3"), "{said}");
    let (code, said) = refused(&duban(&["restore", "--data", &text(home.path())]));
    assert!(code == Some(2) && said.contains("which backup"), "{said}");
    // An export of all that there is, that is there already, is left as it is.
    done(&duban(&["export", "--data", &text(office.folder()), "--to", &text(&path)]));
    office.restart().await;
    office.verify().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_in_a_row_are_one_log() {
    let place = Place::Folder(folder());
    let process = Process::start(&place).await;
    let who = As::on(process.channel(), "supervisor-1", "supervisor", None);
    let asked = context();
    let first = who.propose(asked.clone(), Some("t")).await.expect("proposed");
    assert!(process.terminate().await.success());
    let elsewhere = folder();
    let path = text(&elsewhere.path().join("export"));
    done(&duban(&["export", "--data", &text(place.folder()), "--to", &path, "--seal"]));
    let home = Place::new().await;
    let [flag, url] = owned(&home);
    done(&duban(&["load", &path, &flag, &url]));
    let process = Process::start(&home).await;
    let who = As::on(process.channel(), "supervisor-1", "supervisor", None);
    assert_eq!(who.propose(asked, Some("t")).await.expect("its first answer").receipt, first.receipt);
    assert!(process.terminate().await.success());
}
