//! Many at once: the outcome is one of the serial ones, a request is written once however often it is sent, a
//! name has one bearer, and everybody reads what they wrote.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;

use duban_proto::agencies::v1 as agencies;
use duban_proto::call::v1 as call;
use duban_proto::tasks::v1 as tasks;
use duban_proto::tasks::v1::AssignmentRole as Role;
use futures::future::join_all;
use tonic::{Code, Status};

use crate::support::{As, Office, agency, assignment, context, events, from, reason_of, task};

/// So many clients.
const CLIENTS: usize = 64;

/// A client of its own: another principal on a connection of its own.
fn client(office: &Office, number: usize) -> As {
    As::on(office.connection(), &format!("supervisor-{number}"), "supervisor", None)
}

/// Does all of it at once, each in a task of its own; what came of it, in the order given.
async fn at_once<T: Send + 'static>(
    all: impl IntoIterator<Item: Future<Output = T> + Send + 'static>,
) -> Vec<T> {
    let tasks: Vec<_> = all.into_iter().map(tokio::spawn).collect();
    join_all(tasks).await.into_iter().map(|done| done.expect("no panic")).collect()
}

async fn agencies_of(office: &Office, count: usize) -> Vec<String> {
    let names: Vec<String> = (0..count).map(|number| format!("a{number:02}")).collect();
    office.register_agencies(&names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    names
}

fn reasons(outcomes: &[Result<u64, Status>]) -> BTreeMap<String, usize> {
    let mut reasons = BTreeMap::new();
    for status in outcomes.iter().filter_map(|outcome| outcome.as_ref().err()) {
        assert_eq!(status.code(), Code::FailedPrecondition, "{status}");
        *reasons.entry(reason_of(status).1).or_insert(0) += 1;
    }
    reasons
}

/// All want the same assignment from the same day: one gets it, and the others hear that it is gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_64_who_take_over_the_same_assignment_one_does() {
    let office = Office::open().await;
    let names = agencies_of(&office, CLIENTS).await;
    office.register_agencies(&["lead"]).await;
    office.dispatch("t", "2026-01-01", &["lead"]).await;
    let head = office.head().await;
    let outcomes = at_once(names.iter().enumerate().map(|(number, name)| {
        let (client, name) = (client(&office, number), name.clone());
        async move {
            let reply = client.reassign(from("2026-02-01"), ("t", "lead"), &name, &name).await?;
            Ok(reply.receipt.expect("a receipt").last_position)
        }
    }))
    .await;
    let won: Vec<_> = outcomes.iter().flatten().collect();
    assert_eq!(won, [&(head + 1)], "one is written");
    assert_eq!(reasons(&outcomes), BTreeMap::from([("OUTSIDE_PERIOD".to_owned(), CLIENTS - 1)]));
    let holders = office.who("t", crate::support::valid_on("2026-03-01")).await;
    let winner = outcomes.iter().position(Result::is_ok).expect("a winner");
    assert_eq!(holders, [(names[winner].clone(), Role::Lead)]);
    office.verify().await;
}

/// Eight for each lead, and each of them another task of its own: the leads go to one each, the others all pass.
/// Played again one by one in the order of the log, everything comes out the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_outcome_of_64_at_once_is_one_of_the_serial_ones() {
    const TASKS: usize = 8;
    let office = Office::open().await;
    let names = prepared(&office, TASKS).await;
    let before = office.head().await;
    let outcomes = at_once((0..CLIENTS).map(|number| {
        let (client, name) = (client(&office, number), names[number].clone());
        async move { both(&client, number % TASKS, &name).await }
    }))
    .await;
    let (unrelated, leads): (Vec<u64>, Vec<Result<u64, Status>>) = outcomes.into_iter().unzip();
    assert_eq!(unrelated.iter().collect::<BTreeSet<_>>().len(), CLIENTS, "each has its own position");
    assert_eq!(leads.iter().flatten().count(), TASKS, "one lead a task");
    assert_eq!(reasons(&leads), BTreeMap::from([("LEAD_TAKEN".to_owned(), CLIENTS - TASKS)]));
    let head = office.head().await;
    assert_eq!(head, before + (CLIENTS + TASKS) as u64, "and nothing else is written");

    // In the order in which they were written, one at a time, on another log.
    let serial = Office::open().await;
    prepared(&serial, TASKS).await;
    let mut order: Vec<(u64, usize, bool)> =
        unrelated.iter().enumerate().map(|(n, at)| (*at, n, false)).collect();
    order.extend(leads.iter().enumerate().filter_map(|(n, at)| Some((*at.as_ref().ok()?, n, true))));
    order.sort_unstable();
    for (at, number, leads) in order {
        let client = client(&serial, number);
        let written = if leads {
            lead(&client, number % TASKS, &names[number]).await.expect("it leads")
        } else {
            propose(&client, &names[number]).await
        };
        assert_eq!(written, at, "at the same place");
    }
    for (number, _) in leads.iter().enumerate().filter(|(_, outcome)| outcome.is_err()) {
        let refused = lead(&client(&serial, number), number % TASKS, &names[number]).await;
        assert_eq!(reason_of(&refused.expect_err("somebody leads")).1, "LEAD_TAKEN");
    }
    let (one, other) = (office.auditor().matrix(None).await, serial.auditor().matrix(None).await);
    let rows = |reply: tasks::GetMatrixResponse| reply.responsibilities;
    assert_eq!(rows(one.expect("a matrix")), rows(other.expect("a matrix")));
    serial.verify().await;
    office.verify().await;
}

