//! Moving house: a log is exported to a folder, loaded from it, on either engine; sealed, backed up, restored.
//!
//! What moves is all that the log is: each event with its whole envelope and the bytes of its body, every
//! receipt, and which log it is. Views don't move: they follow from the log.
//!
//! A log may be in one place only. So either its source is ended ([`seal`](ExportOptions::seal)) and its identity
//! goes with it, or what is loaded goes on as another epoch of the log, opened by an event of its own, and
//! cursors of the old epoch are refused there.
//!
//! An export is a folder:
//! ```text
//! export.json                   which log, up to where, sealed or not (written last: without it, it isn't whole)
//! SHA256SUMS                    the digest of every file, as `sha256sum -c SHA256SUMS` reads it
//! events/000000000001.jsonl     events as JSON Lines, by the position of the first one
//! receipts/000000000001.jsonl   receipts as JSON Lines, by number
//! ```
//!
//! # Determinations
//! - **Files of lines, not one archive**: killed, it goes on after the last whole file; checked by `sha256sum`,
//!   read by `jq` or twenty lines of Python, packed by `tar` for who wants one file.
//! - **A body is a JSON string**, not embedded JSON: any reader gives its bytes back exactly, as hashing needs,
//!   where embedded JSON would be written anew by most.
//! - **A load writes straight into the tables**, without deciding anything: positions, times and tags are the
//!   source's. No identity is written until all is there, so a half-loaded log can't be served.

mod backup;
mod digits;
mod epoch;
mod error;
mod evidence;
mod export;
mod folder;
mod format;
mod load;
mod source;
mod target;

use duban_domain::Position;
use uuid::Uuid;

pub use backup::{BackedUp, Restored, backup, restore, restored};
pub use epoch::LastCheckpoint;
pub(crate) use epoch::Opening;
pub use error::MoveError;
pub(crate) use evidence::{Evidence, FoundLines, Place};
pub use export::{ExportOptions, export};
pub(crate) use folder::Kind;
pub(crate) use format::Line;
pub use format::{Claim, Epoch, FORMAT, Manifest};
pub use load::{LoadOptions, Loaded, load};

use crate::append::StoredReceipt;

/// A receipt and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRequest {
    /// The request.
    pub request_id: Uuid,
    /// Who asked.
    pub principal: String,
    /// What for, and the answer.
    pub stored: StoredReceipt,
}

/// What a move is about at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Events, by position.
    Events,
    /// Receipts, by number.
    Receipts,
}

/// How far a move is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What is moved.
    pub phase: Phase,
    /// How many are there.
    pub done: Position,
    /// How many there are, as far as is known.
    pub of: Position,
}
