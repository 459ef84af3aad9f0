//! Writes the mail that follows from a change, in the transaction of that change:
//! the change commits if and only if its mail does. And what admins do about mails:
//! look at them, send them again, call them off, hold them back.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::Context;
use super::content::{Secrets, content};
use super::history::record;
use crate::actor::Actor;
use crate::entity::delivery::Model as Delivery;
use crate::entity::paused_mail::Model as PausedMail;
use crate::entity::user::Model as User;
use crate::entity::{AccountEventKind, DeliveryId, DeliveryState, MailKind};
use crate::error::{Problem, Result};
use crate::event::Event;
use crate::job::Job;
pub use crate::mail::Rendered;
use crate::mail::{Letterhead, render};
use crate::policy;
use crate::store::{self, Tx};

/// How long a job is taken to be on its way before the sweep sends another.
pub const ANNOUNCEMENT: TimeDelta = TimeDelta::seconds(20);

/// Whom a mail is for.
#[derive(Clone, Copy)]
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
    let delivery = Delivery {
        announced_until: now + ANNOUNCEMENT,
        ..draft(cx, addressee.into(), notice, now)
    };
    let (id, priority) = (delivery.id, delivery.priority);
    if store::delivery::insert(tx, delivery).await? {
        let job = Job::Deliver { delivery_id: id };
        store::job::push(tx, cx.new_id(now), job, priority, now).await?;
    }
    Ok(())
}

/// The row of a mail that nobody has announced: the sweep finds it.
pub(super) fn draft(
    cx: &Context,
    addressee: Addressee<'_>,
    notice: Notice,
    now: DateTime<Utc>,
) -> Delivery {
    let (recipient_id, address, state) = match addressee {
        Addressee::User(user) => (Some(user.id), user.email.as_str(), DeliveryState::Due),
        Addressee::Stranger(address) => (None, address, DeliveryState::Due),
        Addressee::Nobody => (None, "", DeliveryState::Suppressed),
    };
    Delivery {
        id: DeliveryId(cx.new_id(now)),
        kind: notice.kind,
        cause: notice.cause,
        recipient_id,
        address: address.to_owned(),
        params: notice.params,
        state,
        priority: notice.kind.priority(),
        created_at: now,
        due_at: now,
        expires_at: None,
        announced_until: now,
        leased_until: None,
        fence: 0,
        attempts: 0,
        first_attempt_at: None,
        failures: 0,
        message: None,
        last_answer: None,
        finished_at: (state == DeliveryState::Suppressed).then_some(now),
    }
}

/// Sends a mail again, or now instead of later. It is the same mail, by the same Message-ID: a mail
/// program that has it already may not show it twice.
pub async fn resend(cx: &Context, actor: &Actor, id: Option<DeliveryId>) -> Result<Delivery> {
    let now = cx.now();
    let (tx, actor) = cx.begin(actor).await?;
    let before = find(&tx, &actor, id).await?;
    policy::delivery::may_resend(&actor, &before).map_err(|refusal| refusal.at("deliveryId"))?;
    let delivery = Delivery {
        state: DeliveryState::Due,
        due_at: now,
        // An admin wants it to go, however late it is.
        expires_at: None,
        announced_until: now + ANNOUNCEMENT,
        // Whoever holds an old claim cannot finish it.
        fence: before.fence.saturating_add(1),
        attempts: 0,
        first_attempt_at: None,
        failures: 0,
        finished_at: None,
        ..before.clone()
    };
    store::delivery::update_if_held(&tx, &before, &delivery).await?;
    let job = Job::Deliver {
        delivery_id: before.id,
    };
    store::job::push(&tx, cx.new_id(now), job, before.priority, now).await?;
    let kind = AccountEventKind::DeliveryResent;
    let recipient_id = before.recipient_id;
    record(cx, &tx, kind, recipient_id, actor.user_id(), now).await?;
    tx.commit().await?;
    cx.events.publish(Event::JobsDue);
    Ok(delivery)
}

