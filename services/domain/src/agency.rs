//! Agencies (机构): under which names, since when, and until when they may be given anything.
//!
//! Every fact has days: names, kind, superior and codes are timelines. A change that takes effect on a day
//! holds for the rest of the stretch that stood on that day, up to the next change already known; so a late
//! discovery never undoes what is known to have come after it. The event names the stretch (`until`).
//!
//! A full name is borne by one agency on a day, and so is a credit code: both are subjects of their own
//! ([`Bearers`]), and an event is filed under each that it gives or takes.

mod bearers;
mod code;
mod command;
mod event;
mod hierarchy;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::bearers::Bearers;
pub use self::code::{CodeError, CreditCode, DivisionCode};
pub use self::command::{ALIASES_AT_REGISTRATION_MAX, ALIASES_MAX, NAMES_FREED_MAX};
pub use self::command::{AgencyCommand, Amendment};
pub use self::event::{AgencyEvent, Change, Replaced};
pub use self::hierarchy::HIERARCHY_MAX;
use crate::Position;
use crate::event::{Event, Recorded};
use crate::explain::Field;
use crate::name::AgencyId;
use crate::rejection::{Reason, Rejection};
use crate::text::Line;
use crate::time::{Date, Period, civil_date};
use crate::timeline::{Span, Timeline};
use crate::world::Fold;

/// What kind of body an agency is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AgencyKind {
    /// 组成部门: a constituent department of the government.
    ConstituentDepartment,
    /// 直属机构: a body directly under the government.
    DirectlyAffiliated,
    /// 派出机构: an office sent out by a body.
    DispatchedOffice,
    /// 中央驻青单位: a unit of the central authorities stationed in the province.
    CentralUnit,
    /// 国有企业: a state-owned enterprise.
    StateEnterprise,
    /// 合作经济组织: a cooperative economic organisation.
    Cooperative,
    /// 地方政府: the government of a prefecture, a city, a county.
    LocalGovernment,
}

/// Where an agency stands in its life on a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AgencyStatus {
    /// 已登记: known, and active from a later day on.
    Registered,
    /// 在履职: it may be assigned tasks.
    Active,
    /// 已撤销: it holds nothing and gets nothing.
    Dissolved,
}

impl AgencyKind {
    /// The word in bodies and filters.
    pub const fn as_str(self) -> &'static str {
        match self {
            AgencyKind::ConstituentDepartment => "CONSTITUENT_DEPARTMENT",
            AgencyKind::DirectlyAffiliated => "DIRECTLY_AFFILIATED",
            AgencyKind::DispatchedOffice => "DISPATCHED_OFFICE",
            AgencyKind::CentralUnit => "CENTRAL_UNIT",
            AgencyKind::StateEnterprise => "STATE_ENTERPRISE",
            AgencyKind::Cooperative => "COOPERATIVE",
            AgencyKind::LocalGovernment => "LOCAL_GOVERNMENT",
        }
    }
}

impl AgencyStatus {
    /// The word in bodies and filters.
    pub const fn as_str(self) -> &'static str {
        match self {
            AgencyStatus::Registered => "REGISTERED",
            AgencyStatus::Active => "ACTIVE",
            AgencyStatus::Dissolved => "DISSOLVED",
        }
    }
}

/// An agency, on all its days.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agency {
    /// Its resource name.
    pub id: AgencyId,
    /// Its full names; none on days on which it is not active.
    pub names: Timeline<Line>,
    /// Its other names, each with its days.
    pub aliases: BTreeMap<Line, Timeline<()>>,
    /// Where it stands.
    pub status: Timeline<AgencyStatus>,
    /// What kind of body it is.
    pub kind: Timeline<AgencyKind>,
    /// Its division code, where known.
    pub division_code: Timeline<Option<DivisionCode>>,
    /// The agency above it, where there is one.
    pub superior: Timeline<Option<AgencyId>>,
    /// Its credit code, where known.
    pub credit_code: Timeline<Option<CreditCode>>,
    /// The positions of all its events, ascending.
    pub because: Vec<Position>,
}

/// What `timeline` says on `day`; where it says nothing, what it last said before, else what it says first.
fn said_for<V>(timeline: &Timeline<V>, day: Date) -> Option<&Span<V>> {
    let before = timeline.spans().iter().rev().find(|span| span.period.from <= day);
    before.or_else(|| timeline.spans().first())
}

impl Agency {
    /// The full name that it bears on `day`.
    pub fn name_on(&self, day: Date) -> Option<&Line> {
        self.names.value_on(day)
    }

    /// What to call it when speaking of `day`: the name it bears then, else the last it bore, else its first.
    pub fn called_on(&self, day: Date) -> Option<&Line> {
        said_for(&self.names, day).map(|span| &span.value)
    }

    /// The other names that hold on `day`.
    pub fn aliases_on(&self, day: Date) -> impl Iterator<Item = &Line> {
        self.aliases.iter().filter(move |(_, days)| days.on(day).is_some()).map(|(alias, _)| alias)
    }

    /// Where it stands on `day`; `None` before anybody knew of it.
    pub fn status_on(&self, day: Date) -> Option<AgencyStatus> {
        self.status.value_on(day).copied()
    }

    /// What kind of body it is on `day`, or was or will be when it is not active then.
    pub fn kind_on(&self, day: Date) -> Option<AgencyKind> {
        said_for(&self.kind, day).map(|span| span.value)
    }

    /// Its division code on `day`, or the nearest known.
    pub fn division_code_on(&self, day: Date) -> Option<&DivisionCode> {
        said_for(&self.division_code, day)?.value.as_ref()
    }

    /// The agency above it on `day`, or the nearest known.
    pub fn superior_on(&self, day: Date) -> Option<&AgencyId> {
        said_for(&self.superior, day)?.value.as_ref()
    }

