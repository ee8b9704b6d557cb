//! All trees that a process has: those of its log's epoch, which grow, and those of earlier epochs, which are kept.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use duban_log::Log;
use duban_merkle::Algorithm;
use uuid::Uuid;

use crate::disk::fault;
use crate::keeper::{Options, Tree};
use crate::publisher::Witnesses;
use crate::store::{Store, StoreError, TreeId};

/// Where trees are and how they are signed.
#[derive(Clone)]
pub struct Grounds {
    /// The folder of all trees, a folder for each in it.
    pub folder: PathBuf,
    /// The signer's folder.
    pub signer: PathBuf,
    /// What stands before `/epochs/…` in the origin, instead of `duban/logs/…`.
    pub origin: Option<String>,
    /// Whether an SM3 tree, signed with SM2, is built beside the SHA-256 one.
    pub sm3: bool,
    /// Who must cosign the SHA-256 tree's checkpoints; the protocol of witnesses knows no other.
    pub witnesses: Option<Arc<dyn Witnesses>>,
}

impl Grounds {
    /// One tree, under an origin that follows from the log, signed by whoever has the folder, witnessed by nobody.
    pub fn new(folder: impl Into<PathBuf>, signer: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), signer: signer.into(), origin: None, sm3: false, witnesses: None }
    }
}

/// The trees of a process. Cheap to clone.
#[derive(Clone)]
pub struct Trees {
    /// The SHA-256 tree of the log's epoch first.
    trees: Arc<Vec<Tree>>,
}

impl Trees {
    /// Sets to work on the trees of the log's epoch, and finds those of earlier ones. A folder that can't be read is
    /// said and left out.
    pub fn start(log: &Log, grounds: &Grounds) -> Self {
        let mut algorithms = vec![Algorithm::Sha256];
        if grounds.sm3 {
            algorithms.push(Algorithm::Sm3);
        }
        let mut trees: Vec<Tree> = Vec::new();
        for algorithm in algorithms {
            let id = TreeId::new(log.identity(), algorithm, grounds.origin.as_deref());
            let witnesses = grounds.witnesses.clone().filter(|_| algorithm == Algorithm::Sha256);
            let (folder, signer) = (grounds.folder.join(id.folder()), grounds.signer.clone());
            trees.push(Tree::start(log, Options { folder, id, signer, witnesses }));
        }
        for folder in folders(&grounds.folder) {
            if trees.iter().any(|tree| tree.store().folder() == folder) {
                continue;
            }
            match Store::open(&folder).and_then(|store| Tree::ended(store, log.now())) {
                Ok(tree) => trees.push(tree),
                Err(StoreError::Absent(_)) => {}
                Err(error) => tracing::warn!(%error, "an earlier epoch's tree is not served"),
            }
        }
        Self { trees: Arc::new(trees) }
    }

    /// The tree of this origin; with none given, the SHA-256 tree of the log's epoch.
    pub fn find(&self, origin: &str) -> Option<&Tree> {
        self.trees.iter().find(|tree| origin.is_empty() || tree.id().origin == origin)
    }

    /// The tree of this epoch, or of the log's, and this algorithm.
    pub fn of(&self, epoch: Option<Uuid>, algorithm: Algorithm) -> Option<&Tree> {
        let epoch = epoch.or_else(|| self.trees.first().map(|tree| tree.id().epoch))?;
        self.trees.iter().find(|tree| tree.id().epoch == epoch && tree.id().algorithm == algorithm)
    }

    /// All of them, those that grow first.
    pub fn iter(&self) -> impl Iterator<Item = &Tree> {
        self.trees.iter()
    }

    /// Takes what the log has by now, publishes it, and lets the folders go.
    pub async fn close(&self) {
        for tree in self.trees.iter() {
            tree.close().await;
        }
    }
}

/// The folders in a folder, in order of name; none if there is no such folder.
fn folders(folder: &Path) -> Vec<PathBuf> {
    let listed = std::fs::read_dir(folder)
        .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>());
    match listed {
        Ok(mut found) => {
            found.retain(|path| path.is_dir());
            found.sort();
            found
        }
        Err(error) => {
            if error.kind() != std::io::ErrorKind::NotFound {
                tracing::warn!(error = %fault(folder)(error), "earlier epochs' trees are not served");
            }
            Vec::new()
        }
    }
}
