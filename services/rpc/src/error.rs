//! Why a call failed: a closed set of kinds, each made by one constructor that takes what its details need,
//! and mapped to a status in one place. The table stands in the crate's docs.
//!
//! What a caller gets is the kind, a reason to branch on and words of ours. The cause is kept beside it for
//! the log and never sent: it may hold SQL, paths or secrets.

use std::collections::HashMap;
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};

/// The domain of every ErrorInfo.
pub const DOMAIN: &str = "duban";
/// The longest message of a status, in code points: percent-encoded, one may take nine bytes.
const MESSAGE_MAX: usize = 160;
/// The longest description within the details, in code points.
const DESCRIPTION_MAX: usize = 200;
/// The longest path, name or metadata value within the details, in code points.
const WORD_MAX: usize = 160;
/// How many violations are told at once.
const VIOLATIONS_MAX: usize = 16;
/// The most bytes of details: with the message they stay under the 8 KiB of headers that clients take.
const DETAILS_MAX: usize = 4096;
/// When to try again, where nothing better is known.
pub const RETRY_AFTER: Duration = Duration::from_millis(500);

/// A cause, for the log alone.
pub type Cause = Arc<dyn std::error::Error + Send + Sync + 'static>;

/// One field that can't be taken, by its path in the request (`items[2].task`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The path in the proto's own names, from the request's root.
    pub field: String,
    /// Why, for programs.
    pub reason: &'static str,
    /// Why, for people.
    pub description: String,
}

/// Why a call failed.
#[derive(Debug, Clone)]
pub struct Error {
    code: Code,
    reason: String,
    message: String,
    metadata: Vec<(&'static str, String)>,
    details: Box<ErrorDetails>,
    cause: Option<Cause>,
}

impl Error {
    fn new(code: Code, reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code,
            reason: reason.into(),
            message: cut(message.into(), MESSAGE_MAX),
            metadata: Vec::new(),
            details: Box::default(),
            cause: None,
        }
    }

    /// UNAUTHENTICATED: the caller didn't say who it is, or not as it must.
    pub fn unauthenticated(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(Code::Unauthenticated, reason, message)
    }

    /// INVALID_ARGUMENT with every violation; the reason is theirs if they share one, else `INVALID_FIELD`.
    pub fn invalid(violations: Vec<Violation>) -> Self {
        let shared = violations.first().map(|first| first.reason);
        let reason =
            shared.filter(|one| violations.iter().all(|v| v.reason == *one)).unwrap_or("INVALID_FIELD");
        let message = match violations.as_slice() {
            [one] => format!("{}: {}", one.field, one.description),
            [first, ..] => format!("{} fields, {}: {}", violations.len(), first.field, first.description),
            [] => "the request can't be taken".to_owned(),
        };
        let mut error = Self::new(Code::InvalidArgument, reason, message);
        let told = violations.into_iter().take(VIOLATIONS_MAX).map(|violation| FieldViolation {
            reason: violation.reason.to_owned(),
            ..FieldViolation::new(cut(violation.field, WORD_MAX), cut(violation.description, DESCRIPTION_MAX))
        });
        error.details.set_bad_request(told.collect::<Vec<_>>());
        error
    }

    /// INVALID_ARGUMENT for one field.
    pub fn field(field: impl Into<String>, reason: &'static str, description: impl Into<String>) -> Self {
        Self::invalid(vec![Violation { field: field.into(), reason, description: description.into() }])
    }

    /// INVALID_ARGUMENT for what is no field of the request: a header, say.
    pub fn invalid_header(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(Code::InvalidArgument, reason, message)
    }

    /// NOT_FOUND: `name` isn't there, and the caller may know.
    pub fn not_found(reason: impl Into<String>, kind: &str, name: impl Display) -> Self {
        let name = cut(name.to_string(), WORD_MAX);
        let mut error = Self::new(Code::NotFound, reason, format!("{name} is not there"));
        error.details.set_resource_info(kind, name, "", "");
        error
    }

    /// PERMISSION_DENIED, in the same words whether the thing exists or not.
    pub fn forbidden(reason: impl Into<String>) -> Self {
        Self::new(Code::PermissionDenied, reason, "this is not yours to see or to do")
    }

    /// ALREADY_EXISTS: `name` is taken.
    pub fn exists(
        reason: impl Into<String>,
        kind: &str,
        name: impl Display,
        message: impl Into<String>,
    ) -> Self {
        let mut error = Self::new(Code::AlreadyExists, reason, message);
        error.details.set_resource_info(kind, cut(name.to_string(), WORD_MAX), "", "");
        error
    }

