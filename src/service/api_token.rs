//! Tokens for scripts: made by somebody who is logged in and types their password
//! once more, at most as mighty as they are, and gone when they are revoked, expire,
//! or the password is reset. A token is looked up at each request, so nothing of it
//! outlives its row.

mod uses;

pub use uses::Uses;

use chrono::{DateTime, TimeDelta, Utc};

use super::history::record;
use super::input::{Form, Lines};
use super::password::{begin_proven, prove};
use super::{Context, second_factor};
use crate::actor::{Actor, SignedInBy, Viewer};
pub use crate::credential::ApiToken;
use crate::entity::api_token::Model;
use crate::entity::{AccountEventKind, ApiTokenAccess, ApiTokenId, Role};
use crate::error::{Error, Problem, ProblemCode, Result};
use crate::policy;
use crate::store::{self, api_token::Standing};

/// In characters.
const NAME_MAX: usize = 100;
/// At once, of one user.
pub const TOKENS_MAX: u64 = 20;
const LIFE_DEFAULT: TimeDelta = TimeDelta::days(90);
const LIFE_MAX: TimeDelta = TimeDelta::days(366);

#[derive(Clone)]
pub struct CreateApiToken {
    pub name: String,
    pub access: ApiTokenAccess,
    /// As much as its owner may, when None.
    pub role: Option<Role>,
    pub expires_at: Option<DateTime<Utc>>,
    pub current_password: String,
}

/// Makes a token. Its text is in the answer, and nowhere else.
pub async fn create(
    cx: &Context,
    actor: &Actor,
    input: &CreateApiToken,
) -> Result<(ApiToken, Model)> {
    let now = cx.now();
    let mut form = Form::default();
    let name = form.text("name", &input.name, NAME_MAX, Lines::One);
    let expires_at = form.instant("expiresAt", input.expires_at.unwrap_or(now + LIFE_DEFAULT));
    if expires_at <= now || expires_at > now + LIFE_MAX {
        form.problem(
            "expiresAt",
            ProblemCode::Invalid,
            "Choose an instant within the next 366 days.",
        );
    }
    form.check()?;
    let proven = prove(cx, actor, &input.current_password).await?;

    // The owner's row is held, so of several that are made at once each counts the others.
    let (tx, actor, user) = begin_proven(cx, actor, &proven).await?;
    let viewer = actor.signed_in()?;
    let role = input.role.unwrap_or(viewer.role);
    policy::api_token::may_create(&actor, role).map_err(|refusal| refusal.at("role"))?;
    if store::api_token::count_of(&tx, user.id, now).await? >= TOKENS_MAX {
        return Err(Error::refused(
            ProblemCode::NotAllowed,
            format!("There are {TOKENS_MAX} API tokens already. Revoke one that is not needed."),
        ));
    }
    let token = cx.tokens.api_token();
    let row = Model {
        id: ApiTokenId(cx.new_id(now)),
        user_id: user.id,
        name,
        token_hash: token.hash(),
        access: input.access,
        role,
        created_at: now,
        expires_at,
        last_used_at: None,
    };
    store::api_token::insert(&tx, row.clone()).await?;
    let (kind, id) = (AccountEventKind::ApiTokenCreated, Some(user.id));
    record(cx, &tx, kind, id, id, now).await?;
    tx.commit().await?;
    tracing::info!(user = %user.id, api_token = %row.id, "an API token was made");
    Ok((token, row))
}

/// Ends a token: one's own, or anybody's for admins.
pub async fn revoke(cx: &Context, actor: &Actor, id: Option<ApiTokenId>) -> Result<ApiTokenId> {
    let not_found = || Problem::not_found("apiTokenId", "API token");
    let id = id.ok_or_else(not_found)?;
    let now = cx.now();
    let (tx, actor) = cx.begin(actor).await?;
    let token = store::api_token::find_to_change(&tx, &actor, id, now)
        .await?
        .ok_or_else(not_found)?;
    policy::api_token::may_revoke(&actor, &token).map_err(|refusal| refusal.at("apiTokenId"))?;
    store::api_token::delete(&tx, id).await?;
    let kind = AccountEventKind::ApiTokenRevoked;
    record(cx, &tx, kind, Some(token.user_id), actor.user_id(), now).await?;
    tx.commit().await?;
    tracing::info!(user = %token.user_id, api_token = %id, "an API token was revoked");
    Ok(id)
}

/// Who stands behind this token now. An error only when the store cannot tell.
pub async fn authenticate(cx: &Context, token: &ApiToken) -> Result<Actor> {
    let now = cx.now();
    let standing = store::api_token::find_standing(&cx.db, &token.hash()).await?;
    let Some(standing) = standing.filter(|standing| standing.is_good(now)) else {
        return Ok(Actor::Refused);
    };
    uses::note(cx, &standing, now);
    Ok(Actor::User(viewer(cx, &standing)))
}

/// The owner, as far as the token goes.
pub(super) fn viewer(cx: &Context, standing: &Standing) -> Viewer {
    let owner = Viewer {
        id: standing.user_id,
        role: standing.user_role,
        lacks_second_factor: false,
        signed_in_by: SignedInBy::ApiToken {
            id: standing.id,
            access: standing.access,
        },
    };
    // What is asked of the owner is asked of the token, whatever its own role.
    let owner = second_factor::in_force(cx, owner, standing.second_factor_enabled_at.is_some());
    Viewer {
        role: owner.role.min(standing.token_role),
        ..owner
    }
}
