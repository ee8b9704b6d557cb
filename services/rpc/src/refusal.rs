//! What the domain and the log say, as what a caller hears.

use duban_domain::rejection::Kind;
use duban_domain::{Reason, Rejection};

use crate::error::Error;

impl From<Rejection> for Error {
    fn from(rejection: Rejection) -> Error {
        let Rejection { reason, subject, detail, metadata } = rejection;
        let word = reason.as_str();
        let error = match reason.kind() {
            Kind::Invalid => {
                let field = metadata.get("field").cloned().unwrap_or(subject);
                Error::field(field, word, detail)
            }
            Kind::NotFound => Error::not_found(word, resource_type(&subject), subject),
            Kind::AlreadyExists => Error::exists(word, resource_type(&subject), &subject, detail),
            // Nothing more: what is forbidden sounds the same whether it exists or not.
            Kind::NotAllowed => return Error::forbidden(word),
            Kind::Stale => Error::aborted(word, detail),
            Kind::Precondition => Error::precondition(word, subject, detail),
        };
        metadata.into_iter().fold(error, |error, (key, value)| error.with(key, value))
    }
}

/// The resource type in a name: the singular of its last collection.
fn resource_type(name: &str) -> &'static str {
    match name.rsplit('/').nth(1) {
        Some("documents") => "document",
        Some("clauses") => "clause",
        Some("anomalies") => "anomaly",
        Some("readings") => "reading",
        Some("agencies") => "agency",
        Some("tasks") => "task",
        Some("assignments") => "assignment",
        Some("cycles") => "cycle",
        Some("obligations") => "obligation",
        Some("reports") => "report",
        _ => "resource",
    }
}

/// A resource that a query asked for and that isn't there, with its own reason.
pub fn not_found(reason: Reason, name: impl std::fmt::Display) -> Error {
    let name = name.to_string();
    Error::not_found(reason.as_str(), resource_type(&name), name)
}

#[cfg(test)]
mod tests {
    use tonic::Code;
    use tonic_types::StatusExt as _;

    use super::*;
    use crate::error::status;

    #[test]
    fn every_reason_of_the_domain_has_its_code_and_details() {
        for &reason in Reason::ALL {
            let rejection = Rejection::new(reason, "tasks/x", "because").with("today", "2026-01-01");
            let status = status(rejection);
            let details = status.get_error_details();
            let info = details.error_info().unwrap();
            assert_eq!((info.reason.as_str(), info.domain.as_str()), (reason.as_str(), "duban"));
            let told = match status.code() {
                Code::InvalidArgument => {
                    details.bad_request().unwrap().field_violations[0].field == "tasks/x"
                }
                Code::NotFound | Code::AlreadyExists => {
                    details.resource_info().unwrap().resource_type == "task"
                }
                Code::PermissionDenied => info.metadata.is_empty() && !status.message().contains("tasks/x"),
                Code::Aborted => info.metadata["today"] == "2026-01-01",
                Code::FailedPrecondition => {
                    details.precondition_failure().unwrap().violations[0].r#type == reason.as_str()
                }
                other => panic!("{reason:?} is {other:?}"),
            };
            assert!(told, "{reason:?}: {details:?}");
        }
    }

    #[test]
    fn a_field_of_a_rule_is_told_by_its_path() {
        let details = status(Rejection::field("items[1].task", "is not yours")).get_error_details();
        assert_eq!(details.bad_request().unwrap().field_violations[0].field, "items[1].task");
    }
}
