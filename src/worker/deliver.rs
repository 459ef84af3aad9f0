//! Sends one mail that was claimed: composes it, hands it over, and writes down
//! what came of it. Only the claim that still holds the row writes: two workers
//! cannot both send, and a late one cannot undo what another did.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::Worker;
use super::claim::{Claim, claim, is_held, while_holding, write_if_held};
use crate::entity::delivery::Model as Delivery;
use crate::entity::{DeliveryId, DeliveryState, MailKind};
use crate::error::{Error, Result};
use crate::mail::{SendError, compose};
use crate::service::content::{Secrets, content, is_wanted};

const BACK_OFF_FIRST: TimeDelta = TimeDelta::seconds(30);
const BACK_OFF_MAX: TimeDelta = TimeDelta::hours(1);
/// How long the result of a mail is kept for a database that is away.
const RESULT_KEPT: Duration = Duration::from_mins(5);
const RESULT_PAUSE: Duration = Duration::from_millis(500);
/// How long failures that may pass are tried again.
const PATIENCE: TimeDelta = TimeDelta::hours(24);
/// When a report is tried again that found others being written.
const REPORT_PAUSE: TimeDelta = TimeDelta::seconds(5);

pub(super) async fn deliver(worker: &Worker, id: DeliveryId) -> Result<()> {
    let Some(Claim { claimed, wait }) = claim(worker, id).await? else {
        return Ok(());
    };
    // Boxed, since composing a report and talking SMTP keep large buffers.
    let work = Box::pin(compose_and_send(worker, &claimed, wait));
    let Some(outcome) = while_holding(worker, &claimed, work).await else {
        return taken_over(&claimed);
    };
    let (claimed, outcome) = outcome;
    match outcome {
        Outcome::Sent(sent) => finish(worker, &claimed, sent).await,
        Outcome::NothingToSay => suppress(worker, &claimed).await,
        Outcome::Later => give_back(worker, &claimed).await,
        Outcome::TakenOver => taken_over(&claimed),
    }
}

enum Outcome {
    Sent(Result<String, SendError>),
    NothingToSay,
    /// Others of its kind are being written just now.
    Later,
    /// Another worker has it by now.
    TakenOver,
}

/// With the row as it stands by then.
async fn compose_and_send(
    worker: &Worker,
    claimed: &Delivery,
    wait: Duration,
) -> (Delivery, Outcome) {
    let mut row = claimed.clone();
    let message = match message(worker, &mut row).await {
        Ok(Message::Ready(message)) => message,
        Ok(Message::Nothing) => return (row, Outcome::NothingToSay),
        Ok(Message::Later) => return (row, Outcome::Later),
        Ok(Message::TakenOver) => return (row, Outcome::TakenOver),
        // A mail that cannot be composed now may be after the fault is mended.
        Err(error) => {
            tracing::error!(delivery = %row.id, kind = ?row.kind, %error, "a mail could not be composed");
            let failure = SendError::transient("the mail could not be composed");
            return (row, Outcome::Sent(Err(failure)));
        }
    };
    tokio::time::sleep(wait).await;
    match is_held(worker, &row).await {
        Ok(true) => {}
        Ok(false) => return (row, Outcome::TakenOver),
        Err(error) => {
            let failure = SendError::transient(format!("it was not sent: {error}"));
            return (row, Outcome::Sent(Err(failure)));
        }
    }
    let sent = worker
        .mailer
        .send(
            row.id,
            row.kind,
            row.created_at,
            worker.letterhead.from.email.as_ref(),
            &row.address,
            &message,
        )
        .await;
    (row, Outcome::Sent(sent))
}

enum Message {
    Ready(Vec<u8>),
    Nothing,
    Later,
    TakenOver,
}

/// The message, as it was composed first.
async fn message(worker: &Worker, row: &mut Delivery) -> Result<Message> {
    if let Some(message) = &row.message {
        // However it was composed: whether its reader may have it, and wants it, is asked again.
        let is_wanted = is_wanted(&worker.cx, row).await?;
        return Ok(if is_wanted {
            Message::Ready(message.clone())
        } else {
            Message::Nothing
        });
    }
    // Reports take long to write; they leave hands free for what somebody waits for.
    let _desk = if row.kind == MailKind::TaskReport {
        match worker.reports.try_acquire() {
            Ok(desk) => Some(desk),
            Err(_) => return Ok(Message::Later),
        }
    } else {
        None
    };
    let Some((recipient, content)) = content(&worker.cx, row, Secrets::Shown).await? else {
        return Ok(Message::Nothing);
    };
    let message = compose(
        &worker.letterhead,
        row.id,
        row.created_at,
        &recipient,
        &content,
    )?;
    // A message that is kept is the same at each try. One with a secret is not kept: it is
    // composed again, of parts that do not change.
    if !content.holds_secret() {
        let before = row.clone();
        row.message = Some(message.clone());
        if !write_if_held(worker, &before, row).await? {
            return Ok(Message::TakenOver);
        }
    }
    Ok(Message::Ready(message))
}

#[allow(clippy::unnecessary_wraps, reason = "it is one of several ends")]
fn taken_over(claimed: &Delivery) -> Result<()> {
    tracing::warn!(delivery = %claimed.id, "another worker took a mail over; it is the other's now");
    Ok(())
}

/// Puts the mail back for a moment. This was no attempt.
async fn give_back(worker: &Worker, claimed: &Delivery) -> Result<()> {
    let mut row = claimed.clone();
    let next = worker.cx.now() + REPORT_PAUSE;
    row.state = DeliveryState::Due;
    row.leased_until = None;
    row.due_at = next;
    row.announced_until = next;
    row.attempts -= 1;
    write_result(worker, claimed, &row).await
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
            worker.cx.metrics.mailed(row.kind.name(), "sent");
            row.state = DeliveryState::Sent;
            row.finished_at = Some(now);
            // Reminders and reports of a month would be most of the database.
            if !row.kind.is_about_account() {
                row.message = None;
            }
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
                worker.cx.metrics.mailed(row.kind.name(), outcome);
                row.state = if stays_unknown {
                    DeliveryState::Unknown
                } else {
                    DeliveryState::Failed
                };
                row.finished_at = Some(now);
                tracing::error!(delivery = %row.id, kind = ?row.kind, answer = %failure.answer, "a mail was given up");
            } else {
                worker.cx.metrics.mailed(row.kind.name(), "postponed");
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
    row.message = None;
    write_result(worker, claimed, &row).await
}

/// What became of a mail is known here and nowhere else: while the database is away, it is kept and
/// written when it is back, lest the mail be sent again.
async fn write_result(worker: &Worker, claimed: &Delivery, row: &Delivery) -> Result<()> {
    let began = tokio::time::Instant::now();
    let held = loop {
        match write_if_held(worker, claimed, row).await {
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

/// What was finished before this can be cleared away.
pub(super) fn kept_since(now: DateTime<Utc>) -> DateTime<Utc> {
    const KEPT: TimeDelta = TimeDelta::days(30);
    now - KEPT
}
