//! What every query carries: as of when, how fresh, and of a list which ones and how many.

use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;

use super::names::Resource;

/// How many a list asks for at a time.
const PAGE: &str = "500";
/// The most that a server gives at a time.
const PAGE_MAX: i64 = 1000;
const HEADING: &str = "As of when";

// No doc comments on flattened structs: they would become the command's own.
#[derive(Debug, Clone, clap::Args, Serialize)]
pub(crate) struct When {
    #[command(flatten)]
    as_of: AsOf,
    #[command(flatten)]
    consistency: Consistency,
}

#[derive(Debug, Clone, clap::Args, Serialize)]
struct AsOf {
    /// The date in the world that you ask about [default: today]
    #[arg(long = "on", value_name = "DATE", help_heading = HEADING)]
    valid_on: Option<Date>,
    /// As known at this instant, or at the end of this date in Shanghai [default: now]
    #[arg(long = "known-at", value_name = "TIME", conflicts_with = "position", help_heading = HEADING)]
    #[serde(flatten)]
    known: Option<Known>,
    /// As known at this position of the log
    #[arg(long = "at-position", value_name = "POSITION", help_heading = HEADING)]
    position: Option<u64>,
}

/// An instant, or a civil date.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Known {
    /// At an instant.
    KnownAt(Timestamp),
    /// At the end of a date.
    KnownOn(Date),
}

impl FromStr for Known {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(instant) = text.parse() {
            return Ok(Self::KnownAt(instant));
        }
        let date = text.parse().map(Self::KnownOn);
        date.map_err(|_| {
            "a date (2023-10-01) or an instant (2023-10-01T08:00:00+08:00) is expected".to_owned()
        })
    }
}

#[derive(Debug, Clone, clap::Args, Serialize)]
struct Consistency {
    /// Answer at once from what the view knows, however old
    #[arg(long, conflicts_with = "at_least_as_fresh", help_heading = HEADING)]
    minimize_latency: bool,
    /// Know at least the events up to this position [default: the head]
    #[arg(long, value_name = "POSITION", help_heading = HEADING)]
    at_least_as_fresh: Option<u64>,
}

// One resource by its name.
#[derive(Debug, clap::Args, Serialize)]
pub(crate) struct Show<N: Resource> {
    /// The name in full, or its ids
    #[arg(value_name = N::SHOWN, value_parser = N::parse)]
    name: N,
    #[command(flatten)]
    #[serde(flatten)]
    when: When,
}

// Which ones, and how many. `limit` is for the pager alone: no list of the wire has such a field.
#[derive(Debug, Clone, clap::Args, Serialize)]
pub(crate) struct List {
    /// Which ones, say `stage = DISPATCHED AND track != ANNUAL` [default: all]
    #[arg(long, value_name = "FILTER")]
    pub(crate) filter: Option<String>,
    /// How many at most [default: all]
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// How many to ask for at a time
    #[arg(long, value_name = "N", default_value = PAGE, hide_short_help = true,
        value_parser = clap::value_parser!(i32).range(1..=PAGE_MAX))]
    page_size: i32,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) when: When,
}

impl List {
    /// Narrowed to what an option stands for.
    pub(crate) fn and(mut self, condition: &str) -> Self {
        self.filter = Some(match self.filter {
            Some(filter) => format!("{filter} AND {condition}"),
            None => condition.to_owned(),
        });
        self
    }
}

// Those under one parent.
#[derive(Debug, Clone, clap::Args, Serialize)]
pub(crate) struct ListUnder<N: Resource> {
    /// Whose: the name in full, or its id
    #[arg(value_name = N::SHOWN, value_parser = N::parse)]
    pub(crate) parent: N,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) list: List,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_an_instant_or_a_date() {
        assert_eq!("2023-10-01".parse(), Ok(Known::KnownOn(jiff::civil::date(2023, 10, 1))));
        assert!(matches!("2023-10-01T08:00:00+08:00".parse(), Ok(Known::KnownAt(_))));
        assert!("yesterday".parse::<Known>().is_err());
    }
}
