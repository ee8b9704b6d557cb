//! 核验: what to verify, against what, trusting whom.

use std::path::PathBuf;

use duban_log::Location;

use super::serve::LogArgs;
use super::tree::place;

// No doc comment here: it would become the command's own.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct VerifyArgs {
    // Where the log is, unless an export is verified.
    #[command(flatten)]
    pub(crate) log: LogArgs,
    /// The folder of an export, instead of a log in use
    #[arg(long, value_name = "DIR", conflicts_with = "log")]
    pub(crate) export: Option<PathBuf>,
    /// The folder or the database of the audit trees, or the folder of one tree; `off`: none [default: `tree` in the
    /// folder of the log or of the export]
    #[arg(long, env = "DUBAN_TREE", value_name = "DIR|URL", hide_env_values = true, value_parser = place)]
    pub(crate) tree: Option<Location>,
    /// 国密: verify the tree of SM3 and SM2 instead of the one of SHA-256 and Ed25519
    #[arg(long)]
    pub(crate) sm: bool,
    /// A key that the log signs with, as you were given it, or a file of such keys [default: those that lie beside
    /// the tree, which prove nothing against whoever could write there]
    #[arg(long, env = "DUBAN_KEY", value_name = "VKEY|FILE")]
    pub(crate) key: Vec<String>,
    /// The signed checkpoint to verify against [default: the one in the tree's folder]
    #[arg(long, value_name = "FILE")]
    pub(crate) checkpoint: Option<PathBuf>,
    /// A checkpoint that you have kept since earlier; may be given several times
    #[arg(long, value_name = "FILE")]
    pub(crate) kept: Vec<PathBuf>,
    /// The key of a witness, or a file of such keys; may be given several times
    #[arg(long, value_name = "VKEY|FILE")]
    pub(crate) witness: Vec<String>,
    /// How many of these witnesses must have cosigned the checkpoint
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) quorum: usize,
    /// Leave out the views by replay
    #[arg(long)]
    pub(crate) no_views: bool,
    /// The file to write the report to, as JSON; a text for people is written beside it, with the ending .txt
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,
    /// Watch the tree that a running server publishes at this URL (its admin port, or whoever serves the tree's folder):
    /// each checkpoint against the one before, and each new leaf
    #[arg(long, value_name = "URL", requires = "state")]
    pub(crate) watch: Option<String>,
    /// The file in which the watch keeps the last checkpoint that it believed; made if absent
    #[arg(long, value_name = "FILE")]
    pub(crate) state: Option<PathBuf>,
    /// How many seconds the watch waits from one look to the next
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) every: u64,
    /// Look once only, as for a scheduler
    #[arg(long)]
    pub(crate) once: bool,
}
