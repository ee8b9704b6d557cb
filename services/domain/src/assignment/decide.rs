//! What may be done with an assignment, by whom, and what follows.

use serde::Serialize;

use super::boundary::correct_boundary;
use super::{Assignment, AssignmentEvent, Party, Role, RoleSpan, Source, Stage, Step, name_under};
use crate::Position;
use crate::command::{Command, Facts, Proposed, Seed};
use crate::name::{AgencyId, AssignmentId, TaskId};
use crate::rejection::{Reason, Rejection};
use crate::subject::Subject;
use crate::task::{Task, TaskEvent};
use crate::text::Text;
use crate::time::{Date, Period};
use crate::timeline::Span;
use crate::world::World;

/// What a caller may ask for. Dispatching a task's first assignments is the task's command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum AssignmentCommand {
    /// 增派: one more agency, from the effective date on.
    Assign {
        /// On which task.
        task: TaskId,
        /// Its name, if the caller chooses it.
        assignment: Option<AssignmentId>,
        /// Whose it shall be.
        agency: AgencyId,
        /// In which role.
        role: Role,
        /// The first day on which it no longer holds.
        until: Option<Date>,
        /// Where it stands written.
        source: Option<Source>,
    },
    /// 签收, by the agency itself.
    Acknowledge {
        /// Which.
        assignment: AssignmentId,
    },
    /// 退办, by the agency itself.
    Contest {
        /// Which.
        assignment: AssignmentId,
        /// Why it is not the one to answer.
        grounds: Text,
    },
    /// 维持, after it was contested.
    Uphold {
        /// Which.
        assignment: AssignmentId,
    },
    /// 改派: the rest of its period goes to another agency, from the effective date on.
    Reassign {
        /// Which.
        assignment: AssignmentId,
        /// To whom.
        agency: AgencyId,
        /// In which role; as it was, if absent.
        role: Option<Role>,
        /// The name of the successor's assignment, if the caller chooses it.
        successor: Option<AssignmentId>,
    },
    /// 解除, from the effective date on.
    Release {
        /// Which.
        assignment: AssignmentId,
    },
    /// The role is read otherwise, from the effective date on.
    ReinterpretRole {
        /// Which.
        assignment: AssignmentId,
        /// As what.
        role: Role,
    },
    /// A date was recorded wrongly: the boundary between two periods is moved to `date`.
    CorrectBoundary {
        /// The one whose period ends there.
        earlier: Option<AssignmentId>,
        /// The one whose period begins there.
        later: Option<AssignmentId>,
        /// Where it should stand.
        date: Date,
    },
}

impl AssignmentCommand {
    /// # Panics
    /// If a boundary without a side was made: `convert` refuses it before.
    fn task(&self) -> &TaskId {
        match self {
            Self::Assign { task, .. } => task,
            Self::Acknowledge { assignment }
            | Self::Contest { assignment, .. }
            | Self::Uphold { assignment }
            | Self::Reassign { assignment, .. }
            | Self::Release { assignment }
            | Self::ReinterpretRole { assignment, .. } => assignment.task(),
            Self::CorrectBoundary { earlier, later, .. } => {
                let side = earlier.as_ref().or(later.as_ref());
                side.map_or_else(|| unreachable!("a boundary has a side"), AssignmentId::task)
            }
        }
    }

    /// The assignment that the reply shows: the new one where one is made.
    pub fn shown(&self) -> Option<&AssignmentId> {
        match self {
            Self::Assign { assignment, .. } => assignment.as_ref(),
            Self::Acknowledge { assignment }
            | Self::Contest { assignment, .. }
            | Self::Uphold { assignment }
            | Self::Release { assignment }
            | Self::ReinterpretRole { assignment, .. } => Some(assignment),
            Self::Reassign { successor, .. } => successor.as_ref(),
            Self::CorrectBoundary { earlier, later, .. } => later.as_ref().or(earlier.as_ref()),
        }
    }
}

impl Command for AssignmentCommand {
    fn complete(&mut self, seed: &Seed) {
        match self {
            Self::Assign { task, assignment, .. } if assignment.is_none() => {
                *assignment = name_under(task, &seed.id("assignment"));
            }
            Self::Reassign { assignment, successor, .. } if successor.is_none() => {
                *successor = name_under(assignment.task(), &seed.id("successor"));
            }
            Self::Assign { .. }
            | Self::Reassign { .. }
            | Self::Acknowledge { .. }
            | Self::Contest { .. }
            | Self::Uphold { .. }
            | Self::Release { .. }
            | Self::ReinterpretRole { .. }
            | Self::CorrectBoundary { .. } => {}
        }
    }

