//! Why something is so: each field of an answer with the positions of the events behind it.

use crate::Position;

/// One field of a subject's state, and the events that made it so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// The field, by its proto name, such as `stage` or `assignments/fgw.role`.
    pub name: String,
    /// What it says.
    pub value: String,
    /// The positions of the events that made it so, ascending.
    pub because: Vec<Position>,
}

impl Field {
    /// A field made so by the events at these positions.
    #[allow(clippy::needless_pass_by_value, reason = "called with words and numbers, which are copied")]
    pub fn new(
        name: impl Into<String>,
        value: impl std::fmt::Display,
        because: impl Into<Vec<Position>>,
    ) -> Self {
        Self { name: name.into(), value: value.to_string(), because: because.into() }
    }
}
