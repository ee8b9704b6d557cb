//! A date recorded wrongly: the boundary between two periods is moved, or one outer edge.

use super::decide::may_hold;
use super::{Assignment, AssignmentEvent, Party, RoleSpan};
use crate::command::{Facts, Proposed};
use crate::name::AssignmentId;
use crate::rejection::{Reason, Rejection};
use crate::task::Task;
use crate::time::{Date, Period};
use crate::world::World;

pub(super) fn correct_boundary(
    task: &Task,
    earlier: Option<&Assignment>,
    later: Option<&Assignment>,
    now: Date,
    world: &World,
    facts: &Facts,
) -> Result<Vec<Proposed>, Rejection> {
    task.takes_assignments()?;
    facts.reason()?;
    let was = boundary(task, earlier, later)?;
    if was == now {
        return Ok(vec![]);
    }
    let before_all = earlier.and_then(Assignment::period).is_some_and(|held| now <= held.from);
    let after_all =
        later.and_then(Assignment::period).and_then(|held| held.until).is_some_and(|end| end <= now);
    if before_all || after_all {
        let detail = format!("a boundary on {now} would leave one of the periods without a day");
        return Err(Rejection::new(Reason::BoundaryMismatch, &task.name, detail).with("boundary", was));
    }
    let (last, first) = (earlier.and_then(|a| a.held.last()), later.and_then(|a| a.held.spans().first()));
    let gaining = if now > was { earlier } else { later };
    let role = if now > was { last.or(first) } else { first.or(last) };
    let Some(role) = role.map(|span| span.value) else { return Ok(vec![]) };
    if let Some(gaining) = gaining {
        let period = Period::new(was.min(now), Some(was.max(now)));
        let moved: Vec<&AssignmentId> = [earlier, later].into_iter().flatten().map(|a| &a.name).collect();
        may_hold(task, &gaining.agency, &[RoleSpan { period, role }], &moved, world)?;
    }
    let mut supersedes: Vec<_> = last
        .and_then(|s| s.because.last())
        .into_iter()
        .chain(first.and_then(|s| s.because.first()))
        .copied()
        .collect();
    supersedes.sort_unstable();
    supersedes.dedup();
    let party = |a: &Assignment| Party { assignment: a.name.clone(), agency: a.agency.clone() };
    let (earlier, later) = (earlier.map(party), later.map(party));
    let event = AssignmentEvent::BoundaryCorrected { earlier, later, was, now, role, supersedes };
    Ok(vec![Proposed::on(now, event)])
}

/// Where the two periods meet, or where the one named ends or begins.
fn boundary(
    task: &Task,
    earlier: Option<&Assignment>,
    later: Option<&Assignment>,
) -> Result<Date, Rejection> {
    let end = earlier.map(|a| a.period().and_then(|held| held.until));
    let start = later.map(|a| a.period().map(|held| held.from));
    let met = match (end, start) {
        (Some(end), Some(start)) if end == start => end,
        (Some(end), None) => end,
        (None, Some(start)) => start,
        _ => None,
    };
    met.ok_or_else(|| {
        let detail = "the two periods don't meet, or there is no such edge";
        Rejection::new(Reason::BoundaryMismatch, &task.name, detail)
    })
}
