//! The schema's migrations, which only `duban migrate` applies, and what a server asks of a database before it
//! trusts it with the log.

use sqlx::migrate::{Migrate, MigrateError, MigrationType, Migrator};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{Connection as _, Row as _, SqlSafeStr as _};
use uuid::Uuid;

use super::moving::loading;
use super::options;
use crate::append::LogIdentity;
use crate::error::OpenError;

/// The schema of the log.
const SCHEMA: &str = "duban_log";
/// Where it is written down which migrations were applied.
const TABLE: &str = "duban_log.migrations";
/// In order: version, what it does, how. One that was released is never changed.
const MIGRATIONS: [(i64, &str, &str); 3] = [
    (1, "the log, append-only by privilege and by trigger", include_str!("migrations/0001_log.sql")),
    (2, "a log may move in", include_str!("migrations/0002_moving.sql")),
    (3, "an event keeps its command's fingerprint", include_str!("migrations/0003_fingerprints.sql")),
];
/// The functions that the role that serves may call.
const FUNCTIONS: &str = "duban_log.append_batch, duban_log.settle, duban_log.extend, duban_log.self_test";
/// What must hold for a commit to be durable: the setting and the value that is refused.
const DURABLE: [(&str, &str); 3] =
    [("fsync", "off"), ("synchronous_commit", "off"), ("full_page_writes", "off")];
/// The oldest major version that is tested.
const OLDEST: u32 = 14;

/// A migration and whether the database has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migration {
    /// Its number.
    pub version: i64,
    /// What it does.
    pub description: String,
    /// Whether it was applied.
    pub applied: bool,
    /// The SQL.
    pub sql: &'static str,
}

/// The migrations of one database.
pub struct Migrations {
    connection: PgConnection,
}

impl Migrations {
    /// Connects as the role that owns the log's schema.
    pub async fn connect(url: &str) -> Result<Self, OpenError> {
        // A migration may take longer than any statement of a server.
        let options = options(url)?.options([("statement_timeout", "0")]);
        Ok(Self { connection: PgConnection::connect_with(&options).await? })
    }

    /// All that this program knows; an error if the database has one that it doesn't.
    pub async fn list(&mut self) -> Result<Vec<Migration>, OpenError> {
        let applied = applied(&mut self.connection).await?;
        let known = MIGRATIONS.last().map_or(0, |(version, ..)| *version);
        if let Some(found) = applied.iter().copied().max().filter(|found| *found > known) {
            return Err(OpenError::NewerSchema { found, known });
        }
        let migration = |(version, description, sql): (i64, &str, &'static str)| Migration {
            version,
            description: description.to_owned(),
            applied: applied.contains(&version),
            sql,
        };
        Ok(MIGRATIONS.into_iter().map(migration).collect())
    }

    /// Applies what is missing, each in a transaction of its own, then lets `role` serve: read the log, call its
    /// functions, own the views. Twice is once.
    pub async fn up(&mut self, role: Option<&str>) -> Result<(), OpenError> {
        let migrator = migrator();
        migrator.run(&mut self.connection).await.map_err(fault)?;
        let mut script = format!(
            "REVOKE ALL ON SCHEMA {SCHEMA} FROM PUBLIC;
             REVOKE ALL ON ALL FUNCTIONS IN SCHEMA {SCHEMA} FROM PUBLIC;"
        );
        if let Some(role) = role {
            let quoted: String = sqlx::query_scalar("SELECT quote_ident($1)")
                .bind(role)
                .fetch_one(&mut self.connection)
                .await?;
            let grants = format!(
                "GRANT USAGE ON SCHEMA {SCHEMA} TO {quoted};
                 GRANT SELECT ON ALL TABLES IN SCHEMA {SCHEMA} TO {quoted};
                 GRANT EXECUTE ON FUNCTION {FUNCTIONS} TO {quoted};
                 CREATE SCHEMA IF NOT EXISTS duban_views AUTHORIZATION {quoted};"
            );
            script += &grants;
        }
        let mut tx = self.connection.begin().await?;
        sqlx::raw_sql(sqlx::AssertSqlSafe(script)).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Hangs up.
    pub async fn close(self) {
        self.connection.close().await.ok();
    }
}

fn migrator() -> Migrator {
    let migration = |(version, description, sql): (i64, &'static str, &'static str)| {
        let (kind, sql) = (MigrationType::Simple, sql.into_sql_str());
        sqlx::migrate::Migration::new(version, description.into(), kind, sql, false)
    };
    let mut migrator = Migrator::with_migrations(MIGRATIONS.into_iter().map(migration).collect());
    migrator.dangerous_set_table_name(TABLE);
    migrator.create_schema(SCHEMA);
    migrator
}

fn fault(error: MigrateError) -> OpenError {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => error.into(),
        other => OpenError::Migration(other.to_string()),
    }
}

