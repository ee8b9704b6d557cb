//! What is asked of the log in one append, and what it answers.

use duban_domain::caller::Caller;
use duban_domain::{Position, Tag, Timestamp};
use uuid::Uuid;

use crate::event::NewEvent;

/// The most appends that may wait for the committer; more are answered `QueueFull`.
pub const QUEUE_MAX: usize = 4096;
/// The most appends that are committed together.
pub const BATCH_MAX: usize = 512;
/// The most bytes of bodies that are committed together; a single larger append is a batch of its own.
pub const BATCH_BYTES_MAX: usize = 8 * 1024 * 1024;

/// SHA-256 of a command: the same request with another one is refused.
pub type Fingerprint = [u8; 32];

/// What the decision rests on: for each tag read, the last position seen under it. It holds as long as
/// nothing newer is filed under any of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Condition {
    /// Each tag and the position up to which it was read.
    pub read: Vec<(Tag, Position)>,
}

impl Condition {
    /// The tags, all read up to `after`.
    pub fn at(tags: impl IntoIterator<Item = Tag>, after: Position) -> Self {
        Self { read: tags.into_iter().map(|tag| (tag, after)).collect() }
    }
}

/// Who appends, and what it follows from: the part of the envelope that all events of an append share.
#[derive(Debug, Clone)]
pub struct Origin {
    /// Who acts; its principal and the request id identify the append.
    pub caller: Caller,
    /// The request.
    pub request_id: Uuid,
    /// What it belongs to: the first request of a chain.
    pub correlation: Uuid,
    /// The position of the event that caused it.
    pub causation: Option<Position>,
    /// The W3C trace id, 32 lower-case hexadecimal digits.
    pub trace_id: Option<String>,
}

/// One append: all of its events or none.
#[derive(Debug, Clone)]
pub struct Append {
    /// Who appends.
    pub origin: Origin,
    /// The fingerprint of the command.
    pub fingerprint: Fingerprint,
    /// What is appended. None: only the receipt, with an empty range at `read_at`.
    pub events: Vec<NewEvent>,
    /// What must still hold.
    pub condition: Condition,
    /// The head at which the decision was made.
    pub read_at: Position,
}

/// What a command was answered with, kept forever: its events are `first..=last`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    /// The first position written; where nothing was, the head then found, plus one.
    pub first: Position,
    /// The last position written; where nothing was, the head then found.
    pub last: Position,
    /// When.
    pub recorded_at: Timestamp,
}

impl Receipt {
    /// Whether the command changed nothing.
    pub fn is_empty(&self) -> bool {
        self.first > self.last
    }
}

/// A receipt and the command it was given for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredReceipt {
    /// The fingerprint of the command.
    pub fingerprint: Fingerprint,
    /// The answer.
    pub receipt: Receipt,
}

/// What became of an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// It was written now.
    Now(Receipt),
    /// It had been written before; this is the receipt given then.
    Before(Receipt),
}

impl Appended {
    /// The receipt, whenever it was given.
    pub fn receipt(self) -> Receipt {
        match self {
            Appended::Now(receipt) | Appended::Before(receipt) => receipt,
        }
    }
}

/// Which log, and which life of it: positions compare only within one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LogIdentity {
    /// Drawn when the log was made.
    pub log: Uuid,
    /// Drawn when the log was made or restored.
    pub epoch: Uuid,
}
