//! Requests of the wire to commands and questions of the domain: the only parsing there is.
//!
//! A request is destructured, never `..`, so that a new field doesn't compile until it is read here.

mod cycle;
mod report;

pub(crate) use cycle::*;
pub(crate) use report::*;
