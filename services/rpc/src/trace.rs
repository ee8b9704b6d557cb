//! One span per call, a child of the caller's where it sent a W3C trace context, and one line per failure.

use std::error::Error as _;
use std::fmt::Write as _;
use std::time::Duration;

use http::HeaderMap;
use opentelemetry::propagation::{Extractor, TextMapPropagator as _};
use opentelemetry::trace::TraceContextExt as _;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// The deepest chain of causes that is logged.
const CAUSES_MAX: usize = 8;

/// A call as tracing sees it.
#[derive(Debug, Clone)]
pub(crate) struct Trace {
    pub(crate) span: Span,
    /// 32 hexadecimal digits: ours when spans are exported, else the caller's, else none.
    pub(crate) id: Option<String>,
}

struct Headers<'h>(&'h HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(|value| value.to_str().ok())
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(http::HeaderName::as_str).collect()
    }
}

impl Trace {
    /// Opens the span of one call.
    pub(crate) fn begin(rpc: &'static str, headers: &HeaderMap) -> Self {
        let span = tracing::info_span!(
            "call",
            otel.name = rpc,
            otel.kind = "server",
            rpc.system = "grpc",
            rpc.method = rpc,
            principal = tracing::field::Empty,
            trace_id = tracing::field::Empty,
        );
        let remote = TraceContextPropagator::new().extract(&Headers(headers));
        let theirs = id_of(&remote);
        // Without an exporting layer there is nothing to set the parent of, and nothing is lost.
        let _ = span.set_parent(remote);
        let id = id_of(&span.context()).or(theirs);
        if let Some(id) = &id {
            // So that a log line within the call leads to its trace.
            span.record("trace_id", id.as_str());
        }
        Self { span, id }
    }
}

fn id_of(context: &opentelemetry::Context) -> Option<String> {
    let span = context.span();
    let span = span.span_context();
    span.is_valid().then(|| span.trace_id().to_string())
}

/// Logs a failed call, once, with its cause. Within the call's span.
pub(crate) fn failed(status: &Status, elapsed: Duration) {
    let details = status.get_error_details();
    let reason = details.error_info().map_or("", |info| info.reason.as_str());
    let code = status.code();
    // Not `message`: that is what a line's own words are called.
    let (said, cause, elapsed) = (status.message(), causes(status), elapsed.as_secs_f64());
    match code {
        Code::Internal | Code::DataLoss | Code::Unknown => {
            tracing::error!(?code, reason, said, cause, elapsed, "call failed");
        }
        Code::Unavailable | Code::ResourceExhausted | Code::DeadlineExceeded => {
            tracing::warn!(?code, reason, said, cause, elapsed, "call failed");
        }
        _ => tracing::info!(?code, reason, said, cause, elapsed, "call failed"),
    }
}

/// The chain of causes, outermost first.
fn causes(status: &Status) -> String {
    let mut text = String::new();
    let mut next = status.source();
    for _ in 0..CAUSES_MAX {
        let Some(cause) = next else { break };
        let separator = if text.is_empty() { "" } else { ": " };
        // Writing to a String can't fail.
        let _ = write!(text, "{separator}{cause}");
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

    fn with(traceparent: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("traceparent", HeaderValue::from_str(traceparent).unwrap());
        headers
    }

    #[test]
    fn the_callers_trace_is_taken_up() {
        let headers = with(&format!("00-{TRACE}-b7ad6b7169203331-01"));
        assert_eq!(Trace::begin("/x/Y", &headers).id.as_deref(), Some(TRACE));
    }

    #[test]
    fn what_is_no_trace_context_is_none() {
        for bad in ["", "00-zz-1-01", &format!("00-{}-b7ad6b7169203331-01", "0".repeat(32))] {
            assert_eq!(Trace::begin("/x/Y", &with(bad)).id, None, "{bad}");
        }
    }

    #[test]
    fn causes_are_told_outermost_first() {
        let inner = std::io::Error::other("disk full");
        let error = crate::error::Error::internal().because(std::io::Error::other(inner));
        assert_eq!(causes(&error.into()), "disk full");
    }
}
