//! What the four services share about gRPC: who calls and what they may, limits, reading requests, errors.
//!
//! # A door
//! A service's `grpc.rs` has a handler per RPC, three steps each: [`Call::of`] authorises, `convert.rs`
//! reads the request, the log or a view answers. Every failure is an [`Error`]; `?` makes it a status.
//! ```ignore
//! async fn rename_agency(&self, request: Request<pb::RenameAgencyRequest>)
//!     -> Result<Response<pb::RenameAgencyResponse>, Status> {
//!     let call = Call::of(&request)?;
//!     let (request, command) = convert::rename(&call, request.into_inner())?;
//!     let outcome = self.log.execute(&request, command).await.map_err(status)?;
//!     Ok(Response::new(convert::renamed(&outcome, self.log.identity())))
//! }
//!
//! // convert.rs: destructured, never `..`, so that a new field of the wire doesn't compile until it is read.
//! fn rename(call: &Call, request: pb::RenameAgencyRequest) -> Result<(log::Request, AgencyCommand), Error> {
//!     let pb::RenameAgencyRequest { context, agency, full_name } = request;
//!     call.command(context, |f| gather!(AgencyCommand::Rename {
//!         agency: f.one("agency", agency, name),
//!         full_name: f.one("full_name", full_name, line(200)),
//!     }))
//! }
//!
//! // A list: read, ask the view, answer as of one moment on every page.
//! let (page, conditions, as_of) = convert::list(&call, request.into_inner())?;
//! let listed = call.list::<Tasks>(&self.views, as_of, &page, conditions).await?;
//! let answer = Some(listed.moment.answer(&self.log).await?);
//!
//! // The binary: one server, any subset of the services.
//! let server = Server::bind(Options::at(address)).await?;
//! server.serve(Doors::default().with(door!(AgencyServiceServer::new(handler))), stop).await?;
//! ```
//! More of [`Fields`]: `maybe` (absent is fine), `many`, `each`, `message`, `choice` (enums), `number`, `mask`,
//! `instant`, `as_of`, `page`, `filter`, and `check` for what holds between fields.
//!
//! # The order of checks
//! authenticate → rate (both before the body is read) → size and decode → authorise → validate → receipt →
//! existence → concurrency → rule. The last four are the log's and the domain's.
//!
//! # Errors
//! Every status has an ErrorInfo: domain `duban`, a reason, and in its metadata `request_id` and `trace_id`
//! as far as they are known. What else it has:
//!
//! | what | code | details |
//! |---|---|---|
//! | no or bad identity | UNAUTHENTICATED | – |
//! | bad field, mask, filter, token | INVALID_ARGUMENT | BadRequest with the proto path |
//! | absent | NOT_FOUND | ResourceInfo |
//! | not allowed, whether it exists or not | PERMISSION_DENIED | – |
//! | id taken; request_id reused | ALREADY_EXISTS | ResourceInfo |
//! | stale etag, lost race after retries | ABORTED | expected and current in metadata |
//! | a rule says no | FAILED_PRECONDITION | PreconditionFailure |
//! | position beyond head | OUT_OF_RANGE | head in metadata |
//! | other log or epoch | FAILED_PRECONDITION | both identities in metadata |
//! | queue full, rate, oversize | RESOURCE_EXHAUSTED | QuotaFailure, RetryInfo if waiting helps |
//! | draining, view stopped, database down | UNAVAILABLE | RetryInfo |
//! | gap, damage | DATA_LOSS | position in metadata |
//! | bytes that are no message | INTERNAL/MALFORMED_MESSAGE | – |
//! | unknown method, unsupported compression | UNIMPLEMENTED | – |
//!
//! # Determinations
//! - **The accept loop is ours** ([`Server`]), on hyper: tonic's server answers an expired deadline with
//!   CANCELLED outside of any layer, and drains without bound.
//! - **The body is decoded before the role is checked** (as the order says), but no handler gets a [`Call`]
//!   without the check, and nothing can be asked of the log without a call.
//! - **Metrics are prometheus-client's**, the Prometheus project's own crate: what a method's calls are counted in
//!   is looked up once and kept, so that a call costs tens of nanoseconds. OpenTelemetry's metrics gather their
//!   attributes anew at every call; traces stay with it, since those are sent and not asked for.
//! - **Words of tonic's own errors are matched** in one file: it has no type for them. Tests provoke each.

pub mod access;
mod call;
mod caller;
mod calls;
mod command;
mod error;
pub mod filter;
mod layer;
pub mod paging;
mod parsers;
mod query;
mod rate;
mod refusal;
pub mod resources;
pub mod rows;
mod serve;
mod tail;
mod tonic_errors;
mod trace;
pub mod validate;
pub mod values;

pub use call::Call;
pub use caller::{ACTOR, AGENCY, ROLE};
pub use calls::Calls;
pub use command::{identity, instant, receipt};
pub use error::{Cause, DOMAIN, Error, RETRY_AFTER, Violation, status};
pub use filter::Filter;
pub use layer::{MODE, REPLY_WITHIN};
pub use paging::{Page, Place};
pub use query::{AsOf, Known, Moment, wanted};
pub use rate::Quotas;
pub use refusal::{not_found, other_log};
pub use serve::{Doors, MESSAGE_BYTES_MAX, Options, ServeError, Server, listen};
pub use validate::{Field, Fields, Given, Invalid, Mask};
