//! The event log of duban: append, read, follow; and the views that follow it.
//!
//! The log is the truth, everything else follows it. It must never acknowledge what is not durable, skip or
//! reorder an event, or change one. [`Log`] appends and reads, [`Log::execute`] takes a command from its
//! subjects' events to its receipt, a [`Follower`] takes the events in order, and a [`View`] is a follower that
//! keeps a table on both clocks. A log goes from one home to the next by [`moving`].
//!
//! A view says which keys an event touches, and which rows of a key are open after it. A query waits for the
//! view, then reads rows and position in one snapshot:
//! ```
//! use duban_domain::agency::AgencyEvent;
//! use duban_domain::{Event, Period, Recorded};
//! use duban_log::{Column, Found, Poison, Row, View, ViewError, Views, Wanted};
//!
//! #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
//! struct Bearer { full_name: String }
//! struct Bearers;
//!
//! impl View for Bearers {
//!     const NAME: &'static str = "bearers";
//!     const VERSION: i64 = 1;
//!     const COLUMNS: &'static [Column] = &[Column::text("full_name")];
//!     type Columns = Bearer;
//!     fn keys(recorded: &Recorded) -> Vec<String> {
//!         let Event::Agency(event) = &recorded.event else { return vec![] };
//!         vec![event.agency().to_string()]
//!     }
//!     fn project(_: &str, open: Vec<Row<Bearer>>, recorded: &Recorded) -> Result<Vec<Row<Bearer>>, Poison> {
//!         let Event::Agency(AgencyEvent::Renamed { full_name, .. }) = &recorded.event else { return Ok(open) };
//!         let columns = Bearer { full_name: full_name.to_string() };
//!         Ok(vec![Row::new(Period::since(recorded.effective_on), recorded.position, columns)])
//!     }
//! }
//!
//! async fn bearers(views: &Views, deadline: tokio::time::Instant) -> Result<Vec<Found<Bearer>>, ViewError> {
//!     let mut snapshot = views.read::<Bearers>(Wanted::Head, deadline).await?;
//!     let now = snapshot.position().into();
//!     snapshot.select::<Bearers>("known_from <= $1 AND $1 < known_to ORDER BY key", &[now]).await
//! }
//! ```
//!
//! # Determinations
//! - **A condition says for each tag how far it was read**, not one position for all. So a decision may rest on
//!   folds of different age, each kept from the last command on its subject, and a busy subject costs no read.
//! - **The receipt is looked for last, not first**: by the append itself, in its transaction, or before an answer
//!   that appends nothing. The order of checks that a caller sees is the same, at one read less; and a receipt
//!   can't slip in between the look-up and the head.
//! - **The previous position of a tag stands in the event's row alone.** `event_tags` is an index and repeats
//!   nothing that it could contradict. A subject read from the start has its chain checked for gaps.
//! - **An event keeps its command's fingerprint, and so does the receipt.** The leaf commits to it, so that who alters
//!   a receipt contradicts the tree; what the log records of itself has one too, of its body. Older events have none,
//!   and their leaves stay as they were.
//! - **Each commit has an instant of its own**, at least a microsecond after the one before, and after any
//!   instant about which [`Log::position_at`] has answered. So "as known at T" names one position for ever.
//! - **The one writer of a SQLite log remembers** the head and the last position under tags used lately, and asks
//!   for nothing before it writes; receipts are found by the row that is there already. Positions that are not dense
//!   fail the transaction, so a batch is only ever written after the head that it was planned on.
//! - **Within a batch, what conflicts with a neighbour is answered as a conflict** once the batch is durable,
//!   instead of waiting for the next batch: it would conflict there too.
//! - **Who loses a race for a subject queues for it**, within the process, instead of racing on: a busy subject
//!   takes its commands one after the other, and none gives up while others go through.
//! - **A commit that fails is told to all that were in it as "unknown"**, refusals among them: they may rest on
//!   a neighbour that was not written.
//! - **On Postgres the head is not in the row that is locked, but in the events.** A row that each commit rewrites
//!   would leave a trail as long as anybody holds an old snapshot; one that is only locked leaves none.
//! - **On Postgres an append that reads what a neighbour of its batch writes waits for the next batch**: so each is
//!   judged by what is committed, by sets, in one statement, and the lock never spans a round trip.
//! - **On Postgres a batch whose connection was lost is sent again** for some seconds, then its callers are told
//!   that nobody knows. Receipts make both safe.
//! - **The role that serves must not own the log.** A server refuses a role that could write past the functions:
//!   what append-only by privilege promises would else hang on nobody forgetting it.
//! - **Only `events` is partitioned.** Its rows are what grows and is kept apart by age; the index of tags and the
//!   receipts are looked up at random, and a probe into each partition would cost more than it saves.
//! - **All views of a process are one follower**: a page is read and decoded once and written in one transaction
//!   with all positions, since one event in fourteen transactions cost more than its append. A view that stops or
//!   lags is left by the others.
//! - **A view holds the open rows of what was touched of late**, two megabytes of them: nobody else writes it, as
//!   its position's compare-and-set shows, and in the steady state nothing is read before it is written.
//! - **Events gather for up to fifty milliseconds unless somebody asks**, five where other processes read. Under
//!   load a transaction takes many; a read at the head waits for no timer.
//! - **A closed row of a resource is without its folded state**, and of the open rows the last one has it. A state is
//!   as long as its resource's life: written with every row it was most of what a view cost. Who asks what it was
//!   has it folded from the subject's events, as a command would; lists of what holds now fold nothing.
//! - **No index of a view has the end of knowing**: a row that is closed stays where it is in all of them, and on
//!   Postgres the update touches none.
//! - **Secondary indexes come at the end of a catch-up.** Kept row by row they would cost most of it.
//! - **A rebuild compares at one position, in a snapshot**, and adds what came since when it swaps: nobody waits
//!   while a million rows are hashed.
//! - **On Postgres a view is run under a lease**, by the database's clock, three seconds long, renewed by each page
//!   and each second, and fenced by the compare-and-set of runner, generation and position. A row lock held by an
//!   idle transaction would hold back vacuum for weeks, and a process that was stopped would hold it for ever.
//! - **A page of all views is one statement**: it is committed or not, whatever becomes of the process; and none
//!   waits for a client with a lock in its hand.
//! - **A newer version of a view is built beside the older one**, which its own processes go on with until the
//!   swap; from then on they answer that the view has stopped, since its columns may be others. A view of a newer
//!   version is left to those who know it.
//! - **A stopped view is tried again once by each process that starts**: the next one may have been repaired.
//! - **A view that stopped answers no query**, not even one about a position that it had reached.

pub mod append;
pub mod archive;
pub mod clock;
mod engine;
pub mod error;
pub mod event;
pub mod execute;
pub mod feed;
mod folds;
pub mod follower;
mod leaf;
mod load;
mod log;
pub mod moving;
mod postgres;
pub mod request;
mod sqlite;
mod turns;
pub mod views;

pub use append::{Append, Appended, Condition, LogIdentity, Origin, Receipt, StoredReceipt};
pub use archive::{Archive, Held, Unreadable};
pub use clock::{Clock, Ids, ManualClock, SystemClock, SystemIds};
pub use engine::Location;
pub use error::{AppendError, ExecuteError, OpenError, ReadError, StorageError};
pub use event::{Filed, NewEvent, Page, StoredEvent};
pub use feed::Feed;
pub use follower::{FollowError, Follower, Following, State, Status};
pub use load::Load;
pub use log::{Log, LogOptions, PAGE_BYTES, PAGE_EVENTS};
pub use postgres::{Migration, Migrations};
pub use request::{Outcome, Request};
pub use views::{Cell, Column, Digest, Found, Poison, Record, Row, Snapshot, View, ViewError, Views, Wanted};
