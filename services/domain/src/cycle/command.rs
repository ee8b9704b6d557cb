//! What may be done with a cycle and its obligations, by whom, and what follows.

use jiff::civil::date;
use serde::Serialize;

use super::{Cycle, CycleEvent, CycleStage, ObligationState, Rule};
use crate::caller::Role;
use crate::command::{Command, Facts, Proposed};
use crate::name::{AgencyId, CycleId, ObligationId, TaskId};
use crate::rejection::{Reason, Rejection};
use crate::subject::Subject;
use crate::time::{DATE_MIN, Date};
use crate::world::World;

/// What a caller, or the system itself, may ask for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum CycleCommand {
    /// 开启报送, by a coordinator: its agency is the one that will receive and accept.
    Open {
        /// Of which year.
        cycle: CycleId,
        /// The last day in time; 31 December of the year, if absent.
        due_on: Option<Date>,
        /// Whose responsibility on this day counts; the day of opening, if absent.
        holders_on: Option<Date>,
        /// Who must report; every lead, if absent.
        rule: Option<Rule>,
    },
    /// 应报, by the system: if the agency must report, it is asked to.
    OpenObligation {
        /// In which cycle.
        cycle: CycleId,
        /// Who, perhaps.
        agency: AgencyId,
        /// On what, as planned: a hint of what to read. What it owes is decided from the log.
        tasks: Vec<TaskId>,
    },
    /// By the system: every obligation is opened.
    Enrol {
        /// Of which cycle.
        cycle: CycleId,
        /// How many they are.
        obligations: u32,
    },
    /// 免报, by whoever judges what is owed, with a reason.
    Waive {
        /// Which.
        obligation: ObligationId,
    },
    /// 漏报, by the system's clock: if its due day has passed in silence, that is recorded.
    MarkMissed {
        /// Which.
        obligation: ObligationId,
    },
}

impl Command for CycleCommand {
    fn subject(&self) -> Subject {
        match self {
            Self::Open { cycle, .. } | Self::Enrol { cycle, .. } => Subject::Cycle(*cycle),
            Self::OpenObligation { cycle, agency, .. } => {
                Subject::Obligation(ObligationId::of(*cycle, agency))
            }
            Self::Waive { obligation } | Self::MarkMissed { obligation } => {
                Subject::Obligation(obligation.clone())
            }
        }
    }

    fn reads(&self, known: &World) -> Vec<Subject> {
        match self {
            Self::Open { .. } | Self::Enrol { .. } | Self::MarkMissed { .. } => vec![self.subject()],
            Self::Waive { obligation } => vec![self.subject(), Subject::Cycle(*obligation.cycle())],
            Self::OpenObligation { cycle, agency, tasks } => {
                let fixed = vec![self.subject(), Subject::Cycle(*cycle), Subject::Duty(agency.clone())];
                // What the agency leads the log tells, once the cycle and the duty are read.
                let known = fixed.iter().all(|subject| known.watches(subject)).then_some(known);
                let led = known.and_then(|known| Some(known.find_cycle(*cycle)?.led_by(known.duty(agency))));
                let tasks = tasks.iter().cloned().chain(led.into_iter().flatten());
                fixed.into_iter().chain(tasks.map(Subject::Task)).collect()
            }
        }
    }

    fn decide(&self, world: &World, facts: &Facts) -> Result<Vec<Proposed>, Rejection> {
        match self {
            Self::Open { cycle, due_on, holders_on, rule } => {
                open(*cycle, *due_on, *holders_on, rule.unwrap_or_default(), world, facts)
            }
            Self::OpenObligation { cycle, agency, tasks: _ } => open_obligation(*cycle, agency, world, facts),
            Self::Enrol { cycle, obligations } => enrol(world.cycle(*cycle)?, *obligations, facts),
            Self::Waive { obligation } => waive(obligation, world, facts),
            Self::MarkMissed { obligation } => mark_missed(obligation, world, facts),
        }
    }
}

