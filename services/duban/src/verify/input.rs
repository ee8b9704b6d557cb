//! What a verification is given: keys, checkpoints, a stored tree.

use std::io;
use std::path::Path;
use std::sync::Arc;

use duban_log::{Held, Location, LogIdentity};
use duban_merkle::{Algorithm, Verifier};
use duban_tree::verification::Presented;
use duban_tree::{Grove, Store, TreeId};

use crate::args::is_off;
use crate::failure::{Exit, Failure};
use crate::server::TREE;

/// A file, which must be there.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|error| {
        let exit = if error.kind() == io::ErrorKind::NotFound { Exit::NotFound } else { Exit::Other };
        Failure::Other { exit, message: format!("{}: {error}", path.display()) }
    })
}

/// Keys as they were typed: each one itself, or a file with one a line.
pub(crate) fn keys(typed: &[String], option: &str) -> Result<Vec<Verifier>, Failure> {
    let mut keys = Vec::new();
    for one in typed {
        let text = if one.contains('+') && !Path::new(one).is_file() {
            one.clone()
        } else {
            String::from_utf8_lossy(&read(Path::new(one))?).into_owned()
        };
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let key = parsed(line, option)?;
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
    }
    Ok(keys)
}

fn parsed(line: &str, option: &str) -> Result<Verifier, Failure> {
    line.parse().map_err(|error| Failure::Usage(format!("{option} {line}: {error}")))
}

/// What lies beside a log: its tree.
pub(super) struct Beside {
    /// As it is stored.
    pub(super) store: Arc<Store>,
    /// How many leaves are stored in it.
    pub(super) size: u64,
    /// Its checkpoint, if it has one.
    pub(super) checkpoint: Option<Presented>,
    /// The keys that lie there.
    pub(super) keys: Vec<Verifier>,
}

/// The size that a checkpoint is of, whoever signed it.
fn signed_size(checkpoint: &Presented) -> Option<u64> {
    std::str::from_utf8(&checkpoint.bytes).ok()?.lines().nth(1)?.parse().ok()
}

impl Beside {
    /// Finds the tree of a log: none where nobody said that there is one and there is none.
    pub(super) fn find(
        typed: Option<&Location>,
        held: &Held,
        identity: LogIdentity,
        algorithm: Algorithm,
    ) -> Result<Option<Self>, Failure> {
        if typed.is_some_and(is_off) {
            return Ok(None);
        }
        let place = typed.cloned().or(match held {
            Held::Export(folder) | Held::Log(Location::Folder(folder)) => {
                Some(Location::Folder(folder.join(TREE)))
            }
            Held::Log(Location::Postgres(_)) => None,
        });
        let Some(place) = place else { return Ok(None) };
        let grove = Grove::at(&place)?;
        let wanted = TreeId::new(identity, algorithm, None).folder();
        let Some(name) = grove.names()?.into_iter().find(|name| name.is_empty() || *name == wanted) else {
            let absent = Failure::Other {
                exit: Exit::NotFound,
                message: format!("there is no tree of epoch {} in {place}", identity.epoch),
            };
            return if typed.is_some() { Err(absent) } else { Ok(None) };
        };
        let store = grove.open(&name)?;
        // The checkpoint first: it is never ahead of the tiles.
        let name = store.place().join("checkpoint").display().to_string();
        let checkpoint = store.checkpoint()?.map(|bytes| Presented { name, bytes, kept: false });
        // Whatever tree.json says, so many leaves are there.
        let size = store.size()?.max(checkpoint.as_ref().and_then(signed_size).unwrap_or(0));
        let keys = store.keys()?.iter().map(|key| parsed(key, "keys")).collect::<Result<_, _>>()?;
        Ok(Some(Self { store: Arc::new(store), size, checkpoint, keys }))
    }
}
