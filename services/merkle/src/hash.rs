//! Hashes of 32 bytes, and the two algorithms that make them. The tree's hashing is RFC 6962 §2.1: a leaf is
//! hashed behind a zero byte and a node behind a one, so that no leaf passes for a node.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
use sha2::{Digest, Sha256};
use sm3::Sm3;

/// The length of a hash, in bytes.
pub const LENGTH: usize = 32;

/// A hash. As text it is lower-case hexadecimal; in checkpoints and proofs it is base64.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash([u8; LENGTH]);

impl Hash {
    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8; LENGTH] {
        &self.0
    }

    /// Of exactly [`LENGTH`] bytes; `None` of another length.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// As base64 (RFC 4648 §4, padded): 44 characters.
    pub fn to_base64(self) -> String {
        STANDARD.encode(self.0)
    }

    /// From base64 in its one spelling; `None` of anything else.
    pub fn from_base64(text: &str) -> Option<Self> {
        STANDARD.decode(text).ok().and_then(|bytes| Self::from_slice(&bytes))
    }
}

impl From<[u8; LENGTH]> for Hash {
    fn from(bytes: [u8; LENGTH]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = [0; 2 * LENGTH];
        hex::encode_to_slice(self.0, &mut text).map_err(ser::Error::custom)?;
        serializer.serialize_str(std::str::from_utf8(&text).map_err(ser::Error::custom)?)
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut bytes = [0; LENGTH];
        hex::decode_to_slice(&text, &mut bytes).map_err(de::Error::custom)?;
        Ok(Self(bytes))
    }
}

/// A hash algorithm, by which a tree and the commitments in its leaves are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// SHA-256 (FIPS 180-4).
    Sha256,
    /// SM3 (GB/T 32905-2016).
    Sm3,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Algorithm; 2] = [Algorithm::Sha256, Algorithm::Sm3];

    /// Its stored name: `sha256` or `sm3`.
    pub fn tag(self) -> &'static str {
        match self {
            Algorithm::Sha256 => "sha256",
            Algorithm::Sm3 => "sm3",
        }
    }

    /// The algorithm of this stored name.
    pub fn from_tag(tag: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.tag() == tag)
    }

    /// The root of the tree without leaves: the hash of nothing.
    pub fn empty_root(self) -> Hash {
        self.hash(&[])
    }

    /// The hash of a leaf.
    pub fn leaf(self, leaf: &[u8]) -> Hash {
        self.hash(&[&[0x00], leaf])
    }

    /// The hash of a node over two subtrees.
    pub fn node(self, left: &Hash, right: &Hash) -> Hash {
        self.hash(&[&[0x01], &left.0, &right.0])
    }

    /// The hash of the parts, one after the other.
    pub(crate) fn hash(self, parts: &[&[u8]]) -> Hash {
        match self {
            Algorithm::Sha256 => Hash(digest::<Sha256>(parts)),
            Algorithm::Sm3 => Hash(digest::<Sm3>(parts)),
        }
    }
}

fn digest<D: Digest>(parts: &[&[u8]]) -> [u8; LENGTH]
where
    sha2::digest::Output<D>: Into<[u8; LENGTH]>,
{
    let mut hasher = D::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_of_nothing_is_the_standards_own() {
        // FIPS 180-4; GB/T 32905-2016 as other implementations have it.
        assert_eq!(
            Algorithm::Sha256.empty_root().to_string(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        assert_eq!(
            Algorithm::Sm3.empty_root().to_string(),
            "1ab21d8355cfa17f8e61194831e81a8f22bec8c728fefb747ed035eb5082aa2b"
        );
        // GB/T 32905-2016 A.1: "abc".
        assert_eq!(
            Algorithm::Sm3.hash(&[b"a", b"bc"]).to_string(),
            "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
        );
    }

    #[test]
    fn no_leaf_passes_for_a_node() {
        for algorithm in Algorithm::ALL {
            let (left, right) = (algorithm.leaf(b"left"), algorithm.leaf(b"right"));
            let forged = [left.as_bytes().as_slice(), right.as_bytes()].concat();
            assert_ne!(algorithm.leaf(&forged), algorithm.node(&left, &right));
            assert_ne!(algorithm.node(&left, &right), algorithm.node(&right, &left));
            assert_eq!(Algorithm::from_tag(algorithm.tag()), Some(algorithm));
        }
    }

    #[test]
    fn base64_has_one_spelling() {
        let hash = Algorithm::Sha256.leaf(b"x");
        let text = hash.to_base64();
        assert_eq!(Hash::from_base64(&text), Some(hash));
        let unpadded = text.trim_end_matches('=');
        let spaced = format!("{text} ");
        for other in [unpadded, &spaced, &text[4..], ""] {
            assert_eq!(Hash::from_base64(other), None, "{other}");
        }
        // The last character of 32 bytes carries two bits that must be zero: every other ending is refused.
        let endings = (b'0'..=b'z').map(|last| format!("{}{}=", &text[..42], char::from(last)));
        assert_eq!(endings.filter(|text| Hash::from_base64(text) == Some(hash)).count(), 1);
    }
}
