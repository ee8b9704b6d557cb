//! The commands of an assignment.

use duban_domain::assignment::{AssignmentCommand, Role};
use duban_domain::name::{AssignmentId, TaskId};
use duban_log::Request;
use duban_proto::tasks::v1 as pb;
use duban_rpc::validate::{date, id, name, text};
use duban_rpc::{Call, Error, Field, Fields, gather};

use super::STATEMENT_MAX;

type Read = Result<(Request, AssignmentCommand), Error>;

/// A role of the wire.
pub(crate) fn role(role: pb::AssignmentRole) -> Option<Role> {
    match role {
        pb::AssignmentRole::Unspecified => None,
        pb::AssignmentRole::Lead => Some(Role::Lead),
        pb::AssignmentRole::CoLead => Some(Role::CoLead),
        pb::AssignmentRole::Responsible => Some(Role::Responsible),
        pb::AssignmentRole::Supporting => Some(Role::Supporting),
    }
}

/// The id of an assignment to be made under a task, which may itself be wrong: then that is said, once.
pub(super) fn under(task: &Field<TaskId>) -> impl Fn(&str) -> Option<AssignmentId> + '_ {
    move |id| match task {
        Ok(task) => AssignmentId::new(task.clone(), id),
        Err(_) => TaskId::from_id("a").and_then(|any| AssignmentId::new(any, id)),
    }
}

pub(crate) fn assign(call: &Call, request: pb::AssignAgencyRequest) -> Read {
    let pb::AssignAgencyRequest { context, task, assignment_id, agency, role: number, until, source } =
        request;
    call.command(context, |f| {
        let task = f.one("task", task, name);
        let assignment = f.maybe("assignment_id", assignment_id, id(under(&task)));
        gather!(AssignmentCommand::Assign {
            task: task,
            assignment: assignment,
            agency: f.one("agency", agency, name),
            role: f.choice("role", number, role),
            until: f.maybe("until", until, date),
            source: f.source("source", source),
        })
    })
}

pub(crate) fn acknowledge(call: &Call, request: pb::AcknowledgeAssignmentRequest) -> Read {
    let pb::AcknowledgeAssignmentRequest { context, assignment } = request;
    call.command(context, |f| {
        gather!(AssignmentCommand::Acknowledge { assignment: f.one("assignment", assignment, name) })
    })
}

pub(crate) fn contest(call: &Call, request: pb::ContestAssignmentRequest) -> Read {
    let pb::ContestAssignmentRequest { context, assignment, grounds } = request;
    call.command(context, |f| {
        gather!(AssignmentCommand::Contest {
            assignment: f.one("assignment", assignment, name),
            grounds: f.one("grounds", grounds, text(STATEMENT_MAX)),
        })
    })
}

pub(crate) fn uphold(call: &Call, request: pb::UpholdAssignmentRequest) -> Read {
    let pb::UpholdAssignmentRequest { context, assignment } = request;
    call.command(context, |f| {
        gather!(AssignmentCommand::Uphold { assignment: f.one("assignment", assignment, name) })
    })
}

pub(crate) fn reassign(call: &Call, request: pb::ReassignAssignmentRequest) -> Read {
    let pb::ReassignAssignmentRequest { context, assignment, agency, role: number, new_assignment_id } =
        request;
    call.command(context, |f| {
        let assignment = f.one("assignment", assignment, name::<AssignmentId>);
        let task =
            assignment.as_ref().map(|assignment| assignment.task().clone()).map_err(|invalid| *invalid);
        let successor = f.maybe("new_assignment_id", new_assignment_id, id(under(&task)));
        gather!(AssignmentCommand::Reassign {
            assignment: assignment,
            agency: f.one("agency", agency, name),
            role: f.maybe_choice("role", number, role),
            successor: successor,
        })
    })
}

pub(crate) fn release(call: &Call, request: pb::ReleaseAssignmentRequest) -> Read {
    let pb::ReleaseAssignmentRequest { context, assignment } = request;
    call.command(context, |f| {
        gather!(AssignmentCommand::Release { assignment: f.one("assignment", assignment, name) })
    })
}

pub(crate) fn reinterpret(call: &Call, request: pb::ReinterpretRoleRequest) -> Read {
    let pb::ReinterpretRoleRequest { context, assignment, role: number } = request;
    call.command(context, |f| {
        gather!(AssignmentCommand::ReinterpretRole {
            assignment: f.one("assignment", assignment, name),
            role: f.choice("role", number, role),
        })
    })
}

pub(crate) fn correct_boundary(call: &Call, request: pb::CorrectBoundaryRequest) -> Read {
    let pb::CorrectBoundaryRequest { context, earlier, later, on } = request;
    call.command(context, |f| {
        let named = earlier.is_some() || later.is_some();
        let named = f.check(named, "earlier", "name the period that ends there, or the one that begins");
        let earlier = f.maybe("earlier", earlier, name::<AssignmentId>);
        let later = f.maybe("later", later, name::<AssignmentId>);
        let date = f.one("on", on, date);
        let (earlier, later) = (earlier?, later?);
        if let (Some(earlier), Some(later)) = (&earlier, &later) {
            one_task(f, earlier, later)?;
        }
        named.and(Ok(AssignmentCommand::CorrectBoundary { earlier, later, date: date? }))
    })
}

fn one_task(f: &mut Fields, earlier: &AssignmentId, later: &AssignmentId) -> Field<()> {
    f.check(earlier != later, "later", "is the same assignment")?;
    f.check(earlier.task() == later.task(), "later", "is an assignment of another task")
}
