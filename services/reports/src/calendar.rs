//! The system's own hand (日历): it opens the obligations of a new cycle, and records silence past a due day.
//!
//! It looks at where things stand, not at what has happened since: each turn takes the cycles whose opening
//! isn't finished and the obligations that are open past their due day, and does what is missing. So a turn may
//! end anywhere, by a crash too, and the next one goes on; and two at once do nothing twice, since every command
//! has a request id that follows from what it is about. It must never decide: the rules do, each command anew.
//!
//! # Determinations
//! - **Nothing is stored of where it stands**: the log says it all, and the service's own views find it.
//! - **Who must report is asked before it is commanded** (`validate_only`): an agency that need not leaves no
//!   receipt, which would answer for it should it come to lead while the opening is interrupted.

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use duban_domain::caller::{Caller, PrincipalId};
use duban_domain::command::Context;
use duban_domain::cycle::{Cycle, CycleCommand, CycleEvent, Obligation};
use duban_domain::name::{AgencyId, ObligationId};
use duban_domain::time::{civil_date, end_of};
use duban_domain::{Event, Position, Recorded, Role, Timestamp};
use duban_log::views::{NOW, OPEN_END, Of, WAIT};
use duban_log::{
    Cell, ExecuteError, FollowError, Follower, Log, ReadError, Request, Snapshot, StorageError, View,
    ViewError, Views, Wanted,
};
use futures::FutureExt as _;
use tokio::sync::{Mutex, Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use uuid::Uuid;

use crate::views::{Cycles, DutyHolders, Obligations};

/// Who it is in the log.
const PRINCIPAL: &str = "system:calendar";
/// What its commands are called where callers' have the name of an RPC.
const RPC: &str = "duban.reports.calendar";
/// How often it looks when nothing wakes it.
const POLL: Duration = Duration::from_secs(1);
/// How long it waits after a failure: at first, and at most.
const AGAIN: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(30));
/// The most obligations that one turn finds missed; the next follows at once.
const MISSED_MAX: usize = 1000;

/// Why a turn of the calendar did not do all that was to do. The next one tries again.
#[derive(Debug, thiserror::Error)]
pub enum CalendarError {
    /// It can't see where things stand.
    #[error("the calendar can't read its views")]
    View(#[from] ViewError),
    /// The log gives no cause.
    #[error("the calendar can't read the log")]
    Read(#[from] ReadError),
    /// The log, or a rule, did not take a command.
    #[error("a command of the calendar has no outcome")]
    Execute(#[from] ExecuteError),
    /// A mistake of ours.
    #[error("the calendar panicked")]
    Panicked,
}

/// How the calendar is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// Its last turn did all that was to do.
    Well,
    /// Its last turn failed, and it tries again.
    Failing(String),
    /// It was told to stop, or the log was closed.
    Stopped,
}

/// The calendar at work.
pub struct Calendar {
    desk: Arc<Desk>,
    health: watch::Receiver<Health>,
    stop: Arc<Notify>,
    work: JoinHandle<()>,
}

impl Calendar {
    /// Sets it to work, until it is [stopped](Calendar::stop) or the log closes. The service's views must have
    /// been [started](crate::ReportsDoor::open).
    pub async fn start(log: &Log, views: &Views) -> Result<Self, StorageError> {
        views.start::<DutyHolders>().await?;
        let woken = Arc::new(Notify::new());
        log.start(Bell { log: log.clone(), position: None, woken: Arc::clone(&woken) });
        let desk = Arc::new(Desk { log: log.clone(), views: views.clone(), turn: Mutex::default() });
        let (tell, health) = watch::channel(Health::Well);
        let stop = Arc::new(Notify::new());
        let (at_work, told, mut closing) = (Arc::clone(&desk), Arc::clone(&stop), log.closing());
        let work = tokio::spawn(async move {
            tokio::select! {
                () = at_work.work(&woken, &tell) => {}
                () = told.notified() => {}
                _ = closing.wait_for(|closing| *closing) => {}
            }
            tell.send_replace(Health::Stopped);
        });
        Ok(Self { desk, health, stop, work })
    }

    /// Takes a turn now: when it returns well, all is done that was to do when it was called.
    pub async fn tick(&self) -> Result<(), CalendarError> {
        self.desk.turn().await.map(|_| ())
    }

    /// How it is, and a way to hear when that changes.
    pub fn health(&self) -> watch::Receiver<Health> {
        self.health.clone()
    }

    /// Stops it, wherever it is: what it leaves undone is done after the next start.
    pub async fn stop(self) {
        self.stop.notify_one();
        // It ends by itself; a panic has been told in its health.
        self.work.await.ok();
    }
}

/// Hears of new cycles and obligations, so that nobody waits for the poll.
struct Bell {
    log: Log,
    position: Option<Position>,
    woken: Arc<Notify>,
}

impl Follower for Bell {
    fn name(&self) -> &'static str {
        "calendar"
    }

    /// What came before it was there, the first turn sees.
    async fn position(&mut self) -> Result<Position, FollowError> {
        let head = self.log.head().await.map_err(|error| FollowError::Retry(error.to_string()))?;
        Ok(*self.position.get_or_insert(head))
    }

    async fn apply(&mut self, _: Position, page: &[Arc<Recorded>]) -> Result<(), FollowError> {
        if page.iter().any(|recorded| gives_work(&recorded.event)) {
            self.woken.notify_one();
        }
        self.position = page.last().map(|last| last.position).or(self.position);
        Ok(())
    }
}

fn gives_work(event: &Event) -> bool {
    match event {
        Event::Cycle(event) => match event {
            CycleEvent::Opened { .. } | CycleEvent::ObligationOpened { .. } => true,
            CycleEvent::Enrolled { .. }
            | CycleEvent::ObligationMet { .. }
            | CycleEvent::ObligationWaived { .. }
            | CycleEvent::ObligationMissed { .. } => false,
        },
        Event::Document(_)
        | Event::Agency(_)
        | Event::Task(_)
        | Event::Assignment(_)
        | Event::Report(_)
        | Event::Log(_) => false,
    }
}

/// An error and its causes, for whoever runs the system.
fn in_full(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |words, cause| format!("{words}: {cause}"))
}

