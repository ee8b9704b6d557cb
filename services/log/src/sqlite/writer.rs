//! The committer: one task drains a bounded queue without a timer (the queue fills while the previous commit
//! syncs) and commits what it finds in one transaction, on a connection of its own.

use std::collections::HashSet;
use std::sync::Arc;

use duban_domain::{Position, Tag, Timestamp};
use sqlx::Connection as _;
use sqlx::sqlite::SqliteConnection;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use super::memory::{Memory, tags};
use super::plan::{Known, plan};
use super::script::Scripts;
use super::{Database, Folder, reader};
use crate::append::{Append, Appended, BATCH_BYTES_MAX, BATCH_MAX};
use crate::clock::Clock;
use crate::error::{AppendError, StorageError};
use crate::load::{Committed, Load};

type Answer<T> = oneshot::Sender<Result<T, AppendError>>;

/// What the committer is asked for.
enum Job {
    Append(Box<Append>, Answer<Appended>),
    /// Nothing more is ever recorded at or before this instant, in microseconds.
    Settle(i64, oneshot::Sender<()>),
}

/// The way to the committer.
#[derive(Debug)]
pub(crate) struct Writer {
    queue: mpsc::Sender<Job>,
    committed: Arc<Committed>,
}

/// What the committer is made of.
pub(crate) struct WriterOptions {
    pub(crate) database: Database,
    pub(crate) connection: SqliteConnection,
    pub(crate) clock: Arc<dyn Clock>,
    /// Where the committed head is published.
    pub(crate) head: watch::Sender<Position>,
    /// How many appends may wait.
    pub(crate) queue: usize,
    /// Held until the last commit, also when the log is dropped without being closed.
    pub(crate) folder: Arc<Folder>,
}

impl Writer {
    /// Starts the committer. It ends when every `Writer` is gone and the queue is empty, and leaves its
    /// connection to be closed.
    pub(crate) fn start(options: WriterOptions) -> (Self, JoinHandle<Option<SqliteConnection>>) {
        let (queue, jobs) = mpsc::channel(options.queue);
        let counts = Arc::<Committed>::default();
        let committer = Committer {
            database: options.database,
            connection: Some(options.connection),
            clock: options.clock,
            head: options.head,
            settled: i64::MIN,
            committed: Arc::clone(&counts),
            memory: Memory::blank(),
            scripts: Scripts::default(),
            _folder: options.folder,
        };
        (Self { queue, committed: counts }, tokio::spawn(committer.run(jobs)))
    }

    /// Answers once the append is durable, or certain not to be, or unknown.
    pub(crate) async fn append(&self, append: Append) -> Result<Appended, AppendError> {
        let (answer, answered) = oneshot::channel();
        self.queue.try_send(Job::Append(Box::new(append), answer)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => AppendError::QueueFull,
            mpsc::error::TrySendError::Closed(_) => AppendError::Unavailable(None),
        })?;
        answered.await.unwrap_or(Err(AppendError::Unavailable(None)))
    }

    /// How much it has to do.
    pub(crate) fn load(&self) -> Load {
        self.committed.load(self.queue.max_capacity() - self.queue.capacity())
    }

    /// Waits until nothing more can be recorded at or before `at`. A closed log records nothing anyway.
    pub(crate) async fn settle(&self, at: Timestamp) {
        let (answer, answered) = oneshot::channel();
        if self.queue.send(Job::Settle(at.as_microsecond(), answer)).await.is_ok() {
            answered.await.ok();
        }
    }
}

struct Committer {
    database: Database,
    /// `None` after a failed commit: the next batch opens another.
    connection: Option<SqliteConnection>,
    clock: Arc<dyn Clock>,
    head: watch::Sender<Position>,
    /// Nothing is recorded at or before this instant any more.
    settled: i64,
    committed: Arc<Committed>,
    memory: Memory,
    scripts: Scripts,
    _folder: Arc<Folder>,
}

impl Committer {
    async fn run(mut self, mut jobs: mpsc::Receiver<Job>) -> Option<SqliteConnection> {
        let mut waiting = Vec::with_capacity(BATCH_MAX);
        while jobs.recv_many(&mut waiting, BATCH_MAX).await > 0 {
            let mut batch = Batch::default();
            for job in waiting.drain(..) {
                match job {
                    Job::Append(append, answer) => {
                        if batch.is_full() {
                            self.commit(std::mem::take(&mut batch)).await;
                        }
                        batch.push(*append, answer);
                    }
                    Job::Settle(at, answer) => {
                        // What came before it may have taken an earlier instant: it is committed first.
                        self.commit(std::mem::take(&mut batch)).await;
                        self.settled = self.settled.max(at);
                        answer.send(()).ok();
                    }
                }
            }
            self.commit(batch).await;
        }
        self.connection
    }