    /// ABORTED: what the caller (or we) decided on has changed; read again and decide again.
    pub fn aborted(reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Code::Aborted, reason, message)
    }

    /// FAILED_PRECONDITION: a rule says no about `subject`.
    pub fn precondition(
        reason: impl Into<String>,
        subject: impl Display,
        message: impl Into<String>,
    ) -> Self {
        let (reason, message) = (reason.into(), message.into());
        let mut error = Self::new(Code::FailedPrecondition, reason.clone(), message.clone());
        error.details.add_precondition_failure_violation(
            reason,
            cut(subject.to_string(), WORD_MAX),
            cut(message, DESCRIPTION_MAX),
        );
        error
    }

    /// OUT_OF_RANGE: a position (or an instant) that the log hasn't reached.
    pub fn beyond_head(head: u64) -> Self {
        Self::new(Code::OutOfRange, "POSITION_BEYOND_HEAD", "the log is not that long").with("head", head)
    }

    /// RESOURCE_EXHAUSTED: too much of `subject` at once; `retry` says when it may go again.
    pub fn exhausted(
        reason: &'static str,
        subject: impl Display,
        message: impl Into<String>,
        retry: Option<Duration>,
    ) -> Self {
        let message = message.into();
        let mut error = Self::new(Code::ResourceExhausted, reason, message.clone());
        error
            .details
            .add_quota_failure_violation(cut(subject.to_string(), WORD_MAX), cut(message, DESCRIPTION_MAX));
        if retry.is_some() {
            error.details.set_retry_info(retry);
        }
        error
    }

    /// UNAVAILABLE: not now; the same call may succeed after `retry`.
    pub fn unavailable(reason: &'static str, message: impl Into<String>, retry: Duration) -> Self {
        let mut error = Self::new(Code::Unavailable, reason, message);
        error.details.set_retry_info(Some(retry));
        error
    }

    /// DATA_LOSS: the log itself is damaged at `position`.
    pub fn data_loss(reason: &'static str, message: impl Into<String>, position: u64) -> Self {
        Self::new(Code::DataLoss, reason, message).with("position", position)
    }

    /// DEADLINE_EXCEEDED. A command may have been recorded all the same: retry it with its request id.
    pub fn deadline() -> Self {
        Self::new(Code::DeadlineExceeded, "DEADLINE_EXCEEDED", "the deadline has passed")
    }

    /// UNIMPLEMENTED: nothing of that name is served.
    pub fn unimplemented(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(Code::Unimplemented, reason, message)
    }

    /// INTERNAL/MALFORMED_MESSAGE: bytes that are no message.
    pub fn malformed(message: impl Into<String>) -> Self {
        Self::new(Code::Internal, "MALFORMED_MESSAGE", message)
    }

    /// INTERNAL/INTERNAL_ERROR: our own fault, in words that give nothing away.
    pub fn internal() -> Self {
        Self::new(Code::Internal, "INTERNAL_ERROR", "the server made a mistake; it has been logged")
    }

    /// Any other code, for errors that a library made.
    pub(crate) fn other(code: Code, reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(code, reason, message)
    }

    /// Adds a fact for programs to the ErrorInfo's metadata (lower camel case key).
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl Display) -> Self {
        self.metadata.push((key, cut(value.to_string(), WORD_MAX)));
        self
    }

    /// Keeps the cause, for the log.
    #[must_use]
    pub fn because(mut self, cause: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.cause = Some(Arc::new(cause));
        self
    }

    /// The status code.
    pub fn code(&self) -> Code {
        self.code
    }

    /// The reason that programs branch on.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// The cause, for the log.
    pub fn cause(&self) -> Option<&Cause> {
        self.cause.as_ref()
    }
}

/// A failure as the status that a handler gives back: `log.execute(…).await.map_err(status)?`.
pub fn status(error: impl Into<Error>) -> Status {
    error.into().into()
}

impl From<Error> for Status {
    fn from(error: Error) -> Status {
        let Error { code, reason, message, metadata, mut details, cause } = error;
        let metadata: HashMap<String, String> =
            metadata.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        details.set_error_info(reason, DOMAIN, metadata);
        let mut status = bounded(code, &message, *details);
        if let Some(cause) = cause {
            status.set_source(cause);
        }
        status
    }
}

/// Drops the last field violations until the details fit; everything else in them is bounded by itself.
fn bounded(code: Code, message: &str, mut details: ErrorDetails) -> Status {
    loop {
        let status = Status::with_error_details(code, message, details.clone());
        let violations = details.bad_request().map_or(&[][..], |bad| &bad.field_violations);
        if status.details().len() <= DETAILS_MAX || violations.len() <= 1 {
            return status;
        }
        let fewer = violations[..violations.len() - 1].to_vec();
        details.set_bad_request(fewer);
    }
}

