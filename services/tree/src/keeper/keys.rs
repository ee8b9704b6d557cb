//! Keys of a tree that this process signs: announced and retired in the log, by the process that has the signer.

use std::path::PathBuf;
use std::sync::Arc;

use duban_domain::caller::{Caller, PrincipalId, Role};
use duban_domain::command::Context;
use duban_domain::log::{KeyAlgorithm, KeyCommand};
use duban_domain::name::LogId;
use duban_log::{ExecuteError, Ids as _, Log, Request, SystemIds};
use duban_merkle::{Algorithm, Verifier};

use super::{State, Tree};
use crate::builder::{Failed, blocking};
use crate::keys::{ChangeError, Ring, Standing};
use crate::signer::{Signer, SignerError};

/// Who acts: whoever runs the machine asks for it, and the process does it.
const PRINCIPAL: &str = "system:signer";

/// With what a process changes the keys of a tree.
pub(super) struct Hand {
    pub(super) log: Log,
    /// The signer's folder.
    pub(super) signer: PathBuf,
}

/// Why a key was neither announced nor retired.
#[derive(Debug, thiserror::Error)]
pub enum KeyChangeError {
    /// This process doesn't build the tree: the signer may be another process's.
    #[error("this process doesn't sign the tree now: ask the one that does")]
    NotHere,
    /// There is no such key.
    #[error("the tree has no key {0:08x}")]
    Unknown(u32),
    /// The signer can't be used.
    #[error(transparent)]
    Signer(#[from] SignerError),
    /// The log's events of keys can't be read.
    #[error(transparent)]
    Change(#[from] ChangeError),
    /// The log doesn't take it.
    #[error(transparent)]
    Log(#[from] ExecuteError),
    /// The process ends.
    #[error("the process ends")]
    Ending,
}

impl From<Failed> for KeyChangeError {
    fn from(_: Failed) -> Self {
        Self::Ending
    }
}

impl Tree {
    /// Its keys, those that were retired too, and how each stands at the log's head.
    pub async fn keys(&self) -> Result<Vec<(Verifier, Standing)>, KeyChangeError> {
        let (hand, signer) = self.hand().await?;
        let mut ring = Ring::default();
        let head = hand.log.head().await.map_err(ChangeError::from)?;
        ring.follow(&hand.log, &self.id().origin, head).await?;
        let mut keys = blocking(move || signer.verifiers()).await??;
        let announced =
            ring.announced(head).into_iter().filter(|key| !keys.contains(key)).collect::<Vec<_>>();
        keys.extend(announced);
        Ok(keys.into_iter().map(|key| (key.clone(), ring.standing(&key, head))).collect())
    }

    /// Draws a key and announces it: from the first checkpoint on that has the announcement below it, it signs beside
    /// those in force.
    ///
    /// The key is stored before it is announced: a crash between the two leaves one that signs nothing.
    pub async fn announce_key(&self) -> Result<Verifier, KeyChangeError> {
        let (hand, signer) = self.hand().await?;
        let drawing = Arc::clone(&signer);
        let key = blocking(move || drawing.draw_next()).await??;
        let algorithm = match self.id().algorithm {
            Algorithm::Sha256 => KeyAlgorithm::Ed25519,
            Algorithm::Sm3 => KeyAlgorithm::Sm2,
        };
        let command = KeyCommand::Announce {
            log: name(&hand.log),
            origin: self.id().origin.clone(),
            algorithm,
            key: key.to_string(),
        };
        match execute(&hand.log, "duban.tree/AnnounceKey", command).await {
            Ok(()) => Ok(key),
            // Nobody knows whether it was recorded: a key that was must be there.
            Err(error @ ExecuteError::Unavailable(_)) => Err(error.into()),
            Err(error) => {
                blocking(move || signer.forget(&key)).await??;
                Err(error.into())
            }
        }
    }

    /// Retires a key: the first checkpoint that has this below it is the last one that it signs.
    pub async fn retire_key(&self, id: u32) -> Result<Verifier, KeyChangeError> {
        let keys = self.keys().await?;
        let (key, _) = keys.into_iter().find(|(key, _)| key.id() == id).ok_or(KeyChangeError::Unknown(id))?;
        let (hand, _) = self.hand().await?;
        let (origin, text) = (self.id().origin.clone(), key.to_string());
        let command = KeyCommand::Retire { log: name(&hand.log), origin, key: text };
        execute(&hand.log, "duban.tree/RetireKey", command).await?;
        Ok(key)
    }

    async fn hand(&self) -> Result<(&Hand, Arc<Signer>), KeyChangeError> {
        // Also while witnesses are in the way: the key that they have to be told of is shown here.
        let builds = matches!(self.inner.status.borrow().state, State::Building | State::Failing(_));
        let hand = self.inner.hand.as_ref().filter(|_| builds).ok_or(KeyChangeError::NotHere)?;
        let (folder, id) = (hand.signer.clone(), self.id().clone());
        let signer = blocking(move || Signer::open(folder, &id)).await??;
        Ok((hand, Arc::new(signer)))
    }
}

async fn execute(log: &Log, rpc: &'static str, command: KeyCommand) -> Result<(), ExecuteError> {
    // The literal is a principal id.
    let principal = PrincipalId::parse(PRINCIPAL).unwrap_or_else(|| unreachable!("{PRINCIPAL}"));
    let request = Request {
        caller: Caller { principal, role: Role::System, agency: None },
        request_id: SystemIds.identity(),
        context: Context::default(),
        effective_on: None,
        etag: None,
        validate_only: false,
        rpc,
        correlation: None,
        causation: None,
        trace_id: None,
    };
    log.execute(&request, command).await.map(|_| ())
}

/// A UUID is a well-formed id.
fn name(log: &Log) -> LogId {
    let id = log.identity().log.to_string();
    LogId::from_id(&id).unwrap_or_else(|| unreachable!("{id}"))
}
