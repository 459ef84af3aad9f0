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
const ADOPT_EVERY: Duration = Duration::from_hours(1);

/// Plans until it is cancelled.
pub(super) async fn run(
    worker: &Worker,
    supervision: &Supervision,
    cancel: CancellationToken,
) -> Result<()> {
    let mut adopted: Option<Instant> = None;
    loop {
        let is_time = adopted.is_none_or(|adopted| adopted.elapsed() >= ADOPT_EVERY);
        if is_time {
            match planner::adopt(&worker.cx).await {
                Ok(()) => adopted = Some(Instant::now()),
                Err(error) => supervision.fails(&error),
            }
        }
        tokio::select! {
            () = cancel.cancelled() => return Ok(()),
            planned = plan_all(worker) => match planned {
                Ok(()) => supervision.works(),
                Err(error) => supervision.fails(&error),
            },
        }
        tokio::select! {
            () = cancel.cancelled() => return Ok(()),
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

/// Looks at everything that is due, page by page. Others write between the pages.
pub(super) async fn plan_all(worker: &Worker) -> Result<()> {
    while worker.cx.retried(|| planner::plan_page(&worker.cx)).await? > 0 {}
    Ok(())
}
