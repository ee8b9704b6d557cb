//! Who signs checkpoints: its keys, and the last size and root that it signed of each tree.
//!
//! It believes nobody: not the log's database, not the tree's folder. A tree that is smaller than the last one
//! that it signed, or that is no continuation of it, gets no signature. So its folder must be kept apart from
//! both, and must never be restored from a backup: who can set it back can have two histories signed.
//!
//! ```text
//! key-1a2b3c4d     a secret key, as C2SP text; only its owner may read it
//! new-1a2b3c4d     one that was drawn to be announced
//! signed.json      for each origin the last size and root that were signed
//! ```
//! What is signed is noted first, durably: a crash between the two costs a signature, never a second history.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use duban_merkle::checkpoint::{CheckpointError, SealError};
use duban_merkle::key::KeyError;
use duban_merkle::proof::{ProofError, TreeHead};
use duban_merkle::{Algorithm, Checkpoint, Hash, Note, Signer as Key, Verifier, consistency};
use serde::{Deserialize, Serialize};

use crate::disk::{self, fault};
use crate::keys::{Ring, Standing};
use crate::store::{StoreError, TreeId};

const SIGNED: &str = "signed.json";
const KEY: &str = "key-";
/// A key that was drawn, and that no event has announced yet: it signs nothing.
const DRAWN: &str = "new-";
/// Held while the last signed head is compared and set.
const LOCK: &str = "lock";

/// Why nothing was signed.
#[derive(Debug, thiserror::Error)]
pub enum SignerError {
    /// The tree is smaller than the last one signed: the log or the tree's folder was set back.
    #[error("the tree has {size} leaves, but one of {signed} was signed: the log or its tree was set back")]
    Smaller {
        /// The size that was signed last.
        signed: u64,
        /// The size that was to be signed.
        size: u64,
    },
    /// The tree is no continuation of the last one signed: history was changed.
    #[error("the tree of {size} leaves does not continue the one of {signed} that was signed")]
    Inconsistent {
        /// The size that was signed last.
        signed: u64,
        /// The size that was to be signed.
        size: u64,
        /// What is wrong with the proof.
        #[source]
        proof: ProofError,
    },
    /// There is a key, but not what it signed last: nobody can say whether the tree continues it.
    #[error(
        "what was signed last of {origin} is lost from {folder}: restore nothing there, ask the auditors"
    )]
    Forgotten {
        /// The tree's origin.
        origin: String,
        /// The signer's folder.
        folder: PathBuf,
    },
    /// A key can't be read or made.
    #[error("the key {0} can't be used")]
    Key(PathBuf, #[source] KeyError),
    /// The origin can't be the name of a key.
    #[error("{0} is no name of a key")]
    Name(String, #[source] KeyError),
    /// The checkpoint can't be written so.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A key doesn't sign.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// Its folder, or the tree's, can't be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A key was announced that is not in the folder: by another signer, or by whoever writes to the log's database.
    #[error("the key {0} was announced, but is not this signer's: nothing is signed that would vouch for it")]
    Stranger(Verifier),
    /// Every key is retired.
    #[error("no key of {0} is in force")]
    NoKey(String),
    /// The system gives no randomness for a key.
    #[error("the system gives no randomness: {0}")]
    Random(String),
}

/// What was signed last, of one tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Signed {
    size: u64,
    root: Hash,
}

/// What was signed last of each origin: `signed.json`.
type All = BTreeMap<String, Signed>;

/// The signer of one tree.
#[derive(Debug)]
pub struct Signer {
    folder: PathBuf,
    origin: String,
    algorithm: Algorithm,
}

/// A checkpoint that was signed.
#[derive(Debug)]
pub struct Signature {
    /// The note.
    pub note: Note,
    /// The keys that signed it, and the next one too.
    pub keys: Vec<Verifier>,
    /// Whether keys that were retired have signed it, for the last time: it is to be kept.
    pub hands_over: bool,
}

impl Signer {
    /// The signer of this tree, from its folder. Makes a key on first use: Ed25519, or SM2 for an SM3 tree.
    pub fn open(folder: impl Into<PathBuf>, tree: &TreeId) -> Result<Self, SignerError> {
        let folder = folder.into();
        disk::make(&folder)?;
        let TreeId { origin, algorithm, .. } = tree.clone();
        let signer = Self { folder, origin, algorithm };
        let _alone = signer.alone()?;
        if signer.stored(KEY)?.is_empty() {
            signer.begin()?;
        }
        Ok(signer)
    }

    /// The public keys that sign, or have signed.
    pub fn verifiers(&self) -> Result<Vec<Verifier>, SignerError> {
        Ok(self.stored(KEY)?.iter().map(|key| key.verifier().clone()).collect())
    }

    /// Draws a key that shall sign from its announcement on; what to announce.
    pub fn draw_next(&self) -> Result<Verifier, SignerError> {
        let key = self.draw()?;
        self.keep(DRAWN, &key)?;
        Ok(key.verifier().clone())
    }

    /// Forgets a key that was drawn and is not announced after all.
    pub fn forget(&self, key: &Verifier) -> Result<(), SignerError> {
        Ok(disk::remove(&self.place(DRAWN, key))?)
    }

