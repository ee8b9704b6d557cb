//! What lies in the tables of the log, row by row, whatever became of it.

use duban_domain::Position;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::moving::Source;
use super::reader::{again, columns, event_of, receipt_of};
use crate::archive::{FoundReceipts, Unreadable};
use crate::error::ReadError;
use crate::event::StoredEvent;
use crate::moving::{MoveError, StoredRequest};
use crate::sqlite::{signed, unsigned};

impl Source {
    /// The events after `after` that are there, at most `limit`.
    pub(crate) async fn found(
        &self,
        after: Position,
        limit: usize,
    ) -> Result<Vec<Result<StoredEvent, Unreadable>>, MoveError> {
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
        again(ask).await?.iter().map(read).collect()
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

/// An event; what is wrong with its row is told, and a database that fails is an error.
fn read(row: &PgRow) -> Result<Result<StoredEvent, Unreadable>, MoveError> {
    match event_of(row) {
        Ok(event) => Ok(Ok(event)),
        Err(ReadError::DataLoss { position, what }) => Ok(Err(Unreadable { position: Some(position), what })),
        Err(error) => Err(error.into()),
    }
}

fn receipt(row: &PgRow) -> Result<StoredRequest, Unreadable> {
    let position = row.try_get::<i64, _>(1).ok().map(unsigned);
    let fault = |error: sqlx::Error| Unreadable { position, what: error.to_string() };
    let (request_id, principal) = (row.try_get(4).map_err(fault)?, row.try_get(5).map_err(fault)?);
    Ok(StoredRequest { request_id, principal, stored: receipt_of(row).map_err(fault)? })
}
