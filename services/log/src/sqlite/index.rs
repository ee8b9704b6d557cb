//! The index of tags, by which servers find a subject's events, compared with what the events say.

use duban_domain::Position;
use rusqlite::Connection;
use rusqlite::types::ValueRef;

use super::moving::Source;
use super::rows::column;
use super::{signed, unsigned};
use crate::archive::Filings;
use crate::moving::MoveError;

/// Entries that are read at once.
const PAGE: i64 = 20_000;

/// A page of the index after an entry, in the order in which it lies there.
const ENTRIES: &str = "SELECT tag, position FROM event_tags WHERE (tag, position) > ($1, $2)
    ORDER BY tag, position LIMIT $3";
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
        let (said, head) = (said.clone(), self.head());
        let filed = self.rows().ask(move |connection| {
            let Some((filed, highest)) = filings(connection, said.anew(), head)? else { return Ok(false) };
            // A server may have gone on meanwhile, and files only what it records.
            let (first, end, before): (Option<i64>, Option<i64>, bool) =
                connection.query_row(ENDS, (), |row| row.try_into())?;
            let inside = !before && first.is_none_or(|first| first > 0) && highest <= end.unwrap_or(0);
            Ok(inside && filed == said)
        });
        filed.await
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

/// What the index has up to `head`, and the highest position in it; none where an entry is not after the one before,
/// or can't be read.
fn filings(
    connection: &Connection,
    mut filed: Filings,
    head: Position,
) -> Result<Option<(Filings, i64)>, rusqlite::Error> {
    let mut statement = connection.prepare(ENTRIES)?;
    let (mut tag, mut last, mut highest) = (String::new(), 0, 0);
    let mut hash = filed.hash(&tag);
    loop {
        let mut rows = statement.query((&tag, last, PAGE))?;
        let mut read = 0;
        while let Some(row) = rows.next()? {
            let (Ok(name), Ok(position)) =
                (column(row, 0, ValueRef::as_str), column(row, 1, ValueRef::as_i64))
            else {
                return Ok(None);
            };
            if name != tag {
                if name < tag.as_str() {
                    return Ok(None);
                }
                (tag, last, hash) = (name.to_owned(), 0, filed.hash(name));
            }
            if position <= last {
                return Ok(None);
            }
            if unsigned(position) <= head {
                filed.add(hash, unsigned(position));
            }
            (last, highest) = (position, highest.max(position));
            read += 1;
        }
        if read < PAGE {
            return Ok(Some((filed, highest)));
        }
    }
}
