//! All trees that a process has: those of its log's epoch, which grow, and those of earlier epochs, which are kept.

use std::path::PathBuf;
use std::sync::Arc;

use duban_log::{Location, Log};
use duban_merkle::Algorithm;
use uuid::Uuid;

use crate::builder::blocking;
use crate::keeper::{Options, Tree};
use crate::publisher::Witnesses;
use crate::store::{Grove, StoreError, TreeId};
use crate::witness::Standing;

/// Where trees are and how they are signed.
#[derive(Clone)]
pub struct Grounds {
    /// Where all trees are: a folder with a folder for each, or a database that holds no log.
    pub place: Location,
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
    pub fn new(place: Location, signer: impl Into<PathBuf>) -> Self {
        Self { place, signer: signer.into(), origin: None, sm3: false, witnesses: None }
    }
}

/// The trees of a process. Cheap to clone.
#[derive(Clone)]
pub struct Trees {
    /// The SHA-256 tree of the log's epoch first.
    trees: Arc<Vec<Tree>>,
    witnesses: Option<Arc<dyn Witnesses>>,
}

impl Trees {
    /// Sets to work on the trees of the log's epoch, and finds those of earlier ones. What of these can't be read now is
    /// said and left out. Fails with [`StoreError::Unfit`] where no tree may be kept, and where the place is none.
    pub async fn start(log: &Log, grounds: &Grounds) -> Result<Self, StoreError> {
        let grove = Grove::at(&grounds.place)?;
        let mut algorithms = vec![Algorithm::Sha256];
        if grounds.sm3 {
            algorithms.push(Algorithm::Sm3);
        }
        let ids: Vec<TreeId> = algorithms
            .into_iter()
            .map(|algorithm| TreeId::new(log.identity(), algorithm, grounds.origin.as_deref()))
            .collect();
        let now: Vec<String> = ids.iter().map(TreeId::folder).collect();
        let ended = earlier(log, grove.clone(), now).await?;
        let start = |id: TreeId| {
            let witnesses = grounds.witnesses.clone().filter(|_| id.algorithm == Algorithm::Sha256);
            Tree::start(log, Options { store: grove.tree(id), signer: grounds.signer.clone(), witnesses })
        };
        let trees = ids.into_iter().map(start).chain(ended).collect();
        Ok(Self { trees: Arc::new(trees), witnesses: grounds.witnesses.clone() })
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

    /// How each witness stands, as far as this process asks them.
    pub fn witnesses(&self) -> Vec<(String, Standing)> {
        self.witnesses.as_ref().map(|witnesses| witnesses.standings()).unwrap_or_default()
    }

    /// Takes what the log has by now, publishes it, and lets others write.
    pub async fn close(&self) {
        for tree in self.trees.iter() {
            tree.close().await;
        }
    }
}

/// The trees of earlier epochs: all but those that are called like these.
async fn earlier(log: &Log, grove: Grove, now: Vec<String>) -> Result<Vec<Tree>, StoreError> {
    let at = log.now();
    let found = blocking(move || {
        let names = match grove.names() {
            Ok(names) => names,
            Err(error @ StoreError::Unfit { .. }) => return Err(error),
            Err(error) => {
                tracing::warn!(%error, "earlier epochs' trees are not served");
                Vec::new()
            }
        };
        let mut trees = Vec::new();
        for name in names.iter().filter(|name| !now.contains(name)) {
            match grove.open(name).and_then(|store| Tree::ended(store, at)) {
                Ok(tree) => trees.push(tree),
                Err(error) => tracing::warn!(%error, "an earlier epoch's tree is not served"),
            }
        }
        Ok(trees)
    });
    // The process ends: nobody asks for them.
    found.await.unwrap_or_else(|_| Ok(Vec::new()))
}
