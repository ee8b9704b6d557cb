//! Many processes on one database: writers, followers, runners of views; killed, stopped, in each other's way.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use duban_proto::agencies::v1 as agencies;
use duban_proto::audit::v1 as audit;
use duban_proto::audit::v1::subscribe_response::Frame;
use duban_proto::tasks::v1::AssignmentRole as Role;
use tonic::transport::Channel;

use crate::support::{As, Office, Place, Process, agency, because_from, events, from, reason_of};

/// Processes that write.
const WRITERS: usize = 16;
/// Subscribers that follow while they do.
const FOLLOWERS: usize = 10;
/// Commands of each writer.
const COMMANDS: usize = 25;

fn supervisor(channel: Channel) -> As {
    As::on(channel, "supervisor-1", "supervisor", None)
}

fn auditor(channel: Channel) -> As {
    As::on(channel, "auditor-1", "auditor", None)
}

fn register(id: &str) -> agencies::RegisterAgencyRequest {
    agencies::RegisterAgencyRequest {
        context: Some(from("2020-01-01")),
        agency_id: Some(id.to_owned()),
        full_name: format!("机构{id}"),
        kind: agencies::AgencyKind::ConstituentDepartment.into(),
        ..Default::default()
    }
}

/// Processes on one log, each with these services.
async fn processes(place: &Place, count: usize, services: &'static [&'static str]) -> Vec<Process> {
    let one = || {
        Process::start_with(place, |command| {
            command.args(services);
        })
    };
    futures::future::join_all((0..count).map(|_| one())).await
}

/// Follows from the start until `last` positions have come: all of them, in order, at times that never go back.
async fn follow(channel: Channel, last: u64) -> Vec<(u64, String)> {
    let request = audit::SubscribeRequest::default();
    let mut frames = auditor(channel).audit().subscribe(request).await.expect("subscribed").into_inner();
    let (mut met, mut before) = (Vec::new(), (0, 0));
    while (met.len() as u64) < last {
        let frame = frames.message().await.expect("no failure").expect("no end");
        let Some(Frame::Events(page)) = frame.frame else { continue };
        for event in page.events {
            let at = event.recorded_at.expect("a time");
            assert!((at.seconds, at.nanos) >= before, "times never go back");
            before = (at.seconds, at.nanos);
            met.push((event.position, event.request_id));
        }
    }
    met
}

