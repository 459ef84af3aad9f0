//! The decision on a sign-up, which is taken once.

use serde_json::json;

use super::Context;
use super::delivery::{Notice, enqueue};
use super::history::{record, record_grant};
use super::input::{Form, Lines, REASON_MAX};
use crate::actor::Actor;
use crate::entity::approval::Model as Approval;
use crate::entity::user::Model as User;
use crate::entity::{AccountEventKind, ApprovalDecision, MailKind, Role, UserId, UserStatus};
use crate::error::{Problem, ProblemCode, Result};
use crate::event::Event;
use crate::policy;
use crate::store;

/// Lets the user in, with this role or else the one that they asked for.
pub async fn approve(
    cx: &Context,
    actor: &Actor,
    user_id: Option<UserId>,
    role: Option<Role>,
) -> Result<(User, Approval)> {
    let verdict = |approval: &mut Approval, user: &mut User| {
        let role = role.unwrap_or(approval.requested_role);
        approval.decision = ApprovalDecision::Approved;
        approval.granted_role = Some(role);
        user.role = role;
        user.status = UserStatus::Active;
    };
    decide(cx, actor, user_id, MailKind::Approved, verdict).await
}

/// Turns the sign-up down. The user stays on record and cannot log in.
pub async fn reject(
    cx: &Context,
    actor: &Actor,
    user_id: Option<UserId>,
    reason: Option<&str>,
) -> Result<(User, Approval)> {
    let mut form = Form::default();
    let reason = form.optional_text("reason", reason, REASON_MAX, Lines::Many);
    form.check()?;
    let verdict = |approval: &mut Approval, user: &mut User| {
        approval.decision = ApprovalDecision::Rejected;
        approval.reason = reason;
        user.status = UserStatus::Rejected;
    };
    decide(cx, actor, user_id, MailKind::Rejected, verdict).await
}

async fn decide(
    cx: &Context,
    actor: &Actor,
    user_id: Option<UserId>,
    mail: MailKind,
    verdict: impl FnOnce(&mut Approval, &mut User),
) -> Result<(User, Approval)> {
    let now = cx.now();
    let (tx, actor) = cx.begin_on_rights(actor).await?;
    let actor = &actor;
    let user_before = super::user::find(&tx, actor, user_id).await?;
    let approval = store::approval::find_of_user_to_change(&tx, actor, user_before.id).await?;
    let undecided = approval.filter(|approval| {
        approval.decision == ApprovalDecision::Pending && user_before.status == UserStatus::Pending
    });
    let Some(approval_before) = undecided else {
        return Err(Problem::new(
            "userId",
            ProblemCode::AlreadyDecided,
            "This sign-up was decided on already.",
        )
        .into());
    };

    policy::user::may_decide(actor, &user_before).map_err(|refusal| refusal.at("userId"))?;

    let (mut user, mut approval) = (user_before.clone(), approval_before.clone());
    verdict(&mut approval, &mut user);
    policy::user::may_grant(actor, user.role).map_err(|refusal| refusal.at("role"))?;
    approval.decided_by = actor.user_id();
    approval.decided_at = Some(now);
    user.updated_at = now;
    store::user::update(&tx, &user_before, &user).await?;
    store::approval::update(&tx, &approval_before, &approval).await?;
    let (id, by) = (Some(user.id), actor.user_id());
    if user.status == UserStatus::Rejected {
        // A rejected person has no way in, so neither has a reset mail that is on its way.
        store::reset_token::end_all_of(&tx, user.id, now).await?;
        record(cx, &tx, AccountEventKind::Rejected, id, by, now).await?;
    } else {
        // Whoever waited had no role to speak of before.
        let kind = AccountEventKind::Approved;
        record_grant(cx, &tx, kind, user.role, id, by, now).await?;
    }
    let notice = Notice {
        kind: mail,
        cause: approval.id.to_string(),
        params: json!({ "approval_id": approval.id }),
    };
    enqueue(cx, &tx, Some(&user), notice, now).await?;
    tx.commit().await?;
    cx.events.publish(Event::JobsDue);
    tracing::info!(user = %user.id, by = actor.user_id().map(tracing::field::display), decision = ?approval.decision, "a sign-up was decided on");
    Ok((user, approval))
}
