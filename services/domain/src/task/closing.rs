//! How a task is closed: asked for, completed, struck off, by three different principals, the last two of no
//! agency that had a part in it (谁验收、谁负责).

use super::{Evidence, Stage, Task, TaskEvent};
use crate::caller::PrincipalId;
use crate::command::{Facts, Proposed};
use crate::rejection::{Reason, Rejection};
use crate::text::Text;

pub(super) fn request_closure(
    task: &Task,
    statement: &Text,
    evidence: &[Evidence],
    facts: &Facts,
) -> Result<Vec<Proposed>, Rejection> {
    let agency = task.taken_by_caller(facts.effective_on(), facts)?;
    let event = TaskEvent::ClosureRequested {
        task: task.name.clone(),
        agency: agency.clone(),
        statement: statement.clone(),
        evidence: evidence.to_vec(),
    };
    task.step_from(&[Stage::InProgress], event, facts)
}

pub(super) fn complete(
    task: &Task,
    judgement: &Text,
    evidence: &[Evidence],
    facts: &Facts,
) -> Result<Vec<Proposed>, Rejection> {
    task.no_party(facts)?;
    task.is_at(&[Stage::ClosureRequested])?;
    another_than(task, task.closure_request.as_ref().map(|asked| &asked.by), "asked for closure", facts)?;
    let (judgement, evidence) = (judgement.clone(), evidence.to_vec());
    let event = TaskEvent::Completed { task: task.name.clone(), judgement, evidence };
    task.step_from(&[Stage::ClosureRequested], event, facts)
}

/// Completed is not struck off: requesting closure, completing and striking off are three different
/// principals (invariant 8).
pub(super) fn strike_off(task: &Task, facts: &Facts) -> Result<Vec<Proposed>, Rejection> {
    task.no_party(facts)?;
    if task.stage == Stage::Completed {
        another_than(task, task.completion.as_ref().map(|done| &done.by), "completed it", facts)?;
        another_than(task, task.closure_request.as_ref().map(|asked| &asked.by), "asked for closure", facts)?;
    }
    task.step(Stage::StruckOff, &[Stage::Completed], TaskEvent::StruckOff { task: task.name.clone() }, facts)
}

fn another_than(
    task: &Task,
    principal: Option<&PrincipalId>,
    did: &str,
    facts: &Facts,
) -> Result<(), Rejection> {
    if principal == Some(&facts.caller.principal) {
        let detail = format!("you {did}; this is for another");
        return Err(Rejection::new(Reason::SeparationOfDuty, &task.name, detail));
    }
    Ok(())
}
