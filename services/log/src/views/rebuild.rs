//! Views built anew from the log beside the live ones, compared with them, and put in their place.
//!
//! The live views are read and written all the while: the two are compared at one position in a snapshot, and
//! what came since then is added in the transaction that swaps the tables.

use duban_domain::Position;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::digest::digest;
use super::pages::Pages;
use super::projection::{Poisoned, Project};
use super::run::Member;
use super::shape::Shape;
use super::store::{Beside, Reading};
use super::{Digest, Entry, Standing, ViewError, Views};
use crate::error::ReadError;
use crate::follower::{RETRY, State};

/// What a rebuild found, both at the same position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rebuilt {
    /// What stood there.
    pub before: Digest,
    /// What stands there now.
    pub after: Digest,
}

impl Rebuilt {
    /// Whether nothing was wrong.
    pub fn is_same(&self) -> bool {
        self.before == self.after
    }
}

/// A view that is being built beside the live one.
struct Building {
    view: Box<dyn Project>,
    shape: Shape,
    /// The generation that its table will be.
    generation: i64,
    position: Position,
    /// Up to where it is to be built.
    target: Position,
    /// Whether open rows can be found in its table.
    keyed: bool,
}

impl Building {
    fn new(entry: &Entry, found: &Standing) -> Self {
        let mut view = (entry.projection)();
        view.reset(1);
        let generation = found.generation + 1;
        Self { view, shape: entry.shape, generation, position: 0, target: found.position, keyed: false }
    }
}

/// The right to build beside, out on loan while a page is written.
type Writing = JoinHandle<(Beside, Result<(), sqlx::Error>)>;

impl Views {
    /// Builds these views from zero, all of them in one reading of the log, each up to where the live one
    /// stands, and puts them in the place of those.
    pub async fn rebuild_all(&self, entries: &[Entry]) -> Result<Vec<(&'static str, Rebuilt)>, ViewError> {
        let store = &self.inner.store;
        let mut beside = store.beside().await?.ok_or_else(at_work)?;
        let mut building = Vec::new();
        for entry in entries {
            let found = store.standing(entry.name).await?.ok_or(ViewError::NotRunning(entry.name))?;
            if found.version != entry.shape.version {
                return Err(ViewError::NotRunning(entry.name));
            }
            beside.create(&entry.shape).await?;
            building.push(Building::new(entry, &found));
        }
        beside = self.build(beside, &mut building).await?;
        for view in &mut building {
            beside.index(&view.shape, view.generation).await?;
            view.keyed = true;
        }
        // Where the live ones stand by now, and in this snapshot will stand as long as they are compared.
        let names: Vec<&str> = entries.iter().map(|entry| entry.name).collect();
        let mut live = store.long_snapshot(&names).await?;
        for view in &mut building {
            let found =
                live.standing(view.shape.name).await?.ok_or(ViewError::NotRunning(view.shape.name))?;
            view.target = found.position;
        }
        beside = self.build(beside, &mut building).await?;
        let mut built = store.long_snapshot(&[]).await?;
        let mut rebuilt = Vec::new();
        for view in &building {
            rebuilt.push((view.shape.name, compare(view, &mut live, &mut built).await?));
        }
        drop((live, built));
        for view in &mut building {
            beside = self.swap(beside, view).await?;
        }
        Ok(rebuilt)
    }

    /// Builds each view up to its target. The one furthest behind goes first, until it stands where the next one
    /// does: from there they go on together.
    async fn build(&self, beside: Beside, building: &mut [Building]) -> Result<Beside, ViewError> {
        let mut pages = Pages::of(self.log());
        let mut writing: Writing = tokio::spawn(async move { (beside, Ok(())) });
        loop {
            let behind = building.iter().filter(|view| view.position < view.target);
            let Some(from) = behind.clone().map(|view| view.position).min() else { break };
            let edges = behind.flat_map(|view| [view.position, view.target]);
            let until = edges.filter(|edge| *edge > from).min().unwrap_or(from);
            let page = pages.after(from, until).await?;
            let events = &page.events[..page.events.partition_point(|event| event.position <= until)];
            let Some(last) = events.last().map(|event| event.position) else {
                let missing = || ReadError::DataLoss { position: from + 1, what: "it is missing".into() };
                return Err(page.stop.clone().unwrap_or_else(missing).into());
            };
            let mut changes = Vec::new();
            let due = |view: &&mut Building| view.position == from && view.position < view.target;
            for view in building.iter_mut().filter(due) {
                let missing = view.view.prepare(events);
                if !missing.is_empty() {
                    writing = self.load(done(writing).await?, view, missing).await?;
                }
                let change = view.view.project(events).map_err(|poison| refused(&view.shape, poison))?;
                changes.push((view.shape, change));
                view.position = last;
            }
            let mut beside = done(writing).await?;
            writing = tokio::spawn(async move {
                let written = beside.write(changes).await;
                (beside, written)
            });
        }
        done(writing).await
    }