    /// Commits the batch and only then answers. A crash anywhere before the answers leaves either the whole
    /// batch, whose requests find their receipts when they come again, or nothing of it.
    async fn commit(&mut self, batch: Batch) {
        if batch.appends.is_empty() {
            return;
        }
        match self.attempt(&batch.appends).await {
            Ok((head, answers)) => {
                self.committed.batch(answers.len());
                // Before the answers: who was answered finds the event below the head.
                self.head.send_if_modified(|known| std::mem::replace(known, head) != head);
                batch
                    .waiting
                    .into_iter()
                    .zip(answers)
                    .for_each(|(waiting, answer)| drop(waiting.send(answer)));
            }
            Err(error) => {
                // The commit may have failed or its success may not have been heard. The connection may
                // still be in the transaction: it is thrown away, and the next batch reads the head anew.
                tracing::error!(%error, appends = batch.appends.len(), "a batch could not be committed");
                self.memory.clear();
                if let Some(connection) = self.connection.take() {
                    connection.close_hard().await.ok();
                }
                let cause = StorageError::from(error);
                for waiting in batch.waiting {
                    waiting.send(Err(AppendError::Unavailable(Some(cause.clone())))).ok();
                }
            }
        }
    }

    /// Without asking anything first where all that must be known is remembered: one client alone would feel
    /// each hop to the connection's thread and back.
    async fn attempt(&mut self, batch: &[Append]) -> Result<Done, sqlx::Error> {
        if let Some(known) = self.memory.recall(batch)
            && let Some(done) = self.write(batch, known).await?
        {
            return Ok(done);
        }
        let known = know(connection(&mut self.connection, &self.database).await?, batch).await?;
        if known.head < *self.head.borrow() {
            return Err(sqlx::Error::Protocol("the log has lost events that were published".into()));
        }
        let done = self.write(batch, known).await?;
        done.ok_or_else(|| sqlx::Error::Protocol("a receipt is there that was not found".into()))
    }

    /// Plans the batch and writes it. `None`: nothing is written, the receipts must be looked for first, since an
    /// append that fails may have been answered before, or has been.
    async fn write(&mut self, batch: &[Append], known: Known) -> Result<Option<Done>, sqlx::Error> {
        // Each batch has an instant of its own, so that "recorded at or before" names one position.
        let now =
            self.clock.now().as_microsecond().max(known.recorded_at + 1).max(self.settled.saturating_add(1));
        let plan = plan(known, batch.iter(), now);
        let looked = plan.known.looked_for_receipts;
        if !looked && plan.answers.iter().any(Result::is_err) {
            return Ok(None);
        }
        let connection = connection(&mut self.connection, &self.database).await?;
        match self.scripts.run(connection, &plan).await {
            Err(sqlx::Error::Database(error)) if !looked && error.is_unique_violation() => return Ok(None),
            done => done?,
        }
        self.memory.keep(&plan);
        Ok(Some((plan.head, plan.answers)))
    }
}

/// The new head, and an answer for each append.
type Done = (Position, Vec<Result<Appended, AppendError>>);

/// The connection, opened again after a failure.
async fn connection<'c>(
    connection: &'c mut Option<SqliteConnection>,
    database: &Database,
) -> Result<&'c mut SqliteConnection, sqlx::Error> {
    match connection {
        Some(connection) => Ok(connection),
        None => Ok(connection.insert(database.writer().await?)),
    }
}

/// Appends to be committed together, each with who waits for it.
#[derive(Default)]
struct Batch {
    appends: Vec<Append>,
    waiting: Vec<Answer<Appended>>,
    bytes: usize,
}

impl Batch {
    fn push(&mut self, append: Append, answer: Answer<Appended>) {
        self.bytes += append.events.iter().map(|event| event.body.len()).sum::<usize>();
        self.appends.push(append);
        self.waiting.push(answer);
    }

    fn is_full(&self) -> bool {
        self.bytes >= BATCH_BYTES_MAX
    }
}

/// Reads all that the plan of a batch depends on.
pub(super) async fn know(connection: &mut SqliteConnection, batch: &[Append]) -> Result<Known, sqlx::Error> {
    let tags: HashSet<&Tag> = batch.iter().flat_map(tags).collect();
    let requests: HashSet<String> =
        batch.iter().map(|append| append.origin.request_id.simple().to_string()).collect();
    reader::known(connection, &requests, &tags).await
}
