//! Rows of `log.db`, many in one value. Of each value that is fetched sqlx makes a copy of its own and sends each row
//! from one thread to another; for the columns of an event that costs more than to find them.
//!
//! A row is packed as its numbers and the lengths of its texts in decimal, as `7 -3 12;`, and the bytes after it. What
//! isn't of its column's type, or a hash that is too short, is not packed: its page is read row by row, which tells
//! what is wrong with it.

use std::error::Error;

use duban_domain::{Position, Tag, Timestamp};
use uuid::Uuid;

use super::unsigned;
use crate::append::{Receipt, StoredReceipt};
use crate::archive::Unreadable;
use crate::event::{Filed, StoredEvent};
use crate::moving::StoredRequest;

/// What is absent of an event, each with the bit that says so.
const ABSENT: [(&str, i64); 4] = [("agency", 1), ("causation", 2), ("trace_id", 4), ("fingerprint", 8)];

/// How many rows of a page can't be packed, the page, and the last position in it. `$1`: the events after it; `$2`: up
/// to it; `$3`: how many. SQLite orders values as numbers, texts, blobs.
pub(super) fn events(fingerprint: &str) -> String {
    let text = |column: &str| format!("({column} >= '' AND {column} < x'')");
    let bytes = |column: &str, length: u8| format!("({column} >= x'' AND octet_length({column}) = {length})");
    let may = |column: &str, is: String| format!("({column} IS NULL OR {is})");
    let sound = [
        bytes("id", 16),
        text("type"),
        "typeof(recorded_at) = 'integer'".to_owned(),
        text("effective_on"),
        text("actor"),
        text("role"),
        may("agency", text("agency")),
        bytes("request_id", 16),
        bytes("correlation", 16),
        may("causation", "typeof(causation) = 'integer'".to_owned()),
        may("trace_id", text("trace_id")),
        bytes("nonce", 32),
        text("tags"),
        "body >= x''".to_owned(),
        may(fingerprint, bytes(fingerprint, 32)),
    ];
    let absent = ABSENT.map(|(column, bit)| {
        let column = if column == "fingerprint" { fingerprint } else { column };
        format!("{bit} * ({column} IS NULL)")
    });
    format!(
        "SELECT sum(packed IS NULL), CAST(group_concat(packed, '') AS BLOB), max(position) FROM (SELECT position,
         CASE WHEN {sound} THEN concat(format('%d %d %d %d %d %d %d %d %d %d %d %d;', position, recorded_at, causation,
         {absent}, octet_length(type), octet_length(effective_on), octet_length(actor), octet_length(role),
         octet_length(agency), octet_length(trace_id), octet_length(tags), octet_length(body)), id, request_id,
         correlation, nonce, {fingerprint}, type, effective_on, actor, role, agency, trace_id, tags, body) END AS packed
         FROM events WHERE position > $1 AND position <= $2 ORDER BY position LIMIT $3 + 0)",
        sound = sound.join(" AND "),
        absent = absent.join(" + "),
    )
}

/// The same of receipts after the key `$1`, `$2`, with how many there are in the page; at most `$3`.
pub(super) const RECEIPTS: &str = "SELECT sum(packed IS NULL), CAST(group_concat(packed, '') AS BLOB), count(*) FROM
    (SELECT CASE WHEN request_id >= x'' AND octet_length(request_id) = 16 AND principal >= '' AND principal < x''
    AND fingerprint >= x'' AND octet_length(fingerprint) = 32 AND typeof(first_position) = 'integer'
    AND typeof(last_position) = 'integer' AND typeof(recorded_at) = 'integer'
    THEN concat(format('%d %d %d %d;', first_position, last_position, recorded_at, octet_length(principal)),
    request_id, fingerprint, principal) END AS packed FROM receipts WHERE (request_id, principal) > ($1, $2)
    ORDER BY request_id, principal LIMIT $3 + 0)";

/// A page of packed events, each unpacked when it is taken.
pub(super) struct Events {
    page: Vec<u8>,
    at: usize,
}

impl Events {
    pub(super) fn of(page: Vec<u8>) -> Self {
        Self { page, at: 0 }
    }
}

