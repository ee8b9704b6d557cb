//! Commands as the tests send them most, and the small scene that most of them play in.

use std::sync::atomic::{AtomicU64, Ordering};

use duban_proto::agencies::v1 as agencies;
use duban_proto::call::v1 as call;
use duban_proto::tasks::v1 as tasks;
use uuid::Uuid;

use super::Office;

/// The context of a new command, asked for once.
pub fn context() -> call::CommandContext {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let id = Uuid::new_v5(&Uuid::NAMESPACE_OID, &NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    call::CommandContext { request_id: id.to_string(), ..Default::default() }
}

/// The same, to hold from `day` on.
pub fn from(day: &str) -> call::CommandContext {
    call::CommandContext { effective_on: Some(day.to_owned()), ..context() }
}

/// With a reason, effective from a day on.
pub fn because_from(reason: &str, day: &str) -> call::CommandContext {
    call::CommandContext { effective_on: Some(day.to_owned()), ..because(reason) }
}

/// The same, with a reason.
pub fn because(reason: &str) -> call::CommandContext {
    call::CommandContext { reason: reason.to_owned(), ..context() }
}

/// `agencies/{id}`.
pub fn agency(id: &str) -> String {
    format!("agencies/{id}")
}

/// `tasks/{id}`.
pub fn task(id: &str) -> String {
    format!("tasks/{id}")
}

/// `tasks/{task}/assignments/{id}`.
pub fn assignment(task: &str, id: &str) -> String {
    format!("tasks/{task}/assignments/{id}")
}

/// As of a day in the world.
pub fn valid_on(day: &str) -> Option<call::AsOf> {
    Some(call::AsOf { valid_on: Some(day.to_owned()), known: None })
}

/// As of a day in the world, as the log knew it at a position.
pub fn valid_on_known_at(day: &str, position: u64) -> Option<call::AsOf> {
    Some(call::AsOf { valid_on: Some(day.to_owned()), known: Some(call::as_of::Known::Position(position)) })
}

impl Office {
    /// Registers agencies that are active since 2020, each under its id.
    pub async fn register_agencies(&self, ids: &[&str]) {
        for id in ids {
            let request = agencies::RegisterAgencyRequest {
                context: Some(from("2020-01-01")),
                agency_id: Some((*id).to_owned()),
                full_name: format!("机构{id}"),
                kind: agencies::AgencyKind::ConstituentDepartment.into(),
                ..Default::default()
            };
            self.supervisor().agencies().register_agency(request).await.expect("it is registered");
        }
    }

    /// Proposes, registers and dispatches a task, all from `day` on; the first agency leads.
    pub async fn dispatch(&self, id: &str, day: &str, agencies: &[&str]) {
        let mut client = self.supervisor().tasks();
        let propose = tasks::ProposeTaskRequest {
            context: Some(from(day)),
            task_id: Some(id.to_owned()),
            title: format!("任务{id}"),
            track: tasks::TaskTrack::Continuing.into(),
            ..Default::default()
        };
        client.propose_task(propose).await.expect("it is proposed");
        let register = tasks::RegisterTaskRequest { context: Some(from(day)), task: task(id) };
        client.register_task(register).await.expect("it is registered");
        let role = |first| if first { tasks::AssignmentRole::Lead } else { tasks::AssignmentRole::CoLead };
        let new = |(index, name): (usize, &&str)| tasks::NewAssignment {
            assignment_id: Some((*name).to_owned()),
            agency: agency(name),
            role: role(index == 0).into(),
            source: None,
        };
        let assignments = agencies.iter().enumerate().map(new).collect();
        let dispatch = tasks::DispatchTaskRequest { context: Some(from(day)), task: task(id), assignments };
        client.dispatch_task(dispatch).await.expect("it is dispatched");
    }

    /// The agency takes its part in a task.
    pub async fn acknowledge(&self, task: &str, id: &str) {
        let request = tasks::AcknowledgeAssignmentRequest {
            context: Some(context()),
            assignment: assignment(task, id),
        };
        self.agency(id).assignments().acknowledge_assignment(request).await.expect("it is taken");
    }

    /// Hands the rest of an assignment's period to another agency, from `day` on; the position after it.
    pub async fn reassign(&self, task: &str, id: &str, to: &str, day: &str) -> u64 {
        let request = tasks::ReassignAssignmentRequest {
            context: Some(from(day)),
            assignment: assignment(task, id),
            agency: agency(to),
            role: None,
            new_assignment_id: Some(format!("{id}-{to}")),
        };
        let reply =
            self.supervisor().assignments().reassign_assignment(request).await.expect("it is reassigned");
        reply.into_inner().receipt.expect("a receipt").last_position
    }

    /// Who answers for a task, as (agency id, role), on a day as known at a position.
    pub async fn who(&self, id: &str, as_of: Option<call::AsOf>) -> Vec<(String, tasks::AssignmentRole)> {
        let request = tasks::GetTaskResponsibilityRequest { task: task(id), as_of, consistency: None };
        let reply =
            self.auditor().responsibility().get_task_responsibility(request).await.expect("an answer");
        let rows = reply.into_inner().responsibilities;
        rows.iter().map(|row| (row.agency.trim_start_matches("agencies/").to_owned(), row.role())).collect()
    }
}
