//! Whether this process does the work that it is there for: told by its worker, and
//! asked by `/readyz` and the metrics. A process without a worker has nothing to
//! tell, and is never down.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// An outage is over once the part has worked for this long: one that keeps failing after a moment
/// has one long outage, and not many short ones.
const SETTLED: Duration = Duration::from_secs(30);

/// What a worker consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkerPart {
    Queue,
    Sweep,
    Planner,
}

impl WorkerPart {
    const COUNT: usize = 3;

    pub fn name(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Sweep => "sweep",
            Self::Planner => "planner",
        }
    }
}

/// Cheap to clone; one per process.
#[derive(Clone, Default)]
pub struct WorkerHealth(Arc<Mutex<[State; WorkerPart::COUNT]>>);

#[derive(Clone, Copy, Default)]
enum State {
    /// It is not there, and need not be.
    #[default]
    Absent,
    Works {
        since: Instant,
        /// When the outage before began, and what was told of it.
        after: (Instant, Told),
    },
    Down {
        since: Instant,
        told: Told,
    },
}

/// What the log has of an outage.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Told {
    Nothing,
    Beginning,
    /// It was over for a moment, as it turned out.
    All,
}

impl WorkerHealth {
    /// From here on this part is expected to work.
    pub fn begins(&self, part: WorkerPart) {
        self.lock()[part as usize] = State::Down {
            since: Instant::now(),
            told: Told::Nothing,
        };
    }

    /// Nobody expects it to work any more.
    pub fn ends(&self, part: WorkerPart) {
        self.lock()[part as usize] = State::Absent;
    }

    /// Notes that this part works. True when that is news: its outage was told of, and the end of
    /// that was not.
    pub fn works(&self, part: WorkerPart) -> bool {
        let state = &mut self.lock()[part as usize];
        let State::Down { since, told } = *state else {
            return false;
        };
        let is_news = told == Told::Beginning;
        let told = if is_news { Told::All } else { told };
        *state = State::Works {
            since: Instant::now(),
            after: (since, told),
        };
        is_news
    }

    /// Notes that this part does not work. True when that is news.
    pub fn fails(&self, part: WorkerPart) -> bool {
        let state = &mut self.lock()[part as usize];
        let now = Instant::now();
        let (since, told) = match *state {
            State::Absent => return false,
            State::Down { since, told } => (since, told),
            State::Works { since, after } if now.duration_since(since) < SETTLED => after,
            State::Works { .. } => (now, Told::Nothing),
        };
        *state = State::Down {
            since,
            told: told.max(Told::Beginning),
        };
        told == Told::Nothing
    }

    /// Whether every part that there should be works. False when there are none.
    pub fn is_up(&self) -> bool {
        self.lock()
            .iter()
            .all(|state| matches!(state, State::Works { .. }))
    }

    /// For how long some part has been down; none while all of them work.
    pub fn down_for(&self) -> Option<Duration> {
        let since = |state: &State| match state {
            State::Down { since, .. } => Some(since.elapsed()),
            State::Absent | State::Works { .. } => None,
        };
        self.lock().iter().filter_map(since).max()
    }

    fn lock(&self) -> MutexGuard<'_, [State; WorkerPart::COUNT]> {
        // Whoever panicked with it held, each change is whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{advance, pause};

    use super::WorkerPart::{Planner, Queue, Sweep};
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[tokio::test]
    async fn a_process_without_a_worker_is_neither_up_nor_down() {
        let health = WorkerHealth::default();
        assert!(!health.is_up());
        assert_eq!(health.down_for(), None);
    }

    #[tokio::test]
    async fn what_begins_is_down_until_all_of_it_works() {
        pause();
        let health = WorkerHealth::default();
        health.begins(Queue);
        health.begins(Sweep);
        health.begins(Planner);
        advance(seconds(1)).await;
        assert!(!health.works(Queue), "a start is no news");
        assert!(!health.works(Planner));
        assert!(!health.is_up());
        assert_eq!(health.down_for(), Some(seconds(1)));
        assert!(!health.works(Sweep));
        assert!(health.is_up());
        assert_eq!(health.down_for(), None);
        for part in [Sweep, Queue, Planner] {
            health.ends(part);
        }
        assert!(!health.is_up());
        assert_eq!(health.down_for(), None);
    }

    #[tokio::test]
    async fn an_outage_is_news_once_and_so_is_its_end() {
        pause();
        let health = WorkerHealth::default();
        health.begins(Queue);
        assert!(!health.works(Queue));
        advance(seconds(60)).await;
        assert!(health.fails(Queue));
        advance(seconds(4)).await;
        assert!(!health.fails(Queue));
        assert!(health.works(Queue));
        assert!(!health.works(Queue));
        advance(seconds(60)).await;
        assert!(health.fails(Queue));
    }

    #[tokio::test]
    async fn what_cannot_begin_is_told_once_and_so_is_that_it_began_after_all() {
        pause();
        let health = WorkerHealth::default();
        health.begins(Queue);
        assert!(health.fails(Queue));
        assert!(!health.fails(Queue));
        assert!(health.works(Queue));
    }

    #[tokio::test]
    async fn what_fails_again_after_a_moment_has_been_down_all_the_time() {
        pause();
        let health = WorkerHealth::default();
        health.begins(Queue);
        health.works(Queue);
        advance(seconds(60)).await;
        assert!(health.fails(Queue));
        for round in 1..=3 {
            advance(seconds(3)).await;
            assert_eq!(health.works(Queue), round == 1);
            advance(seconds(2)).await;
            assert!(!health.fails(Queue), "still the same outage");
            assert_eq!(health.down_for(), Some(seconds(round * 5)));
        }
        advance(seconds(3)).await;
        health.works(Queue);
        advance(SETTLED).await;
        assert!(health.fails(Queue));
        assert_eq!(health.down_for(), Some(seconds(0)));
    }
}
