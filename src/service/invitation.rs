//! Invitations: an admin offers somebody without an account to join, and whoever
//! reads the mail does. It is the admin's right that opens the door, so it is void
//! once they have that right no more.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::delivery::{Addressee, Notice, enqueue};
use super::history::{Grant, record, record_grant};
use super::input::{Email, Form};
use super::newcomer::{self, Newcomer, Profile, checked_password, refuse_taken};
use super::{Context, second_factor};
use crate::actor::Actor;
use crate::credential::InvitationToken;
use crate::entity::invitation::Model as Invitation;
use crate::entity::user::Model as User;
use crate::entity::{AccountEventKind, InvitationId, InvitationState, MailKind, Role, UserStatus};
use crate::error::{Error, Problem, ProblemCode, Result};
use crate::event::Event;
use crate::policy;
use crate::store::{self, Source};

/// How long an invitation is good for when nothing is said.
const LIFE: TimeDelta = TimeDelta::days(7);
/// And at most: the mail lies in an inbox all that time, and whoever reads it can join.
const LIFE_MAX: TimeDelta = TimeDelta::days(30);
/// How long one is kept once it has expired, whatever came of it: admins may want to ask again.
pub const KEPT: TimeDelta = TimeDelta::days(90);

pub struct Invite {
    pub email: String,
    pub role: Role,
    pub expires_at: Option<DateTime<Utc>>,
}

/// Invites whoever reads the mails to an address. An older invitation of theirs ends.
pub async fn invite(cx: &Context, actor: &Actor, input: &Invite) -> Result<Invitation> {
    let now = cx.now();
    let mut form = Form::default();
    let email = form.email(&input.email);
    let expires_at = input
        .expires_at
        .map_or(now + LIFE, |at| form.instant("expiresAt", at));
    if expires_at <= now || expires_at > now + LIFE_MAX {
        form.replace(Problem::new(
            "expiresAt",
            ProblemCode::Invalid,
            format!(
                "An invitation expires in the future, at most {} days ahead.",
                LIFE_MAX.num_days()
            ),
        ));
    }
    form.check()?;

    let (tx, actor) = cx.begin_on_own_rights(actor).await?;
    policy::invitation::may_invite(&actor).map_err(|refusal| refusal.at("email"))?;
    policy::user::may_grant(&actor, input.role).map_err(|refusal| refusal.at("role"))?;
    if store::user::find_by_email(&tx, &email.key).await?.is_some() {
        return Err(Problem::new(
            "email",
            ProblemCode::EmailTaken,
            "Somebody has an account with this e-mail address already.",
        )
        .into());
    }
    let id = InvitationId(cx.new_id(now));
    let invitation = Invitation {
        id,
        email: email.text,
        email_key: email.key,
        role: input.role,
        token_hash: cx.tokens.invitation(id).hash(),
        invited_by: actor.user_id(),
        created_at: now,
        expires_at,
        revoked_at: None,
        accepted_at: None,
        user_id: None,
    };
    store::invitation::revoke_all_to(&tx, &invitation.email_key, now).await?;
    store::invitation::insert(&tx, invitation.clone()).await?;
    let notice = Notice {
        kind: MailKind::Invitation,
        cause: id.to_string(),
        // As with a reset, the worker makes the link again from the id.
        params: json!({ "invitation_id": id }),
    };
    enqueue(cx, &tx, Addressee::Stranger(&invitation.email), notice, now).await?;
    // Nothing of the address: whoever never joins has no history here.
    let kind = AccountEventKind::Invited;
    record_grant(cx, &tx, kind, input.role, None, actor.user_id(), now).await?;
    tx.commit().await?;
    cx.events.publish(Event::JobsDue);
    tracing::info!(invitation = %id, by = actor.user_id().map(tracing::field::display), role = ?input.role, "somebody was invited");
    Ok(invitation)
}

/// Takes back an invitation that nobody has answered.
pub async fn revoke(cx: &Context, actor: &Actor, id: Option<InvitationId>) -> Result<Invitation> {
    let not_found = || Problem::not_found("invitationId", "invitation");
    let id = id.ok_or_else(not_found)?;
    let now = cx.now();
    let (tx, actor) = cx.begin_on_rights(actor).await?;
    let before = store::invitation::find_to_change(&tx, &actor, id)
        .await?
        .ok_or_else(not_found)?;
    policy::invitation::may_revoke(&actor, before.state(now))
        .map_err(|refusal| refusal.at("invitationId"))?;
    let mut invitation = before.clone();
    invitation.revoked_at = Some(now);
    store::invitation::update_if_open(&tx, &before, &invitation, now).await?;
    let kind = AccountEventKind::InvitationRevoked;
    record(cx, &tx, kind, None, actor.user_id(), now).await?;
    tx.commit().await?;
    tracing::info!(invitation = %id, by = actor.user_id().map(tracing::field::display), "an invitation was taken back");
    Ok(invitation)
}

