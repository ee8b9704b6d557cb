//! The doors of the reports service: cycles with their obligations, and reports.

mod cycle;
mod report;

use duban_domain::Date;
use duban_domain::time::civil_date;
use duban_log::views::Of;
use duban_log::{Log, Outcome, StorageError, Views};

use crate::views::{Cycles, Obligations, Reports};

/// What the handlers of both services share. Cheap to clone.
#[derive(Clone)]
pub struct ReportsDoor {
    log: Log,
    views: Views,
}

impl ReportsDoor {
    /// Sets the views that answer to work, from where they stand.
    pub async fn open(log: &Log, views: &Views) -> Result<Self, StorageError> {
        views.start::<Of<Cycles>>().await?;
        views.start::<Of<Obligations>>().await?;
        views.start::<Of<Reports>>().await?;
        Ok(Self { log: log.clone(), views: views.clone() })
    }

    /// The day that the reply to a command is of: that of its receipt, so that a retry is answered the same.
    fn shown_on<C>(&self, outcome: &Outcome<C>) -> Date {
        civil_date(outcome.receipt.map_or_else(|| self.log.now(), |receipt| receipt.recorded_at))
    }
}
