//! 佐证: one file that shows who answered for a task, and how anybody can check it.

use std::path::PathBuf;

use super::names;
use super::query::When;

// No doc comment here: it would become the command's own.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct EvidenceArgs {
    /// Which task
    #[arg(value_name = "TASK", value_parser = names::task)]
    pub(crate) task: String,
    #[command(flatten)]
    pub(crate) when: When,
    /// The file to write [default: evidence-TASK-DATE-POSITION.zip]
    #[arg(long, value_name = "FILE")]
    pub(crate) to: Option<PathBuf>,
    /// The key that must have signed the checkpoint, or handed over to one that has, as you were given it, or a file of
    /// such keys [default: the one that the server names]
    #[arg(long, env = "DUBAN_KEY", value_name = "VKEY|FILE")]
    pub(crate) key: Option<String>,
}
