//! A log in a database as what moves: read for an export while servers append, loaded and sealed by the role that
//! owns it.

use duban_domain::{Position, Tag};
use sqlx::postgres::{PgConnection, PgPool};
use sqlx::{Connection as _, Row as _};
use uuid::Uuid;

use super::reader::{Reader, again, receipt_of};
use super::writer::{SEALED, call, code_of};
use super::{READERS, copy, options, pool, schema};
use crate::append::LogIdentity;
use crate::clock::Clock;
use crate::engine::Bounds;
use crate::error::{OpenError, ReadError};
use crate::event::{Page, StoredEvent};
use crate::moving::{MoveError, Opening, StoredRequest};
use crate::sqlite::{signed, unsigned};

/// Held by who loads a database, for as long as it is connected.
const LOADING_LOCK: i64 = 702_290_941_403;
/// The lock that writers queue for, as in `lock_head`.
const HEAD_LOCK: i64 = 702_290_941_401;
/// What Postgres says to who may not.
const NOT_ALLOWED: &str = "42501";

fn not_the_owner(error: sqlx::Error) -> MoveError {
    match code_of(&error).as_deref() {
        Some(NOT_ALLOWED) => {
            OpenError::Role("can't do this: only the role that owns the log moves it, see duban migrate")
                .into()
        }
        Some(SEALED) => MoveError::Sealed,
        _ => error.into(),
    }
}

/// A connection for statements that may take their time.
async fn connect(url: &str) -> Result<PgConnection, MoveError> {
    let options = options(url)?.options([("statement_timeout", "0")]);
    let mut connection = PgConnection::connect_with(&options).await.map_err(OpenError::from)?;
    schema::is_current(&mut connection).await?;
    Ok(connection)
}

/// The log in a database, read-only.
pub(crate) struct Source {
    pool: PgPool,
    reader: Reader,
    identity: LogIdentity,
    head: Position,
    sealed: bool,
}

impl Source {
    pub(crate) async fn open(url: &str) -> Result<Self, MoveError> {
        let pool = pool(&options(url)?, READERS);
        let mut connection = pool.acquire().await.map_err(OpenError::from)?;
        schema::is_current(&mut connection).await?;
        if loading(&mut connection).await?.is_some() {
            return Err(OpenError::HalfLoaded.into());
        }
        let identity = schema::identity(&mut connection).await?;
        // Sealed is asked before the head: what is found after the end is the end.
        let sealed: bool =
            sqlx::query_scalar("SELECT sealed FROM duban_log.head").fetch_one(&mut *connection).await?;
        let head = head(&mut connection).await?;
        drop(connection);
        Ok(Self { reader: Reader::new(pool.clone()), pool, identity, head, sealed })
    }

    pub(super) fn pool(&self) -> &PgPool {
        &self.pool
    }

    pub(crate) fn identity(&self) -> LogIdentity {
        self.identity
    }

    pub(crate) fn head(&self) -> Position {
        self.head
    }

    pub(crate) fn is_sealed(&self) -> bool {
        self.sealed
    }

    pub(crate) async fn page(
        &self,
        after: Position,
        up_to: Position,
        most: Bounds,
    ) -> Result<Page, ReadError> {
        self.reader.page(after, up_to, most).await
    }

    pub(crate) async fn filed(&self, tag: Tag, after: Position, most: Bounds) -> Result<Page, ReadError> {
        self.reader.filed(&[tag], after, self.head, most).await
    }

    /// Receipts of what was done up to `up_to`, in the order of their keys, after this one.
    pub(crate) async fn receipts(
        &self,
        after: Option<(Uuid, String)>,
        up_to: Position,
        limit: usize,
    ) -> Result<Vec<StoredRequest>, MoveError> {
        let (request_id, principal) = after.unwrap_or_default();
        let sql = "SELECT fingerprint, first_position, last_position, recorded_at, request_id, principal
                   FROM duban_log.receipts WHERE (request_id, principal) > ($1, $2) AND last_position <= $3
                   ORDER BY request_id, principal LIMIT $4";
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let ask = || {
            let query = sqlx::query(sql).bind(request_id).bind(&principal);
            query.bind(signed(up_to)).bind(limit).fetch_all(&self.pool)
        };
        let receipts = again(ask).await?.into_iter().map(|row| {
            let (request_id, principal) = (row.try_get(4)?, row.try_get(5)?);
            Ok(StoredRequest { request_id, principal, stored: receipt_of(&row)? })
        });
        receipts.collect()
    }

