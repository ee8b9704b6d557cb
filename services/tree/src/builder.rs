//! The tree follows the log: page by page, in rounds that are stored at once.

use duban_domain::Position;
use duban_log::{Log, ReadError, StoredEvent};
use tokio::sync::watch;

use crate::keys::ChangeError;
use crate::store::{StoreError, Writer};

/// The most events of a round, and a page more: as much is written before it is synced.
const ROUND_EVENTS: u64 = 16 * 1024;
/// The most events of a page.
const PAGE_EVENTS: usize = 1000;

/// Why the tree doesn't grow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failed {
    /// Something is away; it is tried again.
    Passing(String),
    /// Something is wrong, and trying again doesn't cure it.
    Stopped(String),
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::File(_, source) => Self::Passing(format!("{error}: {source}")),
            StoreError::Database(_, source) => Self::Passing(format!("{error}: {source}")),
            StoreError::InUse(_) => Self::Passing(error.to_string()),
            StoreError::Absent(_)
            | StoreError::Other { .. }
            | StoreError::Damaged { .. }
            | StoreError::Unfit { .. } => Self::Stopped(error.to_string()),
        }
    }
}

impl From<ReadError> for Failed {
    fn from(error: ReadError) -> Self {
        match &error {
            ReadError::Unavailable(_) => Self::Passing(error.to_string()),
            ReadError::DataLoss { .. } | ReadError::Outdated { .. } => Self::Stopped(error.to_string()),
        }
    }
}

impl From<ChangeError> for Failed {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Read(error) => error.into(),
            ChangeError::Key { .. } => Self::Stopped(error.to_string()),
        }
    }
}

/// Takes what the log has and the tree has not, up to [`ROUND_EVENTS`], and stores it. After an error the writer is
/// gone: what is stored tells where to go on.
pub(crate) async fn round(
    log: &Log,
    head: &watch::Receiver<Position>,
    mut writer: Writer,
) -> Result<Writer, Failed> {
    let last = writer.size();
    while *head.borrow() > writer.size() && writer.size() < last + ROUND_EVENTS {
        let (size, first) = (writer.size(), writer.size() == last);
        // The first page begins with the event whose leaf is the last one, to be compared.
        let overlap = u64::from(first && size > 0);
        let page = log.read(size - overlap, PAGE_EVENTS).await?;
        if page.events.is_empty() {
            return Err(behind(size, log.head().await?));
        }
        writer = blocking(move || take(writer, &page.events, overlap > 0)).await??;
    }
    blocking(move || writer.commit().map(|_| writer)).await?.map_err(Failed::from)
}

/// Whether the log still has as many events as the tree has leaves.
pub(crate) async fn check(log: &Log, size: u64) -> Result<(), Failed> {
    let head = log.head().await?;
    if head < size { Err(behind(size, head)) } else { Ok(()) }
}

fn behind(size: u64, head: Position) -> Failed {
    Failed::Stopped(format!("the log has {head} events, but the tree has {size}: the log was set back"))
}

fn take(mut writer: Writer, events: &[StoredEvent], overlaps: bool) -> Result<Writer, Failed> {
    let algorithm = writer.store().id().algorithm;
    let mut events = events;
    if overlaps && let Some((same, rest)) = events.split_first() {
        if writer.last()?.as_deref() != Some(&leaf(same, algorithm, writer.size())?) {
            let position = same.position;
            let what =
                format!("the log's event at {position} is not the one in the tree: history was changed");
            return Err(Failed::Stopped(what));
        }
        events = rest;
    }
    for event in events {
        let leaf = leaf(event, algorithm, writer.size() + 1)?;
        writer.append(leaf)?;
    }
    Ok(writer)
}

/// The leaf of the event, which stands at this position.
fn leaf(event: &StoredEvent, algorithm: duban_merkle::Algorithm, at: Position) -> Result<Vec<u8>, Failed> {
    if event.position != at {
        let found = event.position;
        return Err(Failed::Stopped(format!("the log has the event of {found} at position {at}")));
    }
    let encoded = event.leaf_bytes(algorithm);
    encoded.map_err(|error| Failed::Stopped(format!("the event at {at} has no leaf: {error}")))
}

/// What reads and writes files, hashes and signs, off the threads that answer calls.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Failed> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| match error.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(_) => Failed::Passing("the process ends".to_owned()),
    })
}
