//! A log in a data folder as what moves: read for an export beside the server that owns the folder, loaded from
//! one, sealed, copied whole.

use std::path::{Path, PathBuf};

use duban_domain::{Position, Tag};
use sqlx::sqlite::{SqliteConnection, SqliteSynchronous};
use sqlx::{Connection, Row};
use uuid::Uuid;

use super::plan::plan;
use super::reader::{self, receipt_of};
use super::rows::Rows;
use super::schema::{self, FINGERPRINTED, identify};
use super::script::{self, EVENT_COLUMNS, EVENTS, RECEIPT_COLUMNS, RECEIPTS};
use super::writer::know;
use super::{Bound, Database, Folder, Insert, Reader, last, signed, unsigned};
use crate::append::LogIdentity;
use crate::clock::Clock;
use crate::engine::Bounds;
use crate::error::{OpenError, ReadError};
use crate::event::{Page, StoredEvent};
use crate::moving::{MoveError, Opening, StoredRequest};

/// Pages of the write-ahead log that a load lets gather, of 4 KiB.
const CHECKPOINT_PAGES: u32 = 16 * 1024;
/// The file of the log in a data folder.
const FILE: &str = "log.db";

fn at(folder: &Path) -> Database {
    Database::at(&folder.join(FILE), SqliteSynchronous::Full)
}

/// The log in a folder, read-only. Another process may own the folder and append meanwhile.
pub(crate) struct Source {
    reader: Reader,
    rows: Rows,
    identity: LogIdentity,
    head: Position,
    /// Where it was ended, if it was.
    seal: Option<Position>,
}

impl Source {
    pub(crate) async fn open(folder: &Path) -> Result<Self, MoveError> {
        let path = folder.join(FILE);
        if !path.is_file() {
            return Err(MoveError::NoLog(folder.display().to_string()));
        }
        let pool = Database::untouched(&path).readers(1).await.map_err(OpenError::from)?;
        let mut connection = pool.acquire().await?;
        let version = schema::version(&mut connection, &path).await?;
        // Files of version 1 were never moved.
        let moves = version.is_some_and(|version| version > 1);
        if moves && schema::loading(&mut connection).await?.is_some() {
            return Err(OpenError::HalfLoaded.into());
        }
        let identity =
            schema::identity(&mut connection).await?.ok_or_else(|| OpenError::NotALog(path.clone()))?;
        // Asked before the head: what is found after the end is the end.
        let seal = if moves { schema::seal(&mut connection).await? } else { None };
        let (head, _) = last(&mut connection).await?;
        drop(connection);
        let reader = match version {
            Some(older) if older < FINGERPRINTED => Reader::without_fingerprints(pool),
            _ => Reader::new(pool),
        };
        Ok(Self { reader, rows: Rows::of(&path), identity, head, seal })
    }

    pub(super) fn reader(&self) -> &Reader {
        &self.reader
    }

    /// For whoever reads all of it.
    pub(super) fn rows(&self) -> &Rows {
        &self.rows
    }

    pub(crate) fn identity(&self) -> LogIdentity {
        self.identity
    }

    pub(crate) fn head(&self) -> Position {
        self.head
    }

    pub(crate) fn is_sealed(&self) -> bool {
        self.seal.is_some()
    }

    /// The position at which it was ended, as it says.
    pub(crate) fn seal(&self) -> Option<Position> {
        self.seal
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
        let (request_id, principal) = after.map_or((Vec::new(), String::new()), |(request_id, principal)| {
            (request_id.as_bytes().to_vec(), principal)
        });
        let sql = concat!(
            "SELECT ",
            reader::receipt_columns!(),
            " FROM receipts WHERE (request_id, principal) > ($1, $2) AND last_position <= $3 \
             ORDER BY request_id, principal LIMIT $4"
        );
        let rows = sqlx::query(sql)
            .bind(request_id)
            .bind(principal)
            .bind(signed(up_to))
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .fetch_all(self.reader.pool())
            .await?;
        let receipts = rows.iter().map(|row| {
            let ((request_id, principal), stored) = receipt_of(row)?;
            Ok(StoredRequest { request_id, principal, stored })
        });
        receipts.collect()
    }

    /// How many receipts there are of what was done up to `up_to`.
    pub(crate) async fn count(&self, up_to: Position) -> Result<u64, MoveError> {
        let sql = "SELECT COUNT(*) FROM receipts WHERE last_position <= $1";
        let count = sqlx::query_scalar(sql).bind(signed(up_to)).fetch_one(self.reader.pool()).await?;
        Ok(unsigned(count))
    }

    pub(crate) async fn close(self) {
        self.reader.close().await;
    }
}

