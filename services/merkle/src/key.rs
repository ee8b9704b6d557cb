//! Keys of signed notes: names, types and ids (C2SP `signed-note`), and the strings in which keys are handed on.
//!
//! Three types of signature: Ed25519, by which a log signs; timestamped Ed25519 cosignatures, by which a
//! witness does (C2SP `tlog-cosignature`); and SM2 with SM3, assigned locally.

mod signer;
mod sm2;
mod verifier;

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

pub use signer::{Cosigner, SignError, Signer};
pub use verifier::Verifier;

/// The latest time of a cosignature, in seconds since 1970 UTC.
pub const TIME_MAX: u64 = i64::MAX as u64;

/// Why a text is no key, or no name of one. Never tells what a secret key holds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The name is empty, or has a space, a plus or a control character.
    #[error("the name of a key is not empty and has no space, plus or control character")]
    Name,
    /// It has not the parts of a key.
    #[error("not a key: expected <name>+<8 hexadecimal digits>+<base64>")]
    Form,
    /// A signature type that is not known here, or not one for this use.
    #[error("a key of a type that can't be used here")]
    Type,
    /// The key's bytes are no key of its type.
    #[error("the key is damaged")]
    Damaged,
    /// The id is not the one that follows from name, type and key.
    #[error("the key's id is {found:08x}, but it should be {expected:08x}")]
    Id {
        /// What follows from name, type and key.
        expected: u32,
        /// What stands there.
        found: u32,
    },
}

/// The bytes are not the signature that they should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wrong;

/// The name of a key: not empty, no Unicode space, no plus. Best a URL without scheme, as `example.com/log`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyName(String);

impl KeyName {
    /// As a slice.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KeyName {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        // A control character couldn't stand in a note.
        let plain = |c: char| !c.is_whitespace() && c >= ' ' && c != '+';
        if !text.is_empty() && text.chars().all(plain) {
            Ok(Self(text.to_owned()))
        } else {
            Err(KeyError::Name)
        }
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The type of a key's signatures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyType {
    /// `0x01`: Ed25519 over the text.
    Ed25519,
    /// `0x04`: Ed25519 over a time and a checkpoint.
    Cosignature,
    /// `0xff`, then `duban/sm2-sm3/v1` and a newline: SM2 with SM3 (GB/T 32918.2-2016) over the text. The public
    /// key is its uncompressed point of 65 bytes, the signature r and s of 32 bytes each, and the signer's
    /// distinguishing id the usual `1234567812345678` (GB/T 35276-2017 §10).
    Sm2,
}

impl KeyType {
    const ALL: [KeyType; 3] = [KeyType::Ed25519, KeyType::Cosignature, KeyType::Sm2];

    /// The type identifier, which stands before the key's bytes.
    pub fn identifier(self) -> &'static [u8] {
        match self {
            KeyType::Ed25519 => &[0x01],
            KeyType::Cosignature => &[0x04],
            KeyType::Sm2 => b"\xffduban/sm2-sm3/v1\n",
        }
    }

    /// The type, and the key after it.
    fn split(bytes: &[u8]) -> Option<(Self, &[u8])> {
        Self::ALL.into_iter().find_map(|one| Some((one, bytes.strip_prefix(one.identifier())?)))
    }

    /// The id of a key: the first four bytes of SHA-256(name ‖ newline ‖ type ‖ public key). SHA-256 whatever the
    /// signature's own hash, as the specification has it.
    fn id(self, name: &KeyName, public: &[u8]) -> u32 {
        let hash = Sha256::new()
            .chain_update(name.as_str())
            .chain_update(b"\n")
            .chain_update(self.identifier())
            .chain_update(public)
            .finalize();
        u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]])
    }
}

/// What a cosignature signs: a time before the text of the checkpoint.
fn cosigned(at: u64, text: &str) -> String {
    format!("cosignature/v1\ntime {at}\n{text}")
}

/// The parts of `<name>+<id>+<base64 of type and key>`. Base64 has pluses of its own, names have none.
fn parts(text: &str) -> Result<(KeyName, u32, KeyType, Vec<u8>), KeyError> {
    use base64::Engine;
    let (name, rest) = text.split_once('+').ok_or(KeyError::Form)?;
    let (id, key) = rest.split_once('+').ok_or(KeyError::Form)?;
    let digits = id.len() == 8 && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let id = digits.then(|| u32::from_str_radix(id, 16).ok()).flatten().ok_or(KeyError::Form)?;
    let key = base64::engine::general_purpose::STANDARD.decode(key).map_err(|_| KeyError::Form)?;
    let (key_type, key) = KeyType::split(&key).ok_or(KeyError::Type)?;
    Ok((name.parse()?, id, key_type, key.to_vec()))
}

/// `<name>+<id>+<base64 of type and key>`.
fn join(name: &KeyName, id: u32, key_type: KeyType, key: &[u8]) -> String {
    use base64::Engine;
    let bytes = [key_type.identifier(), key].concat();
    format!("{name}+{id:08x}+{}", base64::engine::general_purpose::STANDARD.encode(bytes))
}

#[cfg(test)]
mod tests;
