//! Runs apalis, one round at a time: it ends when the database is away for longer
//! than a few seconds, and must not start again under a name that it had before. So
//! each round has a new name; `supervision` starts the next one.
//!
//! When a round ends so, apalis drops what is in its hands. What becomes of a mail is
//! known to the job alone that sends it, so each job is a task that outlives the round.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context as PollContext, Poll};
use std::time::Duration;

use apalis::layers::WorkerBuilderExt;
use apalis::prelude::{Data, Monitor, WorkerBuilder};
use apalis_core::backend::ext::BackendExt;
use apalis_core::backend::ext::poll_strategy::{PollSnapshot, PollStrategy};
use futures_util::{FutureExt, Stream, StreamExt, stream};
use tokio::sync::Semaphore;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Interval, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Worker;
use super::supervision::Supervision;
use crate::error::{Error, Result};
use crate::event::{Event, Events};
use crate::job::Job;
use crate::store::JobPool;

/// Mails that are sent at the same time.
const CONCURRENCY: usize = 4;
const HEARTBEAT: Duration = Duration::from_secs(5);
const HEARTBEATS_MISSED: usize = 3;
/// How often the queue is looked at when nobody wakes it.
const POLL: Duration = Duration::from_secs(2);
const DRAIN: Duration = Duration::from_secs(20);
/// A connection that went silent does not close in good order.
const CLOSING: Duration = Duration::from_secs(5);
/// How often it is asked whether the database still answers the queue.
const WATCH: Duration = Duration::from_secs(5);
/// A round that lasts this long has come to work.
const STARTED: Duration = Duration::from_secs(1);

/// The jobs that are being carried out, of this round and of those before.
#[derive(Clone)]
pub(super) struct Hands {
    worker: Worker,
    free: Arc<Semaphore>,
    busy: TaskTracker,
}

impl Hands {
    pub fn new(worker: Worker) -> Self {
        Self {
            worker,
            free: Arc::new(Semaphore::new(CONCURRENCY)),
            busy: TaskTracker::new(),
        }
    }

    /// When this is cancelled, waits for what is being carried out, for a while.
    pub async fn finish(&self, cancel: &CancellationToken) {
        cancel.cancelled().await;
        self.busy.close();
        let done = tokio::time::timeout(DRAIN, self.busy.wait()).await;
        if done.is_err() {
            tracing::warn!(
                jobs = self.busy.len(),
                "jobs were cut off; the sweep finds what they left undone"
            );
        }
    }

    /// Goes on to its end, whether or not somebody waits for it.
    async fn carry_out(&self, job: Job) -> Result<()> {
        let free = Arc::clone(&self.free).acquire_owned().await;
        let hand = free.map_err(Error::internal)?;
        let worker = self.worker.clone();
        let done = self.busy.spawn(async move {
            let _hand = hand;
            // A panic would end the whole worker and leave its jobs behind, so it is caught here.
            let outcome = AssertUnwindSafe(worker.carry_out(job))
                .catch_unwind()
                .await
                .unwrap_or_else(|_| Err(Error::internal("a job panicked")));
            if let Err(error) = &outcome {
                tracing::error!(?job, %error, "a job failed; the sweep finds what it left undone");
            }
            outcome
        });
        done.await.map_err(Error::internal)?
    }
}

