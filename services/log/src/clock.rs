//! Time, ids and randomness are parameters. This is the one place that asks the system for them.

use std::sync::{Mutex, PoisonError};

use duban_domain::Timestamp;
use jiff::SignedDuration;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Tells the time.
pub trait Clock: Send + Sync {
    /// The instant now. The log keeps microseconds.
    fn now(&self) -> Timestamp;
}

/// Draws ids and nonces.
pub trait Ids: Send + Sync {
    /// The id of an event: a UUIDv7.
    fn event(&self) -> Uuid;
    /// The id of a log or of an epoch: random.
    fn identity(&self) -> Uuid;
    /// The nonce under which an event's body is committed to: random and never shown beside the commitment.
    fn nonce(&self) -> [u8; 32];
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods, reason = "the one home of the system's time")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// The machine's randomness.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemIds;

impl Ids for SystemIds {
    #[allow(clippy::disallowed_methods, reason = "the one home of random ids")]
    fn event(&self) -> Uuid {
        Uuid::now_v7()
    }

    #[allow(clippy::disallowed_methods, reason = "the one home of random ids")]
    fn identity(&self) -> Uuid {
        Uuid::new_v4()
    }

    /// # Panics
    /// If the operating system gives no randomness: nothing can be recorded safely then.
    fn nonce(&self) -> [u8; 32] {
        let mut nonce = [0; 32];
        let drawn = getrandom::fill(&mut nonce);
        drawn.unwrap_or_else(|error| panic!("the system gives no randomness: {error}"));
        nonce
    }
}

/// A clock that stands still until it is moved, for tests.
#[derive(Debug)]
pub struct ManualClock(Mutex<Timestamp>);

impl ManualClock {
    /// A clock that shows `start`.
    pub fn at(start: Timestamp) -> Self {
        Self(Mutex::new(start))
    }

    /// Sets it, back as well as forth.
    pub fn set(&self, now: Timestamp) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }

    /// Moves it on.
    ///
    /// # Panics
    /// If that is past the end of time.
    pub fn advance(&self, by: SignedDuration) {
        let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *now += by;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ids that follow from a seed and a count, for tests that compare logs byte for byte.
#[derive(Debug)]
pub struct CountedIds {
    seed: u64,
    count: Mutex<u64>,
}

impl CountedIds {
    /// Another sequence for each seed.
    pub fn new(seed: u64) -> Self {
        Self { seed, count: Mutex::new(0) }
    }

    fn draw(&self) -> [u8; 32] {
        let mut count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        *count += 1;
        Sha256::digest(format!("{}/{count}", self.seed)).into()
    }
}

impl Ids for CountedIds {
    fn event(&self) -> Uuid {
        let drawn = self.draw();
        let mut bytes = [0; 10];
        bytes.copy_from_slice(&drawn[..10]);
        uuid::Builder::from_unix_timestamp_millis(0, &bytes).into_uuid()
    }

    fn identity(&self) -> Uuid {
        let drawn = self.draw();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&drawn[..16]);
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    }

    fn nonce(&self) -> [u8; 32] {
        self.draw()
    }
}
