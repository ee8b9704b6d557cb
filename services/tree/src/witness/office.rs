//! A witness: its key, the logs that it knows, and the last tree of each that it has cosigned.
//!
//! ```text
//! key              the secret key, as C2SP text; only its owner may read it
//! lock             held by the one process that cosigns
//! logs/1f…         of each log the last checkpoint that was cosigned, with its origin, size and root
//! forks/1f…        the first checkpoint of a log that contradicts the one cosigned: evidence against it
//! ```
//! The folder must never be restored from a backup: a witness that is set back can be shown another history.

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use duban_merkle::key::{KeyError, KeyType, SignError};
use duban_merkle::policy::PolicyError;
use duban_merkle::proof::{ProofError, TreeHead};
use duban_merkle::witness::{AddCheckpoint, Refusal, Witnessed, decide};
use duban_merkle::{Algorithm, Cosigner, Hash, KeyName, Policy, Quorum, SignatureLine, Verifier};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::ask::SIZE;
use crate::disk::{self, fault};
use crate::store::StoreError;

const KEY: &str = "key";
const LOCK: &str = "lock";
const LOGS: &str = "logs";
const FORKS: &str = "forks";
const TEXT: &str = "text/plain; charset=utf-8";

/// The longest request that is taken, in bytes: a proof, and a note of the length at which a log of ours is served,
/// with room for one that has more to say.
pub const REQUEST_MAX: usize = 128 * 1024;

