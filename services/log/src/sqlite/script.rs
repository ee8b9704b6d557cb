//! What the committer writes for a batch, from BEGIN to COMMIT, as one text of several statements: sent at once, it
//! costs one hop to the connection's thread, however large the batch.

use std::collections::HashMap;
use std::sync::Arc;

use sqlx::sqlite::SqliteConnection;

use super::plan::{Placed, Plan};
use super::{Bound, reader, signed};
use crate::append::{Append, Receipt};

/// The most rows in one statement. Fewer are rounded up to a power of two, so that there are few texts and all of
/// them stay prepared; the rows that are over are NULL and left out.
const ROWS_MAX: usize = 64;

/// The table of events and what a row binds, in order.
pub(super) const EVENTS: &str = "events (position, id, type, recorded_at, effective_on, actor, role, agency, request_id, \
                      correlation, causation, trace_id, nonce, tags, body, fingerprint)";
pub(super) const EVENT_COLUMNS: usize = 16;
/// The table of receipts and what a row binds, in order.
pub(super) const RECEIPTS: &str =
    "receipts (request_id, principal, fingerprint, first_position, last_position, recorded_at)";
pub(super) const RECEIPT_COLUMNS: usize = 6;

/// The texts, by how many rows of events and of receipts they have room for.
#[derive(Debug, Default)]
pub(crate) struct Scripts(HashMap<(usize, usize), Arc<str>>);

impl Scripts {
    /// Writes what is planned, and commits it. A row that is there already rolls it back; after any other failure
    /// the transaction may still be open.
    pub(crate) async fn run(
        &mut self,
        connection: &mut SqliteConnection,
        plan: &Plan<'_>,
    ) -> Result<(), sqlx::Error> {
        if plan.receipts.is_empty() {
            return Ok(());
        }
        let room = room_of(plan);
        let text =
            self.0.entry(room).or_insert_with(|| format!("BEGIN IMMEDIATE;{};COMMIT", inserts(room)).into());
        bound(Arc::clone(text), room, plan).execute(connection).await.map(drop)
    }
}

/// Writes what is planned in a transaction that is open, for once.
pub(super) async fn write(connection: &mut SqliteConnection, plan: &Plan<'_>) -> Result<(), sqlx::Error> {
    let room = room_of(plan);
    bound(inserts(room).into(), room, plan).execute(connection).await.map(drop)
}

fn bound(text: Arc<str>, room: (usize, usize), plan: &Plan<'_>) -> Bound<'static> {
    let mut query = sqlx::query(sqlx::AssertSqlSafe(text));
    for placed in &plan.events {
        query = bind_event(query, placed, plan.recorded_at);
    }
    query = bind_nulls(query, (room.0 - plan.events.len()) * EVENT_COLUMNS);
    for (append, receipt) in &plan.receipts {
        query = bind_receipt(query, append, receipt, plan.recorded_at);
    }
    bind_nulls(query, (room.1 - plan.receipts.len()) * RECEIPT_COLUMNS)
}

fn room_of(plan: &Plan<'_>) -> (usize, usize) {
    (room(plan.events.len()), room(plan.receipts.len()))
}

/// Room for so many rows, or a few more.
fn room(rows: usize) -> usize {
    let over = rows % ROWS_MAX;
    rows - over + if over == 0 { 0 } else { over.next_power_of_two() }
}

fn inserts((events, receipts): (usize, usize)) -> String {
    let into = |target, columns, rows| chunks(rows).map(move |rows| insert(target, columns, rows));
    let events = into(EVENTS, EVENT_COLUMNS, events);
    events.chain(into(RECEIPTS, RECEIPT_COLUMNS, receipts)).collect::<Vec<_>>().join(";")
}

fn chunks(rows: usize) -> impl Iterator<Item = usize> {
    (0..rows).step_by(ROWS_MAX).map(move |start| (rows - start).min(ROWS_MAX))
}

/// A failure anyway loses the whole transaction; ROLLBACK spares SQLite the journal by which it could undo a
/// single statement, and leaves no transaction behind.
fn insert(target: &str, columns: usize, rows: usize) -> String {
    let row = format!("({})", vec!["?"; columns].join(","));
    let values = vec![&*row; rows].join(",");
    format!("INSERT OR ROLLBACK INTO {target} SELECT * FROM (VALUES {values}) WHERE column1 IS NOT NULL")
}

fn bind_event<'q>(query: Bound<'q>, placed: &Placed<'_>, recorded_at: i64) -> Bound<'q> {
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
        .bind(append.fingerprint.to_vec())
}

fn bind_receipt<'q>(query: Bound<'q>, append: &Append, receipt: &Receipt, recorded_at: i64) -> Bound<'q> {
    query
        .bind(append.origin.request_id.as_bytes().to_vec())
        .bind(append.origin.caller.principal.as_str().to_owned())
        .bind(append.fingerprint.to_vec())
        .bind(signed(receipt.first))
        .bind(signed(receipt.last))
        .bind(recorded_at)
}

fn bind_nulls(query: Bound<'_>, values: usize) -> Bound<'_> {
    (0..values).fold(query, |query, _| query.bind(None::<i64>))
}