fn open(
    cycle: CycleId,
    due_on: Option<Date>,
    holders_on: Option<Date>,
    rule: Rule,
    world: &World,
    facts: &Facts,
) -> Result<Vec<Proposed>, Rejection> {
    if world.find_cycle(cycle).is_some() {
        return Err(Rejection::new(Reason::CycleExists, cycle, "this cycle has been opened"));
    }
    let Some(coordinator) = facts.caller.agency.clone() else {
        let detail = "a cycle is opened for the agency that will receive its reports";
        return Err(Rejection::new(Reason::RoleNotAllowed, cycle, detail));
    };
    let today = facts.today();
    let opened_on = facts.step_after(&cycle, DATE_MIN)?;
    let due_on = due_on.unwrap_or_else(|| date(cycle.year(), 12, 31));
    if due_on < today {
        let detail = format!("reports can't be due on {due_on}, before today, {today}");
        let rejection = Rejection::new(Reason::DueInPast, cycle, detail);
        return Err(rejection.with("due_on", due_on).with("today", today));
    }
    let holders_on = holders_on.unwrap_or(opened_on);
    if holders_on > today {
        let detail = format!("who holds a duty on {holders_on}, after today, {today}, is not known yet");
        let rejection = Rejection::new(Reason::HoldersInFuture, cycle, detail);
        return Err(rejection.with("holders_on", holders_on).with("today", today));
    }
    let opened = CycleEvent::Opened { cycle, due_on, holders_on, rule, coordinator };
    Ok(vec![Proposed::on(opened_on, opened)])
}

fn open_obligation(
    cycle: CycleId,
    agency: &AgencyId,
    world: &World,
    facts: &Facts,
) -> Result<Vec<Proposed>, Rejection> {
    let obligation = ObligationId::of(cycle, agency);
    let cycle = world.cycle(cycle)?;
    system_only(&obligation, facts)?;
    let enrolled = match cycle.stage {
        CycleStage::Opening => false,
        CycleStage::Open { .. } => true,
    };
    if enrolled || world.find_obligation(&obligation).is_some() {
        return Ok(vec![]);
    }
    let live = |task: &TaskId| world.find_task(task).is_some_and(|t| t.is_live_on(cycle.holders_on));
    let tasks: Vec<TaskId> = cycle.led_by(world.duty(agency)).into_iter().filter(live).collect();
    if tasks.is_empty() {
        return Ok(vec![]);
    }
    let opened = CycleEvent::ObligationOpened {
        cycle: cycle.name,
        agency: agency.clone(),
        tasks,
        due_on: cycle.due_on,
        rule: cycle.rule,
    };
    Ok(vec![Proposed::on(cycle.opened_on, opened)])
}

fn enrol(cycle: &Cycle, obligations: u32, facts: &Facts) -> Result<Vec<Proposed>, Rejection> {
    system_only(&cycle.name, facts)?;
    match cycle.stage {
        CycleStage::Open { .. } => Ok(vec![]),
        CycleStage::Opening => {
            let enrolled = CycleEvent::Enrolled { cycle: cycle.name, obligations };
            Ok(vec![Proposed::on(cycle.opened_on, enrolled)])
        }
    }
}

fn waive(name: &ObligationId, world: &World, facts: &Facts) -> Result<Vec<Proposed>, Rejection> {
    let obligation = world.obligation(name)?;
    let agency = name.agency();
    world.cycle(*name.cycle())?.judged_by(name, &agency, &facts.caller)?;
    facts.reason()?;
    match obligation.state() {
        ObligationState::Waived { .. } => Ok(vec![]),
        ObligationState::Open if !obligation.is_overdue_at(facts.now) => {
            let on = facts.step_after(name, obligation.last_step_on)?;
            Ok(vec![Proposed::on(on, CycleEvent::ObligationWaived { cycle: *name.cycle(), agency })])
        }
        ObligationState::Open => Err(obligation.at_wrong_state("its due day has passed")),
        ObligationState::Met { .. } | ObligationState::Missed => {
            Err(obligation.at_wrong_state("only what is still open can be waived"))
        }
    }
}

fn mark_missed(name: &ObligationId, world: &World, facts: &Facts) -> Result<Vec<Proposed>, Rejection> {
    let obligation = world.obligation(name)?;
    system_only(name, facts)?;
    match obligation.state() {
        ObligationState::Open if obligation.is_overdue_at(facts.now) => {
            Ok(vec![Proposed::on(obligation.due_on, obligation.missed())])
        }
        ObligationState::Open
        | ObligationState::Met { .. }
        | ObligationState::Waived { .. }
        | ObligationState::Missed => Ok(vec![]),
    }
}

fn system_only(subject: &impl std::fmt::Display, facts: &Facts) -> Result<(), Rejection> {
    if facts.caller.role == Role::System {
        return Ok(());
    }
    Err(Rejection::new(Reason::RoleNotAllowed, subject, "only the system itself does this"))
}