/// Calls a mail off that has not gone yet.
pub async fn cancel(cx: &Context, actor: &Actor, id: Option<DeliveryId>) -> Result<Delivery> {
    let now = cx.now();
    let (tx, actor) = cx.begin(actor).await?;
    let before = find(&tx, &actor, id).await?;
    policy::delivery::may_cancel(&actor, &before).map_err(|refusal| refusal.at("deliveryId"))?;
    let delivery = Delivery {
        state: DeliveryState::Cancelled,
        finished_at: Some(now),
        fence: before.fence.saturating_add(1),
        ..before.clone()
    };
    store::delivery::update_if_held(&tx, &before, &delivery).await?;
    let kind = AccountEventKind::DeliveryCancelled;
    let recipient_id = before.recipient_id;
    record(cx, &tx, kind, recipient_id, actor.user_id(), now).await?;
    tx.commit().await?;
    Ok(delivery)
}

/// Holds mails of these kinds back until they are let go. What is being sent just now goes out.
pub async fn pause(cx: &Context, actor: &Actor, kinds: &[MailKind]) -> Result<Vec<PausedMail>> {
    let now = cx.now();
    let (tx, actor) = cx.begin(actor).await?;
    policy::delivery::may_manage(&actor).map_err(|refusal| refusal.at("kinds"))?;
    let mut is_new = false;
    for kind in kinds {
        let pause = PausedMail {
            kind: *kind,
            paused_at: now,
            paused_by: actor.user_id(),
        };
        is_new |= store::paused_mail::insert(&tx, pause).await?;
    }
    if is_new {
        let (kind, id) = (AccountEventKind::MailsPaused, actor.user_id());
        record(cx, &tx, kind, id, id, now).await?;
    }
    let paused = store::paused_mail::list(&tx).await?;
    tx.commit().await?;
    tracing::warn!(?kinds, "mails are held back by an admin");
    Ok(paused)
}

/// Lets mails of these kinds go again.
pub async fn resume(cx: &Context, actor: &Actor, kinds: &[MailKind]) -> Result<Vec<PausedMail>> {
    let now = cx.now();
    let (tx, actor) = cx.begin(actor).await?;
    policy::delivery::may_manage(&actor).map_err(|refusal| refusal.at("kinds"))?;
    if store::paused_mail::delete(&tx, kinds).await? > 0 {
        let (kind, id) = (AccountEventKind::MailsResumed, actor.user_id());
        record(cx, &tx, kind, id, id, now).await?;
    }
    let paused = store::paused_mail::list(&tx).await?;
    tx.commit().await?;
    tracing::info!(?kinds, "mails go out again");
    Ok(paused)
}

/// What the mail says, or would say if it went now: without links that let their reader do
/// something. None when there is nothing to say any more, or no such mail.
pub async fn preview(
    cx: &Context,
    actor: &Actor,
    id: Option<DeliveryId>,
) -> Result<Option<Rendered>> {
    let Some(id) = id else {
        return Ok(None);
    };
    let found = store::delivery::find_many(&cx.db, actor, &[id]).await?;
    let Some(delivery) = found.first() else {
        return Ok(None);
    };
    let Some((recipient, content)) = content(cx, delivery, Secrets::Hidden).await? else {
        return Ok(None);
    };
    render(&letterhead(cx), &recipient, &content).map(Some)
}

pub fn letterhead(cx: &Context) -> Letterhead {
    Letterhead {
        from: cx.settings.mail_from.clone(),
        public_url: cx.settings.public_url.clone(),
    }
}

async fn find(tx: &Tx, actor: &Actor, id: Option<DeliveryId>) -> Result<Delivery> {
    let delivery = match id {
        Some(id) => store::delivery::find_to_change_as(tx, actor, id).await?,
        None => None,
    };
    delivery.ok_or_else(|| Problem::not_found("deliveryId", "mail").into())
}