    fn subject(&self) -> Subject {
        Subject::Task(self.task().clone())
    }

    /// The last event of the assignment meant; for a new one, of the task itself.
    fn seen(&self, world: &World) -> Position {
        let Some(task) = world.find_task(self.task()) else { return 0 };
        let meant = match self {
            Self::Assign { .. } => return task.last,
            Self::Reassign { assignment, .. } => Some(assignment),
            Self::Acknowledge { .. }
            | Self::Contest { .. }
            | Self::Uphold { .. }
            | Self::Release { .. }
            | Self::ReinterpretRole { .. }
            | Self::CorrectBoundary { .. } => self.shown(),
        };
        let assignment = meant.and_then(|name| task.assignments.get(name));
        assignment.map_or(0, Assignment::last)
    }

    fn reads(&self, known: &World) -> Vec<Subject> {
        let agency = match self {
            Self::Assign { agency, .. } | Self::Reassign { agency, .. } => vec![agency.clone()],
            // Whoever gains days must be active on them, and who that is the task tells.
            Self::CorrectBoundary { earlier, later, .. } if known.watches(&self.subject()) => {
                let task = known.find_task(self.task());
                let sides = [earlier, later].into_iter().flatten();
                sides.filter_map(|side| Some(task?.assignments.get(side)?.agency.clone())).collect()
            }
            Self::CorrectBoundary { .. }
            | Self::Acknowledge { .. }
            | Self::Contest { .. }
            | Self::Uphold { .. }
            | Self::Release { .. }
            | Self::ReinterpretRole { .. } => vec![],
        };
        agency.into_iter().map(Subject::Agency).chain([self.subject()]).collect()
    }

    fn decide(&self, world: &World, facts: &Facts) -> Result<Vec<Proposed>, Rejection> {
        match self {
            Self::Assign { task, assignment, agency, role, until, source } => {
                let period = Period::new(facts.effective_on(), *until);
                let task = world.task(task)?;
                let Some(assignment) = assignment else { return Ok(vec![]) };
                let new = NewAssignment { assignment, agency, role: *role, source: source.as_ref() };
                assign(task, &new, period, world, facts)
            }
            Self::Acknowledge { assignment } => acknowledge(world.assignment(assignment)?, facts),
            Self::Contest { assignment, grounds } => contest(world.assignment(assignment)?, grounds, facts),
            Self::Uphold { assignment } => uphold(world.assignment(assignment)?, facts),
            Self::Reassign { assignment, agency, role, successor } => {
                let Some(successor) = successor else { return Ok(vec![]) };
                let successor = Party { assignment: successor.clone(), agency: agency.clone() };
                reassign(world.assignment(assignment)?, successor, *role, world, facts)
            }
            Self::Release { assignment } => release(world.assignment(assignment)?, facts),
            Self::ReinterpretRole { assignment, role } => {
                reinterpret(world.assignment(assignment)?, *role, facts)
            }
            Self::CorrectBoundary { earlier, later, date } => {
                let find = |side: &Option<AssignmentId>| match side {
                    Some(name) if name.task() != self.task() => {
                        Err(Rejection::field("later", "is an assignment of another task"))
                    }
                    Some(name) => world.assignment(name).map(|(_, found)| Some(found)),
                    None => Ok(None),
                };
                let (earlier, later) = (find(earlier)?, find(later)?);
                correct_boundary(world.task(self.task())?, earlier, later, *date, world, facts)
            }
        }
    }
}

/// An assignment to be made.
pub(crate) struct NewAssignment<'a> {
    pub(crate) assignment: &'a AssignmentId,
    pub(crate) agency: &'a AgencyId,
    pub(crate) role: Role,
    pub(crate) source: Option<&'a Source>,
}

