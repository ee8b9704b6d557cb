//! The two engines of the views behind one face: `views.db` beside a log in a folder, the schema `duban_views`
//! beside one on Postgres. What differs in kind is said here: in a folder this process runs every view and is the
//! only one to know the head; on Postgres a view is run by whoever has its lease.

use std::sync::Arc;

use duban_domain::Position;

use super::projection::Change;
use super::row::{Cell, Record, Stored};
use super::shape::Shape;
use super::{Readiness, Standing, postgres, sqlite};
use crate::engine::{Engine, Location};
use crate::error::OpenError;
use crate::log::Log;

/// The tables of the views.
#[allow(clippy::large_enum_variant, reason = "there is one for each log")]
pub(super) enum Store {
    Sqlite(Arc<sqlite::Store>),
    Postgres(postgres::Store),
}

impl Store {
    pub(super) async fn open(log: &Log) -> Result<Self, OpenError> {
        match (&log.inner.engine, log.location()) {
            (Engine::Postgres(store), _) => {
                Ok(Self::Postgres(postgres::Store::open(store, log.identity(), log.inner.ids.event()).await?))
            }
            (Engine::Sqlite(_), Location::Folder(folder)) => {
                Ok(Self::Sqlite(Arc::new(sqlite::Store::open(folder, log.identity()).await?)))
            }
            (Engine::Sqlite(_), Location::Postgres(_)) => unreachable!("the location says which engine"),
        }
    }

    pub(super) async fn close(&self) {
        match self {
            Self::Sqlite(store) => store.close().await,
            Self::Postgres(store) => store.close().await,
        }
    }

    /// Where a view stands; `None` if it is not there.
    pub(super) async fn standing(&self, view: &str) -> Result<Option<Standing>, sqlx::Error> {
        match self {
            Self::Sqlite(store) => store.standing(view).await,
            Self::Postgres(store) => store.standing(view).await,
        }
    }

    /// The live table of a view, made where there is none; on SQLite anew where it can't be gone on with.
    pub(super) async fn table(&self, shape: &Shape, head: Position) -> Result<Readiness, sqlx::Error> {
        match self {
            Self::Sqlite(store) => store.table(shape, head).await.map(|()| Readiness::Ready),
            Self::Postgres(store) => store.table(shape).await,
        }
    }

    /// The number of the next row of a table.
    pub(super) async fn next_number(&self, table: &str) -> Result<i64, sqlx::Error> {
        match self {
            Self::Sqlite(store) => store.next_number(table).await,
            Self::Postgres(store) => store.next_number(table).await,
        }
    }

    /// The open rows of these keys, in the order of their opening.
    pub(super) async fn open_rows(
        &self,
        shape: &Shape,
        table: &str,
        keys: &[String],
    ) -> Result<Vec<Stored>, sqlx::Error> {
        match self {
            Self::Sqlite(store) => store.open_rows(shape, table, keys).await,
            Self::Postgres(store) => store.open_rows(shape, table, keys).await,
        }
    }

    /// The index by which [`Store::open_rows`] finds rows. A table built from nothing does without at first.
    pub(super) async fn index_keys(&self, shape: &Shape, generation: i64) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(store) => store.index_keys(shape, shape.name, generation).await,
            Self::Postgres(store) => store.index_keys(shape, shape.name, generation).await,
        }
    }

    /// All indexes, where they are missing: at the end of a catch-up, since an index is sorted in a fraction of
    /// the time that it takes to keep it row by row.
    pub(super) async fn index(&self, shape: &Shape, generation: i64) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(store) => store.index(shape, shape.name, generation).await,
            Self::Postgres(store) => store.index(shape, shape.name, generation).await,
        }
    }

    /// Writes what a page of events does to some views that stand at `from`, each of this generation, together
    /// with their positions. False, and nothing is written, if one of them does not stand there, or is not this
    /// process's to run.
    pub(super) async fn write(
        &self,
        from: Position,
        to: Position,
        changes: Vec<(Shape, i64, Change)>,
    ) -> Result<bool, sqlx::Error> {
        match self {
            Self::Sqlite(store) => store.write(from, to, changes).await,
            Self::Postgres(store) => store.write(from, to, &changes).await,
        }
    }

    /// One state of these views, to be read from.
    pub(super) async fn snapshot(&self, views: &[&str]) -> Result<Reading, sqlx::Error> {
        Ok(match self {
            Self::Sqlite(store) => Reading::Sqlite(store.snapshot().await?),
            Self::Postgres(store) => Reading::Postgres(store.snapshot(views).await?),
        })
    }

    /// The same for reading whole tables.
    pub(super) async fn long_snapshot(&self, views: &[&str]) -> Result<Reading, sqlx::Error> {
        let mut reading = self.snapshot(views).await?;
        if let Reading::Postgres(reading) = &mut reading {
            reading.lengthen().await?;
        }
        Ok(reading)
    }

    /// The right to build tables beside the live ones; `None` if somebody else has it.
    pub(super) async fn beside(&self) -> Result<Option<Beside>, sqlx::Error> {
        Ok(match self {
            Self::Sqlite(store) => store.beside().map(Beside::Sqlite),
            Self::Postgres(store) => store.beside().await?.map(Beside::Postgres),
        })
    }

    /// The part that processes share, on Postgres.
    pub(super) fn shared(&self) -> Option<&postgres::Store> {
        match self {
            Self::Sqlite(_) => None,
            Self::Postgres(store) => Some(store),
        }
    }
}

