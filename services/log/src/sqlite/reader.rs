//! Reading `log.db`: pages of the log, what is filed under tags, receipts.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use duban_domain::{Position, Tag, Timestamp};
use futures::TryStreamExt;
use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqlitePool, SqliteRow};
use uuid::Uuid;

use super::plan::{Known, RequestKey};
use super::{signed, unsigned};
use crate::append::{Receipt, StoredReceipt};
use crate::engine::Bounds;
use crate::error::ReadError;
use crate::event::{Filed, Page, StoredEvent};

/// All columns of an event but the fingerprint, which comes last, in the order in which [`event_of`] takes them.
const COLUMNS: &str = "position, id, type, recorded_at, effective_on, actor, role, agency, request_id, correlation, \
                       causation, trace_id, nonce, tags, body";

/// All columns of a receipt, in the order in which [`receipt_of`] takes them.
macro_rules! receipt_columns {
    () => {
        "request_id, principal, fingerprint, first_position, last_position, recorded_at"
    };
}
pub(super) use receipt_columns;

/// The connections that read. A bare argument of LIMIT would have SQLite prepare a statement anew each time that
/// another value is bound to it: hence `+ 0`.
#[derive(Debug, Clone)]
pub(crate) struct Reader {
    pool: SqlitePool,
    pub(super) page: Arc<str>,
    filed: Arc<str>,
}

impl Reader {
    pub(crate) fn new(pool: SqlitePool) -> Self {
        Self::with(pool, "fingerprint")
    }

    /// Reads a file as it is that was written before events had a fingerprint.
    pub(super) fn without_fingerprints(pool: SqlitePool) -> Self {
        Self::with(pool, "NULL")
    }

    fn with(pool: SqlitePool, fingerprint: &str) -> Self {
        let page = format!(
            "SELECT {COLUMNS}, {fingerprint} FROM events WHERE position > $1 AND position <= $2 \
             ORDER BY position LIMIT $3 + 0"
        );
        let filed = format!(
            "SELECT {COLUMNS}, {fingerprint} FROM events WHERE position IN (SELECT DISTINCT position FROM event_tags \
             WHERE tag IN (SELECT value FROM json_each($1)) AND position > $2 AND position <= $3 \
             ORDER BY position LIMIT $4 + 0) ORDER BY position LIMIT $4 + 0"
        );
        Self { pool, page: page.into(), filed: filed.into() }
    }

