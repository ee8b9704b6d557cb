//! 1: only an active agency is assigned. 2: one lead, one role. 3: only an assigned agency acts.
//! 4: a reassignment keeps the old period.

use std::collections::{BTreeMap, BTreeSet};

use duban::server::{Settings, start};
use duban_proto::call::v1::ProgressLevel;
use duban_proto::tasks::v1::AssignmentRole as Role;
use tonic::Code;

use crate::support::{
    Engine, Office, agency, assignment, because, because_from, context, from, reason_of, valid_on,
    valid_on_known_at,
};

#[tokio::test]
async fn only_an_active_agency_is_assigned() {
    let office = Office::open().await;
    office.register_agencies(&["fgw", "czt", "late", "gone"]).await;
    let supervisor = office.supervisor();
    supervisor.register_agency(from("2026-06-01"), Some("new"), "新设机构").await.expect("registered");
    supervisor.dissolve(because_from("机构改革", "2026-09-01"), &agency("gone")).await.expect("dissolved");
    office.dispatch("t", "2026-03-01", &["fgw", "czt"]).await;

    let on = || from("2026-03-02");
    let inactive = "AGENCY_NOT_ACTIVE";
    for (who, until) in [("new", None), ("gone", None), ("gone", Some("2026-09-02"))] {
        let call = supervisor.assign(on(), ("t", "x"), who, Role::Supporting, until);
        let status = office.refuses(inactive, call).await;
        assert_eq!(status.code(), Code::FailedPrecondition);
    }
    office.refuses(inactive, supervisor.reassign(on(), ("t", "czt"), "gone", "x")).await;
    let lead = &[("new", Role::Lead)];
    supervisor.propose(on(), Some("u")).await.expect("proposed");
    supervisor.register(on(), "tasks/u").await.expect("registered");
    office.refuses(inactive, supervisor.dispatch_to(on(), "u", lead)).await;
    office.refuses("AGENCY_NOT_FOUND", supervisor.reassign(on(), ("t", "czt"), "nobody", "x")).await;

    // Inside its days it is assigned, and a corrected date may not lead out of them.
    let until = Some("2026-09-01");
    supervisor.assign(on(), ("t", "g"), "gone", Role::Supporting, until).await.expect("within its days");
    supervisor
        .assign(from("2026-07-01"), ("t", "n"), "new", Role::Supporting, None)
        .await
        .expect("it is active then");
    let longer = supervisor.correct_boundary(because("笔误"), "t", (Some("g"), None), "2026-09-02");
    office.refuses(inactive, longer).await;
    let earlier = supervisor.correct_boundary(because("笔误"), "t", (None, Some("n")), "2026-05-31");
    office.refuses(inactive, earlier).await;
    supervisor
        .correct_boundary(because("笔误"), "t", (None, Some("n")), "2026-06-01")
        .await
        .expect("its first day");
    office.verify().await;
}

#[tokio::test]
async fn an_agency_that_answers_for_something_is_not_dissolved() {
    let office = Office::open().await;
    office.register_agencies(&["fgw", "czt"]).await;
    office.dispatch("t", "2026-03-01", &["fgw", "czt"]).await;
    let supervisor = office.supervisor();
    let gone = || supervisor.dissolve(because_from("机构改革", "2026-06-01"), "agencies/czt");
    let status = office.refuses("AGENCY_HAS_DUTIES", gone()).await;
    assert_eq!(status.code(), Code::FailedPrecondition);
    // Released before that day, it holds nothing then; and after that day it gets nothing.
    supervisor.release(from("2026-06-01"), &assignment("t", "czt")).await.expect("released");
    gone().await.expect("dissolved");
    let again = supervisor.assign(from("2026-05-01"), ("t", "again"), "czt", Role::Supporting, None);
    office.refuses("AGENCY_NOT_ACTIVE", again).await;
    assert_eq!(office.who("t", valid_on("2026-06-01")).await, [("fgw".to_owned(), Role::Lead)]);
    office.verify().await;
}

