//! One view in memory: the open rows of the keys touched of late, and what a page of events does to them.
//!
//! Nothing in here knows a database. What is held is right as long as whoever runs the view is the only one to
//! write it, which the compare-and-set of its position sees to; after any failure all of it is thrown away.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::{Hash as _, Hasher as _};
use std::sync::Arc;

use duban_domain::{Position, Recorded};
use lru::LruCache;

use super::row::{Poison, Row, Stored, Unreadable, cells_of, end_of};
use super::shape::Shape;
use super::{NOW, View};
use crate::sqlite::signed;

/// What a view may hold of its open rows, in bytes as they are stored; what is in memory is a few times that.
const HELD_MAX: usize = 2 * 1024 * 1024;

/// How many keys it may know to have dropped; a look-up for each key costs less than knowing more.
const DROPPED_MAX: usize = 1_000_000;

/// What a page does to a view.
#[derive(Debug, Default)]
pub(super) struct Change {
    /// Rows opened within the page, by number; some were closed within it too.
    pub(super) opened: Vec<Stored>,
    /// Rows from before the page, by number, and the position that closed them.
    pub(super) closed: Vec<(i64, i64)>,
}

/// An event that the view can't take.
#[derive(Debug, Clone)]
pub(super) struct Poisoned {
    pub(super) position: Position,
    pub(super) reason: String,
}

/// A view whose types are not known where it is run.
pub(super) trait Project: Send + Sync {
    /// Its table.
    fn shape(&self) -> Shape;

    /// Forgets what it holds; the next row that it opens has this number.
    fn reset(&mut self, next: i64);

    /// Looks a page through: the keys whose open rows it must be [told](Project::load) before it takes it.
    fn prepare(&mut self, page: &[Arc<Recorded>]) -> Vec<String>;

    /// The open rows of these keys, in the order of their opening.
    fn load(&mut self, keys: Vec<String>, rows: Vec<Stored>) -> Result<(), Unreadable>;

    /// Takes the page last prepared. Poisoned, it must be reset before anything else.
    fn project(&mut self, page: &[Arc<Recorded>]) -> Result<Change, Poisoned>;
}

/// The projection of one view.
pub(super) struct Projection<V: View> {
    held: LruCache<String, Held<V::Columns>>,
    /// The size of all that is held.
    bytes: usize,
    /// Of a view that was empty, the keys that were held and dropped: what is neither held nor among them is not
    /// there, and needs no looking up. Hashes, since they only spare that; `None` where it isn't known.
    dropped: Option<HashSet<u64>>,
    next: i64,
    /// The keys that each event of the page touches.
    touched: Vec<Vec<String>>,
    /// Counts pages: what the last two touched stays, since the writing of one may still be under way while
    /// the other is projected.
    page: u64,
}

/// The open rows of a key.
struct Held<C> {
    rows: Vec<Live<C>>,
    page: u64,
}

/// A row that is open.
struct Live<C> {
    number: i64,
    bytes: usize,
    row: Row<C>,
}

impl<V: View> Projection<V> {
    pub(super) fn new() -> Self {
        Self { held: LruCache::unbounded(), bytes: 0, dropped: None, next: 1, touched: Vec::new(), page: 0 }
    }

    fn take(&mut self, key: String, recorded: &Recorded, change: &mut Change) -> Result<(), Poison> {
        let before = self.held.pop(&key).map(|held| held.rows).unwrap_or_default();
        self.bytes = self.bytes.saturating_sub(weight(&key, &before));
        let rows = V::project(&key, before.iter().map(|live| live.row.clone()).collect(), recorded)?;
        let mut after = Vec::with_capacity(rows.len());
        let mut kept = vec![false; before.len()];
        let mut opened = Vec::new();
        for row in rows {
            let same = before.iter().zip(&kept).position(|(live, kept)| !kept && live.row == row);
            match same {
                Some(index) => kept[index] = true,
                None => opened.push(row),
            }
        }
        let at = signed(recorded.position);
        for (live, kept) in before.into_iter().zip(kept) {
            if kept { after.push(live) } else { change.close(live.number, at) }
        }
        for row in opened {
            let stored = Stored {
                number: self.next,
                key: key.clone(),
                valid_from: row.valid.from.to_string(),
                valid_to: end_of(&row.valid),
                known_from: at,
                known_to: NOW,
                because: serde_json::to_string(&row.because).unwrap_or_default(),
                cells: cells_of(V::COLUMNS, &row.columns)?,
            };
            after.push(Live { number: self.next, bytes: stored.size(), row });
            change.opened.push(stored);
            self.next += 1;
        }
        self.hold(key, after);
        Ok(())
    }

