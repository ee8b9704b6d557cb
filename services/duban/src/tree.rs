//! The place of a log's audit trees, a folder or a database: `duban tree export`, and what other commands look up there.

use std::path::Path;

use duban_log::{Location, LogIdentity, moving};
use duban_merkle::{Algorithm, Note};
use duban_tree::{Grove, Store, StoreError, TreeId};
use serde_json::json;

use crate::args::TreeCommand;
use crate::failure::{Exit, Failure, chain};
use crate::i18n::messages;
use crate::output::Printer;

/// Does what was typed.
pub(crate) async fn run(command: TreeCommand, printer: &mut Printer) -> Result<(), Failure> {
    match command {
        TreeCommand::Export { tree, to } => {
            let folder = to.clone();
            let copied = tokio::task::spawn_blocking(move || export(&tree, &folder)).await;
            let copied = copied.map_err(|error| Failure::other(error.to_string()))??;
            for (origin, size) in copied {
                let said = messages::TREE_EXPORTED.with(printer.lang(), &[&origin, &size, &to.display()]);
                let outcome = json!({ "origin": origin, "size": size.to_string() });
                printer.outcome(&said, &outcome)?;
            }
            Ok(())
        }
    }
}

/// Writes every tree there to a folder of its own: the origin and the size of each.
fn export(tree: &Location, to: &Path) -> Result<Vec<(String, u64)>, StoreError> {
    let grove = Grove::at(tree)?;
    let names = grove.names()?;
    if names.is_empty() {
        return Err(StoreError::Absent(grove.place().to_owned()));
    }
    let copied = |name: &String| {
        let store = grove.open(name)?;
        let size = store.copy(&to.join(store.id().folder()))?;
        Ok((store.id().origin.clone(), size))
    };
    names.iter().map(copied).collect()
}

/// The one tree there.
pub(crate) fn only(tree: &Location) -> Result<Store, Failure> {
    let grove = Grove::at(tree)?;
    match &grove.names()?[..] {
        [one] => Ok(grove.open(one)?),
        [] => Err(StoreError::Absent(grove.place().to_owned()).into()),
        several => {
            let between = if matches!(tree, Location::Folder(_)) { "/" } else { "#" };
            let place = grove.place().display();
            let names: Vec<_> = several.iter().map(|name| format!("{place}{between}{name}")).collect();
            Err(Failure::Usage(format!("--tree: name one of {}", names.join(", "))))
        }
    }
}

/// Looks up what was signed last of an epoch, where it had a tree there.
pub(crate) fn last_checkpoint(tree: Location) -> moving::LastCheckpoint {
    Box::new(move |of: LogIdentity| {
        let name = TreeId::new(of, Algorithm::Sha256, None).folder();
        let note = match Grove::at(&tree)?.open(&name).and_then(|store| store.checkpoint()) {
            Err(StoreError::Absent(_)) => None,
            read => read?,
        };
        Ok(note.map(|bytes| Note::parse(&bytes)).transpose()?)
    })
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let exit = match &error {
            StoreError::Absent(_) => Exit::NotFound,
            StoreError::Unfit { .. } => Exit::Usage,
            StoreError::Other { .. } => Exit::Conflict,
            StoreError::Damaged { .. } => Exit::Unverified,
            StoreError::InUse(_) | StoreError::File(..) | StoreError::Database(..) => Exit::Unavailable,
        };
        Self::Other { exit, message: chain(&error) }
    }
}