/// Many rounds, either side first: never both, and never neither.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dissolution_and_an_assignment_never_both_succeed() {
    const ROUNDS: usize = 60;
    let office = Office::open().await;
    let names: Vec<String> = (0..ROUNDS).map(|round| format!("a{round}")).collect();
    let mut agencies: Vec<&str> = names.iter().map(String::as_str).collect();
    agencies.push("lead");
    office.register_agencies(&agencies).await;
    office.dispatch("t", "2026-03-01", &["lead"]).await;
    let mut won = BTreeMap::new();
    for (round, name) in names.iter().enumerate() {
        let (one, other) = (office.supervisor(), office.second_supervisor());
        let id = name.clone();
        let assign = async move {
            one.assign(from("2026-03-02"), ("t", &id), &id, Role::Supporting, None).await.map(drop)
        };
        let id = agency(name);
        let dissolve = async move { other.dissolve(because_from("撤销", "2026-03-02"), &id).await.map(drop) };
        let before = office.head().await;
        let (assigned, dissolved) = if round % 2 == 0 {
            let (assigned, dissolved) = (tokio::spawn(assign), tokio::spawn(dissolve));
            (assigned.await.expect("no panic"), dissolved.await.expect("no panic"))
        } else {
            let (dissolved, assigned) = (tokio::spawn(dissolve), tokio::spawn(assign));
            (assigned.await.expect("no panic"), dissolved.await.expect("no panic"))
        };
        let outcome = match (assigned, dissolved) {
            (Ok(()), Err(status)) | (Err(status), Ok(())) => reason_of(&status).1,
            (assigned, dissolved) => panic!("{name}: {assigned:?}, {dissolved:?}"),
        };
        assert_eq!(office.head().await, before + 1, "one of the two is written");
        *won.entry(outcome).or_insert(0) += 1;
    }
    let reasons: BTreeSet<_> = won.keys().map(String::as_str).collect();
    assert!(reasons.is_subset(&BTreeSet::from(["AGENCY_HAS_DUTIES", "AGENCY_NOT_ACTIVE"])), "{won:?}");
    office.verify().await;
}

/// One process owns a log on SQLite, so that a second one can't dissolve behind its back.
#[tokio::test]
async fn a_second_process_does_not_get_the_same_log() {
    if crate::ENGINE != Engine::Sqlite {
        return;
    }
    let office = Office::open().await;
    let second = start(Settings::new(office.folder())).await;
    assert!(second.is_err(), "the folder is owned");
    office.register_agencies(&["fgw"]).await;
    office.verify().await;
}

#[tokio::test]
async fn a_task_has_one_lead_and_an_agency_one_role_on_any_day() {
    let office = Office::open().await;
    office.register_agencies(&["fgw", "czt", "jtt", "gxt"]).await;
    let supervisor = office.supervisor();
    supervisor.propose(from("2026-01-01"), Some("t")).await.expect("proposed");
    supervisor.register(from("2026-01-01"), "tasks/t").await.expect("registered");
    let (taken, already) = ("LEAD_TAKEN", "AGENCY_ALREADY_ASSIGNED");
    let on = || from("2026-01-01");
    let two = &[("fgw", Role::Lead), ("czt", Role::Lead)];
    office.refuses(taken, supervisor.dispatch_to(on(), "t", two)).await;
    let parties = &[("fgw", Role::Lead), ("czt", Role::CoLead), ("jtt", Role::Supporting)];
    supervisor.dispatch_to(on(), "t", parties).await.expect("dispatched");
    // It ends on 1 April; somebody else leads from May on.
    supervisor.release(from("2026-04-01"), &assignment("t", "fgw")).await.expect("released");
    supervisor
        .assign(from("2026-05-01"), ("t", "gxt"), "gxt", Role::Lead, None)
        .await
        .expect("the lead is free");

    for (role, reason) in [(Role::Lead, taken), (Role::Supporting, already)] {
        let who = if role == Role::Lead { "fgw" } else { "gxt" };
        let call = supervisor.assign(from("2026-04-01"), ("t", "x"), who, role, Some("2026-05-02"));
        let status = office.refuses(reason, call).await;
        assert_eq!(status.code(), Code::FailedPrecondition);
    }
    office.refuses(taken, supervisor.reinterpret(from("2026-03-01"), ("t", "czt"), Role::Lead)).await;
    office.refuses(already, supervisor.reassign(from("2026-03-01"), ("t", "fgw"), "jtt", "x")).await;
    let correct = |sides, on| supervisor.correct_boundary(because("笔误"), "t", sides, on);
    office.refuses(taken, correct((Some("fgw"), None), "2026-05-02")).await;
    office.refuses(taken, correct((None, Some("gxt")), "2026-03-31")).await;
    correct((Some("fgw"), None), "2026-05-01").await.expect("up to where the next begins");
    let earlier = supervisor.assign(from("2026-05-01"), ("t", "x"), "fgw", Role::CoLead, None);
    earlier.await.expect("another role on other days");

    let head = office.head().await;
    for day in
        ["2025-12-31", "2026-01-01", "2026-03-31", "2026-04-01", "2026-04-30", "2026-05-01", "2030-01-01"]
    {
        for position in 0..=head {
            let parties = office.auditor().matrix(valid_on_known_at(day, position)).await.expect("a matrix");
            let parties = parties.responsibilities;
            let leads = parties.iter().filter(|row| row.role() == Role::Lead).count();
            let agencies: BTreeSet<_> = parties.iter().map(|row| &row.agency).collect();
            assert!(leads <= 1, "{day} at {position}: {parties:?}");
            assert_eq!(agencies.len(), parties.len(), "{day} at {position}: {parties:?}");
        }
    }
    office.verify().await;
}

