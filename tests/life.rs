//! Two stories told to the end through all services: a task from proposal to archive, and a year of reports.

use duban_proto::call::v1::ProgressLevel as Level;
use duban_proto::reports::v1 as reports;
use duban_proto::reports::v1::{CycleStage, ObligationState, ReportStage};
use duban_proto::tasks::v1 as tasks;
use duban_proto::tasks::v1::{AssignmentRole as Role, AssignmentStage, TaskStage as Stage};

use crate::support::{Office, assignment, because, context, from, reason_of, valid_on};

/// The only task as it is listed: at what stage, on what filters it is found.
async fn listed(office: &Office, filter: &str) -> Vec<String> {
    let request = tasks::ListTasksRequest { filter: filter.to_owned(), ..Default::default() };
    let reply = office.auditor().tasks().list_tasks(request).await.expect("a list").into_inner();
    reply.tasks.into_iter().map(|task| task.name).collect()
}

/// The task, found alike by Get and by List with its stage.
async fn task_at(office: &Office, stage: Stage) -> tasks::Task {
    let task = office.agency("fgw").get_task("t", None).await.expect("a task").task.expect("a task");
    assert_eq!(task.stage(), stage);
    let name = stage.as_str_name().trim_start_matches("TASK_STAGE_");
    assert_eq!(listed(office, &format!("stage = {name}")).await, ["tasks/t"]);
    assert!(listed(office, &format!("stage != {name}")).await.is_empty());
    task
}

async fn assignment_stage(office: &Office, id: &str) -> AssignmentStage {
    let reply = office.auditor().get_assignment(("t", id), None).await.expect("an assignment");
    reply.assignment.expect("an assignment").stage()
}

#[tokio::test]
async fn a_task_lives_from_proposal_to_archive() {
    let mut office = Office::open().await;
    office.register_agencies(&["fgw", "czt", "jtt"]).await;
    proposed_and_dispatched(&office).await;
    taken_contested_and_handed_over(&office).await;
    office.restart().await;
    judged(&office).await;
    closed(&office).await;

    // What it was on the way stays answerable.
    let auditor = office.auditor();
    let days = [
        ("2026-03-02", Stage::InProgress),
        ("2026-04-10", Stage::Suspended),
        ("2026-04-25", Stage::InProgress),
        ("2026-06-05", Stage::Completed),
        ("2026-06-15", Stage::InProgress),
        ("2026-08-01", Stage::Archived),
    ];
    for (day, stage) in days {
        let then = auditor.get_task("t", valid_on(day)).await.expect("a task").task.expect("a task");
        assert_eq!(then.stage(), stage, "on {day}");
    }
    office.verify().await;
}

async fn proposed_and_dispatched(office: &Office) {
    let supervisor = office.supervisor();
    let request = tasks::ProposeTaskRequest {
        context: Some(from("2026-02-01")),
        task_id: Some("t".to_owned()),
        title: "打造绿色物流".to_owned(),
        label: "（八）".to_owned(),
        track: tasks::TaskTrack::Annual.into(),
        milestones: vec![tasks::Milestone { year: 2030, statement: "体系基本建成".to_owned() }],
        ..Default::default()
    };
    supervisor.tasks().propose_task(request).await.expect("proposed");
    let task = task_at(office, Stage::Proposed).await;
    assert_eq!((task.title.as_str(), task.label.as_str()), ("打造绿色物流", "（八）"));
    assert!(task.due_on.is_none() && task.rule.is_none(), "nothing is fixed before dispatch");
    supervisor.register(from("2026-02-01"), "tasks/t").await.expect("registered");
    task_at(office, Stage::Registered).await;
    office.refuses("TASK_STAGE", supervisor.assign(context(), ("t", "x"), "fgw", Role::Lead, None)).await;
    let parties = [("fgw", Role::Lead), ("czt", Role::CoLead)];
    let reply = supervisor.dispatch_to(from("2026-02-10"), "t", &parties).await.expect("dispatched");
    assert_eq!(reply.assignments.len(), 2);
    let task = task_at(office, Stage::Dispatched).await;
    assert_eq!(task.due_on.as_deref(), Some("2026-12-31"), "an annual one");
    assert_eq!(assignment_stage(office, "fgw").await, AssignmentStage::Dispatched);
}

