//! Where logs are while they are measured: in folders below `target/`, or in databases of a Postgres that is started
//! for the run.

use std::path::{Path, PathBuf};

use duban_log::Location;
use duban_test_postgres::{APP, Database};
use sqlx::Connection as _;
use tempfile::TempDir;

use crate::Result;

/// The engine that is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Engine {
    /// Embedded, in a folder.
    Sqlite,
    /// Shared, in a database.
    Postgres,
}

/// Where a log is.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "there are few")]
pub enum Place {
    /// In a folder that stays.
    Kept(PathBuf),
    /// In a folder that goes when this is dropped.
    Passing(TempDir),
    /// In a database, which goes with its server when the run ends.
    Database(Database),
}

/// Where the benchmark may write.
pub fn workplace() -> Result<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench");
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// An empty folder there, gone when it is dropped.
pub fn scratch() -> Result<TempDir> {
    Ok(tempfile::Builder::new().prefix("run-").tempdir_in(workplace()?)?)
}

impl Place {
    /// A new one without events.
    pub async fn empty(engine: Engine) -> Result<Self> {
        Ok(match engine {
            Engine::Sqlite => Self::Passing(scratch()?),
            Engine::Postgres => Self::Database(Database::migrated().await.ok_or("there is no Postgres")?),
        })
    }

    /// A copy of it to write to.
    pub async fn copy(&self) -> Result<Self> {
        self.copied(&["log.db", "views.db"]).await
    }

    /// A copy of the log alone, whose views are yet to be built.
    pub async fn copy_without_views(&self) -> Result<Self> {
        let copy = self.copied(&["log.db"]).await?;
        if let Self::Database(database) = &copy {
            let script =
                format!("DROP SCHEMA duban_views CASCADE; CREATE SCHEMA duban_views AUTHORIZATION {APP}");
            let mut connection = database.superuser().await;
            sqlx::raw_sql(sqlx::AssertSqlSafe(script)).execute(&mut connection).await?;
            connection.close().await?;
        }
        Ok(copy)
    }

    async fn copied(&self, files: &[&str]) -> Result<Self> {
        match self {
            Self::Kept(folder) => {
                let copy = scratch()?;
                for file in files {
                    std::fs::copy(folder.join(file), copy.path().join(file))?;
                }
                Ok(Self::Passing(copy))
            }
            Self::Passing(_) => Err("what passes is not copied".into()),
            Self::Database(database) => Ok(Self::Database(database.copy().await)),
        }
    }

    /// As the library is told.
    pub fn location(&self) -> Location {
        match self {
            Self::Kept(folder) => Location::Folder(folder.clone()),
            Self::Passing(folder) => Location::Folder(folder.path().to_owned()),
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
}