/// Why a witness can't begin.
#[derive(Debug, thiserror::Error)]
pub enum OfficeError {
    /// It has no key yet.
    #[error("there is no key in {0}: make one with a name")]
    NoKey(PathBuf),
    /// It has a key of another name.
    #[error("the key in {folder} is called {found}")]
    OtherName {
        /// The witness's folder.
        folder: PathBuf,
        /// The name of its key.
        found: KeyName,
    },
    /// Another process cosigns with it.
    #[error("the witness in {0} is run by another process")]
    InUse(PathBuf),
    /// Its key can't be read or made.
    #[error("the key {0} can't be used")]
    Key(PathBuf, #[source] KeyError),
    /// A log's keys are none, or stand twice.
    #[error("the keys of {origin} can't be used")]
    Log {
        /// The log's origin.
        origin: String,
        /// Why not.
        #[source]
        error: PolicyError,
    },
    /// The keys of one log sign trees of different hashes.
    #[error("the keys of {0} are of trees that are hashed differently")]
    Mixed(String),
    /// The system gives no randomness for a key.
    #[error("the system gives no randomness: {0}")]
    Random(String),
    /// The folder can't be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a checkpoint was not cosigned.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The log's fault, or the asker's.
    #[error(transparent)]
    Refusal(#[from] Refusal),
    /// What is about to be cosigned can't be stored: nothing is signed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The time is none that can be signed.
    #[error(transparent)]
    Sign(#[from] SignError),
}

impl Refused {
    /// The status that the protocol has for it.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Refusal(Refusal::BadRequest(_)) => StatusCode::BAD_REQUEST,
            Self::Refusal(Refusal::NotFound(_)) => StatusCode::NOT_FOUND,
            Self::Refusal(Refusal::Forbidden(_)) => StatusCode::FORBIDDEN,
            Self::Refusal(Refusal::Conflict(_)) => StatusCode::CONFLICT,
            Self::Refusal(Refusal::Unprocessable(_)) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Store(_) | Self::Sign(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// What is answered to `add-checkpoint`: status, media type and body.
pub fn reply(cosigned: &Result<SignatureLine, Refused>) -> (StatusCode, &'static str, String) {
    match cosigned {
        Ok(line) => (StatusCode::OK, TEXT, format!("{line}\n")),
        Err(Refused::Refusal(Refusal::Conflict(size))) => (StatusCode::CONFLICT, SIZE, format!("{size}\n")),
        // What is wrong with the disk is told to the log lines alone.
        Err(refused @ (Refused::Store(_) | Refused::Sign(_))) => {
            (refused.status(), TEXT, "the witness can't sign now\n".to_owned())
        }
        Err(refused @ Refused::Refusal(_)) => (refused.status(), TEXT, format!("{refused}\n")),
    }
}

/// A log that a witness knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Its origin.
    pub origin: String,
    /// The keys that it signs with: several while one hands over to the next.
    pub keys: Vec<Verifier>,
}

/// The last checkpoint of a log that was cosigned, as it is stored.
#[derive(Debug, Serialize, Deserialize)]
struct Stored {
    origin: String,
    size: u64,
    root: Hash,
    /// The note, as the log signed it.
    checkpoint: String,
}

/// A witness at work: the only process that cosigns with its key.
#[derive(Debug)]
pub struct Office {
    folder: PathBuf,
    key: Cosigner,
    logs: BTreeMap<String, Mutex<Witnessed>>,
    /// Held until it is dropped.
    _lock: File,
}

/// Makes the key of a witness, unless there is one of this name; what to give to logs and auditors.
pub fn make_key(folder: &Path, name: &KeyName) -> Result<Verifier, OfficeError> {
    disk::make(folder)?;
    let _alone = own(folder)?;
    if let Some(key) = stored_key(folder)? {
        let found = key.verifier().name().clone();
        let other = || OfficeError::OtherName { folder: folder.to_owned(), found };
        return if key.verifier().name() == name { Ok(key.verifier().clone()) } else { Err(other()) };
    }
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| OfficeError::Random(error.to_string()))?;
    let path = folder.join(KEY);
    let key = Cosigner::new(name.clone(), &seed).map_err(|error| OfficeError::Key(path.clone(), error))?;
    disk::replace_secret(&path, format!("{}\n", key.to_secret_text()).as_bytes())?;
    Ok(key.verifier().clone())
}

/// The public key of the witness in a folder.
pub fn verifier(folder: &Path) -> Result<Verifier, OfficeError> {
    let key = stored_key(folder)?.ok_or_else(|| OfficeError::NoKey(folder.to_owned()))?;
    Ok(key.verifier().clone())
}

impl Office {
    /// The witness in a folder that has a key, for these logs. Keys of one origin are put together.
    pub fn open(
        folder: impl Into<PathBuf>,
        logs: impl IntoIterator<Item = Known>,
    ) -> Result<Self, OfficeError> {
        let folder = folder.into();
        let key = stored_key(&folder)?.ok_or_else(|| OfficeError::NoKey(folder.clone()))?;
        let lock = own(&folder)?;
        for inside in [LOGS, FORKS] {
            disk::make(&folder.join(inside))?;
        }
        let mut keys: BTreeMap<String, Vec<Verifier>> = BTreeMap::new();
        for Known { origin, keys: more } in logs {
            let known = keys.entry(origin).or_default();
            for key in more {
                if !known.contains(&key) {
                    known.push(key);
                }
            }
        }
        let logs = keys.into_iter().map(|(origin, keys)| {
            let witnessed = witnessed(&folder, &origin, keys)?;
            Ok((origin, Mutex::new(witnessed)))
        });
        let logs = logs.collect::<Result<_, OfficeError>>()?;
        Ok(Self { folder, key, logs, _lock: lock })
    }

    /// Its public key.
    pub fn verifier(&self) -> &Verifier {
        self.key.verifier()
    }

    /// The origins of the logs that it knows, each with the size last cosigned.
    pub fn logs(&self) -> Vec<(&str, u64)> {
        self.logs.iter().map(|(origin, log)| (origin.as_str(), lock(log).head.size)).collect()
    }

    /// Cosigns a checkpoint at `at`, in seconds since 1970 UTC; `body` is that of `add-checkpoint`.
    ///
    /// One request of a log follows the other: the new head is compared with the old and on the disk before the
    /// cosignature is made. If we crash right there, the log is told of the new size and asks once more.
    pub fn add(&self, body: &[u8], at: u64) -> Result<SignatureLine, Refused> {
        let request = AddCheckpoint::parse(body).map_err(Refusal::from)?;
        let Some(log) = self.logs.get(request.origin()) else {
            return Err(decide(&request, None)
                .err()
                .map_or_else(|| Refusal::NotFound(request.origin().to_owned()).into(), Refused::from));
        };
        let mut log = lock(log);
        let verified = match decide(&request, Some(&log)) {
            Ok(verified) => verified,
            Err(refusal) => {
                if let Refusal::Unprocessable(fork @ ProofError::Fork { .. }) = &refusal {
                    tracing::error!(origin = request.origin(), %fork, "a log has signed two histories");
                    self.keep_evidence(&request)?;
                }
                return Err(refusal.into());
            }
        };
        let head = verified.head();
        if head != log.head {
            let TreeHead { size, root } = head;
            let checkpoint = verified.note().to_string();
            self.store(&Stored { origin: request.origin().to_owned(), size, root, checkpoint })?;
            log.head = head;
        }
        Ok(self.key.cosign(&verified, at)?)
    }

    fn store(&self, stored: &Stored) -> Result<(), StoreError> {
        let file = place(&self.folder, LOGS, &stored.origin);
        let text = serde_json::to_vec_pretty(stored)
            .map_err(|error| StoreError::Damaged { file: file.clone(), what: error.to_string() })?;
        disk::replace(&file, &text)
    }

    /// The first one is kept: each is proof enough, and nobody fills the disk with more.
    fn keep_evidence(&self, request: &AddCheckpoint) -> Result<(), StoreError> {
        let file = place(&self.folder, FORKS, request.origin());
        if disk::read(&file)?.is_some() {
            Ok(())
        } else {
            disk::replace(&file, request.note().to_string().as_bytes())
        }
    }
}

/// A log as the folder has it.
fn witnessed(folder: &Path, origin: &str, keys: Vec<Verifier>) -> Result<Witnessed, OfficeError> {
    let of_key = |key: &Verifier| match key.key_type() {
        KeyType::Ed25519 | KeyType::Cosignature => Algorithm::Sha256,
        KeyType::Sm2 => Algorithm::Sm3,
    };
    let algorithm = keys.first().map_or(Algorithm::Sha256, of_key);
    if keys.iter().any(|key| of_key(key) != algorithm) {
        return Err(OfficeError::Mixed(origin.to_owned()));
    }
    let policy = Policy::new(origin, keys, Quorum::none())
        .map_err(|error| OfficeError::Log { origin: origin.to_owned(), error })?;
    let file = place(folder, LOGS, origin);
    let Some(bytes) = disk::read(&file)? else {
        return Ok(Witnessed { policy, algorithm, head: TreeHead::empty(algorithm) });
    };
    let damaged = |what: String| StoreError::Damaged { file: file.clone(), what };
    let stored: Stored = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
    if stored.origin != origin {
        return Err(damaged(format!("it is of {}", stored.origin)).into());
    }
    Ok(Witnessed { policy, algorithm, head: TreeHead { size: stored.size, root: stored.root } })
}

/// The file of a log. An origin may be anything that fits on a line: its digest is a name.
fn place(folder: &Path, inside: &str, origin: &str) -> PathBuf {
    folder.join(inside).join(hex::encode(&Sha256::digest(origin.as_bytes())[..16]))
}

fn own(folder: &Path) -> Result<File, OfficeError> {
    let path = folder.join(LOCK);
    let file = File::create(&path).map_err(fault(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OfficeError::InUse(folder.to_owned())),
        Err(TryLockError::Error(error)) => Err(fault(&path)(error).into()),
    }
}

fn stored_key(folder: &Path) -> Result<Option<Cosigner>, OfficeError> {
    let path = folder.join(KEY);
    let Some(bytes) = disk::read(&path)? else { return Ok(None) };
    let damaged = |_| OfficeError::Key(path.clone(), KeyError::Form);
    let text = String::from_utf8(bytes).map_err(damaged)?;
    let key = Cosigner::parse(text.trim_end()).map_err(|error| OfficeError::Key(path, error))?;
    Ok(Some(key))
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
