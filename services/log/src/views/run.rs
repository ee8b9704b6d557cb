//! The run: all views of the process, taken through the log together.
//!
//! Each page of the log is read once, projected by every view that stands before it, and written in one
//! transaction with all their positions; while it is written, the next one is read and projected. Of views that
//! stand at different places the one furthest behind goes first, until it stands where the next one stands: from
//! there they go on together.
//!
//! Two runs are at work: the one at the front takes what comes, the one behind brings up the views that are far
//! behind, so that nobody waits for those who doesn't ask them. A view that stops leaves the others alone.

use std::sync::Arc;
use std::time::Duration;

use duban_domain::{Position, Recorded};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::pages::Pages;
use super::projection::{Change, Poisoned, Project};
use super::shape::Shape;
use super::{Entry, Standing, Views};
use crate::error::ReadError;
use crate::follower::{Asked, FollowError, RETRY, State, Status, state_of};
use crate::log::PAGE_EVENTS;

/// How far behind the head a view is brought up apart from the others, in events.
const BEHIND: u64 = 4 * PAGE_EVENTS as u64;
/// How long events may gather before they are taken, unless somebody asks: what comes in quick succession is
/// written in one transaction, and who reads at the head waits for no timer.
const GATHER: Duration = Duration::from_millis(50);
/// The same where other processes read too, and can't be heard asking.
const GATHER_SHARED: Duration = Duration::from_millis(5);

/// A view of the run.
pub(super) struct Member {
    pub(super) view: Box<dyn Project>,
    pub(super) status: watch::Sender<Status>,
    /// Up to where it has been projected, and the table's generation.
    pub(super) standing: Standing,
    /// Which of its indexes its table has.
    pub(super) indexed: Indexed,
    /// It stopped here: this process doesn't try again.
    pub(super) refused: bool,
}

impl Member {
    /// One that has yet to find out where it stands.
    pub(super) fn new(entry: Entry, status: watch::Sender<Status>) -> Self {
        Self {
            view: (entry.projection)(),
            status,
            standing: Standing::new(entry.shape.version),
            indexed: Indexed::Unknown,
            refused: false,
        }
    }
}

/// Which indexes a table has; unless it is known, they are made where they are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Indexed {
    Unknown,
    Keys,
    All,
}

/// A page of changes under way into the database.
type Writing = JoinHandle<Result<bool, sqlx::Error>>;

/// What goes into one transaction.
struct Batch {
    from: Position,
    to: Position,
    changes: Vec<(Shape, i64, Change)>,
}

/// Some views that go through the log together.
pub(super) struct Run {
    views: Views,
    members: Vec<Member>,
    joining: mpsc::UnboundedReceiver<Member>,
    /// One who came while the run waited.
    guest: Option<Member>,
    /// Where views go that are not for this run.
    other: mpsc::UnboundedSender<Member>,
    /// Where views go that are not this process's to run any more.
    back: mpsc::UnboundedSender<Member>,
    /// Whether it is the one at the front.
    front: bool,
    asked: Arc<Asked>,
    head: watch::Receiver<Position>,
    closing: watch::Receiver<bool>,
}

impl Run {
    /// Sets both runs to work; whoever joins is sent to the first. Whoever is another process's to run is sent
    /// `back`, and so is what stopped here.
    pub(super) fn start(
        views: &Views,
        back: &mpsc::UnboundedSender<Member>,
    ) -> (mpsc::UnboundedSender<Member>, [JoinHandle<()>; 2]) {
        let (to_front, at_front) = mpsc::unbounded_channel();
        let (to_behind, at_behind) = mpsc::unbounded_channel();
        let run = |joining, other, front| Self {
            members: Vec::new(),
            joining,
            guest: None,
            other,
            back: back.clone(),
            front,
            asked: Arc::clone(&views.inner.asked),
            head: views.log().watch(),
            closing: views.log().closing(),
            views: views.clone(),
        };
        let front = run(at_front, to_behind, true);
        let behind = run(at_behind, to_front.clone(), false);
        (to_front, [tokio::spawn(front.work()), tokio::spawn(behind.work())])
    }

