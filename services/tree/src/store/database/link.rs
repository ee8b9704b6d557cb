//! Connections on a thread of their own: whoever asks waits as for a disk, from whatever thread it is.

use std::io;
use std::str::FromStr as _;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, PgConnection};
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

/// Connections that read; each tree that is written here has one more.
const READERS: u32 = 4;
/// How long a read waits for a free connection, or for the database to take one.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an answer is waited for: a host that swallows packets says nothing for minutes.
const ANSWER_WITHIN: Duration = Duration::from_secs(40);
/// How long a connection is waited for that says good-bye.
const CLOSE_WITHIN: Duration = Duration::from_secs(1);
/// Of each session. The database gives up a statement before we do; and lets go of the lock of a host that fell
/// silent within half a minute, so that another builder takes over.
const SETTINGS: [(&str, &str); 7] = [
    ("default_transaction_isolation", "read committed"),
    ("statement_timeout", "30s"),
    ("idle_in_transaction_session_timeout", "10s"),
    ("tcp_keepalives_idle", "10"),
    ("tcp_keepalives_interval", "5"),
    ("tcp_keepalives_count", "3"),
    ("tcp_user_timeout", "30s"),
];

/// To one database.
pub(super) struct Link {
    /// There until it is dropped.
    runtime: Option<Runtime>,
    options: PgConnectOptions,
    readers: PgPool,
}

impl Link {
    /// To the database at this URL. Nobody is asked yet.
    pub(super) fn to(url: &str) -> Result<Self, sqlx::Error> {
        let options = PgConnectOptions::from_str(url)?
            .application_name("duban-tree")
            .options(SETTINGS)
            .disable_statement_logging();
        let runtime =
            Builder::new_multi_thread().worker_threads(1).thread_name("duban-tree").enable_all().build()?;
        let entered = runtime.enter();
        let readers = PgPoolOptions::new()
            .max_connections(READERS)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .connect_lazy_with(options.clone());
        drop(entered);
        Ok(Self { runtime: Some(runtime), options, readers })
    }

    /// How to connect.
    pub(super) fn options(&self) -> &PgConnectOptions {
        &self.options
    }

    /// The connections that read.
    pub(super) fn readers(&self) -> &PgPool {
        &self.readers
    }

    /// Does this on the link's own thread, and waits for it there where it is asked.
    pub(super) fn wait<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, sqlx::Error>> + Send + 'static,
    ) -> Result<T, sqlx::Error> {
        self.within(ANSWER_WITHIN, work)
    }

    /// Lets go of a lock that the connection has, and of it.
    pub(super) fn close(&self, mut connection: PgConnection) {
        let closing = async move {
            sqlx::query("SELECT pg_advisory_unlock_all()").execute(&mut connection).await?;
            connection.close().await
        };
        // Else the server lets go of it when it sees that nobody is there.
        self.within(CLOSE_WITHIN, closing).ok();
    }

    fn within<T: Send + 'static>(
        &self,
        limit: Duration,
        work: impl Future<Output = Result<T, sqlx::Error>> + Send + 'static,
    ) -> Result<T, sqlx::Error> {
        let Some(runtime) = &self.runtime else { return Err(sqlx::Error::WorkerCrashed) };
        let (done, waiting) = sync_channel(1);
        runtime.spawn(async move {
            let late = || Err(sqlx::Error::Io(io::ErrorKind::TimedOut.into()));
            done.send(timeout(limit, work).await.unwrap_or_else(|_| late())).ok();
        });
        waiting.recv().unwrap_or(Err(sqlx::Error::WorkerCrashed))
    }
}

/// A runtime may not be waited for where others are awaited.
impl Drop for Link {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
