//! The door of proofs: what is read from the audit trees, for whoever checks the log.

mod history;

use std::sync::Arc;
use std::time::Duration;

use duban_domain::Position;
use duban_log::Log;
use duban_merkle::{Hash, TreeHead};
use duban_proto::audit::v1 as pb;
use duban_proto::audit::v1::proof_service_server::ProofService;
use duban_rpc::{Call, Error, RETRY_AFTER};
use duban_tree::handover::{Handover, Told};
use duban_tree::proofs::Inclusion;
use duban_tree::{Published, State, Store, StoreError, Tree, Trees};
use futures::{StreamExt as _, stream};
use tokio::time::Instant;
use tonic::{Request, Response, Status};

use crate::convert;
use crate::grpc::Replies;
use history::History;

/// How long a checkpoint that covers what was asked for is waited for.
const CHECKPOINT_WITHIN: Duration = Duration::from_secs(10);
/// So long before the caller stops waiting, it hears that there is no such checkpoint yet.
const BEFORE_DEADLINE: Duration = Duration::from_millis(100);

/// The proof service on the trees of one process.
#[derive(Clone)]
pub struct ProofDoor {
    log: Log,
    trees: Option<Trees>,
}

impl ProofDoor {
    /// Answers from these trees of this log; without any, that there are none.
    pub fn new(log: Log, trees: Option<Trees>) -> Self {
        Self { log, trees }
    }

    fn tree(&self, origin: &str) -> Result<&Tree, Error> {
        let found = self.trees.as_ref().and_then(|trees| trees.find(origin));
        found.ok_or_else(|| Error::not_found("TREE_NOT_FOUND", "tree", origin))
    }

    /// The newest checkpoint of a tree, as soon as it covers `size`.
    async fn covering(&self, call: &Call, tree: &Tree, size: Position) -> Result<Arc<Published>, Error> {
        if let Some(published) = tree.published().filter(|published| published.head.size >= size) {
            return Ok(published);
        }
        let ended = tree.status().borrow().state == State::Closed;
        let head = if ended { tree.status().borrow().size } else { self.log.head().await? };
        if size > head {
            return Err(Error::beyond_head(head));
        }
        let within = Instant::now() + CHECKPOINT_WITHIN;
        let deadline = call.deadline().map_or(within, |deadline| within.min(deadline - BEFORE_DEADLINE));
        let behind = || {
            let message = "no checkpoint covers that yet: ask again";
            Error::unavailable("CHECKPOINT_BEHIND", message, RETRY_AFTER)
                .with("size", tree.published().map_or(0, |published| published.head.size))
        };
        tree.covering(size, deadline).await.ok_or_else(behind)
    }

    async fn history(&self, call: &Call, request: pb::ProveHistoryRequest) -> Result<History, Error> {
        let convert::History { origin, named, tags, after, up_to } = convert::history(request)?;
        let tree = self.tree(&origin)?;
        if tree.id().epoch != self.log.identity().epoch {
            // What was in an epoch that is over, the log may not have any more.
            return Err(Error::not_found("TREE_NOT_FOUND", "tree", origin));
        }
        let published = self.covering(call, tree, up_to.unwrap_or(1)).await?;
        let up_to = up_to.unwrap_or(published.head.size);
        crate::explain::there(&self.log, &named, published.head.size).await?;
        Ok(History::new(self.log.clone(), tree.clone(), published, tags, (after, up_to)))
    }
}

#[tonic::async_trait]
impl ProofService for ProofDoor {
    type ProveHistoryStream = Replies<pb::ProveHistoryResponse>;

    async fn get_checkpoint(
        &self,
        request: Request<pb::GetCheckpointRequest>,
    ) -> Result<Response<pb::GetCheckpointResponse>, Status> {
        let call = Call::of(&request)?;
        let origin = convert::checkpoint(request.into_inner())?;
        let tree = self.tree(&origin)?;
        let published = self.covering(&call, tree, 0).await?;
        let verifiers = read(tree, 0, Store::keys).await?;
        let handovers = read(tree, 0, Handover::shown).await?;
        let handovers = handovers.into_iter().map(|shown| handover(tree, shown)).collect::<Result<_, _>>()?;
        let checkpoint = Some(checkpoint(tree, &published));
        Ok(Response::new(pb::GetCheckpointResponse { checkpoint, verifiers, handovers }))
    }

