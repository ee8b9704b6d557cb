//! What may be asked of an agency, and when it is refused.

use std::collections::BTreeSet;

use serde::Serialize;

use super::hierarchy::{not_under_itself, upwards};
use super::{Agency, AgencyEvent, AgencyKind, AgencyStatus, Change, CreditCode, DivisionCode, Replaced};
use crate::command::{Command, Facts, Proposed, Seed};
use crate::name::AgencyId;
use crate::rejection::{Reason, Rejection};
use crate::subject::Subject;
use crate::text::Line;
use crate::time::{Date, Period};
use crate::timeline::Timeline;
use crate::world::World;

/// The most other names that an agency is registered with.
pub const ALIASES_AT_REGISTRATION_MAX: usize = 16;
/// The most other names that an agency has over all its days.
pub const ALIASES_MAX: usize = 64;
/// The most names, known for the day of dissolution or later, that a dissolution may free: each is a tag.
pub const NAMES_FREED_MAX: usize = 7;

/// Something that a supervisor asks of the register of agencies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum AgencyCommand {
    /// It is active from the effective day on.
    Register {
        /// Its name to be; filled in when left out.
        agency: Option<AgencyId>,
        /// 全称.
        full_name: Line,
        /// What kind of body it is.
        kind: AgencyKind,
        /// 行政区划代码, if known.
        division_code: Option<DivisionCode>,
        /// 上级机构, if any.
        superior: Option<AgencyId>,
        /// 统一社会信用代码, if known.
        credit_code: Option<CreditCode>,
        /// 别名、简称, from the same day on.
        aliases: Vec<Line>,
    },
    /// It bears another full name from the effective day on, up to the next change of name already known.
    Rename {
        /// Which.
        agency: AgencyId,
        /// The new name.
        full_name: Line,
    },
    /// It is also called so from the effective day on.
    AddAlias {
        /// Which.
        agency: AgencyId,
        /// The other name.
        alias: Line,
    },
    /// It is no longer called so from the effective day on.
    EndAlias {
        /// Which.
        agency: AgencyId,
        /// The other name.
        alias: Line,
    },
    /// What is recorded beside its names changes from the effective day on.
    Amend {
        /// Which.
        agency: AgencyId,
        /// What changes, each field at most once, at least one.
        changes: Vec<Amendment>,
    },
    /// It is no more from the effective day on, which may lie ahead. Needs a reason.
    Dissolve {
        /// Which.
        agency: AgencyId,
    },
}

/// A field and what it shall say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Amendment {
    /// What kind of body it is.
    Kind(AgencyKind),
    /// 行政区划代码; `None`: not known.
    DivisionCode(Option<DivisionCode>),
    /// 上级机构; `None`: none.
    Superior(Option<AgencyId>),
    /// 统一社会信用代码; `None`: not known.
    CreditCode(Option<CreditCode>),
}

impl AgencyCommand {
    /// Which agency it is about.
    ///
    /// # Panics
    /// If it is a registration without a name, before [`Command::complete`].
    pub fn agency(&self) -> &AgencyId {
        match self {
            Self::Register { agency, .. } => {
                agency.as_ref().unwrap_or_else(|| unreachable!("completed before"))
            }
            Self::Rename { agency, .. }
            | Self::AddAlias { agency, .. }
            | Self::EndAlias { agency, .. }
            | Self::Amend { agency, .. }
            | Self::Dissolve { agency } => agency,
        }
    }
}

impl Command for AgencyCommand {
    fn complete(&mut self, seed: &Seed) {
        if let Self::Register { agency: agency @ None, .. } = self {
            *agency = AgencyId::from_id(&seed.id("agency"));
        }
    }

    fn subject(&self) -> Subject {
        Subject::Agency(self.agency().clone())
    }

    fn reads(&self, known: &World) -> Vec<Subject> {
        match self {
            Self::Register { full_name, superior, credit_code, .. } => {
                let code = credit_code.iter().map(code_subject);
                let above = superior.iter().flat_map(|superior| upwards(known, superior));
                std::iter::once(name_subject(full_name)).chain(code).chain(above).collect()
            }
            Self::Rename { agency: _, full_name } => vec![name_subject(full_name)],
            Self::AddAlias { .. } | Self::EndAlias { .. } => Vec::new(),
            Self::Amend { agency: _, changes } => {
                let read = changes.iter().flat_map(|change| match change {
                    Amendment::Superior(Some(superior)) => upwards(known, superior),
                    Amendment::CreditCode(Some(code)) => vec![code_subject(code)],
                    Amendment::Kind(_)
                    | Amendment::DivisionCode(_)
                    | Amendment::Superior(None)
                    | Amendment::CreditCode(None) => Vec::new(),
                });
                read.collect()
            }
            Self::Dissolve { agency } => vec![Subject::Duty(agency.clone())],
        }
    }

