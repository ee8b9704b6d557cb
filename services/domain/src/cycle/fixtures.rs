//! What the tests of cycles and reports begin with: tasks with those who lead them, and a cycle for 2026.

use jiff::civil::date;

use super::{CycleEvent, Rule};
use crate::assignment::{AssignmentEvent, Role as Part};
use crate::caller::{Caller, Role};
use crate::event::Event;
use crate::name::{AssignmentId, CycleId, TaskId};
use crate::task::{Outline, TaskEvent, Track, rule};
use crate::testing::{DAY, Happened, caller, happened, line, name, officer};
use crate::time::{Date, Period};

/// The cycle.
pub(crate) const CYCLE: &str = "cycles/2026";
/// The last day on which its reports are in time.
pub(crate) const DUE: Date = date(2026, 12, 31);
/// The agency that coordinates it (省发展改革委).
pub(crate) const FGW: &str = "agencies/fgw";
/// Another agency.
pub(crate) const CZT: &str = "agencies/czt";
/// And one more.
pub(crate) const JTT: &str = "agencies/jtt";
/// A task.
pub(crate) const LOGISTICS: &str = "tasks/logistics";
/// Another one.
pub(crate) const FINANCE: &str = "tasks/finance";

/// The cycle, by its name.
pub(crate) fn cycle() -> CycleId {
    name(CYCLE)
}

/// The coordinator of `agency`, called by the agency's id and the role.
pub(crate) fn coordinator_of(agency: &str) -> Caller {
    let officer = officer(agency);
    let principal = format!("{}-coordinator", officer.principal);
    Caller {
        principal: crate::caller::PrincipalId::parse(&principal).unwrap(),
        role: Role::Coordinator,
        ..officer
    }
}

/// A supervisor who is of `agency`.
pub(crate) fn supervisor_of(agency: &str) -> Caller {
    Caller { agency: Some(name(agency)), ..caller(Role::Supervisor) }
}

/// The task is dispatched on [`DAY`] to these, from that day on.
pub(crate) fn dispatched(task: &str, parts: &[(&str, Part)]) -> Vec<Event> {
    dispatched_on(DAY, task, parts)
}

/// The task is dispatched to these, from `day` on.
pub(crate) fn dispatched_on(day: Date, task: &str, parts: &[(&str, Part)]) -> Vec<Event> {
    let task: TaskId = name(task);
    let outline = Outline {
        title: line("打造绿色物流"),
        label: None,
        document: None,
        clauses: vec![],
        track: Track::Continuing,
        parent: None,
        milestones: vec![],
        source: None,
    };
    let mut events: Vec<Event> = vec![
        TaskEvent::Proposed { task: task.clone(), outline }.into(),
        TaskEvent::Registered { task: task.clone() }.into(),
        TaskEvent::Dispatched { task: task.clone(), due_on: None, rule: rule::qinghai_710() }.into(),
    ];
    for (agency, role) in parts {
        let agency: crate::name::AgencyId = name(agency);
        let assignment = AssignmentId::new(task.clone(), agency.id()).unwrap();
        let (role, period) = (*role, Period::since(day));
        events.push(AssignmentEvent::Dispatched { assignment, agency, role, period, source: None }.into());
    }
    events
}

/// The cycle is opened on [`DAY`], by the rule, for that day's holders.
pub(crate) fn opened_by(rule: Rule) -> Happened {
    let opened =
        CycleEvent::Opened { cycle: cycle(), due_on: DUE, holders_on: DAY, rule, coordinator: name(FGW) };
    happened(opened).by(coordinator_of(FGW))
}

/// The cycle is opened on [`DAY`] for every lead.
pub(crate) fn opened() -> Happened {
    opened_by(Rule::EveryLead)
}

/// The agency must report on these tasks.
pub(crate) fn owes(agency: &str, tasks: &[&str]) -> CycleEvent {
    owes_by(Rule::EveryLead, agency, tasks)
}

/// The agency must report on these tasks, by the rule.
pub(crate) fn owes_by(rule: Rule, agency: &str, tasks: &[&str]) -> CycleEvent {
    CycleEvent::ObligationOpened {
        cycle: cycle(),
        agency: name(agency),
        tasks: tasks.iter().map(|task| name(task)).collect(),
        due_on: DUE,
        rule,
    }
}

/// Its silence is recorded.
pub(crate) fn missed(agency: &str) -> CycleEvent {
    CycleEvent::ObligationMissed { cycle: cycle(), agency: name(agency), due_on: DUE, rule: Rule::EveryLead }
}

/// It has been met by this report.
pub(crate) fn met(agency: &str, report: &str) -> CycleEvent {
    CycleEvent::ObligationMet { cycle: cycle(), agency: name(agency), report: name(report) }
}

/// It is waived.
pub(crate) fn waived(agency: &str) -> CycleEvent {
    CycleEvent::ObligationWaived { cycle: cycle(), agency: name(agency) }
}
