//! Views built anew from events that come from anywhere, in a folder of their own, to be compared with what somebody
//! claims that they come to.

use std::path::Path;
use std::sync::Arc;

use duban_domain::{Position, Recorded};

use super::digest::digest;
use super::pages::STRETCH;
use super::projection::Poisoned;
use super::site::{Building, Site};
use super::store::Store;
use super::{Digest, Entry, ViewError, sqlite};
use crate::append::LogIdentity;

/// Views on their way through a log.
pub struct Replay {
    store: Store,
    site: Site,
    views: Vec<Building>,
    /// Up to where the views have what they are to have.
    position: Position,
    /// What follows, until it is worth writing.
    gathered: Vec<Arc<Recorded>>,
}

/// What became of a view.
#[derive(Debug, Clone)]
pub struct Replayed {
    /// The view.
    pub view: &'static str,
    /// What it comes to at the position that was asked for; else the event that it doesn't take, and why.
    pub came_to: Result<Digest, (Position, String)>,
}

impl Replay {
    /// Begins from nothing in `folder`, which is empty: each view will be built up to its position.
    pub async fn begin(
        folder: &Path,
        identity: LogIdentity,
        wanted: &[(Entry, Position)],
    ) -> Result<Self, ViewError> {
        let broken = |error: crate::OpenError| sqlx::Error::Protocol(error.to_string());
        let store = Store::Sqlite(Arc::new(sqlite::Store::open(folder, identity).await.map_err(broken)?));
        let taken = || sqlx::Error::Protocol("another replay is at work".into());
        let mut site = Site::new(store.beside().await?.ok_or_else(taken)?);
        let mut views = Vec::new();
        for (entry, target) in wanted {
            views.push(site.begin(entry, 1, *target).await?);
        }
        Ok(Self { store, site, views, position: 0, gathered: Vec::new() })
    }

    /// The last position of which a view has to know.
    pub fn until(&self) -> Position {
        self.views.iter().map(|view| view.target).max().unwrap_or(0)
    }

    /// Takes the next events, in order and without a gap.
    pub async fn take(&mut self, events: impl IntoIterator<Item = Arc<Recorded>>) -> Result<(), ViewError> {
        self.gathered.extend(events);
        if self.gathered.len() < STRETCH { Ok(()) } else { self.project().await }
    }

    /// Works on what was gathered.
    async fn project(&mut self) -> Result<(), ViewError> {
        let gathered = std::mem::take(&mut self.gathered);
        let mut events = &gathered[..];
        while !events.is_empty() {
            // No further than the next target: a view stands there for ever.
            let (from, targets) = (self.position, self.views.iter().map(|view| view.target));
            let Some(until) = targets.filter(|target| *target > from).min() else { break };
            let (now, rest) = events.split_at(events.partition_point(|event| event.position <= until));
            let Some(last) = now.last() else { break };
            let due = self.views.iter_mut().filter(|view| view.is_behind());
            self.site.take(&self.store, due, now).await?;
            self.position = last.position;
            events = rest;
        }
        Ok(())
    }

    /// What each view came to.
    pub async fn end(mut self) -> Result<Vec<Replayed>, ViewError> {
        self.project().await?;
        for view in &mut self.views {
            // What is in the order of keys is read by them.
            self.site.keyed(view).await?;
        }
        let mut reading = self.store.snapshot(&[]).await?;
        let mut replayed = Vec::new();
        for view in self.views {
            let came_to = match view.stopped {
                Some(Poisoned { position, reason }) => Err((position, reason)),
                None => Ok(digest(&mut reading, &view.shape, &view.shape.beside(), view.target).await?),
            };
            replayed.push(Replayed { view: view.shape.name, came_to });
        }
        drop((reading, self.site));
        self.store.close().await;
        Ok(replayed)
    }
}
