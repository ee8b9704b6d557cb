//! Every row of the table of errors: its code, its reason, its details, and that nothing was written.

mod damage;
mod door;
mod judged;
mod named;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

/// A failure of this code and reason, in our domain; its details.
#[track_caller]
fn told(status: &Status, code: Code, reason: &str) -> ErrorDetails {
    let details = status.get_error_details();
    let info = details.error_info().expect("an ErrorInfo");
    assert_eq!((status.code(), info.reason.as_str()), (code, reason), "{status}");
    assert_eq!(info.domain, "duban");
    details
}

/// A fact in a failure's metadata.
#[track_caller]
fn fact(details: &ErrorDetails, key: &str) -> String {
    let facts = &details.error_info().expect("an ErrorInfo").metadata;
    facts.get(key).unwrap_or_else(|| panic!("{key} in {facts:?}")).clone()
}

/// The fields that a failure names.
fn fields(details: &ErrorDetails) -> Vec<String> {
    let bad = details.bad_request().expect("a BadRequest");
    bad.field_violations.iter().map(|violation| violation.field.clone()).collect()
}

/// What a failure is about, as type and name.
fn resource(details: &ErrorDetails) -> (String, String) {
    let about = details.resource_info().expect("a ResourceInfo");
    (about.resource_type.clone(), about.resource_name.clone())
}

/// When to try again: in a moment.
#[track_caller]
fn again_soon(details: &ErrorDetails) {
    let delay = details.retry_info().expect("a RetryInfo").retry_delay.expect("a delay");
    assert!(!delay.is_zero() && delay.as_secs() <= 5, "{delay:?}");
}
