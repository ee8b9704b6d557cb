//! The agencies service (机构): who they are on a date and under which names; its door and its views.
//!
//! Commands go to the log as everywhere. Two views answer: [`Agencies`], the folded state of each agency with
//! the columns it is listed by, and [`AgencyNames`], every name by which it is found. Nothing here knows of
//! tasks: that an agency with duties can't be dissolved is the rule's to say.

mod convert;
mod grpc;
mod render;
mod views;

use duban_log::{Log, StorageError, Views};

pub use duban_proto::agencies::v1::agency_service_server::AgencyServiceServer;
pub use grpc::Door;
pub use views::{Agencies, AgencyNames};

/// Sets the service's views to work and gives its door: `door!(AgencyServiceServer::new(open(…).await?))`.
pub async fn open(log: &Log, views: &Views) -> Result<Door, StorageError> {
    views::start(views).await?;
    Ok(Door::new(log.clone(), views.clone()))
}
