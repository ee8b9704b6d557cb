//! Those who see to it that a log shows everybody the same history (C2SP `tlog-witness`).
//!
//! An [`Office`] is a witness: it cosigns a log's checkpoint if the tree has only grown since the one before, and
//! remembers it. A [`Circle`] is what a log has of its witnesses: it asks them side by side, and a checkpoint is
//! published when enough of them have cosigned.

mod ask;
mod circle;
mod file;
mod office;

pub use ask::{AskError, Endpoint, EndpointError};
pub(crate) use ask::{Http, chain, client};
pub use circle::{Circle, CircleError, Standing, WITNESSES_MAX};
pub(crate) use file::taken_up;
pub use file::{Accepted, FileError, accept, request};
pub use office::{Known, Office, OfficeError, REQUEST_MAX, Refused, make_key, reply, verifier};
