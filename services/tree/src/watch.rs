//! Watching the tree that a server publishes: each checkpoint against the one before, each new leaf against the root.
//!
//! Whoever watches keeps one checkpoint, and needs nothing else of what was: the right edge of the tree at its size is
//! read from the server's tiles and leads to the kept root or doesn't, and with the new leaves appended it leads to
//! the new root or doesn't. Where keys have handed over since whoever watches was given one, the server shows the
//! handovers, and each of them must be of the tree that is watched.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use bytes::Bytes;
use duban_merkle::proof::TreeHead;
use duban_merkle::tile::{self, WIDTH};
use duban_merkle::{Algorithm, Frontier, Hash, Leaf, Span, Tile, Verified, bundle};
use http::StatusCode;
use http_body_util::{BodyExt as _, Full, Limited};

use crate::handover::{Handover, follow};
use crate::verification::{Presented, Trust};
use crate::witness::{Http, chain, client};

/// The most that is read of one answer, in bytes: a full bundle of the longest leaves.
const ANSWER_MAX: usize = 2 * 1024 * 1024;

/// Why there is nothing new to tell, or the worst to tell.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// The server can't be reached, or has nothing published. Ask again.
    #[error("{0}")]
    Away(String),
    /// What the server publishes contradicts itself, its key, or what was seen before.
    #[error("{0}")]
    Broken(String),
}

/// What became of a look.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The checkpoint, as it is to be kept.
    pub verified: Verified,
    /// The tree that was known before; none at the first look.
    pub before: Option<TreeHead>,
    /// How many new leaves were hashed.
    pub leaves: u64,
}

/// Somebody who watches a tree.
pub struct Watch {
    url: String,
    algorithm: Algorithm,
    /// Whom he was told to trust.
    given: Trust,
    /// Whom he trusts after the handovers that he has seen.
    trust: Trust,
    http: Http,
    known: Known,
}

/// What was known of the tree before a look.
enum Known {
    /// Nothing.
    Nothing,
    /// A checkpoint that was kept; it is not believed yet.
    Kept(Presented),
    /// The tree of this origin as it was at the last look.
    Seen(String, TreeHead),
}

impl Watch {
    /// Watches the tree at `url`, to which `/checkpoint`, `/handovers.json` and `/tile/…` are added, from the
    /// checkpoint on that was kept.
    pub fn new(url: &str, algorithm: Algorithm, trust: Trust, kept: Option<Presented>) -> Self {
        let url = url.trim_end_matches('/').to_owned();
        let known = kept.map_or(Known::Nothing, Known::Kept);
        Self { url, algorithm, given: trust.clone(), trust, http: client(), known }
    }

    /// Looks at what is published, and believes it if it continues what was seen before.
    pub async fn look(&mut self) -> Result<Seen, WatchError> {
        let bytes = self.get("checkpoint").await?.to_vec();
        let presented = Presented { name: format!("{}/checkpoint", self.url), bytes, kept: false };
        let (verified, known) = match self.open(&presented) {
            Ok(opened) => opened,
            // A key may have handed over since.
            Err(_) => self.follow(&presented).await?,
        };
        let (origin, head) = (verified.checkpoint().origin().to_owned(), verified.head());
        let before = known.as_ref().map(|(_, head)| *head);
        let leaves = match known {
            Some((known, _)) if known != origin => {
                let what = format!("the checkpoint is of {origin}, but {known} was watched");
                return Err(WatchError::Broken(what));
            }
            Some((_, old)) => self.grown(old, head).await?,
            None => {
                self.frontier(head, head.size).await?;
                0
            }
        };
        self.known = Known::Seen(origin, head);
        Ok(Seen { verified, before, leaves })
    }

    /// What is published, and the tree that was known before, by those who are trusted.
    fn open(&self, presented: &Presented) -> Result<(Verified, Option<(String, TreeHead)>), String> {
        let known = match &self.known {
            Known::Nothing => None,
            Known::Seen(origin, head) => Some((origin.clone(), *head)),
            Known::Kept(kept) => {
                let kept =
                    self.trust.open(kept).map_err(|why| format!("the checkpoint that was kept: {why}"))?;
                Some((kept.checkpoint().origin().to_owned(), kept.head()))
            }
        };
        Ok((self.trust.open(presented)?, known))
    }

    /// The same by those to whom the keys that were given have handed over. Each handover must be of a tree that this
    /// one continues.
    async fn follow(
        &mut self,
        presented: &Presented,
    ) -> Result<(Verified, Option<(String, TreeHead)>), WatchError> {
        let origin = presented.bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
        // Unverified: it only chooses the keys.
        let origin = String::from_utf8_lossy(origin).into_owned();
        let after = follow(&origin, self.algorithm, &self.given.of(&origin), &self.handovers().await?);
        self.trust = self.given.clone();
        self.trust.go_on(&origin, &after);
        let opened = self.open(presented).map_err(WatchError::Broken)?;
        for handover in after.rests_on {
            self.frontier(handover.head(), opened.0.head().size).await?;
        }
        Ok(opened)
    }