    async fn prove_inclusion(
        &self,
        request: Request<pb::ProveInclusionRequest>,
    ) -> Result<Response<pb::ProveInclusionResponse>, Status> {
        let call = Call::of(&request)?;
        let (origin, position) = convert::inclusion(request.into_inner())?;
        let tree = self.tree(&origin)?;
        let published = self.covering(&call, tree, position).await?;
        let head = published.head;
        let proven = read(tree, position, move |store| store.inclusion(position - 1, &head)).await?;
        let (checkpoint, proof) = (Some(checkpoint(tree, &published)), Some(inclusion(proven)));
        Ok(Response::new(pb::ProveInclusionResponse { checkpoint, proof }))
    }

    async fn prove_consistency(
        &self,
        request: Request<pb::ProveConsistencyRequest>,
    ) -> Result<Response<pb::ProveConsistencyResponse>, Status> {
        let call = Call::of(&request)?;
        let (origin, from_size, to_size) = convert::consistency(request.into_inner())?;
        let tree = self.tree(&origin)?;
        let published = self.covering(&call, tree, to_size.unwrap_or(from_size)).await?;
        let head = published.head;
        let to_size = to_size.unwrap_or(head.size);
        let path = read(tree, from_size, move |store| store.consistency(from_size, to_size, &head)).await?;
        let checkpoint = Some(checkpoint(tree, &published));
        let path = path.iter().map(bytes).collect();
        Ok(Response::new(pb::ProveConsistencyResponse { checkpoint, from_size, to_size, path }))
    }

    async fn prove_history(
        &self,
        request: Request<pb::ProveHistoryRequest>,
    ) -> Result<Response<Self::ProveHistoryStream>, Status> {
        let call = Call::of(&request)?;
        let history = self.history(&call, request.into_inner()).await?;
        let draining = call.draining().clone();
        let parts = stream::try_unfold(history, move |mut history| {
            let draining = draining.clone();
            async move {
                if draining.is_cancelled() {
                    return Err(crate::subscribe::draining());
                }
                Ok::<_, Error>(history.next().await?.map(|part| (part, history)))
            }
        });
        Ok(Response::new(call.replies(parts).boxed()))
    }
}

/// Reads from a stored tree, off the threads that answer calls; `at` is what was asked about.
async fn read<T: Send + 'static>(
    tree: &Tree,
    at: Position,
    read: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, Error> {
    let store = Arc::clone(tree.store());
    let done = tokio::task::spawn_blocking(move || read(&store)).await;
    let done = done.map_err(|error| Error::internal().because(error))?;
    done.map_err(|error| failed(error, at))
}

fn failed(error: StoreError, at: Position) -> Error {
    match error {
        StoreError::File(..) | StoreError::Database(..) | StoreError::InUse(_) | StoreError::Unfit { .. } => {
            let message = "the tree can't be read now: ask again";
            Error::unavailable("TREE_UNAVAILABLE", message, RETRY_AFTER).because(error)
        }
        StoreError::Absent(_) | StoreError::Other { .. } | StoreError::Damaged { .. } => {
            damaged(at).because(error)
        }
    }
}

fn damaged(at: Position) -> Error {
    Error::data_loss("TREE_DAMAGED", "the tree doesn't give the root that was signed: tell the operator", at)
}

fn checkpoint(tree: &Tree, published: &Published) -> pb::SignedCheckpoint {
    signed(tree, published.note.to_string(), &published.head)
}

fn signed(tree: &Tree, note: String, head: &TreeHead) -> pb::SignedCheckpoint {
    let origin = tree.id().origin.clone();
    pb::SignedCheckpoint { note, origin, size: head.size, root: bytes(&head.root) }
}

fn handover(tree: &Tree, shown: Handover) -> Result<pb::Handover, Error> {
    let head = shown.head(tree.id()).ok_or_else(|| damaged(0))?;
    let Handover { checkpoint, events } = shown;
    let event = |told: Told| {
        let Told { position, leaf, path, nonce, body } = told;
        let path = path.iter().map(bytes).collect();
        let proof = pb::InclusionProof { position, leaf: leaf.into_bytes(), path };
        pb::KeyEvent { proof: Some(proof), nonce: nonce.to_vec(), body: body.into_bytes() }
    };
    let events = events.into_iter().map(event).collect();
    Ok(pb::Handover { checkpoint: Some(signed(tree, checkpoint, &head)), events })
}

fn inclusion(proven: Inclusion) -> pb::InclusionProof {
    let Inclusion { index, leaf, path } = proven;
    pb::InclusionProof { position: index + 1, leaf, path: path.iter().map(bytes).collect() }
}

fn bytes(hash: &Hash) -> Vec<u8> {
    hash.as_bytes().to_vec()
}