    async fn work(mut self) {
        let mut fenced = false;
        loop {
            let stop = match self.follow().await {
                Ok(()) => break,
                Err(error) => error,
            };
            // A rebuild that has just swapped a table fences the run, which goes on at once; twice in a row it
            // is another one at work.
            let at_once = matches!(stop, FollowError::Fenced) && !fenced;
            fenced = matches!(stop, FollowError::Fenced) && !fenced;
            if !at_once {
                tracing::warn!(error = %stop, "the views try again");
                tokio::time::sleep(RETRY).await;
            }
            if *self.closing.borrow() {
                break;
            }
        }
        self.joining.close();
        let joining = std::iter::from_fn(|| self.joining.try_recv().ok());
        for member in self.members.into_iter().chain(self.guest).chain(joining) {
            member.status.send_modify(|status| status.state = State::Closed);
        }
    }

    /// Follows until the log closes; an error is a passing one, and whatever is held is thrown away.
    async fn follow(&mut self) -> Result<(), FollowError> {
        let members = std::mem::take(&mut self.members);
        self.stand_all(members).await?;
        let mut pages = Pages::of(self.views.log());
        let mut under_way: Option<(Position, Writing)> = None;
        loop {
            if *self.closing.borrow_and_update() {
                self.written(under_way.take()).await?;
                return Ok(());
            }
            let head = *self.head.borrow_and_update();
            if self.has_guests(head) || under_way.is_some() && self.next(head).is_none() {
                self.written(under_way.take()).await?;
                self.receive(head).await?;
                continue;
            }
            let Some((from, until)) = self.next(head) else {
                self.wait().await;
                continue;
            };
            let page = match pages.after(from, until).await {
                Ok(page) => page,
                Err(ReadError::Unavailable(error)) => return Err(error.into()),
                Err(stop) => {
                    self.written(under_way.take()).await?;
                    self.stop(from, &state_of(stop)).await?;
                    continue;
                }
            };
            let fitting = page.events.partition_point(|event| event.position <= until);
            let events = &page.events[..fitting];
            let Some(last) = events.last().map(|event| event.position) else {
                match &page.stop {
                    Some(ReadError::Unavailable(error)) => return Err(error.clone().into()),
                    Some(stop) => {
                        self.written(under_way.take()).await?;
                        self.stop(from, &state_of(stop.clone())).await?;
                    }
                    // Asked for below the head, there is always one.
                    None => return Err(FollowError::Retry("the log gave no events".into())),
                }
                continue;
            };
            let (batch, poisoned) = self.project(from, last, events).await?;
            self.written(under_way.take()).await?;
            if !batch.changes.is_empty() {
                let views = self.views.clone();
                let writing = tokio::spawn(async move {
                    views.inner.store.write(batch.from, batch.to, batch.changes).await
                });
                under_way = Some((last, writing));
            }
            for (name, poison) in poisoned {
                self.written(under_way.take()).await?;
                self.give_up(name, from, events, poison).await?;
            }
        }
    }

    /// Where the one furthest behind stands, and how far it may go: to where the next one stands, or the head.
    fn next(&self, head: Position) -> Option<(Position, Position)> {
        let stands = self.members.iter().map(|member| member.standing.position);
        let from = stands.clone().min().filter(|from| *from < head)?;
        Some((from, stands.filter(|position| *position > from).min().map_or(head, |next| next.min(head))))
    }

