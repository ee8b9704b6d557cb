//! SM2 signatures with SM3, in the forms that other tools of the standard take.

use sm2::dsa::signature::{Signer as _, Verifier as _};
use sm2::dsa::{Signature, SigningKey, VerifyingKey};

use super::{KeyError, SignError, Wrong};

/// The distinguishing id of a signer that has no other (GB/T 35276-2017 §10).
const DISTINGUISHING_ID: &str = "1234567812345678";
/// An uncompressed point: `0x04`, x, y.
const PUBLIC_LENGTH: usize = 65;

/// From an uncompressed point; no other form is taken, so that a key has one id.
pub(super) fn public(bytes: &[u8]) -> Result<VerifyingKey, KeyError> {
    if bytes.len() != PUBLIC_LENGTH {
        return Err(KeyError::Damaged);
    }
    VerifyingKey::from_sec1_bytes(DISTINGUISHING_ID, bytes).map_err(|_| KeyError::Damaged)
}

/// From a scalar of 32 bytes, big-endian, from 1 to the order less 2.
pub(super) fn secret(bytes: &[u8]) -> Result<SigningKey, KeyError> {
    if bytes.len() != 32 {
        return Err(KeyError::Damaged);
    }
    SigningKey::from_slice(DISTINGUISHING_ID, bytes).map_err(|_| KeyError::Damaged)
}

/// r ‖ s over SM3(Z ‖ message). The nonce is derived from key and message (RFC 6979), so the same message gets
/// the same signature and no randomness is needed.
pub(super) fn sign(key: &SigningKey, message: &[u8]) -> Result<Vec<u8>, SignError> {
    let signature = key.try_sign(message).map_err(|_| SignError::NoSignature)?;
    Ok(signature.to_bytes().to_vec())
}

pub(super) fn verify(key: &VerifyingKey, message: &[u8], signature: &[u8]) -> Result<(), Wrong> {
    let signature = Signature::from_slice(signature).map_err(|_| Wrong)?;
    key.verify(message, &signature).map_err(|_| Wrong)
}