    fn hold(&mut self, key: String, rows: Vec<Live<V::Columns>>) {
        self.bytes += weight(&key, &rows);
        self.held.put(key, Held { rows, page: self.page });
    }

    /// Drops what was touched longest ago, down to what may be held.
    fn trim(&mut self) {
        while self.bytes > HELD_MAX && self.held.peek_lru().is_some_and(|(_, held)| held.page + 1 < self.page)
        {
            let Some((key, held)) = self.held.pop_lru() else { return };
            self.bytes = self.bytes.saturating_sub(weight(&key, &held.rows));
            if let Some(dropped) = &mut self.dropped {
                dropped.insert(hash_of(&key));
                if dropped.len() > DROPPED_MAX {
                    self.dropped = None;
                }
            }
        }
    }
}

fn hash_of(key: &str) -> u64 {
    let mut hasher = std::hash::DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}

fn weight<C>(key: &str, rows: &[Live<C>]) -> usize {
    // A key without rows takes memory too.
    64 + key.len() + rows.iter().map(|live| live.bytes).sum::<usize>()
}

impl<V: View> Project for Projection<V> {
    fn shape(&self) -> Shape {
        Shape::of::<V>()
    }

    fn reset(&mut self, next: i64) {
        *self = Self { next, dropped: (next == 1).then(HashSet::new), ..Self::new() };
    }

    fn prepare(&mut self, page: &[Arc<Recorded>]) -> Vec<String> {
        self.page += 1;
        self.touched = page.iter().map(|recorded| keys_of::<V>(recorded)).collect();
        let mut missing = HashSet::new();
        for key in self.touched.iter().flatten() {
            match self.held.get_mut(key) {
                // Touched: it must not be dropped for another one before its turn.
                Some(held) => held.page = self.page,
                None if self.dropped.as_ref().is_some_and(|dropped| !dropped.contains(&hash_of(key))) => {}
                None => {
                    missing.insert(key);
                }
            }
        }
        missing.into_iter().cloned().collect()
    }

    fn load(&mut self, keys: Vec<String>, rows: Vec<Stored>) -> Result<(), Unreadable> {
        let mut found: HashMap<String, Vec<Live<V::Columns>>> =
            keys.into_iter().map(|key| (key, Vec::new())).collect();
        for stored in rows {
            let (number, bytes) = (stored.number, stored.size());
            let row = stored.read::<V::Columns>(V::COLUMNS)?;
            let live = Live {
                number,
                bytes,
                row: Row { valid: row.valid, because: row.because, columns: row.columns },
            };
            found.entry(row.key).or_default().push(live);
        }
        for (key, rows) in found {
            self.hold(key, rows);
        }
        Ok(())
    }

    fn project(&mut self, page: &[Arc<Recorded>]) -> Result<Change, Poisoned> {
        let mut change = Change::default();
        for (recorded, keys) in page.iter().zip(std::mem::take(&mut self.touched)) {
            for key in keys {
                self.take(key, recorded, &mut change)
                    .map_err(|Poison(reason)| Poisoned { position: recorded.position, reason })?;
            }
        }
        self.trim();
        Ok(change)
    }
}

impl Change {
    fn close(&mut self, number: i64, at: i64) {
        let within = self.opened.first().and_then(|first| usize::try_from(number - first.number).ok());
        match within.and_then(|index| self.opened.get_mut(index)) {
            Some(opened) => opened.known_to = at,
            None => self.closed.push((number, at)),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.opened.is_empty() && self.closed.is_empty()
    }
}

/// Each key once, in order: what is opened first must not hang on how the view lists them.
fn keys_of<V: View>(recorded: &Recorded) -> Vec<String> {
    let mut keys = V::keys(recorded);
    if keys.len() > 1 {
        keys = keys.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
    }
    keys
}