    /// What the page does to each view that stands at `from`; and those that can't take it.
    async fn project(
        &mut self,
        from: Position,
        to: Position,
        events: &[Arc<Recorded>],
    ) -> Result<(Batch, Vec<(&'static str, Poisoned)>), FollowError> {
        let mut batch = Batch { from, to, changes: Vec::new() };
        let mut poisoned = Vec::new();
        for member in self.members.iter_mut().filter(|member| member.standing.position == from) {
            match take(&self.views, member, events).await? {
                Ok(change) => {
                    batch.changes.push((member.view.shape(), member.standing.generation, change));
                    member.standing.position = to;
                }
                Err(poison) => poisoned.push((member.view.shape().name, poison)),
            }
            // A stretch takes a while, and others have a turn.
            tokio::task::yield_now().await;
        }
        Ok((batch, poisoned))
    }

    /// Waits for what is under way, then tells whoever waits for it.
    async fn written(&mut self, under_way: Option<(Position, Writing)>) -> Result<(), FollowError> {
        let Some((to, writing)) = under_way else { return Ok(()) };
        match writing.await {
            Ok(Ok(true)) => {}
            Ok(Ok(false)) => return Err(FollowError::Fenced),
            Ok(Err(error)) => return Err(error.into()),
            Err(panicked) => return Err(FollowError::Retry(panicked.to_string())),
        }
        // Whoever stands there or has been projected further was part of it.
        for member in self.members.iter().filter(|member| member.standing.position >= to) {
            member.status.send_if_modified(|status| {
                let moved = status.position < to;
                status.position = status.position.max(to);
                moved
            });
        }
        Ok(())
    }

    /// Takes a view that can't take an event to right before it, and leaves it there.
    async fn give_up(
        &mut self,
        name: &'static str,
        from: Position,
        events: &[Arc<Recorded>],
        mut poison: Poisoned,
    ) -> Result<(), FollowError> {
        let Some(index) = self.members.iter().position(|member| member.view.shape().name == name) else {
            return Ok(());
        };
        let member = &mut self.members[index];
        loop {
            if !stand(&self.views, member).await? {
                // Somebody else runs it by now, and will find out.
                return Err(FollowError::Fenced);
            }
            let sound = &events[..events.partition_point(|event| event.position < poison.position)];
            let Some(last) = sound.last().map(|event| event.position) else { break };
            match take(&self.views, member, sound).await? {
                Ok(change) => {
                    let changes = vec![(member.view.shape(), member.standing.generation, change)];
                    if !self.views.inner.store.write(from, last, changes).await? {
                        return Err(FollowError::Fenced);
                    }
                    member.standing.position = last;
                    break;
                }
                Err(earlier) => poison = earlier,
            }
        }
        let Poisoned { position, reason } = poison;
        let member = self.members.swap_remove(index);
        self.stopped(member, State::Stopped { position, reason }).await
    }

    /// Leaves a view where it is, and tells everybody.
    async fn stopped(&mut self, mut member: Member, state: State) -> Result<(), FollowError> {
        let (name, standing) = (member.view.shape().name, &member.standing);
        if let Some(store) = self.views.inner.store.shared() {
            let told = match &state {
                // Another process may be newer and know the event.
                State::Outdated { .. } => store.release(name).await,
                State::Stopped { position, reason } => {
                    store.stopped(name, standing.generation, *position, reason).await
                }
                State::Starting | State::Running | State::Closed => Ok(()),
            };
            if let Err(error) = told {
                self.members.push(member);
                return Err(error.into());
            }
        }
        tracing::error!(view = name, ?state, "a view has stopped");
        member.status.send_replace(Status { position: standing.position, state });
        member.refused = true;
        self.send_back(member);
        Ok(())
    }

    /// The views that stand at `from` can't go on.
    async fn stop(&mut self, from: Position, state: &State) -> Result<(), FollowError> {
        let (stop, go_on) = std::mem::take(&mut self.members)
            .into_iter()
            .partition::<Vec<_>, _>(|member| member.standing.position == from);
        self.members = go_on;
        let mut done = Ok(());
        for member in stop {
            if done.is_ok() {
                done = self.stopped(member, state.clone()).await;
            } else {
                self.members.push(member);
            }
        }
        done
    }

    /// Puts views where the database says that they stand, and sends back those that another process runs.
    async fn stand_all(&mut self, members: Vec<Member>) -> Result<(), FollowError> {
        let mut stood = Ok(());
        for mut member in members {
            match if stood.is_ok() { stand(&self.views, &mut member).await } else { Ok(true) } {
                Ok(true) => self.members.push(member),
                Ok(false) => self.send_back(member),
                Err(error) => {
                    // It stays, to be put where it stands next time.
                    self.members.push(member);
                    stood = Err(error);
                }
            }
        }
        stood
    }

    /// In a folder nobody takes it, and nobody needs to.
    fn send_back(&self, member: Member) {
        self.back.send(member).ok();
    }

    /// Whether somebody joins or leaves.
    fn has_guests(&self, head: Position) -> bool {
        self.guest.is_some()
            || !self.joining.is_empty()
            || self.members.iter().any(|member| self.is_for_other(member, head))
    }

    fn is_for_other(&self, member: &Member, head: Position) -> bool {
        let behind = head.saturating_sub(member.standing.position);
        if self.front { behind > BEHIND } else { behind <= BEHIND / 2 }
    }

    /// Takes who joins, and hands over who belongs to the other run. Nothing may be under way.
    async fn receive(&mut self, head: Position) -> Result<(), FollowError> {
        let joining = std::iter::from_fn(|| self.guest.take().or_else(|| self.joining.try_recv().ok()));
        let joining: Vec<Member> = joining.collect();
        self.stand_all(joining).await?;
        let (mut leaving, staying) = std::mem::take(&mut self.members)
            .into_iter()
            .partition::<Vec<_>, _>(|member| self.is_for_other(member, head));
        self.members = staying;
        let at_front = if self.front { &mut self.members } else { &mut leaving };
        let mut indexed = Ok(());
        for member in at_front {
            if indexed.is_ok() {
                indexed = index(&self.views, member).await;
            }
        }
        for member in leaving {
            // It can't be gone before the log closes, and then they all are.
            self.other.send(member).ok();
        }
        indexed
    }

    /// Waits for events, for company, or for the end.
    async fn wait(&mut self) {
        tokio::select! {
            _ = self.closing.changed() => {}
            guest = self.joining.recv() => self.guest = guest,
            _ = self.head.changed(), if self.front => {
                let gather = if self.views.inner.store.shared().is_some() { GATHER_SHARED } else { GATHER };
                tokio::select! {
                    () = self.asked.here.notified() => {}
                    () = tokio::time::sleep(gather) => {}
                    _ = self.closing.changed() => {}
                }
            }
        }
    }
}

/// Puts a view where the database says that it stands, holding nothing; false if it is another's to run.
async fn stand(views: &Views, member: &mut Member) -> Result<bool, FollowError> {
    let shape = member.view.shape();
    let found = views.inner.store.standing(shape.name).await?.ok_or(FollowError::Fenced)?;
    if !found.mine || found.version != shape.version {
        return Ok(false);
    }
    member.view.reset(views.inner.store.next_number(shape.name).await?);
    if found.generation != member.standing.generation {
        member.indexed = Indexed::Unknown;
    }
    member.status.send_replace(Status { position: found.position, state: State::Running });
    member.standing = found;
    Ok(true)
}

/// Gives a view's table all the indexes that it has at the front.
async fn index(views: &Views, member: &mut Member) -> Result<(), FollowError> {
    if member.indexed < Indexed::All {
        let shape = member.view.shape();
        views.inner.store.index(&shape, member.standing.generation).await?;
        member.indexed = Indexed::All;
    }
    Ok(())
}

/// What the events do to a view, its open rows read where it doesn't hold them.
async fn take(
    views: &Views,
    member: &mut Member,
    events: &[Arc<Recorded>],
) -> Result<Result<Change, Poisoned>, FollowError> {
    let missing = member.view.prepare(events);
    if !missing.is_empty() {
        let (store, shape) = (&views.inner.store, member.view.shape());
        if member.indexed < Indexed::Keys {
            store.index_keys(&shape, member.standing.generation).await?;
            member.indexed = Indexed::Keys;
        }
        let rows = store.open_rows(&shape, shape.name, &missing).await?;
        member.view.load(missing, rows).map_err(sqlx::Error::from)?;
    }
    Ok(member.view.project(events))
}
