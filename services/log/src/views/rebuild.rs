//! A view built anew from the log beside the live one, compared with it, and put in its place.

use sqlx::Connection;

use super::digest::digest;
use super::store::standing;
use super::table::Table;
use super::write::write;
use super::{Digest, View, ViewError, Views};
use crate::error::{ReadError, StorageError};
use crate::follower::FollowError;
use crate::log::PAGE_EVENTS;

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

impl Views {
    /// Builds a view from zero in another table, up to where the live one stands, and puts it in its place.
    /// Reads go on meanwhile; writes of views wait for the last part.
    pub async fn rebuild<V: View>(&self) -> Result<Rebuilt, ViewError> {
        let live = self.table::<V>().await?;
        let beside = Table::beside::<V>();
        let mut position = 0;
        let mut writer = self.writer().await?;
        let found = standing(&mut writer, V::NAME).await?.ok_or(ViewError::NotRunning(V::NAME))?;
        let generation = found.generation + 1;
        sqlx::raw_sql(sqlx::AssertSqlSafe(beside.create::<V>(generation))).execute(&mut *writer).await?;
        drop(writer);
        loop {
            // Held for a page at a time, so that the live views go on between.
            let mut writer = self.writer().await?;
            let target = standing(&mut writer, V::NAME).await?.map_or(0, |standing| standing.position);
            let mut tx = writer.begin_with("BEGIN IMMEDIATE").await?;
            if position == target {
                let before = digest::<V>(&mut tx, &live, target).await?;
                let after = digest::<V>(&mut tx, &beside, target).await?;
                // One transaction: a crash in here leaves the old table in place, whole.
                let swap = format!(
                    "DROP TABLE {live}; ALTER TABLE {beside} RENAME TO {live};
                     UPDATE view_positions SET generation = {generation} WHERE view = '{view}';",
                    live = live.name,
                    beside = beside.name,
                    view = V::NAME,
                );
                sqlx::raw_sql(sqlx::AssertSqlSafe(swap)).execute(&mut *tx).await?;
                tx.commit().await?;
                return Ok(Rebuilt { before, after });
            }
            let limit = usize::try_from(target - position).unwrap_or(PAGE_EVENTS);
            let page = self.log().read(position, limit).await?;
            let decoded = page.events.iter().map(|event| event.decode().map(Into::into));
            let events = decoded.collect::<Result<Vec<_>, ReadError>>()?;
            write::<V>(&mut tx, &beside, &events).await.map_err(|error| refused::<V>(error, position))?;
            tx.commit().await?;
            position = page.through;
        }
    }
}

fn refused<V: View>(error: FollowError, after: u64) -> ViewError {
    match error {
        FollowError::Unavailable(error) => ViewError::Unavailable(error),
        FollowError::Poisoned { position, reason } => ViewError::Stopped { view: V::NAME, position, reason },
        other @ (FollowError::Fenced | FollowError::Retry(_)) => ViewError::Unavailable(StorageError::from(
            sqlx::Error::Protocol(format!("after {after}: {other}")),
        )),
    }
}
