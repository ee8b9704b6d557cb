//! What the evidence is made of, asked of the services, and checked.

use std::collections::{BTreeMap, BTreeSet};

use duban_merkle::policy::{Policy, Quorum};
use duban_merkle::{Algorithm, Commitment, Hash, Leaf, ProofError, Verified, Verifier};
use duban_merkle::{consistency, inclusion};
use duban_proto::audit::v1 as pb;
use duban_tree::handover::{Handover, Told, follow};
use serde_json::{Value, json};

use crate::args::{Ask, EvidenceArgs, WHO, Who};
use crate::failure::{Exit, Failure};
use crate::run::Session;
use crate::verify::keys;

const TASK: &str = "duban.tasks.v1.TaskService/GetTask";
const ASSIGNMENTS: &str = "duban.tasks.v1.AssignmentService/ListAssignments";
const DOCUMENT: &str = "duban.tasks.v1.DocumentService/GetDocument";
const READINGS: &str = "duban.tasks.v1.DocumentService/ListReadings";
const AGENCY: &str = "duban.agencies.v1.AgencyService/GetAgency";
const READ: &str = "duban.audit.v1.AuditService/Read";
const HEAD: &str = "duban.audit.v1.AuditService/GetHead";
const SCHEMA: &str = "duban.audit.v1.AuditService/GetEventSchema";
const CHECKPOINT: &str = "duban.audit.v1.ProofService/GetCheckpoint";
const CONSISTENCY: &str = "duban.audit.v1.ProofService/ProveConsistency";
const INCLUSION: &str = "duban.audit.v1.ProofService/ProveInclusion";
const HISTORY: &str = "duban.audit.v1.ProofService/ProveHistory";

/// How often the proofs are asked for anew because the checkpoint has moved on between them.
const TRIES: usize = 50;

/// An answer and all that it rests on.
pub(super) struct Case {
    /// `tasks/{task}`.
    pub(super) task_name: String,
    /// The date asked about.
    pub(super) valid_on: String,
    /// The position that the answer knows.
    pub(super) position: u64,
    /// Who answers, as served.
    pub(super) answer: Value,
    /// The task, as served.
    pub(super) task: Value,
    /// The assignments that the answer rests on, as served.
    pub(super) assignments: Vec<Value>,
    /// The agencies that answer, as served.
    pub(super) agencies: Vec<Value>,
    /// The readings that it rests on, as served.
    pub(super) readings: Vec<Value>,
    /// The documents that it rests on, with their texts.
    pub(super) documents: Vec<Value>,
    /// The JSON Schema of each type of event.
    pub(super) schemas: BTreeMap<String, String>,
    /// The checkpoint that all proofs lead to.
    pub(super) checkpoint: pb::SignedCheckpoint,
    /// The key that it is signed with.
    pub(super) key: Verifier,
    /// Where keys have handed over up to it.
    pub(super) handovers: Vec<Handover>,
    /// The tags of the task.
    pub(super) tags: Vec<String>,
    /// The events by position: the task's whole history, and what else the answer rests on.
    pub(super) proven: BTreeMap<u64, pb::ProvenEvent>,
    /// The task's next event, recorded after what the answer knows: its leaf closes the history.
    pub(super) next: Option<pb::InclusionProof>,
}