/// The versions that the database has.
async fn applied(connection: &mut PgConnection) -> Result<Vec<i64>, OpenError> {
    let there: bool = sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL")
        .bind(TABLE)
        .fetch_one(&mut *connection)
        .await?;
    if !there {
        return Ok(Vec::new());
    }
    let applied = connection.list_applied_migrations(TABLE).await.map_err(fault)?;
    Ok(applied.iter().map(|migration| migration.version).collect())
}

/// Checks that the database may be trusted with the log, and reads which log it is. Changes nothing.
pub(super) async fn examine(options: &PgConnectOptions) -> Result<LogIdentity, OpenError> {
    let mut connection = PgConnection::connect_with(options).await?;
    let examined = examine_by(&mut connection).await;
    connection.close().await.ok();
    examined
}

async fn examine_by(connection: &mut PgConnection) -> Result<LogIdentity, OpenError> {
    let version = connection.server_version_num().unwrap_or(0);
    if version < OLDEST * 10_000 {
        return Err(OpenError::OldServer { found: version / 10_000, oldest: OLDEST });
    }
    for (setting, refused) in DURABLE {
        let value: String = sqlx::query_scalar("SELECT current_setting($1)")
            .bind(setting)
            .fetch_one(&mut *connection)
            .await?;
        if value == refused {
            return Err(OpenError::NotDurable(setting));
        }
    }
    is_current(connection).await?;
    powers(connection).await?;
    if loading(connection).await?.is_some() {
        return Err(OpenError::HalfLoaded);
    }
    identity(connection).await
}

/// Which log it is: the last row, since each epoch adds one.
pub(super) async fn identity(connection: &mut PgConnection) -> Result<LogIdentity, OpenError> {
    let row = sqlx::query("SELECT log, epoch FROM duban_log.identity ORDER BY sequence DESC LIMIT 1")
        .fetch_one(connection)
        .await?;
    Ok(LogIdentity { log: row.try_get::<Uuid, _>(0)?, epoch: row.try_get::<Uuid, _>(1)? })
}

/// Checks that the schema is there, for this role too, and of the version that this program knows.
pub(super) async fn is_current(connection: &mut PgConnection) -> Result<(), OpenError> {
    let known = MIGRATIONS.last().map_or(0, |(version, ..)| *version);
    let sql =
        "SELECT has_schema_privilege('duban_log', 'USAGE') WHERE to_regnamespace('duban_log') IS NOT NULL";
    match sqlx::query_scalar::<_, bool>(sql).fetch_optional(&mut *connection).await? {
        None => return Err(OpenError::OlderSchema { found: 0, known }),
        Some(false) => return Err(OpenError::Role("has no access to the log: see duban migrate --app-role")),
        Some(true) => {}
    }
    match applied(connection).await?.into_iter().max().unwrap_or(0) {
        found if found > known => Err(OpenError::NewerSchema { found, known }),
        found if found < known => Err(OpenError::OlderSchema { found, known }),
        _ => Ok(()),
    }
}

/// The role that serves must be able to append through the function, and in no other way.
async fn powers(connection: &mut PgConnection) -> Result<(), OpenError> {
    let sql = "SELECT bool_or(has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')),
                      bool_and(has_table_privilege(c.oid, 'SELECT')),
                      (SELECT bool_and(has_function_privilege(p.oid, 'EXECUTE')) FROM pg_proc AS p
                        WHERE p.pronamespace = 'duban_log'::regnamespace
                          AND p.proname IN ('append_batch', 'settle', 'extend', 'self_test')),
                      coalesce(has_schema_privilege(to_regnamespace('duban_views')::oid, 'CREATE'), FALSE)
               FROM pg_class AS c WHERE c.relnamespace = 'duban_log'::regnamespace AND c.relkind IN ('r', 'p')";
    let row = sqlx::query(sql).fetch_one(connection).await?;
    let has = |column: usize| row.try_get::<Option<bool>, _>(column).map(|has| has == Some(true));
    if has(0)? {
        return Err(OpenError::Role(
            "can write the log's tables past its functions: serve with the role given to duban migrate --app-role",
        ));
    }
    if !has(1)? || !has(2)? {
        return Err(OpenError::Role("can't read the log or append to it: see duban migrate --app-role"));
    }
    if !has(3)? {
        return Err(OpenError::Role("has no schema for its views: see duban migrate --app-role"));
    }
    Ok(())
}
