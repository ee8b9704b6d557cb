//! Proofs, checked here before they are shown. Whether the checkpoint that they lead to is signed by a key that is
//! trusted, `duban verify` says.

use std::collections::HashMap;

use duban_merkle::proof::TreeHead;
use duban_merkle::{Hash, Leaf, ProofError, consistency, inclusion};
use duban_proto::audit::v1 as pb;

use super::Session;
use crate::args::{Ask, ProveCommand};
use crate::client::schema;
use crate::failure::{Exit, Failure};
use crate::i18n::messages;
use crate::output::Printer;

impl Session {
    /// The newest checkpoint: for people the note itself, to be kept.
    pub(super) async fn checkpoint(&self, ask: &Ask, printer: &mut Printer) -> Result<(), Failure> {
        let reply = self.call(&ask.rpc, &ask.request).await?;
        let note = reply["checkpoint"]["note"].as_str().unwrap_or_default();
        printer.outcome(note.trim_end(), &reply)
    }

    /// A proof of what was asked for.
    pub(super) async fn prove(&self, command: &ProveCommand, printer: &mut Printer) -> Result<(), Failure> {
        let ask = command.ask().map_err(Failure::Usage)?;
        match command {
            ProveCommand::Event(_) => self.prove_event(&ask, printer).await,
            ProveCommand::Consistency(_) => self.prove_consistency(&ask, printer).await,
            ProveCommand::History(_) => self.prove_history(&ask, printer).await,
        }
    }

    async fn prove_event(&self, ask: &Ask, printer: &mut Printer) -> Result<(), Failure> {
        let message = self.answered(&ask.rpc, &ask.request).await?;
        let reply: pb::ProveInclusionResponse = schema::typed(&message)?;
        let (checkpoint, proof) = (said(reply.checkpoint)?, said(reply.proof)?);
        let head = head(&checkpoint)?;
        let leaf = included(&proof, &head)?;
        let leaf = String::from_utf8_lossy(&leaf).into_owned();
        let words: [&dyn std::fmt::Display; 4] = [&proof.position, &head.size, &checkpoint.origin, &leaf];
        printer.outcome(&messages::PROVEN_EVENT.with(printer.lang(), &words), &schema::to_json(&message)?)
    }

    async fn prove_consistency(&self, ask: &Ask, printer: &mut Printer) -> Result<(), Failure> {
        let message = self.answered(&ask.rpc, &ask.request).await?;
        let reply: pb::ProveConsistencyResponse = schema::typed(&message)?;
        let checkpoint = said(reply.checkpoint)?;
        let (head, path) = (head(&checkpoint)?, hashes(&reply.path)?);
        // The roots of the sizes are not in the answer: what can be checked without them is the form.
        let spans = consistency::path(reply.from_size, reply.to_size).map_err(|error| untrue(&error))?;
        if path.len() != spans.len() || reply.to_size > head.size {
            return Err(refused("the proof is not of these sizes".to_owned()));
        }
        let words: [&dyn std::fmt::Display; 4] =
            [&reply.to_size, &reply.from_size, &checkpoint.origin, &path.len()];
        printer.outcome(&messages::PROOF_OF_GROWTH.with(printer.lang(), &words), &schema::to_json(&message)?)
    }

    async fn prove_history(&self, ask: &Ask, printer: &mut Printer) -> Result<(), Failure> {
        let mut stream = self.open(&ask.rpc, &ask.request).await?;
        let mut history = pb::ProveHistoryResponse::default();
        while let Some(part) = stream.message::<pb::ProveHistoryResponse>().await? {
            let pb::ProveHistoryResponse { checkpoint, tags, events } = part;
            history.checkpoint = history.checkpoint.or(checkpoint);
            history.tags.extend(tags);
            history.events.extend(events);
        }
        let whole = schema::from_typed(&ask.rpc, &history)?;
        let (checkpoint, tags) = (said(history.checkpoint.as_ref())?, &history.tags);
        let head = head(checkpoint)?;
        let mut chains = Chains { after: ask.request["after"].as_u64().unwrap_or(0), last: HashMap::new() };
        let mut lines = Vec::new();
        for proven in &history.events {
            let (event, proof) = (said(proven.event.as_ref())?, said(proven.proof.as_ref())?);
            let leaf = included(proof, &head)?;
            let leaf = Leaf::decode(&leaf).map_err(|error| refused(error.to_string()))?;
            chains.take(&leaf, tags)?;
            lines.push(format!("{:>8}  {}  {}", event.position, event.r#type, event.actor));
        }
        let words: [&dyn std::fmt::Display; 3] = [&lines.len(), &head.size, &checkpoint.origin];
        lines.push(messages::PROVEN_HISTORY.with(printer.lang(), &words));
        printer.outcome(&lines.join("\n"), &whole)
    }
}

/// The chains of the subject's tags, from leaf to leaf.
struct Chains {
    /// What comes before this is not shown.
    after: u64,
    last: HashMap<String, u64>,
}

impl Chains {
    fn take(&mut self, leaf: &Leaf, tags: &[String]) -> Result<(), Failure> {
        for (tag, previous) in leaf.tags.iter().filter(|(tag, _)| tags.contains(tag)) {
            let whole = match self.last.insert(tag.clone(), leaf.position) {
                Some(last) => *previous == last,
                None => *previous <= self.after,
            };
            if !whole {
                let message = format!("something is left out before the event at {}: {tag}", leaf.position);
                return Err(refused(message));
            }
        }
        Ok(())
    }
}

/// The leaf, which the path leads from to the root.
fn included(proof: &pb::InclusionProof, head: &TreeHead) -> Result<Vec<u8>, Failure> {
    let pb::InclusionProof { position, leaf, path } = proof;
    let decoded = Leaf::decode(leaf).map_err(|error| refused(error.to_string()))?;
    if decoded.position != *position {
        return Err(refused(format!("the leaf of {position} is of the event at {}", decoded.position)));
    }
    let algorithm = decoded.body.algorithm();
    let holds = inclusion::verify(algorithm, &algorithm.leaf(leaf), decoded.index(), head, &hashes(path)?);
    holds.map_err(|error| untrue(&error))?;
    Ok(leaf.clone())
}

/// What the checkpoint says, in its note as in its fields.
fn head(checkpoint: &pb::SignedCheckpoint) -> Result<TreeHead, Failure> {
    let pb::SignedCheckpoint { note, origin, size, root } = checkpoint;
    let root = Hash::from_slice(root).ok_or_else(|| refused("the root is not 32 bytes".to_owned()))?;
    if note.starts_with(&format!("{origin}\n{size}\n{}\n", root.to_base64())) {
        Ok(TreeHead { size: *size, root })
    } else {
        Err(refused("the checkpoint's note says something else".to_owned()))
    }
}

fn hashes(path: &[Vec<u8>]) -> Result<Vec<Hash>, Failure> {
    let hashes = path.iter().map(|bytes| Hash::from_slice(bytes)).collect::<Option<_>>();
    hashes.ok_or_else(|| refused("a hash of the path is not 32 bytes".to_owned()))
}

fn said<T>(part: Option<T>) -> Result<T, Failure> {
    part.ok_or_else(|| refused("the answer is without what proves it".to_owned()))
}

fn untrue(error: &ProofError) -> Failure {
    refused(format!("the proof doesn't hold: {error}"))
}

fn refused(message: String) -> Failure {
    Failure::Other { exit: Exit::Unverified, message }
}
