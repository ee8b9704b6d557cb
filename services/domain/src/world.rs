//! The folded state of the subjects that a decision reads, all at one position.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::Position;
use crate::agency::{Agency, Bearers};
use crate::cycle::{Cycle, Obligation};
use crate::document::Document;
use crate::event::Recorded;
use crate::log::Chronicle;
use crate::name::{AgencyId, AssignmentId, CycleId, DocumentId, LogId, ObligationId, ReportId, TaskId};
use crate::rejection::{Reason, Rejection};
use crate::report::Report;
use crate::subject::{Subject, Tag};
use crate::task::{Duty, Task};

/// A state that grows from events. Total: what is recorded has happened.
pub trait Fold: Sized {
    /// The state after `recorded`; `None` before there is anything.
    #[must_use]
    fn evolve(state: Option<Self>, recorded: &Recorded) -> Option<Self>;
}

#[derive(Debug, Clone)]
enum State {
    Document(Option<Document>),
    Reading,
    Agency(Option<Agency>),
    Bearers(Bearers),
    Task(Option<Box<Task>>),
    Duty(Duty),
    Cycle(Option<Cycle>),
    Obligation(Option<Obligation>),
    Report(Option<Box<Report>>),
    Log(Option<Chronicle>),
}

#[derive(Debug, Clone)]
struct Folded {
    tag: Tag,
    state: State,
    last: Position,
}

/// Subjects and their states. Only what is [watched](World::watch) is folded, and only that may be asked for.
/// Clones share their states until one of them goes on: a kept fold is not copied to be looked at.
#[derive(Debug, Clone, Default)]
pub struct World {
    subjects: BTreeMap<Subject, Arc<Folded>>,
}

impl World {
    /// Nothing watched.
    pub fn new() -> Self {
        Self::default()
    }

