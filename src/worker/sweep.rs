//! Finds what was missed: mails that are due and have no job on their way, since
//! a process died, the queue lost the job, or a try failed and its pause is over.
//! Clears away what is long finished, too.

use std::time::Duration;

use chrono::TimeDelta;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Worker;
use super::claim::TURN_MAX;
use super::deliver::kept_since;
use super::supervision::Supervision;
use crate::entity::DeliveryId;
use crate::error::Result;
use crate::event::Event;
use crate::job::Job;
use crate::service::delivery::ANNOUNCEMENT;
use crate::service::{history, invitation, second_factor};
use crate::store;

const PAUSE: Duration = Duration::from_secs(5);
/// While there is more than the queue takes.
const PAUSE_WHEN_FULL: Duration = Duration::from_millis(500);
/// Between two clearings.
const PRUNE_EVERY: Duration = Duration::from_hours(1);
/// Jobs that wait in the queue. What is beyond waits in our own rows, where what is urgent overtakes
/// it and nothing is announced twice.
const QUEUE_MAX: u64 = 500;
/// Secrets that are encrypted anew in one transaction.
const BATCH: u64 = 500;
/// Rows that are cleared away in one transaction.
const PRUNED: u32 = 1_000;

/// Sweeps until it is cancelled.
pub(super) async fn run(
    worker: &Worker,
    supervision: &Supervision,
    cancel: CancellationToken,
) -> Result<()> {
    // What was on its way when the last process ended died with it.
    let mut after_start = true;
    let mut pruned: Option<Instant> = None;
    loop {
        let mut pause = PAUSE;
        match announce_missed(worker, after_start).await {
            Ok(announced) => {
                after_start = false;
                supervision.works();
                if matches!(announced, Announced::AsManyAsFit) {
                    pause = PAUSE_WHEN_FULL;
                }
            }
            Err(error) => supervision.fails(&error),
        }
        if pruned.is_none_or(|pruned| pruned.elapsed() >= PRUNE_EVERY) {
            pruned = Some(Instant::now());
            if let Err(error) = encrypt_anew(worker).await {
                tracing::warn!(%error, "second factors could not be encrypted anew; it is tried again in an hour");
            }
            if let Err(error) = prune(worker).await {
                tracing::warn!(%error, "clearing away finished work failed; it is tried again in an hour");
            }
        }
        tokio::select! {
            () = cancel.cancelled() => return Ok(()),
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// How far a sweep got.
pub(super) enum Announced {
    All,
    /// There may be more, which the queue has no room for.
    AsManyAsFit,
}

/// How many jobs may wait: with a pace to keep, no more than will have their turn soon.
fn capacity(interval: Option<TimeDelta>) -> u64 {
    let Some(interval) = interval else {
        return QUEUE_MAX;
    };
    let turns = TURN_MAX.num_milliseconds() / interval.num_milliseconds().max(1);
    QUEUE_MAX.min(turns.unsigned_abs() + 1)
}

/// Sends a job for each mail that was missed. A job too many does no harm: the claim decides.
pub(super) async fn announce_missed(worker: &Worker, after_start: bool) -> Result<Announced> {
    let cx = &worker.cx;
    let now = cx.now();
    // Most of the time there is nothing, and no writer need wait for this look.
    if !store::delivery::exists_missed(&cx.db, now, after_start).await? {
        return Ok(Announced::All);
    }
    let tx = cx.db.begin().await?;
    let capacity = capacity(cx.settings.mail_rate);
    let room = capacity.saturating_sub(store::job::count_pending(&tx, capacity).await?);
    if room == 0 {
        return Ok(Announced::AsManyAsFit);
    }
    let missed = store::delivery::list_missed_to_change(&tx, now, after_start, room).await?;
    let ids: Vec<DeliveryId> = missed.iter().map(|(id, _)| *id).collect();
    store::delivery::announce(&tx, &ids, now + ANNOUNCEMENT).await?;
    let jobs: Vec<_> = missed
        .iter()
        .map(|&(delivery_id, priority)| {
            let job = Job::Deliver { delivery_id };
            (cx.generator.uuid(now), job, priority)
        })
        .collect();
    store::job::push_many(&tx, &jobs, now).await?;
    tx.commit().await?;
    cx.events.publish(Event::JobsDue);
    Ok(if (missed.len() as u64) < room {
        Announced::All
    } else {
        Announced::AsManyAsFit
    })
}

/// At the start and then each hour, so that signing secrets that were changed can be forgotten.
pub(super) async fn encrypt_anew(worker: &Worker) -> Result<()> {
    let mut after = None;
    loop {
        after = second_factor::encrypt_anew(&worker.cx, after, BATCH).await?;
        if after.is_none() {
            return Ok(());
        }
    }
}

/// In small transactions: what piled up while nobody cleared is no reason to hold writers up, or to
/// meet the time limit of a statement and never get done.
pub(super) async fn prune(worker: &Worker) -> Result<()> {
    let cx = &worker.cx;
    let now = cx.now();
    let yesterday = now - TimeDelta::days(1);
    let mut trouble = Ok(());
    macro_rules! in_batches {
        ($tx:ident, $delete:expr) => {
            let cleared = async {
                loop {
                    let $tx = cx.db.begin().await?;
                    let deleted = $delete.await?;
                    $tx.commit().await?;
                    if deleted < u64::from(PRUNED) {
                        return Ok(());
                    }
                }
            };
            // What fails is told in the end, and keeps nothing else from being cleared away.
            trouble = Box::pin(cleared).await.and(trouble);
        };
    }
    in_batches!(tx, store::job::prune(&tx, yesterday, PRUNED));
    let limit = u64::from(PRUNED);
    in_batches!(
        tx,
        store::delivery::delete_finished(&tx, kept_since(now), limit)
    );
    in_batches!(tx, store::session::delete_expired(&tx, now, limit));
    in_batches!(
        tx,
        store::reset_token::delete_expired(&tx, yesterday, limit)
    );
    in_batches!(tx, store::api_token::delete_expired(&tx, now, limit));
    in_batches!(
        tx,
        store::email_confirmation::delete_expired(&tx, yesterday, limit)
    );
    in_batches!(
        tx,
        store::invitation::delete_expired(&tx, now - invitation::KEPT, limit)
    );
    in_batches!(
        tx,
        store::account_event::delete_before(&tx, now - history::KEPT, limit)
    );
    in_batches!(
        tx,
        store::account_event::delete_of_nobody_before(&tx, now - history::NOBODYS_KEPT, limit)
    );
    let expired = now - second_factor::PENDING_LIFE;
    in_batches!(
        tx,
        store::second_factor::delete_pending(&tx, expired, limit)
    );
    trouble
}