/// At most `max` code points of `text`, with an ellipsis where something is left out.
fn cut(text: String, max: usize) -> String {
    match text.char_indices().nth(max) {
        None => text,
        Some(_) => text.chars().take(max - 1).chain(['…']).collect(),
    }
}

/// The same failure with one more fact in its ErrorInfo: what only the layer around the handler knows.
pub(crate) fn with_metadata(status: &Status, facts: &[(&str, String)]) -> Status {
    let mut details = status.get_error_details();
    let Some(info) = details.error_info().cloned() else { return status.clone() };
    let mut metadata = info.metadata;
    metadata.extend(facts.iter().map(|(key, value)| ((*key).to_owned(), cut(value.clone(), WORD_MAX))));
    details.set_error_info(info.reason, info.domain, metadata);
    let mut told = bounded(status.code(), status.message(), details);
    *told.metadata_mut() = status.metadata().clone();
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(status: &Status) -> String {
        status.get_error_details().error_info().unwrap().reason.clone()
    }

    #[test]
    fn every_status_names_a_reason_in_our_domain() {
        let status = status(Error::beyond_head(7));
        let details = status.get_error_details();
        let info = details.error_info().unwrap();
        assert_eq!(status.code(), Code::OutOfRange);
        assert_eq!((info.reason.as_str(), info.domain.as_str()), ("POSITION_BEYOND_HEAD", "duban"));
        assert_eq!(info.metadata["head"], "7");
    }

    #[test]
    fn each_kind_brings_its_own_details() {
        let absent = status(Error::not_found("TASK_NOT_FOUND", "task", "tasks/x")).get_error_details();
        assert_eq!(absent.resource_info().unwrap().resource_name, "tasks/x");
        let rule = status(Error::precondition("TASK_ARCHIVED", "tasks/x", "archived")).get_error_details();
        assert_eq!(rule.precondition_failure().unwrap().violations[0].r#type, "TASK_ARCHIVED");
        let full =
            status(Error::exhausted("QUEUE_FULL", "log", "full", Some(RETRY_AFTER))).get_error_details();
        assert!(
            full.quota_failure().is_some() && full.retry_info().unwrap().retry_delay == Some(RETRY_AFTER)
        );
        let gone = status(Error::unavailable("DRAINING", "going", RETRY_AFTER)).get_error_details();
        assert!(gone.retry_info().is_some());
    }

    #[test]
    fn violations_share_a_reason_or_are_invalid_fields() {
        let one = |reason| Violation { field: "f".into(), reason, description: "d".into() };
        let filter = status(Error::invalid(vec![one("FILTER_INVALID")]));
        let mixed = status(Error::invalid(vec![one("FILTER_INVALID"), one("INVALID_FIELD")]));
        assert_eq!(reason(&filter), "FILTER_INVALID");
        assert_eq!(reason(&mixed), "INVALID_FIELD");
    }

    #[test]
    fn details_stay_small_whatever_the_request() {
        let violation =
            Violation {
                field: "字段".repeat(500), reason: "INVALID_FIELD", description: "说明".repeat(500)
            };
        let status = status(Error::invalid(vec![violation; 1000]).with("rpc", "x".repeat(10_000)));
        assert!(status.details().len() <= DETAILS_MAX, "{}", status.details().len());
        let mut headers = http::HeaderMap::new();
        status.add_header(&mut headers).unwrap();
        let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 32).sum();
        assert!(bytes < 8192, "{bytes}");
        assert!(!status.get_error_details().bad_request().unwrap().field_violations.is_empty());
    }

    #[test]
    fn a_cause_is_kept_for_the_log_and_never_sent() {
        let cause = std::io::Error::other("/var/lib/secret: no such file");
        let status = status(Error::internal().because(cause));
        let mut headers = http::HeaderMap::new();
        status.add_header(&mut headers).unwrap();
        assert!(!format!("{headers:?} {:?}", status.get_error_details()).contains("secret"));
        assert!(std::error::Error::source(&status).unwrap().to_string().contains("secret"));
    }

    #[test]
    fn a_fact_is_added_to_the_error_info_alone() {
        let before = status(Error::field("title", "INVALID_FIELD", "must not be empty"));
        let after = with_metadata(&before, &[("requestId", "r1".to_owned())]).get_error_details();
        assert_eq!(after.error_info().unwrap().metadata["requestId"], "r1");
        let kept = &after.bad_request().unwrap().field_violations;
        assert_eq!((kept.len(), kept[0].field.as_str()), (1, "title"));
    }
}
