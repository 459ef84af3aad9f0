//! Looks every few seconds whether anybody is to be told something by the calendar
//! or by what was gathered. The truth is in the plans, so a tick that is missed, or
//! comes to two workers, changes nothing.

use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Worker;
use super::supervision::Supervision;
use crate::error::Result;
use crate::service::planner;

const PAUSE: Duration = Duration::from_secs(5);
/// Between two looks for people who have no plans.
const LOOK_AROUND_EVERY: Duration = Duration::from_hours(1);

/// Plans until it is cancelled.
pub(super) async fn run(
    worker: &Worker,
    supervision: &Supervision,
    cancel: CancellationToken,
) -> Result<()> {
    let mut looked_around: Option<Instant> = None;
    loop {
        let is_time = looked_around.is_none_or(|then| then.elapsed() >= LOOK_AROUND_EVERY);
        let round = async {
            if is_time {
                look_around(worker, || supervision.works()).await?;
            }
            plan(worker, || supervision.works()).await
        };
        tokio::select! {
            () = cancel.cancelled() => return Ok(()),
            done = round => match done {
                Ok(()) => {
                    supervision.works();
                    if is_time {
                        looked_around = Some(Instant::now());
                    }
                }
                Err(error) => supervision.fails(&error),
            },
        }
        tokio::select! {
            () = cancel.cancelled() => return Ok(()),
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

/// Finds people without plans, and plans that were made by other hours of the server. Each page is
/// told, since there may be many.
async fn look_around(worker: &Worker, page_done: impl Fn()) -> Result<()> {
    let cx = &worker.cx;
    let mut after = None;
    loop {
        after = cx.retried(|| planner::adopt(cx, after)).await?;
        page_done();
        if after.is_none() {
            break;
        }
    }
    loop {
        after = cx.retried(|| planner::follow_settings(cx, after)).await?;
        page_done();
        if after.is_none() {
            return Ok(());
        }
    }
}

/// Looks at everything that is due, page by page. Others write between the pages.
async fn plan(worker: &Worker, page_done: impl Fn()) -> Result<()> {
    let cx = &worker.cx;
    while cx.retried(|| planner::plan_page(cx)).await? > 0 {
        page_done();
    }
    Ok(())
}

/// For tests, which then need not wait.
pub(super) async fn plan_all(worker: &Worker) -> Result<()> {
    look_around(worker, || {}).await?;
    plan(worker, || {}).await
}