    fn decide(&self, world: &World, facts: &Facts) -> Result<Vec<Proposed>, Rejection> {
        let event = match self {
            Self::Register { .. } => register(self, world, facts),
            Self::Rename { agency, full_name } => rename(world.agency(agency)?, full_name, world, facts),
            Self::AddAlias { agency, alias } => add_alias(world.agency(agency)?, alias, facts),
            Self::EndAlias { agency, alias } => end_alias(world.agency(agency)?, alias, facts),
            Self::Amend { agency, changes } => amend(world.agency(agency)?, changes, world, facts),
            Self::Dissolve { agency } => {
                facts.reason()?;
                dissolve(world.agency(agency)?, world, facts)
            }
        };
        Ok(event?.map(|event| facts.propose(event)).into_iter().collect())
    }
}

/// An event, nothing because it is so already, or why not.
type Decision = Result<Option<AgencyEvent>, Rejection>;

fn register(command: &AgencyCommand, world: &World, facts: &Facts) -> Decision {
    let AgencyCommand::Register { agency: _, full_name, kind, division_code, superior, credit_code, aliases } =
        command
    else {
        unreachable!("asked only of a registration")
    };
    let agency = command.agency();
    check_aliases(full_name, aliases)?;
    if world.find_agency(agency).is_some() {
        return Err(Rejection::new(Reason::AgencyExists, agency, "this agency is registered already"));
    }
    let days = Period::since(facts.effective_on());
    free_for(agency, &name_subject(full_name), days, world)?;
    if let Some(code) = credit_code {
        free_for(agency, &code_subject(code), days, world)?;
    }
    if let Some(superior) = superior {
        not_under_itself(agency, superior, days, world, 1)?;
    }
    Ok(Some(AgencyEvent::Registered {
        agency: agency.clone(),
        full_name: full_name.clone(),
        kind: *kind,
        division_code: division_code.clone(),
        superior: superior.clone(),
        credit_code: credit_code.clone(),
        aliases: aliases.clone(),
    }))
}

fn check_aliases(full_name: &Line, aliases: &[Line]) -> Result<(), Rejection> {
    if aliases.len() > ALIASES_AT_REGISTRATION_MAX {
        let detail =
            format!("has {} names, at most {ALIASES_AT_REGISTRATION_MAX} are allowed", aliases.len());
        return Err(Rejection::field("aliases", detail));
    }
    let mut seen = BTreeSet::from([full_name]);
    match aliases.iter().position(|alias| !seen.insert(alias)) {
        Some(at) => Err(Rejection::field(&format!("aliases[{at}]"), "is named twice")),
        None => Ok(()),
    }
}

fn rename(agency: &Agency, full_name: &Line, world: &World, facts: &Facts) -> Decision {
    let on = facts.effective_on();
    let Some(held) = agency.names.on(on) else { return Err(not_active_on(agency, on)) };
    if held.value == *full_name {
        return Ok(None);
    }
    let days = Period::new(on, held.period.until);
    free_for(&agency.id, &name_subject(full_name), days, world)?;
    Ok(Some(AgencyEvent::Renamed {
        agency: agency.id.clone(),
        full_name: full_name.clone(),
        former: held.value.clone(),
        until: days.until,
    }))
}

fn add_alias(agency: &Agency, alias: &Line, facts: &Facts) -> Decision {
    let on = facts.effective_on();
    let active = active_on(agency, on)?;
    let days = agency.aliases.get(alias);
    if let Some(held) = days.and_then(|days| days.on(on)) {
        let overlap = || {
            Rejection::new(
                Reason::AliasOverlap,
                &agency.id,
                format!("is called {alias} over {}", held.period),
            )
            .with("days", held.period)
        };
        return if held.period.from == on { Ok(None) } else { Err(overlap()) };
    }
    if let Some(named) = agency.names.on(on).filter(|named| named.value == *alias) {
        let detail = format!("bears {alias} as its full name over {}", named.period);
        return Err(Rejection::new(Reason::AliasOverlap, &agency.id, detail).with("days", named.period));
    }
    if days.is_none() && agency.aliases.len() >= ALIASES_MAX {
        let detail = format!("has {ALIASES_MAX} other names, as many as are allowed");
        return Err(Rejection::new(Reason::TooLarge, &agency.id, detail));
    }
    let known = days.and_then(|days| days.within(Period::since(on)).next());
    Ok(Some(AgencyEvent::AliasAdded {
        agency: agency.id.clone(),
        alias: alias.clone(),
        until: known.map(|span| span.period.from).or(active.until),
    }))
}

fn end_alias(agency: &Agency, alias: &Line, facts: &Facts) -> Decision {
    let on = facts.effective_on();
    let days = agency.aliases.get(alias);
    if let Some(held) = days.and_then(|days| days.on(on)) {
        let (agency, alias, until) = (agency.id.clone(), alias.clone(), held.period.until);
        return Ok(Some(AgencyEvent::AliasEnded { agency, alias, until }));
    }
    let ended = |days: &Timeline<()>| days.spans().iter().any(|span| span.period.until == Some(on));
    if days.is_some_and(ended) {
        return Ok(None);
    }
    Err(Rejection::new(Reason::AliasNotFound, &agency.id, format!("is not called {alias} on {on}")))
}

