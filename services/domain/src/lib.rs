//! The rules of duban (督办): who answers for what, since when, and what became of it.
//!
//! Everything here is pure and synchronous. A [`Command`] names the subjects it reads, decides on their
//! folded state and gives events; [`World`] folds events into that state. No I/O, no clock, no randomness:
//! time comes in with [`Facts`], ids with the [`Seed`] of the request. So a rule is tested in microseconds
//! and replays identically in ten years.
//!
//! # Determinations
//! - **A fold is rich.** The folded state of a subject holds what `decide` needs and what a reply shows, so
//!   the same function renders a command's answer, a retry's answer and an `as known at` answer. One fold
//!   instead of two costs some memory a subject and can't disagree with itself.
//! - **Ids that a caller leaves out are derived from its request id** (UUIDv5), not drawn: a retry of a
//!   creation then names the same resource without a look-up.
//! - **"On time" is judged by `recorded_at`.** An obligation is met by what the log took before the end of
//!   the due day in Shanghai; a back-dated submission can't turn silence into punctuality.

pub mod agency;
pub mod assignment;
pub mod caller;
pub mod command;
pub mod cycle;
pub mod document;
pub mod event;
pub mod explain;
pub mod log;
pub mod name;
pub mod rejection;
pub mod report;
pub mod subject;
pub mod task;
pub mod text;
pub mod time;
pub mod timeline;
pub mod world;

#[cfg(test)]
mod testing;

pub use caller::{Caller, PrincipalId, Role};
pub use command::{Command, Context, Facts, Proposed, Seed, decide};
pub use event::{Event, Recorded};
pub use rejection::{Kind, Reason, Rejection};
pub use subject::{Subject, Tag};
pub use time::{Date, Period, Timestamp};
pub use timeline::{Span, Timeline};
pub use world::World;

/// A place in the log: position *p* is the *p*-th event, and "at *p*" means "after the first *p* events".
pub type Position = u64;
