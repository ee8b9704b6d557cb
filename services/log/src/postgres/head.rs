//! The head, asked of the database: whoever asks hears of every commit acknowledged before, in any process.

use std::sync::atomic::{AtomicU64, Ordering};

use duban_domain::Position;
use sqlx::postgres::PgPool;
use tokio::sync::{Mutex, watch};
use uuid::Uuid;

use crate::error::ReadError;
use crate::sqlite::unsigned;

/// The head, asked for by many at once in few queries.
pub(super) struct Heads {
    pool: PgPool,
    epoch: Uuid,
    publish: watch::Sender<Position>,
    /// How many queries have begun.
    begun: AtomicU64,
    /// The number of the last query that was answered, and its answer.
    answered: Mutex<(u64, Position)>,
}

impl Heads {
    pub(super) fn new(pool: PgPool, epoch: Uuid, publish: watch::Sender<Position>) -> Self {
        Self { pool, epoch, publish, begun: AtomicU64::new(0), answered: Mutex::default() }
    }

    /// The last committed position. Of those who ask while a query is under way, one asks for all of them after
    /// it: an answer counts only for who was there before its query began.
    pub(super) async fn ask(&self) -> Result<Position, ReadError> {
        let before = self.begun.load(Ordering::SeqCst);
        let mut answered = self.answered.lock().await;
        if answered.0 > before {
            return Ok(answered.1);
        }
        let number = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
        let head = self.query().await?;
        *answered = (number, head);
        self.publish(head);
        Ok(head)
    }

    /// Says that the log has come to `head`. News may come late: the head never goes back.
    pub(super) fn publish(&self, head: Position) {
        self.publish.send_if_modified(|known| {
            let newer = head > *known;
            if newer {
                *known = head;
            }
            newer
        });
    }

    pub(super) fn watch(&self) -> watch::Receiver<Position> {
        self.publish.subscribe()
    }

    async fn query(&self) -> Result<Position, ReadError> {
        let sql =
            "SELECT coalesce((SELECT position FROM duban_log.events ORDER BY position DESC LIMIT 1), 0),
                   (SELECT epoch FROM duban_log.identity ORDER BY sequence DESC LIMIT 1)";
        // Before the query: it must find at least this.
        let known = *self.publish.borrow();
        let ask = || sqlx::query_as::<_, (i64, Uuid)>(sql).fetch_one(&self.pool);
        let (head, epoch) = super::reader::again(ask).await?;
        let head = unsigned(head);
        if epoch != self.epoch {
            return Err(sqlx::Error::Protocol("the log has begun another epoch: start again".into()).into());
        }
        if head < known {
            return Err(ReadError::DataLoss { position: head + 1, what: "the log has lost its end".into() });
        }
        Ok(head)
    }
}