    /// The handovers, as the server shows them; none where it shows none.
    async fn handovers(&self) -> Result<Vec<Handover>, WatchError> {
        let Some(bytes) = self.get_if_there("handovers.json").await? else { return Ok(Vec::new()) };
        let broken = |error: serde_json::Error| WatchError::Broken(format!("handovers.json: {error}"));
        serde_json::from_slice(&bytes).map_err(broken)
    }

    /// Whether the new tree is the old one with leaves appended, all of which are hashed.
    async fn grown(&self, old: TreeHead, new: TreeHead) -> Result<u64, WatchError> {
        let broken = |what: String| Err(WatchError::Broken(what));
        if new.size < old.size {
            return broken(format!("the log was set back: it had {} events, it has {}", old.size, new.size));
        }
        if new.size == old.size {
            let (one, other) = (old.root, new.root);
            let what = format!("the tree of {} events has two roots, {one} and {other}", old.size);
            return if one == other { Ok(0) } else { broken(what) };
        }
        let mut frontier = self.frontier(old, new.size).await?;
        for tile in
            tile::entries(new.size).skip(usize::try_from(old.size / u64::from(WIDTH)).unwrap_or(usize::MAX))
        {
            let bytes = self.get(&tile.to_string()).await?;
            let leaves = bundle::decode(&bytes, tile.width());
            let leaves = leaves.map_err(|error| WatchError::Broken(format!("{tile}: {error}")))?;
            for (index, leaf) in (tile.index() * u64::from(WIDTH)..).zip(leaves) {
                if index < old.size {
                    continue;
                }
                let read = Leaf::decode(leaf);
                let read =
                    read.map_err(|error| WatchError::Broken(format!("event {}: {error}", index + 1)))?;
                if read.index() != index {
                    return broken(format!("event {} stands where {} should be", read.position, index + 1));
                }
                frontier.append(self.algorithm.leaf(leaf));
            }
        }
        if frontier.head() == new {
            return Ok(new.size - old.size);
        }
        let (found, size, signed) = (frontier.root(), new.size, new.root);
        broken(format!("the leaves up to {size} come to the root {found}, but {signed} is signed"))
    }

    /// The right edge of the tree `head`, from the tiles of the tree of `size`; broken if it leads elsewhere.
    async fn frontier(&self, head: TreeHead, size: u64) -> Result<Frontier, WatchError> {
        let mut tiles: HashMap<Tile, Vec<Hash>> = HashMap::new();
        let mut peaks = Vec::new();
        for node in Span::tree(head.size).nodes() {
            let broken = || WatchError::Broken(format!("a tile of the tree of {size} events is no tile"));
            let tile = Tile::holding(node, size).ok_or_else(broken)?;
            let hashes = match tiles.entry(tile) {
                Entry::Occupied(there) => there.into_mut(),
                Entry::Vacant(place) => {
                    let bytes = self.get(&tile.to_string()).await?;
                    place.insert(tile.parse(&bytes).ok_or_else(broken)?)
                }
            };
            peaks.push(tile.read(self.algorithm, hashes, node).ok_or_else(broken)?);
        }
        let frontier = Frontier::from_peaks(self.algorithm, head.size, peaks);
        frontier.filter(|frontier| frontier.head() == head).ok_or_else(|| {
            let TreeHead { size: known, root } = head;
            let what = format!(
                "the tree of {size} events does not continue the one of {known} with the root {root}"
            );
            WatchError::Broken(what)
        })
    }

    async fn get(&self, path: &str) -> Result<Bytes, WatchError> {
        let absent = || WatchError::Away(format!("{}/{path}: {}", self.url, StatusCode::NOT_FOUND));
        self.get_if_there(path).await?.ok_or_else(absent)
    }

    async fn get_if_there(&self, path: &str) -> Result<Option<Bytes>, WatchError> {
        let url = format!("{}/{path}", self.url);
        let away = |error: String| WatchError::Away(format!("{url}: {error}"));
        let request = http::Request::get(&url).body(Full::default());
        let request = request.map_err(|error| away(error.to_string()))?;
        let (head, body) =
            self.http.request(request).await.map_err(|error| away(chain(&error)))?.into_parts();
        let body = Limited::new(body, ANSWER_MAX).collect().await.map_err(|error| away(error.to_string()))?;
        match head.status {
            StatusCode::OK => Ok(Some(body.to_bytes())),
            StatusCode::NOT_FOUND => Ok(None),
            status => Err(away(status.to_string())),
        }
    }
}

#[cfg(test)]
mod tests;
