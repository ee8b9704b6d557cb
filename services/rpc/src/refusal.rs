//! What the domain and the log say, as what a caller hears.

use duban_domain::rejection::Kind;
use duban_domain::{Reason, Rejection};

use duban_log::{AppendError, ExecuteError, LogIdentity, ReadError, StorageError, ViewError};

use crate::error::{Error, RETRY_AFTER};

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

impl From<ExecuteError> for Error {
    fn from(error: ExecuteError) -> Error {
        match error {
            ExecuteError::Rejected(rejection) => rejection.into(),
            ExecuteError::RequestIdReused => AppendError::RequestIdReused.into(),
            ExecuteError::Contention { attempts } => {
                Error::from(AppendError::Conflict).with("attempts", attempts)
            }
            ExecuteError::QueueFull => AppendError::QueueFull.into(),
            ExecuteError::Sealed => AppendError::Sealed.into(),
            ExecuteError::Unavailable(cause) => AppendError::Unavailable(cause).into(),
            ExecuteError::Read(error) => error.into(),
        }
    }
}

impl From<AppendError> for Error {
    fn from(error: AppendError) -> Error {
        match error {
            AppendError::Conflict => {
                Error::aborted("CONFLICT", "others kept changing what this rests on: send it again")
            }
            AppendError::RequestIdReused => Error::exists(
                "REQUEST_ID_REUSED",
                "request",
                "context.request_id",
                "the request id was used for another command: make a new one",
            ),
            AppendError::QueueFull => Error::exhausted(
                "QUEUE_FULL",
                "log",
                "too many commands wait to be written",
                Some(RETRY_AFTER),
            ),
            AppendError::Sealed => Error::precondition(
                "LOG_SEALED",
                "log",
                "the log has moved and is sealed here: ask its new home",
            ),
            AppendError::Unavailable(cause) => log_unavailable(cause),
        }
    }
}

impl From<ReadError> for Error {
    fn from(error: ReadError) -> Error {
        match error {
            ReadError::Unavailable(cause) => log_unavailable(Some(cause)),
            ReadError::DataLoss { position, .. } => {
                Error::data_loss("POSITION_GAP", "the log is damaged: tell the operator", position)
                    .because(error)
            }
            ReadError::Outdated { position, .. } => {
                let message = "this server is too old for an event of the log: call a newer one";
                Error::unavailable("VERSION_OUTDATED", message, RETRY_AFTER)
                    .with("position", position)
                    .because(error)
            }
        }
    }
}

impl From<ViewError> for Error {
    fn from(error: ViewError) -> Error {
        let unavailable = |reason, message| Error::unavailable(reason, message, RETRY_AFTER);
        match error {
            ViewError::Stopped { view, position, .. } => {
                unavailable("VIEW_STOPPED", "the view has stopped before an event: tell the operator")
                    .with("view", view)
                    .with("position", position)
                    .because(error)
            }
            ViewError::NotRunning(view) => {
                unavailable("VIEW_STOPPED", "the view is not run here: call another server")
                    .with("view", view)
            }
            ViewError::Behind { view, position, wanted } => {
                unavailable("VIEW_BEHIND", "the view lags: ask again, or with minimize_latency")
                    .with("view", view)
                    .with("position", position)
                    .with("wanted", wanted)
            }
            ViewError::BeyondHead { head, .. } => Error::beyond_head(head),
            ViewError::Unavailable(cause) => {
                unavailable("VIEWS_UNAVAILABLE", "the views can't be read now: ask again").because(cause)
            }
            ViewError::Log(error) => error.into(),
        }
    }
}

fn log_unavailable(cause: Option<StorageError>) -> Error {
    let error =
        Error::unavailable("LOG_UNAVAILABLE", "the log can't be used now: send it again", RETRY_AFTER);
    match cause {
        Some(cause) => error.because(cause),
        None => error,
    }
}

/// A cursor of another log, or of another life of this one.
pub fn other_log(ours: LogIdentity, theirs: &str) -> Error {
    Error::precondition("OTHER_LOG", "log", "the cursor is of another log or epoch")
        .with("expected", format!("{}/{}", ours.log, ours.epoch))
        .with("current", theirs)
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
        Some("logs") => "log",
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
    fn every_failure_of_the_log_has_its_code_and_details() {
        let damaged = ReadError::DataLoss { position: 7, what: "secret".into() };
        let outdated = ReadError::Outdated { position: 7, event_type: "x.v9".into() };
        let stopped = ViewError::Stopped { view: "tasks", position: 7, reason: "secret".into() };
        let behind = ViewError::Behind { view: "tasks", position: 7, wanted: 8 };
        let cases: [(Error, Code, &str); 10] = [
            (stopped.into(), Code::Unavailable, "VIEW_STOPPED"),
            (behind.into(), Code::Unavailable, "VIEW_BEHIND"),
            (ViewError::BeyondHead { wanted: 8, head: 7 }.into(), Code::OutOfRange, "POSITION_BEYOND_HEAD"),
            (ExecuteError::Contention { attempts: 8 }.into(), Code::Aborted, "CONFLICT"),
            (ExecuteError::RequestIdReused.into(), Code::AlreadyExists, "REQUEST_ID_REUSED"),
            (ExecuteError::QueueFull.into(), Code::ResourceExhausted, "QUEUE_FULL"),
            (ExecuteError::Sealed.into(), Code::FailedPrecondition, "LOG_SEALED"),
            (ExecuteError::Unavailable(None).into(), Code::Unavailable, "LOG_UNAVAILABLE"),
            (ExecuteError::Read(damaged).into(), Code::DataLoss, "POSITION_GAP"),
            (outdated.into(), Code::Unavailable, "VERSION_OUTDATED"),
        ];
        for (error, code, reason) in cases {
            let status = status(error);
            let details = status.get_error_details();
            assert_eq!((status.code(), details.error_info().unwrap().reason.as_str()), (code, reason));
            let told = match code {
                Code::ResourceExhausted => {
                    details.quota_failure().is_some() && details.retry_info().is_some()
                }
                Code::Unavailable => details.retry_info().is_some(),
                Code::AlreadyExists => details.resource_info().is_some(),
                Code::FailedPrecondition => details.precondition_failure().is_some(),
                Code::DataLoss => details.error_info().unwrap().metadata["position"] == "7",
                _ => true,
            };
            assert!(told && !format!("{details:?}").contains("secret"), "{reason}: {details:?}");
        }
    }

    #[test]
    fn a_field_of_a_rule_is_told_by_its_path() {
        let details = status(Rejection::field("items[1].task", "is not yours")).get_error_details();
        assert_eq!(details.bad_request().unwrap().field_violations[0].field, "items[1].task");
    }
}
