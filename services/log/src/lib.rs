//! The event log of duban: append, read, follow; and the views that follow it.

pub mod append;
pub mod clock;
pub mod error;
pub mod event;
pub mod execute;
pub mod feed;
pub mod follower;
mod log;
mod sqlite;
pub mod views;

pub use append::{Append, Appended, Condition, LogIdentity, Origin, Receipt, StoredReceipt};
pub use clock::{Clock, Ids, ManualClock, SystemClock, SystemIds};
pub use error::{AppendError, ExecuteError, OpenError, ReadError, StorageError};
pub use event::{Filed, NewEvent, Page, StoredEvent};
pub use execute::{Outcome, Request};
pub use feed::Feed;
pub use follower::{FollowError, Follower, Following, State, Status};
pub use log::{Log, LogOptions, PAGE_BYTES, PAGE_EVENTS};
pub use views::{Cell, Column, Digest, Found, Poison, Record, Row, Snapshot, View, ViewError, Views, Wanted};
