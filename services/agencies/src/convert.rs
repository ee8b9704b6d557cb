//! Requests of the wire to commands and questions of the domain: the only parsing there is.
//!
//! A request is destructured, never `..`, so that a new field doesn't compile until it is read here.

use duban_domain::agency::{
    ALIASES_AT_REGISTRATION_MAX, AgencyCommand, AgencyKind, AgencyStatus, Amendment, CreditCode, DivisionCode,
};
use duban_domain::name::AgencyId;
use duban_domain::text::Line;
use duban_log::{LogIdentity, Request};
use duban_proto::agencies::v1 as pb;
use duban_rpc::filter::Kind;
use duban_rpc::validate::{id, line, name};
use duban_rpc::{AsOf, Call, Error, Field, Fields, Filter, Page, gather};

/// The longest name of an agency, in code points.
const NAME_MAX: usize = 200;
/// The fields that an amendment may change.
const AMENDED: [&str; 4] = ["kind", "division_code", "superior", "credit_code"];
/// What a list of agencies may be filtered by: columns of the view.
const FILTERED: [(&str, Kind); 4] = [
    ("kind", Kind::Choice(&KINDS)),
    ("status", Kind::Choice(&STATUSES)),
    ("division_code", Kind::Text),
    ("superior", Kind::Text),
];
/// The words of kinds in filters.
const KINDS: [&str; 7] = [
    AgencyKind::ConstituentDepartment.as_str(),
    AgencyKind::DirectlyAffiliated.as_str(),
    AgencyKind::DispatchedOffice.as_str(),
    AgencyKind::CentralUnit.as_str(),
    AgencyKind::StateEnterprise.as_str(),
    AgencyKind::Cooperative.as_str(),
    AgencyKind::LocalGovernment.as_str(),
];
/// The words of statuses in filters.
const STATUSES: [&str; 3] =
    [AgencyStatus::Registered.as_str(), AgencyStatus::Active.as_str(), AgencyStatus::Dissolved.as_str()];

type Read = Result<(Request, AgencyCommand), Error>;

pub(crate) fn register(call: &Call, request: pb::RegisterAgencyRequest) -> Read {
    let pb::RegisterAgencyRequest {
        context,
        agency_id,
        full_name,
        kind: number,
        division_code,
        superior,
        credit_code,
        aliases,
    } = request;
    call.command(context, |f| {
        gather!(AgencyCommand::Register {
            agency: f.maybe("agency_id", agency_id, id(AgencyId::from_id)),
            full_name: f.one("full_name", full_name, line(NAME_MAX)),
            kind: f.choice("kind", number, kind),
            division_code: f.maybe("division_code", division_code, DivisionCode::parse),
            superior: f.maybe("superior", superior, name),
            credit_code: f.maybe("credit_code", credit_code, CreditCode::parse),
            aliases: f.many("aliases", aliases, ALIASES_AT_REGISTRATION_MAX, line(NAME_MAX)),
        })
    })
}

fn kind(kind: pb::AgencyKind) -> Option<AgencyKind> {
    match kind {
        pb::AgencyKind::Unspecified => None,
        pb::AgencyKind::ConstituentDepartment => Some(AgencyKind::ConstituentDepartment),
        pb::AgencyKind::DirectlyAffiliated => Some(AgencyKind::DirectlyAffiliated),
        pb::AgencyKind::DispatchedOffice => Some(AgencyKind::DispatchedOffice),
        pb::AgencyKind::CentralUnit => Some(AgencyKind::CentralUnit),
        pb::AgencyKind::StateEnterprise => Some(AgencyKind::StateEnterprise),
        pb::AgencyKind::Cooperative => Some(AgencyKind::Cooperative),
        pb::AgencyKind::LocalGovernment => Some(AgencyKind::LocalGovernment),
    }
}

pub(crate) fn rename(call: &Call, request: pb::RenameAgencyRequest) -> Read {
    let pb::RenameAgencyRequest { context, agency, full_name } = request;
    call.command(context, |f| {
        gather!(AgencyCommand::Rename {
            agency: f.one("agency", agency, name),
            full_name: f.one("full_name", full_name, line(NAME_MAX)),
        })
    })
}

