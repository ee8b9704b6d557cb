//! What a batch comes to, decided in memory between reading what is known and writing what is new. Pure.

use std::collections::HashMap;

use duban_domain::{Position, Tag, Timestamp};
use uuid::Uuid;

use crate::append::{Append, Appended, Receipt, StoredReceipt};
use crate::error::AppendError;
use crate::event::{Filed, NewEvent};

/// Who asked for what: the key of a receipt.
pub(crate) type RequestKey = (Uuid, String);

/// What the database says about a batch.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// The last position.
    pub(crate) head: Position,
    /// When it was recorded, in microseconds.
    pub(crate) recorded_at: i64,
    /// Whether the receipts have been looked for.
    pub(crate) looked_for_receipts: bool,
    /// The receipts that there are for the batch's requests.
    pub(crate) receipts: HashMap<RequestKey, StoredReceipt>,
    /// The last position under each tag that the batch reads or writes; 0 if there is none.
    pub(crate) lasts: HashMap<Tag, Position>,
}

/// An event with its place.
#[derive(Debug)]
pub(crate) struct Placed<'a> {
    pub(crate) position: Position,
    pub(crate) append: &'a Append,
    pub(crate) event: &'a NewEvent,
    pub(crate) tags: Vec<Filed>,
}

/// What is to be written, and what each append of the batch will be answered once it is.
#[derive(Debug, Default)]
pub(crate) struct Plan<'a> {
    pub(crate) head: Position,
    pub(crate) recorded_at: i64,
    pub(crate) events: Vec<Placed<'a>>,
    pub(crate) receipts: Vec<(&'a Append, Receipt)>,
    pub(crate) answers: Vec<Result<Appended, AppendError>>,
    /// What is known once it is written.
    pub(crate) known: Known,
}

/// Plans the batch in its order. `now` is in microseconds and not before `known.recorded_at`.
///
/// Receipt first, then condition, then the events: a retry is answered although what it once wrote would now
/// break its condition. An append that fails leaves its neighbours alone.
pub(crate) fn plan<'a>(mut known: Known, batch: impl Iterator<Item = &'a Append>, now: i64) -> Plan<'a> {
    let mut plan = Plan { head: known.head, recorded_at: now, ..Plan::default() };
    for append in batch {
        let answer = plan.one(&mut known, append);
        plan.answers.push(answer);
    }
    Plan { known, ..plan }
}

impl<'a> Plan<'a> {
    fn one(&mut self, known: &mut Known, append: &'a Append) -> Result<Appended, AppendError> {
        let key = (append.origin.request_id, append.origin.caller.principal.as_str().to_owned());
        if let Some(stored) = known.receipts.get(&key) {
            let same = stored.fingerprint == append.fingerprint;
            return if same {
                Ok(Appended::Before(stored.receipt))
            } else {
                Err(AppendError::RequestIdReused)
            };
        }
        let newer = |(tag, after): &(Tag, Position)| known.lasts.get(tag).is_some_and(|last| last > after);
        if append.condition.read.iter().any(newer) {
            return Err(AppendError::Conflict);
        }
        let receipt = if append.events.is_empty() {
            self.receipt(append.read_at + 1, append.read_at)
        } else {
            let first = self.head + 1;
            append.events.iter().for_each(|event| self.place(known, append, event));
            self.receipt(first, self.head)
        };
        known.receipts.insert(key, StoredReceipt { fingerprint: append.fingerprint, receipt });
        self.receipts.push((append, receipt));
        Ok(Appended::Now(receipt))
    }

    fn receipt(&self, first: Position, last: Position) -> Receipt {
        let recorded_at = Timestamp::from_microsecond(self.recorded_at).unwrap_or(Timestamp::MAX);
        Receipt { first, last, recorded_at }
    }

    fn place(&mut self, known: &mut Known, append: &'a Append, event: &'a NewEvent) {
        self.head += 1;
        let file = |tag: &Tag| {
            let previous = known.lasts.insert(tag.clone(), self.head).unwrap_or(0);
            Filed { tag: tag.clone(), previous }
        };
        let tags = event.tags.iter().map(file).collect();
        self.events.push(Placed { position: self.head, append, event, tags });
    }
}
