//! What a command is: the subjects it reads, and the decision on their folded state.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Position;
use crate::caller::Caller;
use crate::event::Event;
use crate::name::{AgencyId, ClauseId, DocumentId, ReadingId};
use crate::rejection::{Reason, Rejection};
use crate::subject::Subject;
use crate::text::{Line, Text};
use crate::time::{Date, Timestamp, civil_date};
use crate::world::{World, etag};

/// The most readings a command may rest on: each is a tag of its events.
pub const READINGS_MAX: usize = 8;

/// What an event says of why it happened; stored in its body.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Context {
    /// The agency for which the actor spoke, where it was not its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_behalf_of: Option<AgencyId>,
    /// The authority for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<Basis>,
    /// Why, in the actor's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Text>,
    /// The readings (认定) that it rests on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub readings: Vec<ReadingId>,
}

/// The authority (依据) for an act: a document in the log, a clause of it, or the number (发文字号) of one outside.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Basis {
    /// The document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<DocumentId>,
    /// The clause.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clause: Option<ClauseId>,
    /// 发文字号 of a document that is not in the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document_number: Option<Line>,
}

/// What a decision may know besides the state: who asks, when, and why.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The instant of deciding.
    pub now: Timestamp,
    /// Who asks.
    pub caller: Caller,
    /// Why.
    pub context: Context,
    /// The civil date from which it shall hold, if the caller said one.
    pub effective_on: Option<Date>,
    /// The etag that the caller saw, if it said one.
    pub etag: Option<String>,
}

impl Facts {
    /// Today in Shanghai.
    pub fn today(&self) -> Date {
        civil_date(self.now)
    }

    /// The date from which it shall hold: as said, else today.
    pub fn effective_on(&self) -> Date {
        self.effective_on.unwrap_or_else(|| self.today())
    }

    /// The reason given; a command that needs one is refused without.
    pub fn reason(&self) -> Result<&Text, Rejection> {
        self.context.reason.as_ref().ok_or_else(|| {
            Rejection::new(Reason::ReasonRequired, "context.reason", "this command needs a reason")
                .with("field", "context.reason")
        })
    }

    /// The date of a step: not before the step it follows, not after today.
    pub fn step_after(&self, subject: &impl std::fmt::Display, last: Date) -> Result<Date, Rejection> {
        let on = self.effective_on();
        if on > self.today() {
            let detail = format!("a step can't be dated {on}, after today, {}", self.today());
            return Err(Rejection::new(Reason::StepInFuture, subject, detail).with("today", self.today()));
        }
        if on < last {
            let detail = format!("a step can't be dated {on}, before the one it follows, {last}");
            return Err(Rejection::new(Reason::StepBeforeLast, subject, detail).with("last_step_on", last));
        }
        Ok(on)
    }

    /// An event that holds from [`Facts::effective_on`] on.
    pub fn propose(&self, event: impl Into<Event>) -> Proposed {
        Proposed { event: event.into(), effective_on: self.effective_on() }
    }
}

/// An event to be appended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposed {
    /// What happened.
    pub event: Event,
    /// The civil date from which it holds.
    pub effective_on: Date,
}

impl Proposed {
    /// An event that holds from `effective_on` on.
    pub fn on(effective_on: Date, event: impl Into<Event>) -> Self {
        Self { event: event.into(), effective_on }
    }
}

/// Where ids come from that the caller left out: its own request, so that a retry names the same resource.
#[derive(Debug, Clone, Copy)]
pub struct Seed(Uuid);

impl Seed {
    /// The seed of one request of one principal in one log.
    pub fn of(log: Uuid, principal: &str, request_id: Uuid) -> Self {
        Self(Uuid::new_v5(&log, format!("{principal}\n{request_id}").as_bytes()))
    }

    /// The id of what `purpose` says, such as `task` or `assignments/3`.
    pub fn id(&self, purpose: &str) -> String {
        Uuid::new_v5(&self.0, purpose.as_bytes()).to_string()
    }
}

/// Something that a caller asks for.
pub trait Command: Serialize + Send + Sync {
    /// Fills in what the caller may leave out and only its request can tell: ids of what is created.
    fn complete(&mut self, _seed: &Seed) {}

    /// The subject that the caller's etag means and the reply shows. Asked after [`Command::complete`].
    fn subject(&self) -> Subject;

    /// The position that the etag of what the reply shows stands for; 0 if that is not there. By default that
    /// of the subject's last event.
    fn seen(&self, world: &World) -> Position {
        world.last(&self.subject())
    }

    /// The subjects that the decision reads, as far as `known` tells; asked again as it comes to know more.
    fn reads(&self, known: &World) -> Vec<Subject>;

    /// The events that follow, or why not. No events: it is so already, and nothing is recorded.
    fn decide(&self, world: &World, facts: &Facts) -> Result<Vec<Proposed>, Rejection>;
}

/// All subjects of a decision: the command's own and the documents of the readings it rests on.
pub fn reads(command: &impl Command, facts: &Facts, known: &World) -> Vec<Subject> {
    let documents = facts.context.readings.iter().map(|r| Subject::Document(r.document().clone()));
    let mut subjects: Vec<Subject> = command.reads(known);
    subjects.push(command.subject());
    subjects.extend(documents);
    subjects.sort();
    subjects.dedup();
    subjects
}

/// Decides, after what holds for every command: the etag is current, and the readings are in force.
///
/// What is absent is said first, by the command itself: a stale etag of nothing is no news.
pub fn decide(command: &impl Command, world: &World, facts: &Facts) -> Result<Vec<Proposed>, Rejection> {
    let last = command.seen(world);
    if let (Some(expected), true) = (&facts.etag, last > 0) {
        let current = etag(last);
        if *expected != current {
            let detail = "it has changed since you looked";
            return Err(Rejection::new(Reason::EtagMismatch, command.subject(), detail)
                .with("expected", expected)
                .with("current", current));
        }
    }
    for reading in &facts.context.readings {
        let absent = || Rejection::new(Reason::ReadingNotFound, reading, "is not there");
        world.find_document(reading.document()).ok_or_else(absent)?.reading_in_force(reading)?;
    }
    command.decide(world, facts)
}