async fn taken_contested_and_handed_over(office: &Office) {
    office.acknowledge("t", "fgw").await;
    task_at(office, Stage::InProgress).await;
    assert_eq!(assignment_stage(office, "fgw").await, AssignmentStage::Active);
    let czt = office.agency("czt");
    let reply = czt.contest(context(), ("t", "czt"), "应由交通运输厅承办").await.expect("contested");
    let contested = reply.assignment.expect("an assignment");
    assert_eq!(contested.stage(), AssignmentStage::Contested);
    assert_eq!(contested.grounds.as_deref(), Some("应由交通运输厅承办"));
    office.on("2026-04-01");
    office.reassign("t", "czt", "jtt", "2026-04-01").await;
    assert_eq!(assignment_stage(office, "czt").await, AssignmentStage::Reassigned);
    office.agency("jtt").take(context(), &assignment("t", "czt-jtt")).await.expect("taken");
    let who = office.who("t", None).await;
    assert_eq!(who, [("fgw".to_owned(), Role::Lead), ("jtt".to_owned(), Role::CoLead)]);
    let supervisor = office.supervisor();
    supervisor.suspend(because("等待规划"), "tasks/t").await.expect("suspended");
    let task = task_at(office, Stage::Suspended).await;
    assert_eq!(task.suspended_from(), Stage::InProgress);
    let fgw = office.agency("fgw");
    office.refuses("TASK_STAGE", fgw.record(context(), "t", Level::Limited, "有进展")).await;
    office.on("2026-04-20");
    supervisor.resume(context(), "tasks/t").await.expect("resumed");
    task_at(office, Stage::InProgress).await;
}

/// What the agency says of itself never shows as verified.
async fn judged(office: &Office) {
    office.on("2026-05-20");
    let fgw = office.agency("fgw");
    fgw.record(context(), "t", Level::Complete, "全部完成").await.expect("recorded");
    let task = task_at(office, Stage::InProgress).await;
    assert!(task.verified.is_none(), "a green self-assessment is not verified");
    assert_eq!(task.self_assessed[0].level(), Level::Complete);
    let supervisor = office.supervisor();
    supervisor.check(context(), "t", Level::Limited, "仅一个园区").await.expect("verified");
    let task = task_at(office, Stage::InProgress).await;
    assert_eq!(task.verified.expect("verified").level(), Level::Limited);
    assert_eq!(task.self_assessed[0].level(), Level::Complete, "each keeps its own");
}

async fn closed(office: &Office) {
    let (fgw, one, two) = (office.agency("fgw"), office.supervisor(), office.second_supervisor());
    office.on("2026-06-01");
    fgw.request_closure(context(), "t").await.expect("asked");
    let task = task_at(office, Stage::ClosureRequested).await;
    assert_eq!(task.closure_request.expect("a request").agency, "agencies/fgw");
    one.complete(context(), "t").await.expect("completed");
    let task = task_at(office, Stage::Completed).await;
    assert!(task.closure_request.is_none(), "none is pending");
    assert_eq!(task.completion.expect("completed").on, "2026-06-01");
    office.on("2026-06-10");
    two.give_back(because("抽查不合格"), "tasks/t").await.expect("returned");
    let task = task_at(office, Stage::InProgress).await;
    assert!(task.completion.is_none() && task.closure_request.is_none());
    assert_eq!(task.last_return.expect("a return").reason, "抽查不合格");
    fgw.request_closure(context(), "t").await.expect("asked again");
    one.complete(context(), "t").await.expect("completed again");
    two.strike_off(context(), "tasks/t").await.expect("struck off");
    task_at(office, Stage::StruckOff).await;
    one.reopen(because("又有新要求"), "tasks/t").await.expect("reopened");
    task_at(office, Stage::InProgress).await;
    office.on("2026-07-01");
    fgw.request_closure(context(), "t").await.expect("asked once more");
    one.complete(context(), "t").await.expect("completed");
    two.strike_off(context(), "tasks/t").await.expect("struck off");
    one.archive(context(), "tasks/t").await.expect("archived");
    let task = task_at(office, Stage::Archived).await;
    assert_eq!(task.completion.expect("its completion").struck_off_on.as_deref(), Some("2026-07-01"));
}

#[tokio::test]
async fn a_withdrawn_task_is_over() {
    let office = Office::open().await;
    office.register_agencies(&["fgw"]).await;
    office.dispatch("t", "2026-01-01", &["fgw"]).await;
    let supervisor = office.supervisor();
    supervisor.withdraw(because("政策调整"), "tasks/t").await.expect("withdrawn");
    task_at(&office, Stage::Withdrawn).await;
    office.refuses("TASK_STAGE", supervisor.reopen(because("反悔"), "tasks/t")).await;
    office.refuses("TASK_STAGE", office.agency("fgw").take(context(), &assignment("t", "fgw"))).await;
    office.verify().await;
}