    pub(super) fn pool(&self) -> &SqlitePool {
        &self.pool
    }

    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }

    /// The events after `after` up to `up_to`, which must be committed. A gap is data loss.
    pub(crate) async fn page(
        &self,
        after: Position,
        up_to: Position,
        bounds: Bounds,
    ) -> Result<Page, ReadError> {
        if after >= up_to {
            return Ok(Page { events: Vec::new(), through: after });
        }
        let query = sqlx::query(sqlx::AssertSqlSafe(Arc::clone(&self.page)))
            .bind(signed(after))
            .bind(signed(up_to))
            .bind(limit(bounds));
        let page = self.take(query.fetch(&self.pool), up_to, bounds).await?;
        for (expected, event) in (after + 1..).zip(&page.events) {
            if event.position != expected {
                return Err(gap(expected));
            }
        }
        let last = page.events.last().map_or(after, |event| event.position);
        if last < page.through { Err(gap(last + 1)) } else { Ok(page) }
    }

    /// The events after `after` up to `up_to` that are filed under any of `tags`, each once, in order. Read
    /// from the start, each tag's chain of previous positions must be whole.
    pub(crate) async fn filed(
        &self,
        tags: &[Tag],
        after: Position,
        up_to: Position,
        bounds: Bounds,
    ) -> Result<Page, ReadError> {
        let query = sqlx::query(sqlx::AssertSqlSafe(Arc::clone(&self.filed)))
            .bind(json(tags.iter().map(Tag::as_str)))
            .bind(signed(after))
            .bind(signed(up_to))
            .bind(limit(bounds));
        let page = self.take(query.fetch(&self.pool), up_to, bounds).await?;
        chained(tags, after, &page.events)?;
        Ok(page)
    }

    async fn take(
        &self,
        rows: impl futures::Stream<Item = Result<SqliteRow, sqlx::Error>> + Unpin,
        up_to: Position,
        bounds: Bounds,
    ) -> Result<Page, ReadError> {
        let mut rows = rows;
        let mut page = Page { events: Vec::new(), through: up_to };
        let mut bytes = 0;
        while let Some(row) = rows.try_next().await? {
            let event = event_of(&row)?;
            bytes += event.body.len();
            let position = event.position;
            page.events.push(event);
            if page.events.len() >= bounds.events || bytes >= bounds.bytes {
                page.through = position;
                break;
            }
        }
        Ok(page)
    }

    /// The receipt of a request.
    pub(crate) async fn receipt(
        &self,
        principal: &str,
        request_id: Uuid,
    ) -> Result<Option<StoredReceipt>, ReadError> {
        let sql =
            concat!("SELECT ", receipt_columns!(), " FROM receipts WHERE request_id = $1 AND principal = $2");
        let query = sqlx::query(sql).bind(request_id.as_bytes().to_vec()).bind(principal.to_owned());
        let row = query.fetch_optional(&self.pool).await?;
        Ok(row.map(|row| receipt_of(&row)).transpose()?.map(|(_, stored)| stored))
    }

    /// The last position recorded at or before `at`, not beyond `head`: a binary search, since times only grow.
    pub(crate) async fn position_at(&self, at: Timestamp, head: Position) -> Result<Position, ReadError> {
        let sql = "WITH RECURSIVE search(low, high) AS (
                       SELECT 0, $2
                       UNION ALL
                       SELECT CASE WHEN recorded_at <= $1 THEN position ELSE low END,
                              CASE WHEN recorded_at <= $1 THEN high ELSE position - 1 END
                       FROM search JOIN events ON position = (low + high + 1) / 2
                       WHERE low < high)
                   SELECT low FROM search WHERE low = high";
        let found: Option<i64> = sqlx::query_scalar(sql)
            .bind(at.as_microsecond())
            .bind(signed(head))
            .fetch_optional(&self.pool)
            .await?;
        found.map(unsigned).ok_or_else(|| gap(head))
    }
}

/// The last position and its time in microseconds; zeroes while there is none.
pub(crate) async fn last(connection: &mut SqliteConnection) -> Result<(Position, i64), sqlx::Error> {
    let sql = "SELECT position, recorded_at FROM events ORDER BY position DESC LIMIT 1";
    let row = sqlx::query(sql).fetch_optional(connection).await?;
    row.map_or(Ok((0, i64::MIN)), |row| Ok((unsigned(row.try_get(0)?), row.try_get(1)?)))
}

/// All that the plan of a batch depends on, in one statement: each costs a hop to the connection's thread and
/// back, which one client alone would feel. `requests` are ids as 32 hexadecimal digits.
pub(crate) async fn known(
    connection: &mut SqliteConnection,
    requests: &HashSet<String>,
    tags: &HashSet<&Tag>,
) -> Result<Known, sqlx::Error> {
    // The subquery under a tag is a single step to the end of the tag's stretch of the primary key.
    let sql = concat!(
        "SELECT NULL, NULL, NULL, 0, position, recorded_at, NULL \
         FROM (SELECT position, recorded_at FROM events ORDER BY position DESC LIMIT 1) \
         UNION ALL SELECT ",
        receipt_columns!(),
        ", NULL FROM receipts WHERE request_id IN (SELECT unhex(value) FROM json_each($1)) \
         UNION ALL SELECT NULL, NULL, NULL, 0, (SELECT MAX(position) FROM event_tags WHERE tag = value), 0, value \
         FROM json_each($2)"
    );
    let rows = sqlx::query(sql)
        .bind(json(requests.iter().map(String::as_str)))
        .bind(json(tags.iter().map(|tag| tag.as_str())))
        .fetch_all(connection)
        .await?;
    let mut known = Known { recorded_at: i64::MIN, looked_for_receipts: true, ..Known::default() };
    for row in &rows {
        let last = row.try_get::<Option<i64>, _>(4)?.map(unsigned);
        if let Some(tag) = row.try_get::<Option<String>, _>(6)? {
            known.lasts.insert(Tag::stored(tag), last.unwrap_or(0));
        } else if row.try_get::<Option<&[u8]>, _>(0)?.is_some() {
            known.receipts.extend([receipt_of(row)?]);
        } else {
            known.head = last.unwrap_or(0);
            known.recorded_at = row.try_get(5)?;
        }
    }
    Ok(known)
}

