//! The reports service (报送): cycles, what each agency owes in them, and the reports that answer it.
//!
//! `grpc` is the door (who calls, what is asked, what became of it), `convert` the only parsing, `render` the
//! only way back to the wire, `views` the tables that follow the log, and [`Calendar`] the system's own hand: it
//! opens the obligations of a new cycle and records silence past a due day. The rules are in the domain.
//!
//! # Determinations
//! - **A draft is its own agency's alone, as long as the log knows no later step**: whatever day is asked about,
//!   the items shown are the latest that were known, and those are the draft's.
//! - **To an agency, a report that isn't there sounds like another agency's**, in commands as in queries, and
//!   it learns no etag of another's.
//! - **Overdue is what is still owed**: past due, not waived, nothing submitted, whether or not the clock has
//!   recorded it as missed. A late report ends it.

mod calendar;
mod convert;
mod grpc;
mod render;
pub mod views;

pub use calendar::{Calendar, CalendarError, Health};
pub use grpc::ReportsDoor;
pub use views::VIEWS;
