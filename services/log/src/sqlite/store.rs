//! A data folder that is open: its readers, its one writer, its lock.

use std::path::Path;
use std::sync::{Arc, Mutex};

use duban_domain::{Position, Timestamp};
use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnection, SqliteSynchronous};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{Database, Folder, Reader, Writer, WriterOptions, is_sealed, last, prepare};
use crate::append::{Append, Appended, LogIdentity, QUEUE_MAX};
use crate::error::{AppendError, OpenError, ReadError};
use crate::load::Load;
use crate::log::{LogOptions, lock};

/// The log of one folder.
pub(crate) struct Store {
    identity: LogIdentity,
    /// Only who owns the folder seals its log, so this stays as it was found.
    sealed: bool,
    head: watch::Receiver<Position>,
    reader: Reader,
    /// Taken when the log closes, which ends the committer.
    writer: Mutex<Option<Arc<Writer>>>,
    committer: Mutex<Option<JoinHandle<Option<SqliteConnection>>>>,
    folder: Arc<Folder>,
}

impl Store {
    /// Opens the log in its folder; makes it where there is none.
    pub(crate) async fn open(folder: &Path, options: &LogOptions) -> Result<Self, OpenError> {
        let folder = Arc::new(Folder::own(folder)?);
        let path = folder.file("log.db");
        let database = Database::at(&path, SqliteSynchronous::Full);
        let mut connection = database.writer().await?;
        let identity = prepare(&mut connection, &path, &*options.ids).await?;
        let sealed = is_sealed(&mut connection).await?;
        let (last, _) = last(&mut connection).await?;
        let (publish, head) = watch::channel(last);
        let reader = Reader::new(database.readers(options.readers.max(1)).await?);
        let (writer, committer) = Writer::start(WriterOptions {
            database,
            connection,
            clock: Arc::clone(&options.clock),
            head: publish,
            queue: options.queue.clamp(1, QUEUE_MAX),
            folder: Arc::clone(&folder),
        });
        Ok(Self {
            identity,
            sealed,
            head,
            reader,
            writer: Mutex::new(Some(Arc::new(writer))),
            committer: Mutex::new(Some(committer)),
            folder,
        })
    }

    pub(crate) async fn close(&self) {
        drop(lock(&self.writer).take());
        let committer = lock(&self.committer).take();
        if let Some(task) = committer {
            let connection = task.await.ok().flatten();
            self.reader.close().await;
            // The last one to close, since only a writer takes the write-ahead log into the file.
            if let Some(connection) = connection {
                connection.close().await.ok();
            }
            self.folder.release();
        }
    }

    pub(crate) fn identity(&self) -> LogIdentity {
        self.identity
    }

    pub(crate) fn is_sealed(&self) -> bool {
        self.sealed
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Position> {
        self.head.clone()
    }

    pub(crate) fn reader(&self) -> &Reader {
        &self.reader
    }

    pub(crate) async fn position_at(&self, at: Timestamp) -> Result<Position, ReadError> {
        let writer = lock(&self.writer).clone();
        if let Some(writer) = writer {
            writer.settle(at).await;
        }
        let head = *self.head.borrow();
        self.reader.position_at(at, head).await
    }

    /// How much its committer has to do; `None` once it is closed.
    pub(crate) fn load(&self) -> Option<Load> {
        lock(&self.writer).as_ref().map(|writer| writer.load())
    }

    pub(crate) async fn append(&self, append: Append) -> Result<Appended, AppendError> {
        if self.sealed {
            return Err(AppendError::Sealed);
        }
        let writer = lock(&self.writer).clone().ok_or(AppendError::Unavailable(None))?;
        writer.append(append).await
    }
}
