//! The way through the events: places, times, chains, leaves, the tree's root wherever one was signed.

mod marks;

use duban_domain::event::{Event, schemas, type_of};
use duban_domain::log::LogEvent;
use duban_domain::{Position, Timestamp};
use duban_log::archive::{Stretch, Unreadable};
use duban_log::{LogIdentity, StoredEvent};
use duban_merkle::{Algorithm, Frontier, Hash, Leaf, TreeHead};

use super::commands::{Books, Command};
use super::entries::{BadTile, Entries};
use super::finding::{Fault, Findings};
use super::leaf::differing;
use super::since::Since;
use super::tags::Tags;
use super::trust::{Life, Mark};

/// All that is remembered on the way.
pub(super) struct Walk {
    algorithm: Algorithm,
    /// The position that comes next.
    next: Position,
    recorded_at: Timestamp,
    pub(super) tags: Tags,
    /// The tree of the log's own events; none behind a hole.
    log: Option<Frontier>,
    /// The tree of the folder's own leaves, from the first on that is not the log's.
    copy: Option<Frontier>,
    entries: Option<Entries>,
    /// Whether the folder's tiles can still be compared.
    tiles: bool,
    /// By size.
    marks: Vec<Mark>,
    marked: usize,
    /// The largest size at which a signed root was the log's.
    same_until: u64,
    /// Places without an event that can be read: from, to.
    holes: Vec<(Position, Position)>,
    command: Option<Command>,
    pub(super) books: Books,
    pub(super) lives: Vec<Life>,
    pub(super) findings: Findings,
    pub(super) events: u64,
    pub(super) unknown_types: u64,
    pub(super) compared: u64,
    /// The size to which the tree has gone on since an export was taken; none if it hasn't.
    pub(super) later: Option<u64>,
}

impl Walk {
    pub(super) fn new(
        algorithm: Algorithm,
        key: &[u8; 16],
        head: Position,
        entries: Option<Entries>,
        mut marks: Vec<Mark>,
    ) -> Self {
        marks.sort_by_key(|mark| mark.head.size);
        let mut walk = Self {
            algorithm,
            next: 1,
            recorded_at: Timestamp::MIN,
            tags: Tags::new(key),
            log: Some(Frontier::new(algorithm)),
            copy: None,
            tiles: entries.is_some(),
            entries,
            marks,
            marked: 0,
            same_until: 0,
            holes: Vec::new(),
            command: None,
            books: Books::new(key, head),
            lives: Vec::new(),
            findings: Findings::default(),
            events: 0,
            unknown_types: 0,
            compared: 0,
            later: None,
        };
        walk.mark();
        walk
    }

    /// Takes the next stretch of the log.
    pub(super) fn take(&mut self, stretch: Stretch) {
        if let Some(Unreadable { what, .. }) = stretch.file {
            self.findings.of(Fault::Unreadable { what });
        }
        for found in stretch.events {
            match found {
                Ok(event) => self.event(&event),
                Err(Unreadable { position, what }) => {
                    let position = position.unwrap_or(self.next).max(self.next);
                    self.missing(position - 1);
                    self.findings.at(position, Fault::Unreadable { what });
                    self.hole(position);
                }
            }
        }
    }

    fn event(&mut self, event: &StoredEvent) {
        if event.position < self.next {
            self.findings.at(event.position, Fault::Misplaced { expected: self.next });
            return;
        }
        self.missing(event.position - 1);
        self.events += 1;
        self.order(event);
        self.chains(event);
        self.body(event);
        self.leaf(event.position, Some(event));
        self.command(event);
    }

    /// Nothing lies at the places up to this one.
    fn missing(&mut self, last: Position) {
        if self.next <= last {
            self.findings.at(self.next, Fault::Missing { to: last });
            self.up_to(last);
        }
    }

    /// Goes on to after this place without events.
    fn up_to(&mut self, last: Position) {
        if self.next > last {
            return;
        }
        self.holes.push((self.next, last));
        // Only as far as the folder has leaves: a place can be anywhere.
        let end = last.min(self.entries.as_ref().map_or(0, Entries::size));
        while self.next <= end {
            self.leaf(self.next, None);
        }
        self.log = None;
        self.tiles = false;
        self.next = last + 1;
        self.mark();
    }

    /// An event lies here that can't be read.
    fn hole(&mut self, position: Position) {
        self.holes.push((position, position));
        self.leaf(position, None);
    }

    /// Times never go back.
    fn order(&mut self, event: &StoredEvent) {
        if event.recorded_at < self.recorded_at {
            let fault = Fault::Time { says: event.recorded_at, before: self.recorded_at };
            self.findings.at(event.position, fault);
        }
        self.recorded_at = event.recorded_at;
    }

    /// Each tag names the last event under it.
    fn chains(&mut self, event: &StoredEvent) {
        for filed in &event.tags {
            let is = self.tags.file(filed.tag.as_str(), event.position);
            // What is missing may have been filed under it: that it is named is all that is left of it.
            let hole = |(from, to): &(Position, Position)| (*from..=*to).contains(&filed.previous);
            if filed.previous != is && !(filed.previous > is && self.holes.iter().any(hole)) {
                let tag = filed.tag.as_str().to_owned();
                self.findings.at(event.position, Fault::Previous { tag, says: filed.previous, is });
            }
        }
    }

