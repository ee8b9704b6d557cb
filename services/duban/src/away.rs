//! A Postgres that is away when a process starts: it is waited for, aloud, and not for ever. In containers all
//! start at once, and whoever comes first would otherwise have to be started again.

use std::time::Duration;

use duban_log::OpenError;
use tokio::time::{Instant, sleep, timeout};

use crate::failure::chain;

/// How long it is waited for.
const PATIENCE: Duration = Duration::from_mins(1);
/// How long one attempt may take: a host that swallows packets says nothing for minutes.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// How long to wait before the next attempt.
const AGAIN: Duration = Duration::from_secs(2);

/// Tries until it succeeds, fails for a reason that stays, or patience is over.
pub(crate) async fn waited_for<T, F>(mut attempt: impl FnMut() -> F) -> Result<T, OpenError>
where
    F: Future<Output = Result<T, OpenError>>,
{
    let until = Instant::now() + PATIENCE;
    loop {
        let error = match timeout(ANSWER_WITHIN, attempt()).await {
            Ok(Err(error)) if error.is_passing() => error,
            Ok(done) => return done,
            Err(_late) => OpenError::NoAnswer,
        };
        let left = until.saturating_duration_since(Instant::now());
        if left < AGAIN {
            return Err(error);
        }
        tracing::warn!(
            error = chain(&error),
            seconds_left = left.as_secs(),
            "the database is away; trying again"
        );
        sleep(AGAIN).await;
    }
}
