//! What a verification is given: keys, checkpoints, the folder of a tree.

use std::io;
use std::path::{Path, PathBuf};

use duban_log::{Held, Location, LogIdentity};
use duban_merkle::{Algorithm, Verifier};
use duban_tree::verification::Presented;

use crate::failure::{Exit, Failure};
use crate::server::TREE;

/// Where there is no tree.
pub(super) const OFF: &str = "off";

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
            let key = line.parse().map_err(|error| Failure::Usage(format!("{option} {line}: {error}")))?;
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
    }
    Ok(keys)
}

/// What lies beside a log: its tree.
pub(super) struct Beside {
    /// The folder of the tree.
    pub(super) folder: PathBuf,
    /// How many leaves are stored in it.
    pub(super) size: u64,
    /// Its checkpoint, if it has one.
    pub(super) checkpoint: Option<Presented>,
    /// The keys that lie there.
    pub(super) keys: Vec<Verifier>,
}

#[derive(serde::Deserialize)]
struct Stood {
    size: u64,
}

/// The size that a checkpoint is of, whoever signed it.
fn signed_size(checkpoint: &Presented) -> Option<u64> {
    std::str::from_utf8(&checkpoint.bytes).ok()?.lines().nth(1)?.parse().ok()
}

impl Beside {
    /// Finds the tree of a log: none where nobody said that there is one and there is none.
    pub(super) fn find(
        typed: Option<&Path>,
        held: &Held,
        identity: LogIdentity,
        algorithm: Algorithm,
    ) -> Result<Option<Self>, Failure> {
        if typed.is_some_and(|typed| typed.as_os_str() == OFF) {
            return Ok(None);
        }
        let root = typed.map(Path::to_owned).or(match held {
            Held::Export(folder) | Held::Log(Location::Folder(folder)) => Some(folder.join(TREE)),
            Held::Log(Location::Postgres(_)) => None,
        });
        let Some(root) = root else { return Ok(None) };
        let suffix = match algorithm {
            Algorithm::Sha256 => "",
            Algorithm::Sm3 => "-sm3",
        };
        let inner = root.join(format!("{}{suffix}", identity.epoch));
        let Some(folder) =
            [root.clone(), inner].into_iter().find(|folder| folder.join("tree.json").is_file())
        else {
            let absent = Failure::Other {
                exit: Exit::NotFound,
                message: format!("there is no tree of epoch {} in {}", identity.epoch, root.display()),
            };
            return if typed.is_some() { Err(absent) } else { Ok(None) };
        };
        // The checkpoint first: it is never ahead of the tiles.
        let file = folder.join("checkpoint");
        let name = file.display().to_string();
        let checkpoint = match std::fs::read(&file) {
            Ok(bytes) => Some(Presented { name, bytes, kept: false }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(Failure::other(format!("{name}: {error}"))),
        };
        let stood = read(&folder.join("tree.json"))?;
        let Stood { size } = serde_json::from_slice(&stood).map_err(|error| Failure::Other {
            exit: Exit::Unverified,
            message: format!("{}: {error}", folder.join("tree.json").display()),
        })?;
        // A checkpoint is never ahead of the tiles: whatever tree.json says, so many leaves are there.
        let size = size.max(checkpoint.as_ref().and_then(signed_size).unwrap_or(0));
        let path = folder.join("keys");
        let keys = if path.is_file() { keys(&[path.display().to_string()], "keys")? } else { Vec::new() };
        Ok(Some(Self { folder, size, checkpoint, keys }))
    }
}
