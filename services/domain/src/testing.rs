//! Rules are tested as sentences: given what happened, when somebody asks, then this follows.
//!
//! Every event that a command gives here is also written and read back, and held against the log's bounds.

use jiff::civil::date;
use uuid::Uuid;

use crate::caller::{Caller, PrincipalId, Role};
use crate::command::{self, Command, Context, Facts, Proposed, Seed};
use crate::event::{BODY_MAX, Event, Recorded};
use crate::name::{AgencyId, ReadingId};
use crate::rejection::{Reason, Rejection};
use crate::subject::{Subject, TAGS_MAX};
use crate::text::{Line, Text};
use crate::time::{Date, Timestamp, end_of};
use crate::world::World;

/// The day on which things happen here, unless said otherwise.
pub(crate) const DAY: Date = date(2026, 3, 1);

/// A line.
pub(crate) fn line(text: &str) -> Line {
    Line::parse(text).unwrap()
}

/// A paragraph.
pub(crate) fn text(text: &str) -> Text {
    Text::parse(text).unwrap()
}

/// A resource name of any kind.
pub(crate) fn name<N: std::str::FromStr<Err = crate::name::NameError>>(text: &str) -> N {
    text.parse().unwrap()
}

/// Somebody in `role`, called by the role's own word, for no agency.
pub(crate) fn caller(role: Role) -> Caller {
    Caller { principal: PrincipalId::parse(role.as_str()).unwrap(), role, agency: None }
}

/// An officer of `agency`, in the role `agency`, called by the agency's id.
pub(crate) fn officer(agency: &str) -> Caller {
    let agency: AgencyId = name(agency);
    Caller { principal: PrincipalId::parse(agency.id()).unwrap(), role: Role::Agency, agency: Some(agency) }
}

/// Noon in Shanghai.
pub(crate) fn noon(day: Date) -> Timestamp {
    Timestamp::from_second(end_of(day).as_second() - 12 * 3600).unwrap()
}

/// Something that happened, with all that the log keeps of it.
#[derive(Debug, Clone)]
pub(crate) struct Happened {
    event: Event,
    effective_on: Date,
    recorded_at: Option<Timestamp>,
    actor: Caller,
    context: Context,
}

/// Something that happened on [`DAY`], recorded that day, by a supervisor, unless said otherwise.
pub(crate) fn happened(event: impl Into<Event>) -> Happened {
    Happened {
        event: event.into(),
        effective_on: DAY,
        recorded_at: None,
        actor: caller(Role::Supervisor),
        context: Context::default(),
    }
}

/// An agency was registered under its own name.
pub(crate) fn agency(id: &str) -> Happened {
    happened(crate::agency::AgencyEvent::Registered {
        agency: name(id),
        full_name: line(id),
        kind: crate::agency::AgencyKind::ConstituentDepartment,
        division_code: None,
        superior: None,
        credit_code: None,
        aliases: vec![],
    })
}

impl Happened {
    /// It holds from this day on, and was recorded that day.
    pub(crate) fn on(mut self, day: Date) -> Self {
        self.effective_on = day;
        self
    }

    /// This caller did it.
    pub(crate) fn by(mut self, actor: Caller) -> Self {
        self.actor = actor;
        self
    }
}

impl<E: Into<Event>> From<E> for Happened {
    fn from(event: E) -> Self {
        happened(event)
    }
}

impl From<Proposed> for Happened {
    fn from(proposed: Proposed) -> Self {
        happened(proposed.event).on(proposed.effective_on)
    }
}

/// A small log, and who is about to ask, when and why: a supervisor on [`DAY`], unless said otherwise.
#[derive(Debug, Clone)]
pub(crate) struct Given {
    /// What happened, in order; recorded no earlier than what stands before it.
    pub(crate) events: Vec<Recorded>,
    facts: Facts,
}

/// What happened, in order.
pub(crate) fn given<H: Into<Happened>>(events: impl IntoIterator<Item = H>) -> Given {
    let facts = Facts {
        now: noon(DAY),
        caller: caller(Role::Supervisor),
        context: Context::default(),
        effective_on: None,
        etag: None,
    };
    Given { events: Vec::new(), facts }.and(events)
}

/// Nothing happened yet.
pub(crate) fn given_nothing() -> Given {
    given::<Happened>([])
}

impl Given {
    /// And then this happened.
    pub(crate) fn and<H: Into<Happened>>(mut self, events: impl IntoIterator<Item = H>) -> Self {
        for happened in events {
            self.record(happened.into());
        }
        self
    }

    fn record(&mut self, happened: Happened) {
        let at = happened.recorded_at.unwrap_or_else(|| noon(happened.effective_on));
        let position = self.events.len() as u64 + 1;
        self.events.push(Recorded {
            position,
            id: Uuid::from_u128(position.into()),
            recorded_at: self.events.last().map_or(at, |last| at.max(last.recorded_at)),
            effective_on: happened.effective_on,
            tags: happened.event.tags(&happened.context),
            actor: happened.actor.principal,
            agency: happened.actor.agency,
            context: happened.context,
            event: happened.event,
        });
    }

