//! What the tasks service keeps of the log: tables on both clocks, rebuilt from it at any time.
//!
//! A view is exhaustive over the events it follows and names the other families in one arm each.

mod agency_names;
mod assignments;
mod completion;
mod documents;
mod responsibility;
mod tasks;

pub use agency_names::ResponsibilityNames;
pub use assignments::Assignments;
pub use completion::{Completion, Fact};
pub use documents::{Anomalies, Documents, Readings, fallen};
pub use responsibility::{Columns as ResponsibilityRow, Responsibility};
pub use tasks::Tasks;
