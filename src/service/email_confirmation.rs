//! Whether people read the mails to their address: they prove it by a mailed
//! link. An address counts as unconfirmed until then, and again once it changes.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::Context;
use super::delivery::{Notice, enqueue};
use super::history::record;
use crate::actor::Actor;
use crate::credential::ConfirmationToken;
use crate::entity::email_confirmation::Model as EmailConfirmation;
use crate::entity::user::Model as User;
use crate::entity::{AccountEventKind, EmailConfirmationId, MailKind, UserId};
use crate::error::{Error, Problem, ProblemCode, Result};
use crate::event::Event;
pub use crate::policy::user::may_use_mailed_link;
use crate::store::{self, Tx};

/// How long a mailed link is good for: over a week-end and a few days off. It is longer than a reset
/// link's, since nobody gets in by it; it only says that a mail arrived.
pub const LIFE: TimeDelta = TimeDelta::days(7);

/// Somebody who asks again this soon gets no second mail: the first one is on its way.
const PAUSE: TimeDelta = TimeDelta::minutes(5);

/// Sends the actor a link that confirms their address. False when none is sent: the address is
/// confirmed already, or they have a link that is younger than `PAUSE`.
pub async fn request(cx: &Context, actor: &Actor) -> Result<bool> {
    let now = cx.now();
    let (tx, _, user) = cx.begin_on_self(actor).await?;
    let id = user.id;
    let has_link = store::email_confirmation::find_newest_of(&tx, id)
        .await?
        .is_some_and(|newest| newest.is_open(now) && now - newest.created_at < PAUSE);
    if user.email_verified_at.is_some() || has_link {
        return Ok(false);
    }
    store::email_confirmation::end_all_of(&tx, id, now).await?;
    send(cx, &tx, &user, now).await?;
    let kind = AccountEventKind::EmailConfirmationRequested;
    record(cx, &tx, kind, Some(id), Some(id), now).await?;
    tx.commit().await?;
    cx.events.publish(Event::JobsDue);
    Ok(true)
}

/// Takes the address of whoever this link was sent to as confirmed, and says who that is.
pub async fn confirm(cx: &Context, token: &str) -> Result<UserId> {
    let token_hash = ConfirmationToken::parse(token)
        .ok_or_else(invalid_token)?
        .hash();
    let now = cx.now();
    let confirmation = store::email_confirmation::find_by_hash(&cx.db, &token_hash)
        .await?
        .filter(|confirmation| confirmation.is_open(now))
        .ok_or_else(invalid_token)?;

    let tx = cx.db.begin().await?;
    // The person first, as does whoever changes their address, so that neither waits for the other.
    let before = store::user::find_to_change(&tx, &Actor::System, confirmation.user_id)
        .await?
        .filter(may_use_mailed_link)
        .ok_or_else(invalid_token)?;
    // Of several that present the token at once, one uses it up.
    if !store::email_confirmation::end(&tx, confirmation.id, now).await? {
        return Err(invalid_token());
    }
    let mut user = before.clone();
    user.email_verified_at = before.email_verified_at.or(Some(now));
    store::user::update(&tx, &before, &user).await?;
    let (kind, id) = (AccountEventKind::EmailConfirmed, Some(user.id));
    record(cx, &tx, kind, id, id, now).await?;
    tx.commit().await?;
    tracing::info!(user = %user.id, "an e-mail address was confirmed");
    Ok(user.id)
}

/// Writes down a link for this person, whose mail is the caller's business.
pub(super) async fn issue(
    cx: &Context,
    tx: &Tx,
    user_id: UserId,
    now: DateTime<Utc>,
) -> Result<EmailConfirmationId> {
    let id = EmailConfirmationId(cx.new_id(now));
    let confirmation = EmailConfirmation {
        id,
        user_id,
        token_hash: cx.tokens.confirmation(id).hash(),
        created_at: now,
        expires_at: now + LIFE,
        ended_at: None,
    };
    store::email_confirmation::insert(tx, confirmation).await?;
    Ok(id)
}

/// What follows from another address: earlier links are void, the new address gets one, and the old
/// one is told (OWASP ASVS 5.0, 6.3.7), though not what the new one is: it may be somebody else's.
pub(super) async fn follow_change(
    cx: &Context,
    tx: &Tx,
    before: &User,
    after: &User,
    now: DateTime<Utc>,
) -> Result<()> {
    store::email_confirmation::end_all_of(tx, after.id, now).await?;
    if may_use_mailed_link(after) {
        send(cx, tx, after, now).await?;
    }
    let notice = Notice {
        kind: MailKind::EmailChanged,
        cause: cx.new_id(now).to_string(),
        params: json!({ "at": now }),
    };
    enqueue(cx, tx, Some(before), notice, now).await
}

async fn send(cx: &Context, tx: &Tx, user: &User, now: DateTime<Utc>) -> Result<()> {
    let id = issue(cx, tx, user.id, now).await?;
    let notice = Notice {
        kind: MailKind::EmailConfirmation,
        cause: id.to_string(),
        // As with a reset, the worker makes the link again from the id.
        params: json!({ "email_confirmation_id": id }),
    };
    enqueue(cx, tx, Some(user), notice, now).await
}

fn invalid_token() -> Error {
    Problem::new(
        "token",
        ProblemCode::InvalidToken,
        "This link was used, replaced by a newer one, or expired. Log in and ask for a new one.",
    )
    .into()
}