#[derive(Clone)]
pub struct AcceptInvitation {
    pub token: String,
    pub username: String,
    pub password: String,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub time_zone: Option<String>,
}

/// Adds an active user as an invitation says. An admin has decided on them already, and the link
/// proves their address; whether sign-ups are open, and to whom, does not matter.
pub async fn accept(cx: &Context, input: &AcceptInvitation) -> Result<User> {
    let token_hash = InvitationToken::parse(&input.token)
        .ok_or_else(invalid_token)?
        .hash();
    let invitation = find_open(cx, &cx.db, &token_hash, cx.now()).await?;
    let mut form = Form::default();
    let username = newcomer::username(&mut form, &input.username);
    let profile = Profile::read(
        cx,
        &mut form,
        input.first_name.as_deref(),
        input.last_name.as_deref(),
        input.time_zone.as_deref(),
    );
    let email = Email {
        text: invitation.email,
        key: invitation.email_key,
    };
    let password_hash =
        checked_password(cx, form, &input.password, &username, &email, &profile).await?;

    let now = cx.now();
    let user = Newcomer {
        username,
        email,
        password_hash,
        profile,
        email_verified_at: Some(now),
        role: invitation.role,
        status: UserStatus::Active,
    }
    .into_user(cx, now);
    // Nobody gains or loses the right to invite meanwhile.
    let (tx, _) = cx.begin_on_rights(&Actor::Anonymous).await?;
    let before = find_open(cx, &tx, &token_hash, now).await?;
    refuse_taken(&tx, &user).await.map_err(without_email)?;
    let inserted = store::user::insert(&tx, user.clone()).await;
    inserted.map_err(without_email)?;
    let mut invitation = before.clone();
    invitation.accepted_at = Some(now);
    invitation.user_id = Some(user.id);
    // Of several that present the token at once, one uses it up.
    if !store::invitation::update_if_open(&tx, &before, &invitation, now).await? {
        return Err(invalid_token());
    }
    let (kind, id) = (AccountEventKind::InvitationAccepted, Some(user.id));
    let grant = Grant {
        invited_by: invitation.invited_by,
        ..user.role.into()
    };
    record_grant(cx, &tx, kind, grant, id, id, now).await?;
    tx.commit().await?;
    tracing::info!(user = %user.id, invitation = %invitation.id, "an invitation was accepted");
    Ok(user)
}

/// The admin who stands behind an invitation. None when it opens no door: it was answered or taken
/// back, has expired, or its admin is none any more, or is held back until they have a second factor.
pub async fn find_voucher(
    cx: &Context,
    source: &impl Source,
    invitation: &Invitation,
    now: DateTime<Utc>,
) -> Result<Option<User>> {
    let (Some(invited_by), InvitationState::Pending) =
        (invitation.invited_by, invitation.state(now))
    else {
        return Ok(None);
    };
    let inviter = store::user::find(source, &Actor::System, invited_by).await?;
    let inviter = second_factor::all_in_force(cx, source, inviter)
        .await?
        .pop();
    Ok(inviter.filter(policy::invitation::vouches))
}

async fn find_open(
    cx: &Context,
    source: &impl Source,
    token_hash: &str,
    now: DateTime<Utc>,
) -> Result<Invitation> {
    let invitation = store::invitation::find_by_hash(source, token_hash)
        .await?
        .ok_or_else(invalid_token)?;
    match find_voucher(cx, source, &invitation, now).await? {
        Some(_) => Ok(invitation),
        None => Err(invalid_token()),
    }
}

/// The form has no field for the address, so a problem with it is one of the form.
fn without_email(error: Error) -> Error {
    match error {
        Error::Refused(mut problems) => {
            for problem in &mut problems {
                problem.field = problem.field.filter(|field| *field != "email");
            }
            Error::Refused(problems)
        }
        other => other,
    }
}

fn invalid_token() -> Error {
    Problem::new(
        "token",
        ProblemCode::InvalidToken,
        "This invitation was accepted, taken back, replaced by a newer one, or has expired. Ask an \
         admin to invite you again.",
    )
    .into()
}
