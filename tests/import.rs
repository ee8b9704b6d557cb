//! The province's annex, imported: what it comes to, twice, dry, and mangled.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use duban_proto::agencies::v1 as agencies;
use duban_proto::tasks::v1 as tasks;
use tokio::process::Command;

use crate::support::{DUBAN, Office, agency, events, reason_of, seed, task};

async fn import(office: &Office, seed: &Path, more: &[&str]) -> std::process::Output {
    let mut command = Command::new(DUBAN);
    command.arg("import").arg(seed).args(["--server", &office.url(), "--lang", "en"]).args(more);
    command.output().await.unwrap()
}

async fn matrix(office: &Office) -> Vec<tasks::Responsibility> {
    let request = tasks::GetMatrixRequest { page_size: 1000, ..Default::default() };
    office.auditor().responsibility().get_matrix(request).await.unwrap().into_inner().responsibilities
}

#[tokio::test(flavor = "multi_thread")]
async fn the_annex_comes_to_23_tasks_29_agencies_and_114_assignments() {
    let office = Office::open().await;
    office.import().await;
    let rows = matrix(&office).await;
    assert_eq!(rows.len(), 114);
    assert_eq!(rows.iter().map(|row| &row.task).collect::<BTreeSet<_>>().len(), 23);
    assert_eq!(rows.iter().map(|row| &row.agency).collect::<BTreeSet<_>>().len(), 29);
    let leads: Vec<_> = rows.iter().filter(|row| row.role() == tasks::AssignmentRole::Lead).collect();
    assert_eq!(leads.len(), 23, "each task has one first-named agency");
    assert_eq!(leads.iter().map(|row| &row.agency).collect::<BTreeSet<_>>().len(), 11);
    let listed = agencies::ListAgenciesRequest { page_size: 1000, ..Default::default() };
    let listed = office.auditor().agencies().list_agencies(listed).await.unwrap().into_inner().agencies;
    assert_eq!(listed.len(), 29);
    office.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_assignment_points_at_the_line_it_came_from() {
    let office = Office::open().await;
    office.import().await;
    let text = std::fs::read_to_string(seed().join("document.txt")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let request =
        tasks::ListAssignmentsRequest { parent: "tasks/-".into(), page_size: 1000, ..Default::default() };
    let listed =
        office.auditor().assignments().list_assignments(request).await.unwrap().into_inner().assignments;
    assert_eq!(listed.len(), 114);
    let mut aliases = BTreeMap::new();
    for one in &listed {
        let source = one.source.as_ref().expect("a source");
        if !aliases.contains_key(&one.agency) {
            let get = agencies::GetAgencyRequest { name: one.agency.clone(), ..Default::default() };
            let found =
                office.auditor().agencies().get_agency(get).await.unwrap().into_inner().agency.unwrap();
            let names: Vec<String> =
                found.aliases.iter().map(|alias| alias.alias.clone()).chain([found.full_name]).collect();
            aliases.insert(one.agency.clone(), names);
        }
        let cited = lines[source.first_line as usize - 1..source.last_line as usize].join("\n");
        assert!(aliases[&one.agency].iter().any(|name| cited.contains(name)), "{} on {cited}", one.name);
        assert!(!one.readings.is_empty() && !one.contested, "{} rests on readings in force", one.name);
    }
    office.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_assignment_ever_rests_on_the_literal_reading_of_item_eight() {
    let office = Office::open().await;
    office.import().await;
    let reading = "documents/qinghai-green-economy-opinion/readings/item-8-agencies-as-printed";
    let request = tasks::ListDependentsRequest { reading: reading.into(), ..Default::default() };
    let dependents =
        office.auditor().documents().list_dependents(request).await.unwrap().into_inner().dependents;
    assert!(dependents.iter().all(|dependent| dependent.r#type.starts_with("reading.")), "{dependents:?}");
    let who = office.who("qh-green-08", None).await;
    assert_eq!(who[0], ("qh-transport".to_owned(), tasks::AssignmentRole::Lead));
    assert_eq!(who.len(), 6);
    let recycling = office.who("qh-green-09", None).await;
    assert_eq!((recycling.len(), recycling[0].0.as_str()), (8, "qh-development-reform"));
    office.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn importing_twice_writes_nothing_the_second_time() {
    let mut office = Office::open().await;
    office.import().await;
    let head = office.head().await;
    let again = import(&office, &seed(), &[]).await;
    assert!(again.status.success());
    assert_eq!(office.head().await, head);
    office.restart().await;
    office.import().await;
    assert_eq!(office.head().await, head);
    office.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_shows_events_and_anomalies_and_leaves_the_log_alone() {
    let office = Office::open().await;
    let dry = import(&office, &seed(), &["--dry-run", "-o", "json"]).await;
    assert!(dry.status.success(), "{}", String::from_utf8_lossy(&dry.stderr));
    assert_eq!(office.head().await, 0);
    let shown: serde_json::Value = serde_json::from_slice(&dry.stdout).unwrap();
    let assigned = |event: &&serde_json::Value| event["type"] == "assignment.dispatched.v1";
    assert_eq!(shown["events"].as_array().unwrap().iter().filter(assigned).count(), 114);
    assert_eq!(shown["anomalies"].as_array().unwrap().len(), 16);
    office.verify().await;
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

/// A file of the seed, what stands in it, and what is put in its place.
const MANGLED: [(&str, &str, &str); 7] = [
    ("document.txt", "省供销社", "省供销杜"),
    ("rows.tsv", "省科技厅", "省科技斤"),
    ("clauses.tsv", "推进工业绿色升级", "推进工业绿色降级"),
    ("commands.jsonl", "\"agencies/qh-finance\"", "\"agencies/qh-finanze\""),
    ("commands.jsonl", "DispatchTask", "DispatchTusk"),
    ("readings.toml", "CONFIDENCE_HIGH", "CONFIDENCE_SURE"),
    ("seed.toml", "tasks = 23", "tasks = 28"),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_mangled_seed_is_refused_with_the_line_and_the_reason_and_nothing_is_written() {
    let office = Office::open().await;
    for (file, was, now) in MANGLED {
        let folder = tempfile::tempdir().unwrap();
        copy(&seed(), folder.path());
        let path = folder.path().join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(was), "{file} has {was}");
        std::fs::write(&path, text.replacen(was, now, 1)).unwrap();
        let refused = import(&office, folder.path(), &[]).await;
        let said = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(2), "{file}: {said}");
        let places = said.lines().filter_map(|line| line.trim().split(':').nth(1)?.parse::<u32>().ok());
        let line = places.count() > 0;
        assert!(line, "a place is named: {said}");
        assert_eq!(office.head().await, 0, "{file}");
    }
    office.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_rests_on_a_withdrawn_reading_stays_in_force_and_is_marked() {
    let office = Office::open().await;
    office.import().await;
    let reading = "documents/qinghai-green-economy-opinion/readings/assignments-hold-from-2022";
    let mut context = crate::support::because("成文日期已经查明");
    context.effective_on = None;
    let withdraw = tasks::WithdrawReadingRequest { context: Some(context), reading: reading.into() };
    office.supervisor().documents().withdraw_reading(withdraw).await.unwrap();
    let rows = matrix(&office).await;
    assert_eq!(rows.len(), 114);
    assert!(rows.iter().all(|row| row.contested));
    let only =
        tasks::GetMatrixRequest { page_size: 1000, filter: "contested = false".into(), ..Default::default() };
    let only =
        office.auditor().responsibility().get_matrix(only).await.unwrap().into_inner().responsibilities;
    assert!(only.is_empty());
    // And nothing new may rest on it.
    let mut context = crate::support::from("2022-01-01");
    context.readings = vec![reading.into()];
    let assign = tasks::AssignAgencyRequest {
        context: Some(context),
        task: task("qh-green-21"),
        agency: agency("qh-finance"),
        role: tasks::AssignmentRole::Supporting.into(),
        ..Default::default()
    };
    let refused = office.supervisor().assignments().assign_agency(assign).await.unwrap_err();
    assert_eq!(reason_of(&refused).1, "READING_NOT_IN_FORCE");
    let last = events(&office.auditor()).await.pop().unwrap();
    assert_eq!(last.r#type, "reading.withdrawn.v1");
    office.verify().await;
}