    async fn load(
        &self,
        mut beside: Beside,
        view: &mut Building,
        missing: Vec<String>,
    ) -> Result<Writing, ViewError> {
        if !view.keyed {
            beside.index_keys(&view.shape, view.generation).await?;
            view.keyed = true;
        }
        let rows = self.inner.store.open_rows(&view.shape, &view.shape.beside(), &missing).await?;
        view.view.load(missing, rows).map_err(sqlx::Error::from)?;
        Ok(tokio::spawn(async move { (beside, Ok(())) }))
    }

    /// Puts a view that has been built in the place of the live one, with what that one has taken meanwhile.
    async fn swap(&self, mut beside: Beside, view: &mut Building) -> Result<Beside, ViewError> {
        loop {
            let name = view.shape.name;
            let found = self.inner.store.standing(name).await?.ok_or(ViewError::NotRunning(name))?;
            if found.generation + 1 != view.generation {
                return Err(at_work());
            }
            view.target = found.position;
            beside = self.build(beside, std::slice::from_mut(view)).await?;
            if beside.swap(&view.shape, view.generation, view.position).await? {
                return Ok(beside);
            }
        }
    }

    /// Builds this program's version of a view beside an older one, up to where that one stands, and puts it in
    /// its place.
    async fn replace(&self, entry: &Entry) -> Result<(), ViewError> {
        let store = &self.inner.store;
        let mut beside = store.beside().await?.ok_or_else(at_work)?;
        let found = store.standing(entry.name).await?.ok_or(ViewError::NotRunning(entry.name))?;
        if found.version >= entry.shape.version {
            return Ok(());
        }
        beside.create(&entry.shape).await?;
        let mut view = Building::new(entry, &found);
        beside = self.build(beside, std::slice::from_mut(&mut view)).await?;
        beside.index(&view.shape, view.generation).await?;
        view.keyed = true;
        self.swap(beside, &mut view).await.map(drop)
    }
}

/// Replaces an older version of a view, whatever it takes, then lets the new one join the runs.
pub(super) async fn upgrade(views: Views, entry: Entry, member: Member, runs: mpsc::UnboundedSender<Member>) {
    let mut closing = views.log().closing();
    tokio::select! {
        // What it leaves undone, it or another process does after the next start.
        _ = closing.wait_for(|closing| *closing) => {
            member.status.send_modify(|status| status.state = State::Closed);
            return;
        }
        () = replaced(&views, &entry) => {}
    }
    runs.send(member).ok();
}

async fn replaced(views: &Views, entry: &Entry) {
    while let Err(error) = views.replace(entry).await {
        tracing::warn!(view = entry.name, %error, "an older version of a view is replaced as soon as it can be");
        tokio::time::sleep(RETRY).await;
    }
}

fn at_work() -> ViewError {
    sqlx::Error::Protocol("another rebuild is at work".into()).into()
}

async fn compare(view: &Building, live: &mut Reading, built: &mut Reading) -> Result<Rebuilt, sqlx::Error> {
    Ok(Rebuilt {
        before: digest(live, &view.shape, view.shape.name, view.position).await?,
        after: digest(built, &view.shape, &view.shape.beside(), view.position).await?,
    })
}

/// Waits until the page is written and the right is back.
async fn done(writing: Writing) -> Result<Beside, ViewError> {
    let panicked = |error: tokio::task::JoinError| sqlx::Error::Protocol(error.to_string());
    let (beside, written) = writing.await.map_err(panicked)?;
    written?;
    Ok(beside)
}

fn refused(shape: &Shape, Poisoned { position, reason }: Poisoned) -> ViewError {
    ViewError::Stopped { view: shape.name, position, reason }
}
