//! What lies in `log.db`, row by row, whatever became of it.

use std::sync::Arc;

use duban_domain::Position;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use super::moving::Source;
use super::reader::{event_of, receipt_columns, receipt_of};
use super::{packed, signed, unsigned};
use crate::archive::{FoundEvents, FoundReceipts, Unreadable};
use crate::error::ReadError;
use crate::event::StoredEvent;
use crate::moving::{MoveError, StoredRequest};

impl Source {
    /// The events after `after` that are there, at most `limit`; none after the last.
    pub(crate) async fn found(
        &self,
        after: Position,
        limit: usize,
    ) -> Result<Option<FoundEvents>, MoveError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let query = sqlx::query(sqlx::AssertSqlSafe(Arc::clone(&self.reader().packed)));
        let query = query.bind(signed(after)).bind(signed(self.head())).bind(limit);
        let row = query.fetch_one(self.reader().pool()).await?;
        let Some(last) = row.try_get::<Option<i64>, _>(2)?.map(unsigned) else { return Ok(None) };
        if row.try_get::<i64, _>(0)? > 0 {
            return self.found_by_row(after, last, limit).await.map(Some);
        }
        Ok(Some(FoundEvents { events: Box::new(packed::Events::of(row.try_get(1)?)), last }))
    }

    /// The events after `after` up to `last`.
    async fn found_by_row(
        &self,
        after: Position,
        last: Position,
        limit: i64,
    ) -> Result<FoundEvents, MoveError> {
        let query = sqlx::query(sqlx::AssertSqlSafe(Arc::clone(&self.reader().page)));
        let rows = query.bind(signed(after)).bind(signed(last)).bind(limit).fetch_all(self.reader().pool());
        let events = rows.await?.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        Ok(FoundEvents { events: Box::new(events.into_iter()), last })
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
        let most = i64::try_from(limit).unwrap_or(i64::MAX);
        let query = sqlx::query(packed::RECEIPTS).bind(request_id.clone()).bind(principal.clone()).bind(most);
        let row = query.fetch_one(self.reader().pool()).await?;
        if let (Some(0), Some(page)) =
            (row.try_get::<Option<i64>, _>(0)?, row.try_get::<Option<&[u8]>, _>(1)?)
            && let Some(receipts) = packed::receipts(page)
        {
            let full = receipts.len() == limit;
            let last = receipts.last().filter(|_| full);
            let next = last.map(|receipt| (receipt.request_id, receipt.principal.clone()));
            return Ok(FoundReceipts { receipts: receipts.into_iter().map(Ok).collect(), next });
        }
        let sql = concat!(
            "SELECT ",
            receipt_columns!(),
            " FROM receipts WHERE (request_id, principal) > ($1, $2) ORDER BY request_id, principal LIMIT $3"
        );
        let rows = sqlx::query(sql)
            .bind(request_id)
            .bind(principal)
            .bind(most)
            .fetch_all(self.reader().pool())
            .await?;
        let receipts: Vec<_> = rows.iter().map(receipt).collect();
        let full = rows.len() == limit;
        let key = |receipt: &StoredRequest| (receipt.request_id, receipt.principal.clone());
        let next = receipts.iter().rev().find_map(|found| found.as_ref().ok().map(key)).filter(|_| full);
        Ok(FoundReceipts { receipts, next })
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
