//! Errors that tonic itself makes, in our terms. They carry no details, and some the wrong code: oversize
//! comes as OUT_OF_RANGE, an unknown method without a word. tonic has no type for them, so its words are
//! matched here and nowhere else; the tests provoke each one, so a release that rewords them shows.

use tonic::{Code, Status};

use crate::error::Error;

/// What tonic says when the bytes are no message.
const MALFORMED: [&str; 6] = [
    "failed to decode Protobuf message",
    "Unexpected EOF decoding stream",
    "Missing request message",
    "Error decompressing:",
    "protocol error: received message with",
    "h2 protocol error",
];

/// The failure in our terms; `None` if it already is (every one of ours has details).
pub(crate) fn named(status: &Status) -> Option<Error> {
    if !status.details().is_empty() {
        return None;
    }
    let message = status.message();
    Some(match status.code() {
        Code::OutOfRange if message.contains("decoded message length too large") => too_large(message),
        Code::ResourceExhausted if message.contains("exceeded while decompressing") => too_large(message),
        Code::OutOfRange if message.contains("encoded message length too large") => Error::exhausted(
            "REPLY_TOO_LARGE",
            "reply",
            "the reply is over the limit: ask for a smaller page",
            None,
        ),
        Code::Internal if MALFORMED.iter().any(|words| message.starts_with(words)) => {
            Error::malformed(message)
        }
        Code::Unimplemented if message.starts_with("Content is compressed with") => {
            Error::unimplemented("UNSUPPORTED_COMPRESSION", message)
        }
        Code::Unimplemented => Error::unimplemented("UNKNOWN_METHOD", "no such method is served here"),
        Code::DeadlineExceeded => Error::deadline(),
        Code::Cancelled => Error::other(Code::Cancelled, "CANCELLED", "the call was cancelled"),
        // The health service's word for a service that it doesn't know.
        Code::NotFound => Error::not_found("SERVICE_NOT_FOUND", "service", "the service"),
        Code::InvalidArgument => Error::other(Code::InvalidArgument, "INVALID_REQUEST", message),
        Code::Unavailable => Error::unavailable("UNAVAILABLE", message, crate::error::RETRY_AFTER),
        Code::ResourceExhausted => Error::exhausted("RESOURCE_EXHAUSTED", "server", message, None),
        _ => Error::internal(),
    })
}

fn too_large(message: &str) -> Error {
    Error::exhausted("MESSAGE_TOO_LARGE", "request", message, None)
}
