//! Five years of two tasks and seven agencies, with changes dated back and ahead.

use duban_proto::call::v1::ProgressLevel as Level;
use duban_proto::tasks::v1::AssignmentRole as Role;

use crate::support::{Office, assignment, because, context, from};

/// The tasks.
pub(super) const TASKS: [&str; 2] = ["t", "u"];
/// The agencies.
pub(super) const AGENCIES: [&str; 7] = ["a", "b", "c", "d", "e", "f", "g"];
/// The agency that is renamed.
pub(super) const RENAMED: &str = "c";
/// The last day of the story.
pub(super) const TODAY: &str = "2025-01-15";
/// The day after it.
pub(super) const TOMORROW: &str = "2025-01-16";

/// The office after it, on its last day.
pub(super) async fn told() -> Office {
    let office = Office::open_on("2022-01-10").await;
    office.register_agencies(&AGENCIES).await;
    office.dispatch("t", "2022-01-10", &["a", "b", "c"]).await;
    handed_over(&office).await;
    dated_back(&office).await;
    renamed(&office).await;
    planned_ahead(&office).await;
    closed(&office).await;
    office.on(TODAY);
    office
}

/// 2022: the lead goes from a to d, known a month late, and ends in February 2023.
async fn handed_over(office: &Office) {
    for id in ["a", "b"] {
        office.acknowledge("t", id).await;
    }
    office.on("2022-06-01");
    office.reassign("t", "a", "d", "2022-05-01").await;
    office.agency("d").contest(context(), ("t", "a-d"), "职责不符").await.expect("contested");
    office.on("2023-01-20");
    let supervisor = office.supervisor();
    supervisor.uphold(context(), &assignment("t", "a-d")).await.expect("upheld");
    supervisor.release(from("2023-02-01"), &assignment("t", "a-d")).await.expect("released");
    supervisor
        .assign(from("2023-02-01"), ("t", "f"), "f", Role::Lead, Some("2024-01-01"))
        .await
        .expect("assigned");
}

/// 2023: that d had handed over to e inside the period that has ended; the date is corrected twice.
async fn dated_back(office: &Office) {
    office.on("2023-06-15");
    let supervisor = office.supervisor();
    let handed = supervisor.reassign(from("2022-09-01"), ("t", "a-d"), "e", "d-e").await.expect("reassigned");
    let period = handed.assignment.expect("the new one").period.expect("days");
    assert_eq!(period.until.as_deref(), Some("2023-02-01"), "it ends where that period ended");
    let sides = (Some("a-d"), Some("d-e"));
    supervisor
        .correct_boundary(because("公文签发日期有误"), "t", sides, "2022-07-20")
        .await
        .expect("corrected");
    office.on("2023-07-01");
    supervisor
        .correct_boundary(because("以会议纪要为准"), "t", sides, "2022-10-15")
        .await
        .expect("corrected");
    // The outer end: up to where the next begins, and not into it.
    let end = (Some("f"), None);
    let longer = supervisor.correct_boundary(because("有误"), "t", end, "2023-12-01").await;
    longer.expect("a month less");
    supervisor.reinterpret(from("2023-01-01"), ("t", "c"), Role::Responsible).await.expect("reinterpreted");
    supervisor.reinterpret(from("2024-01-01"), ("t", "b"), Role::Lead).await.expect("reinterpreted");
}

/// 2023: c is renamed from April on; a name between is found out later, and ends where that one begins.
async fn renamed(office: &Office) {
    office.on("2023-08-01");
    let supervisor = office.supervisor();
    supervisor.rename(from("2023-04-01"), RENAMED, "青海省分行").await.expect("renamed");
    office.on("2023-09-01");
    supervisor.rename(from("2022-07-01"), RENAMED, "西宁中心支行").await.expect("renamed");
}

/// 2024: that b will hand over to g in July 2025, and that task u has been given to g.
async fn planned_ahead(office: &Office) {
    office.on("2024-02-01");
    office.reassign("t", "b", "g", "2025-07-01").await;
    office.dispatch("u", "2024-01-15", &["g", "e"]).await;
    office.acknowledge("u", "g").await;
    let supervisor = office.supervisor();
    supervisor
        .assign(from("2024-03-01"), ("u", "f"), "f", Role::Supporting, Some("2024-09-01"))
        .await
        .expect("assigned");
    supervisor.release(from("2024-06-01"), &assignment("u", "f")).await.expect("released");
}

/// 2024: progress is told and checked, late and out of order; u is closed, returned, closed again, struck off.
async fn closed(office: &Office) {
    office.on("2024-05-10");
    let (own, supervisor) = (office.agency("g"), office.supervisor());
    own.record(from("2024-05-01"), "u", Level::Substantial, "过半").await.expect("recorded");
    own.record(from("2024-03-01"), "u", Level::Limited, "起步").await.expect("recorded late");
    supervisor.check(from("2024-04-15"), "u", Level::Limited, "佐证不足").await.expect("verified");
    own.request_closure(context(), "u").await.expect("asked");
    supervisor.complete(context(), "u").await.expect("completed");
    office.on("2024-08-20");
    supervisor.give_back(because("核查发现问题"), "tasks/u").await.expect("returned");
    own.record(context(), "u", Level::Complete, "整改完毕").await.expect("recorded");
    own.request_closure(context(), "u").await.expect("asked");
    office.on("2024-11-05");
    supervisor.check(context(), "u", Level::Complete, "属实").await.expect("verified");
    supervisor.complete(from("2024-10-20"), "u").await.expect("completed");
    office.second_supervisor().strike_off(context(), "tasks/u").await.expect("struck off");
    supervisor.suspend(because("等待上级部署"), "tasks/t").await.expect("suspended");
    supervisor.resume(context(), "tasks/t").await.expect("resumed");
}