pub(crate) fn add_alias(call: &Call, request: pb::AddAliasRequest) -> Read {
    let pb::AddAliasRequest { context, agency, alias } = request;
    call.command(context, |f| {
        gather!(AgencyCommand::AddAlias {
            agency: f.one("agency", agency, name),
            alias: f.one("alias", alias, line(NAME_MAX)),
        })
    })
}

pub(crate) fn end_alias(call: &Call, request: pb::EndAliasRequest) -> Read {
    let pb::EndAliasRequest { context, agency, alias } = request;
    call.command(context, |f| {
        gather!(AgencyCommand::EndAlias {
            agency: f.one("agency", agency, name),
            alias: f.one("alias", alias, line(NAME_MAX)),
        })
    })
}

pub(crate) fn amend(call: &Call, request: pb::AmendAgencyRequest) -> Read {
    let pb::AmendAgencyRequest { context, agency, update_mask } = request;
    call.command(context, |f| {
        let mask = f.mask("update_mask", update_mask, &AMENDED);
        f.message("agency", agency, |f, agency| {
            // What an amendment can't change is the server's to say: whatever stands there is passed over.
            let pb::Agency {
                name: agency,
                full_name: _,
                kind: number,
                division_code,
                superior,
                credit_code,
                aliases: _,
                full_names: _,
                status: _,
                active: _,
                etag: _,
                because: _,
            } = agency;
            let agency = f.one("name", agency, name);
            let mask = mask?;
            let changes: Vec<Field<Amendment>> = [
                mask.has("kind").then(|| f.choice("kind", number, kind).map(Amendment::Kind)),
                mask.has("division_code").then(|| {
                    f.maybe("division_code", division_code, DivisionCode::parse).map(Amendment::DivisionCode)
                }),
                mask.has("superior").then(|| f.maybe("superior", superior, name).map(Amendment::Superior)),
                mask.has("credit_code").then(|| {
                    f.maybe("credit_code", credit_code, CreditCode::parse).map(Amendment::CreditCode)
                }),
            ]
            .into_iter()
            .flatten()
            .collect();
            gather!(AgencyCommand::Amend {
                agency: agency,
                changes: changes.into_iter().collect::<Field<_>>()
            })
        })
    })
}

pub(crate) fn dissolve(call: &Call, request: pb::DissolveAgencyRequest) -> Read {
    let pb::DissolveAgencyRequest { context, agency } = request;
    call.command(context, |f| gather!(AgencyCommand::Dissolve { agency: f.one("agency", agency, name) }))
}

/// Which agency, as of when.
pub(crate) fn get(request: pb::GetAgencyRequest) -> Result<(AgencyId, AsOf), Error> {
    let pb::GetAgencyRequest { name: agency, as_of, consistency } = request;
    Fields::read(|f| {
        let agency = f.one("name", agency, name);
        let as_of = f.as_of(as_of, consistency);
        Ok((agency?, as_of?))
    })
}

/// Which page of which agencies, as of when.
pub(crate) fn list(
    call: &Call,
    log: LogIdentity,
    request: pb::ListAgenciesRequest,
) -> Result<(Page, Filter, AsOf), Error> {
    let query = pb::ListAgenciesRequest { page_size: 0, page_token: String::new(), ..request.clone() };
    let pb::ListAgenciesRequest { page_size, page_token, filter, as_of, consistency } = request;
    Fields::read(|f| {
        let page = f.page(page_size, &page_token, &query, &call.scope(log));
        let filter = f.filter(&filter, &FILTERED);
        let as_of = f.as_of(as_of, consistency);
        Ok((page?, filter?, as_of?))
    })
}

/// Which text, as of when.
pub(crate) fn resolve(request: pb::ResolveNameRequest) -> Result<(Line, AsOf), Error> {
    let pb::ResolveNameRequest { text, as_of, consistency } = request;
    Fields::read(|f| {
        let text = f.one("text", text, line(NAME_MAX));
        let as_of = f.as_of(as_of, consistency);
        Ok((text?, as_of?))
    })
}