    /// This caller asks.
    #[expect(clippy::wrong_self_convention, reason = "a sentence: given …, as …, when …")]
    pub(crate) fn as_caller(mut self, caller: Caller) -> Self {
        self.facts.caller = caller;
        self
    }

    /// Asked on this day, at noon in Shanghai.
    pub(crate) fn on(self, day: Date) -> Self {
        self.at(noon(day))
    }

    /// Asked at this instant.
    pub(crate) fn at(mut self, now: Timestamp) -> Self {
        self.facts.now = now;
        self
    }

    /// To hold from this day on.
    pub(crate) fn effective_on(mut self, day: Date) -> Self {
        self.facts.effective_on = Some(day);
        self
    }

    /// With this reason.
    pub(crate) fn because(mut self, reason: &str) -> Self {
        self.facts.context.reason = Some(text(reason));
        self
    }

    /// Resting on these readings.
    pub(crate) fn resting_on(mut self, readings: impl IntoIterator<Item = ReadingId>) -> Self {
        self.facts.context.readings = readings.into_iter().collect();
        self
    }

    /// Having seen this etag.
    pub(crate) fn having_seen(mut self, etag: &str) -> Self {
        self.facts.etag = Some(etag.to_owned());
        self
    }

    /// The folded state of these subjects.
    pub(crate) fn world(&self, subjects: impl IntoIterator<Item = Subject>) -> World {
        World::of(subjects, &self.events)
    }

    /// The command is asked for, as the log would: its subjects are folded until it reads no more.
    pub(crate) fn when(self, mut command: impl Command) -> When {
        command.complete(&Seed::of(Uuid::nil(), self.facts.caller.principal.as_str(), Uuid::nil()));
        let mut world = World::new();
        loop {
            let subjects = command::reads(&command, &self.facts, &world);
            if subjects.iter().all(|subject| world.watches(subject)) {
                break;
            }
            world = self.world(subjects);
        }
        let outcome = command::decide(&command, &world, &self.facts);
        for proposed in outcome.iter().flatten() {
            fits_the_log(&proposed.event, &self.facts.context);
        }
        When { given: self, outcome }
    }
}

fn fits_the_log(event: &Event, context: &Context) {
    assert!(event.tags(context).len() <= TAGS_MAX, "too many tags: {event:?}");
    let body = event.encode(context);
    assert!(body.len() <= BODY_MAX, "the body is too long: {}", body.len());
    let event_type = crate::event::type_of(&body).expect("a type stands at the head of the body");
    let (read, why) = Event::decode(event_type, &body).expect("what was written can be read");
    assert_eq!((&read, &why), (event, context));
}

/// What follows from a command.
#[derive(Debug)]
pub(crate) struct When {
    given: Given,
    /// The decision.
    pub(crate) outcome: Result<Vec<Proposed>, Rejection>,
}

impl When {
    /// Exactly these events follow.
    #[track_caller]
    pub(crate) fn then<E: Into<Event>>(self, events: impl IntoIterator<Item = E>) -> Given {
        let expected: Vec<Event> = events.into_iter().map(Into::into).collect();
        let proposed = self.outcome.as_ref().expect("accepted");
        assert_eq!(proposed.iter().map(|p| p.event.clone()).collect::<Vec<_>>(), expected);
        self.carried_out()
    }

    /// Exactly these events follow, and hold from these days on.
    #[track_caller]
    pub(crate) fn then_dated(self, events: impl IntoIterator<Item = Proposed>) -> Given {
        let expected: Vec<Proposed> = events.into_iter().collect();
        assert_eq!(self.outcome.as_ref().expect("accepted"), &expected);
        self.carried_out()
    }

    /// It is so already.
    #[track_caller]
    pub(crate) fn then_nothing(self) -> Given {
        self.then::<Event>([])
    }

    /// Whatever follows is recorded now, by who asked and with what was said.
    #[track_caller]
    pub(crate) fn carried_out(mut self) -> Given {
        for proposed in self.outcome.expect("accepted") {
            let Facts { now, caller, context, effective_on: _, etag: _ } = self.given.facts.clone();
            let Proposed { event, effective_on } = proposed;
            let recorded_at = Some(now);
            self.given.record(Happened { event, effective_on, recorded_at, actor: caller, context });
        }
        self.given
    }

    /// It is refused for this reason.
    #[track_caller]
    pub(crate) fn then_rejected(self, reason: Reason) -> Rejection {
        let rejection = self.outcome.expect_err("refused");
        assert_eq!(rejection.reason, reason, "{rejection}");
        rejection
    }
}
