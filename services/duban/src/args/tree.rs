//! The options of the audit tree: where it is, and who signs it.

use std::path::PathBuf;

use clap::Subcommand;
use duban_log::Location;
use duban_merkle::KeyName;
use duban_tree::Grounds;

use super::serve::LogArgs;
use crate::server::{SIGNER, TREE};

/// Where there is no tree.
const OFF: &str = "off";

/// What is done with trees.
#[derive(Debug, Subcommand)]
pub(crate) enum TreeCommand {
    /// Write the trees of a database out as folders, for a web server, a disk or an auditor; repeated, what is new is
    /// added
    Export {
        /// The database of the trees, or their folder; one of several in a database is named behind a # at the URL's end
        #[arg(long, env = "DUBAN_TREE", value_name = "URL|DIR", hide_env_values = true, value_parser = place)]
        tree: Location,
        /// The folder to write to, in which each tree gets its own; made if absent
        #[arg(long, value_name = "PATH")]
        to: PathBuf,
    },
}

// No doc comment here: it would become the command's own.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct TreeArgs {
    /// The folder of the audit tree, or a Postgres database of its own, postgres://role:password@host:port/database: apart
    /// from the log's database in any case; `off`: none is kept [default: `tree` in the data folder, none on Postgres]
    #[arg(long, env = "DUBAN_TREE", value_name = "DIR|URL", hide_env_values = true, value_parser = place)]
    tree: Option<Location>,
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
        let place = match (given(self.tree.as_ref()), log.location()) {
            (Some(place), _) if is_off(place) => return None,
            (Some(place), _) => place.clone(),
            (None, Location::Folder(data)) => Location::Folder(data.join(TREE)),
            (None, Location::Postgres(_)) => return None,
        };
        let signer = self.signer.clone().filter(|folder| !folder.as_os_str().is_empty());
        let signer = signer.unwrap_or_else(|| log.data.join(SIGNER));
        let origin = self.origin.clone().filter(|origin| !origin.is_empty());
        Some(Grounds { origin, sm3: self.sm, ..Grounds::new(place, signer) })
    }
}

/// A folder, or the URL of a database.
#[allow(clippy::unnecessary_wraps, reason = "clap asks for it")]
pub(crate) fn place(text: &str) -> Result<Location, String> {
    let is_url = ["postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme));
    Ok(if is_url { Location::Postgres(text.to_owned()) } else { Location::Folder(text.into()) })
}

/// A place that was named: an empty variable names none.
pub(crate) fn given(place: Option<&Location>) -> Option<&Location> {
    place.filter(|place| !matches!(place, Location::Folder(folder) if folder.as_os_str().is_empty()))
}

/// Whether that was said instead of a place.
pub(crate) fn is_off(place: &Location) -> bool {
    matches!(place, Location::Folder(folder) if folder.as_os_str() == OFF)
}

/// What can be part of the name of a key, and of a line.
fn origin(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Ok(String::new());
    }
    let name: KeyName = text.parse().map_err(|error: duban_merkle::key::KeyError| error.to_string())?;
    Ok(name.as_str().trim_end_matches('/').to_owned())
}
