//! The links in mails that let their reader do something. A row knows its token by
//! the hash only, so the token is made again from the row's id, by the key that it
//! was made by first.

use serde::Deserialize;
use url::Url;

use super::{Secrets, params};
use crate::actor::Actor;
use crate::entity::delivery::Model as Delivery;
use crate::entity::email_confirmation::Model as EmailConfirmation;
use crate::entity::invitation::Model as Invitation;
use crate::entity::reset_token::Model as StoredToken;
use crate::entity::user::Model as User;
use crate::entity::{EmailConfirmationId, InvitationId, ResetTokenId};
use crate::error::Result;
use crate::mail::{Content, SecretLink};
use crate::service::{Context, email_confirmation, invitation, password};
use crate::store::{self, Tx};

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
struct Invited {
    invitation_id: InvitationId,
}

/// None once the link would not work any more: a mail with a dead link only confuses.
pub(super) async fn reset(
    cx: &Context,
    delivery: &Delivery,
    secrets: Secrets,
) -> Result<Option<Content>> {
    let Reset { reset_token_id } = params(delivery)?;
    let now = cx.now();
    let stored = store::reset_token::find(&cx.db, reset_token_id)
        .await?
        .filter(|token| token.is_open(now));
    let Some(before) = stored else {
        return Ok(None);
    };
    let known = cx.tokens.reset_matching(before.id, &before.token_hash);
    let current = cx.tokens.reset(before.id);
    let after = StoredToken {
        token_hash: current.hash(),
        ..before.clone()
    };
    let renew = async |tx: &Tx| store::reset_token::update_if_open(tx, &before, &after, now).await;
    let token = known_or_renewed(cx, delivery, secrets, known, current, renew).await?;
    Ok(token.map(|token| Content::PasswordReset {
        link: link(&cx.settings.reset_url, token.expose()),
        valid_minutes: password::RESET_LIFE.num_minutes().unsigned_abs(),
    }))
}

/// None once the link would not work any more.
pub(super) async fn confirmation(
    cx: &Context,
    delivery: &Delivery,
    secrets: Secrets,
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
    let now = cx.now();
    let stored = store::email_confirmation::find(&cx.db, id)
        .await?
        .filter(|confirmation| confirmation.is_open(now));
    let Some(before) = stored else {
        return Ok(None);
    };
    let known = cx
        .tokens
        .confirmation_matching(before.id, &before.token_hash);
    let current = cx.tokens.confirmation(before.id);
    let after = EmailConfirmation {
        token_hash: current.hash(),
        ..before.clone()
    };
    let renew =
        async |tx: &Tx| store::email_confirmation::update_if_open(tx, &before, &after, now).await;
    let token = known_or_renewed(cx, delivery, secrets, known, current, renew).await?;
    Ok(token.map(|token| link(&cx.settings.confirm_email_url, token.expose())))
}

/// None once the link would not work any more.
pub(super) async fn invitation(
    cx: &Context,
    delivery: &Delivery,
    secrets: Secrets,
) -> Result<Option<Content>> {
    let Invited { invitation_id } = params(delivery)?;
    let now = cx.now();
    let found = store::invitation::find_many(&cx.db, &Actor::System, &[invitation_id]).await?;
    let Some(before) = found.into_iter().next() else {
        return Ok(None);
    };
    let Some(voucher) = invitation::find_voucher(cx, &cx.db, &before, now).await? else {
        return Ok(None);
    };
    let known = cx.tokens.invitation_matching(before.id, &before.token_hash);
    let current = cx.tokens.invitation(before.id);
    let after = Invitation {
        token_hash: current.hash(),
        ..before.clone()
    };
    let renew = async |tx: &Tx| store::invitation::update_if_open(tx, &before, &after, now).await;
    let token = known_or_renewed(cx, delivery, secrets, known, current, renew).await?;
    Ok(token.map(|token| Content::Invitation {
        link: link(&cx.settings.invitation_url, token.expose()),
        role: before.role,
        invited_by: voucher.display_name(),
        expires_at: before.expires_at,
    }))
}

/// The token that the row knows. Where the signing secret that it was made by is not listed any more,
/// nobody can make it again, and a mail that waited meanwhile would have nothing to say: the row gets
/// the current secret's token in its place, which `renew` writes while the row is open. None when it
/// is not, or when the mail is another worker's by now.
async fn known_or_renewed<T>(
    cx: &Context,
    delivery: &Delivery,
    secrets: Secrets,
    known: Option<T>,
    current: T,
    renew: impl AsyncFnOnce(&Tx) -> Result<bool>,
) -> Result<Option<T>> {
    // Whoever only looks sees no token, and changes nothing.
    if known.is_some() || secrets == Secrets::Hidden {
        return Ok(Some(known.unwrap_or(current)));
    }
    let tx = cx.db.begin().await?;
    let held = store::delivery::find_to_change(&tx, delivery.id)
        .await?
        .is_some_and(|row| row.fence == delivery.fence);
    if !held || !renew(&tx).await? {
        return Ok(None);
    }
    tx.commit().await?;
    tracing::info!(delivery = %delivery.id, kind = ?delivery.kind, "the link of a mail was made anew, since its signing secret is not listed any more");
    Ok(Some(current))
}

/// After the '#' a token is neither sent to a server nor passed on as a referrer.
fn link(page: &Url, token: &str) -> SecretLink {
    let mut link = page.clone();
    link.set_fragment(Some(&format!("token={token}")));
    SecretLink::new(link)
}
