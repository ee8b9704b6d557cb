//! Many rows in few statements.

use std::sync::Arc;

use sqlx::query::Query;
use sqlx::sqlite::{Sqlite, SqliteArguments, SqliteConnection};

/// Rows in one statement. Few sizes, so that all of them stay prepared.
const SIZES: [usize; 4] = [64, 16, 4, 1];

/// A query that rows are bound to.
pub(crate) type Bound<'q> = Query<'q, Sqlite, SqliteArguments>;

/// Inserts rows into one table.
#[derive(Debug, Clone)]
pub(crate) struct Insert {
    statements: [Arc<str>; SIZES.len()],
}

impl Insert {
    /// `target` is the table and its columns, as in `INSERT INTO target`; a row binds `columns` values.
    pub(crate) fn into(target: &str, columns: usize) -> Self {
        let row = format!("({})", vec!["?"; columns].join(","));
        // A failure anyway loses the whole transaction; ROLLBACK spares SQLite the journal by which it could
        // undo a single statement.
        let statement =
            |rows: usize| format!("INSERT OR ROLLBACK INTO {target} VALUES {}", vec![&*row; rows].join(","));
        Self { statements: SIZES.map(|rows| statement(rows).into()) }
    }

    /// Inserts the rows in order; `bind` binds the columns of one.
    pub(crate) async fn rows<T>(
        &self,
        connection: &mut SqliteConnection,
        mut rows: &[T],
        bind: impl for<'q> Fn(Bound<'q>, &T) -> Bound<'q>,
    ) -> Result<(), sqlx::Error> {
        for (size, statement) in SIZES.into_iter().zip(&self.statements) {
            while rows.len() >= size {
                let (now, rest) = rows.split_at(size);
                let query = sqlx::query(sqlx::AssertSqlSafe(Arc::clone(statement)));
                now.iter().fold(query, &bind).execute(&mut *connection).await?;
                rows = rest;
            }
        }
        Ok(())
    }
}
