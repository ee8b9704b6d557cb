//! What a verification finds wrong.

use std::fmt;

use duban_domain::{Position, Timestamp};
use duban_merkle::Hash;
use serde::Serialize;
use uuid::Uuid;

/// The most findings that are kept one by one; further ones are counted.
pub const FINDINGS_MAX: usize = 100;

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The position of the event that is wrong, or the first that is; none where only sizes or files are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
    /// What is wrong.
    #[serde(flatten)]
    pub fault: Fault,
}

/// In what way something is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "fault", rename_all = "snake_case")]
pub enum Fault {
    /// There are no events from this position on.
    Missing {
        /// The last one that is missing.
        to: Position,
    },
    /// What lies here is no event that can be read, or a file can't be.
    Unreadable {
        /// Where it lies and what is wrong with it.
        what: String,
    },
    /// Another event of the same position, or one out of order.
    Misplaced {
        /// The position that should come here.
        expected: Position,
    },
    /// It is recorded before the event that it follows.
    Time {
        /// When it says it was recorded.
        says: Timestamp,
        /// When the one before it was.
        before: Timestamp,
    },
    /// The envelope is none that a log would have written.
    Envelope {
        /// In what way.
        what: String,
    },
    /// The previous position under a tag lies.
    Previous {
        /// The tag.
        tag: String,
        /// The previous position, as the event has it.
        says: Position,
        /// The last event under the tag before this one.
        is: Position,
    },
    /// The log says that it is in an epoch that none of its events opened.
    Epoch {
        /// The epoch, as it says.
        says: Uuid,
        /// The last one that was opened.
        is: Uuid,
    },
    /// The log says that it was sealed elsewhere than where it ends.
    Seal {
        /// The position at which it was sealed, as it says.
        says: Position,
        /// Its last position.
        is: Position,
    },
    /// The index of tags, by which servers find a subject's events, is not what the events say.
    Index,
    /// The body is not of the type that the envelope says, or can't be read as such.
    Body {
        /// In what way.
        what: String,
    },
    /// The event is not the one that the tree has.
    Changed {
        /// The fields of the leaf that differ; `body` is what was committed to.
        fields: Vec<&'static str>,
    },
    /// The tree's own copy is not what was signed, although the log's event is.
    Entry {
        /// The fields that differ.
        fields: Vec<&'static str>,
    },
    /// What the tree has in the place of the event is no leaf of any. Whether the event is what was signed, the roots
    /// tell.
    NoLeaf,
    /// A file of the tree is missing, or is not what its leaves come to.
    Tile {
        /// Which.
        path: String,
        /// In what way.
        what: String,
    },
    /// A signed root is not the one that the log comes to at that size.
    Root {
        /// The checkpoint.
        checkpoint: String,
        /// Its size.
        size: u64,
        /// Its root.
        signed: Hash,
        /// The root of the log's events at that size.
        found: Hash,
        /// The largest size below at which a signed root still is the log's; 0 if there is none.
        same_until: u64,
    },
    /// The log has lost its end: something that was signed or claimed is larger.
    End {
        /// What is larger: a checkpoint, the tree, the manifest.
        claim: String,
        /// Its size.
        claimed: u64,
        /// The size of the log, or of the epoch that the claim is about.
        found: u64,
    },
    /// A checkpoint that is not to be believed.
    Checkpoint {
        /// Which.
        checkpoint: String,
        /// Why not.
        what: String,
    },
    /// The receipt of a command is missing.
    NoReceipt {
        /// Who asked.
        principal: String,
        /// The request.
        request_id: Uuid,
    },
    /// A receipt for events that are not those of its command.
    Receipt {
        /// Whose it is.
        principal: String,
        /// The request.
        request_id: Uuid,
        /// What differs.
        fields: Vec<&'static str>,
    },
    /// The numbers of receipts differ.
    Receipts {
        /// How many should be there.
        claimed: u64,
        /// How many are.
        found: u64,
    },
    /// A view is not what the events come to.
    View {
        /// The view.
        view: String,
        /// The digest that was claimed.
        claimed: String,
        /// The digest of what replaying comes to.
        replayed: String,
    },
    /// A view doesn't take an event.
    Refused {
        /// The view.
        view: String,
        /// Why not.
        what: String,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(position) = self.position {
            write!(f, "position {position}: ")?;
            if self.fault == (Fault::Missing { to: position }) {
                return write!(f, "the event is missing");
            }
        }
        write!(f, "{}", self.fault)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Missing { to } => write!(f, "the events from here up to {to} are missing"),
            Fault::Unreadable { what } => write!(f, "it can't be read: {what}"),
            Fault::Misplaced { expected } => write!(f, "the event stands where {expected} should be"),
            Fault::Time { says, before } => {
                write!(f, "recorded at {says}, before the event that it follows ({before})")
            }
            Fault::Envelope { what } => write!(f, "no log has written this envelope: {what}"),
            Fault::Previous { tag, says, is } => {
                write!(f, "it says that {says} is the event before it under {tag}, but that is {is}")
            }
            Fault::Epoch { says, is } => {
                write!(
                    f,
                    "the log says that it is in epoch {says}, but the last that its events opened is {is}"
                )
            }
            Fault::Seal { says, is } => {
                write!(f, "the log says that it was sealed at {says}, but it ends at {is}")
            }
            Fault::Index => {
                write!(f, "the index of tags is not what the events say: reads by tag miss or show too much")
            }
            Fault::Body { what } => write!(f, "{what}"),
            Fault::Changed { fields } if fields[..] == ["body"] => {
                write!(f, "the body is not what was committed to")
            }
            Fault::Changed { fields } => {
                write!(f, "the event is not the one in the tree: {} differ", fields.join(", "))
            }
            Fault::Entry { fields } => write!(
                f,
                "the tree's copy of the event was changed ({}), the event itself is as it was signed",
                fields.join(", ")
            ),
            Fault::NoLeaf => write!(f, "what the tree has in the event's place is no leaf of an event"),
            Fault::Tile { path, what } => write!(f, "{path} of the tree {what}"),
            Fault::Root { checkpoint, size, signed, found, same_until } => write!(
                f,
                "{checkpoint} is signed over {size} events with the root {signed}, but those of the log come to \
                 {found}; something after {same_until} was changed"
            ),
            Fault::End { claim, claimed, found } => {
                write!(f, "the log has lost its end: {claim} has {claimed} events, the log has {found}")
            }
            Fault::Checkpoint { checkpoint, what } => write!(f, "{checkpoint} is not to be believed: {what}"),
            Fault::NoReceipt { principal, request_id } => {
                write!(f, "the receipt of request {request_id} by {principal} is missing")
            }
            Fault::Receipt { principal, request_id, fields } => write!(
                f,
                "the receipt of request {request_id} by {principal} doesn't fit the events: {}",
                fields.join(", ")
            ),
            Fault::Receipts { claimed, found } => write!(f, "there are {found} receipts of {claimed}"),
            Fault::View { view, claimed, replayed } => {
                write!(f, "the view {view} is claimed to be {claimed}, but replaying comes to {replayed}")
            }
            Fault::Refused { view, what } => write!(f, "the view {view} doesn't take the event: {what}"),
        }
    }
}

/// What was found so far: the first ones, and how many more.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) kept: Vec<Finding>,
    pub(super) more: u64,
}

impl Findings {
    pub(super) fn at(&mut self, position: Position, fault: Fault) {
        self.push(Finding { position: Some(position), fault });
    }

    pub(super) fn extend(&mut self, faults: impl IntoIterator<Item = Fault>) {
        faults.into_iter().for_each(|fault| self.of(fault));
    }

    pub(super) fn of(&mut self, fault: Fault) {
        self.push(Finding { position: None, fault });
    }

    fn push(&mut self, finding: Finding) {
        if self.kept.len() < FINDINGS_MAX {
            self.kept.push(finding);
        } else {
            self.more += 1;
        }
    }
}
