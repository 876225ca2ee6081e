//! The wall clock, the only reader of it.
//!
//! A store takes its time from a [`Clock`], so that a test can step it. That
//! versions are numbered in strictly increasing order never depends on it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Tells the time to a store.
pub trait Clock: Send + Sync {
    /// Microseconds since the Unix epoch, UTC.
    fn now(&self) -> i64;
}

/// The system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the clock is the one place that asks"
    )]
    fn now(&self) -> i64 {
        let micros = |d: Duration| i64::try_from(d.as_micros()).unwrap_or(i64::MAX);
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => micros(since),
            Err(before) => -micros(before.duration()),
        }
    }
}
