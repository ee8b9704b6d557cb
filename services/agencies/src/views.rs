//! What the agencies service keeps of the log: tables on both clocks, rebuilt from it at any time.

mod agencies;
mod names;

use duban_log::views::Of;
use duban_log::{StorageError, Views};

pub use agencies::Agencies;
pub use names::AgencyNames;
pub(crate) use names::{Bearer, NameKind, bearers};

/// Sets them to work.
pub(crate) async fn start(views: &Views) -> Result<(), StorageError> {
    views.start::<Of<Agencies>>().await?;
    views.start::<AgencyNames>().await?;
    Ok(())
}
