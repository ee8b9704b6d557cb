//! As of when a query answers: the two clocks of a question, made one date and one position by the log; and
//! the echo of it that every reply has. Asking again with the echo gives the same answer forever.

use std::cmp::Ordering;

use duban_domain::time::{civil_date, end_of};
use duban_domain::{Date, Position, Timestamp};
use duban_log::Log;
use duban_proto::call::v1 as pb;

use crate::convert::{AsOf, Freshness, Known, instant};
use crate::error::Error;
use crate::paging::Place;

/// One state of the world: what held on a date, as the first so many events tell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The civil date in the world.
    pub valid_on: Date,
    /// The position that the answer knows: the events up to and including it. 0: none.
    pub position: Position,
    /// When the event there was recorded; none at position 0.
    pub recorded_at: Option<Timestamp>,
}

/// The moment that a question means.
///
/// `viewed` is where the view that answers stands: what [`Freshness::Any`] is content with. Whoever answers
/// from the log itself has none. A view that stands before the moment's position is to be waited for.
///
/// POSITION_BEYOND_HEAD for a position that the log has not reached and for a time yet to come.
pub async fn resolve(
    log: &Log,
    as_of: AsOf,
    freshness: Freshness,
    viewed: Option<Position>,
) -> Result<Moment, Error> {
    let head = log.head().await?;
    if let Freshness::AtLeast(position) = freshness
        && position > head
    {
        return Err(Error::beyond_head(head));
    }
    let now = log.now();
    let position = match as_of.known {
        Known::Now => match freshness {
            Freshness::Head => head,
            Freshness::Any => viewed.unwrap_or(head).min(head),
            Freshness::AtLeast(position) => viewed.unwrap_or(head).clamp(position, head),
        },
        Known::Position(position) if position <= head => position,
        Known::Position(_) => return Err(Error::beyond_head(head)),
        Known::At(at) => position_at(log, at).await?,
        Known::On(day) => position_on(log, day).await?,
    };
    let valid_on = as_of.valid_on.unwrap_or_else(|| civil_date(now));
    moment(log, valid_on, position).await
}

/// The moment of a list's first page, for the pages after it.
pub async fn resume(log: &Log, place: &Place) -> Result<Moment, Error> {
    moment(log, place.valid_on, place.position).await
}

/// The last position recorded at or before an instant; POSITION_BEYOND_HEAD if that is yet to come.
pub async fn position_at(log: &Log, at: Timestamp) -> Result<Position, Error> {
    if at > log.now() {
        return Err(Error::beyond_head(log.head().await?));
    }
    Ok(log.position_at(at).await?)
}

/// The last position recorded by the end of a day in Shanghai; today ends now. POSITION_BEYOND_HEAD for a
/// day yet to come.
pub async fn position_on(log: &Log, day: Date) -> Result<Position, Error> {
    let now = log.now();
    match day.cmp(&civil_date(now)) {
        Ordering::Less => position_at(log, last_instant(day)).await,
        Ordering::Equal => position_at(log, now).await,
        Ordering::Greater => Err(Error::beyond_head(log.head().await?)),
    }
}

/// The last instant of a day in Shanghai that the log can tell from the next day's first: it keeps
/// microseconds.
fn last_instant(day: Date) -> Timestamp {
    let end = end_of(day);
    Timestamp::from_microsecond(end.as_microsecond() - 1).unwrap_or(end)
}

async fn moment(log: &Log, valid_on: Date, position: Position) -> Result<Moment, Error> {
    let recorded_at = match position {
        0 => None,
        position => log.recorded_at(position).await?,
    };
    Ok(Moment { valid_on, position, recorded_at })
}

impl Moment {
    /// The echo of it in a reply.
    pub fn answer(&self) -> pb::Answer {
        let knowledge = match self.position {
            0 => pb::Knowledge::NothingKnown,
            _ => pb::Knowledge::Known,
        };
        pb::Answer {
            valid_on: self.valid_on.to_string(),
            position: self.position,
            recorded_at: self.recorded_at.map(instant),
            knowledge: knowledge.into(),
        }
    }

    /// Where a list of this moment goes on, after the entry with this key.
    pub fn place(&self, after: impl Into<String>) -> Place {
        Place { position: self.position, valid_on: self.valid_on, after: after.into() }
    }
}
