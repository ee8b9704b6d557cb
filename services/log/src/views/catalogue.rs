//! The views of a service by their names, for whoever starts, rebuilds or reports on all of them.

use std::future::Future;
use std::pin::Pin;

use super::{Digest, Rebuilt, View, ViewError, Views};
use crate::error::StorageError;
use crate::follower::Following;

type Doing<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A view, whatever its rows are.
#[derive(Clone, Copy)]
pub struct Entry {
    /// Its name.
    pub name: &'static str,
    start: fn(Views) -> Doing<Result<Following, StorageError>>,
    rebuild: fn(Views) -> Doing<Result<Rebuilt, ViewError>>,
    digest: fn(Views) -> Doing<Result<Digest, ViewError>>,
}

impl Entry {
    /// The entry of a view.
    pub const fn of<V: View>() -> Self {
        Self {
            name: V::NAME,
            start: |views| Box::pin(async move { views.start::<V>().await }),
            rebuild: |views| Box::pin(async move { views.rebuild::<V>().await }),
            digest: |views| Box::pin(async move { views.digest::<V>().await }),
        }
    }

    /// See [`Views::start`].
    pub async fn start(&self, views: &Views) -> Result<Following, StorageError> {
        (self.start)(views.clone()).await
    }

    /// See [`Views::rebuild`].
    pub async fn rebuild(&self, views: &Views) -> Result<Rebuilt, ViewError> {
        (self.rebuild)(views.clone()).await
    }

    /// See [`Views::digest`].
    pub async fn digest(&self, views: &Views) -> Result<Digest, ViewError> {
        (self.digest)(views.clone()).await
    }
}