fn amend(agency: &Agency, changes: &[Amendment], world: &World, facts: &Facts) -> Decision {
    let mut seen = BTreeSet::new();
    if changes.is_empty() || !changes.iter().all(|change| seen.insert(change.field())) {
        return Err(Rejection::field("update_mask", "names no field, or one twice"));
    }
    let on = facts.effective_on();
    active_on(agency, on)?;
    let replaced: Vec<Change> = changes.iter().filter_map(|change| change.against(agency, on)).collect();
    for change in &replaced {
        match change {
            Change::Superior(Replaced { from: _, to: Some(superior), until }) => {
                not_under_itself(&agency.id, superior, Period::new(on, *until), world, 1)?;
            }
            Change::CreditCode(Replaced { from: _, to: Some(code), until }) => {
                free_for(&agency.id, &code_subject(code), Period::new(on, *until), world)?;
            }
            Change::Kind(_) | Change::DivisionCode(_) | Change::Superior(_) | Change::CreditCode(_) => {}
        }
    }
    let amended = || AgencyEvent::Amended { agency: agency.id.clone(), changes: replaced.clone() };
    Ok((!replaced.is_empty()).then(amended))
}

impl Amendment {
    /// The field, by its proto name.
    fn field(&self) -> &'static str {
        match self {
            Amendment::Kind(_) => "kind",
            Amendment::DivisionCode(_) => "division_code",
            Amendment::Superior(_) => "superior",
            Amendment::CreditCode(_) => "credit_code",
        }
    }

    /// What changes in `agency` on `on`; `None` if it says so already.
    fn against(&self, agency: &Agency, on: Date) -> Option<Change> {
        fn replaced<T: Clone + PartialEq>(held: &Timeline<T>, to: &T, on: Date) -> Option<Replaced<T>> {
            let held = held.on(on).filter(|held| held.value != *to)?;
            Some(Replaced { from: held.value.clone(), to: to.clone(), until: held.period.until })
        }
        match self {
            Amendment::Kind(to) => replaced(&agency.kind, to, on).map(Change::Kind),
            Amendment::DivisionCode(to) => replaced(&agency.division_code, to, on).map(Change::DivisionCode),
            Amendment::Superior(to) => replaced(&agency.superior, to, on).map(Change::Superior),
            Amendment::CreditCode(to) => replaced(&agency.credit_code, to, on).map(Change::CreditCode),
        }
    }
}

fn dissolve(agency: &Agency, world: &World, facts: &Facts) -> Decision {
    let on = facts.effective_on();
    let active = agency.active().ok_or_else(|| not_active_on(agency, on))?;
    if active.until == Some(on) {
        return Ok(None);
    }
    if let Some(until) = active.until {
        return Err(agency.not_active(format!("is dissolved on {until}, so it can't be on {on}")));
    }
    if on <= active.from {
        return Err(agency.not_active(format!("can't be dissolved on {on}: it is not active before")));
    }
    let open = world.duty(&agency.id).open_from(on);
    if let Some(first) = open.first() {
        let detail = format!("answers for {} assignments on or after {on}, such as {first}", open.len());
        return Err(Rejection::new(Reason::AgencyHasDuties, &agency.id, detail)
            .with("assignments", open.len())
            .with("first", first));
    }
    let names: BTreeSet<&Line> = agency.names.within(Period::since(on)).map(|span| &span.value).collect();
    if names.len() > NAMES_FREED_MAX {
        let detail =
            format!("would free {} names, at most {NAMES_FREED_MAX} fit: dissolve it later", names.len());
        return Err(Rejection::new(Reason::TooLarge, &agency.id, detail));
    }
    let names = names.into_iter().cloned().collect();
    Ok(Some(AgencyEvent::Dissolved { agency: agency.id.clone(), names }))
}

/// The days on which it is active, `on` being one of them.
fn active_on(agency: &Agency, on: Date) -> Result<Period, Rejection> {
    let active = agency.active().filter(|active| active.contains(on));
    active.ok_or_else(|| not_active_on(agency, on))
}

fn not_active_on(agency: &Agency, on: Date) -> Rejection {
    let detail = match agency.status_on(on) {
        Some(AgencyStatus::Dissolved) => format!("is dissolved on {on}"),
        Some(AgencyStatus::Registered | AgencyStatus::Active) | None => format!("is not active yet on {on}"),
    };
    agency.not_active(detail)
}

fn name_subject(name: &Line) -> Subject {
    Subject::AgencyName(name.as_str().to_owned())
}

fn code_subject(code: &CreditCode) -> Subject {
    Subject::AgencyCode(code.as_str().to_owned())
}

/// That no other agency bears this name or code on any of `days`.
fn free_for(agency: &AgencyId, of: &Subject, days: Period, world: &World) -> Result<(), Rejection> {
    let mut borne = world.bearers(of).by().within(days);
    let Some(other) = borne.find(|span| span.value != *agency) else { return Ok(()) };
    let reason = match of {
        Subject::AgencyCode(_) => Reason::CreditCodeTaken,
        _ => Reason::NameTaken,
    };
    Err(Rejection::new(reason, agency, format!("{} bears {of} over {}", other.value, other.period))
        .with("bearer", &other.value)
        .with("days", other.period))
}
