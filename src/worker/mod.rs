//! The second entry point: what happens without anybody waiting for it. apalis
//! runs, bounds and shows the work; the truth about each piece of work is in our
//! own rows, so whatever apalis loses, doubles or forgets is found and put right
//! by the sweep.

mod board;
mod claim;
mod deliver;
mod planner;
mod queue;
mod supervision;
mod sweep;

pub use board::board;

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::error::Result;
use crate::job::Job;
use crate::mail::{Letterhead, Mailer};
use crate::service::Context;
use crate::service::delivery::letterhead;
use crate::store;
use crate::worker_health::WorkerPart;
use supervision::Supervision;

/// Fewer than mails that are sent at the same time.
const REPORTS_MAX: usize = 2;

#[derive(Clone)]
pub struct Worker {
    cx: Context,
    mailer: Mailer,
    letterhead: Letterhead,
    /// Reports that are written at the same time.
    reports: Arc<Semaphore>,
}

impl Worker {
    pub fn new(cx: Context, mailer: Mailer) -> Self {
        let letterhead = letterhead(&cx);
        Self {
            cx,
            mailer,
            letterhead,
            reports: Arc::new(Semaphore::new(REPORTS_MAX)),
        }
    }

    /// Works until it is cancelled, and then finishes what is in flight.
    pub async fn run(&self, cancel: CancellationToken) {
        let [queue, sweep, planner] = [WorkerPart::Queue, WorkerPart::Sweep, WorkerPart::Planner]
            .map(|part| self.supervision(part));
        let hands = queue::Hands::new(self.clone());
        tokio::join!(
            queue.keep_up(&cancel, || queue::run(&hands, &queue, cancel.clone())),
            hands.finish(&cancel),
            sweep.keep_up(&cancel, || sweep::run(self, &sweep, cancel.clone())),
            planner.keep_up(&cancel, || planner::run(self, &planner, cancel.clone())),
        );
    }

    fn supervision(&self, part: WorkerPart) -> Supervision {
        Supervision {
            part,
            health: self.cx.worker_health.clone(),
            metrics: self.cx.metrics.clone(),
            generator: self.cx.generator.clone(),
        }
    }

    /// Carries out every job that is due by the clock, one after the other, and says how many.
    /// For tests, which then need not wait.
    pub async fn run_until_idle(&self) -> Result<usize> {
        let mut done = 0;
        loop {
            planner::plan_all(self).await?;
            sweep::announce_missed(self, false).await?;
            let jobs = store::job::list_pending(&self.cx.db).await?;
            if jobs.is_empty() {
                return Ok(done);
            }
            for (id, job) in jobs {
                let tx = self.cx.db.begin().await?;
                store::job::delete(&tx, &id).await?;
                tx.commit().await?;
                self.carry_out(job).await?;
                done += 1;
            }
        }
    }

    /// Decides whom to tell what, as `run` does every few seconds. For tests.
    pub async fn plan(&self) -> Result<()> {
        planner::plan_all(self).await
    }

    /// Brings encrypted secrets under the current signing secret, as `run` does at its start and
    /// every hour. For tests.
    pub async fn encrypt_anew(&self) -> Result<()> {
        sweep::encrypt_anew(self).await
    }

    /// Clears away what is long finished, as `run` does every hour. For tests.
    pub async fn clear_away(&self) -> Result<()> {
        sweep::prune(self).await
    }

    /// The one handler of all jobs.
    async fn carry_out(&self, job: Job) -> Result<()> {
        match job {
            Job::Deliver { delivery_id } => deliver::deliver(self, delivery_id).await,
        }
    }
}
