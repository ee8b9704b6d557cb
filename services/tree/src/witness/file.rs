//! Cosignatures carried by hand, where no network leads from the log to its witness: a request is a file, and so is
//! the answer, which is the cosigned note.

use std::path::PathBuf;
use std::sync::Arc;

use duban_merkle::note::NoteError;
use duban_merkle::witness::{AddCheckpoint, RequestError};
use duban_merkle::{KeyName, Note, Verifier};

use crate::publisher::head;
use crate::store::{Store, StoreError, Writer};

/// Why a request can't be made, or an answer not taken.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// Nothing is published yet.
    #[error("no checkpoint is published in {0}")]
    Unpublished(PathBuf),
    /// The witness is ahead.
    #[error("the checkpoint is of size {size}, and the witness has cosigned {old}: the log was set back")]
    Ahead {
        /// The size that the witness has cosigned.
        old: u64,
        /// The size of the published checkpoint.
        size: u64,
    },
    /// The note is no checkpoint of this tree.
    #[error("it is no checkpoint of {0}")]
    OtherTree(String),
    /// The tree of this size has another root: the witness has cosigned another history.
    #[error("the tree of size {0} has another root than the one that was cosigned")]
    OtherRoot(u64),
    /// It lacks a signature of the witness.
    #[error("it is not cosigned by {0}")]
    Uncosigned(KeyName),
    /// It is not what the log has signed.
    #[error("it is not signed by the log")]
    NotByLog,
    /// The note is damaged, or a signature of it wrong.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The request would be none.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The tree can't be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What became of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted {
    /// The size of the cosigned tree.
    pub size: u64,
    /// Whether the published checkpoint has the cosignature now. Else it will when that is next published, if the
    /// tree is still of this size; it is kept beside it in any case.
    pub published: bool,
}

/// The request to cosign the published checkpoint, for a witness that has cosigned a tree of `old` leaves.
pub fn request(store: &Store, old: u64) -> Result<AddCheckpoint, FileError> {
    let (note, size) = published(store)?;
    if old > size {
        return Err(FileError::Ahead { old, size });
    }
    Ok(AddCheckpoint::new(old, store.growth(old, size)?, note)?)
}

/// Takes a note that a witness has cosigned: kept beside the checkpoint, and put into it if it is of the same tree and
/// nobody else publishes.
pub fn accept(store: &Arc<Store>, bytes: &[u8], witness: &Verifier) -> Result<Accepted, FileError> {
    let cosigned = Note::parse(bytes)?;
    let other = || FileError::OtherTree(store.id().origin.clone());
    let of = head(&cosigned, store.id()).ok_or_else(other)?;
    if !cosigned.verify(&[witness])?.iter().any(|signed| signed.is_by(witness)) {
        return Err(FileError::Uncosigned(witness.name().clone()));
    }
    let keys: Vec<Verifier> = store.keys()?.iter().filter_map(|key| key.parse().ok()).collect();
    cosigned.verify(&keys.iter().collect::<Vec<_>>()).map_err(|error| match error {
        NoteError::Unsigned => FileError::NotByLog,
        other => other.into(),
    })?;
    let size = store.size()?;
    if of.size > size || store.head_within(of.size, size)?.root != of.root {
        return Err(FileError::OtherRoot(of.size));
    }
    let kept = match store.cosigned(of.size)? {
        Some(before) if before.text() == cosigned.text() => {
            before.with(cosigned.signatures().iter().cloned())?
        }
        _ => cosigned,
    };
    store.keep_cosigned(of.size, &kept)?;
    let published = match Writer::open(Arc::clone(store)) {
        Ok(alone) => put(&alone, &kept)?,
        // Who builds the tree publishes, and takes it up.
        Err(StoreError::InUse(_)) => false,
        Err(error) => return Err(error.into()),
    };
    Ok(Accepted { size: of.size, published })
}

/// A note with the cosignatures of its text that were carried in by hand.
pub(crate) fn taken_up(store: &Store, note: Note, size: u64) -> Result<Note, StoreError> {
    let Some(kept) = store.cosigned(size)? else { return Ok(note) };
    if kept.text() != note.text() {
        return Ok(note);
    }
    let whole = note.clone().with(kept.signatures().iter().cloned());
    // Too many signatures: those that came by themselves are enough.
    Ok(whole.unwrap_or(note))
}

fn put(alone: &Writer, kept: &Note) -> Result<bool, FileError> {
    let (note, _) = published(alone.store())?;
    if note.text() != kept.text() {
        return Ok(false);
    }
    alone.press().publish(&note.with(kept.signatures().iter().cloned())?.to_string())?;
    Ok(true)
}

fn published(store: &Store) -> Result<(Note, u64), FileError> {
    let unpublished = || FileError::Unpublished(store.place().to_owned());
    let note = Note::parse(&store.checkpoint()?.ok_or_else(unpublished)?)?;
    let of = head(&note, store.id()).ok_or_else(|| FileError::OtherTree(store.id().origin.clone()))?;
    Ok((note, of.size))
}

