//! What a mail says, from the rows as they are when it is first composed.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use chrono::{DateTime, Utc};
use url::Url;

use crate::actor::Actor;
use crate::entity::delivery::Model as Delivery;
use crate::entity::user::Model as User;
use crate::entity::{
    ApprovalId, EmailConfirmationId, InvitationId, MailKind, ResetTokenId, Role,
    SecondFactorChange, TaskStatus, UserStatus,
};
use crate::error::{Error, Result};
use crate::mail::{Content, Recipient, SecretLink, TaskReport};
use crate::service::{Context, email_confirmation, invitation, password};
use crate::store;

const CONFIRMATION_DAYS: u64 = email_confirmation::LIFE.num_days().unsigned_abs();

/// None when there is nobody to say it to, or it is no longer true.
pub(super) async fn content(
    cx: &Context,
    delivery: &Delivery,
) -> Result<Option<(Recipient, Content)>> {
    let Some(recipient_id) = delivery.recipient_id else {
        return to_stranger(cx, delivery).await;
    };
    let Some(user) = store::user::find(&cx.db, &Actor::System, recipient_id).await? else {
        return Ok(None);
    };
    let content = match delivery.kind {
        MailKind::Welcome => Some(Content::Welcome {
            link: confirmation_link(cx, delivery, &user).await?,
            valid_days: CONFIRMATION_DAYS,
        }),
        MailKind::Approved | MailKind::Rejected => decision(cx, delivery).await?,
        MailKind::PasswordReset => reset_link(cx, delivery).await?,
        MailKind::PasswordChanged => {
            let Changed { at } = params(delivery)?;
            Some(Content::PasswordChanged { at })
        }
        MailKind::SecondFactorChanged => {
            let SecondFactorChanged { change, at } = params(delivery)?;
            Some(Content::SecondFactorChanged { change, at })
        }
        MailKind::EmailConfirmation => {
            let link = confirmation_link(cx, delivery, &user).await?;
            link.map(|link| Content::EmailConfirmation {
                link,
                valid_days: CONFIRMATION_DAYS,
            })
        }
        MailKind::EmailChanged => {
            let Changed { at } = params(delivery)?;
            Some(Content::EmailChanged { at })
        }
        MailKind::TaskReport => task_report(cx, delivery, &user).await?,
        // For people who are no users yet.
        MailKind::Invitation => None,
    };
    let recipient = Recipient {
        address: delivery.address.clone(),
        display_name: user.display_name(),
        zone: user.zone(),
    };
    Ok(content.map(|content| (recipient, content)))
}

/// To an address that has no account. Other mails without a recipient are for nobody: they were
/// written to take the time that a mail takes.
async fn to_stranger(cx: &Context, delivery: &Delivery) -> Result<Option<(Recipient, Content)>> {
    if delivery.kind != MailKind::Invitation {
        return Ok(None);
    }
    let recipient = Recipient {
        address: delivery.address.clone(),
        display_name: String::new(),
        zone: cx.settings.time_zone,
    };
    let content = invitation_to(cx, delivery).await?;
    Ok(content.map(|content| (recipient, content)))
}

#[derive(Deserialize)]
struct Invited {
    invitation_id: InvitationId,
}

#[derive(Deserialize)]
struct Changed {
    at: DateTime<Utc>,
}

#[derive(Deserialize)]
struct SecondFactorChanged {
    #[serde(flatten)]
    change: SecondFactorChange,
    at: DateTime<Utc>,
}

#[derive(Deserialize)]
struct Decided {
    approval_id: ApprovalId,
}

#[derive(Deserialize)]
struct Reset {
    reset_token_id: ResetTokenId,
}

#[derive(Deserialize)]
struct Confirmation {
    /// None in a welcome of the time before addresses were confirmed.
    email_confirmation_id: Option<EmailConfirmationId>,
}

#[derive(Deserialize)]
struct Period {
    since: DateTime<Utc>,
    until: DateTime<Utc>,
}

fn params<T: DeserializeOwned>(delivery: &Delivery) -> Result<T> {
    serde_json::from_value(delivery.params.clone()).map_err(Error::internal)
}

