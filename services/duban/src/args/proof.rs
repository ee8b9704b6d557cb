//! 存证: the signed checkpoint, and proofs that lead to it.

use clap::Subcommand;
use serde::Serialize;

use super::Ask;

// Which tree.
#[derive(Debug, Clone, clap::Args, Serialize)]
pub(crate) struct Origin {
    /// The tree's origin, as checkpoints name it [default: the SHA-256 tree of the current epoch]
    #[arg(long)]
    origin: Option<String>,
}

#[derive(Debug, clap::Args, Serialize)]
pub(crate) struct Checkpoint {
    #[command(flatten)]
    #[serde(flatten)]
    origin: Origin,
}

impl Checkpoint {
    pub(crate) fn ask(&self) -> Result<Ask, String> {
        Ask::new(rpc("GetCheckpoint"), self)
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum ProveCommand {
    /// That an event is in the tree of the newest checkpoint
    Event(ProveEvent),
    /// That the tree still begins with the tree of an earlier size
    Consistency(ProveConsistency),
    /// A resource's whole history, with nothing left out
    History(ProveHistory),
}

impl ProveCommand {
    pub(crate) fn ask(&self) -> Result<Ask, String> {
        match self {
            Self::Event(asked) => Ask::new(rpc("ProveInclusion"), asked),
            Self::Consistency(asked) => Ask::new(rpc("ProveConsistency"), asked),
            Self::History(asked) => Ask::new(rpc("ProveHistory"), asked),
        }
    }
}

fn rpc(method: &str) -> String {
    format!("duban.audit.v1.ProofService/{method}")
}

#[derive(Debug, clap::Args, Serialize)]
pub(crate) struct ProveEvent {
    /// Its position in the log
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    position: u64,
    #[command(flatten)]
    #[serde(flatten)]
    origin: Origin,
}

#[derive(Debug, clap::Args, Serialize)]
pub(crate) struct ProveConsistency {
    /// The earlier size, say that of a checkpoint that was kept
    #[arg(long = "from", value_name = "SIZE", value_parser = clap::value_parser!(u64).range(1..))]
    from_size: u64,
    /// The later size [default: that of the newest checkpoint]
    #[arg(long = "to", value_name = "SIZE")]
    to_size: Option<u64>,
    #[command(flatten)]
    #[serde(flatten)]
    origin: Origin,
}

#[derive(Debug, clap::Args, Serialize)]
pub(crate) struct ProveHistory {
    /// A task, agency, document, reading, cycle, obligation, report or log, by its full name
    name: String,
    /// After which position
    #[arg(long, value_name = "POSITION")]
    after: Option<u64>,
    /// Up to which position [default: all that the newest checkpoint covers]
    #[arg(long, value_name = "POSITION")]
    up_to: Option<u64>,
    #[command(flatten)]
    #[serde(flatten)]
    origin: Origin,
}
