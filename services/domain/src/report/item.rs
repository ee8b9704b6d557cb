//! What a report says of each task, and what its receiver finds wrong; and how much of that there may be.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::cycle::Obligation;
use crate::name::{AgencyId, ReportId, TaskId};
use crate::rejection::{Reason, Rejection};
use crate::task::{Evidence, Level};
use crate::text::Text;
use crate::world::World;

/// The most items that one request may give. A report has one for each task of its obligation.
pub const ITEMS_MAX: usize = 100;
/// The most files of evidence of an item.
pub const EVIDENCE_MAX: usize = 20;
/// The most findings of a return.
pub const FINDINGS_MAX: usize = 100;
/// The most that the items of a report, or the findings of a return, may weigh together, in bytes of stored
/// JSON. With the longest context (a reason of 10,000 code points, at most 4 bytes each) an event's body
/// still fits [`crate::event::BODY_MAX`].
pub const WRITTEN_MAX: usize = 192 * 1024;

/// The most tasks that a refusal names: it travels in a header.
const NAMED_MAX: usize = 20;

/// What a report says of one task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Item {
    /// Of which.
    pub task: TaskId,
    /// 进展情况. Must be there when the report is endorsed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Text>,
    /// 自评. Must be there when the report is endorsed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub self_assessment: Option<Level>,
    /// 存在困难.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub difficulties: Option<Text>,
    /// 下一步举措.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_steps: Option<Text>,
    /// 佐证材料.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<Evidence>,
}

/// What is wrong with a report (退回意见).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// The task that it concerns; the report as a whole, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskId>,
    /// What is wrong, and what is asked for.
    pub text: Text,
}

impl Item {
    /// An item that says nothing yet.
    pub fn empty(task: TaskId) -> Self {
        Self {
            task,
            progress: None,
            self_assessment: None,
            difficulties: None,
            next_steps: None,
            evidence: Vec::new(),
        }
    }

    /// What `agency` last said of the task by itself, if it has.
    fn known(task: &TaskId, agency: &AgencyId, world: &World) -> Self {
        let said = world.find_task(task).and_then(|found| found.last_assessment(agency)).cloned();
        Self {
            progress: said.as_ref().map(|assessment| assessment.text.clone()),
            self_assessment: said.as_ref().map(|assessment| assessment.level),
            evidence: said.map(|assessment| assessment.evidence).unwrap_or_default(),
            ..Self::empty(task.clone())
        }
    }

    fn is_filled_in(&self) -> bool {
        self.progress.is_some() && self.self_assessment.is_some()
    }
}

/// That items given by a caller can be meant: not too many, one a task, each task one to report on.
pub(super) fn check(items: &[Item], report: &ReportId, obligation: &Obligation) -> Result<(), Rejection> {
    if items.len() > ITEMS_MAX {
        return Err(Rejection::field("items", format!("at most {ITEMS_MAX} items are allowed")));
    }
    let mut seen = BTreeSet::new();
    for (i, item) in items.iter().enumerate() {
        if !seen.insert(&item.task) {
            return Err(Rejection::field(
                &format!("items[{i}].task"),
                "an item for this task is there already",
            ));
        }
        if item.evidence.len() > EVIDENCE_MAX {
            let detail = format!("at most {EVIDENCE_MAX} files are allowed");
            return Err(Rejection::field(&format!("items[{i}].evidence"), detail));
        }
    }
    let foreign: Vec<&TaskId> = seen.into_iter().filter(|task| !obligation.tasks.contains(task)).collect();
    if !foreign.is_empty() {
        let detail = "there are items for tasks that this report need not answer for";
        return Err(incomplete(report, detail).with("foreign", named(&foreign)));
    }
    fits(items, report)
}

/// An item for each task of the obligation, in that order: as given, else as the log knows it. From the task
/// on at which the report would come to weigh too much, what the log knows is left out: there is always a draft.
pub(super) fn prefilled(given: &[Item], obligation: &Obligation, world: &World) -> Vec<Item> {
    let agency = obligation.name.agency();
    let start: Vec<Item> = obligation.tasks.iter().cloned().map(Item::empty).collect();
    let mut weight: usize = start.iter().chain(given).map(weight_of).sum();
    let mut items = revised(&start, given);
    for item in items.iter_mut().filter(|item| given.iter().all(|g| g.task != item.task)) {
        let known = Item::known(&item.task, &agency, world);
        weight += weight_of(&known);
        if weight <= WRITTEN_MAX {
            *item = known;
        }
    }
    items
}

/// The items after a revision: those given take the place of those of the same tasks, the others stay.
pub(super) fn revised(items: &[Item], given: &[Item]) -> Vec<Item> {
    items.iter().map(|item| given.iter().find(|new| new.task == item.task).unwrap_or(item).clone()).collect()
}

/// That every task of the obligation is answered for.
pub(super) fn complete(items: &[Item], report: &ReportId, obligation: &Obligation) -> Result<(), Rejection> {
    let filled = |task: &TaskId| items.iter().any(|item| item.task == *task && item.is_filled_in());
    let missing: Vec<&TaskId> = obligation.tasks.iter().filter(|task| !filled(task)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let detail = "there are tasks without progress in words, or without a self-assessment";
    Err(incomplete(report, detail).with("missing", named(&missing)))
}

/// That findings can be meant: some, not too many, each of the report or of a task it reports on.
pub(super) fn check_findings(
    findings: &[Finding],
    report: &ReportId,
    items: &[Item],
) -> Result<(), Rejection> {
    if findings.is_empty() || findings.len() > FINDINGS_MAX {
        return Err(Rejection::field("findings", format!("1 to {FINDINGS_MAX} findings are needed")));
    }
    for (i, finding) in findings.iter().enumerate() {
        if finding.task.as_ref().is_some_and(|task| items.iter().all(|item| item.task != *task)) {
            let field = format!("findings[{i}].task");
            return Err(Rejection::field(&field, "the report has no item for this task"));
        }
    }
    fits(findings, report)
}

/// That it isn't too long to be stored.
pub(super) fn fits<T: Serialize>(written: &[T], report: &ReportId) -> Result<(), Rejection> {
    let weight: usize = written.iter().map(weight_of).sum();
    if weight <= WRITTEN_MAX {
        return Ok(());
    }
    let detail = format!("what is written weighs {weight} bytes, at most {WRITTEN_MAX} are allowed");
    Err(Rejection::new(Reason::TooLarge, report, detail).with("bytes", weight).with("max", WRITTEN_MAX))
}

/// # Panics
/// Never: what is written here has text keys and no failing serialiser.
fn weight_of(written: &impl Serialize) -> usize {
    let json = serde_json::to_vec(written);
    json.unwrap_or_else(|error| unreachable!("what is written can be stored: {error}")).len() + ",".len()
}

fn incomplete(report: &ReportId, detail: &str) -> Rejection {
    Rejection::new(Reason::ReportIncomplete, report, detail)
}

fn named(tasks: &[&TaskId]) -> String {
    let first: Vec<String> = tasks.iter().take(NAMED_MAX).map(ToString::to_string).collect();
    let more = tasks.len().saturating_sub(NAMED_MAX);
    if more == 0 { first.join(", ") } else { format!("{} and {more} more", first.join(", ")) }
}
