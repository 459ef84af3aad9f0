//! Writes the mail that follows from a change, in the transaction of that change:
//! the change commits if and only if its mail does.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::Context;
use crate::entity::delivery::Model as Delivery;
use crate::entity::user::Model as User;
use crate::entity::{DeliveryId, DeliveryState, MailKind};
use crate::error::Result;
use crate::job::Job;
use crate::store::{self, Tx};

/// How long a job is taken to be on its way before the sweep sends another.
pub const ANNOUNCEMENT: TimeDelta = TimeDelta::seconds(20);

/// What a mail is about.
pub struct Notice {
    pub kind: MailKind,
    /// What happened, by its id. The same cause has one mail of a kind to one person.
    pub cause: String,
    /// What the template needs beyond the recipient; never a secret.
    pub params: Value,
}

/// Enqueues the mail for this person. With None the same rows are written but nothing is ever
/// sent, so that a caller cannot tell by the time whether there is such a person.
///
/// Call `cx.events.publish(Event::JobsDue)` once the transaction is committed.
pub(super) async fn enqueue(
    cx: &Context,
    tx: &Tx,
    recipient: Option<&User>,
    notice: Notice,
    now: DateTime<Utc>,
) -> Result<()> {
    let id = DeliveryId(cx.new_id(now));
    let state = if recipient.is_some() {
        DeliveryState::Due
    } else {
        DeliveryState::Suppressed
    };
    let delivery = Delivery {
        id,
        kind: notice.kind,
        cause: notice.cause,
        recipient_id: recipient.map(|user| user.id),
        address: recipient.map(|user| user.email.clone()).unwrap_or_default(),
        params: notice.params,
        state,
        created_at: now,
        due_at: now,
        announced_until: now + ANNOUNCEMENT,
        leased_until: None,
        fence: 0,
        attempts: 0,
        first_attempt_at: None,
        failures: 0,
        message: None,
        last_answer: None,
        finished_at: recipient.is_none().then_some(now),
    };
    if store::delivery::insert(tx, delivery).await? {
        let job = Job::Deliver { delivery_id: id };
        store::job::push(tx, cx.new_id(now), job, now).await?;
    }
    Ok(())
}
