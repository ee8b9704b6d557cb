//! The committer: one task drains a bounded queue without a timer (the queue fills while the previous commit
//! syncs) and commits what it finds in one transaction, on a connection of its own.

use std::collections::HashSet;
use std::sync::Arc;

use duban_domain::{Position, Tag, Timestamp};
use sqlx::Connection;
use sqlx::sqlite::SqliteConnection;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use super::plan::{Known, Placed, Plan, plan};
use super::{Database, Folder, Insert, reader, signed};
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
        let committed = Arc::<Committed>::default();
        let committer = Committer {
            database: options.database,
            connection: Some(options.connection),
            clock: options.clock,
            head: options.head,
            settled: i64::MIN,
            committed: Arc::clone(&committed),
            inserts: Inserts::new(),
            _folder: options.folder,
        };
        (Self { queue, committed }, tokio::spawn(committer.run(jobs)))
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
    inserts: Inserts,
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

    async fn attempt(
        &mut self,
        batch: &[Append],
    ) -> Result<(Position, Vec<Result<Appended, AppendError>>), sqlx::Error> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            None => self.connection.insert(self.database.writer().await?),
        };
        let mut tx = connection.begin_with("BEGIN IMMEDIATE").await?;
        let known = know(&mut tx, batch).await?;
        if known.head < *self.head.borrow() {
            return Err(sqlx::Error::Protocol("the log has lost events that were published".into()));
        }
        // Each batch has an instant of its own, so that "recorded at or before" names one position.
        let now =
            self.clock.now().as_microsecond().max(known.recorded_at + 1).max(self.settled.saturating_add(1));
        let plan = plan(known, batch.iter(), now);
        self.inserts.write(&mut tx, &plan).await?;
        tx.commit().await?;
        Ok((plan.head, plan.answers))
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
    let mut tags: HashSet<&Tag> = HashSet::new();
    for append in batch {
        tags.extend(append.condition.read.iter().map(|(tag, _)| tag));
        tags.extend(append.events.iter().flat_map(|event| &event.tags));
    }
    let requests: HashSet<String> =
        batch.iter().map(|append| append.origin.request_id.simple().to_string()).collect();
    reader::known(connection, &requests, &tags).await
}

/// The table of events and what a row binds, in order.
pub(super) const EVENTS: &str = "events (position, id, type, recorded_at, effective_on, actor, role, agency, \
                                 request_id, correlation, causation, trace_id, nonce, tags, body)";
/// The table of receipts and what a row binds, in order.
pub(super) const RECEIPTS: &str =
    "receipts (request_id, principal, fingerprint, first_position, last_position, recorded_at)";

/// The statements that write.
pub(super) struct Inserts {
    events: Insert,
    receipts: Insert,
}

impl Inserts {
    pub(super) fn new() -> Self {
        Self { events: Insert::into(EVENTS, 15), receipts: Insert::into(RECEIPTS, 6) }
    }

    pub(super) async fn write(
        &self,
        connection: &mut SqliteConnection,
        plan: &Plan<'_>,
    ) -> Result<(), sqlx::Error> {
        let at = plan.recorded_at;
        self.events.rows(connection, &plan.events, |query, placed| bind_event(query, placed, at)).await?;
        self.receipts
            .rows(connection, &plan.receipts, |query, (append, receipt)| {
                query
                    .bind(append.origin.request_id.as_bytes().to_vec())
                    .bind(append.origin.caller.principal.as_str().to_owned())
                    .bind(append.fingerprint.to_vec())
                    .bind(signed(receipt.first))
                    .bind(signed(receipt.last))
                    .bind(at)
            })
            .await
    }
}

fn bind_event<'q>(
    query: super::insert::Bound<'q>,
    placed: &Placed<'_>,
    recorded_at: i64,
) -> super::insert::Bound<'q> {
    let Placed { position, append, event, tags } = placed;
    let origin = &append.origin;
    query
        .bind(signed(*position))
        .bind(event.id.as_bytes().to_vec())
        .bind(event.event_type.clone())
        .bind(recorded_at)
        .bind(event.effective_on.to_string())
        .bind(origin.caller.principal.as_str().to_owned())
        .bind(origin.caller.role.as_str())
        .bind(origin.caller.agency.as_ref().map(ToString::to_string))
        .bind(origin.request_id.as_bytes().to_vec())
        .bind(origin.correlation.as_bytes().to_vec())
        .bind(origin.causation.map(signed))
        .bind(origin.trace_id.clone())
        .bind(event.nonce.to_vec())
        .bind(reader::write_tags(tags))
        .bind(event.body.to_vec())
}
