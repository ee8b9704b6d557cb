//! From a command to its outcome: fold what it reads, decide, append on the condition that it still holds.
//!
//! A decision that appends may rest on a stale fold, since the log tests its condition. One that appends
//! nothing (a refusal, a no-op, `validate_only`) rests on a fold at the head found on arrival, and is given
//! only after the receipt was looked for: a retry is answered as the first time, whatever happened since.

use std::collections::BTreeMap;
use std::sync::Arc;

use duban_domain::command::{self, Context, Proposed};
use duban_domain::event::{BODY_MAX, type_of};
use duban_domain::subject::{Subject, TAG_MAX, TAGS_MAX};
use duban_domain::{Command, Facts, Position, Reason, Recorded, Rejection, Seed, Timestamp, World};

use crate::append::{Append, Appended, Condition, Fingerprint, Receipt};
use crate::error::{AppendError, ExecuteError};
use crate::event::{EVENTS_MAX, NewEvent};
use crate::log::Log;
use crate::request::{Outcome, Request};

/// How often a command is decided before it gives way to others.
pub const ATTEMPTS_MAX: usize = 8;
/// How often a command may come to need further subjects: the height of a chain of superiors, say.
const ROUNDS_MAX: usize = 64;

/// What a decision rests on.
struct Basis {
    /// Each subject folded by itself.
    subjects: BTreeMap<Subject, Arc<World>>,
    /// All of them.
    world: World,
    /// The head at which what was not kept was read.
    head: Position,
    /// Whether everything was read at the head.
    fresh: bool,
}

impl Basis {
    fn condition(&self) -> Condition {
        Condition {
            read: self.subjects.iter().map(|(subject, world)| (subject.tag(), world.last(subject))).collect(),
        }
    }
}

impl Log {
    /// Executes a command once, however often the request comes.
    pub async fn execute<C: Command>(
        &self,
        request: &Request,
        mut command: C,
    ) -> Result<Outcome<C>, ExecuteError> {
        let fingerprint = request.fingerprint(&command);
        let principal = request.caller.principal.as_str();
        command.complete(&Seed::of(self.identity().log, principal, request.request_id));
        let turns = &self.inner.turns;
        let mut turn = turns.join(&command.subject()).await;
        let mut kept = !request.validate_only;
        for _ in 0..ATTEMPTS_MAX {
            let facts = request.facts(self.now());
            let (basis, decision) = self.decided(&command, &facts, kept).await?;
            let events = match decision {
                Ok(events) if !request.validate_only => events,
                answer => return self.unstored(request, command, fingerprint, basis, answer, &facts).await,
            };
            let append = Append {
                origin: request.origin(),
                fingerprint,
                events: events.iter().map(|(_, new)| new.clone()).collect(),
                condition: if events.is_empty() { Condition::default() } else { basis.condition() },
                read_at: basis.head,
            };
            match self.append(append).await {
                Ok(Appended::Now(receipt)) => {
                    let world = self.after(request, basis, &events, receipt);
                    return Ok(Outcome { command, receipt: Some(receipt), world, position: receipt.last });
                }
                Ok(Appended::Before(receipt)) => return self.again(command, &facts, receipt).await,
                Err(AppendError::Conflict) => kept = false,
                Err(AppendError::RequestIdReused) => return Err(ExecuteError::RequestIdReused),
                Err(AppendError::QueueFull) => return Err(ExecuteError::QueueFull),
                Err(AppendError::Sealed) => return Err(ExecuteError::Sealed),
                Err(AppendError::Unavailable(cause)) => return Err(ExecuteError::Unavailable(cause)),
            }
            if turn.is_none() {
                turn = Some(turns.wait(&command.subject()).await);
            }
        }
        Err(ExecuteError::Contention { attempts: ATTEMPTS_MAX })
    }

    /// Decides on kept folds if it may, and again on fresh ones unless that came to events.
    async fn decided<C: Command>(
        &self,
        command: &C,
        facts: &Facts,
        kept: bool,
    ) -> Result<(Basis, Result<Vec<(Proposed, NewEvent)>, Rejection>), ExecuteError> {
        // The head as it is known here is as good as a kept fold: an append will tell.
        let (head, is_now) = if kept { self.inner.engine.known() } else { (self.head().await?, true) };
        let mut basis = self.basis_at(command, facts, kept, head).await?;
        basis.fresh &= is_now;
        let decision = command::decide(command, &basis.world, facts)
            .and_then(|events| self.prepare(command, &facts.context, events));
        if basis.fresh || decision.as_ref().is_ok_and(|events| !events.is_empty()) {
            return Ok((basis, decision));
        }
        let basis = self.basis_at(command, facts, false, self.head().await?).await?;
        let decision = command::decide(command, &basis.world, facts)
            .and_then(|events| self.prepare(command, &facts.context, events));
        Ok((basis, decision))
    }

