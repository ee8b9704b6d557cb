//! Until when a task is due: Qinghai's "710" rule of supervision (青海省“710”督办制度), by track.
//!
//! 7 days for general matters, one month to a first result for complex ones, the year cleared by 31 December
//! ("0"). The id and the version of the rule are stored with what it decided, so that a due date of today
//! is the same due date when it is replayed under a later rule.

use jiff::ToSpan;
use jiff::civil::date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::time::Date;

/// How a task is pursued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Track {
    /// 一般事项: within 7 days.
    General,
    /// 复杂事项: a result within a month.
    Complex,
    /// 年度事项: cleared by 31 December.
    Annual,
    /// 持续推进: no last day; a settlement each year.
    Continuing,
}

impl Track {
    /// Every track.
    pub const ALL: [Track; 4] = [Track::General, Track::Complex, Track::Annual, Track::Continuing];

    /// The stored word.
    pub fn as_str(self) -> &'static str {
        match self {
            Track::General => "GENERAL",
            Track::Complex => "COMPLEX",
            Track::Annual => "ANNUAL",
            Track::Continuing => "CONTINUING",
        }
    }
}

/// Which rule decided, in which version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RuleVersion {
    /// Its id.
    pub id: String,
    /// Its version, from 1.
    pub version: u32,
}

/// The rule that [`due_on`] follows.
pub fn qinghai_710() -> RuleVersion {
    RuleVersion { id: "qinghai-710".to_owned(), version: 1 }
}

/// The last day of a task dispatched on `dispatched`; `None` where its track sets none.
pub fn due_on(track: Track, dispatched: Date) -> Option<Date> {
    match track {
        Track::General => Some(dispatched.saturating_add(7.days())),
        Track::Complex => Some(dispatched.saturating_add(1.month())),
        Track::Annual => Some(date(dispatched.year(), 12, 31)),
        Track::Continuing => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_track_has_its_last_day() {
        let dispatched = date(2026, 1, 31);
        assert_eq!(due_on(Track::General, dispatched), Some(date(2026, 2, 7)));
        assert_eq!(due_on(Track::Complex, dispatched), Some(date(2026, 2, 28)));
        assert_eq!(due_on(Track::Annual, dispatched), Some(date(2026, 12, 31)));
        assert_eq!(due_on(Track::Continuing, dispatched), None);
    }
}