pub(super) fn receipt_of(row: &SqliteRow) -> Result<(RequestKey, StoredReceipt), sqlx::Error> {
    let damaged = |what: &str| sqlx::Error::Decode(format!("a receipt has no valid {what}").into());
    let request_id = Uuid::from_slice(row.try_get(0)?).map_err(|_| damaged("request id"))?;
    let fingerprint =
        <[u8; 32]>::try_from(row.try_get::<&[u8], _>(2)?).map_err(|_| damaged("fingerprint"))?;
    let recorded_at = Timestamp::from_microsecond(row.try_get(5)?).map_err(|_| damaged("time"))?;
    let receipt = Receipt { first: unsigned(row.try_get(3)?), last: unsigned(row.try_get(4)?), recorded_at };
    Ok(((request_id, row.try_get(1)?), StoredReceipt { fingerprint, receipt }))
}

/// Tags as they are stored: `[["agency:a",0],["task:t",12]]`.
pub(crate) fn write_tags(tags: &[Filed]) -> String {
    serde_json::to_string(tags).unwrap_or_default()
}

pub(super) fn event_of(row: &SqliteRow) -> Result<StoredEvent, ReadError> {
    let position = unsigned(row.try_get(0)?);
    read_columns(row, position)
        .map_err(|what| ReadError::DataLoss { position, what: format!("the envelope can't be read: {what}") })
}

/// Any fault in here is in the row, not in the connection: the row has arrived.
fn read_columns(row: &SqliteRow, position: Position) -> Result<StoredEvent, Box<dyn std::error::Error>> {
    let uuid = |column: usize| -> Result<Uuid, Box<dyn std::error::Error>> {
        Ok(Uuid::from_slice(row.try_get(column)?)?)
    };
    Ok(StoredEvent {
        position,
        id: uuid(1)?,
        event_type: row.try_get(2)?,
        recorded_at: Timestamp::from_microsecond(row.try_get(3)?)?,
        effective_on: row.try_get::<&str, _>(4)?.parse()?,
        actor: row.try_get(5)?,
        role: row.try_get(6)?,
        agency: row.try_get(7)?,
        request_id: uuid(8)?,
        correlation: uuid(9)?,
        causation: row.try_get::<Option<i64>, _>(10)?.map(unsigned),
        trace_id: row.try_get(11)?,
        nonce: row.try_get::<&[u8], _>(12)?.try_into()?,
        tags: serde_json::from_str(row.try_get(13)?)?,
        body: Arc::from(row.try_get::<&[u8], _>(14)?),
        fingerprint: row.try_get::<Option<&[u8]>, _>(15)?.map(TryInto::try_into).transpose()?,
    })
}

/// Follows each tag's chain through the events: what it names as previous must be there.
fn chained(tags: &[Tag], after: Position, events: &[StoredEvent]) -> Result<(), ReadError> {
    let mut lasts: HashMap<&Tag, Position> = HashMap::with_capacity(tags.len());
    for event in events {
        for filed in event.tags.iter().filter(|filed| tags.contains(&filed.tag)) {
            let last = lasts.insert(&filed.tag, event.position).unwrap_or(0);
            if filed.previous > after.max(last) {
                return Err(gap(filed.previous));
            }
        }
    }
    Ok(())
}

fn gap(position: Position) -> ReadError {
    ReadError::DataLoss { position, what: "the event is missing".into() }
}

fn limit(bounds: Bounds) -> i64 {
    i64::try_from(bounds.events).unwrap_or(i64::MAX)
}

fn json<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    serde_json::to_string(&texts.collect::<Vec<_>>()).unwrap_or_default()
}