    /// How many receipts there are of what was done up to `up_to`.
    pub(crate) async fn count(&self, up_to: Position) -> Result<u64, MoveError> {
        let sql = "SELECT count(*) FROM duban_log.receipts WHERE last_position <= $1";
        let count: i64 = sqlx::query_scalar(sql).bind(signed(up_to)).fetch_one(&self.pool).await?;
        Ok(unsigned(count))
    }

    pub(crate) async fn close(self) {
        self.pool.close().await;
    }
}

/// Ends the log. Servers that run on it go on answering what was, and record nothing more.
pub(crate) async fn seal(url: &str) -> Result<(), MoveError> {
    let mut connection = connect(url).await?;
    if loading(&mut connection).await?.is_some() {
        return Err(OpenError::HalfLoaded.into());
    }
    // Waits for the append that holds the row, if one does.
    let sql = "UPDATE duban_log.head SET sealed = TRUE";
    sqlx::query(sql).execute(&mut connection).await.map_err(not_the_owner)?;
    connection.close().await.ok();
    Ok(())
}

/// A database that is being loaded.
pub(crate) struct Target {
    connection: PgConnection,
}

impl Target {
    /// Begins the load of the export with this digest, or goes on with it. What has events of its own, or is
    /// half loaded from another export, is left alone.
    pub(crate) async fn open(url: &str, export: [u8; 32]) -> Result<Self, MoveError> {
        let mut connection = connect(url).await?;
        let alone: bool = sqlx::query_scalar("SELECT pg_try_advisory_lock($1)")
            .bind(LOADING_LOCK)
            .fetch_one(&mut connection)
            .await?;
        if !alone {
            return Err(MoveError::Busy);
        }
        let mut tx = connection.begin().await?;
        sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(HEAD_LOCK).execute(&mut *tx).await?;
        match loading(&mut tx).await? {
            Some(other) if other != export => return Err(MoveError::OtherLoad),
            Some(_) => {}
            None => {
                let sealed: bool =
                    sqlx::query_scalar("SELECT sealed FROM duban_log.head").fetch_one(&mut *tx).await?;
                let head = head(&mut tx).await?;
                if head > 0 || sealed || count(&mut tx).await? > 0 {
                    let log = schema::identity(&mut tx).await?.log;
                    return Err(MoveError::NotEmpty { log: Some(log), head });
                }
                let begin = sqlx::query("INSERT INTO duban_log.loading (export) VALUES ($1)");
                begin.bind(export.to_vec()).execute(&mut *tx).await.map_err(not_the_owner)?;
                sqlx::query("UPDATE duban_log.head SET sealed = TRUE").execute(&mut *tx).await?;
            }
        }
        tx.commit().await?;
        Ok(Self { connection })
    }

    /// How many events and how many receipts are there.
    pub(crate) async fn loaded(&mut self) -> Result<(Position, u64), MoveError> {
        Ok((head(&mut self.connection).await?, count(&mut self.connection).await?))
    }

    /// The next events, all or none.
    pub(crate) async fn events(&mut self, events: &[StoredEvent]) -> Result<(), MoveError> {
        sqlx::query("SELECT duban_log.extend()")
            .execute(&mut self.connection)
            .await
            .map_err(not_the_owner)?;
        let mut tx = self.connection.begin().await?;
        put(&mut tx, copy::EVENTS, events, copy::event).await?;
        put(&mut tx, copy::TAGS, events, copy::tags).await?;
        tx.commit().await?;
        Ok(())
    }

    /// More receipts, all or none.
    pub(crate) async fn receipts(&mut self, receipts: &[StoredRequest]) -> Result<(), MoveError> {
        let mut tx = self.connection.begin().await?;
        put(&mut tx, copy::RECEIPTS, receipts, copy::receipt).await?;
        tx.commit().await?;
        Ok(())
    }

