//! What stands before every handler: identity and rate are checked before the body is read, the deadline is
//! kept, a panic is caught, and every failure leaves with an ErrorInfo and one log line.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::{Code, Status};
use tower::ServiceExt as _;
use tracing::Instrument as _;

use crate::access::{self, Row, Rpc};
use crate::call::{Admitted, Noted};
use crate::caller;
use crate::calls::Calls;
use crate::error::{self, Error, RETRY_AFTER};
use crate::rate::{Place, Quotas, Rate};
use crate::tail::Tail;
use crate::tonic_errors;
use crate::trace::{self, Trace};

/// The header of every reply that says how callers are known here.
pub const MODE: &str = "duban-mode";
/// When nothing else is said, how long a handler may take to begin its reply, and a body to arrive.
pub const REPLY_WITHIN: Duration = Duration::from_mins(1);

/// The conditions of entry, shared by all connections.
#[derive(Debug)]
pub(crate) struct Gate {
    rate: Rate,
    mode: HeaderValue,
    calls: Calls,
    draining: CancellationToken,
}

impl Gate {
    /// `insecure`: listening beyond loopback though callers are believed on their word.
    pub(crate) fn new(quotas: &Quotas, insecure: bool, calls: Calls, draining: CancellationToken) -> Self {
        let mode = if insecure { "development, insecure" } else { "development" };
        Self { rate: Rate::new(quotas), mode: HeaderValue::from_static(mode), calls, draining }
    }

    /// Lets a call in, or says why not: who calls, then how often, then whether it is a time to call.
    fn admit(
        &self,
        rpc: Option<&'static Rpc>,
        headers: &HeaderMap,
        facts: &Facts,
    ) -> Result<(Place, Option<Admitted>), Error> {
        let caller = caller::authenticate(headers)?;
        let place = self.rate.admit(caller.principal.as_str())?;
        if self.draining.is_cancelled() {
            return Err(draining());
        }
        // A path without a row goes on to the router, which knows no such method either.
        let admitted = rpc.map(|rpc| Admitted {
            rpc,
            caller,
            trace_id: facts.trace.id.clone(),
            deadline: facts.deadline,
            draining: self.draining.clone(),
            noted: Arc::clone(&facts.noted),
        });
        Ok((place, admitted))
    }
}

/// What is known of a call besides its message; outlives the handler, for the stream that it may leave.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    pub(crate) trace: Trace,
    pub(crate) started: Instant,
    pub(crate) deadline: Option<Instant>,
    noted: Arc<Noted>,
}

impl Facts {
    /// A failed call's status as it leaves: in our terms, with what a caller quotes to an operator. Logged.
    pub(crate) fn failed(&self, status: Status) -> Status {
        let mut status = match tonic_errors::named(&status).map(Status::from) {
            None => status,
            Some(mut named) => {
                // What else tonic says stays, such as which compressions are understood.
                *named.metadata_mut() = status.metadata().clone();
                named
            }
        };
        if let Some(cause) = self.noted.cause.get() {
            status.set_source(Arc::clone(cause));
        }
        let request_id = self.noted.request_id.get().map(|id| ("request_id", id.to_string()));
        let trace_id = self.trace.id.clone().map(|id| ("trace_id", id));
        let told: Vec<_> = request_id.into_iter().chain(trace_id).collect();
        self.trace.span.in_scope(|| trace::failed(&status, self.started.elapsed()));
        if told.is_empty() { status } else { error::with_metadata(&status, &told) }
    }
}

/// The service behind the gate.
#[derive(Debug, Clone)]
pub(crate) struct Gated<S> {
    pub(crate) gate: Arc<Gate>,
    pub(crate) inner: S,
}

impl<S> tower::Service<Request<Body>> for Gated<S>
where
    S: tower::Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(())) // readiness of the inner service is awaited in `handle`
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let (gate, inner) = (Arc::clone(&self.gate), self.inner.clone());
        Box::pin(async move {
            let mut response = match not_grpc(&request) {
                Some(refusal) => refusal,
                None => answer(&gate, inner, request).await,
            };
            response.headers_mut().insert(MODE, gate.mode.clone());
            Ok(response)
        })
    }
}

/// What isn't gRPC gets an HTTP answer: such a client reads no trailers.
fn not_grpc(request: &Request<Body>) -> Option<Response<Body>> {
    let content_type = request.headers().get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    let code = if request.method() != Method::POST {
        StatusCode::METHOD_NOT_ALLOWED
    } else if !content_type.is_some_and(|text| text.starts_with(b"application/grpc")) {
        StatusCode::UNSUPPORTED_MEDIA_TYPE
    } else {
        return None;
    };
    let mut refusal = Response::new(Body::empty());
    *refusal.status_mut() = code;
    Some(refusal)
}

