//! Commands decided in memory, one after the other, each an append of its own: what a server would have written,
//! without the server.

use std::collections::HashMap;

use duban_domain::command::{self, Context};
use duban_domain::event::type_of;
use duban_domain::name::AgencyId;
use duban_domain::{
    Caller, Command, Facts, Position, PrincipalId, Recorded, Role, Seed, Subject, Timestamp, World,
};
use duban_log::clock::CountedIds;
use duban_log::{Append, Condition, Ids as _, NewEvent, Origin};
use jiff::SignedDuration;
use tokio::sync::mpsc::Sender;
use uuid::Uuid;

use crate::Result;

/// Appends that follow each other closely: they are recorded at one instant.
pub struct Chunk {
    pub at: Timestamp,
    pub appends: Vec<Append>,
}

/// How many appends go together.
const TOGETHER: usize = 512;

/// The state of everything, and where its events go.
pub struct Sim {
    worlds: HashMap<Subject, World>,
    ids: CountedIds,
    log: Uuid,
    head: Position,
    now: Timestamp,
    chunk: Vec<Append>,
    to: Sender<Chunk>,
}

impl Sim {
    /// Nothing yet; appends go to `to`.
    pub fn new(to: Sender<Chunk>) -> Self {
        let ids = CountedIds::new(710);
        let log = ids.identity();
        Self { worlds: HashMap::new(), ids, log, head: 0, now: Timestamp::UNIX_EPOCH, chunk: Vec::new(), to }
    }

    /// How many events there are.
    pub fn head(&self) -> Position {
        self.head
    }

    /// Goes on at another time.
    pub fn at(&mut self, now: Timestamp) -> Result<()> {
        self.send()?;
        self.now = now;
        Ok(())
    }

    /// Executes a command, which must come to something.
    pub fn execute<C: Command>(&mut self, caller: &Caller, mut command: C) -> Result<()> {
        let request_id = self.ids.identity();
        command.complete(&Seed::of(self.log, caller.principal.as_str(), request_id));
        let facts = Facts {
            now: self.now,
            caller: caller.clone(),
            context: Context::default(),
            effective_on: None,
            etag: None,
        };
        let world = self.world(&command, &facts);
        let proposed = command::decide(&command, &world, &facts).map_err(|no| format!("{no:?}"))?;
        let mut events = Vec::with_capacity(proposed.len());
        for one in proposed {
            let context = Context::default();
            let (body, tags) = (one.event.encode(&context), one.event.tags(&context));
            let new = NewEvent {
                id: self.ids.event(),
                nonce: self.ids.nonce(),
                event_type: type_of(&body).unwrap_or_default().to_owned(),
                effective_on: one.effective_on,
                tags: tags.clone(),
                body: body.into(),
            };
            self.head += 1;
            self.apply(&Recorded {
                position: self.head,
                id: new.id,
                recorded_at: self.now,
                effective_on: one.effective_on,
                tags,
                actor: caller.principal.clone(),
                agency: caller.agency.clone(),
                context,
                event: one.event,
            });
            events.push(new);
        }
        let (caller, read_at) = (caller.clone(), self.head);
        let origin = Origin { caller, request_id, correlation: request_id, causation: None, trace_id: None };
        let condition = Condition::default();
        self.chunk.push(Append { origin, fingerprint: self.ids.nonce(), events, condition, read_at });
        self.now += SignedDuration::from_secs(1);
        if self.chunk.len() == TOGETHER { self.send() } else { Ok(()) }
    }

    /// What the command reads, until it needs no more.
    fn world(&self, command: &impl Command, facts: &Facts) -> World {
        let mut world = World::new();
        loop {
            let mut wanted = command::reads(command, facts, &world);
            wanted.retain(|subject| !world.watches(subject));
            if wanted.is_empty() {
                return world;
            }
            for subject in wanted {
                match self.worlds.get(&subject) {
                    Some(known) => world.merge(known.clone()),
                    None => world.watch(subject),
                }
            }
        }
    }

    fn apply(&mut self, recorded: &Recorded) {
        for subject in recorded.event.subjects() {
            let world = self.worlds.entry(subject.clone()).or_default();
            world.watch(subject);
            world.apply(recorded);
        }
    }

    /// Sends what is there. An error: nobody takes it any more.
    pub fn send(&mut self) -> Result<()> {
        if self.chunk.is_empty() {
            return Ok(());
        }
        let appends = std::mem::take(&mut self.chunk);
        Ok(self.to.blocking_send(Chunk { at: self.now, appends }).map_err(|_| "the log takes no more")?)
    }
}

/// Somebody in a role, perhaps for an agency.
pub fn caller(principal: &str, role: Role, agency: Option<&AgencyId>) -> Result<Caller> {
    let principal = PrincipalId::parse(principal).ok_or("no principal")?;
    Ok(Caller { principal, role, agency: agency.cloned() })
}
