//! All trees that are kept in one place.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use duban_log::Location;

use super::database::{Database, Shelf};
use super::folder::Folder;
use super::{Store, StoreError, TREE, TreeId};
use crate::disk::fault;

/// A place of trees. Cheap to clone.
///
/// In a folder each tree is a folder, by the name that [`TreeId::folder`] gives it; a folder that is itself a tree has
/// that one, without a name. In a database each has its rows; behind a `#` in the URL stands the name of one, and the
/// others are left aside.
#[derive(Clone)]
pub struct Grove(Kind);

#[derive(Clone)]
enum Kind {
    Folder(PathBuf),
    Database { database: Arc<Database>, only: Option<String> },
}

impl Grove {
    /// The one there. Nothing is read yet; a database is asked when it is needed first.
    pub fn at(location: &Location) -> Result<Self, StoreError> {
        Ok(Self(match location {
            Location::Folder(folder) => Kind::Folder(folder.clone()),
            Location::Postgres(url) => {
                let (url, only) = url.split_once('#').unwrap_or((url, ""));
                let only = Some(only.to_owned()).filter(|only| !only.is_empty());
                Kind::Database { database: Arc::new(Database::at(url)?), only }
            }
        }))
    }

    /// Where it is, for people.
    pub fn place(&self) -> &Path {
        match &self.0 {
            Kind::Folder(folder) => folder,
            Kind::Database { database, .. } => database.place(),
        }
    }

    /// The names of the trees there, in order. Fails with [`StoreError::Unfit`] where none may be.
    pub fn names(&self) -> Result<Vec<String>, StoreError> {
        match &self.0 {
            Kind::Folder(folder) if folder.join(TREE).is_file() => Ok(vec![String::new()]),
            Kind::Folder(folder) => folders(folder),
            Kind::Database { database, only } => {
                let mut names = database.trees()?;
                names.retain(|name| only.as_ref().is_none_or(|only| only == name));
                Ok(names)
            }
        }
    }

    /// The tree of this name. Fails with [`StoreError::Absent`] if there is none.
    pub fn open(&self, name: &str) -> Result<Store, StoreError> {
        match &self.0 {
            Kind::Folder(folder) if name.is_empty() => Store::open(folder),
            Kind::Folder(folder) => Store::open(folder.join(name)),
            Kind::Database { database, .. } => {
                Store::found(Box::new(Shelf::new(Arc::clone(database), name.to_owned())))
            }
        }
    }

    /// The tree `id`, where it is or will be: whoever writes it makes it.
    pub fn tree(&self, id: TreeId) -> Store {
        match &self.0 {
            Kind::Folder(folder) => Store::new(Box::new(Folder::new(folder.join(id.folder()))), id),
            Kind::Database { database, .. } => {
                Store::new(Box::new(Shelf::new(Arc::clone(database), id.folder())), id)
            }
        }
    }
}

/// The folders of trees in a folder; none if there is no such folder.
fn folders(folder: &Path) -> Result<Vec<String>, StoreError> {
    let listed = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        listed => listed
            .and_then(|entries| entries.map(|entry| Ok(entry?.file_name())).collect::<io::Result<Vec<_>>>()),
    };
    let mut names: Vec<String> =
        listed.map_err(fault(folder))?.into_iter().filter_map(|name| name.into_string().ok()).collect();
    names.retain(|name| folder.join(name).join(TREE).is_file());
    names.sort();
    Ok(names)
}