async fn decision(cx: &Context, delivery: &Delivery) -> Result<Option<Content>> {
    let Decided { approval_id } = params(delivery)?;
    let approval = store::approval::find_many(&cx.db, &Actor::System, &[approval_id])
        .await?
        .into_iter()
        .next();
    Ok(approval.map(|approval| match approval.granted_role {
        Some(role) => Content::Approved { role },
        None => Content::Rejected {
            reason: approval.reason,
        },
    }))
}

/// None once the link would not work any more: a mail with a dead link only confuses.
async fn reset_link(cx: &Context, delivery: &Delivery) -> Result<Option<Content>> {
    let Reset { reset_token_id } = params(delivery)?;
    let stored = store::reset_token::find(&cx.db, reset_token_id)
        .await?
        .filter(|token| token.ended_at.is_none() && token.expires_at > cx.now());
    let token = stored.and_then(|stored| cx.tokens.reset_matching(stored.id, &stored.token_hash));
    Ok(token.map(|token| Content::PasswordReset {
        link: link(&cx.settings.reset_url, token.expose()),
        valid_minutes: password::RESET_LIFE.num_minutes().unsigned_abs(),
    }))
}

/// None once the link would not work any more.
async fn confirmation_link(
    cx: &Context,
    delivery: &Delivery,
    user: &User,
) -> Result<Option<SecretLink>> {
    let Confirmation {
        email_confirmation_id: Some(id),
    } = params(delivery)?
    else {
        return Ok(None);
    };
    if !email_confirmation::may_use_mailed_link(user) {
        return Ok(None);
    }
    let stored = store::email_confirmation::find(&cx.db, id)
        .await?
        .filter(|confirmation| confirmation.is_open(cx.now()));
    let token = stored.and_then(|stored| {
        cx.tokens
            .confirmation_matching(stored.id, &stored.token_hash)
    });
    Ok(token.map(|token| link(&cx.settings.confirm_email_url, token.expose())))
}

/// None once the link would not work any more.
async fn invitation_to(cx: &Context, delivery: &Delivery) -> Result<Option<Content>> {
    let Invited { invitation_id } = params(delivery)?;
    let found = store::invitation::find_many(&cx.db, &Actor::System, &[invitation_id]).await?;
    let Some(invitation) = found.into_iter().next() else {
        return Ok(None);
    };
    let voucher = invitation::find_voucher(&cx.db, &invitation, cx.now()).await?;
    let token = cx
        .tokens
        .invitation_matching(invitation.id, &invitation.token_hash);
    Ok(voucher
        .zip(token)
        .map(|(voucher, token)| Content::Invitation {
            link: link(&cx.settings.invitation_url, token.expose()),
            role: invitation.role,
            invited_by: voucher.display_name(),
            expires_at: invitation.expires_at,
        }))
}

/// After the '#' a token is neither sent to a server nor passed on as a referrer.
fn link(page: &Url, token: &str) -> SecretLink {
    let mut link = page.clone();
    link.set_fragment(Some(&format!("token={token}")));
    SecretLink::new(link)
}

/// None when the recipient may not see the figures any more.
async fn task_report(cx: &Context, delivery: &Delivery, user: &User) -> Result<Option<Content>> {
    if user.status != UserStatus::Active || user.role < Role::Manager {
        return Ok(None);
    }
    let Period { since, until } = params(delivery)?;
    let (created, completed) = store::stats::count_tasks_between(&cx.db, since, until).await?;
    let counts = store::stats::count_tasks(&cx.db, cx.now()).await?;
    let total = |of: fn(&store::stats::TaskCount) -> i64| -> u64 {
        counts.iter().map(of).sum::<i64>().unsigned_abs()
    };
    let with_status = |status: TaskStatus| -> u64 {
        let of_status = counts.iter().filter(|count| count.status == status);
        of_status
            .map(|count| count.count)
            .sum::<i64>()
            .unsigned_abs()
    };
    Ok(Some(Content::TaskReport(TaskReport {
        since,
        until,
        created,
        completed,
        open_pending: with_status(TaskStatus::Pending),
        open_in_progress: with_status(TaskStatus::InProgress),
        overdue: total(|count| count.overdue),
        unassigned: total(|count| count.unassigned),
    })))
}
