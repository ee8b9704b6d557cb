//! Views built anew from the log beside the live ones, compared with them, and put in their place.
//!
//! The live views are read and written all the while: the two are compared at one position in a snapshot, and
//! what came since then is added in the transaction that swaps the tables.

use tokio::sync::mpsc;

use super::digest::digest;
use super::pages::Pages;
use super::projection::Poisoned;
use super::run::Member;
use super::shape::Shape;
use super::site::{Building, Site};
use super::store::Reading;
use super::{Digest, Entry, ViewError, Views};
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

impl Views {
    /// Builds these views from zero, all of them in one reading of the log, each up to where the live one
    /// stands, and puts them in the place of those.
    pub async fn rebuild_all(&self, entries: &[Entry]) -> Result<Vec<(&'static str, Rebuilt)>, ViewError> {
        let store = &self.inner.store;
        let mut site = Site::new(store.beside().await?.ok_or_else(at_work)?);
        let mut building = Vec::new();
        for entry in entries {
            let found = store.standing(entry.name).await?.ok_or(ViewError::NotRunning(entry.name))?;
            if found.version != entry.shape.version {
                return Err(ViewError::NotRunning(entry.name));
            }
            building.push(site.begin(entry, found.generation + 1, found.position).await?);
        }
        self.build(&mut site, &mut building).await?;
        for view in &mut building {
            site.index(view).await?;
        }
        // Where the live ones stand by now, and in this snapshot will stand as long as they are compared.
        let names: Vec<&str> = entries.iter().map(|entry| entry.name).collect();
        let mut live = store.long_snapshot(&names).await?;
        for view in &mut building {
            let found =
                live.standing(view.shape.name).await?.ok_or(ViewError::NotRunning(view.shape.name))?;
            view.target = found.position;
        }
        self.build(&mut site, &mut building).await?;
        let mut built = store.long_snapshot(&[]).await?;
        let mut rebuilt = Vec::new();
        for view in &building {
            rebuilt.push((view.shape.name, compare(view, &mut live, &mut built).await?));
        }
        drop((live, built));
        for view in &mut building {
            self.swap(&mut site, view).await?;
        }
        Ok(rebuilt)
    }

    /// Builds each view up to its target. The one furthest behind goes first, until it stands where the next one
    /// does: from there they go on together.
    async fn build(&self, site: &mut Site, building: &mut [Building]) -> Result<(), ViewError> {
        let mut pages = Pages::of(self.log());
        loop {
            let behind = building.iter().filter(|view| view.is_behind());
            let Some(from) = behind.clone().map(|view| view.position).min() else { break };
            let edges = behind.flat_map(|view| [view.position, view.target]);
            let until = edges.filter(|edge| *edge > from).min().unwrap_or(from);
            let page = pages.after(from, until).await?;
            let events = &page.events[..page.events.partition_point(|event| event.position <= until)];
            if events.is_empty() {
                let missing = || ReadError::DataLoss { position: from + 1, what: "it is missing".into() };
                return Err(page.stop.clone().unwrap_or_else(missing).into());
            }
            let due = building.iter_mut().filter(|view| view.position == from && view.is_behind());
            site.take(&self.inner.store, due, events).await?;
            for view in &mut *building {
                if let Some(poisoned) = view.stopped.take() {
                    return Err(refused(&view.shape, poisoned));
                }
            }
        }
        site.free().await?;
        Ok(())
    }

    /// Puts a view that has been built in the place of the live one, with what that one has taken meanwhile.
    async fn swap(&self, site: &mut Site, view: &mut Building) -> Result<(), ViewError> {
        loop {
            let name = view.shape.name;
            let found = self.inner.store.standing(name).await?.ok_or(ViewError::NotRunning(name))?;
            if found.generation + 1 != view.generation {
                return Err(at_work());
            }
            view.target = found.position;
            self.build(site, std::slice::from_mut(view)).await?;
            if site.free().await?.swap(&view.shape, view.generation, view.position).await? {
                return Ok(());
            }
        }
    }

    /// Builds this program's version of a view beside an older one, up to where that one stands, and puts it in
    /// its place.
    async fn replace(&self, entry: &Entry) -> Result<(), ViewError> {
        let store = &self.inner.store;
        let mut site = Site::new(store.beside().await?.ok_or_else(at_work)?);
        let found = store.standing(entry.name).await?.ok_or(ViewError::NotRunning(entry.name))?;
        if found.version >= entry.shape.version {
            return Ok(());
        }
        let mut view = site.begin(entry, found.generation + 1, found.position).await?;
        self.build(&mut site, std::slice::from_mut(&mut view)).await?;
        site.index(&mut view).await?;
        self.swap(&mut site, &mut view).await
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

fn refused(shape: &Shape, Poisoned { position, reason }: Poisoned) -> ViewError {
    ViewError::Stopped { view: shape.name, position, reason }
}