/// Ends the log in a folder, which nobody else may own. Sealing what is sealed changes nothing.
pub(crate) async fn seal(folder: &Path, clock: &dyn Clock) -> Result<(), MoveError> {
    let path = folder.join(FILE);
    if !path.is_file() {
        return Err(MoveError::NoLog(folder.display().to_string()));
    }
    let _folder = Folder::own(folder)?;
    let mut connection = at(folder).writer().await?;
    let mut tx = connection.begin_with("BEGIN IMMEDIATE").await?;
    schema::tables(&mut tx, &path).await?;
    if schema::loading(&mut tx).await?.is_some() {
        return Err(OpenError::HalfLoaded.into());
    }
    sqlx::query(
        "INSERT INTO seal (sequence, position, sealed_at)
         SELECT 1, COALESCE((SELECT MAX(position) FROM events), 0), $1 WHERE NOT EXISTS (SELECT 1 FROM seal)",
    )
    .bind(clock.now().as_microsecond())
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    connection.close().await?;
    Ok(())
}

/// A folder that is being loaded.
pub(crate) struct Target {
    connection: SqliteConnection,
    events: Insert,
    receipts: Insert,
    /// Held until the load is done or given up.
    _folder: Folder,
}

impl Target {
    /// Begins the load of the export with this digest, or goes on with it. What has events of its own, or is
    /// half loaded from another export, is left alone.
    pub(crate) async fn open(folder: &Path, export: [u8; 32]) -> Result<Self, MoveError> {
        let owned = Folder::own(folder)?;
        let path = folder.join(FILE);
        let mut connection = at(folder).writer().await?;
        let mut tx = connection.begin_with("BEGIN IMMEDIATE").await?;
        schema::tables(&mut tx, &path).await?;
        match schema::loading(&mut tx).await? {
            Some(other) if other != export => return Err(MoveError::OtherLoad),
            Some(_) => {}
            None => {
                let (head, _) = last(&mut tx).await?;
                if head > 0 || schema::is_sealed(&mut tx).await? || count(&mut tx).await? > 0 {
                    let log = schema::identity(&mut tx).await?;
                    return Err(MoveError::NotEmpty { log: log.map(|identity| identity.log), head });
                }
                let begin = sqlx::query("INSERT INTO loading (sequence, export) VALUES (1, $1)");
                begin.bind(export.to_vec()).execute(&mut *tx).await?;
            }
        }
        tx.commit().await?;
        // Each transaction is large: the write-ahead log is taken into the file when several of them are in it.
        sqlx::raw_sql(sqlx::AssertSqlSafe(format!("PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")))
            .execute(&mut connection)
            .await?;
        let (events, receipts) =
            (Insert::into(EVENTS, EVENT_COLUMNS), Insert::into(RECEIPTS, RECEIPT_COLUMNS));
        Ok(Self { connection, events, receipts, _folder: owned })
    }

    /// How many events and how many receipts are there.
    pub(crate) async fn loaded(&mut self) -> Result<(Position, u64), MoveError> {
        let (head, _) = last(&mut self.connection).await?;
        Ok((head, count(&mut self.connection).await?))
    }

    /// The next events, all or none.
    pub(crate) async fn events(&mut self, events: &[StoredEvent]) -> Result<(), MoveError> {
        let mut tx = self.connection.begin_with("BEGIN IMMEDIATE").await?;
        self.events.rows(&mut tx, events, bind_event).await?;
        tx.commit().await?;
        Ok(())
    }

    /// More receipts, all or none.
    pub(crate) async fn receipts(&mut self, receipts: &[StoredRequest]) -> Result<(), MoveError> {
        let mut tx = self.connection.begin_with("BEGIN IMMEDIATE").await?;
        self.receipts.rows(&mut tx, receipts, bind_receipt).await?;
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
        let mut tx = self.connection.begin_with("BEGIN IMMEDIATE").await?;
        for identity in epochs {
            identify(&mut tx, *identity).await?;
        }
        if let Some(opening) = opening {
            record(&mut tx, opening, clock).await?;
        }
        sqlx::query("DELETE FROM loading").execute(&mut *tx).await?;
        tx.commit().await?;
        self.connection.close().await?;
        Ok(())
    }
}

fn bind_event<'q>(query: Bound<'q>, event: &StoredEvent) -> Bound<'q> {
    query
        .bind(signed(event.position))
        .bind(event.id.as_bytes().to_vec())
        .bind(event.event_type.clone())
        .bind(event.recorded_at.as_microsecond())
        .bind(event.effective_on.to_string())
        .bind(event.actor.clone())
        .bind(event.role.clone())
        .bind(event.agency.clone())
        .bind(event.request_id.as_bytes().to_vec())
        .bind(event.correlation.as_bytes().to_vec())
        .bind(event.causation.map(signed))
        .bind(event.trace_id.clone())
        .bind(event.nonce.to_vec())
        .bind(reader::write_tags(&event.tags))
        .bind(event.body.to_vec())
        .bind(event.fingerprint.map(Vec::from))
}

