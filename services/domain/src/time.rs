//! Two clocks: the civil date in Asia/Shanghai on which a fact holds, and the instant in UTC at which the
//! log took it.

use std::fmt;

use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use jiff::Timestamp;
pub use jiff::civil::Date;
use jiff::civil::date;

/// The first civil date that the log takes.
pub const DATE_MIN: Date = date(1949, 10, 1);
/// The last civil date that the log takes.
pub const DATE_MAX: Date = date(2199, 12, 31);

/// Asia/Shanghai, UTC+8 without daylight saving since 1991; the fixed offset needs no time zone database.
fn shanghai() -> TimeZone {
    TimeZone::fixed(jiff::tz::offset(8))
}

/// The civil date in Shanghai at this instant.
pub fn civil_date(at: Timestamp) -> Date {
    at.to_zoned(shanghai()).date()
}

/// The first instant after the end of `day` in Shanghai.
pub fn end_of(day: Date) -> Timestamp {
    let next = day.tomorrow().unwrap_or(Date::MAX);
    next.to_zoned(shanghai()).map_or(Timestamp::MAX, |zoned| zoned.timestamp())
}

/// A civil date within [`DATE_MIN`] and [`DATE_MAX`], written `YYYY-MM-DD`.
pub fn parse_date(text: &str) -> Option<Date> {
    let plain = text.len() == 10 && text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    let date: Date = plain.then(|| text.parse().ok())??;
    (DATE_MIN..=DATE_MAX).contains(&date).then_some(date)
}

/// A half-open stretch of civil dates: from `from` on, up to but not including `until`; open without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Period {
    /// The first day.
    #[schemars(with = "String")]
    pub from: Date,
    /// The first day after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub until: Option<Date>,
}

impl Period {
    /// From `from` on, without an end.
    pub fn since(from: Date) -> Self {
        Self { from, until: None }
    }

    /// From `from` up to `until`, exclusive.
    pub fn new(from: Date, until: Option<Date>) -> Self {
        Self { from, until }
    }

    /// Whether it has no day in it.
    pub fn is_empty(&self) -> bool {
        self.until.is_some_and(|until| until <= self.from)
    }

    /// Whether `day` lies in it.
    pub fn contains(&self, day: Date) -> bool {
        self.from <= day && self.until.is_none_or(|until| day < until)
    }

    /// The days in both; `None` if there are none.
    pub fn intersect(&self, other: &Period) -> Option<Period> {
        let until = match (self.until, other.until) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (one, None) | (None, one) => one,
        };
        let both = Period { from: self.from.max(other.from), until };
        (!both.is_empty()).then_some(both)
    }

    /// Whether every day of `other` lies in it.
    pub fn covers(&self, other: &Period) -> bool {
        self.from <= other.from
            && match (self.until, other.until) {
                (None, _) => true,
                (Some(_), None) => false,
                (Some(mine), Some(theirs)) => theirs <= mine,
            }
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.until {
            Some(until) => write!(f, "[{}, {until})", self.from),
            None => write!(f, "[{}, )", self.from),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_ends_in_shanghai() {
        let end = end_of(date(2026, 12, 31));
        assert_eq!(end.to_string(), "2026-12-31T16:00:00Z");
        assert_eq!(civil_date(end), date(2027, 1, 1));
    }

    #[test]
    fn a_date_is_written_one_way_and_within_bounds() {
        assert_eq!(parse_date("2026-02-28"), Some(date(2026, 2, 28)));
        for bad in ["2026-02-29", "2026-2-28", "20260228", "1949-09-30", "2200-01-01", "", "2026-01-01T00:00"]
        {
            assert_eq!(parse_date(bad), None, "{bad}");
        }
    }

    #[test]
    fn periods_are_half_open() {
        let a = Period::new(date(2026, 1, 1), Some(date(2026, 2, 1)));
        let b = Period::since(date(2026, 2, 1));
        assert_eq!(a.intersect(&b), None);
        assert!(!a.contains(date(2026, 2, 1)));
        assert!(b.covers(&Period::new(date(2026, 3, 1), Some(date(2026, 4, 1)))));
        assert!(!a.covers(&b));
    }
}
