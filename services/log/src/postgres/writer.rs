//! The committer of this process: appends drain from a queue and are committed together, in one statement.
//!
//! A connection that was lost leaves it open whether the batch was written. It is sent again on another one: the
//! receipts of what was written say so.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use duban_domain::{Position, Tag, Timestamp};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgRow};
use sqlx::{Connection as _, Row as _};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use uuid::Uuid;

use super::head::Heads;
use super::is_passing;
use crate::append::{Append, Appended, BATCH_BYTES_MAX, BATCH_MAX, Receipt};
use crate::clock::Clock;
use crate::error::{AppendError, StorageError};
use crate::load::{Committed, Load};
use crate::sqlite::{signed, unsigned};

/// How long a batch is sent again and again after its connection was lost. Then its callers are told that nobody
/// knows, and ask again themselves.
const RESEND_WITHIN: Duration = Duration::from_secs(8);
/// How long to wait before that, at first; doubled each time.
const RESEND_AFTER: Duration = Duration::from_millis(20);
/// How long a batch may take. A connection that is silent for longer is given up.
const COMMIT_WITHIN: Duration = Duration::from_secs(5);

/// What the function answers for an append.
mod answer {
    pub(super) const WRITTEN: i32 = 0;
    pub(super) const WRITTEN_BEFORE: i32 = 1;
    pub(super) const REUSED: i32 = 2;
}

/// What the function raises when the log is sealed.
pub(super) const SEALED: &str = "DB003";

type Answer = oneshot::Sender<Result<Appended, AppendError>>;

/// Where appends are handed in.
pub(super) struct Writer {
    queue: mpsc::Sender<(Box<Append>, Answer)>,
    committed: Arc<Committed>,
}

pub(super) struct WriterOptions {
    pub(super) options: PgConnectOptions,
    pub(super) epoch: Uuid,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) heads: Arc<Heads>,
    /// How many appends may wait.
    pub(super) queue: usize,
}

impl Writer {
    /// Starts the committer. It ends when every `Writer` is gone and the queue is empty.
    pub(super) fn start(options: WriterOptions) -> (Self, JoinHandle<()>) {
        let (queue, jobs) = mpsc::channel(options.queue);
        let WriterOptions { options, epoch, clock, heads, queue: _ } = options;
        let counts = Arc::<Committed>::default();
        let committed = Arc::clone(&counts);
        let work = Committer { options, epoch, clock, heads, committed, connection: None };
        (Self { queue, committed: counts }, tokio::spawn(work.run(jobs)))
    }

    /// Answers once the append is durable, or certain not to be, or unknown.
    pub(super) async fn append(&self, append: Append) -> Result<Appended, AppendError> {
        let (answer, answered) = oneshot::channel();
        self.queue.try_send((Box::new(append), answer)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => AppendError::QueueFull,
            mpsc::error::TrySendError::Closed(_) => AppendError::Unavailable(None),
        })?;
        answered.await.unwrap_or(Err(AppendError::Unavailable(None)))
    }

    /// How much it has to do.
    pub(super) fn load(&self) -> Load {
        self.committed.load(self.queue.max_capacity() - self.queue.capacity())
    }
}

struct Committer {
    options: PgConnectOptions,
    epoch: Uuid,
    clock: Arc<dyn Clock>,
    heads: Arc<Heads>,
    committed: Arc<Committed>,
    /// `None` at first and after a failure: the next batch opens another.
    connection: Option<PgConnection>,
}

impl Committer {
    async fn run(mut self, mut jobs: mpsc::Receiver<(Box<Append>, Answer)>) {
        let mut waiting = VecDeque::with_capacity(BATCH_MAX);
        let mut taken = Vec::with_capacity(BATCH_MAX);
        loop {
            let room = BATCH_MAX.saturating_sub(waiting.len());
            if waiting.is_empty() {
                if jobs.recv_many(&mut taken, room).await == 0 {
                    break;
                }
            } else {
                while taken.len() < room
                    && let Ok(job) = jobs.try_recv()
                {
                    taken.push(job);
                }
            }
            waiting.extend(taken.drain(..));
            let batch = take_batch(&mut waiting);
            self.commit(batch).await;
        }
        if let Some(connection) = self.connection {
            connection.close().await.ok();
        }
    }