/// Five agencies: one reports in time after a return and corrects itself, one is the coordinator, one is waived,
/// one comes late, one stays silent.
#[tokio::test]
async fn a_year_of_reports_is_opened_answered_and_closed() {
    let mut office = Office::open().await;
    let agencies = ["fgw", "czt", "jtt", "late", "silent"];
    office.register_agencies(&agencies).await;
    office.dispatch("t", "2026-01-01", &agencies).await;
    office.dispatch("u", "2026-01-01", &["czt"]).await;
    for id in ["t", "u"] {
        office.acknowledge(id, "czt").await;
    }
    office.agency("czt").record(context(), "t", Level::Limited, "已出台方案").await.expect("recorded");
    opened(&office).await;
    answered(&office).await;
    office.restart().await;
    judged_and_corrected(&office).await;
    due_day_over(&office).await;
    office.verify().await;
}

async fn cycle(office: &Office) -> reports::Cycle {
    let request = reports::GetCycleRequest { name: "cycles/2026".to_owned(), ..Default::default() };
    let reply = office.agency("czt").cycles().get_cycle(request).await.expect("a cycle").into_inner();
    reply.cycle.expect("a cycle")
}

async fn opened(office: &Office) {
    office.on("2026-11-02");
    office.refuses("ROLE_NOT_ALLOWED", office.supervisor().open_cycle(context(), 2026, None)).await;
    let reply = office.coordinator("fgw").open_cycle(context(), 2026, None).await.expect("opened");
    let opening = reply.cycle.expect("a cycle");
    assert_eq!((opening.due_on.as_str(), opening.holders_on.as_str()), ("2026-12-31", "2026-11-02"));
    assert_eq!((opening.stage(), opening.coordinator.as_str()), (CycleStage::Opening, "agencies/fgw"));
    office.reached(reply.receipt.expect("a receipt").last_position + 6).await;
    let open = cycle(office).await;
    assert_eq!((open.stage(), open.obligation_count), (CycleStage::Open, 5));
    assert_eq!(open.rule.expect("a rule").id, "every-lead");
    let owed = office.auditor().obligation(2026, "czt", None).await.expect("owed");
    assert_eq!(owed.tasks, ["tasks/t", "tasks/u"], "one consolidated report");
    assert_eq!(office.auditor().obligations(2026, "state = OPEN").await.expect("a list").len(), 5);
    assert!(office.auditor().obligations(2026, "overdue = true").await.expect("a list").is_empty());
    // Whoever comes to lead later owes nothing for it.
    office.register_agencies(&["new"]).await;
    office.reassign("u", "czt", "new", "2026-11-02").await;
    office.refuses("OBLIGATION_NOT_FOUND", office.agency("new").draft(context(), 2026, "r-new")).await;
}

async fn answered(office: &Office) {
    let (czt, report) = (office.agency("czt"), "reports/r-czt");
    // Ask once: what the log knows is filled in already.
    let draft = czt.draft(context(), 2026, "r-czt").await.expect("drafted").report.expect("a report");
    assert_eq!((draft.stage(), draft.round), (ReportStage::Draft, 0));
    let told: Vec<_> = draft.items.iter().map(|item| (item.task.as_str(), item.progress.as_str())).collect();
    assert_eq!(told, [("tasks/t", "已出台方案"), ("tasks/u", "")]);
    assert_eq!(draft.items[0].self_assessment(), Level::Limited);
    // A draft is its own agency's.
    for who in [office.agency("jtt"), office.auditor(), office.coordinator("fgw")] {
        let status = who.get_report(report).await.expect_err("a draft");
        assert_eq!(reason_of(&status).1, "NOT_YOURS");
    }
    office.refuses("REPORT_INCOMPLETE", czt.endorse(context(), report)).await;
    czt.revise(context(), report, &[("u", "无新进展")]).await.expect("revised");
    czt.endorse(context(), report).await.expect("endorsed");
    let sent = czt.submit(context(), report).await.expect("submitted").report.expect("a report");
    assert_eq!((sent.stage(), sent.round, sent.late), (ReportStage::Submitted, 1, false));
    let owed = office.auditor().obligation(2026, "czt", None).await.expect("owed");
    assert_eq!((owed.state(), owed.report.as_deref()), (ObligationState::Met, Some(report)));
    let waived = "cycles/2026/obligations/jtt";
    let coordinator = office.coordinator("fgw");
    office.refuses("REASON_REQUIRED", coordinator.waive(context(), waived)).await;
    coordinator.waive(because("职能已划转"), waived).await.expect("waived");
    let owed = office.auditor().obligation(2026, "jtt", None).await.expect("owed");
    assert_eq!((owed.state(), owed.waiver_reason.as_deref()), (ObligationState::Waived, Some("职能已划转")));
}

