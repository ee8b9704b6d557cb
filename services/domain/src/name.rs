//! Resource names: `agencies/{id}`, `tasks/{id}/assignments/{id}`, … A name is parsed once, at the door,
//! and is a type from then on. In stored bodies it stands as the same text as on the wire.

use std::fmt;
use std::str::FromStr;

/// The longest id segment, in characters.
pub const ID_MAX: usize = 63;

/// Why a text is not a resource name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a name like {pattern}, ids being 1 to {ID_MAX} of a-z, 0-9 and inner hyphens")]
pub struct NameError {
    pattern: &'static str,
}

/// Whether `id` is a well-formed id segment: `[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?`.
pub fn is_id(id: &str) -> bool {
    let edge = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = id.as_bytes();
    (1..=ID_MAX).contains(&bytes.len())
        && bytes.iter().all(|&b| edge(b) || b == b'-')
        && edge(bytes[0])
        && edge(bytes[bytes.len() - 1])
}

/// Text in and out for a name type that has `PATTERN`, `Display` and `parse_segments`.
macro_rules! as_text {
    ($name:ident) => {
        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                let segments: Vec<&str> = text.split('/').collect();
                Self::from_segments(&segments).ok_or(NameError { pattern: Self::PATTERN })
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "description": Self::PATTERN })
            }
        }
    };
}

/// A name of one collection: `collection/{id}`.
macro_rules! top_level {
    ($(#[$doc:meta])* $name:ident, $collection:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// What the name looks like.
            pub const PATTERN: &'static str = concat!($collection, "/{id}");

            /// The name with this id; `None` unless [`is_id`].
            pub fn from_id(id: &str) -> Option<Self> {
                is_id(id).then(|| Self(id.to_owned()))
            }

            /// The id without the collection.
            pub fn id(&self) -> &str {
                &self.0
            }

            fn from_segments(segments: &[&str]) -> Option<Self> {
                match segments {
                    [$collection, id] => Self::from_id(id),
                    _ => None,
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($collection, "/{}"), self.0)
            }
        }

        as_text!($name);
    };
}

/// A name under another: `parent/collection/{id}`.
macro_rules! child {
    ($(#[$doc:meta])* $name:ident, $parent:ident, $field:ident, $pattern:literal, $collection:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name {
            $field: $parent,
            id: String,
        }

        impl $name {
            /// What the name looks like.
            pub const PATTERN: &'static str = $pattern;

            /// The name under `parent` with this id; `None` unless [`is_id`].
            pub fn new($field: $parent, id: &str) -> Option<Self> {
                is_id(id).then(|| Self { $field, id: id.to_owned() })
            }

            /// The name it stands under.
            pub fn $field(&self) -> &$parent {
                &self.$field
            }

            /// The last segment.
            pub fn id(&self) -> &str {
                &self.id
            }

            fn from_segments(segments: &[&str]) -> Option<Self> {
                match segments {
                    [parent @ .., $collection, id] => Self::new($parent::from_segments(parent)?, id),
                    _ => None,
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!("{}/", $collection, "/{}"), self.$field, self.id)
            }
        }

        as_text!($name);
    };
}

top_level!(
    /// A policy document (政策文件).
    DocumentId, "documents"
);
top_level!(
    /// An agency (机构).
    AgencyId, "agencies"
);
top_level!(
    /// A task (事项).
    TaskId, "tasks"
);
top_level!(
    /// A report (报送).
    ReportId, "reports"
);
top_level!(
    /// A log (日志), by the id that was drawn when it was made.
    LogId, "logs"
);
child!(
    /// A clause (条款) of a document.
    ClauseId, DocumentId, document, "documents/{id}/clauses/{id}", "clauses"
);
child!(
    /// An anomaly (异常) found in a document.
    AnomalyId, DocumentId, document, "documents/{id}/anomalies/{id}", "anomalies"
);
child!(
    /// A reading (认定) of a document.
    ReadingId, DocumentId, document, "documents/{id}/readings/{id}", "readings"
);
child!(
    /// An assignment (承办): one agency's part in one task.
    AssignmentId, TaskId, task, "tasks/{id}/assignments/{id}", "assignments"
);
child!(
    /// An obligation (应报): what one agency owes in one cycle; its id is the agency's.
    ObligationId, CycleId, cycle, "cycles/{year}/obligations/{agency id}", "obligations"
);

impl ObligationId {
    /// What `agency` owes in `cycle`.
    pub fn of(cycle: CycleId, agency: &AgencyId) -> Self {
        Self { cycle, id: agency.id().to_owned() }
    }

    /// The agency that owes it.
    pub fn agency(&self) -> AgencyId {
        AgencyId(self.id.clone())
    }
}

/// A reporting cycle (报送周期), named by its year: 1950 to 2199.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CycleId(i16);

impl CycleId {
    /// What the name looks like.
    pub const PATTERN: &'static str = "cycles/{year}";

    /// The cycle of `year`; `None` outside 1950 to 2199.
    pub fn from_year(year: i16) -> Option<Self> {
        (1950..=2199).contains(&year).then_some(Self(year))
    }

    /// The year it reports on.
    pub fn year(self) -> i16 {
        self.0
    }

    fn from_segments(segments: &[&str]) -> Option<Self> {
        match segments {
            ["cycles", year] if year.len() == 4 && year.bytes().all(|b| b.is_ascii_digit()) => {
                Self::from_year(year.parse().ok()?)
            }
            _ => None,
        }
    }
}

impl fmt::Display for CycleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cycles/{}", self.0)
    }
}

as_text!(CycleId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_comes_back_as_it_went() {
        for text in ["agencies/sthjt", "cycles/2026/obligations/fgw"] {
            let same = text.parse::<AgencyId>().map(|n| n.to_string());
            let other = text.parse::<ObligationId>().map(|n| n.to_string());
            assert!(same.as_deref() == Ok(text) || other.as_deref() == Ok(text));
        }
        assert_eq!("tasks/a/assignments/b".parse::<AssignmentId>().unwrap().task().to_string(), "tasks/a");
        assert_eq!("cycles/2026".parse::<CycleId>().unwrap().year(), 2026);
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in
            ["", "agencies/", "agencies/A", "agencies/-a", "agencies/a-", "agencies/a/b", "tasks/a", "a"]
        {
            assert!(text.parse::<AgencyId>().is_err(), "{text}");
        }
        assert!(format!("agencies/{}", "a".repeat(64)).parse::<AgencyId>().is_err());
        for text in ["cycles/20260", "cycles/+202", "cycles/1949", "cycles/2200"] {
            assert!(text.parse::<CycleId>().is_err(), "{text}");
        }
    }
}
