//! Tokens for scripts: the type, the list, and the verbs of `service::api_token`.

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};

use super::access::{self, auth, session};
use super::payload::{UserError, payloads, settle};
use super::types::{DateTime, Role};
use super::user::User;
use super::{muster, request_time};
use crate::actor::Actor;
use crate::entity;
use crate::entity::api_token::Model;
use crate::error::Result;
use crate::service;
use crate::service::api_token::CreateApiToken;
use crate::store;

/// How far an API token goes.
#[derive(Enum, Copy, Clone, PartialEq, Eq, Debug)]
#[graphql(remote = "entity::ApiTokenAccess")]
pub enum ApiTokenAccess {
    /// Queries only.
    Read,
    /// Queries and mutations, except those marked with @session. NOT_ALLOWED, too: making anybody an
    /// admin by `setUserRole`, `approveUser` or `inviteUser`, and changing its owner's own username or
    /// e-mail address by `updateProfile` or `updateUser`.
    Full,
}

#[derive(Clone)]
pub struct ApiToken {
    actor: Actor,
    row: Model,
}

impl ApiToken {
    pub fn new(actor: Actor, row: Model) -> Self {
        Self { actor, row }
    }
}

/// What a script proves itself with: it acts as its owner, as far as `access` and `role` go. It ends
/// when it is revoked or expires, when its owner resets their password, sets up a second factor by
/// `confirmSecondFactor`, is deactivated or deleted, and when an admin ends all their sessions by
/// `revokeUserSessions` or takes their second factor away by `resetSecondFactor`. Its owner and admins
/// see it.
#[Object]
impl ApiToken {
    /// Opaque and globally unique: a TypeID such as api_token_01h455vb4pex5vsknk084sn02q.
    pub async fn id(&self) -> ID {
        self.row.id.to_string().into()
    }

    /// What its owner calls it.
    async fn name(&self) -> &str {
        &self.row.name
    }

    /// Whether it may only read.
    async fn access(&self) -> ApiTokenAccess {
        self.row.access.into()
    }

    /// What it may do at most. Where its owner may do less by now, so may the token.
    async fn role(&self) -> Role {
        self.row.role.into()
    }

    /// Whose it is.
    async fn user(&self, ctx: &Context<'_>) -> Option<Result<User>> {
        User::load(ctx, self.actor, Some(self.row.user_id)).await
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime {
        DateTime(self.row.created_at)
    }

    /// When it ends by itself.
    async fn expires_at(&self) -> DateTime {
        DateTime(self.row.expires_at)
    }

    /// When it was last used, to the minute; null when it never was.
    async fn last_used_at(&self) -> Option<DateTime> {
        self.row.last_used_at.map(DateTime)
    }
}

#[derive(Default)]
pub struct ApiTokenQuery;

#[Object]
impl ApiTokenQuery {
    /// The viewer's API tokens, newest first; at most 20. Admins can see those of others. Requires
    /// EMPLOYEE.
    #[graphql(directive = auth::apply(access::API_TOKENS.into()))]
    async fn api_tokens(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "Whose tokens; the viewer's when absent. Of others, only admins see any."
        )]
        user_id: Option<ID>,
    ) -> Result<Vec<ApiToken>> {
        let actor = access::require(ctx, access::API_TOKENS)?;
        let owner = match user_id {
            Some(id) => id.parse().ok(),
            None => actor.user_id(),
        };
        let Some(owner) = owner else {
            return Ok(Vec::new());
        };
        let now = request_time(ctx);
        let rows = store::api_token::list(&muster(ctx).db, &actor, owner, now).await?;
        Ok(rows
            .into_iter()
            .map(|row| ApiToken::new(actor, row))
            .collect())
    }
}

/// What a new token shall be good for.
#[derive(InputObject)]
struct CreateApiTokenInput {
    /// What to call it; at most 100 characters.
    name: String,
    /// Whether it may only read.
    access: ApiTokenAccess,
    /// What it may do at most; as much as the viewer may when absent. NOT_ALLOWED for more.
    role: Option<Role>,
    /// When it ends: within 366 days; 90 days from now when absent.
    expires_at: Option<DateTime>,
    /// The viewer's password, once more. INVALID_CREDENTIALS when it is wrong.
    #[graphql(secret)]
    current_password: String,
}

/// The answer to `createApiToken`.
#[derive(SimpleObject, Default)]
struct CreateApiTokenPayload {
    /// The token as it is listed; null when there are userErrors.
    api_token: Option<ApiToken>,
    /// Send it as `Authorization: Bearer muster_…`. It is shown this once; null when there are
    /// userErrors.
    token: Option<String>,
    /// What is wrong with the form; empty when it worked.
    user_errors: Vec<UserError>,
}

/// Which token to end.
#[derive(InputObject)]
struct RevokeApiTokenInput {
    /// One of the viewer's own tokens; anybody's for admins.
    api_token_id: ID,
}

/// The answer to `revokeApiToken`.
#[derive(SimpleObject, Default)]
struct RevokeApiTokenPayload {
    /// The token that has ended; null when there are userErrors.
    api_token_id: Option<ID>,
    /// What is wrong with the form; empty when it worked.
    user_errors: Vec<UserError>,
}

payloads!(CreateApiTokenPayload, RevokeApiTokenPayload);

#[derive(Default)]
pub struct ApiTokenMutation;

#[Object]
impl ApiTokenMutation {
    /// Makes a token for a script. NOT_ALLOWED when there are 20 already. Requires EMPLOYEE.
    #[graphql(
        directive = auth::apply(access::CREATE_API_TOKEN.into()),
        directive = session::apply()
    )]
    async fn create_api_token(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What it shall be good for.")] input: CreateApiTokenInput,
    ) -> Option<Result<CreateApiTokenPayload>> {
        Some(
            async {
                let actor = access::require(ctx, access::CREATE_API_TOKEN)?;
                let input = CreateApiToken {
                    name: input.name,
                    access: input.access.into(),
                    role: input.role.map(Into::into),
                    expires_at: input.expires_at.map(|instant| instant.0),
                    current_password: input.current_password,
                };
                let cx = muster(ctx);
                let verb = || service::api_token::create(cx, &actor, &input);
                let user_id = actor.signed_in()?.id;
                let verb = Box::pin(cx.retried(verb));
                let answer = service::attempt::prove_password(cx, user_id, verb).await;
                settle(answer, |(token, row)| CreateApiTokenPayload {
                    api_token: Some(ApiToken::new(actor, row)),
                    token: Some(token.expose().to_owned()),
                    user_errors: Vec::new(),
                })
            }
            .await,
        )
    }

    /// Ends a token at once, everywhere. Requires EMPLOYEE.
    #[graphql(directive = auth::apply(access::REVOKE_API_TOKEN.into()))]
    async fn revoke_api_token(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which token to end.")] input: RevokeApiTokenInput,
    ) -> Option<Result<RevokeApiTokenPayload>> {
        Some(
            async {
                let actor = access::require(ctx, access::REVOKE_API_TOKEN)?;
                let id = input.api_token_id.parse().ok();
                let cx = muster(ctx);
                let verb = || service::api_token::revoke(cx, &actor, id);
                let answer = cx.retried(verb).await;
                settle(answer, |id| RevokeApiTokenPayload {
                    api_token_id: Some(id.to_string().into()),
                    user_errors: Vec::new(),
                })
            }
            .await,
        )
    }
}
