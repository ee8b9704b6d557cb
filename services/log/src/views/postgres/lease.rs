//! Which process runs a view: the one that has its lease, and says a word in time.

use std::time::Duration;

use duban_domain::Position;
use sqlx::Row as _;
use sqlx::postgres::PgRow;

use super::Store;
use super::rows::standing_of;
use crate::postgres::{VIEWS, again};
use crate::sqlite::signed;
use crate::views::Standing;

/// How long a view is a process's own without a word of it, by the database's clock.
pub(in crate::views) const LEASE: Duration = Duration::from_secs(3);
/// A lease that has less than this left is renewed.
const RENEW: Duration = Duration::from_secs(2);

/// How a view is, as the database says.
#[derive(Debug)]
pub(in crate::views) struct Seen {
    pub(in crate::views) view: String,
    pub(in crate::views) standing: Standing,
}

impl Store {
    /// Renews the leases of this process, takes those of `wanted` that nobody has any more, and says how all of
    /// `named` are; a lease is taken of the version named.
    pub(in crate::views) async fn round(
        &self,
        wanted: &[&str],
        named: &[(&str, i64)],
    ) -> Result<Vec<Seen>, sqlx::Error> {
        let sql = "WITH taken AS (
                       UPDATE duban_views.view_positions AS p
                       SET runner = $1, leased_until = clock_timestamp() + $4 * interval '1 millisecond'
                       FROM (SELECT view FROM duban_views.view_positions
                             WHERE view = ANY($2)
                               AND (view, version) IN (SELECT * FROM unnest($3::TEXT[], $6::BIGINT[]))
                               AND (runner IS NULL OR leased_until < clock_timestamp()
                                 OR runner = $1 AND leased_until < clock_timestamp() + $5 * interval '1 millisecond')
                             FOR UPDATE SKIP LOCKED) AS free
                       WHERE p.view = free.view RETURNING p.view)
                   SELECT view, version, position, generation, stopped_at, stopped_why,
                          coalesce(runner = $1, FALSE) OR view IN (SELECT view FROM taken)
                   FROM duban_views.view_positions WHERE view = ANY($3)";
        let millis = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        let (views, versions): (Vec<&str>, Vec<i64>) = named.iter().copied().unzip();
        let ask = || {
            sqlx::query(sql)
                .bind(self.me)
                .bind(wanted)
                .bind(&views)
                .bind(millis(LEASE))
                .bind(millis(RENEW))
                .bind(&versions)
                .fetch_all(&self.pool)
        };
        let seen = |row: &PgRow| Ok(Seen { view: row.try_get(0)?, standing: standing_of(row, 1)? });
        again(ask).await?.iter().map(seen).collect()
    }

    /// Says that a view of this process can't go on, to all processes, and lets it go.
    pub(in crate::views) async fn stopped(
        &self,
        view: &str,
        generation: i64,
        at: Position,
        why: &str,
    ) -> Result<(), sqlx::Error> {
        let sql = format!(
            "WITH stopped AS (
                 UPDATE duban_views.view_positions
                 SET stopped_at = $4, stopped_why = $5, runner = NULL, leased_until = NULL
                 WHERE view = $1 AND generation = $2 AND runner = $3 RETURNING 1)
             SELECT pg_notify('{VIEWS}', '') FROM stopped"
        );
        let ask = || {
            sqlx::query(sqlx::AssertSqlSafe(sql.clone()))
                .bind(view)
                .bind(generation)
                .bind(self.me)
                .bind(signed(at))
                .bind(why)
                .execute(&self.pool)
        };
        again(ask).await.map(|_| ())
    }

    /// Lets go of the lease of a view that another process must go on with.
    pub(in crate::views) async fn release(&self, view: &str) -> Result<(), sqlx::Error> {
        let sql = "UPDATE duban_views.view_positions SET runner = NULL, leased_until = NULL
                   WHERE view = $1 AND runner = $2";
        let ask = || sqlx::query(sql).bind(view).bind(self.me).execute(&self.pool);
        again(ask).await.map(|_| ())
    }

    /// Lets go of every lease: another process may take over at once.
    pub(in crate::views) async fn release_all(&self) {
        let Ok(mut writer) = self.writer().await else { return };
        let sql = format!(
            "WITH free AS (UPDATE duban_views.view_positions SET runner = NULL, leased_until = NULL
                           WHERE runner = $1 RETURNING view)
             SELECT pg_notify('{VIEWS}', '') FROM (SELECT count(*) AS views FROM free) AS f WHERE views > 0"
        );
        let done = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(self.me).execute(&mut *writer).await;
        match done {
            Ok(_) => writer.keep(),
            Err(error) => tracing::warn!(%error, "the leases of the views run out by themselves"),
        }
    }
}
