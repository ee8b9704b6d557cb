//! The log on Postgres: shared by any number of processes, each with a committer of its own.
//!
//! Whoever appends calls one function, which takes the lock of the head, tests receipts and conditions, writes and
//! notifies, all in one statement that is a transaction of its own: the lock never waits for a client, so a
//! process that is stopped or cut off at any moment holds up nobody. What a reader sees below a head that it was
//! told never changes again, so a read bounded by a head needs no transaction.
//!
//! The tables belong to a role that migrates (`duban migrate`); the role that serves may only read them and
//! call the functions.

mod copy;
mod found;
mod head;
mod listen;
pub(crate) mod moving;
mod reader;
mod schema;
mod self_test;
mod store;
mod writer;

use std::str::FromStr as _;
use std::time::Duration;

use sqlx::ConnectOptions as _;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};

pub(crate) use listen::VIEWS;
pub(crate) use reader::again;
pub use schema::{Migration, Migrations};
pub(crate) use store::Store;

use crate::error::OpenError;

/// Connections that read the log; one of them listens.
const READERS: u32 = 5;
/// Connections that read views. Apart from those of the log: who holds a snapshot of the views may ask the log,
/// and would else wait for a connection that all the others hold on the same terms. With the one that appends and
/// the one that writes views a process has thirteen.
const VIEW_READERS: u32 = 6;
/// How long a read waits for a free connection, or for the database to take one.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the database works on one statement before it gives up.
const STATEMENT_TIMEOUT: &str = "30s";
/// How long a connection may be silent within a transaction: a process that was stopped there lets go.
const IDLE_TIMEOUT: &str = "10s";

/// How to connect, as `url` says; every session is told apart by its name.
pub(crate) fn options(url: &str) -> Result<PgConnectOptions, OpenError> {
    let options = PgConnectOptions::from_str(url).map_err(|error| OpenError::Address(error.to_string()))?;
    Ok(options
        .application_name("duban")
        .options([
            ("default_transaction_isolation", "read committed"),
            ("statement_timeout", STATEMENT_TIMEOUT),
            ("idle_in_transaction_session_timeout", IDLE_TIMEOUT),
        ])
        .disable_statement_logging())
}

/// So many connections that read, opened when they are needed.
fn pool(options: &PgConnectOptions, connections: u32) -> PgPool {
    PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        // A ping before each read would double the round trips; who meets a dead connection asks again.
        .test_before_acquire(false)
        .connect_lazy_with(options.clone())
}

/// Whether the connection was lost, or the database is going or not yet there: sent again, it may work.
pub(crate) fn is_passing(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::PoolTimedOut => true,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| {
            // Connections, shutdown and start, a standby that is promoted, deadlocks, a statement out of time.
            code.starts_with("08")
                || code.starts_with("57")
                || matches!(&*code, "25006" | "53300" | "40001" | "40P01" | "25P03")
        }),
        _ => false,
    }
}

/// The URL without its password.
pub(crate) fn without_secrets(url: &str) -> String {
    match PgConnectOptions::from_str(url) {
        Ok(options) => {
            let database = options.get_database().unwrap_or_default();
            format!(
                "postgres://{}@{}:{}/{database}",
                options.get_username(),
                options.get_host(),
                options.get_port()
            )
        }
        Err(_) => "postgres:…".to_owned(),
    }
}