fn bind_receipt<'q>(query: Bound<'q>, receipt: &StoredRequest) -> Bound<'q> {
    let StoredRequest { request_id, principal, stored } = receipt;
    query
        .bind(request_id.as_bytes().to_vec())
        .bind(principal.clone())
        .bind(stored.fingerprint.to_vec())
        .bind(signed(stored.receipt.first))
        .bind(signed(stored.receipt.last))
        .bind(stored.receipt.recorded_at.as_microsecond())
}

async fn count(connection: &mut SqliteConnection) -> Result<u64, sqlx::Error> {
    let receipts = sqlx::query_scalar("SELECT COUNT(*) FROM receipts").fetch_one(connection).await?;
    Ok(unsigned(receipts))
}

/// Records the opening of an epoch as the committer would, and that the log is in it from then on.
async fn record(
    connection: &mut SqliteConnection,
    opening: &Opening,
    clock: &dyn Clock,
) -> Result<(), sqlx::Error> {
    let batch = std::slice::from_ref(&opening.append);
    let known = know(connection, batch).await?;
    let now = clock.now().as_microsecond().max(known.recorded_at.saturating_add(1));
    script::write(connection, &plan(known, batch.iter(), now)).await?;
    identify(connection, opening.identity).await
}

/// Copies the log of a folder, which may be in use, into one file as it is at one moment.
pub(crate) async fn copy(folder: &Path, to: &Path) -> Result<(), MoveError> {
    Source::open(folder).await?.close().await;
    let pool = Database::untouched(&folder.join(FILE)).readers(1).await?;
    let copied = sqlx::query("VACUUM INTO $1").bind(to.to_string_lossy().into_owned()).execute(&pool).await;
    pool.close().await;
    copied?;
    Ok(())
}

/// What a copy holds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Checked {
    pub(crate) identity: LogIdentity,
    pub(crate) head: Position,
    pub(crate) sealed: bool,
}

/// Checks that a file is a whole log: the database itself, and that no event is missing.
pub(crate) async fn check(file: &Path) -> Result<Checked, MoveError> {
    let mut connection = alone(file).await?;
    let version = schema::version(&mut connection, file).await?;
    let damaged = |what: String| MoveError::Damaged { file: file.to_owned(), position: None, what };
    let answers = sqlx::query("PRAGMA integrity_check").fetch_all(&mut connection).await?;
    let answer: String = answers.first().map_or(Ok(String::new()), |row| row.try_get(0))?;
    if answer != "ok" {
        return Err(damaged(answer));
    }
    if version.is_some_and(|version| version > 1) && schema::loading(&mut connection).await?.is_some() {
        return Err(OpenError::HalfLoaded.into());
    }
    let (head, _) = last(&mut connection).await?;
    let events: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM events").fetch_one(&mut connection).await?;
    if unsigned(events) != head {
        return Err(damaged(format!("it has {events} events, and the last is at {head}")));
    }
    let sealed = version.is_some_and(|version| version > 1) && schema::is_sealed(&mut connection).await?;
    let identity = schema::identity(&mut connection).await?;
    let identity = identity.ok_or_else(|| OpenError::NotALog(file.to_owned()))?;
    connection.close().await?;
    Ok(Checked { identity, head, sealed })
}

/// Opens an epoch of the log in a file.
pub(crate) async fn open_epoch(file: &Path, opening: &Opening, clock: &dyn Clock) -> Result<(), MoveError> {
    let mut connection = alone(file).await?;
    let mut tx = connection.begin_with("BEGIN IMMEDIATE").await?;
    schema::tables(&mut tx, file).await?;
    record(&mut tx, opening, clock).await?;
    tx.commit().await?;
    connection.close().await?;
    Ok(())
}

/// A file that nobody else has open, without a write-ahead log beside it.
async fn alone(file: &Path) -> Result<SqliteConnection, MoveError> {
    Ok(Database::alone(file).writer().await?)
}

/// A folder that has no log yet, owned, and the file in it that would be the log.
pub(crate) async fn vacant(folder: &Path) -> Result<(Folder, PathBuf), MoveError> {
    let owned = Folder::own(folder)?;
    let path = owned.file(FILE);
    if path.exists() {
        let source = Source::open(folder).await?;
        let (log, head) = (Some(source.identity().log), source.head());
        source.close().await;
        return Err(MoveError::NotEmpty { log, head });
    }
    Ok((owned, path))
}
