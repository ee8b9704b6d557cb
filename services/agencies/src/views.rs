//! What the agencies service keeps of the log: tables on both clocks, rebuilt from it at any time.

mod agencies;
mod names;

use duban_log::views::{Entry, Of};

pub use agencies::Agencies;
pub use names::AgencyNames;
pub(crate) use names::{Bearer, NameKind, bearers};

/// The views of this service.
pub const VIEWS: &[Entry] = &[Entry::of::<Of<Agencies>>(), Entry::of::<AgencyNames>()];