    /// Every subject folded from `events`, which are all that is filed under their tags, in order.
    pub fn of<'a>(
        subjects: impl IntoIterator<Item = Subject>,
        events: impl IntoIterator<Item = &'a Recorded>,
    ) -> Self {
        let mut world = Self::new();
        subjects.into_iter().for_each(|subject| world.watch(subject));
        events.into_iter().for_each(|recorded| world.apply(recorded));
        world
    }

    /// Starts folding `subject`, from nothing.
    pub fn watch(&mut self, subject: Subject) {
        let state = match &subject {
            Subject::Document(_) => State::Document(None),
            Subject::Reading(_) => State::Reading,
            Subject::Agency(_) => State::Agency(None),
            Subject::AgencyName(_) | Subject::AgencyCode(_) => State::Bearers(Bearers::none(subject.clone())),
            Subject::Task(_) => State::Task(None),
            Subject::Duty(agency) => State::Duty(Duty::none(agency.clone())),
            Subject::Cycle(_) => State::Cycle(None),
            Subject::Obligation(_) => State::Obligation(None),
            Subject::Report(_) => State::Report(None),
            Subject::Log(_) => State::Log(None),
        };
        let tag = subject.tag();
        self.subjects.entry(subject).or_insert_with(|| Arc::new(Folded { tag, state, last: 0 }));
    }

    /// Whether `subject` is folded here.
    pub fn watches(&self, subject: &Subject) -> bool {
        self.subjects.contains_key(subject)
    }

    /// Folds one more event into each subject that it is filed under.
    pub fn apply(&mut self, recorded: &Recorded) {
        for folded in self.subjects.values_mut().filter(|folded| recorded.is_filed_under(&folded.tag)) {
            let folded = Arc::make_mut(folded);
            folded.state.evolve(recorded);
            folded.last = recorded.position;
        }
    }

    /// One of its subjects alone, as it is here; nothing if it is not watched.
    #[must_use]
    pub fn only(&self, subject: &Subject) -> World {
        let found = self.subjects.get_key_value(subject);
        World {
            subjects: found
                .map(|(subject, folded)| (subject.clone(), Arc::clone(folded)))
                .into_iter()
                .collect(),
        }
    }

    /// Takes over the subjects that `other` watches.
    pub fn merge(&mut self, other: World) {
        self.subjects.extend(other.subjects);
    }

    /// The position of the last event of `subject`; 0 if there is none.
    pub fn last(&self, subject: &Subject) -> Position {
        self.subjects.get(subject).map_or(0, |folded| folded.last)
    }

    /// The etag of `subject`: opaque to callers, another one after each event of it.
    pub fn etag(&self, subject: &Subject) -> String {
        etag(self.last(subject))
    }

    /// The document, if it is there.
    pub fn find_document(&self, id: &DocumentId) -> Option<&Document> {
        match self.state(&Subject::Document(id.clone())) {
            State::Document(state) => state.as_ref(),
            _ => None,
        }
    }

    /// The document.
    pub fn document(&self, id: &DocumentId) -> Result<&Document, Rejection> {
        self.find_document(id).ok_or_else(|| absent(Reason::DocumentNotFound, id))
    }

    /// The agency, if it is there.
    pub fn find_agency(&self, id: &AgencyId) -> Option<&Agency> {
        match self.state(&Subject::Agency(id.clone())) {
            State::Agency(state) => state.as_ref(),
            _ => None,
        }
    }

    /// The agency.
    pub fn agency(&self, id: &AgencyId) -> Result<&Agency, Rejection> {
        self.find_agency(id).ok_or_else(|| absent(Reason::AgencyNotFound, id))
    }

    /// Who bears a full name ([`Subject::AgencyName`]) or a credit code ([`Subject::AgencyCode`]).
    ///
    /// # Panics
    /// If the rule did not declare it, as for every subject.
    pub fn bearers(&self, subject: &Subject) -> &Bearers {
        match self.state(subject) {
            State::Bearers(bearers) => bearers,
            other => unreachable!("names and codes are folded as such: {other:?}"),
        }
    }

    /// The task, if it is there.
    pub fn find_task(&self, id: &TaskId) -> Option<&Task> {
        match self.state(&Subject::Task(id.clone())) {
            State::Task(state) => state.as_deref(),
            _ => None,
        }
    }

    /// The task.
    pub fn task(&self, id: &TaskId) -> Result<&Task, Rejection> {
        self.find_task(id).ok_or_else(|| absent(Reason::TaskNotFound, id))
    }

    /// The task of an assignment, and the assignment.
    pub fn assignment(
        &self,
        id: &AssignmentId,
    ) -> Result<(&Task, &crate::assignment::Assignment), Rejection> {
        let missing = || absent(Reason::AssignmentNotFound, id);
        let task = self.find_task(id.task()).ok_or_else(missing)?;
        Ok((task, task.assignments.get(id).ok_or_else(missing)?))
    }

    /// What the agency has to do.
    ///
    /// # Panics
    /// If the rule did not declare it, as for every subject.
    pub fn duty(&self, agency: &AgencyId) -> &Duty {
        match self.state(&Subject::Duty(agency.clone())) {
            State::Duty(duty) => duty,
            other => unreachable!("a duty is folded as a duty: {other:?}"),
        }
    }

    /// The cycle, if it is there.
    pub fn find_cycle(&self, id: CycleId) -> Option<&Cycle> {
        match self.state(&Subject::Cycle(id)) {
            State::Cycle(state) => state.as_ref(),
            _ => None,
        }
    }

    /// The cycle.
    pub fn cycle(&self, id: CycleId) -> Result<&Cycle, Rejection> {
        self.find_cycle(id).ok_or_else(|| absent(Reason::CycleNotFound, id))
    }

    /// The obligation, if it is there.
    pub fn find_obligation(&self, id: &ObligationId) -> Option<&Obligation> {
        match self.state(&Subject::Obligation(id.clone())) {
            State::Obligation(state) => state.as_ref(),
            _ => None,
        }
    }

    /// The obligation.
    pub fn obligation(&self, id: &ObligationId) -> Result<&Obligation, Rejection> {
        self.find_obligation(id).ok_or_else(|| absent(Reason::ObligationNotFound, id))
    }

    /// The report, if it is there.
    pub fn find_report(&self, id: &ReportId) -> Option<&Report> {
        match self.state(&Subject::Report(id.clone())) {
            State::Report(state) => state.as_deref(),
            _ => None,
        }
    }

    /// The report.
    pub fn report(&self, id: &ReportId) -> Result<&Report, Rejection> {
        self.find_report(id).ok_or_else(|| absent(Reason::ReportNotFound, id))
    }

    /// The log, if an event tells of it.
    pub fn find_log(&self, id: &LogId) -> Option<&Chronicle> {
        match self.state(&Subject::Log(id.clone())) {
            State::Log(state) => state.as_ref(),
            _ => None,
        }
    }

    /// The log, if an event tells of it.
    pub fn log(&self, id: &LogId) -> Result<&Chronicle, Rejection> {
        self.find_log(id).ok_or_else(|| absent(Reason::EpochNotFound, id))
    }

    /// # Panics
    /// If a rule asks for a subject that it did not declare: its condition would miss it. A bug that the
    /// rule's first test meets.
    fn state(&self, subject: &Subject) -> &State {
        let Some(folded) = self.subjects.get(subject) else { panic!("undeclared subject: {subject:?}") };
        &folded.state
    }
}

/// The etag of a subject whose last event is at `last`.
pub fn etag(last: Position) -> String {
    format!("\"{last:x}\"")
}

impl State {
    fn evolve(&mut self, recorded: &Recorded) {
        match self {
            State::Document(state) => *state = Document::evolve(state.take(), recorded),
            State::Reading => {}
            State::Agency(state) => *state = Agency::evolve(state.take(), recorded),
            State::Bearers(bearers) => bearers.evolve(recorded),
            State::Task(state) => *state = Task::evolve(state.take().map(|s| *s), recorded).map(Box::new),
            State::Duty(duty) => duty.evolve(recorded),
            State::Cycle(state) => *state = Cycle::evolve(state.take(), recorded),
            State::Obligation(state) => *state = Obligation::evolve(state.take(), recorded),
            State::Report(state) => {
                *state = Report::evolve(state.take().map(|s| *s), recorded).map(Box::new);
            }
            State::Log(state) => *state = Chronicle::evolve(state.take(), recorded),
        }
    }
}

fn absent(reason: Reason, name: impl std::fmt::Display) -> Rejection {
    Rejection::new(reason, name, "there is no such resource")
}
