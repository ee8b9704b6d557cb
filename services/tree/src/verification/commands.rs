//! Receipts against the events that they were given for.
//!
//! Events come by position, receipts by their keys, and neither fits into memory. So each side is summed up in
//! buckets of positions, whatever the order; buckets that differ are read again. The items are hashed under a key
//! that is drawn for the run: whoever changed the log couldn't know it, and so couldn't make sums meet.

use std::collections::BTreeMap;
use std::hash::Hasher as _;

use duban_domain::{Position, Timestamp};
use duban_log::append::Receipt;
use duban_log::moving::StoredRequest;
use duban_log::{StoredEvent, append::Fingerprint};
use siphasher::sip128::{Hasher128 as _, SipHasher24};
use uuid::Uuid;

use super::finding::{Fault, Findings};

/// How many buckets there are.
const BUCKETS: u64 = 4096;

/// A command that wrote something, as its events or its receipt tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Command {
    pub(super) request_id: Uuid,
    pub(super) principal: String,
    pub(super) first: Position,
    pub(super) last: Position,
    pub(super) recorded_at: Timestamp,
    /// None where the events don't tell it.
    pub(super) fingerprint: Option<Fingerprint>,
}

impl Command {
    /// Of its first event.
    pub(super) fn begun(event: &StoredEvent) -> Self {
        Self {
            request_id: event.request_id,
            principal: event.actor.clone(),
            first: event.position,
            last: event.position,
            recorded_at: event.recorded_at,
            fingerprint: event.fingerprint,
        }
    }

    /// Becomes the command of this event, its first.
    pub(super) fn begin(&mut self, event: &StoredEvent) {
        self.principal.clone_from(&event.actor);
        (self.request_id, self.first, self.last) = (event.request_id, event.position, event.position);
        (self.recorded_at, self.fingerprint) = (event.recorded_at, event.fingerprint);
    }

    /// Takes the next event, unless it is another command's.
    pub(super) fn goes_on(&mut self, event: &StoredEvent) -> bool {
        let same = event.request_id == self.request_id
            && event.actor == self.principal
            && event.position == self.last + 1
            && event.recorded_at == self.recorded_at
            && event.fingerprint == self.fingerprint;
        if same {
            self.last = event.position;
        }
        same
    }

    /// Of its receipt; none of a command that changed nothing.
    fn receipted(request: &StoredRequest) -> Option<Self> {
        let Receipt { first, last, recorded_at } = request.stored.receipt;
        (!request.stored.receipt.is_empty()).then(|| Self {
            request_id: request.request_id,
            principal: request.principal.clone(),
            first,
            last,
            recorded_at,
            fingerprint: Some(request.stored.fingerprint),
        })
    }

    /// What differs between the receipt and the events.
    fn differs(&self, receipt: &Self) -> Vec<&'static str> {
        let fields = [
            ("request_id", self.request_id == receipt.request_id),
            ("principal", self.principal == receipt.principal),
            ("first", self.first == receipt.first),
            ("last", self.last == receipt.last),
            ("recorded_at", self.recorded_at == receipt.recorded_at),
            ("fingerprint", self.fingerprint.is_none() || self.fingerprint == receipt.fingerprint),
        ];
        fields.into_iter().filter(|(_, same)| !same).map(|(field, _)| field).collect()
    }
}

/// Both sides, summed up.
pub(super) struct Books {
    keyed: SipHasher24,
    head: Position,
    /// The hashes of each side's commands, added up.
    buckets: Vec<[u128; 2]>,
    /// Positions of commands whose events don't tell the fingerprint: from, to.
    untold: Vec<(Position, Position)>,
    /// Commands in the log.
    pub(super) commands: u64,
    /// Receipts that were read.
    pub(super) receipts: u64,
    /// Receipts of commands that changed nothing: no event speaks of them.
    pub(super) empty: u64,
    /// Commands whose events don't tell the fingerprint.
    pub(super) without: u64,
}

impl Books {
    /// Of a log of `head` events, under a key drawn for this run.
    pub(super) fn new(key: &[u8; 16], head: Position) -> Self {
        Self {
            keyed: SipHasher24::new_with_key(key),
            head,
            buckets: vec![[0; 2]; usize::try_from(BUCKETS).unwrap_or(0)],
            untold: Vec::new(),
            commands: 0,
            receipts: 0,
            empty: 0,
            without: 0,
        }
    }

    /// A command, as its events tell; by position.
    pub(super) fn command(&mut self, command: &Command) {
        self.commands += 1;
        if command.fingerprint.is_none() {
            self.without += 1;
            match self.untold.last_mut() {
                Some((_, to)) if *to + 1 == command.first => *to = command.last,
                _ => self.untold.push((command.first, command.last)),
            }
        }
        self.sum(command, 0);
    }

