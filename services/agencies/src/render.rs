//! From the folded agency to the message of the wire: one function, for replies to commands and answers to
//! queries alike.

use duban_domain::agency::{Agency, AgencyKind, AgencyStatus};
use duban_domain::text::Line;
use duban_domain::world::etag;
use duban_domain::{Date, Span, Timeline};
use duban_proto::agencies::v1 as pb;
use duban_rpc::values::period;

use crate::views::{Bearer, NameKind};

/// The agency as on a date.
pub(crate) fn agency(agency: &Agency, valid_on: Date) -> pb::Agency {
    let Agency {
        id,
        names,
        aliases,
        status: _,
        kind: _,
        division_code: _,
        superior: _,
        credit_code: _,
        because,
    } = agency;
    let unspecified = pb::AgencyStatus::Unspecified;
    pb::Agency {
        name: id.to_string(),
        full_name: agency.called_on(valid_on).map(ToString::to_string).unwrap_or_default(),
        kind: agency.kind_on(valid_on).map_or(pb::AgencyKind::Unspecified, kind).into(),
        division_code: agency.division_code_on(valid_on).map(ToString::to_string),
        superior: agency.superior_on(valid_on).map(ToString::to_string),
        credit_code: agency.credit_code_on(valid_on).map(ToString::to_string),
        aliases: aliases.iter().flat_map(|(alias, days)| alias_on_its_days(alias, days)).collect(),
        full_names: full_names(names),
        status: agency.status_on(valid_on).map_or(unspecified, status).into(),
        active: agency.active().map(period),
        etag: etag(because.last().copied().unwrap_or_default()),
        because: because.clone(),
    }
}

fn full_names(names: &Timeline<Line>) -> Vec<pb::AgencyFullName> {
    let name = |span: &Span<Line>| pb::AgencyFullName {
        full_name: span.value.to_string(),
        period: Some(period(span.period)),
        because: span.because.clone(),
    };
    names.spans().iter().map(name).collect()
}

fn alias_on_its_days(alias: &Line, days: &Timeline<()>) -> impl Iterator<Item = pb::AgencyAlias> {
    days.spans().iter().map(move |span| pb::AgencyAlias {
        alias: alias.to_string(),
        period: Some(period(span.period)),
        because: span.because.clone(),
    })
}

fn kind(kind: AgencyKind) -> pb::AgencyKind {
    match kind {
        AgencyKind::ConstituentDepartment => pb::AgencyKind::ConstituentDepartment,
        AgencyKind::DirectlyAffiliated => pb::AgencyKind::DirectlyAffiliated,
        AgencyKind::DispatchedOffice => pb::AgencyKind::DispatchedOffice,
        AgencyKind::CentralUnit => pb::AgencyKind::CentralUnit,
        AgencyKind::StateEnterprise => pb::AgencyKind::StateEnterprise,
        AgencyKind::Cooperative => pb::AgencyKind::Cooperative,
        AgencyKind::LocalGovernment => pb::AgencyKind::LocalGovernment,
    }
}

fn status(status: AgencyStatus) -> pb::AgencyStatus {
    match status {
        AgencyStatus::Registered => pb::AgencyStatus::Registered,
        AgencyStatus::Active => pb::AgencyStatus::Active,
        AgencyStatus::Dissolved => pb::AgencyStatus::Dissolved,
    }
}

/// Whether that many candidates settle what a text means.
pub(crate) fn outcome(candidates: &[pb::NameCandidate]) -> pb::NameOutcome {
    match candidates {
        [] => pb::NameOutcome::Unknown,
        [_] => pb::NameOutcome::Resolved,
        [_, _, ..] => pb::NameOutcome::Ambiguous,
    }
}

/// An agency that a text means.
pub(crate) fn candidate(bearer: Bearer, found: &Agency, valid_on: Date) -> pb::NameCandidate {
    let Bearer { agency: _, kind, because } = bearer;
    let by = match kind {
        NameKind::FullName => pb::NameMatch::FullName,
        NameKind::Alias => pb::NameMatch::Alias,
        NameKind::CreditCode => pb::NameMatch::CreditCode,
    };
    pb::NameCandidate { agency: Some(agency(found, valid_on)), matched_by: by.into(), because }
}
