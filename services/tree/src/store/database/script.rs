//! What the database is told.

use sqlx::postgres::{PgConnectOptions, PgPool};
use sqlx::{ConnectOptions as _, Connection as _, PgConnection};

use crate::store::TREE;

/// Files as they are in a folder. They are stored as they come: hashes don't get shorter by compression, and leaves
/// are to be read fast.
const SCHEMA: &str = r#"
CREATE SCHEMA IF NOT EXISTS duban_tree;
CREATE TABLE IF NOT EXISTS duban_tree.files (
    tree TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    bytes BYTEA NOT NULL,
    PRIMARY KEY (tree, name)
);
ALTER TABLE duban_tree.files ALTER COLUMN bytes SET STORAGE EXTERNAL;
COMMENT ON TABLE duban_tree.files IS 'Audit trees, by the names of the files that they have in a folder';
"#;
/// What must hold for a commit to be durable: the setting and the value that is refused.
const DURABLE: [(&str, &str); 3] =
    [("fsync", "off"), ("synchronous_commit", "off"), ("full_page_writes", "off")];
/// What Postgres says of a table that is not there.
const NO_TABLE: &str = "42P01";

/// Files to be written at once, and folders of files to be removed.
#[derive(Default)]
pub(super) struct Change {
    names: Vec<String>,
    bytes: Vec<Vec<u8>>,
    pub(super) gone: Vec<String>,
}

impl Change {
    /// Adds a file.
    pub(super) fn put(&mut self, name: String, bytes: Vec<u8>) {
        self.names.push(name);
        self.bytes.push(bytes);
    }
}

/// What comes of asking for the right to write.
pub(super) enum Opened {
    /// This connection has it.
    Locked {
        connection: Box<PgConnection>,
        /// `tree.json`.
        stood: Option<Vec<u8>>,
    },
    /// Somebody else has it.
    InUse,
    /// No tree may be written here.
    Unfit(String),
}

/// Asks for the right to write a tree, on a connection of its own.
pub(super) async fn open(options: PgConnectOptions, tree: String) -> Result<Opened, sqlx::Error> {
    let mut connection = options.connect().await?;
    if let Some(why) = unfit(&mut connection).await? {
        return Ok(Opened::Unfit(why));
    }
    make(&mut connection).await?;
    let lock = "SELECT pg_try_advisory_lock(hashtextextended('duban_tree/' || $1, 0))";
    if !sqlx::query_scalar::<_, bool>(lock).bind(&tree).fetch_one(&mut connection).await? {
        return Ok(Opened::InUse);
    }
    let stood = file(&mut connection, &tree, TREE).await?;
    Ok(Opened::Locked { connection: Box::new(connection), stood })
}