async fn prepared(office: &Office, tasks: usize) -> Vec<String> {
    let names = agencies_of(office, CLIENTS).await;
    for (number, name) in names.iter().take(tasks).enumerate() {
        let id = format!("t{number}");
        let supervisor = office.supervisor();
        supervisor.propose(from("2026-01-01"), Some(&id)).await.expect("proposed");
        supervisor.register(from("2026-01-01"), &task(&id)).await.expect("registered");
        let helper = [(name.as_str(), Role::Supporting)];
        supervisor.dispatch_to(from("2026-01-01"), &id, &helper).await.expect("dispatched");
        supervisor.release(from("2026-02-01"), &assignment(&id, name)).await.expect("released");
    }
    names
}

async fn propose(client: &As, name: &str) -> u64 {
    let reply = client.propose(context(), Some(&format!("own-{name}"))).await.expect("nobody is in its way");
    reply.receipt.expect("a receipt").last_position
}

async fn lead(client: &As, number: usize, name: &str) -> Result<u64, Status> {
    let (of, id) = (format!("t{number}"), format!("lead-{name}"));
    let reply = client.assign(from("2026-03-01"), (&of, &id), name, Role::Lead, None).await?;
    Ok(reply.receipt.expect("a receipt").last_position)
}

async fn both(client: &As, number: usize, name: &str) -> (u64, Result<u64, Status>) {
    tokio::join!(propose(client, name), lead(client, number, name))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_sent_100_times_at_once_is_written_once_and_answered_the_same() {
    let office = Office::open().await;
    office.register_agencies(&["fgw", "czt"]).await;
    office.dispatch("t", "2026-01-01", &["fgw"]).await;
    // One that makes an id, one that writes two events, one on what another has changed meanwhile.
    let (made, taken, moved) = (context(), context(), from("2026-02-01"));
    let head = office.head().await;
    let proposals = at_once((0..100).map(|_| {
        let (client, context) = (client(&office, 0), made.clone());
        async move { client.propose(context, None).await.expect("proposed") }
    }))
    .await;
    assert_eq!(office.head().await, head + 1);
    assert!(proposals.iter().all(|reply| *reply == proposals[0]), "all the same");

    let channel = office.connection();
    let acknowledged = at_once((0..100).map(|_| {
        let own = As::on(channel.clone(), "officer-fgw", "agency", Some("agencies/fgw"));
        let context = taken.clone();
        async move { own.take(context, &assignment("t", "fgw")).await.expect("taken") }
    }))
    .await;
    assert_eq!(office.head().await, head + 3, "taken, and the task is started");
    assert!(acknowledged.iter().all(|reply| *reply == acknowledged[0]));

    let reassigned = at_once((0..100).map(|_| {
        let (client, context) = (client(&office, 0), moved.clone());
        async move { client.reassign(context, ("t", "fgw"), "czt", "czt").await.expect("reassigned") }
    }))
    .await;
    assert_eq!(office.head().await, head + 4);
    assert!(reassigned.iter().all(|reply| *reply == reassigned[0]));
    let request = &events(&office.auditor()).await[head as usize + 3].request_id;
    assert_eq!(request, &moved.request_id);
    office.verify().await;
}

/// Of one id with two commands at once, one is written and the other refused, whichever comes first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_id_raced_by_two_commands_is_one_s() {
    let office = Office::open().await;
    office.register_agencies(&["fgw", "czt"]).await;
    for round in 0..20 {
        let (context, head) = (context(), office.head().await);
        let renamed = at_once(["fgw", "czt"].map(|id| {
            let (client, context, name) = (client(&office, 0), context.clone(), format!("新名{round}{id}"));
            async move { client.rename(context, id, &name).await }
        }))
        .await;
        let refused: Vec<_> = renamed.iter().filter_map(|outcome| outcome.as_ref().err()).collect();
        assert_eq!(refused.len(), 1);
        assert_eq!(reason_of(refused[0]), (Code::AlreadyExists, "REQUEST_ID_REUSED".to_owned()));
        assert_eq!(office.head().await, head + 1);
    }
    office.verify().await;
}

