//! Wake-ups between processes. They only make it faster: what they miss, the poll finds.

use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgListener, PgPool};
use tokio::sync::watch;

use super::head::Heads;

/// How often the head is asked for when nothing wakes.
const POLL: Duration = Duration::from_secs(1);
/// How long to wait before listening is tried again.
const AGAIN: Duration = Duration::from_millis(500);
/// The channel on which a commit tells the head.
const HEAD: &str = "duban_log";
/// The channel on which a view tells that it has moved.
pub(crate) const VIEWS: &str = "duban_views";

/// Asks for the head each second, come what may.
pub(super) async fn poll(heads: Arc<Heads>) {
    loop {
        tokio::time::sleep(POLL).await;
        if let Err(error) = heads.ask().await {
            tracing::warn!(%error, "the head can't be asked for");
        }
    }
}

/// Listens until it is dropped. A connection that was lost has missed something: the head is asked for, and
/// whoever waits for a view looks again.
pub(super) async fn listen(pool: PgPool, heads: Arc<Heads>, views: watch::Sender<u64>) {
    loop {
        if let Err(error) = listen_once(&pool, &heads, &views).await {
            tracing::warn!(%error, "wake-ups are lost for a moment");
        }
        tokio::time::sleep(AGAIN).await;
    }
}

async fn listen_once(pool: &PgPool, heads: &Heads, views: &watch::Sender<u64>) -> Result<(), sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.eager_reconnect(false);
    listener.listen_all([HEAD, VIEWS]).await?;
    missed(heads, views).await;
    while let Some(notification) = listener.try_recv().await? {
        match (notification.channel(), notification.payload().parse()) {
            (HEAD, Ok(head)) => heads.publish(head),
            (VIEWS, _) => views.send_modify(|count| *count += 1),
            (channel, _) => tracing::warn!(channel, "a wake-up that says nothing"),
        }
    }
    Ok(())
}

async fn missed(heads: &Heads, views: &watch::Sender<u64>) {
    views.send_modify(|count| *count += 1);
    if let Err(error) = heads.ask().await {
        tracing::warn!(%error, "the head can't be asked for");
    }
}
