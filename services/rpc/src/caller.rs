//! Who calls, in development mode: three headers that anyone can write. So they count only where the server
//! listens on loopback or was told `--insecure`, and every reply says so.

use duban_domain::name::AgencyId;
use duban_domain::{Caller, PrincipalId, Role};
use http::HeaderMap;

use crate::error::Error;

/// The principal's pseudonymous id.
pub const ACTOR: &str = "duban-actor";
/// Its role.
pub const ROLE: &str = "duban-role";
/// Its agency, as `agencies/{id}`; required for agency and coordinator.
pub const AGENCY: &str = "duban-agency";

/// The caller, from its headers.
pub(crate) fn authenticate(headers: &HeaderMap) -> Result<Caller, Error> {
    let actor = one(headers, ACTOR)?.ok_or_else(|| missing(ACTOR))?;
    let principal = PrincipalId::parse(actor)
        .ok_or_else(|| invalid(ACTOR, "1 to 64 of A-Z a-z 0-9 . _ : @ - are expected"))?;
    let role: Role = one(headers, ROLE)?.ok_or_else(|| missing(ROLE))?.parse().map_err(|()| {
        invalid(ROLE, &format!("one of {} is expected", Role::FROM_OUTSIDE.map(Role::as_str).join(", ")))
    })?;
    let agency = one(headers, AGENCY)?
        .map(|name| name.parse::<AgencyId>().map_err(|error| invalid(AGENCY, &error.to_string())))
        .transpose()?;
    if role.needs_agency() && agency.is_none() {
        return Err(missing(AGENCY));
    }
    Ok(Caller { principal, role, agency })
}

/// The one value of a header. Two values are as bad as none: they may be read differently elsewhere.
fn one<'h>(headers: &'h HeaderMap, name: &'static str) -> Result<Option<&'h str>, Error> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| invalid(name, "ASCII is expected")),
        (Some(_), Some(_)) => Err(invalid(name, "one value is expected")),
    }
}

fn missing(header: &'static str) -> Error {
    Error::unauthenticated("IDENTITY_MISSING", format!("the header {header} is missing"))
        .with("header", header)
}

fn invalid(header: &'static str, why: &str) -> Error {
    Error::unauthenticated("IDENTITY_INVALID", format!("the header {header} can't be taken: {why}"))
        .with("header", header)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn a_caller_says_who_it_is_in_which_role_and_for_which_agency() {
        let full = headers(&[(ACTOR, "u:1"), (ROLE, "agency"), (AGENCY, "agencies/sthjt")]);
        let caller = authenticate(&full).unwrap();
        assert_eq!((caller.principal.as_str(), caller.role), ("u:1", Role::Agency));
        assert_eq!(caller.agency.unwrap().to_string(), "agencies/sthjt");
        assert!(authenticate(&headers(&[(ACTOR, "s1"), (ROLE, "supervisor")])).unwrap().agency.is_none());
    }

    #[test]
    fn what_is_missing_or_said_twice_or_unknown_is_no_identity() {
        let cases: [(&[(&'static str, &'static str)], &str); 8] = [
            (&[], "IDENTITY_MISSING"),
            (&[(ACTOR, "a")], "IDENTITY_MISSING"),
            (&[(ACTOR, "a"), (ROLE, "agency")], "IDENTITY_MISSING"),
            (&[(ACTOR, "a"), (ROLE, "coordinator")], "IDENTITY_MISSING"),
            (&[(ACTOR, "a"), (ACTOR, "b"), (ROLE, "supervisor")], "IDENTITY_INVALID"),
            (&[(ACTOR, "a b"), (ROLE, "supervisor")], "IDENTITY_INVALID"),
            (&[(ACTOR, "a"), (ROLE, "system")], "IDENTITY_INVALID"),
            (&[(ACTOR, "a"), (ROLE, "supervisor"), (AGENCY, "sthjt")], "IDENTITY_INVALID"),
        ];
        for (pairs, reason) in cases {
            assert_eq!(authenticate(&headers(pairs)).unwrap_err().reason(), reason, "{pairs:?}");
        }
    }
}
