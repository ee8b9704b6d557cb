//! What may be done with a report, by whom, and what follows.

use serde::Serialize;

use super::item::{self, Finding, Item};
use super::{Report, ReportEvent, Stage};
use crate::command::{Command, Facts, Proposed, Seed};
use crate::cycle::{CycleEvent, Obligation, ObligationState};
use crate::name::{AgencyId, CycleId, ObligationId, ReportId};
use crate::rejection::{Reason, Rejection};
use crate::subject::Subject;
use crate::world::World;

/// What a caller may ask for. Drafting to submitting and correcting are the reporting agency's own; the rest
/// is for [whoever judges](crate::cycle::Cycle::judged_by).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum ReportCommand {
    /// 草拟, pre-filled from what the log knows.
    Draft {
        /// In which cycle.
        cycle: CycleId,
        /// Who reports: the caller's own agency.
        agency: AgencyId,
        /// Its name, if the caller chooses it.
        report: Option<ReportId>,
        /// What it shall say of these tasks; of the others, what the agency last said by itself.
        items: Vec<Item>,
    },
    /// 修改: it is a draft again.
    Revise {
        /// Which.
        report: ReportId,
        /// What it shall say of these tasks from now on.
        items: Vec<Item>,
    },
    /// 审签.
    Endorse {
        /// Which.
        report: ReportId,
    },
    /// 报送.
    Submit {
        /// Which.
        report: ReportId,
    },
    /// 签收.
    Receive {
        /// Which.
        report: ReportId,
    },
    /// 采纳.
    Accept {
        /// Which.
        report: ReportId,
    },
    /// 退回, with a reason.
    Return {
        /// Which.
        report: ReportId,
        /// What is wrong with it.
        findings: Vec<Finding>,
    },
    /// 更正, with a reason: a draft that supersedes an accepted report once it is accepted itself.
    Correct {
        /// The accepted one.
        report: ReportId,
        /// The correction's name, if the caller chooses it.
        correction: Option<ReportId>,
    },
}

impl ReportCommand {
    /// The report that is there already; `None` for a draft.
    fn existing(&self) -> Option<&ReportId> {
        match self {
            Self::Draft { .. } => None,
            Self::Revise { report, .. }
            | Self::Endorse { report }
            | Self::Submit { report }
            | Self::Receive { report }
            | Self::Accept { report }
            | Self::Return { report, .. }
            | Self::Correct { report, .. } => Some(report),
        }
    }

    /// The report that the reply shows: the new one where one is made.
    ///
    /// # Panics
    /// If asked before [`Command::complete`].
    pub fn shown(&self) -> &ReportId {
        match self {
            Self::Draft { report: new, .. } | Self::Correct { correction: new, .. } => {
                new.as_ref().unwrap_or_else(|| unreachable!("a command is completed before it is asked"))
            }
            Self::Revise { report, .. }
            | Self::Endorse { report }
            | Self::Submit { report }
            | Self::Receive { report }
            | Self::Accept { report }
            | Self::Return { report, .. } => report,
        }
    }
}

impl Command for ReportCommand {
    fn complete(&mut self, seed: &Seed) {
        match self {
            Self::Draft { report: new, .. } | Self::Correct { correction: new, .. } => {
                *new = new.take().or_else(|| ReportId::from_id(&seed.id("report")));
            }
            Self::Revise { .. }
            | Self::Endorse { .. }
            | Self::Submit { .. }
            | Self::Receive { .. }
            | Self::Accept { .. }
            | Self::Return { .. } => {}
        }
    }

    fn subject(&self) -> Subject {
        Subject::Report(self.shown().clone())
    }

    fn reads(&self, known: &World) -> Vec<Subject> {
        let mut subjects = vec![self.subject()];
        match self {
            Self::Draft { cycle, agency, .. } => {
                let name = ObligationId::of(*cycle, agency);
                let obligation = Subject::Obligation(name.clone());
                // On what the agency must report, its obligation tells.
                if known.watches(&obligation) {
                    let tasks = known.find_obligation(&name).into_iter().flat_map(|o| o.tasks.clone());
                    subjects.extend(tasks.map(Subject::Task));
                }
                subjects.extend([Subject::Cycle(*cycle), obligation]);
            }
            Self::Revise { .. }
            | Self::Endorse { .. }
            | Self::Submit { .. }
            | Self::Receive { .. }
            | Self::Accept { .. }
            | Self::Return { .. }
            | Self::Correct { .. } => {
                let report = self.existing().map(|report| Subject::Report(report.clone()));
                let found = report.as_ref().filter(|report| known.watches(report)).and(self.existing());
                // Which cycle and obligation it answers, and which report it corrects, the report tells.
                if let Some(found) = found.and_then(|report| known.find_report(report)) {
                    subjects.extend([Subject::Cycle(found.cycle), Subject::Obligation(found.obligation())]);
                    subjects.extend(found.corrects.clone().map(Subject::Report));
                }
                subjects.extend(report);
            }
        }
        subjects
    }

