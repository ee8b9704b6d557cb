//! What lies in `log.db`, row by row, whatever became of it.

use std::sync::Arc;

use duban_domain::Position;
use futures::TryStreamExt as _;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use super::moving::Source;
use super::reader::{event_of, receipt_columns, receipt_of};
use super::{signed, unsigned};
use crate::archive::{FoundReceipts, Unreadable};
use crate::error::ReadError;
use crate::event::StoredEvent;
use crate::moving::{MoveError, StoredRequest};

impl Source {
    /// The events after `after` that are there, at most `limit`.
    pub(crate) async fn found(
        &self,
        after: Position,
        limit: usize,
    ) -> Result<Vec<Result<StoredEvent, Unreadable>>, MoveError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let query = sqlx::query(sqlx::AssertSqlSafe(Arc::clone(&self.reader().page)));
        let query = query.bind(signed(after)).bind(signed(self.head())).bind(limit);
        let mut rows = query.fetch(self.reader().pool());
        let mut found = Vec::new();
        while let Some(row) = rows.try_next().await? {
            found.push(read(&row)?);
        }
        Ok(found)
    }

    /// The receipts after this key, in the order of keys, at most `limit`.
    pub(crate) async fn found_receipts(
        &self,
        after: Option<(Uuid, String)>,
        limit: usize,
    ) -> Result<FoundReceipts, MoveError> {
        let (request_id, principal) = after.map_or((Vec::new(), String::new()), |(request_id, principal)| {
            (request_id.as_bytes().to_vec(), principal)
        });
        let sql = concat!(
            "SELECT ",
            receipt_columns!(),
            " FROM receipts WHERE (request_id, principal) > ($1, $2) ORDER BY request_id, principal LIMIT $3"
        );
        let rows = sqlx::query(sql)
            .bind(request_id)
            .bind(principal)
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .fetch_all(self.reader().pool())
            .await?;
        let receipts: Vec<_> = rows.iter().map(receipt).collect();
        let full = rows.len() == limit;
        let key = |receipt: &StoredRequest| (receipt.request_id, receipt.principal.clone());
        let next = receipts.iter().rev().find_map(|found| found.as_ref().ok().map(key)).filter(|_| full);
        Ok(FoundReceipts { receipts, next })
    }
}

/// An event that the index of tags doesn't have under a tag of its own: the first.
const UNFILED: &str =
    "SELECT min(e.position) FROM events AS e, json_each(e.tags) AS t WHERE e.position BETWEEN 1 AND $1
    AND NOT EXISTS (SELECT 1 FROM event_tags AS x WHERE x.tag = t.value ->> 0 AND x.position = e.position)";
/// How many entries of the index there should be, and how many there are: an event that has a tag twice is no leaf.
const COUNTS: &str =
    "SELECT (SELECT coalesce(sum(json_array_length(tags)), 0) FROM events WHERE position BETWEEN 1 AND $1),
    (SELECT count(*) FROM event_tags WHERE position BETWEEN 1 AND $1)";
/// What the index has and no event says: the first.
const STRAY: &str = "SELECT min(x.position) FROM event_tags AS x WHERE x.position BETWEEN 1 AND $1 AND NOT EXISTS
    (SELECT 1 FROM events AS e, json_each(e.tags) AS t WHERE e.position = x.position AND t.value ->> 0 = x.tag)";

/// Where neither the index nor the events have anything to be.
const OUTSIDE: &str = "SELECT min(position) FROM (SELECT position FROM event_tags WHERE position < 1
    OR position > (SELECT coalesce(max(position), 0) FROM events)
    UNION ALL SELECT position FROM events WHERE position < 1) AS found";

impl Source {
    /// The first position at which the index of tags is not what the events say.
    pub(crate) async fn misfiled(&self) -> Result<Option<Position>, MoveError> {
        let (head, pool) = (signed(self.head()), self.reader().pool());
        let unfiled: Option<i64> = sqlx::query_scalar(UNFILED).bind(head).fetch_one(pool).await?;
        let (said, there): (i64, i64) = sqlx::query_as(COUNTS).bind(head).fetch_one(pool).await?;
        let stray: Option<i64> = if said == there && unfiled.is_none() {
            None
        } else {
            sqlx::query_scalar(STRAY).bind(head).fetch_one(pool).await?
        };
        let outside: Option<i64> = sqlx::query_scalar(OUTSIDE).fetch_one(pool).await?;
        Ok(unfiled.into_iter().chain(stray).chain(outside).min().map(|position| unsigned(position.max(0))))
    }
}

/// An event; what is wrong with its row is told, and a database that fails is an error.
fn read(row: &SqliteRow) -> Result<Result<StoredEvent, Unreadable>, MoveError> {
    match event_of(row) {
        Ok(event) => Ok(Ok(event)),
        Err(ReadError::DataLoss { position, what }) => Ok(Err(Unreadable { position: Some(position), what })),
        Err(error) => Err(error.into()),
    }
}

fn receipt(row: &SqliteRow) -> Result<StoredRequest, Unreadable> {
    let position = row.try_get::<i64, _>(3).ok().map(unsigned);
    let ((request_id, principal), stored) =
        receipt_of(row).map_err(|error| Unreadable { position, what: error.to_string() })?;
    Ok(StoredRequest { request_id, principal, stored })
}