    /// The body is of its type. That it can be read as such is seen when views are replayed.
    fn body(&mut self, event: &StoredEvent) {
        let known = schemas().contains_key(&event.event_type);
        if !known {
            self.unknown_types += 1;
        } else if type_of(&event.body) != Some(event.event_type.as_str()) {
            let what = "the body is not of the type that the envelope says".to_owned();
            self.findings.at(event.position, Fault::Body { what });
        }
        if event.event_type.starts_with("log.")
            && let Ok(recorded) = event.decode()
            && let Event::Log(LogEvent::EpochOpened { epoch, previous_epoch, .. }) = recorded.event
        {
            let last = Some(event.position - 1);
            match self.lives.last_mut() {
                Some(life) => life.last = last,
                None => self.lives.push(Life { epoch: previous_epoch, last }),
            }
            self.lives.push(Life { epoch, last: None });
        }
    }

    /// Appends the leaf of the log's event, if there is one, and compares it with the folder's.
    fn leaf(&mut self, position: Position, event: Option<&StoredEvent>) {
        let leaf = event.map(|event| event.leaf(self.algorithm));
        let bytes = match leaf.as_ref().map(Leaf::encode) {
            Some(Ok(bytes)) => Some(bytes),
            Some(Err(error)) => {
                self.findings.at(position, Fault::Envelope { what: error.to_string() });
                None
            }
            None => None,
        };
        let hash = bytes.as_deref().map(|leaf| self.algorithm.leaf(leaf));
        self.compare(position, leaf.as_ref(), bytes.as_deref(), hash);
        match (&mut self.log, hash) {
            (Some(log), Some(hash)) if self.tiles => {
                let mut bad = Vec::new();
                if let Some(entries) = &mut self.entries {
                    log.append_noting(hash, |node, hash| bad.extend(entries.node(node, hash)));
                }
                self.bad_tiles(bad);
            }
            (Some(log), Some(hash)) => log.append(hash),
            (log, _) => {
                *log = None;
                self.tiles = false;
            }
        }
        self.next = position + 1;
        if self.tiles && self.entries.as_ref().is_some_and(|entries| entries.size() == position) {
            let bad = self.entries.as_mut().map(Entries::edge).unwrap_or_default();
            self.bad_tiles(bad);
            self.tiles = false;
        }
        self.mark();
    }

    fn bad_tiles(&mut self, bad: Vec<(u64, BadTile)>) {
        for (index, BadTile { path, what }) in bad {
            self.findings.at(index + 1, Fault::Tile { path, what });
        }
    }

    fn compare(
        &mut self,
        position: Position,
        leaf: Option<&Leaf<&str>>,
        bytes: Option<&[u8]>,
        hash: Option<Hash>,
    ) {
        let Some(entries) = &mut self.entries else { return };
        let entry = match entries.leaf(position - 1) {
            Ok(Some(entry)) => entry,
            Ok(None) => return,
            Err(BadTile { path, what }) => {
                self.findings.at(position, Fault::Tile { path, what });
                return;
            }
        };
        self.compared += 1;
        if bytes == Some(entry) {
            if let Some(hash) = hash {
                self.copy
                    .iter_mut()
                    .filter(|copy| copy.size() + 1 == position)
                    .for_each(|copy| copy.append(hash));
            }
            return;
        }
        // From here on the two trees part: the folder's goes on by itself, until a signed root tells who is right.
        let before = self.log.clone().filter(|log| log.size() + 1 == position);
        if let Some(copy) = self.copy.as_mut().filter(|copy| copy.size() + 1 == position) {
            copy.append(self.algorithm.leaf(entry));
        } else {
            self.copy = before.map(|mut copy| {
                copy.append(self.algorithm.leaf(entry));
                copy
            });
        }
        self.tiles = false;
        if let Some(leaf) = leaf {
            self.findings.at(position, differing(leaf, entry));
        }
    }

    fn command(&mut self, event: &StoredEvent) {
        match &mut self.command {
            Some(command) => {
                if !command.goes_on(event) {
                    self.books.command(command);
                    command.begin(event);
                }
            }
            None => self.command = Some(Command::begun(event)),
        }
    }

    /// After the last stretch: the log should have `head` events, as `claim` says. Its tree, if it has no hole.
    pub(super) fn end(
        &mut self,
        identity: LogIdentity,
        claim: &str,
        head: Position,
        since: Option<&Since>,
    ) -> Option<TreeHead> {
        if let Some(ended) = self.command.take() {
            self.books.command(&ended);
        }
        let found = self.next - 1;
        if found < head {
            self.findings.of(Fault::End { claim: claim.to_owned(), claimed: head, found });
        }
        if self.lives.is_empty() {
            self.lives.push(Life { epoch: identity.epoch, last: None });
        }
        if let Some(life) = self.lives.last().filter(|life| life.epoch != identity.epoch) {
            let (says, is) = (identity.epoch, life.epoch);
            self.findings.of(Fault::Epoch { says, is });
        }
        self.settle(found, since.filter(|_| found == head));
        self.log.as_ref().map(Frontier::head)
    }

    /// The checkpoints, by size.
    pub(super) fn marks(&mut self) -> Vec<Mark> {
        std::mem::take(&mut self.marks)
    }
}

#[cfg(test)]
mod tests;