/// Transactions that others hold open all the while, on the log and on the views, each with a snapshot of its own.
async fn in_the_way(place: &Place) -> Vec<sqlx::postgres::PgConnection> {
    let mut held = Vec::new();
    for begin in ["BEGIN ISOLATION LEVEL REPEATABLE READ", "BEGIN", "BEGIN ISOLATION LEVEL SERIALIZABLE"] {
        let mut connection = place.database().superuser().await;
        let script = format!("{begin}; SELECT pg_current_xact_id(); SELECT count(*) FROM duban_log.events");
        sqlx::raw_sql(sqlx::AssertSqlSafe(script)).execute(&mut connection).await.expect("held open");
        held.push(connection);
    }
    held
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixteen_processes_write_and_ten_followers_miss_nothing() {
    let place = Place::new().await;
    let held = in_the_way(&place).await;
    let writers = processes(&place, WRITERS, &["agencies", "audit"]).await;
    let last = (WRITERS * COMMANDS) as u64;
    let followers: Vec<_> =
        (0..FOLLOWERS).map(|number| tokio::spawn(follow(writers[number].channel(), last))).collect();
    let commands = writers.iter().enumerate().map(|(number, writer)| {
        let client = supervisor(writer.channel());
        tokio::spawn(async move {
            let mut receipts = Vec::new();
            for count in 0..COMMANDS {
                let reply = client.agencies().register_agency(register(&format!("a-{number}-{count}"))).await;
                receipts.push(reply.expect("registered").into_inner().receipt.expect("a receipt"));
            }
            receipts
        })
    });
    let mut acknowledged = BTreeSet::new();
    for writer in commands.collect::<Vec<_>>() {
        acknowledged.extend(writer.await.unwrap().iter().map(|receipt| receipt.first_position));
    }
    assert_eq!(acknowledged, (1..=last).collect(), "positions are dense, and each was given once");
    let mut seen = Vec::new();
    for follower in followers {
        let met = tokio::time::timeout(Duration::from_mins(1), follower).await.expect("in time").unwrap();
        assert!(met.iter().map(|(position, _)| *position).eq(1..=last), "none skipped, doubled or reordered");
        seen.push(met);
    }
    assert!(seen.windows(2).all(|pair| pair[0] == pair[1]), "all saw the same");
    for mut connection in held {
        sqlx::query("ROLLBACK").execute(&mut connection).await.expect("let go");
    }
    for writer in writers {
        assert!(writer.terminate().await.success());
    }
    Office::open_at(place, "2026-03-02").await.verify().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dissolution_and_an_assignment_in_different_processes_never_both_succeed() {
    const ROUNDS: usize = 1000;
    const AT_ONCE: usize = 8;
    let office = Office::open().await;
    let names: Vec<String> = (0..ROUNDS).map(|round| format!("a{round}")).collect();
    let mut agencies: Vec<&str> = names.iter().map(String::as_str).collect();
    agencies.push("lead");
    office.register_agencies(&agencies).await;
    for task in 0..AT_ONCE {
        office.dispatch(&format!("t{task}"), "2026-03-01", &["lead"]).await;
    }
    let before = office.head().await;
    let others = processes(office.place(), 2, &["agencies", "tasks"]).await;
    let (one, other) = (others[0].channel(), others[1].channel());
    let work = (0..AT_ONCE).map(|task| {
        let (one, other) =
            (supervisor(one.clone()), As::on(other.clone(), "supervisor-2", "supervisor", None));
        let names: Vec<String> = names.iter().skip(task).step_by(AT_ONCE).cloned().collect();
        tokio::spawn(async move {
            let mut won = BTreeMap::new();
            for name in names {
                let (id, task) = (agency(&name), format!("t{task}"));
                let assign = one.assign(from("2026-03-02"), (&task, &name), &name, Role::Supporting, None);
                let dissolve = other.dissolve(because_from("撤销", "2026-03-02"), &id);
                let outcome = match tokio::join!(assign, dissolve) {
                    (Ok(_), Err(status)) | (Err(status), Ok(_)) => reason_of(&status).1,
                    (assigned, dissolved) => panic!("{name}: {assigned:?}, {dissolved:?}"),
                };
                *won.entry(outcome).or_insert(0) += 1;
            }
            won
        })
    });
    let mut won = BTreeMap::new();
    for work in work.collect::<Vec<_>>() {
        for (outcome, count) in work.await.unwrap() {
            *won.entry(outcome).or_insert(0) += count;
        }
    }
    assert!(
        won.keys().all(|reason| ["AGENCY_HAS_DUTIES", "AGENCY_NOT_ACTIVE"].contains(&&**reason)),
        "{won:?}"
    );
    assert_eq!(won.values().sum::<usize>(), ROUNDS);
    assert_eq!(office.head().await, before + ROUNDS as u64, "one of the two is written each time");
    for process in others {
        assert!(process.terminate().await.success());
    }
    office.verify().await;
}

/// Registers agencies one after the other until told to stop; the longest that one took.
async fn keep_writing(client: As, prefix: &'static str, stop: Arc<AtomicBool>) -> (usize, Duration) {
    let (mut count, mut longest) = (0, Duration::ZERO);
    while !stop.load(Ordering::Relaxed) {
        let start = Instant::now();
        client.agencies().register_agency(register(&format!("{prefix}-{count}"))).await.expect("registered");
        longest = longest.max(start.elapsed());
        count += 1;
    }
    (count, longest)
}

/// A process that is stopped, wherever it is, holds up nobody: the lock never waits for a client.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_is_stopped_under_load_holds_up_nobody() {
    let place = Place::new().await;
    let processes = processes(&place, 3, &["agencies", "audit"]).await;
    let stop = Arc::new(AtomicBool::new(false));
    let stopped =
        tokio::spawn(keep_writing_while_it_goes(supervisor(processes[0].channel()), Arc::clone(&stop)));
    let others: Vec<_> = [(1, "b"), (2, "c")]
        .map(|(number, prefix)| {
            tokio::spawn(keep_writing(supervisor(processes[number].channel()), prefix, Arc::clone(&stop)))
        })
        .into_iter()
        .collect();
    for round in 0..6_u64 {
        tokio::time::sleep(Duration::from_millis(150 + 37 * round)).await;
        processes[0].signal("STOP").await;
        tokio::time::sleep(Duration::from_millis(700)).await;
        processes[0].signal("CONT").await;
    }
    // For good, and a reader of the views beside it: whoever ran them was perhaps the one that stands still.
    processes[0].signal("STOP").await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    stop.store(true, Ordering::Relaxed);
    for other in others {
        let (count, longest) = other.await.unwrap();
        assert!(count > 20, "it goes on: {count}");
        assert!(longest < Duration::from_secs(5), "within seconds: {longest:?}");
    }
    let start = Instant::now();
    let client = supervisor(processes[1].channel());
    let last = client.agencies().register_agency(register("last")).await.expect("registered");
    let receipt = last.into_inner().receipt.expect("a receipt");
    client.agencies().list_agencies(agencies::ListAgenciesRequest::default()).await.expect("listed");
    assert!(start.elapsed() < Duration::from_secs(9), "another runs the views: {:?}", start.elapsed());
    let events = events(&auditor(processes[2].channel())).await;
    assert!(events.iter().enumerate().all(|(index, event)| event.position == index as u64 + 1));
    assert!(events.len() as u64 >= receipt.last_position);
    processes[0].signal("CONT").await;
    stopped.await.unwrap();
}

/// The same of the process that is stopped: it may be refused, it must not lie.
async fn keep_writing_while_it_goes(client: As, stop: Arc<AtomicBool>) {
    for count in 0.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        client.agencies().register_agency(register(&format!("a-{count}"))).await.ok();
    }
}

