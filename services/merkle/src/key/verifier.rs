//! Public keys, as verifiers have them.

use std::fmt;
use std::str::FromStr;

use super::{KeyError, KeyName, KeyType, TIME_MAX, Wrong, cosigned, join, parts, sm2};

/// A public key with its name. As text it is a *vkey*: `<name>+<id>+<base64 of type and key>`.
#[derive(Clone)]
pub struct Verifier {
    name: KeyName,
    id: u32,
    key: Public,
}

#[derive(Clone)]
enum Public {
    Ed25519(Box<ed25519_dalek::VerifyingKey>),
    Cosignature(Box<ed25519_dalek::VerifyingKey>),
    Sm2(Box<::sm2::dsa::VerifyingKey>),
}

impl Verifier {
    /// The key of this name and type, from the bytes of the public key. Fails with [`KeyError::Damaged`].
    pub fn new(name: KeyName, key_type: KeyType, public: &[u8]) -> Result<Self, KeyError> {
        let key = match key_type {
            KeyType::Ed25519 => Public::Ed25519(Box::new(ed25519(public)?)),
            KeyType::Cosignature => Public::Cosignature(Box::new(ed25519(public)?)),
            KeyType::Sm2 => Public::Sm2(Box::new(sm2::public(public)?)),
        };
        let id = key_type.id(&name, public);
        Ok(Self { name, id, key })
    }

    /// Its name.
    pub fn name(&self) -> &KeyName {
        &self.name
    }

    /// Its id, by which a signature says whose it is.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Its type.
    pub fn key_type(&self) -> KeyType {
        match self.key {
            Public::Ed25519(_) => KeyType::Ed25519,
            Public::Cosignature(_) => KeyType::Cosignature,
            Public::Sm2(_) => KeyType::Sm2,
        }
    }

    /// The bytes of the public key.
    pub fn public(&self) -> Vec<u8> {
        match &self.key {
            Public::Ed25519(key) | Public::Cosignature(key) => key.to_bytes().to_vec(),
            Public::Sm2(key) => key.to_sec1_bytes().into_vec(),
        }
    }

    /// Whether these bytes are its signature of the text; of a cosignature, when it was made, in seconds since
    /// 1970 UTC.
    pub(crate) fn verify(&self, text: &str, signature: &[u8]) -> Result<Option<u64>, Wrong> {
        match &self.key {
            Public::Ed25519(key) => strictly(key, text, signature).map(|()| None),
            Public::Cosignature(key) => {
                let (at, signature) = signature.split_first_chunk().ok_or(Wrong)?;
                let at = u64::from_be_bytes(*at);
                if at > TIME_MAX {
                    return Err(Wrong);
                }
                strictly(key, &cosigned(at, text), signature).map(|()| Some(at))
            }
            Public::Sm2(key) => sm2::verify(key, text.as_bytes(), signature).map(|()| None),
        }
    }
}

/// A weak key would verify signatures of texts that nobody signed.
fn ed25519(public: &[u8]) -> Result<ed25519_dalek::VerifyingKey, KeyError> {
    let bytes = public.try_into().map_err(|_| KeyError::Damaged)?;
    let key = ed25519_dalek::VerifyingKey::from_bytes(bytes).map_err(|_| KeyError::Damaged)?;
    if key.is_weak() { Err(KeyError::Damaged) } else { Ok(key) }
}

fn strictly(key: &ed25519_dalek::VerifyingKey, message: &str, signature: &[u8]) -> Result<(), Wrong> {
    let signature = ed25519_dalek::Signature::from_slice(signature).map_err(|_| Wrong)?;
    key.verify_strict(message.as_bytes(), &signature).map_err(|_| Wrong)
}

impl FromStr for Verifier {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let (name, found, key_type, public) = parts(text)?;
        let verifier = Self::new(name, key_type, &public)?;
        if verifier.id == found { Ok(verifier) } else { Err(KeyError::Id { expected: verifier.id, found }) }
    }
}

impl fmt::Display for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&join(&self.name, self.id, self.key_type(), &self.public()))
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A type, a name and a key are the same key: the id follows from them.
impl PartialEq for Verifier {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.key_type() == other.key_type() && self.public() == other.public()
    }
}

impl Eq for Verifier {}
