//! A log's witnesses, asked side by side.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use duban_merkle::policy::PolicyError;
use duban_merkle::proof::TreeHead;
use duban_merkle::witness::AddCheckpoint;
use duban_merkle::{Note, Quorum, SignatureLine};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};

use super::ask::{AskError, Cosigned, Endpoint, Http, client};
use crate::builder::blocking;
use crate::publisher::{Unwitnessed, Witnesses};
use crate::store::Store;

/// The most witnesses of a log: a note has room for so many signatures beside the log's own.
pub const WITNESSES_MAX: usize = 16;
/// How long one witness may take, all its answers together.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// How long the others are waited for when enough have cosigned.
const GRACE: Duration = Duration::from_secs(1);
/// How often a witness is told the size that it has itself named.
const TRIES: usize = 3;
/// A witness that failed is left alone for so long, twice as long after each failure, unless it is needed.
const REST: Duration = Duration::from_secs(2);
const REST_MAX: Duration = Duration::from_mins(2);

/// Why these can't be a log's witnesses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CircleError {
    /// Too many.
    #[error("{0} witnesses, at most {WITNESSES_MAX} are asked")]
    TooMany(usize),
    /// More are needed than there are, or one stands twice.
    #[error(transparent)]
    Policy(#[from] PolicyError),
}

/// How a witness stands to this log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// The size that it has cosigned last, of each tree.
    pub sizes: HashMap<String, u64>,
    /// How often it has failed since it cosigned last.
    pub failures: u32,
    /// Why it failed.
    pub why: Option<String>,
    /// How often it has cosigned since the process began.
    pub cosigned: u64,
    /// How often it has failed since then.
    pub failed: u64,
    /// When it cosigned last, by its own clock: seconds since 1970.
    pub cosigned_at: Option<u64>,
}

/// The witnesses of a log, and how many of them a checkpoint needs.
#[derive(Debug, Clone)]
pub struct Circle {
    needed: usize,
    http: Http,
    members: Vec<Arc<Member>>,
}

#[derive(Debug)]
struct Member {
    endpoint: Endpoint,
    state: Mutex<Memory>,
}

#[derive(Debug, Default)]
struct Memory {
    standing: Standing,
    /// Until when it is left alone.
    rests: Option<Instant>,
}

impl Circle {
    /// These witnesses, of which `needed` must cosign; 0 asks all and waits for none that doesn't answer.
    pub fn new(needed: usize, witnesses: Vec<Endpoint>) -> Result<Self, CircleError> {
        if witnesses.len() > WITNESSES_MAX {
            return Err(CircleError::TooMany(witnesses.len()));
        }
        Quorum::new(needed, witnesses.iter().map(|one| one.verifier.clone()).collect())?;
        let member = |endpoint| Arc::new(Member { endpoint, state: Mutex::default() });
        Ok(Self { needed, http: client(), members: witnesses.into_iter().map(member).collect() })
    }

    async fn gather(
        &self,
        note: &Note,
        head: TreeHead,
        store: &Arc<Store>,
    ) -> Result<Vec<SignatureLine>, Unwitnessed> {
        let mut asked = JoinSet::new();
        for member in self.awake() {
            let asking = member.cosign(self.http.clone(), note.clone(), head, Arc::clone(store));
            asked.spawn(asking);
        }
        let (mut lines, mut until) = (Vec::new(), None);
        loop {
            if until.is_none() && lines.len() >= self.needed {
                until = Some(Instant::now() + GRACE);
            }
            let next = match until {
                None => asked.join_next().await,
                // Those who are left are left: their cosignatures come with the next checkpoint.
                Some(until) => timeout_at(until, asked.join_next()).await.unwrap_or_default(),
            };
            match next {
                Some(Ok(line)) => lines.extend(line),
                Some(Err(_)) => {}
                None => break,
            }
        }
        if lines.len() >= self.needed {
            return Ok(lines);
        }
        let missing = self
            .standings()
            .into_iter()
            .filter_map(|(name, standing)| standing.why.map(|why| format!("{name}: {why}")));
        let missing = missing.collect::<Vec<_>>().join("; ");
        Err(Unwitnessed(format!("{} of {} have cosigned ({missing})", lines.len(), self.needed)))
    }

    /// Whom to ask: those who don't rest, and if they are too few, all.
    fn awake(&self) -> Vec<Arc<Member>> {
        let now = Instant::now();
        let rests = |member: &&Arc<Member>| member.memory().rests.is_some_and(|until| until > now);
        let awake: Vec<_> = self.members.iter().filter(|member| !rests(member)).cloned().collect();
        if awake.len() < self.needed { self.members.clone() } else { awake }
    }
}