async fn judged_and_corrected(office: &Office) {
    office.on("2026-11-20");
    let (czt, coordinator, report) = (office.agency("czt"), office.coordinator("fgw"), "reports/r-czt");
    coordinator.receive(context(), report).await.expect("received");
    coordinator.return_report(because("过于简略"), report, "请补充佐证材料").await.expect("returned");
    let returned = czt.get_report(report).await.expect("a report");
    assert_eq!(
        (returned.stage(), returned.findings[0].text.as_str()),
        (ReportStage::Returned, "请补充佐证材料")
    );
    assert_eq!(returned.return_reason.as_deref(), Some("过于简略"));
    let owed = office.auditor().obligation(2026, "czt", None).await.expect("owed");
    assert_eq!(owed.state(), ObligationState::Met, "a return doesn't unmeet it");
    czt.revise(context(), report, &[("t", "已建成两个园区"), ("u", "已移交")]).await.expect("revised");
    czt.endorse(context(), report).await.expect("endorsed");
    czt.submit(context(), report).await.expect("submitted again");
    coordinator.receive(context(), report).await.expect("received");
    coordinator.accept(context(), report).await.expect("accepted");
    czt.correct(because("园区数有误"), report, "r-czt-2").await.expect("a correction");
    let correction = "reports/r-czt-2";
    czt.revise(context(), correction, &[("t", "已建成三个园区")]).await.expect("revised");
    czt.endorse(context(), correction).await.expect("endorsed");
    czt.submit(context(), correction).await.expect("submitted");
    coordinator.receive(context(), correction).await.expect("received");
    coordinator.accept(context(), correction).await.expect("accepted");
    let (old, new) =
        (czt.get_report(report).await.expect("old"), czt.get_report(correction).await.expect("new"));
    assert_eq!((old.stage(), old.superseded_by.as_deref()), (ReportStage::Superseded, Some(correction)));
    assert_eq!((new.stage(), new.corrects.as_deref()), (ReportStage::Accepted, Some(report)));
    let owed = office.auditor().obligation(2026, "czt", None).await.expect("owed");
    assert_eq!((owed.report.as_deref(), owed.state()), (Some(correction), ObligationState::Met));
    // The coordinator's own is the supervisor's to judge.
    office.submitted("fgw", 2026, "r-fgw", &["t"]).await;
    office.refuses("SEPARATION_OF_DUTY", coordinator.receive(context(), "reports/r-fgw")).await;
    let supervisor = office.supervisor();
    supervisor.receive(context(), "reports/r-fgw").await.expect("received");
    supervisor.accept(context(), "reports/r-fgw").await.expect("accepted");
    office.agency("late").draft(context(), 2026, "r-late").await.expect("drafted");
}

async fn due_day_over(office: &Office) {
    let head = office.head().await;
    // The due day lasts until its end in Shanghai.
    office.on("2026-12-31");
    office.agency("late").revise(context(), "reports/r-late", &[("t", "进展")]).await.expect("revised");
    assert_eq!(office.auditor().obligations(2026, "state = OPEN").await.expect("a list").len(), 2);
    office.on("2027-01-01");
    office.reached(head + 3).await;
    let silent = ["cycles/2026/obligations/late", "cycles/2026/obligations/silent"];
    assert_eq!(office.auditor().obligations(2026, "state = MISSED").await.expect("a list"), silent);
    assert_eq!(office.auditor().obligations(2026, "overdue = true").await.expect("a list"), silent);
    let owed = office.auditor().obligation(2026, "silent", None).await.expect("owed");
    assert_eq!(owed.missed_by.expect("the rule that found it").id, "every-lead");
    let before = office.auditor().obligation(2026, "silent", valid_on("2026-12-30")).await.expect("owed");
    assert_eq!(before.state(), ObligationState::Open, "on the days before");

    let late = office.agency("late");
    late.endorse(context(), "reports/r-late").await.expect("endorsed");
    let sent = late.submit(context(), "reports/r-late").await.expect("submitted").report.expect("a report");
    assert!(sent.late, "late, and says so");
    let owed = office.auditor().obligation(2026, "late", None).await.expect("owed");
    assert_eq!((owed.state(), owed.late), (ObligationState::Missed, true));
    assert_eq!(owed.first_submitted_on.as_deref(), Some("2027-01-01"));
    assert_eq!(office.auditor().obligations(2026, "overdue = true").await.expect("a list"), [silent[1]]);
    assert_eq!(office.auditor().obligations(2026, "late = true").await.expect("a list"), [silent[0]]);
    let request =
        reports::ListReportsRequest { filter: "cycle = \"cycles/2026\"".to_owned(), ..Default::default() };
    let all =
        office.coordinator("fgw").reports().list_reports(request.clone()).await.expect("a list").into_inner();
    let names: Vec<_> = all.reports.iter().map(|report| report.name.as_str()).collect();
    assert_eq!(names, ["reports/r-czt", "reports/r-czt-2", "reports/r-fgw", "reports/r-late"]);
    let own = office.agency("late").reports().list_reports(request).await.expect("a list").into_inner();
    assert_eq!(own.reports.len(), 1, "an agency reads its own");
}
