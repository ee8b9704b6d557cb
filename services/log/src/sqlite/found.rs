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
