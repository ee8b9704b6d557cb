//! Where views are built from nothing: beside the live ones, or in a folder of their own. What a stretch of events does
//! is written while the next one is worked on.

use std::sync::Arc;

use duban_domain::{Position, Recorded};
use tokio::task::JoinHandle;

use super::projection::{Poisoned, Project};
use super::shape::Shape;
use super::store::{Beside, Store};
use super::{Entry, ViewError};

/// A view that is being built.
pub(super) struct Building {
    view: Box<dyn Project>,
    pub(super) shape: Shape,
    /// The generation that its table will be.
    pub(super) generation: i64,
    pub(super) position: Position,
    /// Up to where it is to be built.
    pub(super) target: Position,
    /// The event that it doesn't take.
    pub(super) stopped: Option<Poisoned>,
    /// Whether open rows can be found in its table.
    keyed: bool,
}

impl Building {
    pub(super) fn is_behind(&self) -> bool {
        self.position < self.target && self.stopped.is_none()
    }
}

/// The right to build beside, out on loan while a stretch is written.
pub(super) struct Site(Held);

enum Held {
    Here(Beside),
    Lent(JoinHandle<(Beside, Result<(), sqlx::Error>)>),
    /// Only for a moment, or after a fault.
    Nowhere,
}

impl Site {
    pub(super) fn new(beside: Beside) -> Self {
        Self(Held::Here(beside))
    }

    /// Begins a view from nothing, in a table of its own.
    pub(super) async fn begin(
        &mut self,
        entry: &Entry,
        generation: i64,
        target: Position,
    ) -> Result<Building, ViewError> {
        self.free().await?.create(&entry.shape).await?;
        let mut view = (entry.projection)();
        view.reset(1);
        let shape = entry.shape;
        Ok(Building { view, shape, generation, position: 0, target, stopped: None, keyed: false })
    }

    /// Takes what follows where these views stand, which is one place.
    pub(super) async fn take(
        &mut self,
        store: &Store,
        due: impl Iterator<Item = &mut Building>,
        events: &[Arc<Recorded>],
    ) -> Result<(), ViewError> {
        let Some(last) = events.last().map(|event| event.position) else { return Ok(()) };
        let mut changes = Vec::new();
        for view in due {
            let missing = view.view.prepare(events);
            if !missing.is_empty() {
                self.keyed(view).await?;
                let rows = store.open_rows(&view.shape, &view.shape.beside(), &missing).await?;
                view.view.load(missing, rows).map_err(sqlx::Error::from)?;
            }
            match view.view.project(events) {
                Ok(change) => {
                    changes.push((view.shape, change));
                    view.position = last;
                }
                Err(poisoned) => view.stopped = Some(poisoned),
            }
        }
        self.free().await?;
        if let Held::Here(mut beside) = std::mem::replace(&mut self.0, Held::Nowhere) {
            self.0 = Held::Lent(tokio::spawn(async move {
                let written = beside.write(changes).await;
                (beside, written)
            }));
        }
        Ok(())
    }

    /// Makes sure that rows are found by their keys.
    pub(super) async fn keyed(&mut self, view: &mut Building) -> Result<(), ViewError> {
        let beside = self.free().await?;
        if !view.keyed {
            beside.index_keys(&view.shape, view.generation).await?;
            view.keyed = true;
        }
        Ok(())
    }

    /// Makes all indexes of a view.
    pub(super) async fn index(&mut self, view: &mut Building) -> Result<(), ViewError> {
        self.free().await?.index(&view.shape, view.generation).await?;
        view.keyed = true;
        Ok(())
    }

    /// Waits until all that was taken is written.
    pub(super) async fn free(&mut self) -> Result<&mut Beside, ViewError> {
        if let Held::Lent(writing) = &mut self.0 {
            let panicked = |error: tokio::task::JoinError| sqlx::Error::Protocol(error.to_string());
            let (beside, written) = writing.await.map_err(panicked)?;
            self.0 = Held::Here(beside);
            written?;
        }
        match &mut self.0 {
            Held::Here(beside) => Ok(beside),
            Held::Lent(_) | Held::Nowhere => Err(sqlx::Error::WorkerCrashed.into()),
        }
    }
}
