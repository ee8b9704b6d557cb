//! Whether a witness cosigns.

use super::{AddCheckpoint, RequestError};
use crate::consistency;
use crate::hash::Algorithm;
use crate::policy::{OpenError, Policy, Verified};
use crate::proof::{ProofError, TreeHead};

/// A log as a witness knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witnessed {
    /// Its origin and keys; of other witnesses nothing is asked.
    pub policy: Policy,
    /// How its tree is hashed.
    pub algorithm: Algorithm,
    /// The last tree that this witness cosigned; [`TreeHead::empty`] before the first.
    pub head: TreeHead,
}

/// Why a witness doesn't cosign. Each is a status of its own in the protocol, named in the comment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// 400: the body is none, or its old size is above the checkpoint's.
    #[error(transparent)]
    BadRequest(#[from] RequestError),
    /// 404: no log of this origin is known.
    #[error("no log of this origin is known: {0}")]
    NotFound(String),
    /// 403: not signed by the log, or wrongly.
    #[error(transparent)]
    Forbidden(#[from] OpenError),
    /// 409: the old size is not that of the last cosigned tree, which is this. The body of the answer is the
    /// number and a newline, its type `text/x.tlog.size`.
    #[error("the last cosigned size is {0}")]
    Conflict(u64),
    /// 422: the tree is not the last one with leaves appended. If it is signed, it is evidence against the log.
    #[error(transparent)]
    Unprocessable(#[from] ProofError),
}

/// Decides on a request, given the log of its [`AddCheckpoint::origin`] as this witness knows it. The answer is
/// the checkpoint to cosign.
///
/// Before the cosignature goes out, the new head must be stored, and stored only if the old one is still what
/// was given here (compare and set): else two requests at once could roll the tree back. If we crash after that,
/// the log asks again with the new size as the old one, and gets its cosignature.
pub fn decide(request: &AddCheckpoint, log: Option<&Witnessed>) -> Result<Verified, Refusal> {
    let log = log
        .filter(|log| log.policy.origin() == request.origin())
        .ok_or_else(|| Refusal::NotFound(request.origin().to_owned()))?;
    let verified = log.policy.verify(request.note.clone())?;
    let (old, new) = (request.old_size, verified.head());
    if old > new.size {
        return Err(RequestError::Shrunk { old, new: new.size }.into());
    }
    if old != log.head.size {
        return Err(Refusal::Conflict(log.head.size));
    }
    consistency::verify(log.algorithm, &log.head, &new, &request.proof)?;
    Ok(verified)
}