    /// Its credit code on `day`, or the nearest known.
    pub fn credit_code_on(&self, day: Date) -> Option<&CreditCode> {
        said_for(&self.credit_code, day)?.value.as_ref()
    }

    /// The days on which it is active: from registration until dissolution.
    pub fn active(&self) -> Option<Period> {
        let active = self.status.spans().iter().find(|span| span.value == AgencyStatus::Active);
        active.map(|span| span.period)
    }

    /// Whether it is active on every day of `period`, as known now.
    pub fn active_over(&self, period: Period) -> Result<(), Rejection> {
        match self.active() {
            Some(active) if active.covers(&period) => Ok(()),
            _ => Err(self.not_active(format!("is not active on all of {period}"))),
        }
    }

    /// The no of whatever needs it to be active; the metadata say when it is.
    fn not_active(&self, detail: impl Into<String>) -> Rejection {
        let active = self.active().map_or_else(|| "never".to_owned(), |active| active.to_string());
        Rejection::new(Reason::AgencyNotActive, &self.id, detail).with("active", active)
    }

    /// Each field as on `day`, and the events that made it so.
    pub fn explain(&self, day: Date) -> Vec<Field> {
        fn said<V, S: std::fmt::Display>(
            name: &str,
            span: Option<&Span<V>>,
            say: impl Fn(&V) -> Option<S>,
        ) -> Option<Field> {
            let span = span?;
            Some(Field::new(name, say(&span.value)?, span.because.clone()))
        }
        let mut fields: Vec<Field> = [
            said("full_name", said_for(&self.names, day), |name| Some(name.clone())),
            said("kind", said_for(&self.kind, day), |kind| Some(kind.as_str())),
            said("division_code", said_for(&self.division_code, day), Clone::clone),
            said("superior", said_for(&self.superior, day), Clone::clone),
            said("credit_code", said_for(&self.credit_code, day), Clone::clone),
            said("status", self.status.on(day), |status| Some(status.as_str())),
        ]
        .into_iter()
        .flatten()
        .collect();
        fields.extend(self.aliases.iter().filter_map(|(alias, days)| {
            let span = days.on(day)?;
            Some(Field::new(format!("aliases/{alias}"), span.period, span.because.clone()))
        }));
        fields
    }

    /// As it begins.
    fn registered(recorded: &Recorded, id: &AgencyId) -> Self {
        let mut agency = Self {
            id: id.clone(),
            names: Timeline::default(),
            aliases: BTreeMap::new(),
            status: Timeline::default(),
            kind: Timeline::default(),
            division_code: Timeline::default(),
            superior: Timeline::default(),
            credit_code: Timeline::default(),
            because: Vec::new(),
        };
        let known_since = Period::since(civil_date(recorded.recorded_at));
        agency.status.set(known_since, AgencyStatus::Registered, recorded.position);
        agency.status.set(Period::since(recorded.effective_on), AgencyStatus::Active, recorded.position);
        agency
    }

    fn apply(&mut self, event: &AgencyEvent, recorded: &Recorded) {
        let (on, at) = (recorded.effective_on, recorded.position);
        let rest = Period::since(on);
        match event {
            AgencyEvent::Registered {
                agency: _,
                full_name,
                kind,
                division_code,
                superior,
                credit_code,
                aliases,
            } => {
                self.names.set(rest, full_name.clone(), at);
                self.kind.set(rest, *kind, at);
                self.division_code.set(rest, division_code.clone(), at);
                self.superior.set(rest, superior.clone(), at);
                self.credit_code.set(rest, credit_code.clone(), at);
                for alias in aliases {
                    self.aliases.entry(alias.clone()).or_default().set(rest, (), at);
                }
            }
            AgencyEvent::Renamed { agency: _, full_name, former: _, until } => {
                self.names.set(Period::new(on, *until), full_name.clone(), at);
            }
            AgencyEvent::AliasAdded { agency: _, alias, until } => {
                self.aliases.entry(alias.clone()).or_default().set(Period::new(on, *until), (), at);
            }
            AgencyEvent::AliasEnded { agency: _, alias, until } => {
                self.aliases.entry(alias.clone()).or_default().clear(Period::new(on, *until), at);
            }
            AgencyEvent::Amended { agency: _, changes } => {
                for change in changes {
                    self.amend(change, recorded);
                }
            }
            AgencyEvent::Dissolved { agency: _, names: _ } => {
                self.names.clear(rest, at);
                for days in self.aliases.values_mut() {
                    days.clear(rest, at);
                }
                self.status.set(rest, AgencyStatus::Dissolved, at);
            }
        }
        self.because.push(at);
    }

    fn amend(&mut self, change: &Change, recorded: &Recorded) {
        fn replace<T: Clone + PartialEq>(held: &mut Timeline<T>, by: &Replaced<T>, recorded: &Recorded) {
            held.set(Period::new(recorded.effective_on, by.until), by.to.clone(), recorded.position);
        }
        match change {
            Change::Kind(by) => replace(&mut self.kind, by, recorded),
            Change::DivisionCode(by) => replace(&mut self.division_code, by, recorded),
            Change::Superior(by) => replace(&mut self.superior, by, recorded),
            Change::CreditCode(by) => replace(&mut self.credit_code, by, recorded),
        }
    }
}

impl Fold for Agency {
    fn evolve(state: Option<Self>, recorded: &Recorded) -> Option<Self> {
        let Event::Agency(event) = &recorded.event else { return state };
        let begun = || matches!(event, AgencyEvent::Registered { .. });
        let mut agency = match state {
            Some(agency) => agency,
            None if begun() => Self::registered(recorded, event.agency()),
            None => return None,
        };
        agency.apply(event, recorded);
        Some(agency)
    }
}