    /// A receipt. All commands must have been taken before.
    pub(super) fn receipt(&mut self, request: &StoredRequest) {
        self.receipts += 1;
        match self.told(request) {
            Some(command) => self.sum(&command, 1),
            None => self.empty += 1,
        }
    }

    /// What a receipt says as far as events can tell it; none of a command that changed nothing.
    fn told(&self, request: &StoredRequest) -> Option<Command> {
        let mut command = Command::receipted(request)?;
        let after = self.untold.partition_point(|(from, _)| *from <= command.first);
        if after.checked_sub(1).is_some_and(|index| command.first <= self.untold[index].1) {
            command.fingerprint = None;
        }
        Some(command)
    }

    fn sum(&mut self, command: &Command, side: usize) {
        let mut hash = self.keyed;
        hash.write(command.request_id.as_bytes());
        hash.write(&command.first.to_le_bytes());
        hash.write(&command.last.to_le_bytes());
        hash.write(&command.recorded_at.as_microsecond().to_le_bytes());
        match &command.fingerprint {
            Some(fingerprint) => {
                hash.write(&[1]);
                hash.write(fingerprint);
            }
            None => hash.write(&[0]),
        }
        hash.write(command.principal.as_bytes());
        let bucket = self.bucket(command.first);
        if let Some(sums) = self.buckets.get_mut(bucket) {
            sums[side] = sums[side].wrapping_add(hash.finish128().as_u128());
        }
    }

    fn bucket(&self, first: Position) -> usize {
        let bucket = u128::from(first.min(self.head)) * u128::from(BUCKETS) / (u128::from(self.head) + 1);
        usize::try_from(bucket).unwrap_or(0)
    }

    /// The lowest bucket whose sides differ, with the positions in it; none if all is as it should be.
    pub(super) fn wrong(&self) -> Option<Wrong> {
        let bucket = self.buckets.iter().position(|[commands, receipts]| commands != receipts)?;
        let begins = |bucket: u128| {
            let first = (bucket * (u128::from(self.head) + 1)).div_ceil(u128::from(BUCKETS));
            u64::try_from(first).unwrap_or(u64::MAX)
        };
        let range = (begins(bucket as u128), begins(bucket as u128 + 1));
        Some(Wrong { range, commands: BTreeMap::new(), receipts: BTreeMap::new() })
    }

    /// A receipt that belongs to a bucket which is read again.
    pub(super) fn recall(&self, wrong: &mut Wrong, request: &StoredRequest) {
        if let Some(command) = self.told(request).filter(|command| wrong.has(command.first.min(self.head))) {
            wrong.receipts.insert((command.request_id, command.principal.clone()), command);
        }
    }
}

/// A bucket whose sides differ, read again.
pub(super) struct Wrong {
    /// The positions in it: the first, and the first after it.
    pub(super) range: (Position, Position),
    commands: BTreeMap<(Uuid, String), Command>,
    receipts: BTreeMap<(Uuid, String), Command>,
}

impl Wrong {
    pub(super) fn has(&self, first: Position) -> bool {
        (self.range.0..self.range.1).contains(&first)
    }

    /// Takes commands of the log, of which those in the bucket are kept.
    pub(super) fn commands(&mut self, commands: impl IntoIterator<Item = Command>) {
        for command in commands {
            if self.has(command.first) {
                self.commands.insert((command.request_id, command.principal.clone()), command);
            }
        }
    }

    /// Names what is wrong, by position.
    pub(super) fn tell(mut self, findings: &mut Findings) {
        let mut faults = Vec::new();
        for (key, command) in self.commands {
            if let Some(receipt) = self.receipts.remove(&key) {
                let fields = command.differs(&receipt);
                if !fields.is_empty() {
                    faults.push((command.first, fault(&receipt, fields)));
                }
            } else {
                let Command { principal, request_id, .. } = command;
                faults.push((command.first, Fault::NoReceipt { principal, request_id }));
            }
        }
        faults.extend(
            self.receipts.into_values().map(|receipt| (receipt.first, fault(&receipt, vec!["events"]))),
        );
        faults.sort_by_key(|(first, _)| *first);
        for (first, fault) in faults {
            findings.at(first, fault);
        }
    }
}

fn fault(receipt: &Command, fields: Vec<&'static str>) -> Fault {
    Fault::Receipt { principal: receipt.principal.clone(), request_id: receipt.request_id, fields }
}

#[cfg(test)]
mod tests;