/// Writes in one transaction, if `tree.json` is still what it was. Without a connection comes back who was too late.
pub(super) async fn write(
    mut connection: PgConnection,
    tree: String,
    stood: Option<Vec<u8>>,
    change: Change,
) -> Result<Option<PgConnection>, sqlx::Error> {
    let mut transaction = connection.begin().await?;
    let stands = "SELECT bytes FROM duban_tree.files WHERE tree = $1 AND name = $2 FOR UPDATE";
    let stands: Option<Vec<u8>> =
        sqlx::query_scalar(stands).bind(&tree).bind(TREE).fetch_optional(&mut *transaction).await?;
    if stands != stood {
        return Ok(None);
    }
    for folder in &change.gone {
        let remove = "DELETE FROM duban_tree.files WHERE tree = $1 AND name > $2 AND name < $3";
        let [from, to] = bounds(folder);
        sqlx::query(remove).bind(&tree).bind(from).bind(to).execute(&mut *transaction).await?;
    }
    let write = "INSERT INTO duban_tree.files (tree, name, bytes)
                 SELECT $1, name, bytes FROM unnest($2::text[], $3::bytea[]) AS change (name, bytes)
                 ON CONFLICT (tree, name) DO UPDATE SET bytes = excluded.bytes";
    sqlx::query(write).bind(&tree).bind(change.names).bind(change.bytes).execute(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(Some(connection))
}

/// Replaces one file, whoever writes the tree.
pub(super) async fn replace(pool: &PgPool, tree: &str, name: &str, bytes: &[u8]) -> Result<(), sqlx::Error> {
    let mut transaction = pool.begin().await?;
    let write = "INSERT INTO duban_tree.files (tree, name, bytes) VALUES ($1, $2, $3)
                 ON CONFLICT (tree, name) DO UPDATE SET bytes = excluded.bytes";
    sqlx::query(write).bind(tree).bind(name).bind(bytes).execute(&mut *transaction).await?;
    transaction.commit().await
}

/// The bytes of a file; `None` if there is none, or no table.
pub(super) async fn read(pool: &PgPool, tree: &str, name: &str) -> Result<Option<Vec<u8>>, sqlx::Error> {
    let mut connection = pool.acquire().await?;
    file(&mut connection, tree, name).await.or_else(absent)
}

/// The last parts of the names directly below a folder.
pub(super) async fn below(pool: &PgPool, tree: &str, folder: &str) -> Result<Vec<String>, sqlx::Error> {
    let list = "SELECT substr(name, length($2) + 1) FROM duban_tree.files
                WHERE tree = $1 AND name > $2 AND name < $3";
    let [from, to] = bounds(folder);
    let listed = sqlx::query_scalar(list).bind(tree).bind(from).bind(to).fetch_all(pool).await;
    let mut names: Vec<String> = listed.or_else(absent)?;
    names.retain(|name| !name.contains('/'));
    Ok(names)
}

/// The trees there are, in order of name: one step in the index for each, however many files they have.
pub(super) async fn trees(connection: &mut PgConnection) -> Result<Vec<String>, sqlx::Error> {
    let list = "WITH RECURSIVE found (tree) AS (
                    SELECT min(tree) FROM duban_tree.files
                    UNION ALL
                    SELECT (SELECT min(tree) FROM duban_tree.files WHERE tree > found.tree)
                    FROM found WHERE found.tree IS NOT NULL
                )
                SELECT tree FROM found WHERE tree IS NOT NULL";
    sqlx::query_scalar(list).fetch_all(connection).await.or_else(absent)
}

/// Why no tree is kept here: set back, the database would take the tree with the log that the tree is to hold.
pub(super) async fn log_beside(connection: &mut PgConnection) -> Result<Option<String>, sqlx::Error> {
    let beside = "SELECT to_regnamespace('duban_log') IS NOT NULL";
    let beside: bool = sqlx::query_scalar(beside).fetch_one(connection).await?;
    Ok(beside.then(|| "the database holds a log: give the tree a database of its own".to_owned()))
}

/// Why nothing may be written here, if nothing may.
async fn unfit(connection: &mut PgConnection) -> Result<Option<String>, sqlx::Error> {
    if let Some(why) = log_beside(connection).await? {
        return Ok(Some(why));
    }
    for (setting, refused) in DURABLE {
        let is: String = sqlx::query_scalar("SELECT current_setting($1)")
            .bind(setting)
            .fetch_one(&mut *connection)
            .await?;
        if is == refused {
            return Ok(Some(format!("{setting} is {is} there: what is committed would not be durable")));
        }
    }
    Ok(None)
}

/// Makes the schema where there is none; of several at once, one does.
async fn make(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let there = "SELECT to_regclass('duban_tree.files') IS NOT NULL";
    if sqlx::query_scalar(there).fetch_one(&mut *connection).await? {
        return Ok(());
    }
    let mut transaction = connection.begin().await?;
    let alone = "SELECT pg_advisory_xact_lock(hashtextextended('duban_tree', 0))";
    sqlx::query(alone).execute(&mut *transaction).await?;
    sqlx::raw_sql(SCHEMA).execute(&mut *transaction).await?;
    transaction.commit().await
}

async fn file(connection: &mut PgConnection, tree: &str, name: &str) -> Result<Option<Vec<u8>>, sqlx::Error> {
    let read = "SELECT bytes FROM duban_tree.files WHERE tree = $1 AND name = $2";
    sqlx::query_scalar(read).bind(tree).bind(name).fetch_optional(connection).await
}

/// Where nobody has written yet there is nothing.
fn absent<T: Default>(error: sqlx::Error) -> Result<T, sqlx::Error> {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    if code.is_some_and(|code| code == NO_TABLE) { Ok(T::default()) } else { Err(error) }
}

/// Between which names those below a folder are, in the order of their bytes: `/` is followed by `0`.
fn bounds(folder: &str) -> [String; 2] {
    [format!("{folder}/"), format!("{folder}0")]
}
