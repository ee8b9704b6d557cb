//! One view in memory: the open rows of the keys touched of late, and what a page of events does to them.
//!
//! Nothing in here knows a database. What is held is right as long as whoever runs the view is the only one to
//! write it, which the compare-and-set of its position sees to; after any failure all of it is thrown away.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::{Hash as _, Hasher as _};
use std::sync::Arc;

use duban_domain::{Position, Recorded};
use lru::LruCache;

use super::cells::{Cells, json_of};
use super::row::{Cell, Column, Poison, Row, Stored, Unreadable, end_of, states_of};
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

    fn take(&mut self, key: &str, recorded: &Recorded, change: &mut Change) -> Result<(), Poison> {
        if !self.held.contains(key) {
            self.hold(key.to_owned(), Vec::new());
        }
        let Some(held) = self.held.get_mut(key) else { return Ok(()) };
        let before = std::mem::take(&mut held.rows);
        let freed = weight(key, &before);
        let at = signed(recorded.position);
        let opened = if V::RESTATES {
            let row = |live: Live<V::Columns>| {
                change.close(live.number, at);
                live.row
            };
            V::project(key, before.into_iter().map(row).collect(), recorded)?
        } else {
            let rows = V::project(key, before.iter().map(|live| live.row.clone()).collect(), recorded)?;
            let (kept, closed, opened) = compared(before, rows);
            for number in closed {
                change.close(number, at);
            }
            held.rows = kept;
            opened
        };
        held.page = self.page;
        for row in opened {
            let stored = Stored {
                number: self.next,
                key: key.to_owned(),
                valid_from: row.valid.from.to_string(),
                valid_to: end_of(&row.valid),
                known_from: at,
                known_to: NOW,
                because: json_of(&row.because)?,
                cells: cells(&row.columns, V::COLUMNS, V::RECALL.is_none())?,
            };
            held.rows.push(Live { number: self.next, bytes: stored.size(), row });
            change.opened.push(stored);
            self.next += 1;
        }
        self.bytes = (self.bytes + weight(key, &held.rows)).saturating_sub(freed);
        Ok(())
    }

    /// Gives the last open row of `key` its state, if the page opened it: whatever became of the key within the page,
    /// only that is written.
    fn state(&mut self, key: &str, change: &mut Change) -> Result<(), Poison> {
        let Some(live) = self.held.peek_mut(key).and_then(|held| held.rows.last_mut()) else { return Ok(()) };
        let Some(opened) = change.opened(live.number) else { return Ok(()) };
        if let Some(last @ Cell::Null) = opened.cells.last_mut()
            && let Some(state) = live.row.columns.state()?
        {
            *last = state;
            let grown = opened.size() - live.bytes;
            live.bytes += grown;
            self.bytes += grown;
        }
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

    fn load(&mut self, keys: Vec<String>, mut rows: Vec<Stored>) -> Result<(), Unreadable> {
        if V::RECALL.is_some() {
            let states = states_of(&rows);
            for row in &mut rows {
                row.take_state(&states);
            }
        }
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
        let touched = std::mem::take(&mut self.touched);
        let poisoned = |recorded: &Recorded| {
            let position = recorded.position;
            move |Poison(reason)| Poisoned { position, reason }
        };
        for (recorded, keys) in page.iter().zip(&touched) {
            for key in keys {
                self.take(key, recorded, &mut change).map_err(poisoned(recorded))?;
            }
        }
        if V::RECALL.is_some() {
            for (recorded, keys) in page.iter().zip(&touched) {
                for key in keys {
                    self.state(key, &mut change).map_err(poisoned(recorded))?;
                }
            }
        }
        self.trim();
        Ok(change)
    }
}

/// The cells of a row, with its state or with NULL in its place.
fn cells<C: Cells>(values: &C, columns: &[Column], with_state: bool) -> Result<Vec<Cell>, Poison> {
    let mut cells = values.cells(columns)?;
    if with_state && let (Some(last), Some(state)) = (cells.last_mut(), values.state()?) {
        *last = state;
    }
    Ok(cells)
}

/// Which of the rows that were open stay as they were, the numbers of those that don't, and the rows that are new.
fn compared<C: PartialEq>(before: Vec<Live<C>>, rows: Vec<Row<C>>) -> (Vec<Live<C>>, Vec<i64>, Vec<Row<C>>) {
    let mut kept = vec![false; before.len()];
    let mut opened = Vec::new();
    for row in rows {
        match before.iter().zip(&kept).position(|(live, kept)| !kept && live.row == row) {
            Some(index) => kept[index] = true,
            None => opened.push(row),
        }
    }
    let (stay, go): (Vec<_>, Vec<_>) = before.into_iter().zip(kept).partition(|(_, kept)| *kept);
    let stay = stay.into_iter().map(|(live, _)| live).collect();
    (stay, go.into_iter().map(|(live, _)| live.number).collect(), opened)
}

impl Change {
    fn close(&mut self, number: i64, at: i64) {
        match self.opened(number) {
            Some(opened) => opened.known_to = at,
            None => self.closed.push((number, at)),
        }
    }

    /// A row that was opened within the page.
    fn opened(&mut self, number: i64) -> Option<&mut Stored> {
        let first = self.opened.first()?.number;
        self.opened.get_mut(usize::try_from(number - first).ok()?)
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
