//! Takes a mail on, and holds it while there is work to do on it. A claim is a
//! lease with a fencing number: whoever lost it to another worker stops, and can
//! finish nothing.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::Worker;
use crate::entity::delivery::Model as Delivery;
use crate::entity::{DeliveryId, DeliveryState, MailKind};
use crate::error::Result;
use crate::store;

/// What a worker holds is taken over this long after it was last heard of. With the pause between
/// two sweeps, a mail of a worker that was killed waits no longer than 30 seconds.
const LEASE: TimeDelta = TimeDelta::seconds(20);
/// How often a worker that is still at it says so.
const RENEWAL: Duration = Duration::from_secs(5);
/// Claims that never came back with an answer, after which a mail is taken to kill its workers.
const CRASHES_MAX: i32 = 10;
/// How long a claimed mail waits for its turn, where the mail server takes so many a second only.
/// Shorter than a lease, so that what is urgent does not find every hand full for long.
pub(super) const TURN_MAX: TimeDelta = TimeDelta::seconds(10);

/// A mail that this worker has taken on.
pub(super) struct Claim {
    pub claimed: Delivery,
    /// Until it is its turn.
    pub wait: Duration,
}

/// Takes the mail on, if it is due and nobody else has it. The attempt is counted here, so that a
/// mail that kills its worker is not tried for ever.
pub(super) async fn claim(worker: &Worker, id: DeliveryId) -> Result<Option<Claim>> {
    let now = worker.cx.now();
    let tx = worker.cx.db.begin().await?;
    let found = store::delivery::find_to_change(&tx, id).await?;
    let Some(before) = found.filter(|row| store::delivery::is_claimable(row, now)) else {
        return Ok(None);
    };
    let mut claimed = before.clone();
    if let Some((state, answer)) = end_without_sending(&before, now) {
        claimed.state = state;
        claimed.finished_at = Some(now);
        claimed.leased_until = None;
        claimed.last_answer = Some(answer.into());
        store::delivery::update_if_held(&tx, &before, &claimed).await?;
        tx.commit().await?;
        worker.cx.metrics.mailed(before.kind.name(), "given_up");
        if before.kind == MailKind::DailyReminder {
            worker.cx.metrics.reminders_missed(1);
        }
        tracing::error!(delivery = %id, kind = ?before.kind, answer, "a mail was given up");
        return Ok(None);
    }
    // Its job was on its way when it was held back; the sweep finds it when it is let go.
    if store::paused_mail::is_paused(&tx, before.kind).await? {
        // Whoever had it in hand is gone: it waits like the others, and can be called off.
        if before.state == DeliveryState::Sending {
            claimed.state = DeliveryState::Due;
            claimed.leased_until = None;
            store::delivery::update_if_held(&tx, &before, &claimed).await?;
            tx.commit().await?;
        }
        return Ok(None);
    }
    let mut wait = Duration::ZERO;
    if let Some(interval) = worker.cx.settings.mail_rate {
        let Some(turn) = store::mail_pace::take(&tx, interval, TURN_MAX, now).await? else {
            // The sweep finds it again, unless something more urgent has come by then.
            store::delivery::announce(&tx, &[id], now).await?;
            tx.commit().await?;
            return Ok(None);
        };
        wait = (turn - now).to_std().unwrap_or_default();
    }
    claimed.state = DeliveryState::Sending;
    claimed.leased_until = Some(now + LEASE);
    claimed.first_attempt_at = before.first_attempt_at.or(Some(now));
    claimed.fence += 1;
    claimed.attempts += 1;
    let held = store::delivery::update_if_held(&tx, &before, &claimed).await?;
    tx.commit().await?;
    Ok(held.then_some(Claim { claimed, wait }))
}

/// What becomes of a mail that is not worth another attempt, and why.
fn end_without_sending(
    delivery: &Delivery,
    now: DateTime<Utc>,
) -> Option<(DeliveryState, &'static str)> {
    if delivery.expires_at.is_some_and(|until| until <= now) {
        return Some((DeliveryState::Failed, "not sent: its time had passed"));
    }
    (delivery.attempts - delivery.failures >= CRASHES_MAX)
        .then_some((DeliveryState::Failed, "no attempt came back with an answer"))
}

/// Does the work while renewing the lease. None when another worker took the mail over meanwhile: the
/// work is broken off, since it is the other's now.
pub(super) async fn while_holding<T>(
    worker: &Worker,
    claimed: &Delivery,
    work: impl Future<Output = T>,
) -> Option<T> {
    tokio::select! {
        outcome = work => Some(outcome),
        () = lost(worker, claimed) => None,
    }
}

/// Returns once the mail is another worker's. A renewal that fails is tried again; should the lease
/// run out, whoever takes over has a greater fencing number.
async fn lost(worker: &Worker, claimed: &Delivery) {
    loop {
        tokio::time::sleep(RENEWAL).await;
        match renew(worker, claimed).await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => {
                tracing::warn!(delivery = %claimed.id, %error, "a lease could not be renewed");
            }
        }
    }
}

/// Whether the mail is this worker's for certain. Asked right before it is handed over: the process may
/// have been held up for long, such as with its whole machine.
pub(super) async fn is_held(worker: &Worker, claimed: &Delivery) -> Result<bool> {
    let left = claimed
        .leased_until
        .map(|until| (until - worker.cx.now()).to_std().unwrap_or_default());
    if left.is_some_and(|left| left + RENEWAL >= LEASE.to_std().unwrap_or_default()) {
        // It was claimed a moment ago.
        return Ok(true);
    }
    renew(worker, claimed).await
}

/// Says that the worker is still at it; false when the mail is another worker's by now.
async fn renew(worker: &Worker, claimed: &Delivery) -> Result<bool> {
    let until = worker.cx.now() + LEASE;
    let tx = worker.cx.db.begin().await?;
    let held = store::delivery::renew(&tx, claimed.id, claimed.fence, until).await?;
    tx.commit().await?;
    Ok(held)
}

/// Writes what differs, if the mail is still this worker's; false when it is another's by now.
pub(super) async fn write_if_held(
    worker: &Worker,
    claimed: &Delivery,
    row: &Delivery,
) -> Result<bool> {
    let tx = worker.cx.db.begin().await?;
    let held = store::delivery::update_if_held(&tx, claimed, row).await?;
    tx.commit().await?;
    Ok(held)
}
