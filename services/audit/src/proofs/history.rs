//! A subject's events, each with the proof that it is in the tree, part after part.

use std::collections::VecDeque;
use std::sync::Arc;

use duban_domain::{Position, Tag};
use duban_log::{Log, StoredEvent};
use duban_proto::audit::v1 as pb;
use duban_rpc::Error;
use duban_tree::{Published, Store, Tree};
use prost::Message as _;

use super::{checkpoint, damaged, failed, inclusion};
use crate::deliver::{BATCH_BYTES, BATCH_EVENTS, event};
use crate::select::Selection;

/// A reader on its way through a subject's history.
pub(super) struct History {
    log: Log,
    tree: Tree,
    published: Arc<Published>,
    selection: Selection,
    after: Position,
    up_to: Position,
    /// The first part has been given.
    begun: bool,
    pending: VecDeque<pb::ProveHistoryResponse>,
}

impl History {
    pub(super) fn new(
        log: Log,
        tree: Tree,
        published: Arc<Published>,
        tags: Vec<Tag>,
        (after, up_to): (Position, Position),
    ) -> Self {
        let selection = Selection { tags, ..Selection::default() };
        Self { log, tree, published, selection, after, up_to, begun: false, pending: VecDeque::new() }
    }

    /// The next part; `None` after the last. There is at least one, with the checkpoint.
    pub(super) async fn next(&mut self) -> Result<Option<pb::ProveHistoryResponse>, Error> {
        while self.pending.is_empty() && self.after < self.up_to {
            let page = self.selection.page(&self.log, self.after, self.up_to).await?;
            self.after = page.through;
            self.pending = self.proven(page.events).await?;
        }
        let next = self.pending.pop_front();
        if self.begun {
            return Ok(next);
        }
        self.begun = true;
        let mut first = next.unwrap_or_default();
        first.checkpoint = Some(checkpoint(&self.tree, &self.published));
        first.tags = self.selection.tags.iter().map(ToString::to_string).collect();
        Ok(Some(first))
    }

    /// The events of a page in messages of bounded size.
    async fn proven(&self, events: Vec<StoredEvent>) -> Result<VecDeque<pb::ProveHistoryResponse>, Error> {
        let (store, head) = (Arc::clone(self.tree.store()), self.published.head);
        let proven = tokio::task::spawn_blocking(move || {
            let proofs = events.iter().map(|event| proof(&store, event, head));
            proofs.collect::<Result<Vec<_>, Error>>()
        });
        let mut parts = VecDeque::new();
        let (mut part, mut bytes) = (pb::ProveHistoryResponse::default(), 0);
        for event in proven.await.map_err(|error| Error::internal().because(error))?? {
            bytes += event.encoded_len();
            part.events.push(event);
            if bytes >= BATCH_BYTES || part.events.len() >= BATCH_EVENTS {
                parts.push_back(std::mem::take(&mut part));
                bytes = 0;
            }
        }
        if !part.events.is_empty() {
            parts.push_back(part);
        }
        Ok(parts)
    }
}

/// An event that the tree has, as the log has it.
fn proof(
    store: &Store,
    stored: &StoredEvent,
    head: duban_merkle::TreeHead,
) -> Result<pb::ProvenEvent, Error> {
    let position = stored.position;
    let proven = store.inclusion(position - 1, &head).map_err(|error| failed(error, position))?;
    let leaf = stored.leaf_bytes(store.id().algorithm).map_err(|error| damaged(position).because(error))?;
    if leaf != proven.leaf {
        return Err(damaged(position));
    }
    Ok(pb::ProvenEvent { event: Some(event(stored)), proof: Some(inclusion(proven)) })
}
