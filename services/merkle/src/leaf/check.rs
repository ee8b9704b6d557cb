//! The bounds of a leaf's fields, beyond what their types say.

use super::{INTEGER_MAX, Leaf, LeafError, TAG_MAX, TAGS_MAX};

impl<S: AsRef<str>> Leaf<S> {
    pub(super) fn check(&self) -> Result<(), LeafError> {
        let causation = self.causation.is_none_or(|position| (1..=INTEGER_MAX).contains(&position));
        let command = self.command.is_none_or(|command| command.algorithm() == self.body.algorithm());
        let trace = self.trace_id.as_ref().is_none_or(|text| is_trace_id(text.as_ref()));
        must(causation, "causation", "a position from 1 to 2^53 - 1")?;
        must(command, "command", "committed to with the algorithm of the body")?;
        must((1..=INTEGER_MAX).contains(&self.position), "position", "from 1 to 2^53 - 1")?;
        must(self.recorded_at.unsigned_abs() <= INTEGER_MAX, "recorded_at", "within 2^53 - 1")?;
        must(trace, "trace_id", "32 lower-case hexadecimal digits")?;
        self.check_tags()
    }

    fn check_tags(&self) -> Result<(), LeafError> {
        must(self.tags.len() <= TAGS_MAX, "tags", "at most 16")?;
        must(
            self.tags.iter().all(|(tag, _)| tag.as_ref().len() <= TAG_MAX),
            "tags",
            "of at most 128 bytes each",
        )?;
        must(
            self.tags.windows(2).all(|pair| pair[0].0.as_ref() < pair[1].0.as_ref()),
            "tags",
            "sorted by bytes, each once",
        )?;
        let before = self.tags.iter().all(|(_, previous)| *previous < self.position);
        must(before, "tags", "each with a position before the event's own")
    }
}

fn is_trace_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn must(holds: bool, field: &'static str, rule: &'static str) -> Result<(), LeafError> {
    if holds { Ok(()) } else { Err(LeafError::Field { field, rule }) }
}
