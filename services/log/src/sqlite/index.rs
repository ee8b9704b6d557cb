//! The index of tags, by which servers find a subject's events, compared with what the events say.

use duban_domain::Position;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::moving::Source;
use super::{signed, unsigned};
use crate::archive::Filings;
use crate::moving::MoveError;

/// Entries that are read at once.
const PAGE: i64 = 20_000;

/// A page of the index after an entry, in the order in which it lies there: each tag once, behind its length in bytes
/// and before its positions, as `6:task:a1,2,9;`. One value, since every value that is fetched costs more than to find
/// it. Of positions that aren't all numbers one that isn't is the largest.
const ENTRIES: &str = "SELECT CAST(group_concat(entry, '') AS BLOB) FROM
    (SELECT iif(typeof(tag) = 'text' AND typeof(max(position)) = 'integer',
    concat(octet_length(tag), ':', tag, group_concat(position), ';'), '!') AS entry FROM
    (SELECT tag, position FROM event_tags WHERE (tag, position) > ($1, $2) ORDER BY tag, position LIMIT $3) GROUP BY tag)";
/// The first and the last event, and whether the index has what comes before all entries that are read.
const ENDS: &str = "SELECT (SELECT min(position) FROM events), (SELECT max(position) FROM events),
    EXISTS (SELECT 1 FROM event_tags WHERE tag <= '')";

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
    /// Whether the index of tags is `said`, by one way through it: whatever is not as it should be makes it another.
    pub(crate) async fn is_filed(&self, said: &Filings) -> Result<bool, MoveError> {
        let (mut filed, mut last) = (said.anew(), (String::new(), 0));
        let mut highest = 0;
        loop {
            let query = sqlx::query(ENTRIES).bind(last.0.clone()).bind(signed(last.1)).bind(PAGE);
            let row: SqliteRow = query.fetch_one(self.reader().pool()).await?;
            let Some(page) = row.try_get::<Option<&[u8]>, _>(0)? else { break };
            let Some(end) = self.take(&mut filed, page, last, &mut highest) else { return Ok(false) };
            last = end;
        }
        // A server may have gone on meanwhile, and files only what it records.
        let ends = sqlx::query_as(ENDS).fetch_one(self.reader().pool()).await?;
        let (first, end, before): (Option<i64>, Option<i64>, bool) = ends;
        let inside = !before && first.is_none_or(|first| first > 0) && highest <= end.map_or(0, unsigned);
        Ok(inside && filed == *said)
    }

    /// Takes a page of entries, and gives the last one; none where one is not after the one before, or can't be read.
    fn take(
        &self,
        filed: &mut Filings,
        page: &[u8],
        (mut tag, mut position): (String, Position),
        highest: &mut Position,
    ) -> Option<(String, Position)> {
        let mut rest = page;
        while !rest.is_empty() {
            let (name, positions, after) = entry(rest)?;
            if *name != *tag {
                if *name < *tag {
                    return None;
                }
                (tag, position) = (name.to_owned(), 0);
            }
            let hash = filed.hash(name);
            for next in positions.split(|byte| *byte == b',') {
                let next = number(next).filter(|next| *next > position)?;
                position = next;
                if next <= self.head() {
                    filed.add(hash, next);
                }
            }
            *highest = position.max(*highest);
            rest = after;
        }
        Some((tag, position))
    }

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

/// The tag and the positions of the first entry, and what follows it.
fn entry(page: &[u8]) -> Option<(&str, &[u8], &[u8])> {
    let (length, rest) = cut(page, b':')?;
    let (tag, rest) = rest.split_at_checked(usize::try_from(number(length)?).ok()?)?;
    let (positions, rest) = cut(rest, b';')?;
    Some((std::str::from_utf8(tag).ok()?, positions, rest))
}

/// What is before the first such byte and what is after it.
fn cut(bytes: &[u8], end: u8) -> Option<(&[u8], &[u8])> {
    let at = bytes.iter().position(|byte| *byte == end)?;
    Some((&bytes[..at], &bytes[at + 1..]))
}

/// A number in decimal digits.
fn number(digits: &[u8]) -> Option<u64> {
    let digit = |number: u64, byte: &u8| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit < 10)?;
        number.checked_mul(10)?.checked_add(digit.into())
    };
    digits.iter().try_fold(0, digit).filter(|_| !digits.is_empty())
}
