//! Keeps a part of the worker at work: whatever ends it, a panic included, it is
//! started again after a pause that grows, and the log, the metrics and `/readyz`
//! have it meanwhile. An outage is told of once, and so is its end.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::error::{Error, Result};
use crate::generator::Generator;
use crate::metrics::Metrics;
use crate::worker_health::{WorkerHealth, WorkerPart};

const PAUSE_FIRST: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(3);
/// What has worked for this long is started again as soon as the first time.
const CALM: Duration = Duration::from_mins(1);

/// Of one part of the worker.
#[derive(Clone)]
pub(super) struct Supervision {
    pub part: WorkerPart,
    pub health: WorkerHealth,
    pub metrics: Metrics,
    pub generator: Generator,
}

impl Supervision {
    /// Runs the task, again and again, until this is cancelled. The task says by itself when it has
    /// come to work.
    pub async fn keep_up<F>(&self, cancel: &CancellationToken, task: impl Fn() -> F)
    where
        F: Future<Output = Result<()>>,
    {
        let mut pause = PAUSE_FIRST;
        self.health.begins(self.part);
        self.metrics.worker_is(false);
        loop {
            let began = Instant::now();
            let ended = AssertUnwindSafe(task()).catch_unwind().await;
            if cancel.is_cancelled() {
                break;
            }
            self.fails(&match ended {
                Ok(Ok(())) => Error::internal("it ended by itself"),
                Ok(Err(error)) => error,
                Err(_) => Error::internal("it panicked"),
            });
            if began.elapsed() > CALM {
                pause = PAUSE_FIRST;
            }
            tokio::select! {
                () = cancel.cancelled() => break,
                () = tokio::time::sleep(self.with_jitter(pause)) => {}
            }
            pause = (pause * 2).min(PAUSE_MAX);
            self.metrics.worker_restarted(self.part.name());
        }
        self.health.ends(self.part);
        self.metrics.worker_is(false);
    }

    /// Notes that the part works.
    pub fn works(&self) {
        if self.health.works(self.part) {
            tracing::info!(part = self.part.name(), "a part of the worker works again");
        }
        self.metrics.worker_is(self.health.is_up());
    }

    /// Notes that the part does not work, and why.
    pub fn fails(&self, error: &Error) {
        let (part, is_news) = (self.part.name(), self.health.fails(self.part));
        self.metrics.worker_is(false);
        if is_news {
            tracing::error!(part, %error, "a part of the worker does not work; it is tried again and again");
        } else {
            tracing::debug!(part, %error, "a part of the worker still does not work");
        }
    }

    /// Between half and all of it, so that processes that failed together do not come back together.
    fn with_jitter(&self, pause: Duration) -> Duration {
        let [chance] = self.generator.bytes::<1>();
        pause / 2 + pause / 2 * u32::from(chance) / 255
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    fn supervision(part: WorkerPart) -> Supervision {
        Supervision {
            part,
            health: WorkerHealth::default(),
            metrics: Metrics::default(),
            generator: Generator::seeded(1),
        }
    }

    fn restarts(supervision: &Supervision) -> u32 {
        let text = supervision.metrics.text();
        let name = "muster_worker_restarts_total{part=\"sweep\"} ";
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.map_or(0, |count| count.parse().unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn whatever_ends_a_part_it_is_started_again_until_it_shall_end() {
        let sweep = supervision(WorkerPart::Sweep);
        let cancel = CancellationToken::new();
        let starts = Arc::new(AtomicU32::new(0));
        let task = || {
            let (start, cancel) = (starts.fetch_add(1, Ordering::Relaxed), cancel.clone());
            let sweep = sweep.clone();
            async move {
                match start {
                    0 => panic!("on purpose"),
                    1 => return Err(Error::Unavailable("on purpose".into())),
                    2 => return Ok(()),
                    _ => sweep.works(),
                }
                cancel.cancelled().await;
                Ok(())
            }
        };
        let began = Instant::now();
        let check = async {
            while !sweep.health.down_for().is_none_or(|down| down.is_zero()) || restarts(&sweep) < 3
            {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            // Half a second, one and one and a half at least; twice as much at most.
            let took = began.elapsed().as_millis();
            assert!((3_000..=6_100).contains(&took), "{took}");
            assert_eq!(restarts(&sweep), 3);
            assert_eq!(sweep.health.down_for(), None);
            cancel.cancel();
        };
        tokio::join!(sweep.keep_up(&cancel, task), check);
        assert_eq!(starts.load(Ordering::Relaxed), 4);
        assert!(!sweep.health.is_up());
        assert_eq!(sweep.health.down_for(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn the_worker_is_up_while_all_of_its_parts_are() {
        let sweep = supervision(WorkerPart::Sweep);
        let [queue, planner] = [WorkerPart::Queue, WorkerPart::Planner].map(|part| Supervision {
            part,
            ..sweep.clone()
        });
        let shows = |line: &str| {
            let text = sweep.metrics.text();
            assert!(text.lines().any(|shown| shown == line), "{text}");
        };
        for part in [&sweep, &queue, &planner] {
            part.health.begins(part.part);
        }
        sweep.works();
        shows("muster_worker_up 0");
        queue.works();
        shows("muster_worker_up 0");
        planner.works();
        shows("muster_worker_up 1");
        sweep.fails(&Error::internal("on purpose"));
        shows("muster_worker_up 0");
        queue.works();
        shows("muster_worker_up 0");
        sweep.works();
        shows("muster_worker_up 1");
    }
}
