//! Who bears a full name or a credit code, day by day: one agency at most.

use super::{AgencyEvent, Change};
use crate::Position;
use crate::event::{Event, Recorded};
use crate::name::AgencyId;
use crate::subject::Subject;
use crate::time::{Date, Period};
use crate::timeline::Timeline;

/// That a name or code is borne or no longer borne, from the effective day on.
pub(super) struct Bearing {
    /// The name or the code.
    pub(super) of: Subject,
    until: Option<Date>,
    borne: bool,
}

/// The names and codes that `event` gives and takes.
pub(super) fn given_and_taken(event: &AgencyEvent) -> Vec<Bearing> {
    let name = |name: &crate::text::Line| Subject::AgencyName(name.as_str().to_owned());
    let code = |code: &super::CreditCode| Subject::AgencyCode(code.as_str().to_owned());
    let given = |of, until| Bearing { of, until, borne: true };
    let taken = |of, until| Bearing { of, until, borne: false };
    match event {
        AgencyEvent::Registered { full_name, credit_code, .. } => {
            let code = credit_code.iter().map(|given_code| given(code(given_code), None));
            std::iter::once(given(name(full_name), None)).chain(code).collect()
        }
        AgencyEvent::Renamed { agency: _, full_name, former, until } => {
            vec![taken(name(former), *until), given(name(full_name), *until)]
        }
        AgencyEvent::Amended { agency: _, changes } => {
            let codes = changes.iter().filter_map(|change| match change {
                Change::CreditCode(codes) => Some(codes),
                Change::Kind(_) | Change::DivisionCode(_) | Change::Superior(_) => None,
            });
            let each = codes.flat_map(|codes| {
                let from = codes.from.iter().map(|from| taken(code(from), codes.until));
                from.chain(codes.to.iter().map(|to| given(code(to), codes.until)))
            });
            each.collect()
        }
        AgencyEvent::Dissolved { agency: _, names } => names.iter().map(|n| taken(name(n), None)).collect(),
        AgencyEvent::AliasAdded { .. } | AgencyEvent::AliasEnded { .. } => Vec::new(),
    }
}

/// Who bears one name or code, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bearers {
    of: Subject,
    by: Timeline<AgencyId>,
}

impl Bearers {
    /// Nobody yet: of [`Subject::AgencyName`] or [`Subject::AgencyCode`].
    pub fn none(of: Subject) -> Self {
        Self { of, by: Timeline::default() }
    }

    /// The bearer on each day.
    pub fn by(&self) -> &Timeline<AgencyId> {
        &self.by
    }

    /// Takes in one event that is filed under the name or code.
    pub(crate) fn evolve(&mut self, recorded: &Recorded) {
        let Event::Agency(event) = &recorded.event else { return };
        for bearing in given_and_taken(event).into_iter().filter(|bearing| bearing.of == self.of) {
            let period = Period::new(recorded.effective_on, bearing.until);
            if bearing.borne {
                self.by.set(period, event.agency().clone(), recorded.position);
            } else {
                give_up(&mut self.by, event.agency(), period, recorded.position);
            }
        }
    }
}

/// Only the agency's own days: another may be known to bear it later on.
fn give_up(by: &mut Timeline<AgencyId>, agency: &AgencyId, period: Period, at: Position) {
    let own = by.within(period).filter(|span| span.value == *agency);
    let days: Vec<Period> = own.filter_map(|span| span.period.intersect(&period)).collect();
    for own_days in days {
        by.clear(own_days, at);
    }
}
