//! From a root to a checkpoint that anybody may see: signed, cosigned by enough witnesses, stored.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use duban_domain::Timestamp;
use duban_merkle::proof::TreeHead;
use duban_merkle::{Hash, Note, SignatureLine};

use crate::builder::{Failed, blocking};
use crate::handover::Handover;
use crate::keys::Ring;
use crate::signer::{Signature, Signer, SignerError};
use crate::store::{Press, Store, StoreError, TreeId, Writer};
use crate::witness::{Standing, taken_up};

/// A published checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// The size and the root of the tree.
    pub head: TreeHead,
    /// The note, as it is served.
    pub note: Note,
    /// When this process saw it first.
    pub at: Timestamp,
}

/// Too few witnesses have cosigned: the checkpoint is not published, and asked for again.
#[derive(Debug, Clone, thiserror::Error)]
#[error("too few witnesses have cosigned: {0}")]
pub struct Unwitnessed(pub String);

/// Those who cosign checkpoints before they are published.
pub trait Witnesses: Send + Sync {
    /// Their cosignatures of this checkpoint of `head`, which the log has signed; as many as the quorum asks for at
    /// least. Consistency proofs for those who have seen less are read from the store ([`Store::growth`]).
    fn cosign<'a>(
        &'a self,
        note: &'a Note,
        head: TreeHead,
        store: &'a Arc<Store>,
    ) -> Pin<Box<dyn Future<Output = Result<Vec<SignatureLine>, Unwitnessed>> + Send + 'a>>;

    /// How each of them stands, by the name of its key.
    fn standings(&self) -> Vec<(String, Standing)>;
}

impl Published {
    /// The checkpoint in a tree's storage, if there is one. Its signatures are not looked at: that it gives the root
    /// to which the tiles lead is what is asked of a file of our own.
    pub(crate) fn stored(store: &Store, at: Timestamp) -> Result<Option<Self>, StoreError> {
        let Some(bytes) = store.checkpoint()? else { return Ok(None) };
        let damaged =
            |what: &str| StoreError::Damaged { file: store.place().join("checkpoint"), what: what.into() };
        let note = Note::parse(&bytes).map_err(|error| damaged(&error.to_string()))?;
        let head = head(&note, store.id()).ok_or_else(|| damaged("it is no checkpoint of this tree"))?;
        if store.head(head.size)? != head {
            return Err(damaged("the tiles don't lead to its root"));
        }
        Ok(Some(Self { head, note, at }))
    }
}

/// What a checkpoint of this tree says.
pub(crate) fn head(note: &Note, id: &TreeId) -> Option<TreeHead> {
    let mut lines = note.text().lines();
    let (origin, size, root) = (lines.next()?, lines.next()?, lines.next()?);
    (origin == id.origin).then_some(TreeHead { size: size.parse().ok()?, root: Hash::from_base64(root)? })
}

/// Signs the root of what is stored, has it cosigned, by witnesses who may take so long, and publishes it.
pub(crate) async fn publish(
    writer: &Writer,
    signer: &Arc<Signer>,
    witnesses: Option<(&dyn Witnesses, Duration)>,
    ring: &Ring,
) -> Result<Note, Failed> {
    let (store, head) = (writer.store(), writer.head());
    let (signs, tiles, ring) = (Arc::clone(signer), Arc::clone(store), ring.clone());
    let told = ring.clone();
    let signing = blocking(move || {
        let handed_over = tiles.handed_over()?;
        signs.sign(head, &ring, handed_over, |old| tiles.growth(old, head.size))
    });
    let Signature { mut note, keys, hands_over } = signing.await??;
    if let Some((witnesses, within)) = witnesses {
        let cosigned = tokio::time::timeout(within, witnesses.cosign(&note, head, store));
        let cosigned = cosigned.await.map_err(|_| Unwitnessed("they don't answer in time".to_owned()))?;
        note = note.with(cosigned?).map_err(|error| Unwitnessed(error.to_string()))?;
    }
    let (tiles, press) = (Arc::clone(store), writer.press().clone());
    let published = blocking(move || {
        let note = taken_up(&tiles, note, head.size)?;
        // Kept before it is published: by it those who trust the old key come to trust the new one.
        if hands_over {
            press.hand_over(head.size, &note.to_string())?;
        }
        show_handovers(&tiles, &press, &told)?;
        let named: Vec<String> = keys.iter().map(ToString::to_string).collect();
        if tiles.keys()? != named {
            press.name_keys(&keys)?;
        }
        press.publish(&note.to_string()).map(|()| note)
    });
    Ok(published.await??)
}

/// Shows the handovers that were kept, also those from before a crash between the two.
fn show_handovers(store: &Store, press: &Press, ring: &Ring) -> Result<(), StoreError> {
    let shown = Handover::shown(store)?;
    if shown.len() == store.handovers()?.len() {
        return Ok(());
    }
    let kept = Handover::kept(store, ring)?;
    if kept == shown { Ok(()) } else { press.show_handovers(&kept) }
}

impl From<Unwitnessed> for Failed {
    fn from(error: Unwitnessed) -> Self {
        Self::Passing(error.to_string())
    }
}

impl From<SignerError> for Failed {
    fn from(error: SignerError) -> Self {
        match error {
            SignerError::Store(error) => error.into(),
            SignerError::Random(_) => Self::Passing(error.to_string()),
            SignerError::Inconsistent { ref proof, .. } => Self::Stopped(format!("{error}: {proof}")),
            other => Self::Stopped(other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use duban_merkle::{Algorithm, Checkpoint};
    use tempfile::TempDir;

    use super::*;
    use crate::testing::{grow, id};

    #[test]
    fn a_checkpoint_to_which_the_tiles_do_not_lead_is_not_taken_up() {
        let folder = TempDir::new().unwrap();
        let store = Arc::new(Store::of(folder.path(), id(Algorithm::Sha256)));
        let mut writer = Writer::open(Arc::clone(&store)).unwrap();
        grow(&mut writer, 3);
        let is = store.head(3).unwrap();
        let other = TreeHead { root: Algorithm::Sha256.leaf(b"other"), ..is };
        let signer = duban_merkle::Signer::ed25519(store.id().origin.parse().unwrap(), &[7; 32]).unwrap();
        for (head, taken) in [(is, true), (other, false)] {
            let checkpoint = Checkpoint::new(&store.id().origin, head).unwrap();
            writer.press().publish(&checkpoint.sign(&[&signer]).unwrap().to_string()).unwrap();
            let stored = Published::stored(&store, Timestamp::UNIX_EPOCH);
            assert_eq!(stored.is_ok_and(|stored| stored.is_some_and(|stored| stored.head == head)), taken);
        }
    }
}