impl Witnesses for Circle {
    fn cosign<'a>(
        &'a self,
        note: &'a Note,
        head: TreeHead,
        store: &'a Arc<Store>,
    ) -> Pin<Box<dyn Future<Output = Result<Vec<SignatureLine>, Unwitnessed>> + Send + 'a>> {
        Box::pin(self.gather(note, head, store))
    }

    fn standings(&self) -> Vec<(String, Standing)> {
        let of = |member: &Arc<Member>| {
            (member.endpoint.verifier.name().to_string(), member.memory().standing.clone())
        };
        self.members.iter().map(of).collect()
    }
}

impl Member {
    /// Its cosignature; none, and remembered why, if it doesn't give one in time.
    async fn cosign(
        self: Arc<Self>,
        http: Http,
        note: Note,
        head: TreeHead,
        store: Arc<Store>,
    ) -> Option<SignatureLine> {
        let asked = timeout(ANSWER_WITHIN, self.asked(&http, &note, head, &store)).await;
        let late = || AskError::Away(format!("no answer within {} s", ANSWER_WITHIN.as_secs()));
        match asked.unwrap_or_else(|_| Err(late())) {
            Ok(Cosigned { line, at }) => {
                self.answered(&store.id().origin, head.size, at);
                Some(line)
            }
            Err(error) => {
                self.failed(&error);
                None
            }
        }
    }

    /// Begins with the size that it cosigned last, and goes on from whatever size it names.
    async fn asked(
        &self,
        http: &Http,
        note: &Note,
        head: TreeHead,
        store: &Arc<Store>,
    ) -> Result<Cosigned, AskError> {
        let origin = &store.id().origin;
        let mut old = self.memory().standing.sizes.get(origin).copied().unwrap_or(0).min(head.size);
        for _ in 1..TRIES {
            match self.endpoint.ask(http, note.text(), body(old, note, head, store).await?).await {
                Err(AskError::Size(size)) if size != old && size <= head.size => old = size,
                answer => return answer,
            }
        }
        self.endpoint.ask(http, note.text(), body(old, note, head, store).await?).await
    }

    fn answered(&self, origin: &str, size: u64, at: Option<u64>) {
        let mut memory = self.memory();
        if memory.standing.failures > 0 {
            tracing::info!(witness = %self.endpoint.verifier.name(), size, "a witness cosigns again");
        }
        memory.rests = None;
        memory.standing.failures = 0;
        memory.standing.why = None;
        memory.standing.sizes.insert(origin.to_owned(), size);
        memory.standing.cosigned += 1;
        memory.standing.cosigned_at = at;
    }

    /// Said at the first failure, and then whenever it has rested.
    fn failed(&self, error: &AskError) {
        let mut memory = self.memory();
        let (witness, why) = (self.endpoint.verifier.name(), error.to_string());
        match error {
            AskError::Refuted | AskError::Size(_) => {
                tracing::error!(%witness, why, "a witness has seen another history of this log");
            }
            AskError::Away(_) | AskError::Refused { .. } | AskError::Answer(_) => {
                tracing::warn!(%witness, why, "a witness doesn't cosign");
            }
        }
        let rest = REST.saturating_mul(1 << memory.standing.failures.min(10)).min(REST_MAX);
        memory.rests = Some(Instant::now() + rest);
        memory.standing.failures = memory.standing.failures.saturating_add(1);
        memory.standing.failed += 1;
        memory.standing.why = Some(why);
    }

    fn memory(&self) -> std::sync::MutexGuard<'_, Memory> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The request, with the proof from the tree of size `old`.
async fn body(old: u64, note: &Note, head: TreeHead, store: &Arc<Store>) -> Result<String, AskError> {
    let unproven = |why: String| AskError::Away(format!("there is no proof from {old}: {why}"));
    let tiles = Arc::clone(store);
    let read = blocking(move || tiles.growth(old, head.size)).await;
    let read = read.map_err(|_| unproven("the process ends".to_owned()))?;
    let proof = read.map_err(|error| unproven(error.to_string()))?;
    let request =
        AddCheckpoint::new(old, proof, note.clone()).map_err(|error| unproven(error.to_string()))?;
    Ok(request.to_string())
}

#[cfg(test)]
mod tests;
