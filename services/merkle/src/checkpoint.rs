//! Checkpoints (C2SP `tlog-checkpoint`): the size and the root of a log's tree, as the text of a signed note.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::decimal;
use crate::frontier::SIZE_MAX;
use crate::hash::Hash;
use crate::key::{SignError, Signer};
use crate::note::{Note, NoteError};
use crate::proof::TreeHead;

/// Why this is no checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// It has not three lines at least, or one of them is empty.
    #[error("a checkpoint has the lines origin, size, root and extensions, none of them empty")]
    Lines,
    /// The origin or an extension has a control character.
    #[error("a line of a checkpoint has no control character")]
    Control,
    /// The size is no decimal number without leading zeros, or above [`SIZE_MAX`].
    #[error("the size is a decimal number without leading zeros, at most {SIZE_MAX}")]
    Size,
    /// The root is no base64 of 32 bytes.
    #[error("the root is base64 of 32 bytes, but it has {0}")]
    Root(usize),
}

/// Why a checkpoint was not signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// A key didn't sign.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// The note would not be one: no keys, or too many.
    #[error(transparent)]
    Note(#[from] NoteError),
}

/// The size and the root of the tree of the log that `origin` names. Who holds one from elsewhere holds a
/// [`crate::Verified`]: reading one without a key is not offered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    origin: String,
    head: TreeHead,
    extensions: Vec<String>,
}

impl Checkpoint {
    /// The checkpoint that a log is about to sign. The origin is best a URL without scheme, as
    /// `example.com/log`, and equal to the name of the log's key.
    pub fn new(origin: &str, head: TreeHead) -> Result<Self, CheckpointError> {
        Self::with_extensions(origin, head, Vec::new())
    }

    /// With extension lines, which nobody audits: their use is not recommended.
    pub fn with_extensions(
        origin: &str,
        head: TreeHead,
        extensions: Vec<String>,
    ) -> Result<Self, CheckpointError> {
        for line in extensions.iter().map(String::as_str).chain([origin]) {
            if line.is_empty() {
                return Err(CheckpointError::Lines);
            }
            if line.bytes().any(|b| b < b' ') {
                return Err(CheckpointError::Control);
            }
        }
        if head.size > SIZE_MAX {
            return Err(CheckpointError::Size);
        }
        Ok(Self { origin: origin.to_owned(), head, extensions })
    }

    /// Reads the text of a note. Whoever calls it verifies the note, or uses the origin only to find the keys.
    pub(crate) fn parse(text: &str) -> Result<Self, CheckpointError> {
        let mut lines = text.strip_suffix('\n').ok_or(CheckpointError::Lines)?.split('\n');
        let mut line = || lines.next().ok_or(CheckpointError::Lines);
        let (origin, size, root) = (line()?, line()?, line()?);
        let size = decimal::parse(size).ok_or(CheckpointError::Size)?;
        let root = STANDARD.decode(root).map_err(|_| CheckpointError::Root(0))?;
        let root = Hash::from_slice(&root).ok_or(CheckpointError::Root(root.len()))?;
        Self::with_extensions(origin, TreeHead { size, root }, lines.map(ToOwned::to_owned).collect())
    }

    /// Which log it is of.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The size and the root of its tree.
    pub fn head(&self) -> TreeHead {
        self.head
    }

    /// Opaque lines after the root.
    pub fn extensions(&self) -> &[String] {
        &self.extensions
    }

    /// The text that is signed, with its final newline.
    pub fn to_text(&self) -> String {
        let head = format!("{}\n{}\n{}\n", self.origin, self.head.size, self.head.root.to_base64());
        self.extensions.iter().fold(head, |text, line| text + line + "\n")
    }

    /// The note of it, signed by these keys. A log must never sign two checkpoints of which the one is no
    /// extension of the other: whoever calls this has made sure.
    pub fn sign(&self, signers: &[&Signer]) -> Result<Note, SealError> {
        let text = self.to_text();
        let lines = signers.iter().map(|signer| signer.sign(&text)).collect::<Result<_, _>>()?;
        Ok(Note::new(text, lines)?)
    }
}

#[cfg(test)]
mod tests;
