//! Reading the log: pages, what is filed under tags, receipts.

use std::collections::HashMap;
use std::sync::Arc;

use duban_domain::{Position, Tag, Timestamp};
use sqlx::Row;
use sqlx::postgres::{PgPool, PgRow};
use uuid::Uuid;

use super::{READERS, VIEW_READERS, is_passing};
use crate::append::{Receipt, StoredReceipt};
use crate::engine::Bounds;
use crate::error::ReadError;
use crate::event::{Filed, Page, StoredEvent};
use crate::sqlite::{signed, unsigned};

/// All columns of an event, in the order in which [`event_of`] takes them.
macro_rules! columns {
    () => {
        "position, id, type, recorded_at, effective_on, actor, role, agency, request_id, correlation, \
         causation, trace_id, nonce, tags, previous, body, fingerprint"
    };
}

pub(super) use columns;

/// Asks again when the connection turns out to be dead. The pool keeps those of a database that went away, and each
/// answer may meet another of them: after as many as a pool has, one is new.
pub(crate) async fn again<T, F: Future<Output = Result<T, sqlx::Error>>>(
    ask: impl Fn() -> F,
) -> Result<T, sqlx::Error> {
    for _ in 0..READERS.max(VIEW_READERS) {
        match ask().await {
            Err(error) if is_of_connection(&error) => {}
            answer => return answer,
        }
    }
    ask().await
}

/// Whether another connection may do better at once: not where the database was waited for in vain, or worked as
/// long as it may.
fn is_of_connection(error: &sqlx::Error) -> bool {
    let in_time = !matches!(error, sqlx::Error::PoolTimedOut);
    let out_of_time = error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code)
        .is_some_and(|code| code == "57014");
    is_passing(error) && in_time && !out_of_time
}

/// The connections that read.
#[derive(Debug, Clone)]
pub(crate) struct Reader {
    pool: PgPool,
}

impl Reader {
    pub(super) fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// The events after `after` up to `up_to`, which must be committed. A gap is data loss.
    pub(crate) async fn page(
        &self,
        after: Position,
        up_to: Position,
        bounds: Bounds,
    ) -> Result<Page, ReadError> {
        // The bytes before an event, not with it: a page has at least one.
        let sql = concat!(
            "SELECT * FROM (SELECT ",
            columns!(),
            ", sum(length(body)) OVER (ORDER BY position) - length(body) AS before FROM duban_log.events \
             WHERE position > $1 AND position <= $2 ORDER BY position LIMIT $3) AS page WHERE before < $4 \
             ORDER BY position"
        );
        let ask = || {
            let query = sqlx::query(sql).bind(signed(after)).bind(signed(up_to));
            query.bind(count(bounds.events)).bind(count(bounds.bytes)).fetch_all(&self.pool)
        };
        let page = page_of(&again(ask).await?, up_to, bounds)?;
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
        // Each tag's stretch of the index is read by itself, and each event found by its key: OFFSET 0 keeps
        // the planner from anything cleverer.
        let sql = concat!(
            "SELECT * FROM (SELECT ",
            columns!(),
            ", sum(length(body)) OVER (ORDER BY position) - length(body) AS before FROM \
             (SELECT DISTINCT f.position AS at FROM unnest($1::text[]) AS t (tag) CROSS JOIN LATERAL \
               (SELECT g.position FROM duban_log.event_tags AS g WHERE g.tag = t.tag AND g.position > $2 \
                AND g.position <= $3 ORDER BY g.position LIMIT $4) AS f ORDER BY at LIMIT $4) AS found \
             CROSS JOIN LATERAL (SELECT * FROM duban_log.events AS e WHERE e.position = found.at OFFSET 0) AS event \
             ) AS page WHERE before < $5 ORDER BY position"
        );
        let names: Vec<&str> = tags.iter().map(Tag::as_str).collect();
        let ask = || {
            let query = sqlx::query(sql).bind(&names).bind(signed(after)).bind(signed(up_to));
            query.bind(count(bounds.events)).bind(count(bounds.bytes)).fetch_all(&self.pool)
        };
        let page = page_of(&again(ask).await?, up_to, bounds)?;
        chained(tags, after, &page.events)?;
        Ok(page)
    }

    /// The receipt of a request.
    pub(crate) async fn receipt(
        &self,
        principal: &str,
        request_id: Uuid,
    ) -> Result<Option<StoredReceipt>, ReadError> {
        let sql = "SELECT fingerprint, first_position, last_position, recorded_at FROM duban_log.receipts
                   WHERE request_id = $1 AND principal = $2";
        let ask = || sqlx::query(sql).bind(request_id).bind(principal).fetch_optional(&self.pool);
        let row = again(ask).await?;
        Ok(row.map(|row| receipt_of(&row)).transpose()?)
    }