impl Iterator for Events {
    type Item = Result<StoredEvent, Unreadable>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut rest = self.page.get(self.at..).filter(|rest| !rest.is_empty())?;
        let event = event(&mut rest);
        // What is behind a row without an end can't be found.
        self.at = if event.is_some() { self.page.len() - rest.len() } else { self.page.len() };
        Some(
            event.unwrap_or_else(|| {
                Err(Unreadable { position: None, what: "a page of events is cut".into() })
            }),
        )
    }
}

/// All receipts of a page; none if it is cut.
pub(super) fn receipts(page: &[u8]) -> Option<Vec<StoredRequest>> {
    let (mut rest, mut receipts) = (page, Vec::new());
    while !rest.is_empty() {
        receipts.push(receipt(&mut rest)?);
    }
    Some(receipts)
}

/// The next event; none where the page is cut.
fn event(rest: &mut &[u8]) -> Option<Result<StoredEvent, Unreadable>> {
    let [position, recorded_at, causation, absent, lengths @ ..] = numbers::<12>(rest)?;
    let has = |column: &str| ABSENT.iter().any(|(name, bit)| *name == column && absent & bit == 0);
    let (id, request_id, correlation) = (array(rest)?, array(rest)?, array(rest)?);
    let nonce = array(rest)?;
    let fingerprint = if has("fingerprint") { Some(array(rest)?) } else { None };
    let mut texts = [&[][..]; 8];
    for (text, length) in texts.iter_mut().zip(lengths) {
        *text = take(rest, usize::try_from(length).ok()?)?;
    }
    let [event_type, effective_on, actor, role, agency, trace_id, tags, body] = texts;
    let position = unsigned(position);
    let read = || -> Result<StoredEvent, Box<dyn Error>> {
        Ok(StoredEvent {
            position,
            id: Uuid::from_bytes(id),
            event_type: text(event_type)?,
            recorded_at: Timestamp::from_microsecond(recorded_at)?,
            effective_on: std::str::from_utf8(effective_on)?.parse()?,
            actor: text(actor)?,
            role: text(role)?,
            agency: has("agency").then(|| text(agency)).transpose()?,
            request_id: Uuid::from_bytes(request_id),
            correlation: Uuid::from_bytes(correlation),
            causation: has("causation").then(|| unsigned(causation)),
            trace_id: has("trace_id").then(|| text(trace_id)).transpose()?,
            nonce,
            tags: filed(tags)?,
            body: body.into(),
            fingerprint,
        })
    };
    let what = |error: Box<dyn Error>| format!("the envelope can't be read: {error}");
    Some(read().map_err(|error| Unreadable { position: Some(position), what: what(error) }))
}

fn receipt(rest: &mut &[u8]) -> Option<StoredRequest> {
    let [first, last, recorded_at, length] = numbers(rest)?;
    let (request_id, fingerprint) = (Uuid::from_bytes(array(rest)?), array(rest)?);
    let principal = text(take(rest, usize::try_from(length).ok()?)?).ok()?;
    let recorded_at = Timestamp::from_microsecond(recorded_at).ok()?;
    let receipt = Receipt { first: unsigned(first), last: unsigned(last), recorded_at };
    Some(StoredRequest { request_id, principal, stored: StoredReceipt { fingerprint, receipt } })
}

fn filed(tags: &[u8]) -> Result<Vec<Filed>, serde_json::Error> {
    let tags: Vec<(Tag, Position)> = serde_json::from_slice(tags)?;
    Ok(tags.into_iter().map(|(tag, previous)| Filed { tag, previous }).collect())
}

fn text(bytes: &[u8]) -> Result<String, std::str::Utf8Error> {
    std::str::from_utf8(bytes).map(ToOwned::to_owned)
}

fn array<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    take(rest, N)?.try_into().ok()
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(taken)
}

/// The numbers before a row's bytes, exactly as many.
fn numbers<const N: usize>(rest: &mut &[u8]) -> Option<[i64; N]> {
    let mut numbers = [0; N];
    let last = N.checked_sub(1)?;
    for (index, number) in numbers.iter_mut().enumerate() {
        let end = if index == last { b';' } else { b' ' };
        let length = rest.iter().position(|byte| *byte == end)?;
        *number = std::str::from_utf8(take(rest, length)?).ok()?.parse().ok()?;
        take(rest, 1)?;
    }
    Some(numbers)
}
