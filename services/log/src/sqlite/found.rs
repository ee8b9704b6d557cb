//! What lies in `log.db`, row by row, whatever became of it.

use duban_domain::{Position, Timestamp};
use rusqlite::Row;
use rusqlite::types::ValueRef;
use uuid::Uuid;

use super::moving::Source;
use super::reader::receipt_columns;
use super::rows::{Fault, column};
use super::{signed, unsigned};
use crate::append::{Receipt, StoredReceipt};
use crate::archive::{FoundEvents, FoundReceipts, Unreadable};
use crate::event::StoredEvent;
use crate::moving::{MoveError, StoredRequest};

impl Source {
    /// The events after `after` that are there, at most `limit`; none after the last.
    pub(crate) async fn found(
        &self,
        after: Position,
        limit: usize,
    ) -> Result<Option<FoundEvents>, MoveError> {
        let (sql, head) = (self.reader().page.clone(), self.head());
        let found = self.rows().ask(move |connection| {
            let mut statement = connection.prepare(&sql)?;
            let mut rows = statement.query((signed(after), signed(head), most(limit)))?;
            let (mut events, mut last) = (Vec::with_capacity(limit), None);
            while let Some(row) = rows.next()? {
                let position = unsigned(row.get(0)?);
                let what = |fault: Fault| format!("the envelope can't be read: {fault}");
                let event = event(row, position)
                    .map_err(|fault| Unreadable { position: Some(position), what: what(fault) });
                events.push(event);
                last = Some(position);
            }
            Ok((events, last))
        });
        let (events, last) = found.await?;
        Ok(last.map(|last| FoundEvents { events: Box::new(events.into_iter()), last }))
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
        let found = self.rows().ask(move |connection| {
            let mut statement = connection.prepare(sql)?;
            let mut rows = statement.query((request_id, principal, most(limit)))?;
            let mut receipts = Vec::with_capacity(limit);
            while let Some(row) = rows.next()? {
                receipts.push(receipt(row).map_err(|fault| Unreadable {
                    position: column(row, 3, ValueRef::as_i64).ok().map(unsigned),
                    what: format!("the receipt can't be read: {fault}"),
                }));
            }
            Ok(receipts)
        });
        let receipts: Vec<Result<StoredRequest, Unreadable>> = found.await?;
        let full = receipts.len() == limit;
        let key = |receipt: &StoredRequest| (receipt.request_id, receipt.principal.clone());
        let next = receipts.iter().rev().find_map(|found| found.as_ref().ok().map(key)).filter(|_| full);
        Ok(FoundReceipts { receipts, next })
    }
}

fn most(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// An event of the columns that a page of the log has.
fn event(row: &Row<'_>, position: Position) -> Result<StoredEvent, Fault> {
    let text = |at| column(row, at, ValueRef::as_str);
    let may = |at| column(row, at, ValueRef::as_str_or_null).map(|text| text.map(ToOwned::to_owned));
    let bytes = |at| column(row, at, ValueRef::as_blob);
    let uuid = |at| -> Result<Uuid, Fault> { Ok(Uuid::from_slice(bytes(at)?)?) };
    Ok(StoredEvent {
        position,
        id: uuid(1)?,
        event_type: text(2)?.to_owned(),
        recorded_at: time(row, 3)?,
        effective_on: text(4)?.parse()?,
        actor: text(5)?.to_owned(),
        role: text(6)?.to_owned(),
        agency: may(7)?,
        request_id: uuid(8)?,
        correlation: uuid(9)?,
        causation: column(row, 10, ValueRef::as_i64_or_null)?.map(unsigned),
        trace_id: may(11)?,
        nonce: bytes(12)?.try_into()?,
        tags: serde_json::from_str(text(13)?)?,
        body: bytes(14)?.into(),
        fingerprint: column(row, 15, ValueRef::as_blob_or_null)?.map(TryInto::try_into).transpose()?,
    })
}

fn receipt(row: &Row<'_>) -> Result<StoredRequest, Fault> {
    let position = |at| column(row, at, ValueRef::as_i64).map(unsigned);
    let bytes = |at| column(row, at, ValueRef::as_blob);
    let receipt = Receipt { first: position(3)?, last: position(4)?, recorded_at: time(row, 5)? };
    Ok(StoredRequest {
        request_id: Uuid::from_slice(bytes(0)?)?,
        principal: column(row, 1, ValueRef::as_str)?.to_owned(),
        stored: StoredReceipt { fingerprint: bytes(2)?.try_into()?, receipt },
    })
}

fn time(row: &Row<'_>, at: usize) -> Result<Timestamp, Fault> {
    Ok(Timestamp::from_microsecond(column(row, at, ValueRef::as_i64)?)?)
}
