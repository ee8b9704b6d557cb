//! What one agency has to do: the days it holds, in all tasks.

use std::collections::BTreeMap;

use crate::assignment::{Role, apply_edit};
use crate::event::{Event, Recorded};
use crate::name::{AgencyId, AssignmentId, TaskId};
use crate::time::{Date, Period};
use crate::timeline::Timeline;

/// An agency's assignments, in all tasks, each with the days it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duty {
    agency: AgencyId,
    /// The days that each assignment holds; none any more after it was released from its first day on.
    pub held: BTreeMap<AssignmentId, Timeline<Role>>,
}

impl Duty {
    /// Nothing to do yet.
    pub fn none(agency: AgencyId) -> Self {
        Self { agency, held: BTreeMap::new() }
    }

    /// The tasks that the agency leads on `day`, alone or with others, and as what.
    pub fn leads_on(&self, day: Date) -> BTreeMap<TaskId, Role> {
        let on_day = self.held.iter().filter_map(|(name, held)| Some((name.task(), *held.value_on(day)?)));
        on_day.filter(|(_, role)| role.leads()).map(|(task, role)| (task.clone(), role)).collect()
    }

    /// The assignments that have a day on or after `day`.
    pub fn open_from(&self, day: Date) -> Vec<AssignmentId> {
        let rest = Period::since(day);
        let open = self.held.iter().filter(|(_, held)| held.within(rest).next().is_some());
        open.map(|(name, _)| name.clone()).collect()
    }

    /// An event may edit the days of two agencies; it is filed under the duty of both, and each keeps its own.
    pub(crate) fn evolve(&mut self, recorded: &Recorded) {
        let Event::Assignment(event) = &recorded.event else { return };
        for edit in event.edits().iter().filter(|edit| *edit.agency == self.agency) {
            let held = self.held.entry(edit.assignment.clone()).or_default();
            apply_edit(held, edit, recorded.position);
        }
    }
}