fn assign(
    task: &Task,
    new: &NewAssignment<'_>,
    period: Period,
    world: &World,
    facts: &Facts,
) -> Result<Vec<Proposed>, Rejection> {
    task.takes_assignments()?;
    if period.is_empty() {
        return Err(Rejection::field("until", "must be after the effective date"));
    }
    // An assignment to a date before the task was dispatched would answer for a task that was not there.
    if let Some(dispatched) = task.dispatched_on.filter(|on| period.from < *on) {
        let detail = format!("the task was dispatched on {dispatched}; nobody answers for it before");
        return Err(
            Rejection::new(Reason::StepBeforeLast, new.assignment, detail).with("last_step_on", dispatched)
        );
    }
    Ok(vec![facts.propose(dispatched(task, new, period, world)?)])
}

/// The event that makes `new`, once nothing stands in its way.
pub(crate) fn dispatched(
    task: &Task,
    new: &NewAssignment<'_>,
    period: Period,
    world: &World,
) -> Result<AssignmentEvent, Rejection> {
    is_free(task, new.assignment)?;
    may_hold(task, new.agency, &[RoleSpan { period, role: new.role }], &[], world)?;
    Ok(AssignmentEvent::Dispatched {
        assignment: new.assignment.clone(),
        agency: new.agency.clone(),
        role: new.role,
        period,
        source: new.source.cloned(),
    })
}

fn is_free(task: &Task, name: &AssignmentId) -> Result<(), Rejection> {
    if task.assignments.contains_key(name) {
        return Err(Rejection::new(Reason::AssignmentExists, name, "the name is taken"));
    }
    Ok(())
}

/// Whether `agency` may hold these days in these roles: it is active on them, has no other role on the task
/// (invariant 2), and nobody else leads where it would. The days of `but` don't count: they are being moved.
pub(super) fn may_hold(
    task: &Task,
    agency: &AgencyId,
    roles: &[RoleSpan],
    but: &[&AssignmentId],
    world: &World,
) -> Result<(), Rejection> {
    let active = world.agency(agency)?;
    for RoleSpan { period, role } in roles {
        active.active_over(*period)?;
        for other in task.assignments.values().filter(|other| !but.contains(&&other.name)) {
            for span in other.held.within(*period) {
                let reason = if other.agency == *agency {
                    Reason::AgencyAlreadyAssigned
                } else if *role == Role::Lead && span.value == Role::Lead {
                    Reason::LeadTaken
                } else {
                    continue;
                };
                let detail = format!("{} is {} on {}", other.agency, span.value, span.period);
                return Err(Rejection::new(reason, &task.name, detail)
                    .with("assignment", &other.name)
                    .with("period", span.period));
            }
        }
    }
    Ok(())
}

type Found<'a> = (&'a Task, &'a Assignment);

fn is_the_callers(assignment: &Assignment, facts: &Facts) -> Result<(), Rejection> {
    if facts.caller.acts_for(&assignment.agency) {
        return Ok(());
    }
    Err(Rejection::new(Reason::NotYours, &assignment.name, "only the assigned agency may"))
}

/// The date of a step of `assignment` that only makes sense while it still has days.
fn step(task: &Task, assignment: &Assignment, facts: &Facts) -> Result<Date, Rejection> {
    task.takes_assignments()?;
    let on = facts.step_after(&assignment.name, assignment.last_step_on)?;
    let over = assignment.period().is_none_or(|held| held.until.is_some_and(|until| until <= on));
    if over {
        let stage = assignment.stage_on(on);
        let detail = format!("its days are over: {stage}");
        return Err(Rejection::new(Reason::AssignmentStage, &assignment.name, detail).with("stage", stage));
    }
    Ok(on)
}

fn acknowledge((task, assignment): Found<'_>, facts: &Facts) -> Result<Vec<Proposed>, Rejection> {
    is_the_callers(assignment, facts)?;
    // Acknowledging what is acknowledged changes nothing, so nothing is recorded.
    if assignment.step == Step::Active {
        return Ok(vec![]);
    }
    let on = step(task, assignment, facts)?;
    let (name, agency) = (assignment.name.clone(), assignment.agency.clone());
    let mut events = vec![Proposed::on(on, AssignmentEvent::Acknowledged { assignment: name, agency })];
    // The first to take it sets the task going.
    if task.awaits_start() {
        let started = TaskEvent::Started { task: task.name.clone() };
        events.push(Proposed::on(on.max(task.last_step_on), started));
    }
    Ok(events)
}