/// What the calendar works with.
struct Desk {
    log: Log,
    views: Views,
    /// One turn at a time.
    turn: Mutex<()>,
}

/// The event that makes the calendar act.
struct Cause {
    position: Position,
    correlation: Option<Uuid>,
    trace_id: Option<String>,
}

impl Desk {
    /// Takes turns for ever: when woken, when the next due day is over, and every so often.
    async fn work(&self, woken: &Notify, health: &watch::Sender<Health>) {
        let mut again = AGAIN.0;
        loop {
            let turn = AssertUnwindSafe(self.turn()).catch_unwind().await;
            match turn.unwrap_or(Err(CalendarError::Panicked)) {
                Ok(next) => {
                    again = AGAIN.0;
                    health.send_replace(Health::Well);
                    tokio::select! {
                        () = woken.notified() => {}
                        () = tokio::time::sleep(self.until(next)) => {}
                    }
                }
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "the calendar tries again");
                    health.send_replace(Health::Failing(in_full(&error)));
                    tokio::time::sleep(again).await;
                    again = (again * 2).min(AGAIN.1);
                }
            }
        }
    }

    /// How long until `next` on the log's clock, but never longer than the poll: that clock may be moved.
    fn until(&self, next: Option<Timestamp>) -> Duration {
        let left = next.map(|next| next.duration_since(self.log.now()));
        left.map_or(POLL, |left| Duration::try_from(left).unwrap_or_default().min(POLL))
    }

    /// Does all that is to do, whatever part of it fails; then when there will be more, as far as is known.
    async fn turn(&self) -> Result<Option<Timestamp>, CalendarError> {
        if self.log.is_sealed().await? {
            // It has ended: what is due is opened and recorded where it went.
            return Ok(None);
        }
        let _turn = self.turn.lock().await;
        let opened = self.open_obligations().await;
        let next = self.record_silence().await;
        opened.and(next)
    }

    async fn open_obligations(&self) -> Result<(), CalendarError> {
        let mut done = Ok(());
        for cycle in self.opening().await? {
            done = done.and(self.enrol(&cycle).await);
        }
        done
    }

    /// The cycles whose opening isn't finished.
    async fn opening(&self) -> Result<Vec<Cycle>, CalendarError> {
        let mut snapshot = self.snapshot::<Of<Cycles>>().await?;
        let rest = "known_to = $1 AND stage = 'OPENING' ORDER BY key";
        let rows = snapshot.select::<Of<Cycles>>(rest, &[NOW.into()]).await?;
        Ok(rows.into_iter().map(|row| row.columns.state.cycle.clone()).collect())
    }

    /// Opens an obligation for each agency that must report, then says that they are all.
    ///
    /// Crash anywhere: those opened answer again as they did, and are counted like the new ones.
    async fn enrol(&self, cycle: &Cycle) -> Result<(), CalendarError> {
        let cause = self.cause(cycle.opened_at).await?;
        let mut obligations: Result<u32, CalendarError> = Ok(0);
        for agency in self.candidates().await? {
            // One agency's trouble holds up no other, but the cycle as a whole.
            let opened = self.open_obligation(cycle, agency, &cause).await;
            obligations = obligations.and_then(|so_far| Ok(so_far + u32::from(opened?)));
        }
        let obligations = obligations?;
        let command = CycleCommand::Enrol { cycle: cycle.name, obligations };
        self.log.execute(&self.request(&cause, &format!("enrol {}", cycle.name)), command).await?;
        tracing::info!(cycle = %cycle.name, obligations, "every obligation of the cycle is open");
        Ok(())
    }

    /// Opens the agency's obligation, if it must report; whether it has one.
    async fn open_obligation(
        &self,
        cycle: &Cycle,
        agency: AgencyId,
        cause: &Cause,
    ) -> Result<bool, CalendarError> {
        let name = ObligationId::of(cycle.name, &agency);
        // No hint of tasks: the rule finds them, and the same request must be the same whenever it is made.
        let command = CycleCommand::OpenObligation { cycle: cycle.name, agency, tasks: vec![] };
        let asked = Request { validate_only: true, ..self.request(cause, &format!("open {name}")) };
        let would_be = self.log.execute(&asked, command.clone()).await?;
        if would_be.world.find_obligation(&name).is_none() {
            return Ok(false);
        }
        let opened = self.log.execute(&Request { validate_only: false, ..asked }, command).await?;
        Ok(opened.world.find_obligation(&name).is_some())
    }

    /// Whom to consider: every agency that ever led a task, in order of name.
    async fn candidates(&self) -> Result<BTreeSet<AgencyId>, CalendarError> {
        let mut snapshot = self.snapshot::<DutyHolders>().await?;
        let rows = snapshot.select::<DutyHolders>("known_to = $1", &[NOW.into()]).await?;
        // The view wrote them from names of agencies.
        Ok(rows.iter().filter_map(|row| row.key.parse().ok()).collect())
    }

    /// Records what is open past its due day as missed; then when the next due day is over.
    async fn record_silence(&self) -> Result<Option<Timestamp>, CalendarError> {
        let now = self.log.now();
        let today = civil_date(now);
        let (overdue, next) = {
            let mut snapshot = self.snapshot::<Of<Obligations>>().await?;
            let open = "known_to = $1 AND standing = 'OPEN' AND valid_to = $2";
            let at: [Cell; 3] = [NOW.into(), OPEN_END.into(), today.into()];
            let rest = format!("{open} AND due_on < $3 ORDER BY due_on, key LIMIT {MISSED_MAX}");
            let overdue = snapshot.select::<Of<Obligations>>(&rest, &at).await?;
            let rest = format!("{open} AND due_on >= $3");
            (overdue, snapshot.query::<Of<Obligations>>("min(due_on) AS next", &rest, &at).await?)
        };
        let more = overdue.len() == MISSED_MAX;
        let mut done = Ok(());
        for row in overdue {
            done = done.and(self.mark_missed(&row.columns.state).await);
        }
        let next = next.first().and_then(|row| row.text("next")?.parse().ok()).map(end_of);
        done.map(|()| if more { Some(now) } else { next })
    }

    async fn mark_missed(&self, obligation: &Obligation) -> Result<(), CalendarError> {
        let name = &obligation.name;
        let cause = self.cause(obligation.because.first().copied().unwrap_or_default()).await?;
        // Of the day: had a clock gone back under us, the empty receipt would not answer for ever.
        let purpose = format!("miss {name} on {}", civil_date(self.log.now()));
        let command = CycleCommand::MarkMissed { obligation: name.clone() };
        self.log.execute(&self.request(&cause, &purpose), command).await?;
        tracing::info!(obligation = %name, "the due day passed in silence");
        Ok(())
    }

    async fn snapshot<V: View>(&self) -> Result<Snapshot, ViewError> {
        self.views.read::<V>(Wanted::Head, Instant::now() + WAIT).await
    }

    async fn cause(&self, position: Position) -> Result<Cause, ReadError> {
        let event = self.log.event(position).await?;
        let correlation = event.as_ref().map(|event| event.correlation);
        Ok(Cause { position, correlation, trace_id: event.and_then(|event| event.trace_id) })
    }

    /// A request for `purpose`, the same whenever it is made.
    fn request(&self, cause: &Cause, purpose: &str) -> Request {
        // The literal is a principal id.
        let principal = PrincipalId::parse(PRINCIPAL).unwrap_or_else(|| unreachable!("{PRINCIPAL}"));
        Request {
            caller: Caller { principal, role: Role::System, agency: None },
            request_id: Uuid::new_v5(&self.log.identity().log, purpose.as_bytes()),
            context: Context::default(),
            effective_on: None,
            etag: None,
            validate_only: false,
            rpc: RPC,
            correlation: cause.correlation,
            causation: Some(cause.position),
            trace_id: cause.trace_id.clone(),
        }
    }
}
