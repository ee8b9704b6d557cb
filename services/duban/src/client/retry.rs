//! When a failed call is tried again: only where the server says so, a bounded number of times.

use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// How often one call is made at most.
const TRIES_MAX: u32 = 5;
/// The longest pause between two tries, whatever the server wishes.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// The tries of one call so far.
#[derive(Debug, Default)]
pub(crate) struct Tries {
    made: u32,
}

impl Tries {
    /// How long to wait before the next try; none: give up. A command is sent with the request id that it
    /// had, so a try whose answer was lost is not done twice.
    pub(crate) fn pause_after(&mut self, status: &Status) -> Option<Duration> {
        self.made += 1;
        let passing = matches!(status.code(), Code::Unavailable | Code::Aborted | Code::ResourceExhausted);
        let wished = status.get_details_retry_info()?.retry_delay?;
        (passing && self.made < TRIES_MAX).then(|| wished.min(PAUSE_MAX))
    }
}

#[cfg(test)]
mod tests {
    use tonic_types::ErrorDetails;

    use super::*;

    fn wishing(code: Code, delay: Duration) -> Status {
        Status::with_error_details(code, "later", ErrorDetails::with_retry_info(Some(delay)))
    }

    #[test]
    fn what_the_server_wants_again_is_tried_a_few_times() {
        let busy = wishing(Code::Unavailable, Duration::from_millis(10));
        let mut tries = Tries::default();
        let pauses = std::iter::from_fn(|| tries.pause_after(&busy)).count();
        assert_eq!(pauses, 4);
    }

    #[test]
    fn a_pause_is_bounded() {
        let slow = wishing(Code::Aborted, Duration::from_hours(1));
        assert_eq!(Tries::default().pause_after(&slow), Some(PAUSE_MAX));
    }

    #[test]
    fn what_would_fail_again_is_not_tried() {
        let unreachable = Status::unavailable("connection refused");
        assert_eq!(Tries::default().pause_after(&unreachable), None);
        let refused = wishing(Code::FailedPrecondition, Duration::from_millis(1));
        assert_eq!(Tries::default().pause_after(&refused), None);
    }
}
