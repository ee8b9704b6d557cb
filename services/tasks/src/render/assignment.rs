//! An assignment on the wire.

use duban_domain::Date;
use duban_domain::assignment::{Assignment, End, Role, Stage, Step};
use duban_domain::world::etag;
use duban_proto::tasks::v1 as pb;
use duban_rpc::values;

/// The assignment as it is on `day`; `contested` is whether a reading it rests on no longer stands.
pub(crate) fn assignment(assignment: &Assignment, day: Date, contested: bool) -> pb::Assignment {
    let successor = match &assignment.end {
        Some(End::Reassigned(party)) => Some(party.assignment.to_string()),
        Some(End::Released) | None => None,
    };
    let grounds = match &assignment.step {
        Step::Contested(grounds) => Some(grounds.to_string()),
        Step::Dispatched | Step::Active => None,
    };
    pb::Assignment {
        name: assignment.name.to_string(),
        task: assignment.name.task().to_string(),
        agency: assignment.agency.to_string(),
        role: assignment.role_near(day).map_or(pb::AssignmentRole::Unspecified, role).into(),
        stage: stage_of_assignment(assignment.stage_on(day)).into(),
        period: assignment.period().map(values::period),
        source: assignment.source.as_ref().map(values::source),
        acknowledged_on: assignment.acknowledged_on.map(|on| on.to_string()),
        grounds,
        predecessor: assignment.predecessor.as_ref().map(ToString::to_string),
        successor,
        readings: assignment.readings.iter().map(ToString::to_string).collect(),
        contested,
        etag: etag(assignment.last()),
        because: assignment.because.clone(),
    }
}

pub(crate) fn role(role: Role) -> pb::AssignmentRole {
    match role {
        Role::Lead => pb::AssignmentRole::Lead,
        Role::CoLead => pb::AssignmentRole::CoLead,
        Role::Responsible => pb::AssignmentRole::Responsible,
        Role::Supporting => pb::AssignmentRole::Supporting,
    }
}

pub(crate) fn stage_of_assignment(stage: Stage) -> pb::AssignmentStage {
    match stage {
        Stage::Dispatched => pb::AssignmentStage::Dispatched,
        Stage::Active => pb::AssignmentStage::Active,
        Stage::Contested => pb::AssignmentStage::Contested,
        Stage::Reassigned => pb::AssignmentStage::Reassigned,
        Stage::Released => pb::AssignmentStage::Released,
    }
}
