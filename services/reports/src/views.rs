//! What the reports service keeps of the log: tables on both clocks, rebuilt from it at any time.
//!
//! A view is exhaustive over the events it follows and names the other families in one arm each.

mod cycles;
mod duty_holders;
mod obligations;
mod reports;

use duban_log::views::{Entry, Of};

pub(crate) use cycles::newest_first;
pub use cycles::{Counted, Cycles};
pub use duty_holders::DutyHolders;
pub use obligations::Obligations;
pub use reports::Reports;

/// Every view of this service.
pub const VIEWS: &[Entry] = &[
    Entry::of::<Of<Cycles>>(),
    Entry::of::<Of<Obligations>>(),
    Entry::of::<Of<Reports>>(),
    Entry::of::<DutyHolders>(),
];
