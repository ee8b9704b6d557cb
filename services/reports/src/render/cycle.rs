//! Cycles and obligations on the wire.

use duban_domain::Date;
use duban_domain::cycle::{Cycle, CycleStage, Obligation, ObligationState};
use duban_domain::world::etag;
use duban_proto::reports::v1 as pb;
use duban_rpc::values;

/// The cycle, with so many obligations opened so far. It is the same on all days from its opening on.
pub(crate) fn cycle(cycle: &Cycle, opened: u32) -> pb::Cycle {
    let Cycle { name, coordinator, due_on, holders_on, rule, opened_on: _, opened_at: _, stage } = cycle;
    let because = cycle.because();
    let (stage, obligation_count) = match stage {
        CycleStage::Opening => (pb::CycleStage::Opening, opened),
        CycleStage::Open { obligations, because: _ } => (pb::CycleStage::Open, *obligations),
    };
    pb::Cycle {
        name: name.to_string(),
        year: name.year().unsigned_abs().into(),
        due_on: due_on.to_string(),
        holders_on: holders_on.to_string(),
        rule: Some(values::rule(&(*rule).into())),
        coordinator: coordinator.to_string(),
        stage: stage.into(),
        obligation_count,
        etag: etag(because.last().copied().unwrap_or_default()),
        because,
    }
}

/// The obligation as it stands on a day. Which report answers it is said as it is known, whatever the day.
pub(crate) fn obligation(obligation: &Obligation, valid_on: Date) -> pb::Obligation {
    let Obligation {
        name,
        tasks,
        due_on,
        rule,
        states,
        last_step_on: _,
        report,
        correction: _,
        submission,
        because,
    } = obligation;
    let rule = values::rule(&(*rule).into());
    let submission = submission.as_ref().filter(|submission| submission.on <= valid_on);
    let standing = states.value_on(valid_on);
    let (state, waiver_reason, missed_by) = match standing {
        None => (pb::ObligationState::Unspecified, None, None),
        Some(ObligationState::Open) => (pb::ObligationState::Open, None, None),
        Some(ObligationState::Met { report: _ }) => (pb::ObligationState::Met, None, None),
        Some(ObligationState::Waived { reason }) => {
            let reason = reason.as_ref().map(ToString::to_string).unwrap_or_default();
            (pb::ObligationState::Waived, Some(reason), None)
        }
        Some(ObligationState::Missed) => (pb::ObligationState::Missed, None, Some(rule.clone())),
    };
    pb::Obligation {
        name: name.to_string(),
        cycle: name.cycle().to_string(),
        agency: name.agency().to_string(),
        tasks: tasks.iter().map(ToString::to_string).collect(),
        due_on: due_on.to_string(),
        state: state.into(),
        report: report.as_ref().map(ToString::to_string),
        first_submitted_on: submission.map(|submission| submission.on.to_string()),
        late: submission.is_some_and(|submission| submission.late),
        waiver_reason,
        missed_by,
        rule: Some(rule),
        etag: etag(because.last().copied().unwrap_or_default()),
        because: because.clone(),
    }
}
