//! Secret keys: a log's, which signs, and a witness's, which cosigns. As text both are
//! `PRIVATE+KEY+<name>+<id>+<base64 of type and secret>`, the form that Go's `note` package has.

use std::fmt;

use ed25519_dalek::Signer as _;

use super::{KeyError, KeyName, KeyType, TIME_MAX, Verifier, cosigned, join, parts, sm2};
use crate::note::SignatureLine;
use crate::policy::Verified;

const PREFIX: &str = "PRIVATE+KEY+";

/// Why nothing was signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// SM2 has no signature for this message under this nonce: as good as never.
    #[error("SM2 has no signature for this message")]
    NoSignature,
    /// The time is beyond [`TIME_MAX`].
    #[error("the time {0} is beyond what a cosignature can hold")]
    Time(u64),
}

/// A log's secret key. Only the text that was checked before goes to [`Signer::sign`]: whatever it signs is said
/// by the log.
pub struct Signer {
    secret: Secret,
    verifier: Verifier,
}

enum Secret {
    Ed25519(Box<ed25519_dalek::SigningKey>),
    Sm2(Box<::sm2::dsa::SigningKey>),
}

impl Signer {
    /// An Ed25519 key, from 32 random bytes.
    pub fn ed25519(name: KeyName, seed: &[u8; 32]) -> Result<Self, KeyError> {
        let key = ed25519_dalek::SigningKey::from_bytes(seed);
        let verifier = Verifier::new(name, KeyType::Ed25519, key.verifying_key().as_bytes())?;
        Ok(Self { secret: Secret::Ed25519(Box::new(key)), verifier })
    }

    /// An SM2 key, from 32 random bytes. About one seed in 2^32 is none: [`KeyError::Damaged`], draw another.
    pub fn sm2(name: KeyName, seed: &[u8; 32]) -> Result<Self, KeyError> {
        let key = sm2::secret(seed)?;
        let verifier = Verifier::new(name, KeyType::Sm2, &key.verifying_key().to_sec1_bytes())?;
        Ok(Self { secret: Secret::Sm2(Box::new(key)), verifier })
    }

    /// From its text. Fails with [`KeyError::Type`] of a witness's key.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let (name, id, key_type, secret) = private(text)?;
        let seed = secret.as_slice().try_into().map_err(|_| KeyError::Damaged)?;
        let signer = match key_type {
            KeyType::Ed25519 => Self::ed25519(name, seed)?,
            KeyType::Sm2 => Self::sm2(name, seed)?,
            KeyType::Cosignature => return Err(KeyError::Type),
        };
        same_id(&signer.verifier, id)?;
        Ok(signer)
    }

    /// As text: the secret itself, to be stored where secrets are.
    pub fn to_secret_text(&self) -> String {
        let secret: &[u8] = match &self.secret {
            Secret::Ed25519(key) => key.as_bytes(),
            Secret::Sm2(key) => &key.to_bytes(),
        };
        secret_text(&self.verifier, secret)
    }

    /// The public key to it.
    pub fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// Its signature of a note's text.
    pub fn sign(&self, text: &str) -> Result<SignatureLine, SignError> {
        let bytes = match &self.secret {
            Secret::Ed25519(key) => key.sign(text.as_bytes()).to_bytes().to_vec(),
            Secret::Sm2(key) => sm2::sign(key, text.as_bytes())?,
        };
        Ok(SignatureLine::new(self.verifier.name().clone(), self.verifier.id(), bytes))
    }
}

/// A witness's secret key, which signs checkpoints with a time and nothing else.
pub struct Cosigner {
    secret: ed25519_dalek::SigningKey,
    verifier: Verifier,
}

impl Cosigner {
    /// An Ed25519 key, from 32 random bytes. It must be no log's key and no other witness's.
    pub fn new(name: KeyName, seed: &[u8; 32]) -> Result<Self, KeyError> {
        let secret = ed25519_dalek::SigningKey::from_bytes(seed);
        let verifier = Verifier::new(name, KeyType::Cosignature, secret.verifying_key().as_bytes())?;
        Ok(Self { secret, verifier })
    }

    /// From its text. Fails with [`KeyError::Type`] of a log's key.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let (name, id, key_type, secret) = private(text)?;
        if key_type != KeyType::Cosignature {
            return Err(KeyError::Type);
        }
        let cosigner = Self::new(name, secret.as_slice().try_into().map_err(|_| KeyError::Damaged)?)?;
        same_id(&cosigner.verifier, id)?;
        Ok(cosigner)
    }

    /// As text: the secret itself, to be stored where secrets are.
    pub fn to_secret_text(&self) -> String {
        secret_text(&self.verifier, self.secret.as_bytes())
    }

    /// The public key to it.
    pub fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// Its statement that at `at`, in seconds since 1970 UTC, this is the largest tree of the log that it has seen
    /// (`cosignature/v1`). What [`crate::witness::decide`] gave, and only after it was stored.
    pub fn cosign(&self, verified: &Verified, at: u64) -> Result<SignatureLine, SignError> {
        if at > TIME_MAX {
            return Err(SignError::Time(at));
        }
        let signature = self.secret.sign(cosigned(at, verified.note().text()).as_bytes());
        let bytes = [at.to_be_bytes().as_slice(), &signature.to_bytes()].concat();
        Ok(SignatureLine::new(self.verifier.name().clone(), self.verifier.id(), bytes))
    }
}

fn private(text: &str) -> Result<(KeyName, u32, KeyType, Vec<u8>), KeyError> {
    parts(text.strip_prefix(PREFIX).ok_or(KeyError::Form)?)
}

fn same_id(verifier: &Verifier, found: u32) -> Result<(), KeyError> {
    if verifier.id() == found { Ok(()) } else { Err(KeyError::Id { expected: verifier.id(), found }) }
}

fn secret_text(verifier: &Verifier, secret: &[u8]) -> String {
    format!("{PREFIX}{}", join(verifier.name(), verifier.id(), verifier.key_type(), secret))
}

/// Shows the public key, never the secret.
impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("verifier", &self.verifier).finish_non_exhaustive()
    }
}

/// Shows the public key, never the secret.
impl fmt::Debug for Cosigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cosigner").field("verifier", &self.verifier).finish_non_exhaustive()
    }
}
