//! Whether two sessions of this database really exclude and see each other: what only looks like Postgres, or a
//! pooler between, may not keep that, and the log would lose events without a word.

use sqlx::Connection as _;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use uuid::Uuid;

use crate::error::OpenError;

/// Fails with what the database does otherwise.
pub(super) async fn self_test(options: &PgConnectOptions, token: Uuid) -> Result<(), OpenError> {
    let mut first = PgConnection::connect_with(options).await?;
    let mut second = PgConnection::connect_with(options).await?;
    step(&mut first, "begin", token).await?;
    let done = exclude_and_see(&mut first, &mut second, token).await;
    let ended = step(&mut first, "end", token).await;
    first.close().await.ok();
    second.close().await.ok();
    let fault = done?;
    ended?;
    fault.map_or(Ok(()), |fault| Err(OpenError::NoPostgres(fault)))
}

async fn exclude_and_see(
    first: &mut PgConnection,
    second: &mut PgConnection,
    token: Uuid,
) -> Result<Option<&'static str>, sqlx::Error> {
    let mut holder = first.begin().await?;
    let mut other = second.begin().await?;
    step(&mut holder, "hold", token).await?;
    if step(&mut other, "try", token).await? {
        return Ok(Some("a row that one session has locked can be locked by another"));
    }
    if !step(&mut holder, "mark", token).await? || step(&mut other, "seen", token).await? {
        return Ok(Some("a session sees what another has not committed"));
    }
    holder.commit().await?;
    if !step(&mut other, "seen", token).await? {
        return Ok(Some("a session does not see what another has committed"));
    }
    if !step(&mut other, "try", token).await? {
        return Ok(Some("a row stays locked after the session that locked it has committed"));
    }
    other.rollback().await?;
    Ok(None)
}

async fn step(connection: &mut PgConnection, step: &str, token: Uuid) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("SELECT duban_log.self_test($1, $2)")
        .bind(step)
        .bind(token)
        .fetch_one(connection)
        .await
}
