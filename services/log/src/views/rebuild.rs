//! Views built anew from the log beside the live ones, compared with them, and put in their place.
//!
//! The live views are read and written all the while: the two are compared at one position in a snapshot, and
//! what came since then is added in the transaction that swaps the tables.

use duban_domain::Position;

use super::digest::digest;
use super::pages::Pages;
use super::projection::{Change, Poisoned, Project};
use super::shape::Shape;
use super::sqlite::Reading;
use super::{Digest, Entry, ViewError, Views};
use crate::error::ReadError;

/// What a rebuild found, both at the same position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rebuilt {
    /// What stood there.
    pub before: Digest,
    /// What stands there now.
    pub after: Digest,
}

impl Rebuilt {
    /// Whether nothing was wrong.
    pub fn is_same(&self) -> bool {
        self.before == self.after
    }
}

/// A view that is being built beside the live one.
struct Building {
    view: Box<dyn Project>,
    shape: Shape,
    /// The generation that its table will be.
    generation: i64,
    position: Position,
    /// Up to where it is to be built.
    target: Position,
    /// Whether open rows can be found in its table.
    keyed: bool,
}

impl Views {
    /// Builds these views from zero, all of them in one reading of the log, each up to where the live one
    /// stands, and puts them in the place of those.
    pub async fn rebuild_all(&self, entries: &[Entry]) -> Result<Vec<(&'static str, Rebuilt)>, ViewError> {
        let store = &self.inner.store;
        let mut building = Vec::new();
        for entry in entries {
            let found = store.standing(entry.name).await?.ok_or(ViewError::NotRunning(entry.name))?;
            store.create_beside(&entry.shape).await?;
            let mut view = (entry.projection)();
            view.reset(1);
            let (shape, generation) = (entry.shape, found.generation + 1);
            building.push(Building {
                view,
                shape,
                generation,
                position: 0,
                target: found.position,
                keyed: false,
            });
        }
        self.build(&mut building).await?;
        for view in &mut building {
            store.index(&view.shape, &view.shape.beside(), view.generation).await?;
            view.keyed = true;
        }
        // Where the live ones stand by now, and in this snapshot will stand as long as they are compared.
        let mut live = store.snapshot().await?;
        for view in &mut building {
            let found =
                live.standing(view.shape.name).await?.ok_or(ViewError::NotRunning(view.shape.name))?;
            view.target = found.position;
        }
        self.build(&mut building).await?;
        let mut beside = store.snapshot().await?;
        let mut rebuilt = Vec::new();
        for view in &building {
            rebuilt.push((view.shape.name, compare(view, &mut live, &mut beside).await?));
        }
        drop((live, beside));
        for view in &mut building {
            self.swap(view).await?;
        }
        Ok(rebuilt)
    }

    /// Builds each view up to its target. The one furthest behind goes first, until it stands where the next one
    /// does: from there they go on together.
    async fn build(&self, building: &mut [Building]) -> Result<(), ViewError> {
        let mut pages = Pages::of(self.log());
        let mut writing: Option<tokio::task::JoinHandle<Result<(), sqlx::Error>>> = None;
        loop {
            let behind = building.iter().filter(|view| view.position < view.target);
            let Some(from) = behind.clone().map(|view| view.position).min() else { break };
            let edges = behind.flat_map(|view| [view.position, view.target]);
            let until = edges.filter(|edge| *edge > from).min().unwrap_or(from);
            let page = pages.after(from, until).await?;
            let events = &page.events[..page.events.partition_point(|event| event.position <= until)];
            let Some(last) = events.last().map(|event| event.position) else {
                let missing = || ReadError::DataLoss { position: from + 1, what: "it is missing".into() };
                return Err(page.stop.clone().unwrap_or_else(missing).into());
            };
            let mut changes = Vec::new();
            let due = |view: &&mut Building| view.position == from && view.position < view.target;
            for view in building.iter_mut().filter(due) {
                let missing = view.view.prepare(events);
                self.load(view, missing).await?;
                let change = view.view.project(events).map_err(|poison| refused(&view.shape, poison))?;
                changes.push((view.shape, change));
                view.position = last;
            }
            done(writing.take()).await?;
            let views = self.clone();
            writing = Some(tokio::spawn(async move { views.inner.store.write_beside(&changes).await }));
        }
        done(writing).await
    }

    async fn load(&self, view: &mut Building, missing: Vec<String>) -> Result<(), ViewError> {
        if missing.is_empty() {
            return Ok(());
        }
        let (store, table) = (&self.inner.store, view.shape.beside());
        if !view.keyed {
            store.index_keys(&view.shape, &table, view.generation).await?;
            view.keyed = true;
        }
        let rows = store.open_rows(&view.shape, &table, &missing).await?;
        Ok(view.view.load(missing, rows).map_err(sqlx::Error::from)?)
    }

    /// Puts a view that has been built in the place of the live one, with what that one has taken meanwhile.
    async fn swap(&self, view: &mut Building) -> Result<(), ViewError> {
        let store = &self.inner.store;
        loop {
            let name = view.shape.name;
            let found = store.standing(name).await?.ok_or(ViewError::NotRunning(name))?;
            view.target = found.position;
            self.build(std::slice::from_mut(view)).await?;
            if store.swap(&view.shape, view.position, &Change::default()).await? {
                return Ok(());
            }
        }
    }
}

async fn compare(view: &Building, live: &mut Reading, beside: &mut Reading) -> Result<Rebuilt, sqlx::Error> {
    Ok(Rebuilt {
        before: digest(live, &view.shape, view.shape.name, view.position).await?,
        after: digest(beside, &view.shape, &view.shape.beside(), view.position).await?,
    })
}

async fn done(writing: Option<tokio::task::JoinHandle<Result<(), sqlx::Error>>>) -> Result<(), ViewError> {
    let Some(writing) = writing else { return Ok(()) };
    let panicked = |error: tokio::task::JoinError| sqlx::Error::Protocol(error.to_string());
    Ok(writing.await.map_err(panicked)??)
}

fn refused(shape: &Shape, Poisoned { position, reason }: Poisoned) -> ViewError {
    ViewError::Stopped { view: shape.name, position, reason }
}