    /// The log is whole: it may be served, in the last of these epochs or in the one that opens now. A crash
    /// before the commit leaves it half loaded.
    pub(crate) async fn finish(
        mut self,
        epochs: &[LogIdentity],
        opening: Option<&Opening>,
        clock: &dyn Clock,
    ) -> Result<(), MoveError> {
        let mut tx = self.connection.begin().await?;
        for identity in epochs {
            identify(&mut tx, *identity).await?;
        }
        sqlx::query("UPDATE duban_log.head SET sealed = FALSE").execute(&mut *tx).await?;
        if let Some(opening) = opening {
            record(&mut tx, opening, clock).await?;
        }
        sqlx::query("DELETE FROM duban_log.loading").execute(&mut *tx).await?;
        tx.commit().await?;
        self.connection.close().await.ok();
        Ok(())
    }
}

/// Writes rows into a table, a piece at a time.
async fn put<T>(
    connection: &mut PgConnection,
    statement: &str,
    items: &[T],
    row: impl Fn(&mut String, &T),
) -> Result<(), MoveError> {
    /// About how much is sent at once.
    const PIECE: usize = 256 * 1024;
    let mut sink = connection.copy_in_raw(statement).await.map_err(not_the_owner)?;
    let mut piece = String::with_capacity(PIECE * 2);
    for item in items {
        row(&mut piece, item);
        if piece.len() >= PIECE {
            sink.send(piece.as_bytes()).await?;
            piece.clear();
        }
    }
    sink.send(piece.as_bytes()).await?;
    sink.finish().await?;
    Ok(())
}

/// What a restored database holds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Found {
    pub(crate) identity: LogIdentity,
    pub(crate) head: Position,
}

/// A database that was put back to an earlier moment, held until its new epoch is open.
pub(crate) struct Restoring {
    connection: PgConnection,
    pub(crate) found: Found,
}

impl Restoring {
    pub(crate) async fn begin(url: &str) -> Result<Self, MoveError> {
        let mut connection = connect(url).await?;
        if loading(&mut connection).await?.is_some() {
            return Err(OpenError::HalfLoaded.into());
        }
        let found =
            Found { identity: schema::identity(&mut connection).await?, head: head(&mut connection).await? };
        Ok(Self { connection, found })
    }

    /// Opens the epoch. If the log has moved on since it was looked at, it was not restored but is in use.
    pub(crate) async fn finish(mut self, opening: &Opening, clock: &dyn Clock) -> Result<(), MoveError> {
        let mut tx = self.connection.begin().await?;
        sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(HEAD_LOCK).execute(&mut *tx).await?;
        if head(&mut tx).await? != self.found.head {
            return Err(MoveError::Busy);
        }
        record(&mut tx, opening, clock).await?;
        tx.commit().await?;
        self.connection.close().await.ok();
        Ok(())
    }
}

/// Records the opening of an epoch in the one that ends, and that the log is in the new one from then on.
async fn record(
    connection: &mut PgConnection,
    opening: &Opening,
    clock: &dyn Clock,
) -> Result<(), MoveError> {
    let now = clock.now().as_microsecond();
    let previous = schema::identity(&mut *connection).await?.epoch;
    let batch = [Box::new(opening.append.clone())];
    call(connection, previous, now, &batch).await.map_err(not_the_owner)?;
    identify(connection, opening.identity).await
}

async fn identify(connection: &mut PgConnection, identity: LogIdentity) -> Result<(), MoveError> {
    let sql = "INSERT INTO duban_log.identity (sequence, log, epoch)
               SELECT coalesce(max(sequence), 0) + 1, $1, $2 FROM duban_log.identity";
    let query = sqlx::query(sql).bind(identity.log).bind(identity.epoch);
    query.execute(connection).await.map_err(not_the_owner)?;
    Ok(())
}

/// The digest of the export that is being loaded, if one is.
pub(super) async fn loading(connection: &mut PgConnection) -> Result<Option<Vec<u8>>, sqlx::Error> {
    sqlx::query_scalar("SELECT export FROM duban_log.loading").fetch_optional(connection).await
}

async fn head(connection: &mut PgConnection) -> Result<Position, sqlx::Error> {
    let sql = "SELECT position FROM duban_log.events ORDER BY position DESC LIMIT 1";
    let head: Option<i64> = sqlx::query_scalar(sql).fetch_optional(connection).await?;
    Ok(head.map_or(0, unsigned))
}

async fn count(connection: &mut PgConnection) -> Result<u64, sqlx::Error> {
    let receipts: i64 =
        sqlx::query_scalar("SELECT count(*) FROM duban_log.receipts").fetch_one(connection).await?;
    Ok(unsigned(receipts))
}