    fn decide(&self, world: &World, facts: &Facts) -> Result<Vec<Proposed>, Rejection> {
        match self {
            Self::Draft { cycle, agency, report: _, items } => {
                draft(*cycle, agency, self.shown(), items, world, facts)
            }
            Self::Revise { report, items } => revise(world.report(report)?, items, world, facts),
            Self::Endorse { report } => endorse(world.report(report)?, world, facts),
            Self::Submit { report } => submit(world.report(report)?, world, facts),
            Self::Receive { report } => receive(world.report(report)?, world, facts),
            Self::Accept { report } => accept(world.report(report)?, world, facts),
            Self::Return { report, findings } => give_back(world.report(report)?, findings, world, facts),
            Self::Correct { report, correction: _ } => {
                correct(world.report(report)?, self.shown(), world, facts)
            }
        }
    }
}

/// The report's obligation, if the caller reports for its agency and it takes reports.
fn owed<'a>(
    subject: &ReportId,
    obligation: &ObligationId,
    world: &'a World,
    facts: &Facts,
) -> Result<&'a Obligation, Rejection> {
    if !facts.caller.acts_for(&obligation.agency()) {
        return Err(Rejection::new(Reason::NotYours, subject, "it is another agency's"));
    }
    let obligation = world.obligation(obligation)?;
    obligation.takes_reports()?;
    Ok(obligation)
}

fn own<'a>(report: &Report, world: &'a World, facts: &Facts) -> Result<&'a Obligation, Rejection> {
    owed(&report.name, &report.obligation(), world, facts)
}

fn untaken(name: &ReportId, world: &World) -> Result<(), Rejection> {
    match world.find_report(name) {
        None => Ok(()),
        Some(_) => Err(Rejection::new(Reason::ReportExists, name, "a report of this name is there already")),
    }
}

fn draft(
    cycle: CycleId,
    agency: &AgencyId,
    name: &ReportId,
    given: &[Item],
    world: &World,
    facts: &Facts,
) -> Result<Vec<Proposed>, Rejection> {
    world.cycle(cycle)?;
    let obligation = owed(name, &ObligationId::of(cycle, agency), world, facts)?;
    untaken(name, world)?;
    if let Some(live) = &obligation.report {
        let detail = "a report answers it already: revise or correct that";
        let rejection = Rejection::new(Reason::ObligationStage, &obligation.name, detail);
        return Err(rejection.with("report", live));
    }
    item::check(given, name, obligation)?;
    let items = item::prefilled(given, obligation, world);
    item::fits(&items, name)?;
    let on = facts.step_after(name, obligation.last_step_on)?;
    let (report, agency) = (name.clone(), agency.clone());
    Ok(vec![Proposed::on(on, ReportEvent::Drafted { report, cycle, agency, items, corrects: None })])
}

fn revise(report: &Report, given: &[Item], world: &World, facts: &Facts) -> Result<Vec<Proposed>, Rejection> {
    let obligation = own(report, world, facts)?;
    item::check(given, &report.name, obligation)?;
    let items = item::revised(&report.items, given);
    item::fits(&items, &report.name)?;
    match report.stage {
        Stage::Draft if items == report.items => Ok(vec![]),
        Stage::Draft | Stage::Endorsed | Stage::Returned => {
            step(report, facts, |report, cycle, agency| ReportEvent::Revised { report, cycle, agency, items })
        }
        Stage::Submitted | Stage::Received => Err(report.at_wrong_stage("the coordinator has it")),
        Stage::Accepted | Stage::Superseded => {
            Err(report.at_wrong_stage("it is accepted: it changes only by correction"))
        }
    }
}

fn endorse(report: &Report, world: &World, facts: &Facts) -> Result<Vec<Proposed>, Rejection> {
    let obligation = own(report, world, facts)?;
    match report.stage {
        Stage::Endorsed => Ok(vec![]),
        Stage::Draft => {
            item::complete(&report.items, &report.name, obligation)?;
            step(report, facts, |report, cycle, agency| ReportEvent::Endorsed { report, cycle, agency })
        }
        Stage::Returned => Err(report.at_wrong_stage("what was returned is revised first")),
        Stage::Submitted | Stage::Received | Stage::Accepted | Stage::Superseded => {
            Err(report.at_wrong_stage("only a draft can be endorsed"))
        }
    }
}