    async fn commit(&mut self, batch: Vec<(Box<Append>, Answer)>) {
        let (appends, waiting): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
        match self.send(&appends).await {
            Ok((head, answers)) => {
                self.committed.batch(answers.len());
                // Before the answers: who was answered finds the event below the head.
                self.heads.publish(head);
                for (waiting, answer) in waiting.into_iter().zip(answers) {
                    waiting.send(answer).ok();
                }
            }
            Err(error) => {
                let sealed = code_of(&error).as_deref() == Some(SEALED);
                if !sealed {
                    tracing::error!(%error, appends = appends.len(), "a batch could not be committed");
                    self.connection = None;
                }
                let cause = StorageError::from(error);
                for waiting in waiting {
                    let error = if sealed {
                        AppendError::Sealed
                    } else {
                        AppendError::Unavailable(Some(cause.clone()))
                    };
                    waiting.send(Err(error)).ok();
                }
            }
        }
    }

    /// Sends the batch until it is known what became of it, or for so long.
    async fn send(
        &mut self,
        batch: &[Box<Append>],
    ) -> Result<(Position, Vec<Result<Appended, AppendError>>), sqlx::Error> {
        let (until, mut pause) = (Instant::now() + RESEND_WITHIN, RESEND_AFTER);
        loop {
            let attempt = tokio::time::timeout(COMMIT_WITHIN, self.attempt(batch)).await;
            let error = match attempt {
                Ok(Ok(done)) => return Ok(done),
                Ok(Err(error)) if !is_passing(&error) => return Err(error),
                Ok(Err(error)) => error,
                Err(_) => sqlx::Error::Protocol("the database does not answer".into()),
            };
            // Whatever it was in the middle of, it is not used again.
            self.connection = None;
            if Instant::now() + pause > until {
                return Err(error);
            }
            tracing::warn!(%error, appends = batch.len(), "a batch is sent again");
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
    }

    async fn attempt(
        &mut self,
        batch: &[Box<Append>],
    ) -> Result<(Position, Vec<Result<Appended, AppendError>>), sqlx::Error> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            None => self.connection.insert(PgConnection::connect_with(&self.options).await?),
        };
        let now = self.clock.now().as_microsecond();
        let row = call(connection, self.epoch, now, batch).await?;
        answers_of(&row, batch.len())
    }
}

/// The first appends of the queue that can be judged by what is committed: one that reads what an earlier one of
/// the batch writes, or repeats its request, waits for the next batch.
fn take_batch<A: AsRef<Append>, T>(waiting: &mut VecDeque<(A, T)>) -> Vec<(A, T)> {
    let mut written: HashSet<Tag> = HashSet::new();
    let mut requests: HashSet<(Uuid, String)> = HashSet::new();
    let (mut batch, mut rest, mut bytes) = (Vec::new(), VecDeque::new(), 0);
    for (append, answer) in waiting.drain(..) {
        let one = append.as_ref();
        let key = (one.origin.request_id, one.origin.caller.principal.as_str().to_owned());
        let full = batch.len() >= BATCH_MAX || bytes >= BATCH_BYTES_MAX;
        let reads_written = one.condition.read.iter().any(|(tag, _)| written.contains(tag));
        if full || reads_written || !requests.insert(key) {
            rest.push_back((append, answer));
            continue;
        }
        bytes += one.events.iter().map(|event| event.body.len()).sum::<usize>();
        written.extend(one.events.iter().flat_map(|event| event.tags.iter().cloned()));
        batch.push((append, answer));
    }
    *waiting = rest;
    batch
}