    /// The last position recorded at or before `at`, not beyond `head`: a binary search, since times only grow.
    pub(super) async fn position_at(&self, at: Timestamp, head: Position) -> Result<Position, ReadError> {
        let sql = "WITH RECURSIVE search(low, high) AS (
                       SELECT 0::bigint, $2::bigint
                       UNION ALL
                       SELECT CASE WHEN e.recorded_at <= $1 THEN e.position ELSE s.low END,
                              CASE WHEN e.recorded_at <= $1 THEN s.high ELSE e.position - 1 END
                       FROM search AS s CROSS JOIN LATERAL (SELECT position, recorded_at FROM duban_log.events
                            WHERE position = (s.low + s.high + 1) / 2 OFFSET 0) AS e
                       WHERE s.low < s.high)
                   SELECT low FROM search WHERE low = high";
        let ask = || {
            let query = sqlx::query_scalar::<_, i64>(sql).bind(at.as_microsecond()).bind(signed(head));
            query.fetch_optional(&self.pool)
        };
        again(ask).await?.map(unsigned).ok_or_else(|| gap(head))
    }
}

/// The rows as a page. Fewer than were asked for, and not cut for their size: then there is nothing more.
fn page_of(rows: &[PgRow], up_to: Position, bounds: Bounds) -> Result<Page, ReadError> {
    let events = rows.iter().map(event_of).collect::<Result<Vec<_>, _>>()?;
    let bytes: usize = events.iter().map(|event| event.body.len()).sum();
    let cut = events.len() >= bounds.events || bytes >= bounds.bytes;
    let through = events.last().filter(|_| cut).map_or(up_to, |last| last.position);
    Ok(Page { events, through })
}

/// `fingerprint, first_position, last_position, recorded_at` at the head of a row.
pub(super) fn receipt_of(row: &PgRow) -> Result<StoredReceipt, sqlx::Error> {
    let damaged = |what: &str| sqlx::Error::Decode(format!("a receipt has no valid {what}").into());
    let fingerprint =
        <[u8; 32]>::try_from(row.try_get::<&[u8], _>(0)?).map_err(|_| damaged("fingerprint"))?;
    let recorded_at = Timestamp::from_microsecond(row.try_get(3)?).map_err(|_| damaged("time"))?;
    let receipt = Receipt { first: unsigned(row.try_get(1)?), last: unsigned(row.try_get(2)?), recorded_at };
    Ok(StoredReceipt { fingerprint, receipt })
}

pub(super) fn event_of(row: &PgRow) -> Result<StoredEvent, ReadError> {
    let position = unsigned(row.try_get(0)?);
    read_columns(row, position)
        .map_err(|what| ReadError::DataLoss { position, what: format!("the envelope can't be read: {what}") })
}

/// Any fault in here is in the row, not in the connection: the row has arrived.
fn read_columns(row: &PgRow, position: Position) -> Result<StoredEvent, Box<dyn std::error::Error>> {
    let (tags, previous): (Vec<String>, Vec<i64>) = (row.try_get(13)?, row.try_get(14)?);
    if tags.len() != previous.len() {
        return Err("its tags and their previous positions are not as many".into());
    }
    let filed = |(tag, previous)| Filed { tag: Tag::stored(tag), previous: unsigned(previous) };
    Ok(StoredEvent {
        position,
        id: row.try_get(1)?,
        event_type: row.try_get(2)?,
        recorded_at: Timestamp::from_microsecond(row.try_get(3)?)?,
        effective_on: row.try_get::<&str, _>(4)?.parse()?,
        actor: row.try_get(5)?,
        role: row.try_get(6)?,
        agency: row.try_get(7)?,
        request_id: row.try_get(8)?,
        correlation: row.try_get(9)?,
        causation: row.try_get::<Option<i64>, _>(10)?.map(unsigned),
        trace_id: row.try_get(11)?,
        nonce: row.try_get::<&[u8], _>(12)?.try_into()?,
        tags: tags.into_iter().zip(previous).map(filed).collect(),
        body: Arc::from(row.try_get::<&[u8], _>(15)?),
        fingerprint: row.try_get::<Option<&[u8]>, _>(16)?.map(TryInto::try_into).transpose()?,
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

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
