//! What the tests of reports begin with: a report of CZT on two tasks, at each stage of its life.

use super::{Finding, Item, ReportCommand, ReportEvent};
use crate::assignment::Role as Part;
use crate::caller::Caller;
use crate::cycle::fixtures::{
    CZT, FGW, FINANCE, LOGISTICS, coordinator_of, cycle, dispatched, met, opened, owes,
};
use crate::name::{AgencyId, CycleId, ReportId};
use crate::task::{Assessment, Evidence, Level, TaskEvent};
use crate::testing::{Given, Happened, given, happened, line, name, officer, text};

/// The report.
pub(crate) const REPORT: &str = "reports/czt-2026";
/// Its correction.
pub(crate) const CORRECTION: &str = "reports/czt-2026-corrected";

/// Whose, in which cycle.
pub(crate) fn of(report: &str, agency: &str) -> (ReportId, CycleId, AgencyId) {
    (name(report), cycle(), name(agency))
}

/// A file that shows something.
pub(crate) fn file(named: &str) -> Evidence {
    let (name, media_type) = (line(named), line("application/pdf"));
    Evidence { name, media_type, size: 1, sha256: "0".repeat(64) }
}

/// An item that is filled in.
pub(crate) fn item(task: &str, progress: &str) -> Item {
    let (progress, self_assessment) = (Some(text(progress)), Some(Level::Limited));
    Item { progress, self_assessment, ..Item::empty(name(task)) }
}

/// An item that is there for each task of CZT.
pub(crate) fn items() -> Vec<Item> {
    vec![item(FINANCE, "已出台办法"), item(LOGISTICS, "试点两个园区")]
}

/// The report's draft.
pub(crate) fn drafted(items: Vec<Item>) -> ReportEvent {
    let (report, cycle, agency) = of(REPORT, CZT);
    ReportEvent::Drafted { report, cycle, agency, items, corrects: None }
}

/// The draft of its correction.
pub(crate) fn correction() -> ReportEvent {
    let (report, cycle, agency) = of(CORRECTION, CZT);
    ReportEvent::Drafted { report, cycle, agency, items: items(), corrects: Some(name(REPORT)) }
}

/// It says this from now on.
pub(crate) fn revised(items: Vec<Item>) -> ReportEvent {
    let (report, cycle, agency) = of(REPORT, CZT);
    ReportEvent::Revised { report, cycle, agency, items }
}

/// The agency stands by this report of CZT.
pub(crate) fn endorsed(report: &str) -> ReportEvent {
    let (report, cycle, agency) = of(report, CZT);
    ReportEvent::Endorsed { report, cycle, agency }
}

/// This report of CZT is submitted.
pub(crate) fn submitted(report: &str, late: bool, round: u32) -> ReportEvent {
    let (report, cycle, agency) = of(report, CZT);
    ReportEvent::Submitted { report, cycle, agency, late, round }
}

/// The coordinator has this report of CZT.
pub(crate) fn received(report: &str) -> ReportEvent {
    let (report, cycle, agency) = of(report, CZT);
    ReportEvent::Received { report, cycle, agency }
}

/// This report of CZT is accepted.
pub(crate) fn accepted(report: &str) -> ReportEvent {
    let (report, cycle, agency) = of(report, CZT);
    ReportEvent::Accepted { report, cycle, agency }
}

/// The report is returned.
pub(crate) fn returned(findings: Vec<Finding>) -> ReportEvent {
    let (report, cycle, agency) = of(REPORT, CZT);
    ReportEvent::Returned { report, cycle, agency, findings }
}

/// Its correction stands in its place.
pub(crate) fn superseded() -> ReportEvent {
    let (report, cycle, agency) = of(REPORT, CZT);
    ReportEvent::Superseded { report, cycle, agency, by: name(CORRECTION) }
}

/// What is wrong with it.
pub(crate) fn finding(said: &str) -> Finding {
    Finding { task: Some(name(FINANCE)), text: text(said) }
}

/// CZT said this of the task's progress by itself.
pub(crate) fn self_assessed(task: &str, level: Level, said: &str, evidence: Vec<Evidence>) -> TaskEvent {
    let assessment = Assessment { level, text: text(said), evidence };
    TaskEvent::ProgressRecorded { task: name(task), agency: name(CZT), assessment }
}

/// CZT leads two tasks and must report on both; its officer asks.
pub(crate) fn owing() -> Given {
    let tasks = [FINANCE, LOGISTICS].map(|task| dispatched(task, &[(CZT, Part::Lead)]));
    let given = given(tasks.concat()).and([opened()]).and([owes(CZT, &[FINANCE, LOGISTICS])]);
    given.as_caller(officer(CZT))
}

/// What CZT's officer did.
pub(crate) fn by_czt(event: ReportEvent) -> Happened {
    happened(event).by(officer(CZT))
}

/// A draft of the report, filled in; its officer asks.
pub(crate) fn draft() -> Given {
    owing().and([by_czt(drafted(items()))])
}

/// The endorsed report; its officer asks.
pub(crate) fn endorsed_report() -> Given {
    draft().and([by_czt(endorsed(REPORT))])
}

/// The report, submitted in time; the coordinator asks.
pub(crate) fn submitted_report() -> Given {
    let given = endorsed_report().and([by_czt(submitted(REPORT, false, 1))]).and([met(CZT, REPORT)]);
    given.as_caller(coordinator_of(FGW))
}

/// The report, received; the coordinator asks.
pub(crate) fn received_report() -> Given {
    submitted_report().and([received(REPORT)])
}

/// The report, returned with a finding; its officer asks.
pub(crate) fn returned_report() -> Given {
    received_report().and([returned(vec![finding("缺佐证")])]).as_caller(officer(CZT))
}

/// The report, accepted; its officer asks.
pub(crate) fn accepted_report() -> Given {
    received_report().and([accepted(REPORT)]).as_caller(officer(CZT))
}

/// The correction of the accepted report, up to its being received; the coordinator asks.
pub(crate) fn received_correction() -> Given {
    let agency = [correction(), endorsed(CORRECTION), submitted(CORRECTION, false, 1)].map(by_czt);
    accepted_report().and(agency).and([received(CORRECTION)]).as_caller(coordinator_of(FGW))
}

/// The accepted report, superseded by its correction; its officer asks.
pub(crate) fn superseded_report() -> Given {
    received_correction().and([accepted(CORRECTION), superseded()]).as_caller(officer(CZT))
}

/// Every stage of the report.
pub(crate) fn stages() -> [Given; 7] {
    [
        draft(),
        endorsed_report(),
        submitted_report(),
        received_report(),
        returned_report(),
        accepted_report(),
        superseded_report(),
    ]
}

/// Each command on the report by whom it is for, in the order of a report's life.
pub(crate) fn commands() -> [(Caller, ReportCommand); 7] {
    let (agency, judge) = (officer(CZT), coordinator_of(FGW));
    let report = || name(REPORT);
    [
        (agency.clone(), ReportCommand::Revise { report: report(), items: vec![item(FINANCE, "另有进展")] }),
        (agency.clone(), ReportCommand::Endorse { report: report() }),
        (agency.clone(), ReportCommand::Submit { report: report() }),
        (judge.clone(), ReportCommand::Receive { report: report() }),
        (judge.clone(), ReportCommand::Return { report: report(), findings: vec![finding("另缺佐证")] }),
        (judge, ReportCommand::Accept { report: report() }),
        (agency, ReportCommand::Correct { report: report(), correction: Some(name(CORRECTION)) }),
    ]
}
