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

/// Whom a mail is for.
pub(super) enum Addressee<'a> {
    /// Somebody with an account, at the address in this row.
    User(&'a User),
    /// An address that has no account.
    Stranger(&'a str),
    /// Nobody: the same rows are written, but nothing is ever sent, so that a caller cannot tell by
    /// the time whether there is such a person.
    Nobody,
}

impl<'a> From<Option<&'a User>> for Addressee<'a> {
    fn from(user: Option<&'a User>) -> Self {
        user.map_or(Self::Nobody, Self::User)
    }
}

/// What a mail is about.
pub struct Notice {
    pub kind: MailKind,
    /// What happened, by its id. The same cause has one mail of a kind to one person; to a stranger,
    /// it is the caller who tells it once.
    pub cause: String,
    /// What the template needs beyond the recipient; never a secret.
    pub params: Value,
}

/// Enqueues the mail.
///
/// Call `cx.events.publish(Event::JobsDue)` once the transaction is committed.
pub(super) async fn enqueue<'a>(
    cx: &Context,
    tx: &Tx,
    addressee: impl Into<Addressee<'a>>,
    notice: Notice,
    now: DateTime<Utc>,
) -> Result<()> {
    let id = DeliveryId(cx.new_id(now));
    let (recipient_id, address, state) = match addressee.into() {
        Addressee::User(user) => (Some(user.id), user.email.as_str(), DeliveryState::Due),
        Addressee::Stranger(address) => (None, address, DeliveryState::Due),
        Addressee::Nobody => (None, "", DeliveryState::Suppressed),
    };
    let delivery = Delivery {
        id,
        kind: notice.kind,
        cause: notice.cause,
        recipient_id,
        address: address.to_owned(),
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
        finished_at: (state == DeliveryState::Suppressed).then_some(now),
    };
    if store::delivery::insert(tx, delivery).await? {
        let job = Job::Deliver { delivery_id: id };
        store::job::push(tx, cx.new_id(now), job, now).await?;
    }
    Ok(())
}
