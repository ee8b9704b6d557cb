//! On which engine a test program runs, and a place for each log.

use std::io::Write as _;
use std::path::Path;

use duban_log::Location;
use duban_test_postgres::Database;
use tempfile::TempDir;

/// An engine of the log. Each test program is for one: `crate::ENGINE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// Embedded.
    Sqlite,
    /// Shared.
    Postgres,
}

/// Where a log is, until it is dropped.
#[allow(clippy::large_enum_variant, reason = "there are few")]
pub enum Place {
    /// A data folder.
    Folder(TempDir),
    /// A database.
    Database(Database),
}

impl Place {
    /// Without a log yet, on this program's engine.
    pub async fn new() -> Self {
        match crate::ENGINE {
            Engine::Sqlite => Self::Folder(tempfile::tempdir().expect("a folder")),
            Engine::Postgres => Self::Database(database().await),
        }
    }

    /// As the server is told.
    pub fn location(&self) -> Location {
        match self {
            Self::Folder(folder) => Location::from(folder.path()),
            Self::Database(database) => Location::Postgres(database.app()),
        }
    }

    /// As the command line is told.
    pub fn flags(&self) -> [String; 2] {
        match self.location() {
            Location::Folder(path) => ["--data".into(), path.display().to_string()],
            Location::Postgres(url) => ["--log".into(), url],
        }
    }

    /// The data folder.
    pub fn folder(&self) -> &Path {
        match self {
            Self::Folder(folder) => folder.path(),
            Self::Database(_) => panic!("this test is of SQLite's files"),
        }
    }

    /// The database.
    pub fn database(&self) -> &Database {
        match self {
            Self::Folder(_) => panic!("this test is of Postgres"),
            Self::Database(database) => database,
        }
    }
}

/// A database with an empty log. Where the machine has no Postgres, which was said, this program ends: none of
/// its tests can be run.
async fn database() -> Database {
    if let Some(database) = Database::migrated().await {
        return database;
    }
    std::io::stderr().flush().ok();
    std::process::exit(0)
}