/// The first submission settles the obligation: in time it is met; late, its silence is recorded first if
/// the clock has not come to it.
fn submit(report: &Report, world: &World, facts: &Facts) -> Result<Vec<Proposed>, Rejection> {
    let obligation = own(report, world, facts)?;
    match report.stage {
        Stage::Submitted => return Ok(vec![]),
        Stage::Endorsed => item::complete(&report.items, &report.name, obligation)?,
        Stage::Draft | Stage::Returned | Stage::Received | Stage::Accepted | Stage::Superseded => {
            return Err(report.at_wrong_stage("only an endorsed report can be submitted"));
        }
    }
    let on = facts.step_after(&report.name, report.last_step_on())?;
    let submitted = |late| {
        let (report, cycle, agency, round) =
            (report.name.clone(), report.cycle, report.agency.clone(), report.round + 1);
        Proposed::on(on, ReportEvent::Submitted { report, cycle, agency, late, round })
    };
    let met = || {
        let (report, cycle, agency) = (report.name.clone(), report.cycle, report.agency.clone());
        Proposed::on(on, CycleEvent::ObligationMet { cycle, agency, report })
    };
    Ok(match obligation.state() {
        ObligationState::Open if obligation.is_overdue_at(facts.now) => {
            vec![Proposed::on(obligation.due_on, obligation.missed()), submitted(true)]
        }
        ObligationState::Open => vec![submitted(false), met()],
        ObligationState::Missed => vec![submitted(true)],
        // What is waived takes no report and has been refused above.
        ObligationState::Met { .. } | ObligationState::Waived { .. } => vec![submitted(false)],
    })
}

/// That the caller may judge the report.
fn judged(report: &Report, world: &World, facts: &Facts) -> Result<(), Rejection> {
    world.cycle(report.cycle)?.judged_by(&report.name, &report.agency, &facts.caller)
}

fn receive(report: &Report, world: &World, facts: &Facts) -> Result<Vec<Proposed>, Rejection> {
    judged(report, world, facts)?;
    match report.stage {
        Stage::Received => Ok(vec![]),
        Stage::Submitted => {
            step(report, facts, |report, cycle, agency| ReportEvent::Received { report, cycle, agency })
        }
        Stage::Draft | Stage::Endorsed | Stage::Returned | Stage::Accepted | Stage::Superseded => {
            Err(report.at_wrong_stage("only a submitted report can be received"))
        }
    }
}

fn accept(report: &Report, world: &World, facts: &Facts) -> Result<Vec<Proposed>, Rejection> {
    judged(report, world, facts)?;
    match report.stage {
        Stage::Accepted => return Ok(vec![]),
        Stage::Received => {}
        Stage::Returned => return Err(report.at_wrong_stage("what was returned is submitted again first")),
        Stage::Draft | Stage::Endorsed | Stage::Submitted | Stage::Superseded => {
            return Err(report.at_wrong_stage("only a received report can be accepted"));
        }
    }
    if report.is_work_of(&facts.caller.principal) {
        let detail = "nobody accepts a report that they drafted, endorsed or submitted";
        return Err(Rejection::new(Reason::SeparationOfDuty, &report.name, detail));
    }
    let mut accepted =
        step(report, facts, |report, cycle, agency| ReportEvent::Accepted { report, cycle, agency })?;
    if let Some(corrected) = &report.corrects {
        let by = report.name.clone();
        accepted.extend(step(world.report(corrected)?, facts, |report, cycle, agency| {
            ReportEvent::Superseded { report, cycle, agency, by }
        })?);
    }
    Ok(accepted)
}

fn give_back(
    report: &Report,
    findings: &[Finding],
    world: &World,
    facts: &Facts,
) -> Result<Vec<Proposed>, Rejection> {
    judged(report, world, facts)?;
    facts.reason()?;
    item::check_findings(findings, &report.name, &report.items)?;
    match report.stage {
        Stage::Returned if report.returned.as_ref().is_some_and(|last| last.findings == findings) => {
            Ok(vec![])
        }
        Stage::Submitted | Stage::Received => step(report, facts, |report, cycle, agency| {
            ReportEvent::Returned { report, cycle, agency, findings: findings.to_vec() }
        }),
        Stage::Draft | Stage::Endorsed | Stage::Returned | Stage::Accepted | Stage::Superseded => {
            Err(report.at_wrong_stage("only a submitted or received report can be returned"))
        }
    }
}

fn correct(
    report: &Report,
    correction: &ReportId,
    world: &World,
    facts: &Facts,
) -> Result<Vec<Proposed>, Rejection> {
    let obligation = own(report, world, facts)?;
    facts.reason()?;
    if report.stage != Stage::Accepted {
        return Err(report.at_wrong_stage("only an accepted report is corrected"));
    }
    if let Some(other) = &obligation.correction {
        return Err(report.at_wrong_stage("a correction is under way").with("correction", other));
    }
    untaken(correction, world)?;
    let drafted = |_: ReportId, cycle, agency| ReportEvent::Drafted {
        report: correction.clone(),
        cycle,
        agency,
        items: report.items.clone(),
        corrects: Some(report.name.clone()),
    };
    step(report, facts, drafted)
}

/// One event, dated as a step after the report's last.
fn step(
    report: &Report,
    facts: &Facts,
    event: impl FnOnce(ReportId, CycleId, AgencyId) -> ReportEvent,
) -> Result<Vec<Proposed>, Rejection> {
    let on = facts.step_after(&report.name, report.last_step_on())?;
    Ok(vec![Proposed::on(on, event(report.name.clone(), report.cycle, report.agency.clone()))])
}
