//! A commitment to bytes that the leaf doesn't show: the hash of a nonce and the bytes. Who may read the event
//! can check it; who may not can't guess a short body, because the nonce is random and secret with it.

use serde::{Deserialize, Serialize};

use crate::hash::{Algorithm, Hash};

/// H(nonce ‖ bytes). In JSON it is `{"sha256":"…"}`, the key being the algorithm's tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Commitment {
    /// With SHA-256.
    #[serde(rename = "sha256")]
    Sha256(Hash),
    /// With SM3.
    #[serde(rename = "sm3")]
    Sm3(Hash),
}

impl Commitment {
    /// To these bytes under this nonce.
    pub fn new(algorithm: Algorithm, nonce: &[u8; 32], bytes: &[u8]) -> Self {
        let hash = algorithm.hash(&[nonce, bytes]);
        match algorithm {
            Algorithm::Sha256 => Self::Sha256(hash),
            Algorithm::Sm3 => Self::Sm3(hash),
        }
    }

    /// The algorithm it was made with.
    pub fn algorithm(&self) -> Algorithm {
        match self {
            Commitment::Sha256(_) => Algorithm::Sha256,
            Commitment::Sm3(_) => Algorithm::Sm3,
        }
    }

    /// Whether it is to these bytes under this nonce.
    pub fn opens(&self, nonce: &[u8; 32], bytes: &[u8]) -> bool {
        *self == Self::new(self.algorithm(), nonce, bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_for_its_own_bytes_and_nonce_alone() {
        for algorithm in Algorithm::ALL {
            let made = Commitment::new(algorithm, &[7; 32], b"body");
            assert!(made.opens(&[7; 32], b"body"));
            assert!(!made.opens(&[8; 32], b"body"));
            assert!(!made.opens(&[7; 32], b"bodY"));
        }
    }

    #[test]
    fn it_is_the_hash_of_the_nonce_and_then_the_bytes() {
        let whole = [[7; 32].as_slice(), b"body"].concat();
        let plain = Algorithm::Sha256.hash(&[&whole]);
        assert_eq!(Commitment::new(Algorithm::Sha256, &[7; 32], b"body"), Commitment::Sha256(plain));
        assert_eq!(
            serde_json::to_string(&Commitment::Sm3(plain)).unwrap(),
            format!("{{\"sm3\":\"{plain}\"}}")
        );
    }
}