#[cfg(test)]
mod tests {
    use duban_merkle::{Algorithm, Checkpoint, Signer, TreeHead};
    use tempfile::TempDir;

    use super::*;
    use crate::testing::{grow, id};
    use crate::witness::{Known, Office, make_key};

    struct Scene {
        store: Arc<Store>,
        signer: Signer,
        office: Office,
        _folders: [TempDir; 2],
    }

    /// A tree of so many leaves, published, that nobody builds any more; and a witness.
    fn scene(size: u64) -> Scene {
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let store = Arc::new(Store::of(folders[0].path().join("tree"), id(Algorithm::Sha256)));
        let origin = store.id().origin.clone();
        let signer = Signer::ed25519(origin.parse().unwrap(), &[1; 32]).unwrap();
        make_key(folders[1].path(), &"w".parse().unwrap()).unwrap();
        let known = Known { origin, keys: vec![signer.verifier().clone()] };
        let office = Office::open(folders[1].path(), [known]).unwrap();
        let scene = Scene { store, signer, office, _folders: folders };
        scene.grown(size);
        scene
    }

    impl Scene {
        fn grown(&self, size: u64) {
            let mut writer = Writer::open(Arc::clone(&self.store)).unwrap();
            grow(&mut writer, size);
            writer.press().name_keys(&[self.signer.verifier().clone()]).unwrap();
            writer.press().publish(&self.note(self.store.head(size).unwrap()).to_string()).unwrap();
        }

        fn note(&self, head: TreeHead) -> Note {
            Checkpoint::new(&self.store.id().origin, head).unwrap().sign(&[&self.signer]).unwrap()
        }

        /// To the witness and back.
        fn carried(&self, old: u64) -> Vec<u8> {
            let asked = request(&self.store, old).unwrap();
            let line = self.office.add(asked.to_string().as_bytes(), 1).unwrap();
            asked.note().clone().with([line]).unwrap().to_string().into_bytes()
        }

        fn is_cosigned(&self) -> bool {
            let note = Note::parse(&self.store.checkpoint().unwrap().unwrap()).unwrap();
            note.verify(&[self.office.verifier()]).is_ok()
        }
    }

    #[test]
    fn a_cosignature_goes_by_hand_there_and_back() {
        let scene = scene(3);
        let answer = scene.carried(0);
        let accepted = accept(&scene.store, &answer, scene.office.verifier()).unwrap();
        assert_eq!(accepted, Accepted { size: 3, published: true });
        assert!(scene.is_cosigned());
        // The tree has grown meanwhile: it is kept, and the next one goes on from there.
        scene.grown(700);
        let late = scene.carried(3);
        scene.grown(701);
        let accepted = accept(&scene.store, &late, scene.office.verifier()).unwrap();
        assert_eq!(accepted, Accepted { size: 700, published: false });
        assert!(!scene.is_cosigned());
        assert!(scene.store.cosigned(700).unwrap().is_some());
    }

    #[test]
    fn while_somebody_publishes_it_is_left_for_them_to_take_up() {
        let scene = scene(3);
        let building = Writer::open(Arc::clone(&scene.store)).unwrap();
        let accepted = accept(&scene.store, &scene.carried(0), scene.office.verifier()).unwrap();
        assert!(!accepted.published && !scene.is_cosigned());
        drop(building);
        let again = scene.note(scene.store.head(3).unwrap());
        let whole = taken_up(&scene.store, again, 3).unwrap();
        assert!(whole.verify(&[scene.office.verifier()]).is_ok());
    }

    #[test]
    fn what_is_no_cosignature_of_this_tree_is_refused() {
        let scene = scene(3);
        let store = &scene.store;
        let answer = scene.carried(0);
        let by_log_alone = scene.note(store.head(3).unwrap()).to_string();
        let refused = accept(store, by_log_alone.as_bytes(), scene.office.verifier());
        assert!(matches!(refused, Err(FileError::Note(NoteError::Unsigned))));
        let lines = Note::parse(&answer).unwrap();
        let witness = lines.signatures().iter().filter(|line| line.name().as_str() == "w").cloned();
        let by_witness_alone = Note::new(lines.text().to_owned(), witness.collect()).unwrap().to_string();
        let refused = accept(store, by_witness_alone.as_bytes(), scene.office.verifier());
        assert!(matches!(refused, Err(FileError::NotByLog)));
        // Signed by the log and cosigned, but of a history that this tree doesn't have.
        let other = self::scene(3);
        let fork = other.note(TreeHead { size: 2, root: Algorithm::Sha256.empty_root() });
        let asked = AddCheckpoint::new(0, vec![], fork).unwrap();
        let line = other.office.add(asked.to_string().as_bytes(), 1).unwrap();
        let fork = asked.note().clone().with([line]).unwrap().to_string();
        let refused = accept(store, fork.as_bytes(), other.office.verifier());
        assert!(matches!(refused, Err(FileError::OtherRoot(2))));
        assert!(matches!(request(store, 4), Err(FileError::Ahead { old: 4, size: 3 })));
    }
}