/// Calls the function. The answer comes with the end of its transaction: what it says is committed.
pub(super) async fn call(
    connection: &mut PgConnection,
    epoch: Uuid,
    now: i64,
    batch: &[Box<Append>],
) -> Result<PgRow, sqlx::Error> {
    let numbered = || (1_i32..).zip(batch);
    let origins = || batch.iter().map(|append| &append.origin);
    let events =
        || numbered().flat_map(|(number, append)| append.events.iter().map(move |event| (number, event)));
    let tags = || {
        (1_i32..)
            .zip(events())
            .flat_map(|(number, (_, event))| event.tags.iter().map(move |tag| (number, tag)))
    };
    let read = || {
        numbered().flat_map(|(number, append)| append.condition.read.iter().map(move |read| (number, read)))
    };
    let sql = "SELECT head, answers, firsts, lasts, times FROM duban_log.append_batch(
               $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)";
    sqlx::query(sql)
        .bind(epoch)
        .bind(now)
        .bind(origins().map(|origin| origin.request_id).collect::<Vec<_>>())
        .bind(origins().map(|origin| origin.caller.principal.as_str()).collect::<Vec<_>>())
        .bind(batch.iter().map(|append| append.fingerprint.as_slice()).collect::<Vec<_>>())
        .bind(batch.iter().map(|append| signed(append.read_at)).collect::<Vec<_>>())
        .bind(origins().map(|origin| origin.caller.role.as_str()).collect::<Vec<_>>())
        .bind(
            origins()
                .map(|origin| origin.caller.agency.as_ref().map(ToString::to_string))
                .collect::<Vec<_>>(),
        )
        .bind(origins().map(|origin| origin.correlation).collect::<Vec<_>>())
        .bind(origins().map(|origin| origin.causation.map(signed)).collect::<Vec<_>>())
        .bind(origins().map(|origin| origin.trace_id.as_deref()).collect::<Vec<_>>())
        .bind(events().map(|(number, _)| number).collect::<Vec<_>>())
        .bind(events().map(|(_, event)| event.id).collect::<Vec<_>>())
        .bind(events().map(|(_, event)| event.event_type.as_str()).collect::<Vec<_>>())
        .bind(events().map(|(_, event)| event.effective_on.to_string()).collect::<Vec<_>>())
        .bind(events().map(|(_, event)| event.nonce.as_slice()).collect::<Vec<_>>())
        .bind(events().map(|(_, event)| &*event.body).collect::<Vec<_>>())
        .bind(tags().map(|(number, _)| number).collect::<Vec<_>>())
        .bind(tags().map(|(_, tag)| tag.as_str()).collect::<Vec<_>>())
        .bind(read().map(|(number, _)| number).collect::<Vec<_>>())
        .bind(read().map(|(_, (tag, _))| tag.as_str()).collect::<Vec<_>>())
        .bind(read().map(|(_, (_, after))| signed(*after)).collect::<Vec<_>>())
        .fetch_one(connection)
        .await
}

fn answers_of(
    row: &PgRow,
    appends: usize,
) -> Result<(Position, Vec<Result<Appended, AppendError>>), sqlx::Error> {
    let unreadable = || sqlx::Error::Decode("append_batch gives no answer for each append".into());
    let answers: Vec<i32> = row.try_get(1)?;
    let (firsts, lasts, times): (Vec<i64>, Vec<i64>, Vec<i64>) =
        (row.try_get(2)?, row.try_get(3)?, row.try_get(4)?);
    if [answers.len(), firsts.len(), lasts.len(), times.len()] != [appends; 4] {
        return Err(unreadable());
    }
    let answer = |index: usize| {
        let recorded_at = Timestamp::from_microsecond(times[index]).map_err(|_| unreadable())?;
        let receipt = Receipt { first: unsigned(firsts[index]), last: unsigned(lasts[index]), recorded_at };
        Ok(match answers[index] {
            answer::WRITTEN => Ok(Appended::Now(receipt)),
            answer::WRITTEN_BEFORE => Ok(Appended::Before(receipt)),
            answer::REUSED => Err(AppendError::RequestIdReused),
            _ => Err(AppendError::Conflict),
        })
    };
    Ok((unsigned(row.try_get(0)?), (0..appends).map(answer).collect::<Result<_, sqlx::Error>>()?))
}

pub(super) fn code_of(error: &sqlx::Error) -> Option<String> {
    error.as_database_error().and_then(sqlx::error::DatabaseError::code).map(std::borrow::Cow::into_owned)
}
