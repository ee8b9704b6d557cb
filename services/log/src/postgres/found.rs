//! What lies in the tables of the log, row by row, whatever became of it.

use duban_domain::Position;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::moving::Source;
use super::reader::{again, columns, event_of, receipt_of};
use crate::archive::{FoundEvents, FoundReceipts, Unreadable};
use crate::error::ReadError;
use crate::moving::{MoveError, StoredRequest};
use crate::sqlite::{signed, unsigned};

impl Source {
    /// The events after `after` that are there, at most `limit`; none after the last.
    pub(crate) async fn found(
        &self,
        after: Position,
        limit: usize,
    ) -> Result<Option<FoundEvents>, MoveError> {
        let sql = concat!(
            "SELECT ",
            columns!(),
            " FROM duban_log.events WHERE position > $1 AND position <= $2 ORDER BY position LIMIT $3"
        );
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let ask = || {
            let query = sqlx::query(sql).bind(signed(after)).bind(signed(self.head()));
            query.bind(limit).fetch_all(self.pool())
        };
        let rows = again(ask).await?;
        let Some(last) = rows.last() else { return Ok(None) };
        let last = unsigned(last.try_get(0)?);
        let unread = |row: PgRow| match event_of(&row) {
            Ok(event) => Ok(event),
            Err(ReadError::DataLoss { position, what }) => Err(Unreadable { position: Some(position), what }),
            Err(error) => Err(Unreadable { position: None, what: error.to_string() }),
        };
        Ok(Some(FoundEvents { events: Box::new(rows.into_iter().map(unread)), last }))
    }

    /// The receipts after this key, in the order of keys, at most `limit`.
    pub(crate) async fn found_receipts(
        &self,
        after: Option<(Uuid, String)>,
        limit: usize,
    ) -> Result<FoundReceipts, MoveError> {
        let (request_id, principal) = after.unwrap_or_default();
        let sql = "SELECT fingerprint, first_position, last_position, recorded_at, request_id, principal
                   FROM duban_log.receipts WHERE (request_id, principal) > ($1, $2)
                   ORDER BY request_id, principal LIMIT $3";
        let most = i64::try_from(limit).unwrap_or(i64::MAX);
        let ask = || sqlx::query(sql).bind(request_id).bind(&principal).bind(most).fetch_all(self.pool());
        let rows = again(ask).await?;
        let receipts: Vec<_> = rows.iter().map(receipt).collect();
        let full = rows.len() == limit;
        let key = |receipt: &StoredRequest| (receipt.request_id, receipt.principal.clone());
        let next = receipts.iter().rev().find_map(|found| found.as_ref().ok().map(key)).filter(|_| full);
        Ok(FoundReceipts { receipts, next })
    }
}

/// An event that the index of tags doesn't have under a tag of its own: the first.
const UNFILED: &str =
    "SELECT min(e.position) FROM duban_log.events AS e CROSS JOIN LATERAL unnest(e.tags) AS t (tag)
    WHERE e.position BETWEEN 1 AND $1 AND NOT EXISTS
    (SELECT 1 FROM duban_log.event_tags AS x WHERE x.tag = t.tag AND x.position = e.position)";
/// How many entries of the index there should be, and how many there are: an event that has a tag twice is no leaf.
const COUNTS: &str = "SELECT
    (SELECT coalesce(sum(cardinality(tags)), 0)::bigint FROM duban_log.events WHERE position BETWEEN 1 AND $1),
    (SELECT count(*) FROM duban_log.event_tags WHERE position BETWEEN 1 AND $1)";
/// What the index has and no event says: the first.
const STRAY: &str =
    "SELECT min(x.position) FROM duban_log.event_tags AS x WHERE x.position BETWEEN 1 AND $1 AND NOT EXISTS
    (SELECT 1 FROM duban_log.events AS e WHERE e.position = x.position AND x.tag = ANY (e.tags))";

/// Where neither the index nor the events have anything to be.
const OUTSIDE: &str =
    "SELECT min(position) FROM (SELECT position FROM duban_log.event_tags WHERE position < 1
    OR position > (SELECT coalesce(max(position), 0) FROM duban_log.events)
    UNION ALL SELECT position FROM duban_log.events WHERE position < 1) AS found";

impl Source {
    /// The first position at which the index of tags is not what the events say.
    pub(crate) async fn misfiled(&self) -> Result<Option<Position>, MoveError> {
        let head = signed(self.head());
        let mut transaction = again(|| self.pool().begin()).await?;
        // It looks at all that there is, and blocks nobody.
        sqlx::query("SET LOCAL statement_timeout = 0").execute(&mut *transaction).await?;
        let unfiled: Option<i64> =
            sqlx::query_scalar(UNFILED).bind(head).fetch_one(&mut *transaction).await?;
        let (said, there): (i64, i64) =
            sqlx::query_as(COUNTS).bind(head).fetch_one(&mut *transaction).await?;
        let stray: Option<i64> = if said == there && unfiled.is_none() {
            None
        } else {
            sqlx::query_scalar(STRAY).bind(head).fetch_one(&mut *transaction).await?
        };
        let outside: Option<i64> = sqlx::query_scalar(OUTSIDE).fetch_one(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(unfiled.into_iter().chain(stray).chain(outside).min().map(|position| unsigned(position.max(0))))
    }
}

fn receipt(row: &PgRow) -> Result<StoredRequest, Unreadable> {
    let position = row.try_get::<i64, _>(1).ok().map(unsigned);
    let fault = |error: sqlx::Error| Unreadable { position, what: error.to_string() };
    let (request_id, principal) = (row.try_get(4).map_err(fault)?, row.try_get(5).map_err(fault)?);
    Ok(StoredRequest { request_id, principal, stored: receipt_of(row).map_err(fault)? })
}
