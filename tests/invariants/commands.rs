//! 11: the same `request_id` with the same command gives the same answer and writes once; with another command
//! it is refused. 12: a command answered with an error leaves the log as it was.

use duban_proto::call::v1::{Basis, CommandContext, ProgressLevel};
use duban_proto::tasks::v1::AssignmentRole as Role;
use tonic::Code;

use crate::support::{Office, agency, assignment, because, context, events, from, reason_of};

#[tokio::test]
async fn a_request_is_answered_the_same_and_written_once() {
    let mut office = Office::open().await;
    office.register_agencies(&["fgw", "czt"]).await;
    office.dispatch("t", "2026-01-01", &["fgw"]).await;
    let supervisor = office.supervisor();
    let (created, made, taken) = (from("2026-02-01"), context(), context());
    let (assigned, own) = (from("2026-02-01"), office.agency("fgw"));
    // Ids that the server makes are part of the answer.
    let agency = supervisor.register_agency(created.clone(), None, "无名机构").await.expect("registered");
    let task = supervisor.propose(made.clone(), None).await.expect("proposed");
    let acknowledged = own.take(taken.clone(), &assignment("t", "fgw")).await.expect("taken");
    let assign = ("t", "czt");
    let given =
        supervisor.assign(assigned.clone(), assign, "czt", Role::CoLead, None).await.expect("assigned");

    // What each is about changes, the clock moves on, the server starts anew.
    let id = agency.agency.as_ref().expect("an agency").name.trim_start_matches("agencies/").to_owned();
    supervisor.rename(context(), &id, "有名机构").await.expect("renamed");
    supervisor
        .withdraw(because("不办了"), &task.task.as_ref().expect("a task").name)
        .await
        .expect("withdrawn");
    own.contest(context(), ("t", "fgw"), "不归我").await.expect("contested");
    supervisor.release(from("2026-03-01"), &assignment("t", "czt")).await.expect("released");
    office.on("2026-08-01");
    office.restart().await;
    let (supervisor, own) = (office.supervisor(), office.agency("fgw"));
    let head = office.head().await;
    for _ in 0..2 {
        let again = supervisor.register_agency(created.clone(), None, "无名机构").await.expect("registered");
        assert_eq!(again, agency);
        assert_eq!(supervisor.propose(made.clone(), None).await.expect("proposed"), task);
        assert_eq!(own.take(taken.clone(), &assignment("t", "fgw")).await.expect("taken"), acknowledged);
        let again = supervisor.assign(assigned.clone(), assign, "czt", Role::CoLead, None).await;
        assert_eq!(again.expect("assigned"), given);
    }
    assert_eq!(office.head().await, head, "nothing is written again");
    office.verify().await;
}

/// What changes nothing has a receipt too: an empty range, the same every time.
#[tokio::test]
async fn a_request_that_changed_nothing_is_answered_the_same_too() {
    let office = Office::open().await;
    office.register_agencies(&["fgw"]).await;
    let supervisor = office.supervisor();
    let same = from("2026-02-01");
    let nothing = supervisor.rename(same.clone(), "fgw", "机构fgw").await.expect("it has that name");
    let receipt = nothing.receipt.clone().expect("a receipt");
    assert_eq!((receipt.first_position, receipt.last_position), (2, 1), "an empty range at the head");
    supervisor.rename(from("2026-02-01"), "fgw", "新名").await.expect("renamed");
    let head = office.head().await;
    assert_eq!(supervisor.rename(same, "fgw", "机构fgw").await.expect("the first answer"), nothing);
    assert_eq!(office.head().await, head);
    office.verify().await;
}

#[tokio::test]
async fn a_request_id_is_not_used_for_another_command() {
    let office = Office::open().await;
    office.register_agencies(&["fgw", "czt"]).await;
    office.dispatch("t", "2026-01-01", &["fgw"]).await;
    let supervisor = office.supervisor();
    let used = from("2026-02-01");
    supervisor.rename(used.clone(), "fgw", "新名").await.expect("renamed");
    let reused = "REQUEST_ID_REUSED";
    let status = office.refuses(reused, supervisor.rename(used.clone(), "fgw", "又一名")).await;
    assert_eq!(status.code(), Code::AlreadyExists);
    office.refuses(reused, supervisor.rename(used.clone(), "czt", "新名")).await;
    office.refuses(reused, supervisor.propose(used.clone(), Some("u"))).await;
    // Whatever is recorded with the command is part of it.
    let others = [
        CommandContext { effective_on: Some("2026-02-02".to_owned()), ..used.clone() },
        CommandContext { effective_on: None, ..used.clone() },
        CommandContext { reason: "另有原因".to_owned(), ..used.clone() },
        CommandContext { on_behalf_of: Some(agency("czt")), ..used.clone() },
        CommandContext {
            basis: Some(Basis { document_number: "青政〔2022〕1号".to_owned(), ..Basis::default() }),
            ..used.clone()
        },
    ];
    for other in others {
        office.refuses(reused, supervisor.rename(other, "fgw", "新名")).await;
    }
    // Another principal's request is another request.
    let head = office.head().await;
    let theirs = office.second_supervisor().rename(used, "fgw", "新名").await.expect("nothing to change");
    assert_eq!(theirs.receipt.expect("a receipt").last_position, head);
    office.verify().await;
}

