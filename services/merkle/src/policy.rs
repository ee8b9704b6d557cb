//! Whom a client trusts: a log's keys under its origin, and how many of which witnesses must have cosigned. What
//! passes is a [`Verified`] checkpoint, and nothing else is one.

use std::collections::BTreeSet;

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::key::{KeyName, KeyType, Verifier};
use crate::note::{self, Note, NoteError, SignatureLine, Signed};
use crate::proof::TreeHead;

/// Why a policy is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// No key of the log.
    #[error("a log has a key at least")]
    NoKey,
    /// More witnesses are asked for than are named.
    #[error("{needed} of {named} witnesses can't be had")]
    TooMany {
        /// How many are asked for.
        needed: usize,
        /// How many are named.
        named: usize,
    },
    /// A witness's key is not of the type that signs with a time.
    #[error("{0} is no witness's key")]
    NoWitness(KeyName),
    /// One key stands twice, perhaps under two names: it would count twice.
    #[error("{0} is the key of another one too")]
    Twice(KeyName),
}

/// Why a checkpoint is not to be believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// No note, no signature of a known key, or a wrong one.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// Signed, but no checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A checkpoint of another log.
    #[error("the checkpoint is of {found}, not of {expected}")]
    Origin {
        /// The log that was asked for.
        expected: String,
        /// The log that it is of.
        found: String,
    },
    /// Witnesses have signed, but the log has not.
    #[error("the checkpoint is not signed by its log")]
    NotByLog,
    /// Too few witnesses have cosigned.
    #[error("{found} witnesses have cosigned, {needed} are needed")]
    Quorum {
        /// How many are needed.
        needed: usize,
        /// How many have.
        found: usize,
    },
}

/// At least so many of these witnesses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quorum {
    needed: usize,
    witnesses: Vec<Verifier>,
}

impl Quorum {
    /// No witness at all.
    pub fn none() -> Self {
        Self { needed: 0, witnesses: Vec::new() }
    }

    /// At least `needed` of these; 0 lets every checkpoint pass, and still tells who has cosigned it.
    pub fn new(needed: usize, witnesses: Vec<Verifier>) -> Result<Self, PolicyError> {
        if needed > witnesses.len() {
            return Err(PolicyError::TooMany { needed, named: witnesses.len() });
        }
        if let Some(other) = witnesses.iter().find(|key| key.key_type() != KeyType::Cosignature) {
            return Err(PolicyError::NoWitness(other.name().clone()));
        }
        once(witnesses.iter())?;
        Ok(Self { needed, witnesses })
    }

    /// How many are needed.
    pub fn needed(&self) -> usize {
        self.needed
    }

    /// Who they may be.
    pub fn witnesses(&self) -> &[Verifier] {
        &self.witnesses
    }
}

/// Whom a client trusts for one log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    origin: String,
    log: Vec<Verifier>,
    quorum: Quorum,
}

impl Policy {
    /// The log of this origin, which signs with any of these keys, and its witnesses. No key may stand twice, be
    /// it as the log's and a witness's: a log can't be its own witness.
    pub fn new(origin: &str, log: Vec<Verifier>, quorum: Quorum) -> Result<Self, PolicyError> {
        if log.is_empty() {
            return Err(PolicyError::NoKey);
        }
        once(log.iter().chain(&quorum.witnesses))?;
        Ok(Self { origin: origin.to_owned(), log, quorum })
    }

    /// The log's origin.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The witnesses.
    pub fn quorum(&self) -> &Quorum {
        &self.quorum
    }

    /// Reads and verifies a checkpoint: of this origin, signed by the log, cosigned by enough witnesses. A wrong
    /// signature of a known key, needed or not, refuses the whole.
    pub fn open(&self, bytes: &[u8]) -> Result<Verified, OpenError> {
        self.verify(Note::parse(bytes)?)
    }

    /// Verifies what was read.
    pub fn verify(&self, note: Note) -> Result<Verified, OpenError> {
        let keys: Vec<&Verifier> = self.log.iter().chain(&self.quorum.witnesses).collect();
        let signed = note.verify(&keys)?;
        let checkpoint = Checkpoint::parse(note.text())?;
        if checkpoint.origin() != self.origin {
            let found = checkpoint.origin().to_owned();
            return Err(OpenError::Origin { expected: self.origin.clone(), found });
        }
        let by = |keys: &[Verifier]| -> Vec<Signed> {
            signed.iter().filter(|one| keys.iter().any(|key| one.is_by(key))).cloned().collect()
        };
        if by(&self.log).is_empty() {
            return Err(OpenError::NotByLog);
        }
        let witnesses = by(&self.quorum.witnesses);
        let (needed, found) = (self.quorum.needed, distinct(&witnesses));
        if found < needed {
            return Err(OpenError::Quorum { needed, found });
        }
        Ok(Verified { checkpoint, witnesses, note })
    }

    /// Of a witness's answer to this text, the cosignatures of the witnesses named here, verified. Others are left
    /// out; a wrong one refuses the answer. So one witness's nonsense doesn't spoil the others' signatures.
    pub fn cosignatures(&self, text: &str, answer: &[u8]) -> Result<Vec<SignatureLine>, NoteError> {
        let keys: Vec<&Verifier> = self.quorum.witnesses.iter().collect();
        let mut known = Vec::new();
        for line in note::parse_signatures(answer)? {
            if note::verify(text, &line, &keys)?.is_some() {
                known.push(line);
            }
        }
        Ok(known)
    }
}

/// A checkpoint whose signatures were verified under a [`Policy`]. There is no other way to one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    checkpoint: Checkpoint,
    witnesses: Vec<Signed>,
    note: Note,
}

impl Verified {
    /// The checkpoint.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The size and the root of its tree.
    pub fn head(&self) -> TreeHead {
        self.checkpoint.head()
    }

    /// Which of the policy's witnesses have cosigned it, and when.
    pub fn witnesses(&self) -> &[Signed] {
        &self.witnesses
    }

    /// The note, with its unknown signatures: what to store and to hand on.
    pub fn note(&self) -> &Note {
        &self.note
    }
}

/// A witness that signed twice, at two times, is one.
fn distinct(signed: &[Signed]) -> usize {
    signed.iter().map(|one| (&one.name, one.id)).collect::<BTreeSet<_>>().len()
}

fn once<'a>(keys: impl Iterator<Item = &'a Verifier>) -> Result<(), PolicyError> {
    let mut seen = BTreeSet::new();
    for key in keys {
        if !seen.insert(key.public()) {
            return Err(PolicyError::Twice(key.name().clone()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
