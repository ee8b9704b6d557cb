//! The tasks service: documents and how they are read, tasks, assignments, and who answers for what.
//!
//! `grpc` is the door (who calls, what is asked, what became of it), `convert` the only parsing, `render` the
//! only way back to the wire, `views` the tables that follow the log. The rules are in the domain.

mod convert;
mod grpc;
mod render;
pub mod views;

pub use grpc::{TasksDoor, VIEWS};
