//! Trees in a database of Postgres: a row for each file, by tree and name, in a schema that the first writer makes.
//!
//! A round is one transaction, so nothing needs a working name. Who writes holds an advisory lock, which goes with its
//! connection: a builder whose connection is lost writes nothing more, and has to open the tree again. Each of its
//! transactions begins with the row of `tree.json`, locked and as it has left it: where a pooler hands the lock of one
//! connection to another, or somebody else has gone on, nothing is written either.
//!
//! Its calls block, as those on a folder do: connections are on a [`Link`] of their own.

mod link;
mod script;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use duban_log::Location;
use sqlx::PgConnection;

use super::files::{Files, Pen};
use super::{StoreError, TREE};
use link::Link;
use script::{Change, Opened};

/// A database, for all trees in it.
pub(super) struct Database {
    link: Link,
    place: PathBuf,
}

impl Database {
    /// The one at this URL. Nobody is asked yet.
    pub(super) fn at(url: &str) -> Result<Self, StoreError> {
        let place = PathBuf::from(Location::Postgres(url.to_owned()).to_string());
        match Link::to(url) {
            Ok(link) => Ok(Self { link, place }),
            Err(error) => Err(StoreError::Database(place, error)),
        }
    }

    /// Where it is, for people.
    pub(super) fn place(&self) -> &Path {
        &self.place
    }

    /// The trees in it, in order of name. Fails with [`StoreError::Unfit`] where no tree may be.
    pub(super) fn trees(&self) -> Result<Vec<String>, StoreError> {
        let pool = self.link.readers().clone();
        let listed = self.link.wait(async move {
            let mut connection = pool.acquire().await?;
            match script::log_beside(&mut connection).await? {
                Some(why) => Ok(Err(why)),
                None => script::trees(&mut connection).await.map(Ok),
            }
        });
        listed.map_err(|error| self.fault(error))?.map_err(|why| self.unfit(why))
    }

    fn fault(&self, error: sqlx::Error) -> StoreError {
        StoreError::Database(self.place.clone(), error)
    }

    fn unfit(&self, why: String) -> StoreError {
        StoreError::Unfit { place: self.place.clone(), why }
    }
}

/// The files of a tree in a database.
#[derive(Clone)]
pub(super) struct Shelf {
    database: Arc<Database>,
    tree: String,
    place: PathBuf,
}

impl Shelf {
    /// Those of the tree that is called so.
    pub(super) fn new(database: Arc<Database>, tree: String) -> Self {
        let place = database.place().join(&tree);
        Self { database, tree, place }
    }
}

impl Files for Shelf {
    fn place(&self) -> &Path {
        &self.place
    }

    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let (pool, tree, name) = (self.database.link.readers().clone(), self.tree.clone(), name.to_owned());
        let read = self.database.link.wait(async move { script::read(&pool, &tree, &name).await });
        read.map_err(|error| self.database.fault(error))
    }

    fn below(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        let (pool, tree, folder) =
            (self.database.link.readers().clone(), self.tree.clone(), folder.to_owned());
        let listed = self.database.link.wait(async move { script::below(&pool, &tree, &folder).await });
        listed.map_err(|error| self.database.fault(error))
    }

    fn replace(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let (pool, tree) = (self.database.link.readers().clone(), self.tree.clone());
        let (name, bytes) = (name.to_owned(), bytes.to_owned());
        let replaced =
            self.database.link.wait(async move { script::replace(&pool, &tree, &name, &bytes).await });
        replaced.map_err(|error| self.database.fault(error))
    }

    fn lock(&self) -> Result<Box<dyn Pen>, StoreError> {
        let opening = script::open(self.database.link.options().clone(), self.tree.clone());
        match self.database.link.wait(opening).map_err(|error| self.database.fault(error))? {
            Opened::InUse => Err(StoreError::InUse(self.place.clone())),
            Opened::Unfit(why) => Err(self.database.unfit(why)),
            Opened::Locked { connection, stood } => Ok(Box::new(ShelfPen {
                files: self.clone(),
                connection: Some(*connection),
                stood,
                round: Change::default(),
            })),
        }
    }
}

struct ShelfPen {
    files: Shelf,
    /// It has the lock. None once it has failed.
    connection: Option<PgConnection>,
    /// `tree.json` as it was read or written last.
    stood: Option<Vec<u8>>,
    /// The files of this round, in memory until it is settled: as many as the builder lets a round have.
    round: Change,
}

impl Pen for ShelfPen {
    fn put(&mut self, name: String, bytes: Vec<u8>) -> Result<(), StoreError> {
        self.round.put(name, bytes);
        Ok(())
    }

    fn settle(&mut self, tree: &[u8], gone: &[String]) -> Result<(), StoreError> {
        let mut round = std::mem::take(&mut self.round);
        round.put(TREE.to_owned(), tree.to_owned());
        gone.clone_into(&mut round.gone);
        self.write(round)?;
        self.stood = Some(tree.to_owned());
        Ok(())
    }

    fn replace(&mut self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let mut change = Change::default();
        change.put(name.to_owned(), bytes.to_owned());
        self.write(change)
    }
}

impl ShelfPen {
    /// Writes, as long as nobody else has: after a failure the connection is gone, and the lock with it.
    fn write(&mut self, change: Change) -> Result<(), StoreError> {
        let Shelf { database, tree, place } = &self.files;
        let lost = || StoreError::InUse(place.clone());
        let connection = self.connection.take().ok_or_else(lost)?;
        let writing = script::write(connection, tree.clone(), self.stood.clone(), change);
        let written = database.link.wait(writing).map_err(|error| database.fault(error))?;
        self.connection = Some(written.ok_or_else(lost)?);
        Ok(())
    }
}

/// Whoever comes next needn't wait until the server has noticed.
impl Drop for ShelfPen {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.files.database.link.close(connection);
        }
    }
}