/// One state of all views.
pub(super) enum Reading {
    Sqlite(sqlite::Reading),
    Postgres(postgres::Reading),
}

impl Reading {
    /// Where a view stands in it.
    pub(super) async fn standing(&mut self, view: &str) -> Result<Option<Standing>, sqlx::Error> {
        match self {
            Self::Sqlite(reading) => reading.standing(view).await,
            Self::Postgres(reading) => Ok(reading.standing(view).await?.1),
        }
    }

    /// Rows of a view; `rest` goes on after `WHERE`.
    pub(super) async fn select(
        &mut self,
        shape: &Shape,
        rest: &str,
        arguments: &[Cell],
    ) -> Result<Vec<Stored>, sqlx::Error> {
        match self {
            Self::Sqlite(reading) => reading.select(shape, rest, arguments).await,
            Self::Postgres(reading) => reading.select(shape, rest, arguments).await,
        }
    }

    /// What `columns` come to over the rows of a view.
    pub(super) async fn query(
        &mut self,
        shape: &Shape,
        columns: &str,
        rest: &str,
        arguments: &[Cell],
    ) -> Result<Vec<Record>, sqlx::Error> {
        match self {
            Self::Sqlite(reading) => reading.query(shape, columns, rest, arguments).await,
            Self::Postgres(reading) => reading.query(shape, columns, rest, arguments).await,
        }
    }

    /// Every row of a table, by key and then in the order of opening.
    pub(super) async fn each(
        &mut self,
        shape: &Shape,
        table: &str,
        take: impl FnMut(Stored),
    ) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(reading) => reading.each(shape, table, take).await,
            Self::Postgres(reading) => reading.each(shape, table, take).await,
        }
    }
}

/// The right to build tables beside the live ones, as long as it is kept.
pub(super) enum Beside {
    Sqlite(sqlite::Beside),
    Postgres(postgres::Beside),
}

impl Beside {
    /// Makes a table, in place of what one that was given up may have left.
    pub(super) async fn create(&mut self, shape: &Shape) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(beside) => beside.create(shape).await,
            Self::Postgres(beside) => beside.create(shape).await,
        }
    }

    /// See [`Store::index_keys`].
    pub(super) async fn index_keys(&mut self, shape: &Shape, generation: i64) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(beside) => beside.index_keys(shape, generation).await,
            Self::Postgres(beside) => beside.index_keys(shape, generation).await,
        }
    }

    /// See [`Store::index`].
    pub(super) async fn index(&mut self, shape: &Shape, generation: i64) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(beside) => beside.index(shape, generation).await,
            Self::Postgres(beside) => beside.index(shape, generation).await,
        }
    }

    /// Writes what a page does to tables.
    pub(super) async fn write(&mut self, changes: Vec<(Shape, Change)>) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(beside) => beside.write(changes).await,
            Self::Postgres(beside) => beside.write(&changes).await,
        }
    }

    /// Puts a table, which stands at `position` and is of `generation`, in the place of the live one, which must
    /// stand there too and be of the generation before; false if it isn't so.
    pub(super) async fn swap(
        &mut self,
        shape: &Shape,
        generation: i64,
        position: Position,
    ) -> Result<bool, sqlx::Error> {
        match self {
            Self::Sqlite(beside) => beside.swap(shape, generation, position).await,
            Self::Postgres(beside) => beside.swap(shape, generation, position).await,
        }
    }
}
