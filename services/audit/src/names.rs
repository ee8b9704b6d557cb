//! Whom a question is about, by resource name.

use std::fmt;

use duban_domain::name::{
    AgencyId, AssignmentId, CycleId, DocumentId, LogId, ObligationId, ReadingId, ReportId, TaskId,
};
use duban_domain::{Subject, Tag};

/// A resource that has events of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Named {
    Document(DocumentId),
    Reading(ReadingId),
    Agency(AgencyId),
    Task(TaskId),
    Assignment(AssignmentId),
    Cycle(CycleId),
    Obligation(ObligationId),
    Report(ReportId),
    Log(LogId),
}

impl Named {
    /// Reads a name of any of these kinds.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let named = text.parse().ok().map(Named::Document);
        named
            .or_else(|| text.parse().ok().map(Named::Reading))
            .or_else(|| text.parse().ok().map(Named::Agency))
            .or_else(|| text.parse().ok().map(Named::Task))
            .or_else(|| text.parse().ok().map(Named::Assignment))
            .or_else(|| text.parse().ok().map(Named::Cycle))
            .or_else(|| text.parse().ok().map(Named::Obligation))
            .or_else(|| text.parse().ok().map(Named::Report))
            .or_else(|| text.parse().ok().map(Named::Log))
            .ok_or("is no name of a document, reading, agency, task, assignment, cycle, obligation, report or log")
    }

    /// The subject whose events make up its state: an assignment's are its task's, a reading's its document's.
    pub(crate) fn subject(&self) -> Subject {
        match self {
            Named::Document(name) => Subject::Document(name.clone()),
            Named::Reading(name) => Subject::Document(name.document().clone()),
            Named::Agency(name) => Subject::Agency(name.clone()),
            Named::Task(name) => Subject::Task(name.clone()),
            Named::Assignment(name) => Subject::Task(name.task().clone()),
            Named::Cycle(name) => Subject::Cycle(*name),
            Named::Obligation(name) => Subject::Obligation(name.clone()),
            Named::Report(name) => Subject::Report(name.clone()),
            Named::Log(name) => Subject::Log(name.clone()),
        }
    }

    /// The tags of the events that concern it; none of an assignment, whose events are told apart by no tag.
    pub(crate) fn tags(&self) -> Vec<Tag> {
        match self {
            Named::Assignment(_) => Vec::new(),
            Named::Reading(name) => vec![Subject::Reading(name.clone()).tag()],
            Named::Agency(name) => vec![self.subject().tag(), Subject::Duty(name.clone()).tag()],
            Named::Document(_)
            | Named::Task(_)
            | Named::Cycle(_)
            | Named::Obligation(_)
            | Named::Report(_)
            | Named::Log(_) => {
                vec![self.subject().tag()]
            }
        }
    }
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Named::Document(name) => name.fmt(f),
            Named::Reading(name) => name.fmt(f),
            Named::Agency(name) => name.fmt(f),
            Named::Task(name) => name.fmt(f),
            Named::Assignment(name) => name.fmt(f),
            Named::Cycle(name) => name.fmt(f),
            Named::Obligation(name) => name.fmt(f),
            Named::Report(name) => name.fmt(f),
            Named::Log(name) => name.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_name_is_known_and_nothing_else() {
        let names = [
            ("documents/d", "document:d"),
            ("documents/d/readings/r", "reading:d/r"),
            ("tasks/t", "task:t"),
            ("cycles/2026", "cycle:2026"),
            ("cycles/2026/obligations/fgw", "obligation:2026/fgw"),
            ("reports/r", "report:r"),
            ("logs/l", "log:l"),
        ];
        for (name, tag) in names {
            assert_eq!(Named::parse(name).unwrap().tags(), [Tag::stored(tag)], "{name}");
        }
        assert_eq!(Named::parse("agencies/fgw").unwrap().tags().len(), 2, "its own life and its duties");
        assert!(Named::parse("tasks/t/assignments/a").unwrap().tags().is_empty());
        for bad in ["", "tasks", "tasks/", "tasks/T", "slips/x", "documents/d/clauses/c", "cycles/26"] {
            assert!(Named::parse(bad).is_err(), "{bad}");
        }
    }
}
