//! Building a view beside the live one in `views.db`, and putting it in its place.

use std::sync::Arc;

use duban_domain::Position;
use sqlx::Connection as _;
use sqlx::sqlite::SqliteConnection;

use super::Store;
use super::tables::create;
use crate::sqlite::signed;
use crate::views::projection::Change;
use crate::views::shape::Shape;

/// The right to build beside.
pub(in crate::views) struct Beside {
    pub(super) store: Arc<Store>,
    pub(super) _alone: tokio::sync::OwnedMutexGuard<()>,
}

impl Beside {
    /// Makes the table, in place of what one that was given up may have left.
    pub(in crate::views) async fn create(&mut self, shape: &Shape) -> Result<(), sqlx::Error> {
        let mut writer = self.store.writer().await?;
        let script = create(shape, &shape.beside());
        sqlx::raw_sql(sqlx::AssertSqlSafe(script)).execute(&mut *writer).await?;
        writer.keep();
        Ok(())
    }

    pub(in crate::views) async fn index_keys(
        &mut self,
        shape: &Shape,
        generation: i64,
    ) -> Result<(), sqlx::Error> {
        self.store.index_keys(shape, &shape.beside(), generation).await
    }

    pub(in crate::views) async fn index(
        &mut self,
        shape: &Shape,
        generation: i64,
    ) -> Result<(), sqlx::Error> {
        self.store.index(shape, &shape.beside(), generation).await
    }

    /// Writes what a page does.
    pub(in crate::views) async fn write(&mut self, changes: Vec<(Shape, Change)>) -> Result<(), sqlx::Error> {
        let mut writer = self.store.writer().await?;
        let mut tx = writer.begin_with("BEGIN IMMEDIATE").await?;
        for (shape, change) in changes {
            self.store.texts.write(&mut tx, &shape, &shape.beside(), change).await?;
        }
        tx.commit().await?;
        writer.keep();
        Ok(())
    }

    /// Puts the table, which stands at `position`, in the place of the live one; false if that one does not.
    pub(in crate::views) async fn swap(
        &mut self,
        shape: &Shape,
        generation: i64,
        position: Position,
    ) -> Result<bool, sqlx::Error> {
        let mut writer = self.store.writer().await?;
        let swapped = swap(&mut writer, shape, generation, position).await?;
        writer.keep();
        Ok(swapped)
    }
}

/// One transaction: a crash in here leaves the old table in place, whole.
async fn swap(
    connection: &mut SqliteConnection,
    shape: &Shape,
    generation: i64,
    position: Position,
) -> Result<bool, sqlx::Error> {
    let mut tx = connection.begin_with("BEGIN IMMEDIATE").await?;
    let moved = sqlx::query(
        "UPDATE view_positions SET generation = $2 WHERE view = $1 AND position = $3 AND generation = $2 - 1",
    )
    .bind(shape.name)
    .bind(generation)
    .bind(signed(position))
    .execute(&mut *tx)
    .await?;
    if moved.rows_affected() == 0 {
        tx.rollback().await?;
        return Ok(false);
    }
    let (live, beside) = (shape.name, shape.beside());
    let script = format!("DROP TABLE {live}; ALTER TABLE {beside} RENAME TO {live};");
    sqlx::raw_sql(sqlx::AssertSqlSafe(script)).execute(&mut *tx).await?;
    tx.commit().await?;
    Ok(true)
}