/// A refused request has no receipt: sent again when it is possible, it is carried out.
#[tokio::test]
async fn a_refused_request_may_be_sent_again() {
    let office = Office::open().await;
    office.register_agencies(&["fgw"]).await;
    let supervisor = office.supervisor();
    let request = from("2026-02-01");
    office.refuses("TASK_NOT_FOUND", supervisor.register(request.clone(), "tasks/t")).await;
    supervisor.propose(from("2026-02-01"), Some("t")).await.expect("proposed");
    supervisor.register(request, "tasks/t").await.expect("now it is there");
    office.verify().await;
}

/// Every sort of no: by role, field, receipt, existence, etag, rule, and only asked as a trial.
#[tokio::test]
async fn a_refused_command_leaves_the_log_as_it_was() {
    let office = Office::open().await;
    office.register_agencies(&["fgw", "czt"]).await;
    office.dispatch("t", "2026-01-01", &["fgw"]).await;
    office.acknowledge("t", "fgw").await;
    let (before, views) = (events(&office.auditor()).await, office.digests().await);
    let (supervisor, own) = (office.supervisor(), office.agency("fgw"));
    let name = assignment("t", "fgw");
    let with = |change: fn(&mut CommandContext)| {
        let mut context = context();
        change(&mut context);
        context
    };

    office.refuses("ROLE_NOT_ALLOWED", office.auditor().register(context(), "tasks/t")).await;
    office.refuses("ROLE_NOT_ALLOWED", office.sysadmin().propose(context(), Some("u"))).await;
    office.refuses("ROLE_NOT_ALLOWED", own.propose(context(), Some("u"))).await;
    office.refuses("NOT_YOURS", office.agency("czt").take(context(), &name)).await;
    office.refuses("INVALID_FIELD", supervisor.register(context(), "agencies/t")).await;
    office.refuses("INVALID_FIELD", supervisor.propose(with(|c| c.request_id.clear()), Some("u"))).await;
    office.refuses("INVALID_FIELD", supervisor.propose(context(), Some("Not An Id"))).await;
    office.refuses("INVALID_FIELD", supervisor.propose(from("2026-02-30"), Some("u"))).await;
    office.refuses("REASON_REQUIRED", supervisor.suspend(context(), "tasks/t")).await;
    office.refuses("TASK_NOT_FOUND", supervisor.register(context(), "tasks/absent")).await;
    office.refuses("ASSIGNMENT_NOT_FOUND", own.take(context(), &assignment("t", "absent"))).await;
    office.refuses("AGENCY_NOT_FOUND", supervisor.rename(context(), "absent", "名")).await;
    office.refuses("CYCLE_NOT_FOUND", own.draft(context(), 2026, "r")).await;
    office.refuses("TASK_EXISTS", supervisor.propose(context(), Some("t"))).await;
    office.refuses("AGENCY_EXISTS", supervisor.register_agency(context(), Some("fgw"), "别名")).await;
    office.refuses("NAME_TAKEN", supervisor.register_agency(context(), Some("x"), "机构fgw")).await;
    office.refuses("NAME_TAKEN", supervisor.rename(context(), "czt", "机构fgw")).await;
    office
        .refuses(
            "ETAG_MISMATCH",
            supervisor.withdraw(
                with(|c| {
                    c.etag = "\"1\"".to_owned();
                    c.reason = "撤销".to_owned();
                }),
                "tasks/t",
            ),
        )
        .await;
    office
        .refuses(
            "READING_NOT_FOUND",
            supervisor.release(
                with(|c| {
                    c.readings = vec!["documents/d/readings/r".to_owned()];
                }),
                &name,
            ),
        )
        .await;
    office.refuses("TASK_STAGE", supervisor.complete(context(), "t")).await;
    office.refuses("STEP_IN_FUTURE", own.request_closure(from("2026-03-03"), "t")).await;
    office.refuses("STEP_BEFORE_LAST", own.request_closure(from("2026-03-01"), "t")).await;
    office.refuses("OUTSIDE_PERIOD", supervisor.release(from("2025-12-31"), &name)).await;
    let edge = supervisor.correct_boundary(because("误"), "t", (Some("fgw"), None), "2026-02-01");
    office.refuses("BOUNDARY_MISMATCH", edge).await;
    office.refuses("ASSIGNMENT_STAGE", supervisor.uphold(context(), &name)).await;
    let coordinator = office.coordinator("fgw");
    office.refuses("DUE_IN_PAST", coordinator.open_cycle(context(), 2026, Some("2026-03-01"))).await;

    // A trial shows what would be, without a receipt, and writes nothing either.
    let trial = with(|c| c.validate_only = true);
    let shown =
        own.record(trial.clone(), "t", ProgressLevel::Complete, "试").await.expect("it would be taken");
    assert!(shown.receipt.is_none() && shown.task.is_some_and(|task| task.self_assessed.len() == 1));
    let no = own.record(trial, "absent", ProgressLevel::Complete, "试").await.expect_err("no such task");
    assert_eq!(reason_of(&no).1, "TASK_NOT_FOUND");
    assert_eq!(events(&office.auditor()).await, before);
    assert_eq!(office.digests().await, views);
    office.verify().await;
}
