//! How fresh and as of when a query asks, and as of when it is answered (`duban/call/v1/query.proto`).

use duban_domain::time::{civil_date, end_of};
use duban_domain::{Date, Position, Timestamp};
use duban_log::views::WAIT;
use duban_log::{Log, Snapshot, View, Views, Wanted};
use duban_proto::call::v1 as pb;
use tokio::time::Instant;

use crate::call::Call;
use crate::command::instant;
use crate::error::Error;
use crate::paging::Place;
use crate::validate::{Field, Fields, date};

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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AsOf {
    /// The date in the world; `None`: today.
    pub valid_on: Option<Date>,
    /// What was known.
    pub known: Known,
    /// How fresh the answer must be.
    pub wanted: Wanted,
}

/// As of when a question is answered: the two clocks, read off once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The date in the world.
    pub valid_on: Date,
    /// The events that count: those up to and including this position.
    pub position: Position,
}

impl Fields {
    /// As of when the question is asked, and how fresh the answer must be.
    pub fn as_of(&mut self, as_of: Option<pb::AsOf>, consistency: Option<pb::Consistency>) -> Field<AsOf> {
        use pb::as_of::Known as Wire;
        let wanted = wanted(consistency);
        let pb::AsOf { valid_on, known } = as_of.unwrap_or_default();
        let valid_on = self.maybe("as_of.valid_on", valid_on, date);
        let known = match known {
            None => Ok(Known::Now),
            Some(Wire::KnownAt(at)) => self.instant("as_of.known_at", at).map(Known::At),
            Some(Wire::KnownOn(on)) => self.one("as_of.known_on", on, date).map(Known::On),
            Some(Wire::Position(position)) => Ok(Known::Position(position)),
        };
        Ok(AsOf { valid_on: valid_on?, known: known?, wanted })
    }
}

/// How fresh an answer must be.
pub fn wanted(consistency: Option<pb::Consistency>) -> Wanted {
    use pb::consistency::Requirement::{AtLeastAsFresh, MinimizeLatency};
    match consistency.and_then(|consistency| consistency.requirement) {
        None | Some(MinimizeLatency(false)) => Wanted::Head,
        Some(MinimizeLatency(true)) => Wanted::Latest,
        Some(AtLeastAsFresh(position)) => Wanted::AtLeast(position),
    }
}

impl Call {
    /// Asks a view: waits until it stands where the question wants it, then gives its rows' snapshot and the
    /// moment that the answer is of. A page after the first (`place`) is of the first one's moment.
    ///
    /// OUT_OF_RANGE/POSITION_BEYOND_HEAD for a position or a time that the log hasn't reached;
    /// UNAVAILABLE/VIEW_STOPPED or VIEW_BEHIND.
    pub async fn ask<V: View>(
        &self,
        views: &Views,
        as_of: AsOf,
        place: Option<&Place>,
    ) -> Result<(Snapshot, Moment), Error> {
        let log = views.log();
        let (valid_on, known) = match place {
            Some(place) => (place.valid_on, Some(within(place.position, log.head().await?)?)),
            None => (as_of.valid_on.unwrap_or(civil_date(log.now())), as_of.known.position(log).await?),
        };
        // What was known at a position doesn't change: no need to wait for more than that.
        let wanted = known.map_or(as_of.wanted, Wanted::AtLeast);
        let snapshot = views.read::<V>(wanted, self.patience()).await?;
        let position = known.unwrap_or(snapshot.position());
        Ok((snapshot, Moment { valid_on, position }))
    }

    /// Asks one more view of the same moment. Let go of the other's snapshot before: each holds a connection.
    pub async fn ask_at<V: View>(&self, views: &Views, moment: Moment) -> Result<Snapshot, Error> {
        Ok(views.read::<V>(Wanted::AtLeast(moment.position), self.patience()).await?)
    }

    /// Until when a view may be waited for.
    fn patience(&self) -> Instant {
        let patience = Instant::now() + WAIT;
        self.deadline().map_or(patience, |deadline| deadline.min(patience))
    }
}

impl Known {
    /// The position meant; `None` for all that is known.
    pub async fn position(self, log: &Log) -> Result<Option<Position>, Error> {
        let (head, now) = (log.head().await?, log.now());
        let at = match self {
            Known::Now => return Ok(None),
            Known::Position(position) => return within(position, head).map(Some),
            Known::At(at) if at > now && at > last_recorded(log, head).await? => {
                return Err(Error::beyond_head(head));
            }
            Known::On(on) if on > civil_date(now) => return Err(Error::beyond_head(head)),
            Known::At(at) => at,
            // Today isn't over: its end, as far as it is known, is now.
            Known::On(on) => last_instant(on),
        };
        Ok(Some(log.position_at(at).await?))
    }
}

fn within(position: Position, head: Position) -> Result<Position, Error> {
    if position <= head { Ok(position) } else { Err(Error::beyond_head(head)) }
}

/// When the last event was recorded. Its time never goes back, so it may be ahead of a clock that did.
async fn last_recorded(log: &Log, head: Position) -> Result<Timestamp, Error> {
    Ok(log.recorded_at(head).await?.unwrap_or(Timestamp::MIN))
}

/// The last microsecond of a day in Shanghai; the log keeps no finer ones.
fn last_instant(day: Date) -> Timestamp {
    let end = end_of(day);
    end.checked_sub(jiff::SignedDuration::from_micros(1)).unwrap_or(end)
}

impl Moment {
    /// As of when an answer holds. Position 0 is before the first event: then nothing is known.
    pub async fn answer(self, log: &Log) -> Result<pb::Answer, Error> {
        let Self { valid_on, position } = self;
        let knowledge = if position == 0 { pb::Knowledge::NothingKnown } else { pb::Knowledge::Known };
        Ok(pb::Answer {
            valid_on: valid_on.to_string(),
            position,
            recorded_at: log.recorded_at(position).await?.map(instant),
            knowledge: knowledge.into(),
        })
    }

    /// Where the page after this one goes on: behind the entry with this key.
    pub fn after(self, key: impl Into<String>) -> Place {
        Place { position: self.position, valid_on: self.valid_on, after: key.into() }
    }
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
        let now = Fields::read(|f| f.as_of(None, None)).unwrap();
        assert_eq!(now, AsOf { valid_on: None, known: Known::Now, wanted: Wanted::Head });
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
    fn an_answer_is_as_fresh_as_the_head_unless_said_otherwise() {
        let with = |requirement| wanted(Some(pb::Consistency { requirement: Some(requirement) }));
        assert_eq!(wanted(None), Wanted::Head);
        assert_eq!(with(pb::consistency::Requirement::MinimizeLatency(false)), Wanted::Head);
        assert_eq!(with(pb::consistency::Requirement::MinimizeLatency(true)), Wanted::Latest);
        assert_eq!(with(pb::consistency::Requirement::AtLeastAsFresh(3)), Wanted::AtLeast(3));
    }
}
