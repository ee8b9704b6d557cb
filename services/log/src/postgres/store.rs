//! A database that is open: connections that read, one that writes, one that listens.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use duban_domain::{Position, Timestamp};
use sqlx::postgres::{PgConnectOptions, PgPool};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::head::Heads;
use super::reader::{Reader, again};
use super::writer::{Writer, WriterOptions};
use super::{READERS, VIEW_READERS, listen, options, pool, schema, self_test};
use crate::append::{Append, Appended, LogIdentity, QUEUE_MAX};
use crate::error::{AppendError, OpenError, ReadError};
use crate::load::Load;
use crate::log::{LogOptions, lock};

/// How often it is looked whether there is room for the positions to come.
const ROOM_EVERY: Duration = Duration::from_mins(1);
/// With room for fewer positions than this, something is wrong: partitions are made long before.
const ROOM_ALARM: i64 = 10_000_000;

/// The log of one database.
pub(crate) struct Store {
    options: PgConnectOptions,
    identity: LogIdentity,
    pool: PgPool,
    views_pool: PgPool,
    reader: Reader,
    heads: Arc<Heads>,
    /// Counts the wake-ups of views.
    views: watch::Receiver<u64>,
    /// For how many positions there is room.
    room: watch::Receiver<i64>,
    /// Taken when the log closes, which ends the committer.
    writer: Mutex<Option<Arc<Writer>>>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
    committer: Mutex<Option<JoinHandle<()>>>,
}

impl Store {
    /// Opens the log, once the database has shown that it can be trusted with it.
    pub(crate) async fn open(url: &str, log: &LogOptions) -> Result<Self, OpenError> {
        let options = options(url)?;
        let identity = schema::examine(&options).await?;
        self_test::self_test(&options, log.ids.identity()).await?;
        let (views_pool, pool) = (pool(&options, VIEW_READERS), pool(&options, READERS));
        let heads = Arc::new(Heads::new(pool.clone(), identity.epoch, watch::channel(0).0));
        heads.ask().await?;
        let reader = Reader::new(pool.clone());
        let (wake, views) = watch::channel(0);
        let (free, room) = watch::channel(extend(&pool).await?);
        let (writer, committer) = Writer::start(WriterOptions {
            options: options.clone(),
            epoch: identity.epoch,
            clock: Arc::clone(&log.clock),
            heads: Arc::clone(&heads),
            queue: log.queue.clamp(1, QUEUE_MAX),
        });
        let tasks = vec![
            tokio::spawn(listen::listen(pool.clone(), Arc::clone(&heads), wake)),
            tokio::spawn(listen::poll(Arc::clone(&heads))),
            tokio::spawn(keep_room(pool.clone(), free)),
        ];
        Ok(Self {
            options,
            identity,
            pool,
            views_pool,
            reader,
            heads,
            views,
            room,
            writer: Mutex::new(Some(Arc::new(writer))),
            tasks: Mutex::new(tasks),
            committer: Mutex::new(Some(committer)),
        })
    }

    pub(crate) async fn close(&self) {
        drop(lock(&self.writer).take());
        let committer = lock(&self.committer).take();
        if let Some(task) = committer {
            task.await.ok();
        }
        let tasks = std::mem::take(&mut *lock(&self.tasks));
        tasks.iter().for_each(JoinHandle::abort);
        self.pool.close().await;
        self.views_pool.close().await;
    }

    pub(crate) fn identity(&self) -> LogIdentity {
        self.identity
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Position> {
        self.heads.watch()
    }

    pub(crate) async fn head(&self) -> Result<Position, ReadError> {
        self.heads.ask().await
    }

    pub(crate) fn reader(&self) -> &Reader {
        &self.reader
    }

    /// How to connect, for the views in the same database.
    pub(crate) fn options(&self) -> &PgConnectOptions {
        &self.options
    }

    /// The connections that read views.
    pub(crate) fn views_pool(&self) -> &PgPool {
        &self.views_pool
    }

    /// Tells when a view has moved, in whichever process. It may miss some: poll beside it.
    pub(crate) fn views_moved(&self) -> watch::Receiver<u64> {
        self.views.clone()
    }

    pub(crate) async fn position_at(&self, at: Timestamp) -> Result<Position, ReadError> {
        let head = self.head().await?;
        let micros = at.as_microsecond();
        if !self.is_settled(micros).await? {
            let settle = || sqlx::query("SELECT duban_log.settle($1)").bind(micros).execute(&self.pool);
            match again(settle).await {
                // Nothing is recorded in a sealed log anyway.
                Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("DB003") => {}
                done => {
                    done?;
                }
            }
            return self.reader.position_at(at, self.head().await?).await;
        }
        self.reader.position_at(at, head).await
    }

    /// Whether what comes next is recorded after `at` in any case: then there is nothing to write down.
    async fn is_settled(&self, at: i64) -> Result<bool, ReadError> {
        let sql = "SELECT coalesce((SELECT recorded_at FROM duban_log.events ORDER BY position DESC LIMIT 1) >= $1, FALSE)
                   OR (SELECT settled >= $1 OR sealed FROM duban_log.head)";
        let ask = || sqlx::query_scalar(sql).bind(at).fetch_one(&self.pool);
        Ok(again(ask).await?)
    }

    pub(crate) async fn is_sealed(&self) -> Result<bool, ReadError> {
        let ask = || sqlx::query_scalar("SELECT sealed FROM duban_log.head").fetch_one(&self.pool);
        Ok(again(ask).await?)
    }

    /// How much its committer has to do; `None` once it is closed.
    pub(crate) fn load(&self) -> Option<Load> {
        let room = u64::try_from(*self.room.borrow()).unwrap_or(0);
        lock(&self.writer).as_ref().map(|writer| Load { room: Some(room), ..writer.load() })
    }

    pub(crate) async fn append(&self, append: Append) -> Result<Appended, AppendError> {
        let writer = lock(&self.writer).clone().ok_or(AppendError::Unavailable(None))?;
        writer.append(append).await
    }
}

/// Makes partitions ahead of the head; says for how many positions there is room then.
async fn extend(pool: &PgPool) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("SELECT duban_log.extend()").fetch_one(pool).await
}

async fn keep_room(pool: PgPool, room: watch::Sender<i64>) {
    loop {
        tokio::time::sleep(ROOM_EVERY).await;
        match extend(&pool).await {
            Ok(free) => {
                room.send_replace(free);
                if free < ROOM_ALARM {
                    tracing::error!(free, "the log runs out of partitions");
                }
            }
            Err(error) => tracing::error!(%error, free = *room.borrow(), "no partitions can be made ahead"),
        }
    }
}
