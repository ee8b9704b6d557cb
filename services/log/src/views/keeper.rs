//! Which views this process runs, and how those are that others run.
//!
//! In a folder it runs them all. On Postgres each view is run by the process that holds its lease; the keeper
//! takes the leases that nobody holds any more, renews this process's own, and tells who waits for a view that is
//! run elsewhere how far it has come.

use std::collections::HashMap;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::run::{Member, Run};
use super::{Standing, Views, postgres};
use crate::follower::{State, Status};

/// How often leases are renewed and looked after.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// How soon it is looked again while somebody waits for a view that is run elsewhere; twice as long each time, up
/// to the heartbeat.
const SOON: Duration = Duration::from_millis(100);

/// Sets the runs to work. Whoever is sent joins them as soon as it is this process's to run.
pub(super) fn start(views: &Views) -> (mpsc::UnboundedSender<Member>, JoinHandle<()>) {
    let (back, joining) = mpsc::unbounded_channel();
    let (front, runs) = Run::start(views, &back);
    if views.inner.store.shared().is_none() {
        return (front, tokio::spawn(ended(runs)));
    }
    let keeper = Keeper { views: views.clone(), joining, front, known: HashMap::new(), idle: HashMap::new() };
    (back, tokio::spawn(keeper.work(runs)))
}

async fn ended(runs: [JoinHandle<()>; 2]) {
    for run in runs {
        run.await.ok();
    }
}

struct Keeper {
    views: Views,
    /// Views that are new here, and those that the runs give back.
    joining: mpsc::UnboundedReceiver<Member>,
    front: mpsc::UnboundedSender<Member>,
    /// Every view that this process knows, with its version.
    known: HashMap<&'static str, i64>,
    /// Those that it does not run.
    idle: HashMap<&'static str, Member>,
}

impl Keeper {
    async fn work(mut self, runs: [JoinHandle<()>; 2]) {
        let views = self.views.clone();
        let Some(store) = views.inner.store.shared() else { return };
        let (mut closing, mut moved) = (views.log().closing(), store.moved());
        let asked = &views.inner.asked;
        let mut pause = HEARTBEAT;
        while !*closing.borrow_and_update() {
            tokio::select! {
                _ = closing.changed() => continue,
                member = self.joining.recv() => self.take_in(member),
                // Whoever waits for a view that runs here is told by its run.
                _ = moved.changed(), if asked.is_waited_for() && !self.idle.is_empty() => {}
                () = asked.elsewhere.notified(), if !self.idle.is_empty() => pause = SOON,
                () = tokio::time::sleep(pause) => {
                    pause = if asked.is_waited_for() { (pause * 2).min(HEARTBEAT) } else { HEARTBEAT };
                }
            }
            while let Ok(member) = self.joining.try_recv() {
                self.take_in(Some(member));
            }
            if let Err(error) = self.round(store).await {
                tracing::warn!(%error, "it can't be seen how the views are");
            }
        }
        ended(runs).await;
        store.release_all().await;
        self.joining.close();
        while let Ok(member) = self.joining.try_recv() {
            self.take_in(Some(member));
        }
        for member in self.idle.values() {
            member.status.send_modify(|status| status.state = State::Closed);
        }
    }

    fn take_in(&mut self, member: Option<Member>) {
        let Some(member) = member else { return };
        let shape = member.view.shape();
        self.known.insert(shape.name, shape.version);
        self.idle.insert(shape.name, member);
    }

    /// Looks once how all views are, and takes what is to be taken.
    async fn round(&mut self, store: &postgres::Store) -> Result<(), sqlx::Error> {
        let refused = |name: &str| self.idle.get(name).is_some_and(|member| member.refused);
        let named: Vec<(&str, i64)> = self.known.iter().map(|(name, version)| (*name, *version)).collect();
        let wanted: Vec<&str> = named.iter().map(|(name, _)| *name).filter(|name| !refused(name)).collect();
        for seen in store.round(&wanted, &named).await? {
            // Of those that run here, the run says how they are.
            let Some((name, member)) = self.idle.remove_entry(&*seen.view) else { continue };
            let version = member.view.shape().version;
            if seen.standing.mine && seen.standing.version == version && !member.refused {
                self.front.send(member).ok();
                continue;
            }
            tell(&member.status, &seen.standing, version);
            self.idle.insert(name, member);
        }
        Ok(())
    }
}

/// Says how a view is that another process runs.
fn tell(status: &watch::Sender<Status>, standing: &Standing, version: i64) {
    let now = Status { position: standing.position, state: standing.state(version) };
    status.send_if_modified(|status| {
        // What this program can't read stays so, whoever else can.
        let differs = *status != now && !matches!(status.state, State::Outdated { .. });
        if differs {
            *status = now;
        }
        differs
    });
}