/// Works until it is cancelled, or cannot any more.
pub(super) async fn run(
    hands: &Hands,
    supervision: &Supervision,
    cancel: CancellationToken,
) -> Result<()> {
    let worker = &hands.worker;
    let pool = worker.cx.db.job_pool().await?;
    let round: u64 = u64::from_be_bytes(worker.cx.generator.bytes());
    let name = format!("muster-{}-{round:016x}", std::process::id());
    // The two engines' types have nothing in common that could be named here.
    macro_rules! monitor {
        ($engine:ident, $storage:ident, $pool:expr) => {{
            let config = $engine::Config::default()
                .queue(Job::QUEUE)
                // With a larger batch nothing is acknowledged until all of it is done.
                .batch_size(1)
                .heartbeat_interval(HEARTBEAT)
                .missed_heartbeats(HEARTBEATS_MISSED);
            let storage = $engine::$storage::<Job>::new($pool).with_config(config);
            let (handler, events) = (hands.clone(), worker.cx.events.clone());
            Monitor::new().register(move |_| {
                WorkerBuilder::new(name.clone())
                    .backend(storage.clone().poll_with_strategy(WakeOrTick::new(&events)))
                    .data(handler.clone())
                    .concurrency(CONCURRENCY)
                    .build(carry_out)
            })
        }};
    }
    let monitor = match &pool {
        JobPool::Sqlite(pool) => monitor!(apalis_sqlite, SqliteStorage, pool),
        JobPool::Postgres(pool) => monitor!(apalis_postgres, PostgresStorage, pool),
    };
    let (watched, supervision) = (pool.clone(), supervision.clone());
    let went_silent = CancellationToken::new();
    let tells = went_silent.clone();
    let stop = async move {
        tokio::select! {
            () = cancel.cancelled() => {}
            () = silent(&watched, &supervision) => tells.cancel(),
        }
        Ok(())
    };
    // With a time limit for the end, the monitor keeps to itself why it came.
    let reason = Arc::new(OnceLock::new());
    let told = Arc::clone(&reason);
    let mut ended = monitor
        .should_restart(move |_, error| {
            // Of one worker, the first is the one.
            told.set(error.to_string()).unwrap_or_default();
            false
        })
        .shutdown_timeout(DRAIN)
        .run_with_signal(stop)
        .await
        .map_err(Error::internal);
    if ended.is_ok() && went_silent.is_cancelled() {
        ended = Err(does_not_answer());
    } else if ended.is_ok()
        && let Some(reason) = reason.get()
    {
        ended = Err(Error::internal(reason.as_str()));
    }
    if tokio::time::timeout(CLOSING, pool.close()).await.is_err() {
        tracing::warn!("connections of the job queue were left to themselves");
    }
    ended
}

/// Tells whether the round works, and returns when the database has not answered twice in a row.
/// apalis itself would wait for as long as the connection stays open, which may be a quarter of an
/// hour after the other end is gone.
async fn silent(pool: &JobPool, supervision: &Supervision) {
    let mut unanswered = 0;
    let mut pause = STARTED;
    while unanswered < 2 {
        tokio::time::sleep(pause).await;
        pause = WATCH;
        let answers = tokio::time::timeout(WATCH, pool.answers());
        if let Ok(true) = answers.await {
            unanswered = 0;
            supervision.works();
        } else {
            unanswered += 1;
            supervision.fails(&does_not_answer());
        }
    }
}

fn does_not_answer() -> Error {
    Error::Unavailable("the database does not answer the job queue".into())
}

async fn carry_out(job: Job, hands: Data<Hands>) -> Result<(), Error> {
    let outcome = hands.carry_out(job).await;
    // It is kept with the job, where the job board shows it: no more than the job itself tells.
    outcome.map_err(|_| Error::internal("it failed; the log tells why"))
}

/// Looks at the queue when a job was committed, and every two seconds. apalis asks for its tasks
/// only when polled; its own strategies can lose their wake-up, this one polls both of its
/// sources until they are pending.
struct WakeOrTick {
    wake: Pin<Box<dyn Stream<Item = ()> + Send + Sync>>,
    tick: Interval,
}

impl WakeOrTick {
    fn new(events: &Events) -> Self {
        let wake = stream::unfold(events.subscribe(), |mut events| async {
            match events.recv().await {
                // Among those that were missed may be one of ours.
                Ok(Event::JobsDue) | Err(RecvError::Lagged(_)) => Some(((), events)),
                Err(RecvError::Closed) => None,
            }
        });
        let mut tick = interval(POLL);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            wake: Box::pin(wake),
            tick,
        }
    }
}

impl PollStrategy for WakeOrTick {
    fn poll_drive(&mut self, cx: &mut PollContext<'_>, _: &PollSnapshot) -> Poll<Option<()>> {
        let mut ready = false;
        while let Poll::Ready(Some(())) = self.wake.poll_next_unpin(cx) {
            ready = true;
        }
        while self.tick.poll_tick(cx).is_ready() {
            ready = true;
        }
        if ready {
            Poll::Ready(Some(()))
        } else {
            Poll::Pending
        }
    }
}
