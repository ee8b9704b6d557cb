//! A report on the wire.

use duban_domain::Date;
use duban_domain::report::{Finding, Item, Report, Stage, Step};
use duban_domain::world::etag;
use duban_proto::call::v1::ProgressLevel;
use duban_proto::reports::v1 as pb;
use duban_rpc::values;

/// The report with the steps that it had gone through on a day; what it says is said as it is known.
pub(crate) fn report(report: &Report, valid_on: Date) -> pb::Report {
    let Report {
        name,
        cycle,
        agency,
        items,
        items_at: _,
        stage: _,
        round: _,
        late,
        returned,
        corrects,
        superseded_by,
        steps,
    } = report;
    // Steps are dated in order.
    let steps = &steps[..steps.partition_point(|step| step.on <= valid_on)];
    let stands = steps.last().map(|step| step.stage);
    let submissions = steps.iter().filter(|step| step.stage == Stage::Submitted).count();
    let returned = returned.as_ref().filter(|returned| steps.iter().any(|step| step.at == returned.at));
    let superseded_by = superseded_by.as_ref().filter(|_| stands == Some(Stage::Superseded));
    let on = |step: Option<&Step>| step.map(|step| step.on.to_string());
    pb::Report {
        name: name.to_string(),
        cycle: cycle.to_string(),
        agency: agency.to_string(),
        obligation: report.obligation().to_string(),
        stage: stands.map_or(pb::ReportStage::Unspecified, stage).into(),
        items: items.iter().map(item).collect(),
        late: *late && submissions > 0,
        round: u32::try_from(submissions).unwrap_or(u32::MAX),
        corrects: corrects.as_ref().map(ToString::to_string),
        superseded_by: superseded_by.map(ToString::to_string),
        findings: returned.iter().flat_map(|returned| &returned.findings).map(finding).collect(),
        return_reason: returned.and_then(|returned| returned.reason.as_ref()).map(ToString::to_string),
        drafted_on: report.steps.first().map(|step| step.on.to_string()).unwrap_or_default(),
        endorsed_on: on(standing(steps, Stage::Endorsed, Stage::Draft)),
        submitted_on: on(standing(steps, Stage::Submitted, Stage::Draft)),
        received_on: on(standing(steps, Stage::Received, Stage::Submitted)),
        accepted_on: on(standing(steps, Stage::Accepted, Stage::Submitted)),
        returned_on: on(last(steps, Stage::Returned)),
        etag: etag(report.steps.last().map(|step| step.at).unwrap_or_default()),
        because: report.because(),
    }
}

fn last(steps: &[Step], stage: Stage) -> Option<&Step> {
    steps.iter().rev().find(|step| step.stage == stage)
}

/// The last step to `stage` that neither a revision nor a later step to `start` has undone since.
fn standing(steps: &[Step], stage: Stage, start: Stage) -> Option<&Step> {
    let began = last(steps, start)?.at.max(last(steps, Stage::Draft)?.at);
    last(steps, stage).filter(|step| step.at > began)
}

fn item(item: &Item) -> pb::ReportItem {
    let Item { task, progress, self_assessment, difficulties, next_steps, evidence } = item;
    let words = |text: &Option<_>| text.as_ref().map(ToString::to_string).unwrap_or_default();
    pb::ReportItem {
        task: task.to_string(),
        progress: words(progress),
        self_assessment: self_assessment.map_or(ProgressLevel::Unspecified, values::level).into(),
        difficulties: words(difficulties),
        next_steps: words(next_steps),
        evidence: values::evidence(evidence),
    }
}

fn finding(finding: &Finding) -> pb::Finding {
    let Finding { task, text } = finding;
    pb::Finding { task: task.as_ref().map(ToString::to_string), text: text.to_string() }
}

fn stage(stage: Stage) -> pb::ReportStage {
    match stage {
        Stage::Draft => pb::ReportStage::Draft,
        Stage::Endorsed => pb::ReportStage::Endorsed,
        Stage::Submitted => pb::ReportStage::Submitted,
        Stage::Received => pb::ReportStage::Received,
        Stage::Accepted => pb::ReportStage::Accepted,
        Stage::Returned => pb::ReportStage::Returned,
        Stage::Superseded => pb::ReportStage::Superseded,
    }
}
