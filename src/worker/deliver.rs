//! Sends one mail. The row is claimed by compare-and-set before anything leaves
//! the house, and finished only by the claim that still holds it: two workers
//! cannot both send, and a late one cannot undo what another did.

use std::convert::Infallible;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::ActiveEnum;

use super::Worker;
use crate::entity::delivery::Model as Delivery;
use crate::entity::{DeliveryId, DeliveryState, MailKind};
use crate::error::{Error, Result};
use crate::mail::{SendError, compose};
use crate::service::content::{Secrets, content};
use crate::store;

/// What a worker holds is taken over this long after it was last heard of. With the pause between
/// two sweeps, a mail of a worker that was killed waits no longer than 30 seconds.
const LEASE: TimeDelta = TimeDelta::seconds(20);
/// How often a worker that is still sending says so.
const RENEWAL: Duration = Duration::from_secs(5);
/// Claims that never came back with an answer, after which a mail is taken to kill its workers.
const CRASHES_MAX: i32 = 10;
const BACK_OFF_FIRST: TimeDelta = TimeDelta::seconds(30);
const BACK_OFF_MAX: TimeDelta = TimeDelta::hours(1);
/// How long the result of a mail is kept for a database that is away.
const RESULT_KEPT: Duration = Duration::from_mins(5);
const RESULT_PAUSE: Duration = Duration::from_millis(500);
/// How long a claimed mail waits for its turn, where the mail server takes so many a second only.
/// Shorter than a lease, so that what is urgent does not find every hand full for long.
pub(super) const TURN_MAX: TimeDelta = TimeDelta::seconds(10);
/// How long failures that may pass are tried again.
const PATIENCE: TimeDelta = TimeDelta::hours(24);

pub(super) async fn deliver(worker: &Worker, id: DeliveryId) -> Result<()> {
    let Some(Claim { claimed, wait }) = claim(worker, id).await? else {
        return Ok(());
    };
    match message(worker, &claimed).await {
        Ok(Some(message)) => {
            let sending = async {
                tokio::time::sleep(wait).await;
                // Boxed, since talking SMTP keeps large buffers.
                Box::pin(worker.mailer.send(
                    claimed.id,
                    claimed.kind,
                    claimed.created_at,
                    worker.letterhead.from.email.as_ref(),
                    &claimed.address,
                    &message,
                ))
                .await
            };
            let sent = while_holding(worker, &claimed, sending).await;
            finish(worker, &claimed, sent).await
        }
        Ok(None) => suppress(worker, &claimed).await,
        // A mail that cannot be composed now may be after the fault is mended.
        Err(error) => {
            tracing::error!(delivery = %claimed.id, kind = ?claimed.kind, %error, "a mail could not be composed");
            finish(
                worker,
                &claimed,
                Err(SendError::transient("the mail could not be composed")),
            )
            .await
        }
    }
}

/// A mail that this worker has taken on.
struct Claim {
    claimed: Delivery,
    /// Until it is its turn.
    wait: Duration,
}

