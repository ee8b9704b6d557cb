//! The messages of a witness (C2SP `tlog-witness`), and its decision. A log hands in its new checkpoint with a
//! proof from the one before; the witness cosigns if its log has only grown.

mod decide;

use std::fmt;

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::decimal;
use crate::frontier::SIZE_MAX;
use crate::hash::Hash;
use crate::note::{Note, NoteError};

pub use decide::{Refusal, Witnessed, decide};

/// The most hashes of a proof.
pub const PROOF_MAX: usize = 63;

/// Why this is no request to a witness.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Not an old size, a proof, a blank line and a checkpoint.
    #[error("expected a line \"old <size>\", lines of a proof, a blank line and a checkpoint")]
    Form,
    /// A line of the proof is no base64 of a hash, from 1 on.
    #[error("line {0} of the proof is not base64 of 32 bytes")]
    Proof(usize),
    /// More than [`PROOF_MAX`] lines of proof.
    #[error("a proof of more than {PROOF_MAX} lines")]
    TooLong,
    /// No signed note.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// A note, but not of a checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A tree only grows.
    #[error("the old size {old} is above the checkpoint's {new}")]
    Shrunk {
        /// The old size.
        old: u64,
        /// The checkpoint's size.
        new: u64,
    },
}

/// The body of `add-checkpoint`. Nothing of it is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddCheckpoint {
    old_size: u64,
    proof: Vec<Hash>,
    note: Note,
    checkpoint: Checkpoint,
}

impl AddCheckpoint {
    /// The request to cosign this note of a checkpoint, with the proof from the tree of `old_size`.
    pub fn new(old_size: u64, proof: Vec<Hash>, note: Note) -> Result<Self, RequestError> {
        if proof.len() > PROOF_MAX {
            return Err(RequestError::TooLong);
        }
        let checkpoint = Checkpoint::parse(note.text())?;
        if old_size > SIZE_MAX {
            return Err(RequestError::Shrunk { old: old_size, new: checkpoint.head().size });
        }
        Ok(Self { old_size, proof, note, checkpoint })
    }

    /// Reads a body.
    pub fn parse(bytes: &[u8]) -> Result<Self, RequestError> {
        let (old, mut rest) = line(bytes).ok_or(RequestError::Form)?;
        let old_size = old.strip_prefix("old ").and_then(decimal::parse).ok_or(RequestError::Form)?;
        let mut proof = Vec::new();
        loop {
            let (hash, after) = line(rest).ok_or(RequestError::Form)?;
            rest = after;
            if hash.is_empty() {
                return Self::new(old_size, proof, Note::parse(rest)?);
            }
            if proof.len() == PROOF_MAX {
                return Err(RequestError::TooLong);
            }
            proof.push(Hash::from_base64(hash).ok_or(RequestError::Proof(proof.len() + 1))?);
        }
    }

    /// Which log it claims to be of: by this its keys and its last cosigned size are found.
    pub fn origin(&self) -> &str {
        self.checkpoint.origin()
    }

    /// The size of the tree that the proof is from.
    pub fn old_size(&self) -> u64 {
        self.old_size
    }

    /// The proof.
    pub fn proof(&self) -> &[Hash] {
        &self.proof
    }

    /// The note of the checkpoint.
    pub fn note(&self) -> &Note {
        &self.note
    }
}

/// Up to the next newline, and what is after it.
fn line(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let end = bytes.iter().position(|b| *b == b'\n')?;
    Some((std::str::from_utf8(&bytes[..end]).ok()?, &bytes[end + 1..]))
}

impl fmt::Display for AddCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "old {}", self.old_size)?;
        self.proof.iter().try_for_each(|hash| writeln!(f, "{}", hash.to_base64()))?;
        write!(f, "\n{}", self.note)
    }
}

#[cfg(test)]
mod tests;