    /// Signs the tree, if it continues the last one signed, with the keys that are in force by `ring`. Those that were
    /// retired after the last handover, at the size `handed_over`, sign once more. `prove` gives the consistency
    /// proof from a size to this one.
    pub fn sign(
        &self,
        head: TreeHead,
        ring: &Ring,
        handed_over: u64,
        prove: impl FnOnce(u64) -> Result<Vec<Hash>, StoreError>,
    ) -> Result<Signature, SignerError> {
        let _alone = self.alone()?;
        let (keys, hands_over) = self.in_force(head.size, ring, handed_over)?;
        let mut all = self.all()?;
        let forgotten =
            || SignerError::Forgotten { origin: self.origin.clone(), folder: self.folder.clone() };
        let last = *all.get(&self.origin).ok_or_else(forgotten)?;
        let (signed, size) = (last.size, head.size);
        if size < signed {
            return Err(SignerError::Smaller { signed, size });
        }
        let old = TreeHead { size: signed, root: last.root };
        let proof = if signed == 0 || signed == size { Vec::new() } else { prove(signed)? };
        consistency::verify(self.algorithm, &old, &head, &proof)
            .map_err(|proof| SignerError::Inconsistent { signed, size, proof })?;
        let checkpoint = Checkpoint::new(&self.origin, head)?;
        if old != head {
            all.insert(self.origin.clone(), Signed { size, root: head.root });
            self.note(&all)?;
        }
        let note = checkpoint.sign(&keys.iter().collect::<Vec<_>>())?;
        Ok(Signature { note, keys: keys.iter().map(|key| key.verifier().clone()).collect(), hands_over })
    }

    /// The keys that sign a tree of this size, and whether some of them do for the last time.
    fn in_force(&self, size: u64, ring: &Ring, handed_over: u64) -> Result<(Vec<Key>, bool), SignerError> {
        let mut keys = self.stored(KEY)?;
        for key in ring.announced(size) {
            if keys.iter().any(|known| *known.verifier() == key) {
                continue;
            }
            let drawn = self.stored(DRAWN)?.into_iter().find(|drawn| *drawn.verifier() == key);
            let drawn = drawn.ok_or_else(|| SignerError::Stranger(key.clone()))?;
            // Kept under its new name first: a crash between the two leaves it under both.
            self.keep(KEY, &drawn)?;
            disk::remove(&self.place(DRAWN, &key))?;
            keys.push(drawn);
        }
        let mut hands_over = false;
        keys.retain(|key| match ring.standing(key.verifier(), size) {
            Standing::First | Standing::InForce => true,
            Standing::Coming => false,
            Standing::Retired(position) => {
                hands_over |= position > handed_over;
                position > handed_over
            }
        });
        if keys.is_empty() {
            return Err(SignerError::NoKey(self.origin.clone()));
        }
        Ok((keys, hands_over))
    }

    fn place(&self, prefix: &str, key: &Verifier) -> PathBuf {
        self.folder.join(format!("{prefix}{:08x}", key.id()))
    }

    fn keep(&self, prefix: &str, key: &Key) -> Result<(), StoreError> {
        let text = format!("{}\n", key.to_secret_text());
        disk::replace_secret(&self.place(prefix, key.verifier()), text.as_bytes())
    }

    /// Waits until nobody else in the folder compares and sets.
    fn alone(&self) -> Result<File, StoreError> {
        let path = self.folder.join(LOCK);
        let lock = File::create(&path).and_then(|file| file.lock().map(|()| file));
        lock.map_err(fault(&path))
    }

    /// The keys of this origin in the folder, by name of file.
    fn stored(&self, prefix: &str) -> Result<Vec<Key>, SignerError> {
        let listed = fs::read_dir(&self.folder)
            .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>());
        let mut paths = listed.map_err(fault(&self.folder))?;
        paths.retain(|path| is_key(path, prefix));
        paths.sort();
        let mut keys = Vec::new();
        for path in paths {
            let text = fs::read_to_string(&path).map_err(fault(&path))?;
            let key = Key::parse(text.trim_end()).map_err(|error| SignerError::Key(path, error))?;
            if key.verifier().name().as_str() == self.origin {
                keys.push(key);
            }
        }
        Ok(keys)
    }

    /// The first use: notes that nothing was signed yet, then makes a key. Where there is a key there is a note.
    fn begin(&self) -> Result<(), SignerError> {
        let mut all = self.all()?;
        let empty = TreeHead::empty(self.algorithm);
        all.entry(self.origin.clone()).or_insert(Signed { size: empty.size, root: empty.root });
        self.note(&all)?;
        let key = self.draw()?;
        self.keep(KEY, &key)?;
        tracing::info!(origin = self.origin, key = %key.verifier(), "a key that signs checkpoints was made: give its public part to auditors");
        Ok(())
    }

    fn draw(&self) -> Result<Key, SignerError> {
        let name = |error| SignerError::Name(self.origin.clone(), error);
        loop {
            let mut seed = [0; 32];
            getrandom::fill(&mut seed).map_err(|error| SignerError::Random(error.to_string()))?;
            let origin = self.origin.parse().map_err(name)?;
            let key = match self.algorithm {
                Algorithm::Sha256 => Key::ed25519(origin, &seed),
                Algorithm::Sm3 => Key::sm2(origin, &seed),
            };
            match key {
                // One seed in 2^32 is no key of SM2.
                Err(KeyError::Damaged) => {}
                drawn => return drawn.map_err(name),
            }
        }
    }

    fn all(&self) -> Result<All, StoreError> {
        let file = self.folder.join(SIGNED);
        let Some(bytes) = disk::read(&file)? else { return Ok(All::new()) };
        serde_json::from_slice(&bytes).map_err(|error| StoreError::Damaged { file, what: error.to_string() })
    }

    fn note(&self, all: &All) -> Result<(), StoreError> {
        let file = self.folder.join(SIGNED);
        let text = serde_json::to_vec_pretty(all)
            .map_err(|error| StoreError::Damaged { file: file.clone(), what: error.to_string() })?;
        disk::replace(&file, &text)
    }
}

/// The prefix and eight hexadecimal digits: not the working name of one that was never finished.
fn is_key(path: &Path, prefix: &str) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.strip_prefix(prefix).is_some_and(|id| id.len() == 8 && id.bytes().all(|b| b.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests;