/// Two who register or take the same name, code or id: one does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_unique_goes_to_one() {
    let office = Office::open().await;
    agencies_of(&office, 8).await;
    for round in 0..20 {
        let name = format!("同名机构{round}");
        let outcomes = at_once((0..8).map(|number| {
            let (client, name) = (client(&office, number), name.clone());
            async move {
                // Half of them are new and half are renamed.
                if number % 2 == 0 {
                    let id = format!("r{round}-{number}");
                    client
                        .register_agency(from("2026-01-01"), Some(&id), &name)
                        .await
                        .map(|reply| reply.agency)
                } else {
                    client
                        .rename(from("2026-01-01"), &format!("a{number:02}"), &name)
                        .await
                        .map(|reply| reply.agency)
                }
            }
        }))
        .await;
        let bearers: Vec<String> =
            outcomes.iter().flatten().flatten().map(|agency| agency.name.clone()).collect();
        assert_eq!(bearers.len(), 1, "{name}: {bearers:?}");
        for status in outcomes.iter().filter_map(|outcome| outcome.as_ref().err()) {
            assert_eq!(reason_of(status), (Code::AlreadyExists, "NAME_TAKEN".to_owned()));
        }
        let request = agencies::ResolveNameRequest { text: name, as_of: None, consistency: None };
        let resolved =
            office.auditor().agencies().resolve_name(request).await.expect("resolved").into_inner();
        assert_eq!(resolved.outcome(), agencies::NameOutcome::Resolved);
        let candidate = resolved.candidates.into_iter().next().and_then(|one| one.agency).expect("one");
        assert_eq!(candidate.name, bearers[0]);
    }
    let ids = at_once((0..8).map(|number| {
        let client = client(&office, number);
        async move { client.propose(context(), Some("one")).await.map(drop) }
    }))
    .await;
    assert_eq!(ids.iter().flatten().count(), 1);
    office.verify().await;
}

/// Everybody who was answered finds what they wrote, on any connection, while others write.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_reads_what_they_wrote_under_load() {
    let office = Office::open().await;
    agencies_of(&office, 16).await;
    let ids: Vec<String> = (0..16).map(|number| format!("a{number:02}")).collect();
    at_once((0..16).map(|number| {
        let (writer, reader) = (client(&office, number), client(&office, 100 + number));
        let id = ids[number].clone();
        async move {
            for round in 0..6 {
                let name = format!("{id}第{round}名");
                let written = writer.rename(context(), &id, &name).await.expect("renamed");
                // By default a query knows the head it found on arrival.
                let found = reader.get_agency(&id, None).await.expect("it is there");
                assert_eq!(found.agency.expect("an agency").full_name, name);
                // And with the receipt it may ask for no more than that.
                let position = written.receipt.expect("a receipt").last_position;
                let requirement = call::consistency::Requirement::AtLeastAsFresh(position);
                let request = agencies::GetAgencyRequest {
                    name: agency(&id),
                    as_of: None,
                    consistency: Some(call::Consistency { requirement: Some(requirement) }),
                };
                let found = reader.agencies().get_agency(request).await.expect("it is there").into_inner();
                assert_eq!(found.agency.expect("an agency").full_name, name);
                assert!(found.answer.expect("an answer").position >= position);
                let proposed = format!("{id}-{round}");
                writer.propose(context(), Some(&proposed)).await.expect("proposed");
                reader.get_task(&proposed, None).await.expect("it is there");
            }
        }
    }))
    .await;
    office.verify().await;
}
