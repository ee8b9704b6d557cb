//! Who stands above whom (上级机构): never oneself, on any day.

use std::collections::BTreeSet;

use crate::name::AgencyId;
use crate::rejection::{Reason, Rejection};
use crate::subject::Subject;
use crate::time::Period;
use crate::world::World;

/// The most levels above an agency; the state has five, from the centre to the township.
pub const HIERARCHY_MAX: usize = 16;

/// `start` and whatever stands above it on any day, as far as `known` tells, up to [`HIERARCHY_MAX`] levels.
pub(super) fn upwards(known: &World, start: &AgencyId) -> Vec<Subject> {
    let mut seen = BTreeSet::new();
    let mut level = BTreeSet::from([start.clone()]);
    for _ in 0..HIERARCHY_MAX {
        let known_of = |id: &AgencyId| {
            known.watches(&Subject::Agency(id.clone())).then(|| known.find_agency(id)).flatten()
        };
        let spans = level.iter().filter_map(known_of).flat_map(|agency| agency.superior.spans());
        let above: BTreeSet<AgencyId> = spans.filter_map(|span| span.value.clone()).collect();
        seen.append(&mut level);
        level = above.difference(&seen).cloned().collect();
    }
    seen.into_iter().map(Subject::Agency).collect()
}

/// That `superior` exists, and that `agency` is not found above it on any of `days`.
pub(super) fn not_under_itself(
    agency: &AgencyId,
    superior: &AgencyId,
    days: Period,
    world: &World,
    level: usize,
) -> Result<(), Rejection> {
    if superior == agency {
        let detail = format!("would stand under itself over {days}");
        return Err(Rejection::new(Reason::HierarchyCycle, agency, detail).with("days", days));
    }
    if level > HIERARCHY_MAX {
        let detail = format!("would have more than {HIERARCHY_MAX} levels above it over {days}");
        return Err(Rejection::new(Reason::HierarchyTooDeep, agency, detail).with("days", days));
    }
    for span in world.agency(superior)?.superior.within(days) {
        if let (Some(above), Some(both)) = (&span.value, span.period.intersect(&days)) {
            not_under_itself(agency, above, both, world, level + 1)?;
        }
    }
    Ok(())
}
