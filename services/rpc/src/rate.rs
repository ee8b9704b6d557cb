//! How much one principal may ask, and how much all of them at once. A call over either bound is refused at
//! the door, before its body is read.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::{Error, RETRY_AFTER};

/// Buckets that are full again are dropped once in this many calls, so the store holds at most this many
/// principals beside those who spent from theirs within the time that refills it.
const SWEEP_EVERY: u64 = 1024;

/// How much may be asked.
#[derive(Debug, Clone, Copy)]
pub struct Quotas {
    /// Calls a second and principal, sustained.
    pub per_second: NonZeroU32,
    /// Calls at once and principal, after a pause.
    pub burst: NonZeroU32,
    /// Calls in progress, of all principals together; streams count until they end.
    pub in_progress: usize,
}

impl Default for Quotas {
    fn default() -> Self {
        // Generous: one importer or one load test on a desk stays under it, a runaway loop doesn't.
        const PER_SECOND: NonZeroU32 = NonZeroU32::new(10_000).unwrap();
        const BURST: NonZeroU32 = NonZeroU32::new(20_000).unwrap();
        Self { per_second: PER_SECOND, burst: BURST, in_progress: 1024 }
    }
}

/// The bounds, and what has been spent.
#[derive(Debug)]
pub(crate) struct Rate {
    buckets: DefaultKeyedRateLimiter<Arc<str>>,
    clock: DefaultClock,
    calls: AtomicU64,
    in_progress: Arc<Semaphore>,
}

/// A call in progress; dropping it makes room for another.
pub(crate) type Place = OwnedSemaphorePermit;

impl Rate {
    pub(crate) fn new(quotas: &Quotas) -> Self {
        let quota = Quota::per_second(quotas.per_second).allow_burst(quotas.burst);
        Self {
            buckets: RateLimiter::dashmap(quota),
            clock: DefaultClock::default(),
            calls: AtomicU64::new(0),
            in_progress: Arc::new(Semaphore::new(quotas.in_progress.min(Semaphore::MAX_PERMITS))),
        }
    }

    /// Spends one call of `principal`'s; refuses it if there is none left or no place.
    pub(crate) fn admit(&self, principal: &str) -> Result<Place, Error> {
        if self.calls.fetch_add(1, Ordering::Relaxed).is_multiple_of(SWEEP_EVERY) {
            self.buckets.retain_recent();
        }
        self.buckets.check_key(&Arc::from(principal)).map_err(|until| {
            let wait = until.wait_time_from(self.clock.now()).max(Duration::from_millis(1));
            Error::exhausted("RATE_LIMITED", principal, "too many calls of this principal", Some(wait))
        })?;
        Arc::clone(&self.in_progress).try_acquire_owned().map_err(|_| {
            Error::exhausted("TOO_MANY_CALLS", "server", "too many calls in progress", Some(RETRY_AFTER))
        })
    }
}

#[cfg(test)]
mod tests {
    use tonic_types::StatusExt;

    use super::*;
    use crate::error::status;

    fn quotas(per_second: u32, burst: u32, in_progress: usize) -> Quotas {
        Quotas {
            per_second: NonZeroU32::new(per_second).unwrap(),
            burst: NonZeroU32::new(burst).unwrap(),
            in_progress,
        }
    }

    #[test]
    fn one_principal_over_its_burst_waits_and_another_does_not() {
        let rate = Rate::new(&quotas(1, 2, 100));
        let first = [rate.admit("a"), rate.admit("a")];
        assert!(first.iter().all(Result::is_ok));
        let refused = status(rate.admit("a").unwrap_err()).get_error_details();
        assert_eq!(refused.error_info().unwrap().reason, "RATE_LIMITED");
        assert!(refused.retry_info().unwrap().retry_delay.unwrap() <= Duration::from_secs(1));
        assert!(refused.quota_failure().is_some());
        assert!(rate.admit("b").is_ok());
    }

    #[test]
    fn a_place_is_free_again_when_the_call_ends() {
        let rate = Rate::new(&quotas(1000, 1000, 1));
        let place = rate.admit("a").unwrap();
        assert_eq!(rate.admit("b").unwrap_err().reason(), "TOO_MANY_CALLS");
        drop(place);
        assert!(rate.admit("b").is_ok());
    }

    #[test]
    fn the_store_stays_bounded_however_many_principals_there_are() {
        // A bucket of one call refills in a nanosecond: each is stale as soon as it is written.
        let rate = Rate::new(&quotas(1_000_000_000, 1, 100));
        for principal in 0..20 * SWEEP_EVERY {
            drop(rate.admit(&principal.to_string()));
        }
        let bound = usize::try_from(2 * SWEEP_EVERY).unwrap();
        assert!(rate.buckets.len() <= bound, "{}", rate.buckets.len());
    }
}
