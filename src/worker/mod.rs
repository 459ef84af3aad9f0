//! The second entry point: what happens without anybody waiting for it. apalis
//! runs, bounds and shows the work; the truth about each piece of work is in our
//! own rows, so whatever apalis loses, doubles or forgets is found and put right
//! by the sweep.

mod deliver;
mod planner;
mod queue;
mod sweep;

use tokio_util::sync::CancellationToken;

use crate::error::Result;
use crate::job::Job;
use crate::mail::{Letterhead, Mailer};
use crate::service::Context;
use crate::service::delivery::letterhead;
use crate::store;

#[derive(Clone)]
pub struct Worker {
    cx: Context,
    mailer: Mailer,
    letterhead: Letterhead,
}

impl Worker {
    pub fn new(cx: Context, mailer: Mailer) -> Self {
        let letterhead = letterhead(&cx);
        Self {
            cx,
            mailer,
            letterhead,
        }
    }

    /// Works until it is cancelled, and then finishes what is in flight.
    pub async fn run(&self, cancel: CancellationToken) {
        tokio::join!(
            queue::run(self, cancel.clone()),
            sweep::run(self, cancel.clone()),
            planner::run(self, cancel)
        );
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