fn contest((task, assignment): Found<'_>, grounds: &Text, facts: &Facts) -> Result<Vec<Proposed>, Rejection> {
    is_the_callers(assignment, facts)?;
    if assignment.step == Step::Contested(grounds.clone()) {
        return Ok(vec![]);
    }
    let on = step(task, assignment, facts)?;
    let (name, agency) = (assignment.name.clone(), assignment.agency.clone());
    let contested = AssignmentEvent::Contested { assignment: name, agency, grounds: grounds.clone() };
    Ok(vec![Proposed::on(on, contested)])
}

fn uphold((task, assignment): Found<'_>, facts: &Facts) -> Result<Vec<Proposed>, Rejection> {
    let on = step(task, assignment, facts)?;
    if !matches!(assignment.step, Step::Contested(_)) {
        let detail = "nobody contests it";
        return Err(Rejection::new(Reason::AssignmentStage, &assignment.name, detail)
            .with("stage", assignment.stage_on(on)));
    }
    let (name, agency) = (assignment.name.clone(), assignment.agency.clone());
    let stage = if assignment.acknowledged_on.is_some() { Stage::Active } else { Stage::Dispatched };
    Ok(vec![Proposed::on(on, AssignmentEvent::Upheld { assignment: name, agency, stage })])
}

/// The rest of the period from the effective date on: it ends where that period ended.
fn rest(assignment: &Assignment, facts: &Facts) -> Result<Period, Rejection> {
    let from = facts.effective_on();
    match assignment.period() {
        Some(held) if held.contains(from) => Ok(Period::new(from, held.until)),
        held => {
            let held = held.map_or_else(|| "no day".to_owned(), |held| held.to_string());
            let detail = format!("{from} is not in its period, {held}");
            Err(Rejection::new(Reason::OutsidePeriod, &assignment.name, detail).with("period", held))
        }
    }
}

fn reassign(
    (task, assignment): Found<'_>,
    successor: Party,
    role: Option<Role>,
    world: &World,
    facts: &Facts,
) -> Result<Vec<Proposed>, Rejection> {
    task.takes_assignments()?;
    is_free(task, &successor.assignment)?;
    if successor.agency == assignment.agency {
        return Err(Rejection::field("agency", "is the agency that has it"));
    }
    let period = rest(assignment, facts)?;
    let roles: Vec<RoleSpan> = if let Some(role) = role {
        vec![RoleSpan { period, role }]
    } else {
        let cut =
            |span: &Span<Role>| Some(RoleSpan { period: span.period.intersect(&period)?, role: span.value });
        assignment.held.within(period).filter_map(cut).collect()
    };
    may_hold(task, &successor.agency, &roles, &[&assignment.name], world)?;
    let (name, agency) = (assignment.name.clone(), assignment.agency.clone());
    let event = AssignmentEvent::Reassigned { assignment: name, agency, period, successor, roles };
    Ok(vec![facts.propose(event)])
}

fn release((_, assignment): Found<'_>, facts: &Facts) -> Result<Vec<Proposed>, Rejection> {
    let period = rest(assignment, facts)?;
    let (name, agency) = (assignment.name.clone(), assignment.agency.clone());
    Ok(vec![facts.propose(AssignmentEvent::Released { assignment: name, agency, period })])
}

fn reinterpret((task, assignment): Found<'_>, role: Role, facts: &Facts) -> Result<Vec<Proposed>, Rejection> {
    task.takes_assignments()?;
    let period = rest(assignment, facts)?;
    if assignment.held.within(period).all(|span| span.value == role) {
        return Ok(vec![]);
    }
    if role == Role::Lead {
        leads_alone(task, assignment, period)?;
    }
    let (name, agency) = (assignment.name.clone(), assignment.agency.clone());
    Ok(vec![facts.propose(AssignmentEvent::RoleReinterpreted { assignment: name, agency, role, period })])
}

fn leads_alone(task: &Task, assignment: &Assignment, period: Period) -> Result<(), Rejection> {
    let others = task.assignments.values().filter(|other| other.name != assignment.name);
    for other in others {
        if let Some(span) = other.held.within(period).find(|span| span.value == Role::Lead) {
            let detail = format!("{} is LEAD on {}", other.agency, span.period);
            return Err(Rejection::new(Reason::LeadTaken, &task.name, detail)
                .with("assignment", &other.name)
                .with("period", span.period));
        }
    }
    Ok(())
}
