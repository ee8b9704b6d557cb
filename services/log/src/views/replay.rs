//! Views built anew from events that come from anywhere, in a folder of their own, to be compared with what somebody
//! claims that they come to.

use std::path::Path;
use std::sync::Arc;

use duban_domain::{Position, Recorded};

use super::digest::digest;
use super::projection::{Poisoned, Project};
use super::shape::Shape;
use super::store::Reading;
use super::{Digest, Entry, ViewError, sqlite};
use crate::append::LogIdentity;

/// Views on their way through a log.
pub struct Replay {
    store: Arc<sqlite::Store>,
    beside: sqlite::Beside,
    views: Vec<Replaying>,
    position: Position,
}

/// What became of a view.
#[derive(Debug, Clone)]
pub struct Replayed {
    /// The view.
    pub view: &'static str,
    /// What it comes to at the position that was asked for; else the event that it doesn't take, and why.
    pub came_to: Result<Digest, (Position, String)>,
}

/// A view that is built up to its target.
struct Replaying {
    view: Box<dyn Project>,
    shape: Shape,
    target: Position,
    keyed: bool,
    stopped: Option<(Position, String)>,
}

impl Replay {
    /// Begins from nothing in `folder`, which is empty: each view will be built up to its position.
    pub async fn begin(
        folder: &Path,
        identity: LogIdentity,
        wanted: &[(Entry, Position)],
    ) -> Result<Self, ViewError> {
        let broken = |error: crate::OpenError| sqlx::Error::Protocol(error.to_string());
        let store = Arc::new(sqlite::Store::open(folder, identity).await.map_err(broken)?);
        let taken = || sqlx::Error::Protocol("another replay is at work".into());
        let mut beside = store.beside().ok_or_else(taken)?;
        let mut views = Vec::new();
        for (entry, target) in wanted {
            beside.create(&entry.shape).await?;
            let mut view = (entry.projection)();
            view.reset(1);
            let shape = entry.shape;
            views.push(Replaying { view, shape, target: *target, keyed: false, stopped: None });
        }
        Ok(Self { store, beside, views, position: 0 })
    }

    /// The last position of which a view has to know.
    pub fn until(&self) -> Position {
        self.views.iter().map(|view| view.target).max().unwrap_or(0)
    }

    /// Takes the next events, in order and without a gap.
    pub async fn take(&mut self, mut events: &[Arc<Recorded>]) -> Result<(), ViewError> {
        while !events.is_empty() {
            // No further than the next target: a view stands there for ever.
            let next =
                self.views.iter().map(|view| view.target).filter(|target| *target > self.position).min();
            let Some(until) = next else { return Ok(()) };
            let (now, rest) = events.split_at(events.partition_point(|event| event.position <= until));
            let Some(last) = now.last() else { return Ok(()) };
            self.project(now).await?;
            self.position = last.position;
            events = rest;
        }
        Ok(())
    }

    async fn project(&mut self, events: &[Arc<Recorded>]) -> Result<(), ViewError> {
        let (position, mut changes) = (self.position, Vec::new());
        let due = |view: &&mut Replaying| view.target > position && view.stopped.is_none();
        for view in self.views.iter_mut().filter(due) {
            let missing = view.view.prepare(events);
            if !missing.is_empty() {
                if !view.keyed {
                    self.beside.index_keys(&view.shape, 1).await?;
                    view.keyed = true;
                }
                let rows = self.store.open_rows(&view.shape, &view.shape.beside(), &missing).await?;
                view.view.load(missing, rows).map_err(sqlx::Error::from)?;
            }
            match view.view.project(events) {
                Ok(change) => changes.push((view.shape, change)),
                Err(Poisoned { position, reason }) => view.stopped = Some((position, reason)),
            }
        }
        Ok(self.beside.write(changes).await?)
    }

    /// What each view came to.
    pub async fn end(self) -> Result<Vec<Replayed>, ViewError> {
        let mut reading = Reading::Sqlite(self.store.snapshot().await?);
        let mut replayed = Vec::new();
        for view in self.views {
            let came_to = match view.stopped {
                Some(stopped) => Err(stopped),
                None => Ok(digest(&mut reading, &view.shape, &view.shape.beside(), view.target).await?),
            };
            replayed.push(Replayed { view: view.shape.name, came_to });
        }
        drop(reading);
        self.store.close().await;
        Ok(replayed)
    }
}