/// Takes the mail on, if it is due and nobody else has it. The attempt is counted here, so that a
/// mail that kills its worker is not tried for ever.
async fn claim(worker: &Worker, id: DeliveryId) -> Result<Option<Claim>> {
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
        worker
            .cx
            .metrics
            .mailed(&before.kind.to_value(), "given_up");
        if before.kind == MailKind::DailyReminder {
            worker.cx.metrics.reminders_missed(1);
        }
        tracing::error!(delivery = %id, kind = ?before.kind, answer, "a mail was given up");
        return Ok(None);
    }
    // Its job was on its way when it was held back; the sweep finds it when it is let go.
    if store::paused_mail::is_paused(&tx, before.kind).await? {
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

/// Renews the lease for as long as the work takes. A renewal that fails is tried again; should the
/// lease run out, whoever takes over has a greater fencing number.
async fn while_holding<T>(worker: &Worker, claimed: &Delivery, work: impl Future<Output = T>) -> T {
    tokio::select! {
        outcome = work => outcome,
        never = keep_renewing(worker, claimed) => match never {},
    }
}

async fn keep_renewing(worker: &Worker, claimed: &Delivery) -> Infallible {
    loop {
        tokio::time::sleep(RENEWAL).await;
        if let Err(error) = renew(worker, claimed).await {
            tracing::warn!(delivery = %claimed.id, %error, "a lease could not be renewed");
        }
    }
}

async fn renew(worker: &Worker, claimed: &Delivery) -> Result<()> {
    let mut renewed = claimed.clone();
    renewed.leased_until = Some(worker.cx.now() + LEASE);
    let tx = worker.cx.db.begin().await?;
    store::delivery::update_if_held(&tx, claimed, &renewed).await?;
    tx.commit().await
}

/// The message, as it was composed first. None when there is nothing to say any more.
async fn message(worker: &Worker, claimed: &Delivery) -> Result<Option<Vec<u8>>> {
    if let Some(message) = &claimed.message {
        return Ok(Some(message.clone()));
    }
    let Some((recipient, content)) = content(&worker.cx, claimed, Secrets::Shown).await? else {
        return Ok(None);
    };
    let message = compose(
        &worker.letterhead,
        claimed.id,
        claimed.created_at,
        &recipient,
        &content,
    )?;
    // A message that is kept is the same at each try. One with a secret is not kept: it is
    // composed again, of parts that do not change.
    if !content.holds_secret() {
        let mut kept = claimed.clone();
        kept.message = Some(message.clone());
        let tx = worker.cx.db.begin().await?;
        store::delivery::update_if_held(&tx, claimed, &kept).await?;
        tx.commit().await?;
    }
    Ok(Some(message))
}

async fn finish(
    worker: &Worker,
    claimed: &Delivery,
    sent: Result<String, SendError>,
) -> Result<()> {
    let now = worker.cx.now();
    let mut row = claimed.clone();
    row.leased_until = None;
    match sent {
        Ok(answer) => {
            worker.cx.metrics.mailed(&row.kind.to_value(), "sent");
            row.state = DeliveryState::Sent;
            row.finished_at = Some(now);
            row.last_answer = Some(answer);
            tracing::info!(delivery = %row.id, kind = ?row.kind, attempts = row.attempts, "a mail was sent");
        }
        Err(failure) => {
            row.failures += 1;
            let next = now + back_off(worker, row.failures);
            let tried_for = now - row.first_attempt_at.unwrap_or(now);
            // What is about an account comes twice rather than never; see `is_about_account`.
            let stays_unknown = failure.unknown && !row.kind.is_about_account();
            if stays_unknown || failure.permanent || tried_for >= PATIENCE {
                let outcome = if stays_unknown { "unknown" } else { "given_up" };
                worker.cx.metrics.mailed(&row.kind.to_value(), outcome);
                row.state = if stays_unknown {
                    DeliveryState::Unknown
                } else {
                    DeliveryState::Failed
                };
                row.finished_at = Some(now);
                tracing::error!(delivery = %row.id, kind = ?row.kind, answer = %failure.answer, "a mail was given up");
            } else {
                worker.cx.metrics.mailed(&row.kind.to_value(), "postponed");
                row.state = DeliveryState::Due;
                row.due_at = next;
                row.announced_until = next;
                tracing::warn!(delivery = %row.id, kind = ?row.kind, answer = %failure.answer, again = %next, "a mail could not be sent yet");
            }
            row.last_answer = Some(failure.answer);
        }
    }
    write_result(worker, claimed, &row).await
}

async fn suppress(worker: &Worker, claimed: &Delivery) -> Result<()> {
    let mut row = claimed.clone();
    row.state = DeliveryState::Suppressed;
    row.leased_until = None;
    row.finished_at = Some(worker.cx.now());
    write_result(worker, claimed, &row).await
}

/// What became of a mail is known here and nowhere else: while the database is away, it is kept and
/// written when it is back, lest the mail be sent again.
async fn write_result(worker: &Worker, claimed: &Delivery, row: &Delivery) -> Result<()> {
    let began = tokio::time::Instant::now();
    let held = loop {
        match try_to_write(worker, claimed, row).await {
            Err(Error::Unavailable(_) | Error::Contended(_)) if began.elapsed() < RESULT_KEPT => {
                tokio::time::sleep(RESULT_PAUSE).await;
            }
            written => break written?,
        }
    };
    if !held {
        tracing::warn!(delivery = %row.id, "another worker took a mail over; its result stands");
    }
    Ok(())
}

async fn try_to_write(worker: &Worker, claimed: &Delivery, row: &Delivery) -> Result<bool> {
    let tx = worker.cx.db.begin().await?;
    let held = store::delivery::update_if_held(&tx, claimed, row).await?;
    tx.commit().await?;
    Ok(held)
}

/// 30 s, doubled with each failure up to an hour, give or take a fifth, so that what failed
/// together does not come back together.
fn back_off(worker: &Worker, failures: i32) -> TimeDelta {
    let doublings = u32::try_from(failures.saturating_sub(1))
        .unwrap_or(0)
        .min(16);
    let base = (BACK_OFF_FIRST * 2_i32.pow(doublings)).min(BACK_OFF_MAX);
    let [byte] = worker.cx.generator.bytes::<1>();
    // 80 to 120 per cent.
    let percent = 80 + i32::from(byte) * 40 / 255;
    base * percent / 100
}

/// Whether the row can be cleared away: finished this long ago.
pub(super) fn prune_before(now: DateTime<Utc>) -> DateTime<Utc> {
    const KEPT: TimeDelta = TimeDelta::days(30);
    now - KEPT
}
