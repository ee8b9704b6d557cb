//! Requests of the wire to commands of the domain: the only parsing there is.
//!
//! A request is destructured, never `..`, so that a new field doesn't compile until it is read here.

mod assignment;
mod document;
mod task;

pub(crate) use assignment::*;
pub(crate) use document::*;
pub(crate) use task::*;

/// The longest title, in code points.
pub(crate) const TITLE_MAX: usize = 200;
/// The longest label, such as `(二十一)`, in code points.
pub(crate) const LABEL_MAX: usize = 40;
/// The longest statement, judgement or ground, in code points.
pub(crate) const STATEMENT_MAX: usize = 4_000;
