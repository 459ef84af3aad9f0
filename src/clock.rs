//! The only source of the current time. Everything else is handed a [`Clock`],
//! so that a test can say what time it is instead of waiting for it.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};

/// Tells the time in UTC at millisecond precision, the precision of everything
/// that Muster stores: instants that were stored and read again compare equal.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    /// Milliseconds since the Unix epoch.
    Fake(Arc<AtomicI64>),
}

impl Clock {
    /// The clock of the machine.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands still until a test moves it; clones move together.
    pub fn fake(start: DateTime<Utc>) -> Self {
        Self(Source::Fake(Arc::new(AtomicI64::new(
            start.timestamp_millis(),
        ))))
    }

    pub fn now(&self) -> DateTime<Utc> {
        let millis = match &self.0 {
            Source::System => system_millis(),
            Source::Fake(millis) => millis.load(Ordering::SeqCst),
        };
        DateTime::from_timestamp_millis(millis).unwrap_or(DateTime::<Utc>::MIN_UTC)
    }

    /// Time since some moment of the past, which never goes back, whatever is done to the machine's
    /// clock. For measuring what passes between two calls in one process.
    pub fn monotonic(&self) -> Duration {
        static START: LazyLock<Instant> = LazyLock::new(Instant::now);
        match &self.0 {
            Source::System => START.elapsed(),
            Source::Fake(millis) => {
                let millis = millis.load(Ordering::SeqCst);
                Duration::from_millis(u64::try_from(millis).unwrap_or(0))
            }
        }
    }

    /// Moves a fake clock; the machine's own is left alone.
    pub fn advance(&self, by: TimeDelta) {
        if let Source::Fake(millis) = &self.0 {
            millis.fetch_add(by.num_milliseconds(), Ordering::SeqCst);
        }
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "this is the one place that asks the machine for the time"
)]
fn system_millis() -> i64 {
    Utc::now().timestamp_millis()
}
