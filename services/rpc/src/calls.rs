//! Calls counted: how many of which method ended with which code, how long they took, how many are in progress.
//!
//! A call costs a look-up in a table, one observation and three additions; nothing is allocated but at the
//! first call of a method and its first code. What callers make up is never a label: a method that isn't
//! served counts as unknown, so the number of series is bounded by the wire itself.

use std::sync::{Arc, OnceLock};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use tokio::time::Instant;
use tonic::Code;

use crate::access::{self, Row};

/// Upper bounds in seconds: from what an answer from memory takes to the ten seconds that a query waits.
const SECONDS: [f64; 16] =
    [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// gRPC's codes are 0 to 16.
const CODES: usize = 17;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Method {
    service: &'static str,
    method: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    service: &'static str,
    method: &'static str,
    code: &'static str,
}

/// The calls of one server, for its metrics. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Calls(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    ended: Family<Ended, Counter>,
    seconds: Family<Method, Histogram, fn() -> Histogram>,
    in_progress: Family<Method, Gauge>,
    /// By the row that a path has; filled when the first call comes.
    rows: Vec<OnceLock<Arc<Counted>>>,
}

/// What one method's calls are counted in.
#[derive(Debug)]
struct Counted {
    name: Method,
    seconds: Histogram,
    in_progress: Gauge,
    codes: [OnceLock<Counter>; CODES],
    ended: Family<Ended, Counter>,
}

impl Default for Calls {
    fn default() -> Self {
        let seconds: fn() -> Histogram = || Histogram::new(SECONDS);
        Self(Arc::new(Inner {
            ended: Family::default(),
            seconds: Family::new_with_constructor(seconds),
            in_progress: Family::default(),
            rows: (0..Row::COUNT).map(|_| OnceLock::new()).collect(),
        }))
    }
}

impl Calls {
    /// Makes them part of what a registry shows.
    pub fn register(&self, registry: &mut Registry) {
        let Inner { ended, seconds, in_progress, rows: _ } = &*self.0;
        registry.register("calls", "Calls that have ended, by their code", ended.clone());
        let help =
            "From the first byte of a call to the last of its reply; a stream takes as long as it is open";
        registry.register("call_duration_seconds", help, seconds.clone());
        registry.register("calls_in_progress", "Calls that have begun and not ended", in_progress.clone());
    }

    /// A call begins. What is dropped without a [code](InProgress::ended) was given up by its caller.
    pub(crate) fn begin(&self, row: Row, started: Instant) -> InProgress {
        let of = Arc::clone(self.0.rows[row.index()].get_or_init(|| Arc::new(self.counted(row))));
        of.in_progress.inc();
        InProgress { of, started, code: Code::Cancelled }
    }

    fn counted(&self, row: Row) -> Counted {
        let (service, method) = access::name(row);
        let name = Method { service, method };
        Counted {
            seconds: self.0.seconds.get_or_create_owned(&name),
            in_progress: self.0.in_progress.get_or_create_owned(&name),
            codes: std::array::from_fn(|_| OnceLock::new()),
            ended: self.0.ended.clone(),
            name,
        }
    }
}

/// A call in progress; counted when it is dropped.
#[derive(Debug)]
pub(crate) struct InProgress {
    of: Arc<Counted>,
    started: Instant,
    code: Code,
}

impl InProgress {
    /// It has ended with this code.
    pub(crate) fn ended(mut self, code: Code) {
        self.code = code;
    }
}

impl Drop for InProgress {
    fn drop(&mut self) {
        let Counted { name, seconds, in_progress, codes, ended } = &*self.of;
        in_progress.dec();
        seconds.observe(self.started.elapsed().as_secs_f64());
        let count = codes[self.code as usize].get_or_init(|| {
            let Method { service, method } = *name;
            ended.get_or_create_owned(&Ended { service, method, code: word(self.code) })
        });
        count.inc();
    }
}

/// The code as gRPC spells it.
fn word(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a registry shows of calls, without what explains it.
    fn shown(calls: &Calls) -> Vec<String> {
        let mut registry = Registry::with_prefix("duban");
        calls.register(&mut registry);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
    }

    #[tokio::test]
    async fn a_call_is_in_progress_until_it_ends_with_its_code() {
        let calls = Calls::default();
        assert!(shown(&calls).is_empty(), "what was never called is not shown");
        let call = calls.begin(access::find("/duban.audit.v1.AuditService/GetHead"), Instant::now());
        let labels = r#"service="duban.audit.v1.AuditService",method="GetHead""#;
        assert!(shown(&calls).contains(&format!("duban_calls_in_progress{{{labels}}} 1")));
        call.ended(Code::NotFound);
        let lines = shown(&calls);
        for line in [
            format!("duban_calls_in_progress{{{labels}}} 0"),
            format!(r#"duban_calls_total{{{labels},code="NOT_FOUND"}} 1"#),
            format!("duban_call_duration_seconds_count{{{labels}}} 1"),
        ] {
            assert!(lines.contains(&line), "{line} is not in {lines:#?}");
        }
    }

    #[tokio::test]
    async fn what_is_given_up_is_cancelled_and_what_is_made_up_is_unknown() {
        let calls = Calls::default();
        for path in ["/duban.audit.v1.AuditService/Shred", "/x/Y", ""] {
            drop(calls.begin(access::find(path), Instant::now()));
        }
        calls.begin(access::find("/grpc.health.v1.Health/Check"), Instant::now()).ended(Code::Ok);
        let lines = shown(&calls);
        let unknown = r#"duban_calls_total{service="unknown",method="unknown",code="CANCELLED"} 3"#;
        let health = r#"duban_calls_total{service="grpc.health.v1.Health",method="any",code="OK"} 1"#;
        assert!(lines.iter().any(|line| line == unknown), "{lines:#?}");
        assert!(lines.iter().any(|line| line == health), "{lines:#?}");
    }
}
