//! New passwords: by mailed link for those who forgot theirs, and by the current
//! one for those who did not.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::Context;
use super::delivery::{Notice, enqueue};
use super::history::record;
use super::input::{Form, own_words};
use crate::actor::Actor;
use crate::credential::{ResetToken, Verdict};
use crate::entity::reset_token::Model as StoredToken;
use crate::entity::user::{Model as User, PasswordHash};
use crate::entity::{AccountEventKind, MailKind, ResetTokenId, UserId};
use crate::error::{Error, Problem, ProblemCode, Result};
use crate::event::Event;
use crate::policy;
use crate::store::{self, Tx};

/// How long a mailed link is good for. OWASP ASVS 5.0 (6.5.5) says 10 minutes for codes that are
/// typed in; a link of 256 bits cannot be guessed, and mail is often slower than that.
pub const RESET_LIFE: TimeDelta = TimeDelta::minutes(30);

/// Sends a link to the person behind this address, if there is one. The same is written, in the
/// same time, if there is none.
pub async fn request_reset(cx: &Context, email: &str) -> Result<()> {
    let mut form = Form::default();
    let email = form.email(email);
    form.check()?;
    let now = cx.now();
    let found = store::user::find_by_email(&cx.db, &email.key).await?;
    let nobody = UserId(cx.new_id(now));
    let sought = found.map_or(nobody, |user| user.id);
    let tx = cx.db.begin().await?;
    // Looked at again, and held: an address that was taken away meanwhile gets no link.
    let user = store::user::find_to_change(&tx, &Actor::System, sought)
        .await?
        .filter(|user| user.email_key == email.key && policy::user::may_use_mailed_link(user));
    let user_id = user.as_ref().map(|user| user.id);
    let id = ResetTokenId(cx.new_id(now));
    let token = StoredToken {
        id,
        user_id,
        token_hash: cx.tokens.reset(id).hash(),
        created_at: now,
        expires_at: now + RESET_LIFE,
        ended_at: None,
    };
    let notice = Notice {
        kind: MailKind::PasswordReset,
        cause: id.to_string(),
        // The worker makes the link again from the id: the token itself is nowhere in the database.
        params: json!({ "reset_token_id": id }),
    };
    store::reset_token::end_all_of(&tx, user_id.unwrap_or(nobody), now).await?;
    store::reset_token::insert(&tx, token).await?;
    enqueue(cx, &tx, user.as_ref(), notice, now).await?;
    let kind = AccountEventKind::PasswordResetRequested;
    record(cx, &tx, kind, user_id, None, now).await?;
    tx.commit().await?;
    cx.events.publish(Event::JobsDue);
    Ok(())
}

/// Sets a new password by a mailed link, and ends every session. The link proves the address, too.
pub async fn reset(cx: &Context, token: &str, new_password: &str) -> Result<User> {
    let token_hash = ResetToken::parse(token).ok_or_else(invalid_token)?.hash();
    let now = cx.now();
    let stored = store::reset_token::find_by_hash(&cx.db, &token_hash).await?;
    let holder = holder_of(stored.as_ref(), now)?;
    let user = store::user::find(&cx.db, &Actor::System, holder)
        .await?
        .filter(policy::user::may_use_mailed_link)
        .ok_or_else(invalid_token)?;
    let hash = new_hash(cx, new_password, &user).await?;

    let tx = cx.db.begin().await?;
    // The user's row before the token, as whoever ends the token has them, so that nobody waits in a
    // circle. Of several that present it at once, the first to get here uses it up for the others.
    let before = store::user::find_to_change(&tx, &Actor::System, user.id)
        .await?
        .filter(policy::user::may_use_mailed_link)
        .ok_or_else(invalid_token)?;
    let stored = store::reset_token::find_by_hash(&tx, &token_hash).await?;
    holder_of(stored.as_ref(), now)?;
    let mut user = before.clone();
    // Whoever has the link has read the mail.
    user.email_verified_at = before.email_verified_at.or(Some(now));
    let user = set_password(cx, &tx, (before, user), hash, now).await?;
    store::session::delete_all_of(&tx, user.id, None).await?;
    store::api_token::delete_all_of(&tx, user.id).await?;
    let (kind, id) = (AccountEventKind::PasswordReset, Some(user.id));
    record(cx, &tx, kind, id, id, now).await?;
    tx.commit().await?;
    cx.events.publish(Event::JobsDue);
    tracing::info!(user = %user.id, "a password was reset by link");
    Ok(user)
}

