//! What the database itself takes: bare rows in and out, of as many bytes as an event has.

use std::path::Path;
use std::time::{Duration, Instant};

use duban_log::Location;
use futures::{Stream, TryStreamExt as _};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgRow};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteRow, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, Row as _};

use crate::Result;
use crate::place::Place;
use crate::samples::Samples;

/// Rows in one transaction, where they come in bulk.
const TOGETHER: u64 = 500;

enum Connection {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// A table with one column of bytes.
pub struct Rows {
    connection: Connection,
    bytes: Vec<u8>,
}

impl Rows {
    /// A new one beside a log, whose rows have so many bytes. Each commit is on the disk, as in the log.
    pub async fn beside(place: &Place, bytes: usize) -> Result<Self> {
        let connection = match place {
            Place::Kept(folder) => Connection::Sqlite(sqlite(folder).await?),
            Place::Passing(folder) => Connection::Sqlite(sqlite(folder.path()).await?),
            Place::Database(database) => {
                let mut connection = database.superuser().await;
                let table = "CREATE TABLE bare (position BIGSERIAL PRIMARY KEY, bytes BYTEA NOT NULL)";
                sqlx::query(table).execute(&mut connection).await?;
                Connection::Postgres(connection)
            }
        };
        Ok(Self { connection, bytes: vec![0x5a; bytes] })
    }

    /// Inserts rows, each durable before the next.
    pub async fn one_by_one(&mut self, times: usize) -> Result<Samples> {
        let mut samples = Samples::default();
        for _ in 0..times {
            let start = Instant::now();
            self.insert(1).await?;
            samples.push(start.elapsed());
        }
        Ok(samples)
    }

    /// Inserts so many rows in large transactions; how long that took.
    pub async fn in_bulk(&mut self, rows: u64) -> Result<Duration> {
        let start = Instant::now();
        let mut left = rows;
        while left > 0 {
            let now = left.min(TOGETHER);
            self.insert(now).await?;
            left -= now;
        }
        Ok(start.elapsed())
    }

    async fn insert(&mut self, rows: u64) -> Result<()> {
        const INSERT: &str = "INSERT INTO bare (bytes) VALUES ($1)";
        match &mut self.connection {
            Connection::Sqlite(connection) => {
                let mut tx = connection.begin_with("BEGIN IMMEDIATE").await?;
                for _ in 0..rows {
                    sqlx::query(INSERT).bind(&self.bytes[..]).execute(&mut *tx).await?;
                }
                tx.commit().await?;
            }
            Connection::Postgres(connection) => {
                let mut tx = connection.begin().await?;
                for _ in 0..rows {
                    sqlx::query(INSERT).bind(&self.bytes[..]).execute(&mut *tx).await?;
                }
                tx.commit().await?;
            }
        }
        Ok(())
    }
}

async fn sqlite(folder: &Path) -> Result<SqliteConnection> {
    let options = SqliteConnectOptions::new()
        .filename(folder.join("rows.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full);
    let mut connection = options.disable_statement_logging().connect().await?;
    let table = "CREATE TABLE bare (position INTEGER PRIMARY KEY, bytes BLOB NOT NULL)";
    sqlx::query(table).execute(&mut connection).await?;
    Ok(connection)
}

/// What a scan found.
pub struct Scan {
    /// How long it took.
    pub took: Duration,
    /// The bytes of a row, on average.
    pub row: usize,
}

/// Scans the events of a log that nobody writes to, every column of each.
pub async fn scan(place: &Place) -> Result<Scan> {
    let start = Instant::now();
    let (rows, bytes) = match place.location() {
        Location::Folder(folder) => {
            let options = SqliteConnectOptions::new().filename(folder.join("log.db")).read_only(true);
            let mut connection = options.disable_statement_logging().connect().await?;
            let all = sqlx::query("SELECT * FROM events ORDER BY position").fetch(&mut connection);
            sum(all, bytes_in_sqlite).await?
        }
        Location::Postgres(url) => {
            let mut connection = url.parse::<PgConnectOptions>()?.connect().await?;
            let all = sqlx::query("SELECT * FROM duban_log.events ORDER BY position").fetch(&mut connection);
            sum(all, bytes_in_postgres).await?
        }
    };
    Ok(Scan { took: start.elapsed(), row: bytes / usize::max(rows, 1) })
}

async fn sum<R>(
    mut rows: impl Stream<Item = std::result::Result<R, sqlx::Error>> + Unpin,
    bytes_in: fn(&R) -> Result<usize>,
) -> Result<(usize, usize)> {
    let (mut count, mut bytes) = (0, 0);
    while let Some(row) = rows.try_next().await? {
        bytes += bytes_in(&row)?;
        count += 1;
    }
    Ok((count, bytes))
}

fn bytes_in_sqlite(row: &SqliteRow) -> Result<usize> {
    let mut bytes = 0;
    for column in 0..row.len() {
        // Numbers have bytes too, as text.
        bytes += row.try_get_unchecked::<Option<&[u8]>, _>(column)?.map_or(0, <[u8]>::len);
    }
    Ok(bytes)
}

fn bytes_in_postgres(row: &PgRow) -> Result<usize> {
    let mut bytes = 0;
    for column in 0..row.len() {
        bytes += row.try_get_raw(column)?.as_bytes().map_or(0, <[u8]>::len);
    }
    Ok(bytes)
}
