//! What must hold of the log and its views after every test, whatever it did.

use duban::Service;
use duban::server::views_of;
use duban_proto::audit::v1 as audit;
use tonic::Status;
use tonic_types::StatusExt as _;

use super::{As, Office};

/// The reason of a failure, and its code.
pub fn reason_of(status: &Status) -> (tonic::Code, String) {
    let details = status.get_error_details();
    let reason = details.error_info().map(|info| info.reason.clone()).unwrap_or_default();
    (status.code(), reason)
}

/// Every event of the log, as an auditor reads it.
pub async fn events(auditor: &As) -> Vec<audit::Event> {
    let mut frames =
        auditor.audit().read(audit::ReadRequest::default()).await.expect("it is read").into_inner();
    let mut events = Vec::new();
    while let Some(frame) = frames.message().await.expect("no failure") {
        events.extend(frame.events);
    }
    events
}

impl Office {
    /// The log is dense, its times never go back, each tag's chain is whole, and every view is what a rebuild
    /// makes of it.
    pub async fn verify(self) {
        let events = events(&self.auditor()).await;
        assert_eq!(events.len() as u64, self.head().await);
        let mut last = std::collections::HashMap::new();
        let mut before = (0, 0);
        for (index, event) in events.iter().enumerate() {
            assert_eq!(event.position, index as u64 + 1, "positions are dense");
            let at = event.recorded_at.expect("a time");
            assert!((at.seconds, at.nanos) >= before, "times never go back");
            before = (at.seconds, at.nanos);
            for filed in &event.tags {
                let previous = last.insert(filed.tag.clone(), event.position).unwrap_or(0);
                assert_eq!(filed.previous, previous, "the chain of {} is whole", filed.tag);
            }
        }
        for view in views_of(&Service::ALL) {
            let rebuilt = view.rebuild(&self.running().views).await.expect("it is rebuilt");
            assert!(rebuilt.is_same(), "{} is what a rebuild makes of the log", view.name);
        }
        let mut office = self;
        office.close().await;
    }
}