/// Sets a new password for somebody who knows the current one, and ends their other sessions.
pub async fn change(
    cx: &Context,
    actor: &Actor,
    current_password: &str,
    new_password: &str,
) -> Result<User> {
    let viewer = actor.signed_in()?;
    let user = prove(cx, actor, current_password).await?;
    let hash = new_hash(cx, new_password, &user).await?;

    let (tx, _, current) = begin_proven(cx, actor, &user).await?;
    let now = cx.now();
    let changed = (current.clone(), current);
    let user = set_password(cx, &tx, changed, hash, now).await?;
    store::session::delete_all_of(&tx, user.id, viewer.session_id()).await?;
    let (kind, id) = (AccountEventKind::PasswordChanged, Some(user.id));
    record(cx, &tx, kind, id, id, now).await?;
    tx.commit().await?;
    cx.events.publish(Event::JobsDue);
    tracing::info!(user = %user.id, "somebody changed their password");
    Ok(user)
}

/// The actor's row, if this is their password: a stolen session alone must not get at what somebody
/// logs in with. Runs Argon2, so it comes before the transaction.
pub(super) async fn prove(cx: &Context, actor: &Actor, current_password: &str) -> Result<User> {
    let id = actor.signed_in()?.id;
    let user = store::user::find(&cx.db, actor, id)
        .await?
        .ok_or(Error::Unauthenticated)?;
    let verdict = cx
        .passwords
        .verify(current_password, Some(&user.password_hash))
        .await?;
    match verdict {
        Verdict::Right | Verdict::RightButWeak => Ok(user),
        Verdict::Wrong => Err(wrong_password()),
    }
}

/// Opens the transaction of whoever has proved themselves; what they proved it by must still stand.
pub(super) async fn begin_proven(
    cx: &Context,
    actor: &Actor,
    proven: &User,
) -> Result<(Tx, Actor, User)> {
    let (tx, actor, user) = cx.begin_on_self(actor).await?;
    check_still_proven(proven, &user)?;
    Ok((tx, actor, user))
}

/// Whether the password of somebody who has proved themselves is the same in the transaction.
pub(super) fn check_still_proven(proven: &User, current: &User) -> Result<()> {
    if current.password_hash == proven.password_hash {
        return Ok(());
    }
    // Renewed by a log-in, or changed: it is checked again.
    let reason = "the password's hash changed meanwhile";
    Err(Error::Contended(reason.into()))
}

/// What both ways have in common: the new hash, no link left that works, and a mail that tells.
async fn set_password(
    cx: &Context,
    tx: &Tx,
    (before, mut user): (User, User),
    hash: PasswordHash,
    now: DateTime<Utc>,
) -> Result<User> {
    user.password_hash = hash;
    user.updated_at = now;
    store::user::update(tx, &before, &user).await?;
    store::reset_token::end_all_of(tx, user.id, now).await?;
    let notice = Notice {
        kind: MailKind::PasswordChanged,
        cause: cx.new_id(now).to_string(),
        params: json!({ "at": now }),
    };
    enqueue(cx, tx, Some(&user), notice, now).await?;
    Ok(user)
}

async fn new_hash(cx: &Context, password: &str, user: &User) -> Result<PasswordHash> {
    let problem = cx
        .passwords
        .problem("newPassword", password, &own_words(user))
        .await?;
    match problem {
        Some(problem) => Err(problem.into()),
        None => cx.passwords.hash(password).await,
    }
}

/// Whose link this is, if it still works.
fn holder_of(token: Option<&StoredToken>, now: DateTime<Utc>) -> Result<UserId> {
    token
        .filter(|token| token.is_open(now))
        .and_then(|token| token.user_id)
        .ok_or_else(invalid_token)
}

fn invalid_token() -> Error {
    Problem::new(
        "token",
        ProblemCode::InvalidToken,
        "This link was used, replaced by a newer one, or expired. Ask for a new one.",
    )
    .into()
}

fn wrong_password() -> Error {
    Problem::new(
        "currentPassword",
        ProblemCode::InvalidCredentials,
        "This is not your current password.",
    )
    .into()
}
