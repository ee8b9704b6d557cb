//! Building views beside the live ones on Postgres, and putting them in their place.

use std::time::Duration;

use duban_domain::Position;
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;

use super::tables::{Numbers, change_arguments, change_sql, create, index, indexes};
use super::{Store, is, making};
use crate::postgres::VIEWS;
use crate::sqlite::signed;
use crate::views::projection::Change;
use crate::views::shape::Shape;

/// The advisory lock of who rebuilds.
const REBUILDING: i64 = 702_290_941_502;
/// How long one who would rebuild waits for another.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long a swap waits for those who read the live table, and everybody who comes then with it; and how long it
/// lets them all go on before it tries again. Twice as long each time.
const SWAP_PATIENCE: Duration = Duration::from_millis(250);
/// At last longer than the second for which the database's own vacuum keeps a lock that is waited for.
const SWAP_PATIENCE_MAX: Duration = Duration::from_secs(2);
/// What the database says when it was waited for in vain.
const LOCK_NOT_AVAILABLE: &str = "55P03";

impl Store {
    /// The right to build tables beside the live ones: one process has it at a time, for as long as it keeps the
    /// connection. `None` if another one has it.
    pub(in crate::views) async fn beside(&self) -> Result<Option<Beside>, sqlx::Error> {
        let mut connection = PgConnection::connect_with(&self.options).await?;
        // A rebuild that has just ended may still have it: the database hears of that in a moment.
        let patience = format!("SET statement_timeout = 0; SET lock_timeout = {}", PATIENCE.as_millis());
        sqlx::raw_sql(sqlx::AssertSqlSafe(patience)).execute(&mut connection).await?;
        let lock = sqlx::query("SELECT pg_advisory_lock($1)").bind(REBUILDING).execute(&mut connection).await;
        match lock {
            Err(error) if is(&error, LOCK_NOT_AVAILABLE) => return Ok(None),
            done => {
                done?;
            }
        }
        // A table of millions of rows takes its time, and readers of the live one theirs.
        sqlx::raw_sql("SET lock_timeout = 0").execute(&mut connection).await?;
        Ok(Some(Beside { connection, patience: SWAP_PATIENCE }))
    }
}

/// The right to build beside. The lock goes with the connection, and nothing is written on any other.
pub(in crate::views) struct Beside {
    connection: PgConnection,
    /// See [`SWAP_PATIENCE`].
    patience: Duration,
}

impl Beside {
    /// Makes the table, in place of what one that was given up may have left.
    pub(in crate::views) async fn create(&mut self, shape: &Shape) -> Result<(), sqlx::Error> {
        let script = create(shape, &shape.beside());
        sqlx::raw_sql(sqlx::AssertSqlSafe(script)).execute(&mut self.connection).await.map(|_| ())
    }

    pub(in crate::views) async fn index_keys(
        &mut self,
        shape: &Shape,
        generation: i64,
    ) -> Result<(), sqlx::Error> {
        let table = shape.beside();
        index(&mut self.connection, &table, &indexes(shape, &table, generation)[..1]).await
    }

    pub(in crate::views) async fn index(
        &mut self,
        shape: &Shape,
        generation: i64,
    ) -> Result<(), sqlx::Error> {
        let table = shape.beside();
        index(&mut self.connection, &table, &indexes(shape, &table, generation)).await
    }

    /// Writes what a page does.
    pub(in crate::views) async fn write(&mut self, changes: &[(Shape, Change)]) -> Result<(), sqlx::Error> {
        let mut sql = String::from("WITH sound AS (SELECT 1 AS one)");
        let mut arguments = Numbers(0);
        for (number, (shape, change)) in changes.iter().enumerate() {
            change_sql(&mut sql, &mut arguments, number, shape, &shape.beside(), change);
        }
        sql.push_str(" SELECT one FROM sound");
        let query = sqlx::query(sqlx::AssertSqlSafe(sql));
        let query =
            changes.iter().fold(query, |query, (shape, change)| change_arguments(query, shape, change));
        query.execute(&mut self.connection).await.map(|_| ())
    }

    /// Puts the table, which stands at `position`, in the place of the live one; false if that one does not, or
    /// is being read at length.
    pub(in crate::views) async fn swap(
        &mut self,
        shape: &Shape,
        generation: i64,
        position: Position,
    ) -> Result<bool, sqlx::Error> {
        let (live, beside) = (shape.name, shape.beside());
        // A crash in here leaves the old table in place, whole.
        let mut tx = making(&mut self.connection).await?;
        // The tables before the row of the position, as who writes a page has them: neither waits for the other
        // with what that one needs.
        let script = format!(
            "SET LOCAL lock_timeout = {}; LOCK TABLE duban_views.{live}, duban_views.{beside} IN ACCESS EXCLUSIVE MODE",
            self.patience.as_millis()
        );
        match sqlx::raw_sql(sqlx::AssertSqlSafe(script)).execute(&mut *tx).await {
            Err(error) if is(&error, LOCK_NOT_AVAILABLE) => {
                tx.rollback().await?;
                tokio::time::sleep(self.patience).await;
                self.patience = SWAP_PATIENCE_MAX.min(self.patience * 2);
                return Ok(false);
            }
            done => {
                done?;
            }
        }
        let moved = sqlx::query(
            "UPDATE duban_views.view_positions SET version = $2, generation = $3, stopped_at = NULL, stopped_why = NULL
             WHERE view = $1 AND position = $4 AND generation = $3 - 1",
        )
        .bind(shape.name)
        .bind(shape.version)
        .bind(generation)
        .bind(signed(position))
        .execute(&mut *tx)
        .await?;
        if moved.rows_affected() == 0 {
            tx.rollback().await?;
            return Ok(false);
        }
        let script = format!(
            "DROP TABLE duban_views.{live}; ALTER TABLE duban_views.{beside} RENAME TO {live};
             SELECT pg_notify('{VIEWS}', '');"
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(script)).execute(&mut *tx).await?;
        tx.commit().await?;
        self.patience = SWAP_PATIENCE;
        Ok(true)
    }
}
