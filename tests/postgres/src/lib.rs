//! A Postgres for tests: `DUBAN_TEST_POSTGRES` names one, or the test program starts its own from the installed
//! binaries, in a temporary folder, and takes it down when it ends, however it ends. A database for each test.
//!
//! Where there is none it says so loudly; under `CI=true` it fails.

#![allow(clippy::missing_panics_doc, clippy::expect_used, reason = "a test that can't go on fails")]

mod server;

use std::sync::atomic::{AtomicU32, Ordering};

use duban_log::Migrations;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::sync::OnceCell;

pub use server::Server;

/// The role that owns the log.
pub const OWNER: &str = "duban_owner";
/// The role that serves.
pub const APP: &str = "duban_app";

/// Where a Postgres of one's own is named: a URL of a role that may make roles and databases.
const GIVEN: &str = "DUBAN_TEST_POSTGRES";

/// The server of this test program: its URL as superuser, and the server where it is our own.
static SHARED: OnceCell<Option<(PgConnectOptions, Option<Server>)>> = OnceCell::const_new();
static DATABASES: AtomicU32 = AtomicU32::new(0);

/// A database with a migrated, empty log, gone when it is dropped by its server's end.
#[derive(Debug, Clone)]
pub struct Database {
    name: String,
    options: PgConnectOptions,
}

impl Database {
    /// A new one on this test program's server. `None`, said loudly, where the machine has no Postgres.
    pub async fn migrated() -> Option<Self> {
        let database = Self::empty().await?;
        let mut migrations = Migrations::connect(&database.owner()).await.expect("the owner connects");
        migrations.up(Some(APP)).await.expect("the log's schema is made");
        migrations.close().await;
        Some(database)
    }

    /// The same without the log's schema.
    pub async fn empty() -> Option<Self> {
        let (options, _) = SHARED.get_or_init(start).await.as_ref()?;
        let number = DATABASES.fetch_add(1, Ordering::Relaxed);
        Some(Self::on(options, &format!("duban_{}_{number}", std::process::id())).await)
    }

    /// Another one with the same content. Nobody may be connected to this one.
    pub async fn copy(&self) -> Self {
        let name = format!("duban_{}_{}", std::process::id(), DATABASES.fetch_add(1, Ordering::Relaxed));
        let mut connection = self.options.connect().await.expect("the superuser connects");
        let copy = format!("CREATE DATABASE {name} OWNER {OWNER} TEMPLATE {}", self.name);
        sqlx::query(sqlx::AssertSqlSafe(copy)).execute(&mut connection).await.expect("a database is copied");
        connection.close().await.ok();
        Self { name, options: self.options.clone() }
    }

    /// A new one on another server.
    pub async fn on(options: &PgConnectOptions, name: &str) -> Self {
        let mut connection = options.connect().await.expect("the superuser connects");
        let create = format!("CREATE DATABASE {name} OWNER {OWNER}");
        sqlx::query(sqlx::AssertSqlSafe(create)).execute(&mut connection).await.expect("a database is made");
        connection.close().await.ok();
        Self { name: name.to_owned(), options: options.clone() }
    }

    /// Its URL for the role that owns the log.
    pub fn owner(&self) -> String {
        self.url(OWNER)
    }

    /// Its URL for the role that serves.
    pub fn app(&self) -> String {
        self.url(APP)
    }

    /// A connection of somebody who may do anything.
    pub async fn superuser(&self) -> PgConnection {
        self.options.clone().database(&self.name).connect().await.expect("the superuser connects")
    }

    fn url(&self, role: &str) -> String {
        let (host, port, name) = (self.options.get_host(), self.options.get_port(), &self.name);
        format!("postgres://{role}:{role}@{host}:{port}/{name}")
    }
}

#[allow(clippy::disallowed_methods, reason = "where a Postgres is to be had is the machine's to say")]
async fn start() -> Option<(PgConnectOptions, Option<Server>)> {
    let found = match std::env::var(GIVEN) {
        Ok(url) => Some((url.parse().expect("DUBAN_TEST_POSTGRES is a URL"), None)),
        Err(_) => Server::start().await.map(|server| (server.options(), Some(server))),
    };
    let Some((options, server)) = found else {
        missing();
        return None;
    };
    roles(&options).await;
    Some((options, server))
}

#[allow(clippy::disallowed_methods, reason = "whether this is CI is the machine's to say")]
fn missing() {
    let what = "NOT TESTED: no Postgres found. Install postgresql (14 or newer), or set DUBAN_TEST_POSTGRES to a URL.";
    assert!(std::env::var("CI").is_err(), "{what}");
    // Straight to the terminal: what a test that passes prints is not shown.
    std::io::Write::write_all(&mut std::io::stderr(), format!("\n{what}\n").as_bytes()).ok();
}

/// Makes the roles where there are none; of two test programs at once, one waits.
pub async fn roles(options: &PgConnectOptions) {
    let mut connection = options.connect().await.expect("the superuser connects");
    sqlx::query("SELECT pg_advisory_lock(1)").execute(&mut connection).await.expect("a turn");
    for role in [OWNER, APP] {
        let script = format!("CREATE ROLE {role} LOGIN PASSWORD '{role}'");
        let made = sqlx::query(sqlx::AssertSqlSafe(script)).execute(&mut connection).await;
        let known = |error: &sqlx::Error| {
            error
                .as_database_error()
                .and_then(sqlx::error::DatabaseError::code)
                .is_some_and(|code| code == "42710")
        };
        assert!(made.as_ref().err().is_none_or(known), "{made:?}");
    }
    // The owner makes the schema of the views and gives it to the role that serves.
    let grant = format!("GRANT {APP} TO {OWNER}");
    sqlx::query(sqlx::AssertSqlSafe(grant)).execute(&mut connection).await.expect("a grant");
    connection.close().await.ok();
}
