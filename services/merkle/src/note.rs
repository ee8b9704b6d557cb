//! Signed notes (C2SP `signed-note`): a text, a blank line, and signatures of the text, a line each.
//!
//! A note says nothing until one of its signatures is verified with a key that is trusted. Signatures of unknown
//! keys are kept and ignored: others may know them.

mod parse;

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::key::{KeyName, Verifier, Wrong};

/// The longest note, in bytes.
pub const NOTE_MAX: usize = 1_000_000;
/// The most signatures of a note. The specification asks for at least 16.
pub const SIGNATURES_MAX: usize = 64;

/// Why this is no note, or none to be believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Longer than [`NOTE_MAX`].
    #[error("a note of {0} bytes, at most {NOTE_MAX} are taken")]
    TooLong(usize),
    /// Not UTF-8.
    #[error("a note is UTF-8")]
    Utf8,
    /// A control character other than newline.
    #[error("a note has no control character but newline")]
    Control,
    /// The text doesn't end with a newline, or no blank line and signature follow.
    #[error("a note is a text, a blank line and lines of signatures, each ending with a newline")]
    Form,
    /// A line among the signatures that is none, from 1 on.
    #[error("line {0} after the text is no signature: expected — <name> <base64 of key id and signature>")]
    Signature(usize),
    /// More than [`SIGNATURES_MAX`].
    #[error("a note of {0} signatures, at most {SIGNATURES_MAX} are taken")]
    Signatures(usize),
    /// The signature of a known key is wrong: the text, the signature or the key is not what it should be.
    #[error("the signature of {name}+{id:08x} is wrong")]
    Wrong {
        /// The name of the key.
        name: KeyName,
        /// Its id.
        id: u32,
    },
    /// Two known keys have one name and id.
    #[error("two known keys are called {name}+{id:08x}")]
    Ambiguous {
        /// The name of both.
        name: KeyName,
        /// The id of both.
        id: u32,
    },
    /// None of the signatures is of a known key.
    #[error("the note is not signed by a known key")]
    Unsigned,
}

/// One signature: whose it is, and its bytes. Unverified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureLine {
    name: KeyName,
    id: u32,
    bytes: Vec<u8>,
}

impl SignatureLine {
    pub(crate) fn new(name: KeyName, id: u32, bytes: Vec<u8>) -> Self {
        Self { name, id, bytes }
    }

    /// The name of the key that it claims to be by.
    pub fn name(&self) -> &KeyName {
        &self.name
    }

    /// The id of that key.
    pub fn id(&self) -> u32 {
        self.id
    }

    fn is_by(&self, key: &Verifier) -> bool {
        self.id == key.id() && self.name == *key.name()
    }
}

/// The line without its newline: `— <name> <base64 of id and signature>`.
impl fmt::Display for SignatureLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [self.id.to_be_bytes().as_slice(), &self.bytes].concat();
        write!(f, "— {} {}", self.name, STANDARD.encode(bytes))
    }
}

/// A signature that was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// The name of the key.
    pub name: KeyName,
    /// Its id.
    pub id: u32,
    /// When, if it is a cosignature: seconds since 1970 UTC.
    pub at: Option<u64>,
}

impl Signed {
    /// Whether it is of this key.
    pub fn is_by(&self, key: &Verifier) -> bool {
        self.id == key.id() && self.name == *key.name()
    }
}

/// A text and its signatures, in the form of a note. Unverified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<SignatureLine>,
}

impl Note {
    /// The note of this text, which ends with a newline, and these signatures. Fails as [`Note::parse`] would of
    /// its bytes.
    pub fn new(text: String, signatures: Vec<SignatureLine>) -> Result<Self, NoteError> {
        let note = Self { text, signatures };
        // What can't be read back as it is must not be written.
        let same = Self::parse(note.to_string().as_bytes())?;
        if same == note { Ok(note) } else { Err(NoteError::Form) }
    }

    /// Reads a note. Says nothing of whether it is signed by anybody.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        let (text, signatures) = parse::note(bytes)?;
        Ok(Self { text: text.to_owned(), signatures })
    }

    /// The signed text, with its final newline.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its signatures, known and unknown.
    pub fn signatures(&self) -> &[SignatureLine] {
        &self.signatures
    }

    /// The same with these signatures after its own; those it has already are not repeated.
    pub fn with(mut self, signatures: impl IntoIterator<Item = SignatureLine>) -> Result<Self, NoteError> {
        for signature in signatures {
            if !self.signatures.contains(&signature) {
                self.signatures.push(signature);
            }
        }
        Self::new(self.text, self.signatures)
    }

    /// The signatures of these keys, all verified. Fails if one is wrong, if there is none, or if two of the keys
    /// have one name and id. Signatures of other keys are ignored.
    pub fn verify(&self, keys: &[&Verifier]) -> Result<Vec<Signed>, NoteError> {
        let mut verified = Vec::new();
        for line in &self.signatures {
            verified.extend(verify(&self.text, line, keys)?);
        }
        if verified.is_empty() { Err(NoteError::Unsigned) } else { Ok(verified) }
    }
}

/// One signature of a text: `None` if its key is not known.
pub(crate) fn verify(
    text: &str,
    line: &SignatureLine,
    keys: &[&Verifier],
) -> Result<Option<Signed>, NoteError> {
    let (name, id) = (line.name.clone(), line.id);
    let mut known = keys.iter().filter(|key| line.is_by(key));
    let Some(key) = known.next() else { return Ok(None) };
    if known.next().is_some() {
        return Err(NoteError::Ambiguous { name, id });
    }
    match key.verify(text, &line.bytes) {
        Ok(at) => Ok(Some(Signed { name, id, at })),
        Err(Wrong) => Err(NoteError::Wrong { name, id }),
    }
}

/// Reads lines of signatures alone, as a witness answers with; at least one.
pub fn parse_signatures(bytes: &[u8]) -> Result<Vec<SignatureLine>, NoteError> {
    parse::signatures(parse::text(bytes)?)
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

#[cfg(test)]
mod tests;
