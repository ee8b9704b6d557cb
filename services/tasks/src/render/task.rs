//! A task on the wire.

use duban_domain::task::{ClosureRequest, Stage, Task, Track};
use duban_domain::world::etag;
use duban_domain::{Date, Span};
use duban_proto::tasks::v1 as pb;
use duban_rpc::values;

/// The task as it is on `day`; `contested` is whether a reading it rests on no longer stands.
pub(crate) fn task(task: &Task, day: Date, contested: bool) -> pb::Task {
    let outline = &task.outline;
    let now = task.stages.on(day);
    let mut because = vec![task.proposed_at];
    because.extend(now.iter().flat_map(|span| span.because.iter().copied()));
    because.extend(task.verified.on(day).iter().flat_map(|span| span.because.iter().copied()));
    because
        .extend(task.self_assessed.values().filter_map(|said| said.on(day)).flat_map(|s| s.because.clone()));
    because.sort_unstable();
    because.dedup();
    let stage_on_day = now.map(|span| span.value);
    pb::Task {
        name: task.name.to_string(),
        title: outline.title.to_string(),
        label: outline.label.as_ref().map(ToString::to_string).unwrap_or_default(),
        document: outline.document.as_ref().map(ToString::to_string),
        clauses: outline.clauses.iter().map(ToString::to_string).collect(),
        source: outline.source.as_ref().map(values::source),
        stage: stage_on_day.map_or(pb::TaskStage::Unspecified, stage).into(),
        suspended_from: (stage_on_day == Some(Stage::Suspended)).then(|| stage(task.resumes_at()).into()),
        track: track(outline.track).into(),
        due_on: task.due.as_ref().and_then(|(due_on, _)| *due_on).map(|due_on| due_on.to_string()),
        rule: task.due.as_ref().map(|(_, rule)| values::rule(rule)),
        parent: outline.parent.as_ref().map(ToString::to_string),
        milestones: outline.milestones.iter().map(milestone).collect(),
        self_assessed: self_assessed(task, day),
        verified: task.verified.on(day).map(verification),
        closure_request: pending(task, day, stage_on_day).map(closure_request),
        completion: task.completion.as_ref().filter(|done| done.on <= day).map(|done| completion(done, day)),
        last_return: task.last_return.as_ref().filter(|back| back.on <= day).map(|back| pb::TaskReturn {
            reason: back.reason.as_ref().map(ToString::to_string).unwrap_or_default(),
            on: back.on.to_string(),
        }),
        readings: task.readings.iter().map(ToString::to_string).collect(),
        contested,
        etag: etag(task.last),
        because,
    }
}

/// The request for closure, while nobody has judged it: the task itself keeps the last one, whoever judged it.
fn pending(task: &Task, day: Date, stage_on_day: Option<Stage>) -> Option<&ClosureRequest> {
    let asked = task.closure_request.as_ref().filter(|asked| asked.on <= day);
    asked.filter(|_| stage_on_day == Some(Stage::ClosureRequested))
}

pub(crate) fn stage(stage: Stage) -> pb::TaskStage {
    match stage {
        Stage::Proposed => pb::TaskStage::Proposed,
        Stage::Registered => pb::TaskStage::Registered,
        Stage::Dispatched => pb::TaskStage::Dispatched,
        Stage::InProgress => pb::TaskStage::InProgress,
        Stage::ClosureRequested => pb::TaskStage::ClosureRequested,
        Stage::Completed => pb::TaskStage::Completed,
        Stage::StruckOff => pb::TaskStage::StruckOff,
        Stage::Archived => pb::TaskStage::Archived,
        Stage::Suspended => pb::TaskStage::Suspended,
        Stage::Withdrawn => pb::TaskStage::Withdrawn,
    }
}

fn track(track: Track) -> pb::TaskTrack {
    match track {
        Track::General => pb::TaskTrack::General,
        Track::Complex => pb::TaskTrack::Complex,
        Track::Annual => pb::TaskTrack::Annual,
        Track::Continuing => pb::TaskTrack::Continuing,
    }
}

fn milestone(milestone: &duban_domain::task::Milestone) -> pb::Milestone {
    pb::Milestone {
        year: milestone.year.try_into().unwrap_or_default(),
        statement: milestone.statement.to_string(),
    }
}

fn self_assessed(task: &Task, day: Date) -> Vec<pb::SelfAssessment> {
    let on_day = task.self_assessed.iter().filter_map(|(agency, said)| Some((agency, said.on(day)?)));
    let said = on_day.map(|(agency, span)| pb::SelfAssessment {
        level: values::level(span.value.level).into(),
        text: span.value.text.to_string(),
        agency: agency.to_string(),
        on: span.period.from.to_string(),
        evidence: values::evidence(&span.value.evidence),
    });
    said.collect()
}

fn verification(span: &Span<duban_domain::task::Verification>) -> pb::Verification {
    pb::Verification {
        level: values::level(span.value.assessment.level).into(),
        text: span.value.assessment.text.to_string(),
        agency: span.value.agency.as_ref().map(ToString::to_string),
        on: span.period.from.to_string(),
    }
}

fn closure_request(asked: &ClosureRequest) -> pb::ClosureRequest {
    pb::ClosureRequest {
        statement: asked.statement.to_string(),
        evidence: values::evidence(&asked.evidence),
        agency: asked.agency.to_string(),
        on: asked.on.to_string(),
    }
}

fn completion(done: &duban_domain::task::Completion, day: Date) -> pb::Completion {
    pb::Completion {
        judgement: done.judgement.to_string(),
        evidence: values::evidence(&done.evidence),
        on: done.on.to_string(),
        struck_off_on: done.struck_off_on.filter(|on| *on <= day).map(|on| on.to_string()),
    }
}
