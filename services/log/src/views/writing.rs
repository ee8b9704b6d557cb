//! The one connection that writes views, on either engine.

use std::ops::{Deref, DerefMut};

use tokio::sync::MutexGuard;

/// The connection that writes, held. It is thrown away unless all went well: after a failure, or given up half
/// way, it may be in the middle of anything.
pub(super) struct Writing<'a, C> {
    held: MutexGuard<'a, Option<C>>,
    sound: bool,
}

impl<'a, C> Writing<'a, C> {
    /// The connection, which is there.
    pub(super) fn of(held: MutexGuard<'a, Option<C>>) -> Self {
        Self { held, sound: false }
    }

    /// All went well.
    pub(super) fn keep(mut self) {
        self.sound = true;
    }
}

impl<C> Drop for Writing<'_, C> {
    fn drop(&mut self) {
        if !self.sound {
            *self.held = None;
        }
    }
}

impl<C> Deref for Writing<'_, C> {
    type Target = C;

    fn deref(&self) -> &C {
        let Some(connection) = self.held.as_ref() else { unreachable!("held only while it is there") };
        connection
    }
}

impl<C> DerefMut for Writing<'_, C> {
    fn deref_mut(&mut self) -> &mut C {
        let Some(connection) = self.held.as_mut() else { unreachable!("held only while it is there") };
        connection
    }
}
