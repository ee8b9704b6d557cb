//! The agencies service (机构): who they are on a date and under which names; its door and its views.
//!
//! Commands go to the log as everywhere. Two views answer: [`Agencies`], the folded state of each agency with
//! the columns it is listed by, and [`AgencyNames`], every name by which it is found. Nothing here knows of
//! tasks: that an agency with duties can't be dissolved is the rule's to say.
//!
//! # Determinations
//! - **A command's reply shows the agency on the day from which the command holds**, not today: what was asked
//!   for is then in it. A retry shows the same day, since its "today" is that of the receipt.
//! - **Before anybody knew of an agency there is none**: on a day before its registration and its first active
//!   day it is NOT_FOUND and in no list, which is what the log says of that day.
//! - **A credit code means its agency also after dissolution**: it is kept for good and never given to another
//!   (国发〔2015〕33号). Full names and other names end with the agency.

mod convert;
mod grpc;
mod render;
mod views;

use duban_log::{Log, StorageError, Views};

pub use grpc::AgenciesDoor;
pub use views::{Agencies, AgencyNames, VIEWS};

/// Sets the service's views to work and gives its door: `door!(AgencyServiceServer::new(open(…).await?))`.
pub async fn open(log: &Log, views: &Views) -> Result<AgenciesDoor, StorageError> {
    for view in VIEWS {
        view.start(views).await?;
    }
    Ok(AgenciesDoor::new(log.clone(), views.clone()))
}
