//! From the domain's folded states to the messages of the wire: one function a resource, for replies to
//! commands and answers to queries alike.

mod assignment;
mod document;
mod task;

pub(crate) use assignment::{assignment, role, stage_of_assignment};
pub(crate) use document::*;
pub(crate) use task::task;
