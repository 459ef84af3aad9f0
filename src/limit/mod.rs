//! How often something may be tried, and how long to wait before it is tried
//! again. Called by `service::attempt` alone, which knows who tries what.
//!
//! Two rules. Rates (`rate`) allow a burst of so many and then refill evenly, by
//! GCRA. Pauses (`pause`) grow with the wrong guesses in a row at one account. A
//! wrong guess is counted when it begins, so those that are made at once see each
//! other.
//!
//! Where there is Redis, it decides for all processes, each decision in one
//! script; every process keeps its own count beside it. While Redis does not
//! answer, that count decides alone: whatever becomes of Redis, no process ever lets
//! more pass than the limit. What is kept, here or there, is a number under a keyed
//! hash: no address and no name.
//!
//! Redis may lose what it had at any time: it is emptied, starts anew, gives way to
//! an older replica, or drops keys because it is full, which whoever guesses can
//! bring about. So a process that asks about a guess says what it knows by itself,
//! and the higher count holds, and is Redis's from then on. Only what was forgiven or
//! taken back is less than it was: Redis keeps a mark of that for as long as anybody
//! may still know of it. A mark that is lost makes somebody wait, and lets nobody in.
//!
//! The crate `governor` was tried for the rates: its table of keys has no bound,
//! Redis needs the same sum once more in Lua anyway, and the pauses would need a
//! table of their own beside it. The sum is three lines.

mod key;
mod pause;
mod rate;
mod shared;
mod source;
mod table;
#[cfg(test)]
mod tests;

pub use pause::Guess;
pub use rate::Limit;
pub use source::Source;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::Clock;
use crate::config::Secret;
use crate::entity::UserId;
use crate::error::Error;
use crate::metrics::Metrics;
use crate::redis::Redis;

use key::Keys;
use pause::{Failures, Paused};
use rate::{Cell, Want};
use shared::Shared;
use table::Table;

/// A point in time, in microseconds since any start. It never goes back.
type Micros = u64;

/// Whose tries are counted together.
#[derive(Clone, Copy, Debug)]
pub enum Subject<'a> {
    Everybody,
    Source(Source),
    User(UserId),
    /// The second factor of a user.
    CodeOf(UserId),
    /// The same, guessed at from one place.
    CodeFrom(UserId, Source),
    /// A second factor that a user has begun to set up.
    NewCodeOf(UserId),
    /// What an account is called, whether or not there is one.
    Name(&'a str),
    NameFrom(&'a str, Source),
}

/// One more would be one too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    limit: Limit,
    pub wait: Duration,
}

/// Cheap to clone; one per process.
#[derive(Clone)]
pub struct Limiter(Option<Arc<Inner>>);

struct Inner {
    keys: Keys,
    clock: Clock,
    shared: Option<Shared>,
    rates: Mutex<Table<Cell>>,
    /// Apart from the rates, so that no flood of requests makes guesses be forgotten.
    pauses: Mutex<Table<Failures>>,
    metrics: Metrics,
}

impl Limiter {
    /// Allows everything.
    pub fn off() -> Self {
        Self(None)
    }

    /// `secret` is what the processes that share Redis have in common.
    pub fn new(secret: &Secret, clock: Clock, redis: Option<Redis>, metrics: Metrics) -> Self {
        Self(Some(Arc::new(Inner {
            keys: Keys::new(secret),
            clock,
            shared: redis.map(Shared::new),
            rates: Mutex::default(),
            pauses: Mutex::default(),
            metrics,
        })))
    }

    /// Counts a try against each of these limits, or against none of them and says which is reached.
    pub async fn take<const N: usize>(
        &self,
        wanted: [(Limit, Subject<'_>); N],
    ) -> Result<(), Refused> {
        let Some(inner) = self.0.as_deref() else {
            return Ok(());
        };
        let wants = wanted.map(|(limit, subject)| Want {
            limit,
            key: inner.keys.of(limit.name(), subject),
        });
        let now = inner.now();
        // All processes together have let pass at least what this one has: Redis need not be asked
        // by those of a flood that are too many for one.
        rate::take(&mut inner.rates(), &wants, now)?;
        if let Some(shared) = &inner.shared
            && let Some(Err(refused)) = shared.take(&wants).await
        {
            rate::give_back(&mut inner.rates(), &wants, now);
            return Err(refused);
        }
        Ok(())
    }

    /// The names of what is guessed at. `everywhere` is None where all who guess share one count.
    pub fn guess(&self, here: Subject<'_>, everywhere: Option<Subject<'_>>) -> Guess {
        let Some(inner) = self.0.as_deref() else {
            return Guess::default();
        };
        let key = |name: &'static str, subject| inner.keys.of(name, subject);
        Guess {
            here: key("failures_here", here),
            everywhere: everywhere.map(|subject| key("failures", subject)),
        }
    }

    /// Counts a guess as wrong, before it is known to be, unless there is a pause to wait for.
    /// `is_known` is whether this source is held to its own guesses alone.
    pub async fn start(&self, guess: &Guess, is_known: bool) -> Result<(), Paused> {
        let Some(inner) = self.0.as_deref() else {
            return Ok(());
        };
        let now = inner.now();
        if let Some(shared) = &inner.shared {
            let known = pause::known(&inner.pauses(), guess, now);
            if let Some(decided) = shared.start(guess, &known, is_known).await {
                // Of those that have to wait, too: whoever sees a pause holds it by itself then.
                pause::note(&mut inner.pauses(), guess, &decided.told, now);
                return decided.outcome;
            }
        }
        pause::start(&mut inner.pauses(), guess, is_known, now)
    }

    /// Takes a guess back that nobody came to judge.
    pub async fn take_back(&self, guess: &Guess) {
        let Some(inner) = self.0.as_deref() else {
            return;
        };
        if let Some(shared) = &inner.shared {
            shared.take_back(guess).await;
        }
        pause::take_back(&mut inner.pauses(), guess, inner.now());
    }

    /// Forgets the wrong guesses: whoever this is has shown who they are.
    pub async fn forget(&self, guesses: &[Guess]) {
        let Some(inner) = self.0.as_deref() else {
            return;
        };
        if let Some(shared) = &inner.shared {
            shared.forget(guesses).await;
        }
        pause::forget(&mut inner.pauses(), guesses);
    }

    /// What whoever was refused is told. Counts it.
    pub fn refuse(&self, refused: Refused) -> Error {
        if let Some(inner) = self.0.as_deref() {
            inner.metrics.limited(refused.limit.name());
        }
        Error::RateLimited {
            retry_after: refused.wait,
        }
    }
}

impl Inner {
    fn now(&self) -> Micros {
        // There is a time before this process, of which Redis tells.
        let now = self.clock.monotonic().saturating_add(pause::MEMORY);
        u64::try_from(now.as_micros()).unwrap_or(Micros::MAX)
    }

    fn rates(&self) -> MutexGuard<'_, Table<Cell>> {
        // Each row stands for itself, so a poisoned lock is as good as any.
        self.rates.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pauses(&self) -> MutexGuard<'_, Table<Failures>> {
        self.pauses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
