//! How fresh and as of when a query asks, and as of when it is answered (`duban/call/v1/query.proto`).

use duban_domain::time::{civil_date, end_of};
use duban_domain::{Date, Position, Timestamp};
use duban_log::Log;
use duban_proto::call::v1 as pb;

use crate::command::instant;
use crate::error::Error;
use crate::paging::Place;
use crate::validate::{Field, Fields, date};

/// How fresh an answer must be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Freshness {
    /// At least the head that was found on arrival.
    #[default]
    Head,
    /// Whatever the view knows.
    Any,
    /// At least this position.
    AtLeast(Position),
}

/// What the log knew when: the second clock of a question.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Known {
    /// All that it knows.
    #[default]
    Now,
    /// What was recorded at or before an instant.
    At(Timestamp),
    /// What was recorded by the end of a day in Shanghai.
    On(Date),
    /// The first so many events.
    Position(Position),
}

/// As of when a question is asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AsOf {
    /// The date in the world; `None`: today.
    pub valid_on: Option<Date>,
    /// What was known.
    pub known: Known,
    /// How fresh the answer must be.
    pub freshness: Freshness,
}

/// A question's two clocks, read off once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The date in the world.
    pub valid_on: Date,
    /// The events that count: those up to this position. `None`: as many as the view has taken when it
    /// answers; the answer states how many that were.
    pub known: Option<Position>,
    /// The position that the view must have reached before it answers.
    pub reached: Position,
}

impl Fields {
    /// As of when the question is asked, and how fresh the answer must be.
    pub fn as_of(&mut self, as_of: Option<pb::AsOf>, consistency: Option<pb::Consistency>) -> Field<AsOf> {
        use pb::as_of::Known as Wire;
        let freshness = freshness(consistency);
        let Some(pb::AsOf { valid_on, known }) = as_of else {
            return Ok(AsOf { freshness, ..AsOf::default() });
        };
        let valid_on = self.maybe("as_of.valid_on", valid_on, date);
        let known = match known {
            None => Ok(Known::Now),
            Some(Wire::KnownAt(at)) => self.instant("as_of.known_at", at).map(Known::At),
            Some(Wire::KnownOn(on)) => self.one("as_of.known_on", on, date).map(Known::On),
            Some(Wire::Position(position)) => Ok(Known::Position(position)),
        };
        Ok(AsOf { valid_on: valid_on?, known: known?, freshness })
    }
}

/// How fresh a query without a second clock must be answered.
pub fn freshness(consistency: Option<pb::Consistency>) -> Freshness {
    use pb::consistency::Requirement::{AtLeastAsFresh, MinimizeLatency};
    match consistency.and_then(|consistency| consistency.requirement) {
        None | Some(MinimizeLatency(false)) => Freshness::Head,
        Some(MinimizeLatency(true)) => Freshness::Any,
        Some(AtLeastAsFresh(position)) => Freshness::AtLeast(position),
    }
}

impl AsOf {
    /// Reads off the clocks on arrival. A page after the first (`place`) answers as of the first one's.
    ///
    /// OUT_OF_RANGE/POSITION_BEYOND_HEAD for a position or a time that the log hasn't reached.
    pub async fn moment(self, log: &Log, place: Option<&Place>) -> Result<Moment, Error> {
        let (head, now) = (log.head().await?, log.now());
        let today = civil_date(now);
        if let Some(place) = place {
            let Place { position, valid_on, .. } = *place;
            let known = within(position, head)?;
            return Ok(Moment { valid_on, known: Some(known), reached: known });
        }
        let reached = match self.freshness {
            Freshness::Head => head,
            Freshness::Any => 0,
            Freshness::AtLeast(position) => within(position, head)?,
        };
        let known = match self.known {
            Known::Now => None,
            Known::Position(position) => Some(within(position, head)?),
            Known::At(at) if at > now => return Err(Error::beyond_head(head)),
            Known::At(at) => Some(log.position_at(at).await?),
            Known::On(on) if on > today => return Err(Error::beyond_head(head)),
            // Today isn't over: its end, as far as it is known, is now.
            Known::On(on) => Some(log.position_at(last_instant(on).min(now)).await?),
        };
        // What is known at an earlier position doesn't change: no need to wait for more than that.
        let reached = known.unwrap_or(reached);
        Ok(Moment { valid_on: self.valid_on.unwrap_or(today), known, reached })
    }
}

fn within(position: Position, head: Position) -> Result<Position, Error> {
    if position <= head { Ok(position) } else { Err(Error::beyond_head(head)) }
}

/// The last microsecond of a day in Shanghai; the log keeps no finer ones.
fn last_instant(day: Date) -> Timestamp {
    let end = end_of(day);
    end.checked_sub(jiff::SignedDuration::from_micros(1)).unwrap_or(end)
}

/// As of when an answer holds. Position 0 is before the first event: then nothing is known.
pub async fn answer(log: &Log, valid_on: Date, position: Position) -> Result<pb::Answer, Error> {
    let knowledge = if position == 0 { pb::Knowledge::NothingKnown } else { pb::Knowledge::Known };
    Ok(pb::Answer {
        valid_on: valid_on.to_string(),
        position,
        recorded_at: log.recorded_at(position).await?.map(instant),
        knowledge: knowledge.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(as_of: pb::AsOf) -> Result<AsOf, Error> {
        Fields::read(|f| f.as_of(Some(as_of), None))
    }

    #[test]
    fn both_clocks_are_read() {
        let as_of = pb::AsOf {
            valid_on: Some("2023-09-01".into()),
            known: Some(pb::as_of::Known::KnownOn("2023-10-01".into())),
        };
        let as_of = read(as_of).unwrap();
        assert_eq!(as_of.valid_on.unwrap().to_string(), "2023-09-01");
        assert!(matches!(as_of.known, Known::On(day) if day.to_string() == "2023-10-01"));
        assert_eq!(Fields::read(|f| f.as_of(None, None)).unwrap(), AsOf::default());
    }

    #[test]
    fn a_clock_that_cannot_be_read_is_told_by_its_path() {
        let bad = pb::AsOf {
            valid_on: Some("2023-13-01".into()),
            known: Some(pb::as_of::Known::KnownOn(String::new())),
        };
        let status = tonic::Status::from(read(bad).unwrap_err());
        let details = tonic_types::StatusExt::get_error_details(&status);
        let told: Vec<_> = details.bad_request().unwrap().field_violations.iter().map(|v| &v.field).collect();
        assert_eq!(told, ["as_of.valid_on", "as_of.known_on"]);
    }

    #[test]
    fn freshness_is_the_head_unless_said_otherwise() {
        let with = |requirement| freshness(Some(pb::Consistency { requirement: Some(requirement) }));
        assert_eq!(freshness(None), Freshness::Head);
        assert_eq!(with(pb::consistency::Requirement::MinimizeLatency(false)), Freshness::Head);
        assert_eq!(with(pb::consistency::Requirement::MinimizeLatency(true)), Freshness::Any);
        assert_eq!(with(pb::consistency::Requirement::AtLeastAsFresh(3)), Freshness::AtLeast(3));
    }
}