/// When the process that runs the views dies, another takes them over within seconds, and who reads there finds
/// every write that was acknowledged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_a_runner_of_views_dies_another_takes_over() {
    let place = Place::new().await;
    let mut processes = processes(&place, 3, &["agencies"]).await;
    let mut expected = 0;
    while processes.len() > 1 {
        for (number, process) in processes.iter().enumerate() {
            let id = format!("a-{}-{number}", processes.len());
            supervisor(process.channel())
                .agencies()
                .register_agency(register(&id))
                .await
                .expect("registered");
            expected += 1;
        }
        for process in &processes {
            let start = Instant::now();
            let request = agencies::ListAgenciesRequest { page_size: 100, ..Default::default() };
            let listed = auditor(process.channel()).agencies().list_agencies(request).await.expect("listed");
            assert_eq!(listed.into_inner().agencies.len(), expected, "reads see every acknowledged write");
            assert!(start.elapsed() < Duration::from_secs(9), "{:?}", start.elapsed());
        }
        // Whoever it is that runs them, it goes at last.
        processes.remove(0).kill().await;
    }
    drop(processes);
    Office::open_at(place, "2026-03-02").await.verify().await;
}

/// Subscribers that wait cost the database nothing: what they wait for is asked once for all of a process.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_idle_subscribers_ask_the_database_nothing() {
    const SUBSCRIBERS: usize = 1000;
    let office = Office::open().await;
    office.register_agencies(&["a"]).await;
    let connections: Vec<_> = (0..10).map(|_| office.connection()).collect();
    let alone = transactions_of_seconds(office.place()).await;
    let mut streams = Vec::new();
    for number in 0..SUBSCRIBERS {
        let who = auditor(connections[number % 10].clone());
        let mut frames =
            who.audit().subscribe(audit::SubscribeRequest::default()).await.expect("subscribed").into_inner();
        loop {
            let frame = frames.message().await.expect("no failure").expect("no end").frame;
            if matches!(frame, Some(Frame::CaughtUp(_))) {
                break;
            }
        }
        streams.push(frames);
    }
    let crowded = transactions_of_seconds(office.place()).await;
    assert!(crowded < alone + 100, "{alone} transactions without them, {crowded} with them");
    office.register_agencies(&["b"]).await;
    let head = office.head().await;
    for frames in &mut streams {
        loop {
            let frame = frames.message().await.expect("no failure").expect("no end").frame;
            if matches!(frame, Some(Frame::Events(page)) if page.cursor.as_ref().is_some_and(|cursor| cursor.position == head))
            {
                break;
            }
        }
    }
    drop(streams);
    office.verify().await;
}

/// How many transactions the database sees in three seconds.
async fn transactions_of_seconds(place: &Place) -> i64 {
    let mut connection = place.database().superuser().await;
    let sql = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()";
    let mut counts = Vec::new();
    for _ in 0..2 {
        // Sessions report what they did about once a second.
        tokio::time::sleep(Duration::from_secs(3)).await;
        sqlx::query("SELECT pg_stat_clear_snapshot()").execute(&mut connection).await.expect("cleared");
        counts.push(sqlx::query_scalar::<_, i64>(sql).fetch_one(&mut connection).await.expect("a count"));
    }
    counts[1] - counts[0]
}

/// Two processes with one folder of the tree: one builds, the other reads, and goes on when the first is killed.
#[tokio::test(flavor = "multi_thread")]
async fn one_process_builds_the_audit_tree_and_another_takes_over() {
    let (place, trees) = (Place::new().await, tempfile::tempdir().unwrap());
    let start = || {
        Process::start_with(&place, |command| {
            command.args(["agencies", "audit"]).arg("--tree").arg(trees.path().join("tree"));
            command.arg("--signer").arg(trees.path().join("signer"));
        })
    };
    let checkpoint = async |channel: Channel, position: u64| {
        let request = audit::ProveInclusionRequest { position, ..Default::default() };
        let proven = auditor(channel).proofs().prove_inclusion(request).await.expect("it is covered");
        proven.into_inner().checkpoint.expect("a checkpoint")
    };
    let first = start().await;
    supervisor(first.channel()).agencies().register_agency(register("a")).await.expect("registered");
    let built = checkpoint(first.channel(), 1).await;
    let second = start().await;
    assert_eq!(checkpoint(second.channel(), 1).await, built);
    first.kill().await;
    supervisor(second.channel()).agencies().register_agency(register("b")).await.expect("registered");
    let next = checkpoint(second.channel(), 2).await;
    assert_eq!((next.origin, next.size), (built.origin, 2));
    assert!(second.terminate().await.success());
}