async fn answer<S>(gate: &Gate, inner: S, mut request: Request<Body>) -> Response<Body>
where
    S: tower::Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Send,
    S::Future: Send,
{
    let started = Instant::now();
    let row = access::find(request.uri().path());
    let in_progress = gate.calls.begin(row, started);
    let trace = Trace::begin(row.rpc().map_or("other", |rpc| rpc.path), request.headers());
    let timeout = timeout(request.headers());
    let deadline = timeout.as_ref().ok().copied().flatten().map(|timeout| started + timeout);
    let facts = Facts { trace, started, deadline, noted: Arc::default() };

    let open = matches!(row, Row::Open(_));
    let admitted = match timeout {
        Err(error) => Err(error),
        Ok(_) if open => Ok(None),
        Ok(_) => gate.admit(row.rpc(), request.headers(), &facts).map(Some),
    };
    let place = match admitted {
        Err(error) => {
            let status = facts.failed(error.into());
            in_progress.ended(status.code());
            return status.into_http();
        }
        Ok(None) => None,
        Ok(Some((place, admitted))) => {
            if let Some(admitted) = admitted {
                facts.trace.span.record("principal", admitted.caller.principal.as_str());
                request.extensions_mut().insert(admitted);
            }
            Some(place)
        }
    };

    let until = deadline.unwrap_or(started + REPLY_WITHIN).min(started + REPLY_WITHIN);
    let reply = AssertUnwindSafe(inner.oneshot(request)).catch_unwind().instrument(facts.trace.span.clone());
    let response = match tokio::time::timeout_at(until, reply).await {
        Ok(Ok(Ok(response))) => response,
        Ok(Err(panic)) => Status::from(panicked(panic.as_ref())).into_http(),
        Err(_late) => Status::from(Error::deadline()).into_http(),
    };
    let response = translated(response, &facts);
    if http_body::Body::is_end_stream(response.body()) {
        in_progress
            .ended(Status::from_header_map(response.headers()).map_or(Code::Ok, |status| status.code()));
        return response;
    }
    let ends_on = open.then(|| gate.draining.clone());
    response.map(|body| Body::new(Tail::new(body, facts, place, in_progress, ends_on)))
}

/// A reply that failed before it began carries its status in the headers: say it in our terms.
fn translated(mut response: Response<Body>, facts: &Facts) -> Response<Body> {
    // tonic keeps the status beside the headers, with its cause; the router's own answers have headers only.
    let kept = response.extensions_mut().remove::<Status>();
    let Some(status) = kept.or_else(|| Status::from_header_map(response.headers())) else { return response };
    if status.code() == Code::Ok {
        return response;
    }
    facts.failed(status).into_http()
}

/// The server takes no more calls.
pub(crate) fn draining() -> Error {
    Error::unavailable("DRAINING", "this server is shutting down: call another", RETRY_AFTER)
}

/// A panic as a failure; what it said is for the log.
pub(crate) fn panicked(panic: &(dyn std::any::Any + Send)) -> Error {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
    Error::internal().because(std::io::Error::other(format!("panic: {text}")))
}

/// The caller's `grpc-timeout`: up to eight digits and a unit.
fn timeout(headers: &HeaderMap) -> Result<Option<Duration>, Error> {
    let Some(value) = headers.get("grpc-timeout") else { return Ok(None) };
    let parsed = value.to_str().ok().and_then(|text| {
        let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
        let plain = (1..=8).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
        let n: u64 = plain.then(|| digits.parse().ok())??;
        Some(match unit {
            "H" => Duration::from_secs(n * 3600),
            "M" => Duration::from_secs(n * 60),
            "S" => Duration::from_secs(n),
            "m" => Duration::from_millis(n),
            "u" => Duration::from_micros(n),
            "n" => Duration::from_nanos(n),
            _ => return None,
        })
    });
    parsed.map(Some).ok_or_else(|| {
        Error::invalid_header("INVALID_TIMEOUT", "grpc-timeout is up to eight digits and one of H M S m u n")
    })
}

#[cfg(test)]
mod tests {
    use tonic_types::StatusExt as _;
    use uuid::Uuid;

    use super::*;

    /// A handler that has read a request id and then failed.
    async fn failing(request: Request<Body>) -> Result<Response<Body>, Infallible> {
        let admitted = request.extensions().get::<Admitted>().unwrap();
        admitted.noted.request_id.set(Uuid::from_u128(7)).unwrap();
        Ok(Status::from(Error::beyond_head(1)).into_http())
    }

    async fn asked(draining: bool) -> Status {
        let token = CancellationToken::new();
        let gate = Arc::new(Gate::new(&Quotas::default(), false, Calls::default(), token.clone()));
        if draining {
            token.cancel();
        }
        let request = Request::post("/duban.audit.v1.AuditService/GetHead")
            .header(header::CONTENT_TYPE, "application/grpc")
            .header(caller::ACTOR, "a")
            .header(caller::ROLE, "auditor")
            .body(Body::empty());
        let service = Gated { gate, inner: tower::service_fn(failing) };
        let Ok(response) = service.oneshot(request.unwrap()).await;
        Status::from_header_map(response.headers()).unwrap()
    }

    #[tokio::test]
    async fn a_failure_names_the_request_that_the_handler_read() {
        let status = asked(false).await;
        assert_eq!(status.code(), Code::OutOfRange);
        let metadata = status.get_error_details().error_info().unwrap().metadata.clone();
        assert_eq!(metadata["request_id"], Uuid::from_u128(7).to_string());
        assert_eq!(metadata["head"], "1");
    }

    #[tokio::test]
    async fn while_the_server_drains_no_call_gets_in() {
        let status = asked(true).await;
        let details = status.get_error_details();
        assert_eq!(
            (status.code(), details.error_info().unwrap().reason.as_str()),
            (Code::Unavailable, "DRAINING")
        );
        assert!(details.retry_info().is_some());
    }
}
