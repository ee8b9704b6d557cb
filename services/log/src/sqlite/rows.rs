//! Rows of `log.db` by a connection that answers in the thread that asks. Handing each row from one thread to another,
//! as a pool's connections do, costs more than to find it; whoever reads a whole log feels that.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::types::{FromSqlResult, ValueRef};
use rusqlite::{Connection, OpenFlags, Row};

use super::BUSY_TIMEOUT;
use crate::moving::MoveError;

/// A database file that is read as it is, by one caller at a time.
#[derive(Debug, Clone)]
pub(crate) struct Rows {
    path: PathBuf,
    connection: Arc<Mutex<Option<Connection>>>,
}

impl Rows {
    /// Of a file, which is opened when it is first asked.
    pub(super) fn of(path: &Path) -> Self {
        Self { path: path.to_owned(), connection: Arc::default() }
    }

    /// Asks it, off the threads that answer calls.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Connection) -> Result<T, rusqlite::Error> + Send + 'static,
    ) -> Result<T, MoveError> {
        let Self { path, connection } = self.clone();
        let asked = tokio::task::spawn_blocking(move || {
            let mut connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
            let connection = match &mut *connection {
                Some(connection) => connection,
                closed => closed.insert(open(&path)?),
            };
            question(connection)
        });
        let answer = asked.await.unwrap_or_else(|panicked| std::panic::resume_unwind(panicked.into_panic()));
        Ok(answer?)
    }
}

fn open(path: &Path) -> Result<Connection, rusqlite::Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    Ok(connection)
}

/// What is wrong with a row.
pub(super) type Fault = Box<dyn std::error::Error>;

/// A column of a row as `of` takes it; else its name and why it can't be taken so.
pub(super) fn column<'r, T>(
    row: &'r Row<'_>,
    column: usize,
    of: impl FnOnce(&ValueRef<'r>) -> FromSqlResult<T>,
) -> Result<T, Fault> {
    of(&row.get_ref(column)?).map_err(|error| {
        let name = row.as_ref().column_name(column).unwrap_or_default();
        format!("{name}: {error}").into()
    })
}
