//! From the domain's folded states to the messages of the wire: one function a resource, for replies to
//! commands and answers to queries alike.

mod cycle;
mod report;

pub(crate) use cycle::{cycle, obligation};
pub(crate) use report::report;
