//! Filling a log, and keeping it for the next run.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use duban::Service;
use duban::server::views_of;
use duban_domain::Timestamp;
use duban_log::{Log, LogOptions, ManualClock, Views};
use duban_test_postgres::Database;
use futures::future::join_all;
use tokio::sync::mpsc;

use super::sim::{Chunk, Sim};
use super::story::{Province, tell};
use crate::Result;
use crate::place::{Engine, Place, workplace};

/// Counted up when the story is told otherwise.
const VERSION: u32 = 1;
/// Chunks that may be told ahead of the log.
const AHEAD: usize = 8;

/// The databases of this run, by their size: each is filled once.
static DATABASES: Mutex<BTreeMap<u64, Database>> = Mutex::new(BTreeMap::new());

fn databases() -> MutexGuard<'static, BTreeMap<u64, Database>> {
    DATABASES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A log with its views built, to be read where it is and written to in copies.
pub struct Kept {
    pub province: Province,
    pub place: Place,
}

/// The log of this many events: filled if it is not there yet. In a folder it is kept for the next run.
pub async fn kept(engine: Engine, events: u64) -> Result<Kept> {
    let province = Province::of(events);
    let folder = workplace()?.join(format!("log-{VERSION}-{events}"));
    if engine == Engine::Sqlite && folder.is_dir() {
        return Ok(Kept { province, place: Place::Kept(folder) });
    }
    let made = databases().get(&events).cloned();
    if let (Engine::Postgres, Some(database)) = (engine, made) {
        return Ok(Kept { province, place: Place::Database(database) });
    }
    let start = Instant::now();
    let place = Place::empty(engine).await?;
    let (_, log) = fill(&place, province).await?;
    let (_, views) = follow(&log).await?;
    log.close().await;
    views.close().await;
    eprintln!("  a log of {events} events is there ({:.0?})", start.elapsed());
    let place = match place {
        Place::Passing(unfinished) => {
            std::fs::rename(unfinished.path(), &folder)?;
            Place::Kept(folder)
        }
        Place::Database(database) => {
            databases().insert(events, database.clone());
            Place::Database(database)
        }
        Place::Kept(folder) => Place::Kept(folder),
    };
    Ok(Kept { province, place })
}

/// Fills an empty log; how long that took the log, and the log.
pub async fn fill(place: &Place, province: Province) -> Result<(Duration, Log)> {
    let clock = Arc::new(ManualClock::at(Timestamp::UNIX_EPOCH));
    let log = Log::open(LogOptions::at(place.location()).clock(clock.clone())).await?;
    let (to, mut chunks) = mpsc::channel::<Chunk>(AHEAD);
    let teller =
        std::thread::spawn(move || tell(province, &mut Sim::new(to)).map_err(|error| error.to_string()));
    let (mut next, mut took) = (1, Duration::ZERO);
    while let Some(Chunk { at, appends }) = chunks.recv().await {
        clock.set(at);
        let start = Instant::now();
        // They reach the log's queue in this order, one in each place.
        for appended in join_all(appends.into_iter().map(|append| log.append(append))).await {
            let receipt = appended?.receipt();
            if !receipt.is_empty() {
                if receipt.first != next {
                    return Err("appends overtook each other".into());
                }
                next = receipt.last + 1;
            }
        }
        took += start.elapsed();
    }
    teller.join().map_err(|_| "the story can't be told")??;
    Ok((took, log))
}

/// Builds all views of a log, as far as they are not; how long that took, and the views.
pub async fn follow(log: &Log) -> Result<(Duration, Views)> {
    let start = Instant::now();
    let views = Views::open(log).await?;
    let mut following = Vec::new();
    for view in views_of(&Service::ALL) {
        following.push(view.start(&views).await?);
    }
    let head = log.head().await?;
    for view in following {
        let status = view.reached(head).await;
        if status.position < head {
            return Err(format!("{} has stopped: {:?}", view.name, status.state).into());
        }
    }
    Ok((start.elapsed(), views))
}