    /// Folds what the command reads, until it needs no more; from what is `kept`, else all at one head.
    async fn basis_at<C: Command>(
        &self,
        command: &C,
        facts: &Facts,
        kept: bool,
        head: Position,
    ) -> Result<Basis, ExecuteError> {
        let mut basis = Basis { subjects: BTreeMap::new(), world: World::new(), head, fresh: true };
        for _ in 0..ROUNDS_MAX {
            let mut wanted = command::reads(command, facts, &basis.world);
            wanted.retain(|subject| !basis.subjects.contains_key(subject));
            if wanted.is_empty() {
                return Ok(basis);
            }
            if kept {
                wanted.retain(|subject| {
                    let Some(world) = self.inner.folds.get(subject) else { return true };
                    basis.world.merge(World::clone(&world));
                    basis.subjects.insert(subject.clone(), world);
                    basis.fresh = false;
                    false
                });
            }
            if !wanted.is_empty() {
                self.load(&mut basis, wanted).await?;
            }
        }
        let detail = format!("it reads further subjects after {ROUNDS_MAX} rounds");
        Err(Rejection::new(Reason::TooLarge, command.subject(), detail).into())
    }

    async fn load(&self, basis: &mut Basis, wanted: Vec<Subject>) -> Result<(), ExecuteError> {
        let events = self.history(&wanted, basis.head).await?;
        for subject in wanted {
            let tag = subject.tag();
            let mut world = World::new();
            world.watch(subject.clone());
            events.iter().filter(|recorded| recorded.is_filed_under(&tag)).for_each(|r| world.apply(r));
            basis.world.merge(world.clone());
            basis.subjects.insert(subject, Arc::new(world));
        }
        Ok(())
    }

    /// Puts what is proposed into the log's terms, within its bounds.
    fn prepare<C: Command>(
        &self,
        command: &C,
        context: &Context,
        proposed: Vec<Proposed>,
    ) -> Result<Vec<(Proposed, NewEvent)>, Rejection> {
        let refuse = |detail: String| Err(Rejection::new(Reason::TooLarge, command.subject(), detail));
        if proposed.len() > EVENTS_MAX {
            return refuse(format!("{} events at once, at most {EVENTS_MAX} are taken", proposed.len()));
        }
        let mut events = Vec::with_capacity(proposed.len());
        for one in proposed {
            let body = one.event.encode(context);
            let tags = one.event.tags(context);
            if body.len() > BODY_MAX {
                return refuse(format!("a body of {} bytes, at most {BODY_MAX} are taken", body.len()));
            }
            if tags.len() > TAGS_MAX || tags.iter().any(|tag| tag.as_str().len() > TAG_MAX) {
                return refuse(format!(
                    "{} tags, at most {TAGS_MAX} of {TAG_MAX} bytes are taken",
                    tags.len()
                ));
            }
            let new = NewEvent {
                id: self.inner.ids.event(),
                nonce: self.inner.ids.nonce(),
                event_type: type_of(&body).unwrap_or_default().to_owned(),
                effective_on: one.effective_on,
                tags,
                body: body.into(),
            };
            events.push((one, new));
        }
        Ok(events)
    }

    /// Answers what stores nothing: a refusal, or what would happen. The receipt comes first: it is looked
    /// for after the head was read, so it is found whenever what it stands for was.
    async fn unstored<C: Command>(
        &self,
        request: &Request,
        command: C,
        fingerprint: Fingerprint,
        basis: Basis,
        decision: Result<Vec<(Proposed, NewEvent)>, Rejection>,
        facts: &Facts,
    ) -> Result<Outcome<C>, ExecuteError> {
        let principal = request.caller.principal.as_str();
        match self.receipt(principal, request.request_id).await? {
            Some(stored) if stored.fingerprint == fingerprint => {
                return self.again(command, facts, stored.receipt).await;
            }
            Some(_) => return Err(ExecuteError::RequestIdReused),
            None => {}
        }
        let Basis { mut world, head, .. } = basis;
        let events = decision?;
        recorded(request, &events, head + 1, facts.now).for_each(|recorded| world.apply(&recorded));
        Ok(Outcome { command, receipt: None, world, position: head })
    }

    /// The first answer again: the world as at its receipt.
    async fn again<C: Command>(
        &self,
        command: C,
        facts: &Facts,
        receipt: Receipt,
    ) -> Result<Outcome<C>, ExecuteError> {
        let basis = self.basis_at(&command, facts, false, receipt.last).await?;
        Ok(Outcome { command, receipt: Some(receipt), world: basis.world, position: receipt.last })
    }

    /// The world after what was appended, which is kept for the next command.
    fn after(
        &self,
        request: &Request,
        basis: Basis,
        events: &[(Proposed, NewEvent)],
        receipt: Receipt,
    ) -> World {
        let Basis { subjects, mut world, .. } = basis;
        // The folds themselves are let go of, here and below, so that the world is not copied to go on.
        let read: Vec<Subject> = subjects.into_keys().collect();
        for recorded in recorded(request, events, receipt.first, receipt.recorded_at) {
            // What was written but not read: whoever reads it next reads it anew.
            recorded.tags.iter().for_each(|tag| self.inner.folds.forget(tag));
            world.apply(&recorded);
        }
        for subject in read {
            self.inner.folds.put(&subject, Arc::new(world.only(&subject)));
        }
        world
    }
}

/// The events as the log has them from `first` on.
fn recorded(
    request: &Request,
    events: &[(Proposed, NewEvent)],
    first: Position,
    recorded_at: Timestamp,
) -> impl Iterator<Item = Recorded> {
    (first..).zip(events).map(move |(position, (proposed, new))| Recorded {
        position,
        id: new.id,
        recorded_at,
        effective_on: proposed.effective_on,
        tags: new.tags.clone(),
        actor: request.caller.principal.clone(),
        agency: request.caller.agency.clone(),
        context: request.context.clone(),
        event: proposed.event.clone(),
    })
}
