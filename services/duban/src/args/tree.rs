//! The options of the audit tree: where it is, and who signs it.

use std::path::PathBuf;

use duban_log::Location;
use duban_merkle::KeyName;
use duban_tree::Grounds;

use super::serve::LogArgs;
use crate::server::{SIGNER, TREE};

/// Where there is no tree.
const OFF: &str = "off";

// No doc comment here: it would become the command's own.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct TreeArgs {
    /// The folder of the audit tree, apart from the log's database; `off`: none is kept [default: `tree` in the data
    /// folder, none on Postgres]
    #[arg(long, env = "DUBAN_TREE", value_name = "DIR")]
    tree: Option<PathBuf>,
    /// The folder of the keys that sign the tree and of what they have signed; never restore it from a backup
    /// [default: `signer` in the data folder]
    #[arg(long, env = "DUBAN_SIGNER", value_name = "DIR")]
    signer: Option<PathBuf>,
    /// How checkpoints name the log, before the epoch: best the URL, without scheme, at which others reach its tree
    /// [default: duban/logs/LOG]
    #[arg(long, env = "DUBAN_ORIGIN", value_name = "ORIGIN", value_parser = origin)]
    origin: Option<String>,
    /// 国密: keep a tree hashed with SM3 and signed with SM2 beside the one of SHA-256 and Ed25519
    #[arg(long, env = "DUBAN_SM")]
    sm: bool,
}

impl TreeArgs {
    /// Where the trees of this log are, if any are kept.
    pub(crate) fn grounds(&self, log: &LogArgs) -> Option<Grounds> {
        let given = self.tree.clone().filter(|folder| !folder.as_os_str().is_empty());
        let folder = match (given, log.location()) {
            (Some(folder), _) if folder.as_os_str() == OFF => return None,
            (Some(folder), _) => folder,
            (None, Location::Folder(data)) => data.join(TREE),
            (None, Location::Postgres(_)) => return None,
        };
        let signer = self.signer.clone().filter(|folder| !folder.as_os_str().is_empty());
        let signer = signer.unwrap_or_else(|| log.data.join(SIGNER));
        let origin = self.origin.clone().filter(|origin| !origin.is_empty());
        Some(Grounds { origin, sm3: self.sm, ..Grounds::new(folder, signer) })
    }
}

/// What can be part of the name of a key, and of a line.
fn origin(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Ok(String::new());
    }
    let name: KeyName = text.parse().map_err(|error: duban_merkle::key::KeyError| error.to_string())?;
    Ok(name.as_str().trim_end_matches('/').to_owned())
}
