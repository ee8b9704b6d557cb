//! The views of a service by their names, for whoever starts, rebuilds or reports on all of them.

use super::projection::{Project, Projection};
use super::shape::Shape;
use super::{Digest, Rebuilt, View, ViewError, Views};
use crate::error::StorageError;
use crate::follower::Following;

/// A view, whatever its rows are.
#[derive(Clone, Copy)]
pub struct Entry {
    /// Its name.
    pub name: &'static str,
    pub(super) shape: Shape,
    /// Nothing held yet.
    pub(super) projection: fn() -> Box<dyn Project>,
}

impl Entry {
    /// The entry of a view.
    pub const fn of<V: View>() -> Self {
        Self { name: V::NAME, shape: Shape::of::<V>(), projection: || Box::new(Projection::<V>::new()) }
    }

    /// See [`Views::start`].
    pub async fn start(&self, views: &Views) -> Result<Following, StorageError> {
        views.start_entry(*self).await
    }

    /// See [`Views::rebuild`].
    pub async fn rebuild(&self, views: &Views) -> Result<Rebuilt, ViewError> {
        let rebuilt = views.rebuild_all(&[*self]).await?;
        rebuilt.into_iter().next().map(|(_, rebuilt)| rebuilt).ok_or(ViewError::NotRunning(self.name))
    }

    /// See [`Views::digest`].
    pub async fn digest(&self, views: &Views) -> Result<Digest, ViewError> {
        views.digest_of(&self.shape).await
    }
}