/// Asks for all of it.
pub(super) async fn case(session: &Session, args: &EvidenceArgs) -> Result<Case, Failure> {
    let who = Who::new(args.task.clone(), args.when.clone());
    let Ask { rpc: _, request } = Ask::new(WHO, &who).map_err(Failure::Usage)?;
    let answer = session.call(WHO, &request).await?;
    let known = &answer["answer"];
    let valid_on = known["validOn"].as_str().unwrap_or_default().to_owned();
    let position = number(&known["position"]);
    if position == 0 {
        let message = "nothing was known then: there is no event to show".to_owned();
        return Err(Failure::Other { exit: Exit::NotFound, message });
    }
    let as_of = json!({ "valid_on": valid_on, "position": position });
    let task = session.call(TASK, &json!({ "name": args.task, "as_of": as_of })).await?;
    let rows = answer["responsibilities"].as_array().cloned().unwrap_or_default();
    let request = json!({ "parent": args.task, "page_size": 1000, "as_of": as_of });
    let mut assignments = session.all_items(ASSIGNMENTS, request).await?;
    assignments.retain(|assignment| rows.iter().any(|row| row["assignment"] == assignment["name"]));
    let resources = rows.iter().chain(&assignments).chain([&task["task"]]);
    let reading_names: BTreeSet<&str> =
        resources.clone().flat_map(|resource| texts(&resource["readings"])).collect();
    let documents: BTreeSet<&str> = reading_names
        .iter()
        .filter_map(|name| name.split_once("/readings/").map(|(document, _)| document))
        .chain(task["task"]["document"].as_str())
        .chain(resources.filter_map(|resource| resource["source"]["document"].as_str()))
        .collect();
    let mut found = (Vec::new(), Vec::new(), Vec::new());
    for document in documents {
        let request = json!({ "name": document, "as_of": as_of });
        found.0.push(session.call(DOCUMENT, &request).await?["document"].take());
        let request = json!({ "parent": document, "page_size": 1000, "as_of": as_of });
        let readings = session.all_items(READINGS, request).await?;
        let wanted =
            |reading: &Value| reading["name"].as_str().is_some_and(|name| reading_names.contains(name));
        found.1.extend(readings.into_iter().filter(wanted));
    }
    let agencies: BTreeSet<&str> = rows.iter().filter_map(|row| row["agency"].as_str()).collect();
    for agency in agencies {
        let request = json!({ "name": agency, "as_of": as_of });
        found.2.push(session.call(AGENCY, &request).await?["agency"].take());
    }
    let (documents, readings, agencies) = found;
    let of_task = rows.iter().chain(&assignments).chain([&task["task"]]);
    let shown = of_task.chain(&documents).chain(&readings).chain(&agencies);
    let because: BTreeSet<u64> = shown.flat_map(because).collect();
    let proofs = Proofs { session, task: &args.task, position, because, key: args.key.as_deref() };
    let Proven { checkpoint, key, handovers, tags, events, next } = proofs.gather().await?;
    let mut schemas = BTreeMap::new();
    for event in events.values().filter_map(|proven| proven.event.as_ref()) {
        if !schemas.contains_key(&event.r#type) {
            let schema = session.call(SCHEMA, &json!({ "type": event.r#type })).await?;
            schemas.insert(event.r#type.clone(), schema["schema"].as_str().unwrap_or_default().to_owned());
        }
    }
    Ok(Case {
        task_name: args.task.clone(),
        valid_on,
        position,
        answer,
        task,
        assignments,
        agencies,
        readings,
        documents,
        schemas,
        checkpoint,
        key,
        handovers,
        tags,
        proven: events,
        next,
    })
}

/// The positions of the events behind a resource.
fn because(resource: &Value) -> Vec<u64> {
    resource["because"].as_array().into_iter().flatten().map(number).collect()
}

/// A 64-bit number of proto JSON.
fn number(value: &Value) -> u64 {
    value.as_str().and_then(|text| text.parse().ok()).or_else(|| value.as_u64()).unwrap_or(0)
}

fn texts(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str)
}

/// What is to be proven.
struct Proofs<'a> {
    session: &'a Session,
    task: &'a str,
    position: u64,
    because: BTreeSet<u64>,
    key: Option<&'a str>,
}

/// What is proven.
struct Proven {
    checkpoint: pb::SignedCheckpoint,
    key: Verifier,
    handovers: Vec<Handover>,
    tags: Vec<String>,
    events: BTreeMap<u64, pb::ProvenEvent>,
    next: Option<pb::InclusionProof>,
}

impl Proofs<'_> {
    async fn gather(&self) -> Result<Proven, Failure> {
        // Waits until a checkpoint covers what the answer knows.
        self.inclusion(self.position).await?;
        let mut beside = BTreeMap::new();
        for position in &self.because {
            beside.insert(*position, self.event(*position).await?);
        }
        for _ in 0..TRIES {
            if let Some(proven) = self.at_one_checkpoint(&beside).await? {
                return Ok(proven);
            }
        }
        let message = "the checkpoint moves on faster than it can be asked about".to_owned();
        Err(Failure::Other { exit: Exit::Unavailable, message })
    }

    /// All proofs, if they lead to one checkpoint.
    async fn at_one_checkpoint(&self, beside: &BTreeMap<u64, pb::Event>) -> Result<Option<Proven>, Failure> {
        let mut history = self.session.open(HISTORY, &json!({ "name": self.task })).await?;
        let (mut checkpoint, mut tags) = (None, Vec::new());
        let (mut events, mut next) = (BTreeMap::new(), None);
        while let Some(part) = history.message::<pb::ProveHistoryResponse>().await? {
            checkpoint = checkpoint.or(part.checkpoint);
            tags.extend(part.tags);
            for proven in part.events {
                let Some(proof) = &proven.proof else { continue };
                if proof.position <= self.position {
                    events.insert(proof.position, proven);
                } else if next.is_none() {
                    next.clone_from(&proven.proof);
                }
            }
        }
        let checkpoint = checkpoint.ok_or_else(|| unverified("the history has no checkpoint"))?;
        for (position, event) in beside {
            if events.contains_key(position) {
                continue;
            }
            let (at, proof) = self.inclusion(*position).await?;
            if at.size != checkpoint.size {
                return Ok(None);
            }
            events.insert(*position, pb::ProvenEvent { event: Some(event.clone()), proof: Some(proof) });
        }
        let Opened { verified, key, handovers } = self.open(&checkpoint).await?;
        for proven in events.values() {
            check(&verified, proven.event.as_ref(), proven.proof.as_ref())?;
        }
        if next.is_some() {
            check(&verified, None, next.as_ref())?;
        }
        Ok(Some(Proven { checkpoint, key, handovers, tags, events, next }))
    }

    async fn inclusion(&self, position: u64) -> Result<(pb::SignedCheckpoint, pb::InclusionProof), Failure> {
        let request = json!({ "position": position });
        let proven: pb::ProveInclusionResponse = self.session.ask(INCLUSION, &request).await?;
        proven.checkpoint.zip(proven.proof).ok_or_else(|| unverified("a proof without its checkpoint"))
    }

    async fn event(&self, position: u64) -> Result<pb::Event, Failure> {
        let log = self.session.call(HEAD, &json!({})).await?["log"].take();
        let after = json!({ "log": log, "position": position - 1 });
        let request = json!({ "after": after, "up_to": position, "limit": 1 });
        let mut read = self.session.open(READ, &request).await?;
        while let Some(page) = read.message::<pb::ReadResponse>().await? {
            if let Some(event) = page.events.into_iter().next() {
                return Ok(event);
            }
        }
        Err(unverified("the log doesn't show an event that its answer rests on"))
    }

    /// The checkpoint, verified by the key that was typed, else by one that the server names, or by one to which it
    /// has handed over since.
    async fn open(&self, checkpoint: &pb::SignedCheckpoint) -> Result<Opened, Failure> {
        let request = json!({ "origin": checkpoint.origin });
        let newest: pb::GetCheckpointResponse = self.session.ask(CHECKPOINT, &request).await?;
        let given = match self.key {
            Some(key) => keys(&[key.to_owned()], "--key")?,
            None => keys(&newest.verifiers, "the server's key")?,
        };
        let handovers = newest.handovers.into_iter().map(handover).collect::<Option<Vec<_>>>();
        let mut handovers = handovers.ok_or_else(|| unverified("a handover that is none"))?;
        handovers.retain(|(size, _)| *size <= checkpoint.size);
        let handovers: Vec<Handover> = handovers.into_iter().map(|(_, handover)| handover).collect();
        let after = follow(&checkpoint.origin, Algorithm::Sha256, &given, &handovers);
        let mut why = "the server names no key".to_owned();
        for key in after.at(checkpoint.size) {
            let policy = Policy::new(&checkpoint.origin, vec![key.clone()], Quorum::none());
            let opened = policy.map_err(|error| error.to_string());
            match opened.and_then(|policy| policy.open(checkpoint.note.as_bytes()).map_err(|e| e.to_string()))
            {
                Ok(verified) => {
                    self.continues(&verified, &after.rests_on).await?;
                    return Ok(Opened { verified, key, handovers });
                }
                Err(error) => why = error,
            }
        }
        Err(unverified(&format!("the checkpoint does not verify: {why}")))
    }

    /// Whether the tree is the one in which keys have handed over, with leaves appended.
    async fn continues(&self, verified: &Verified, handovers: &[Verified]) -> Result<(), Failure> {
        let head = verified.head();
        for earlier in handovers.iter().map(Verified::head) {
            let origin = verified.checkpoint().origin();
            let request = json!({ "origin": origin, "from_size": earlier.size, "to_size": head.size });
            let proof: pb::ProveConsistencyResponse = self.session.ask(CONSISTENCY, &request).await?;
            let path = proof.path.iter().map(|hash| Hash::from_slice(hash)).collect::<Option<Vec<_>>>();
            let path = path.ok_or_else(|| unverified("a proof of growth has what is no hash"))?;
            let wrong = |error: ProofError| unverified(&format!("the handover at {}: {error}", earlier.size));
            consistency::verify(Algorithm::Sha256, &earlier, &head, &path).map_err(wrong)?;
        }
        Ok(())
    }
}

/// A checkpoint that is believed.
struct Opened {
    verified: Verified,
    key: Verifier,
    handovers: Vec<Handover>,
}

/// A handover as it was served, with the size at which it was.
fn handover(served: pb::Handover) -> Option<(u64, Handover)> {
    let pb::Handover { checkpoint, events } = served;
    let event = |event: pb::KeyEvent| {
        let pb::InclusionProof { position, leaf, path } = event.proof?;
        Some(Told {
            position,
            leaf: String::from_utf8(leaf).ok()?,
            path: path.iter().map(|hash| Hash::from_slice(hash)).collect::<Option<_>>()?,
            nonce: event.nonce.try_into().ok()?,
            body: String::from_utf8(event.body).ok()?,
        })
    };
    let (checkpoint, events) = (checkpoint?, events.into_iter().map(event).collect::<Option<_>>()?);
    Some((checkpoint.size, Handover { checkpoint: checkpoint.note, events }))
}

/// Whether the leaf is in the tree, and is the event's.
fn check(
    verified: &Verified,
    event: Option<&pb::Event>,
    proof: Option<&pb::InclusionProof>,
) -> Result<(), Failure> {
    let proof = proof.ok_or_else(|| unverified("an event without its proof"))?;
    let wrong = |what: &str| unverified(&format!("event {}: {what}", proof.position));
    let path = proof.path.iter().map(|hash| Hash::from_slice(hash)).collect::<Option<Vec<_>>>();
    let path = path.ok_or_else(|| wrong("its path has what is no hash"))?;
    let leaf = Leaf::decode(&proof.leaf).map_err(|error| wrong(&error.to_string()))?;
    if leaf.position != proof.position {
        return Err(wrong("the leaf is of another event"));
    }
    let algorithm = leaf.body.algorithm();
    if algorithm != Algorithm::Sha256 {
        return Err(wrong("the tree is not one of SHA-256"));
    }
    inclusion::verify(algorithm, &algorithm.leaf(&proof.leaf), leaf.index(), &verified.head(), &path)
        .map_err(|error| wrong(&error.to_string()))?;
    let Some(event) = event else { return Ok(()) };
    let nonce: [u8; 32] = event.nonce.as_slice().try_into().map_err(|_| wrong("its nonce is none"))?;
    if leaf.id.to_string() != event.id || leaf.body != Commitment::new(algorithm, &nonce, &event.body) {
        return Err(wrong("the event is not the one that the leaf commits to"));
    }
    Ok(())
}

fn unverified(what: &str) -> Failure {
    Failure::Other { exit: Exit::Unverified, message: what.to_owned() }
}