#[tokio::test]
async fn only_an_assigned_agency_acts_for_its_task() {
    let office = Office::open().await;
    office.register_agencies(&["fgw", "czt", "jtt"]).await;
    office.dispatch("t", "2026-01-01", &["fgw", "czt"]).await;
    let (stranger, theirs) = (office.agency("jtt"), "NOT_YOURS");
    let name = assignment("t", "fgw");
    let status = office.refuses(theirs, stranger.take(context(), &name)).await;
    assert_eq!(status.code(), Code::PermissionDenied);
    office.refuses(theirs, office.agency("czt").take(context(), &name)).await;
    office.refuses(theirs, stranger.contest(context(), ("t", "fgw"), "与我无关")).await;
    office.refuses(theirs, stranger.record(context(), "t", ProgressLevel::Limited, "有进展")).await;
    office.refuses(theirs, stranger.request_closure(context(), "t")).await;
    // Its own it must have taken first.
    let unasked = office.agency("fgw").record(context(), "t", ProgressLevel::Limited, "有进展").await;
    assert_eq!(reason_of(&unasked.expect_err("not taken")).1, "ASSIGNMENT_STAGE");
    for id in ["fgw", "czt"] {
        office.acknowledge("t", id).await;
    }
    office.agency("fgw").record(context(), "t", ProgressLevel::Limited, "有进展").await.expect("its own");

    // It asks as long as it has the day, and the one who took over asks from then on.
    office.on("2026-04-01");
    office.reassign("t", "czt", "jtt", "2026-04-01").await;
    let czt = office.agency("czt");
    office.refuses(theirs, czt.record(context(), "t", ProgressLevel::Limited, "有进展")).await;
    office.refuses(theirs, czt.request_closure(context(), "t")).await;
    czt.record(from("2026-03-31"), "t", ProgressLevel::Limited, "三月底").await.expect("it answered then");
    stranger.take(context(), &assignment("t", "czt-jtt")).await.expect("now its own");
    stranger.record(context(), "t", ProgressLevel::Substantial, "接手").await.expect("now its own");
    office.verify().await;
}

#[tokio::test]
async fn a_reassignment_keeps_the_old_period() {
    let office = Office::open().await;
    office.register_agencies(&["fgw", "czt", "jtt"]).await;
    office.dispatch("t", "2026-01-01", &["fgw"]).await;
    let supervisor = office.supervisor();
    let until = Some("2027-01-01");
    supervisor.assign(from("2026-02-01"), ("t", "czt"), "czt", Role::CoLead, until).await.expect("assigned");
    let before = office.head().await;
    let days = ["2026-01-31", "2026-02-01", "2026-06-30", "2026-07-01", "2026-12-31", "2027-01-01"];
    let told = async |day| office.auditor().matrix(valid_on_known_at(day, before)).await.expect("a matrix");
    let mut earlier = Vec::new();
    for day in days {
        earlier.push(told(day).await);
    }
    let reply =
        supervisor.reassign(from("2026-07-01"), ("t", "czt"), "jtt", "jtt").await.expect("reassigned");

    let (old, new) = (reply.predecessor.expect("the old one"), reply.assignment.expect("the new one"));
    let (old_days, new_days) = (old.period.expect("days"), new.period.expect("days"));
    assert_eq!((old_days.from.as_str(), old_days.until.as_deref()), ("2026-02-01", Some("2026-07-01")));
    assert_eq!((new_days.from.as_str(), new_days.until.as_deref()), ("2026-07-01", until));
    assert_eq!((old.successor, new.predecessor), (Some(new.name), Some(old.name)));
    assert_eq!(new.role, old.role, "in the same role");
    for (day, held) in days.into_iter().zip([None, Some("czt"), Some("czt"), Some("jtt"), Some("jtt"), None])
    {
        let co_leads =
            office.who("t", valid_on(day)).await.into_iter().filter(|(_, role)| *role == Role::CoLead);
        let names: Vec<String> = co_leads.map(|(name, _)| name).collect();
        assert_eq!(names, held.into_iter().map(str::to_owned).collect::<Vec<_>>(), "on {day}");
    }
    for (day, told_then) in days.into_iter().zip(earlier) {
        assert_eq!(told(day).await, told_then, "nothing rewritten: {day} as known before");
    }
    office.verify().await;
}
