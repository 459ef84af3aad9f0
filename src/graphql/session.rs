//! Log-ins and the sessions that they open: the type, the list, and the verbs of
//! `service::session`.

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};

use super::access::{self, auth, public, session};
use super::payload::{UserError, payloads, settle};
use super::types::DateTime;
use super::user::User;
use super::{cookie, muster, request_time};
use crate::actor::{Actor, Viewer};
use crate::entity::session::Model;
use crate::error::{Error, Result};
use crate::service;
use crate::service::session::{LogIn, RefreshToken, Tokens};
use crate::store;

#[derive(Clone)]
pub struct Session {
    actor: Actor,
    row: Model,
}

impl Session {
    pub fn new(actor: Actor, row: Model) -> Self {
        Self { actor, row }
    }
}

/// A log-in that lasts, on one device. People see their own.
#[Object]
impl Session {
    /// Opaque and globally unique: a TypeID such as session_01h455vb4pex5vsknk084sn02q.
    pub async fn id(&self) -> ID {
        self.row.id.to_string().into()
    }

    /// When the user logged in.
    async fn created_at(&self) -> DateTime {
        DateTime(self.row.created_at)
    }

    /// When the session was last refreshed, or else begun.
    async fn last_used_at(&self) -> DateTime {
        DateTime(self.row.last_used_at)
    }

    /// When the session ends unless it is refreshed before.
    async fn expires_at(&self) -> DateTime {
        DateTime(self.row.expires_at)
    }

    /// Where the log-in came from.
    async fn ip_address(&self) -> Option<&str> {
        self.row.ip_address.as_deref()
    }

    /// What the browser or app that logged in called itself.
    async fn user_agent(&self) -> Option<&str> {
        self.row.user_agent.as_deref()
    }

    /// Whether this request belongs to this session.
    async fn is_current(&self) -> bool {
        let current = self.actor.viewer().and_then(Viewer::session_id);
        current == Some(self.row.id)
    }
}

#[derive(Default)]
pub struct SessionQuery;

#[Object]
impl SessionQuery {
    /// The viewer's own sessions, newest first; at most 50. Requires EMPLOYEE.
    #[graphql(directive = auth::apply(access::SESSIONS.into()))]
    async fn sessions(&self, ctx: &Context<'_>) -> Result<Vec<Session>> {
        let actor = access::require(ctx, access::SESSIONS)?;
        let rows = store::session::list(&muster(ctx).db, &actor, request_time(ctx)).await?;
        Ok(rows
            .into_iter()
            .map(|row| Session::new(actor, row))
            .collect())
    }
}

/// Where a client gets its refresh token.
#[derive(Enum, Copy, Clone, PartialEq, Eq, Default)]
enum RefreshTokenPlace {
    /// In the payload. For apps that have a safe place for it.
    #[default]
    Body,
    /// In a cookie `__Host-…; HttpOnly; Secure; SameSite=Strict`, which no script can read; the
    /// payload's `refreshToken` is null. For browsers: `refreshSession` and `logOut` then work by
    /// the cookie alone, from pages of this origin and of those in CORS_ORIGINS, and from no other
    /// site, nor from another origin where CORS_ORIGINS is `*`: a page that could not use it is
    /// refused with NOT_ALLOWED. Send requests with credentials (`credentials: "include"`). The session
    /// that this browser held before ends.
    Cookie,
}

/// How to get in.
#[derive(InputObject)]
struct LogInInput {
    /// Username or e-mail address.
    login: String,
    /// The password, as typed.
    #[graphql(secret)]
    password: String,
    /// A code of the authenticator app, or a recovery code; needed when the answer without it is
    /// SECOND_FACTOR_REQUIRED, and not looked at otherwise. Spaces, dashes and case do not matter.
    /// INVALID_CODE when it is wrong, past or used already.
    #[graphql(secret)]
    code: Option<String>,
    /// Where the refresh token shall be; BODY when absent.
    refresh_token_in: Option<RefreshTokenPlace>,
}

/// The answer to `logIn`.
#[derive(SimpleObject, Default)]
struct LogInPayload {
    /// Send it as `Authorization: Bearer …`. Null when there are userErrors.
    access_token: Option<String>,
    /// When the access token ends; refresh before.
    access_token_expires_at: Option<DateTime>,
    /// Good for one `refreshSession`. Keep it safe. Null when it is in a cookie.
    refresh_token: Option<String>,
    /// Who logged in.
    user: Option<User>,
    /// What is wrong with the form; empty when it worked.
    user_errors: Vec<UserError>,
}

/// What a session is kept going with.
#[derive(InputObject)]
struct RefreshSessionInput {
    /// The refresh token of the last `logIn` or `refreshSession`. Leave it out when it is in a
    /// cookie.
    #[graphql(secret, default)]
    refresh_token: String,
}

/// The answer to `refreshSession`.
#[derive(SimpleObject, Default)]
struct RefreshSessionPayload {
    /// Send it as `Authorization: Bearer …`. Null when there are userErrors.
    access_token: Option<String>,
    /// When the access token ends; refresh before.
    access_token_expires_at: Option<DateTime>,
    /// Takes the place of the one that was sent, which is used up. Null when it is in a cookie.
    refresh_token: Option<String>,
    /// What is wrong with the form; empty when it worked.
    user_errors: Vec<UserError>,
}

/// Which sessions to end.
#[derive(InputObject, Default)]
struct LogOutInput {
    /// End every session of this user, not only this one. A cookie whose token was used already is not
    /// enough for that: without an access token that is good, it ends its own session only.
    everywhere: Option<bool>,
}

/// The answer to `logOut`.
#[derive(SimpleObject, Default)]
struct LogOutPayload {
    /// Whether the session has ended.
    logged_out: bool,
    /// Always empty.
    user_errors: Vec<UserError>,
}

/// Which session to end.
#[derive(InputObject)]
struct RevokeSessionInput {
    /// One of the viewer's own sessions.
    session_id: ID,
}

/// Whose sessions to end.
#[derive(InputObject)]
struct RevokeUserSessionsInput {
    /// Anybody, oneself and other admins included.
    user_id: ID,
}

/// The answer to `revokeUserSessions`.
#[derive(SimpleObject, Default)]
struct RevokeUserSessionsPayload {
    /// The user, who has to log in again; null when there are userErrors.
    user: Option<User>,
    /// What is wrong with the form; empty when it worked.
    user_errors: Vec<UserError>,
}

/// The answer to `revokeSession`.
#[derive(SimpleObject, Default)]
struct RevokeSessionPayload {
    /// The session that has ended; null when there are userErrors.
    session_id: Option<ID>,
    /// What is wrong with the form; empty when it worked.
    user_errors: Vec<UserError>,
}

payloads!(
    LogInPayload,
    RefreshSessionPayload,
    LogOutPayload,
    RevokeSessionPayload,
    RevokeUserSessionsPayload
);

/// The refresh token for the payload, unless the browser keeps it.
fn hand_over(ctx: &Context<'_>, tokens: &Tokens, by_cookie: bool) -> Option<String> {
    if by_cookie {
        cookie::keep(ctx, &tokens.refresh, tokens.expires_at);
        return None;
    }
    Some(tokens.refresh.expose().to_owned())
}

#[derive(Default)]
pub struct SessionMutation;

#[Object]
impl SessionMutation {
    /// Opens a session. INVALID_CREDENTIALS does not tell an unknown login from a wrong password.
    /// SECOND_FACTOR_REQUIRED: the password is right, and no session is open yet; ask for the code
    /// and send all three again. Public.
    #[graphql(directive = public::apply())]
    async fn log_in(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who, and the password.")] input: LogInInput,
    ) -> Option<Result<LogInPayload>> {
        let cx = muster(ctx);
        let by_cookie = input.refresh_token_in == Some(RefreshTokenPlace::Cookie);
        let input = LogIn {
            login: input.login,
            password: input.password,
            code: input.code,
            replaces: cookie::token(ctx).filter(|_| by_cookie).cloned(),
            purpose: service::session::Purpose::Api,
        };
        let can_keep = if by_cookie {
            cookie::check_usable(ctx)
        } else {
            Ok(())
        };
        let answer = match can_keep {
            Ok(()) => {
                let verb = Box::pin(cx.retried(|| service::session::log_in(cx, &input)));
                service::attempt::log_in(cx, &input.login, verb).await
            }
            Err(refusal) => Err(refusal),
        };
        Some(settle(answer, |opened| LogInPayload {
            refresh_token: hand_over(ctx, &opened.tokens, by_cookie),
            access_token: Some(opened.tokens.access.text),
            access_token_expires_at: Some(DateTime(opened.tokens.access.expires_at)),
            user: Some(User::new(Actor::User(opened.viewer), opened.user)),
            user_errors: Vec::new(),
        }))
    }

    /// Exchanges a refresh token for new tokens. Each is good once; one that was used before ends
    /// its session, unless it comes again within 10 seconds while its successor is unused: then
    /// the same successor is given again, since an answer can get lost. INVALID_TOKEN when there is no
    /// token, or its session has ended: log in again. Public.
    #[graphql(directive = public::apply())]
    async fn refresh_session(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The refresh token.")] input: RefreshSessionInput,
    ) -> Option<Result<RefreshSessionPayload>> {
        let cx = muster(ctx);
        let kept = cookie::token(ctx).filter(|_| input.refresh_token.is_empty());
        let presented = kept.map_or(input.refresh_token.as_str(), RefreshToken::expose);
        let verb = Box::pin(cx.retried(|| service::session::refresh(cx, presented)));
        let answer = service::attempt::refresh_session(cx, verb).await;
        Some(settle(answer, |tokens| RefreshSessionPayload {
            refresh_token: hand_over(ctx, &tokens, kept.is_some()),
            access_token: Some(tokens.access.text),
            access_token_expires_at: Some(DateTime(tokens.access.expires_at)),
            user_errors: Vec::new(),
        }))
    }

    /// Ends this session, its access token included. A browser session is ended by its cookie, too,
    /// when the access token is gone or past. A client that keeps its refresh token itself refreshes
    /// first then: else it is UNAUTHENTICATED, and the session lives on. Requires EMPLOYEE.
    #[graphql(directive = auth::apply(access::LOG_OUT.into()), directive = session::apply())]
    async fn log_out(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which sessions to end; this one when absent.")] input: Option<
            LogOutInput,
        >,
    ) -> Option<Result<LogOutPayload>> {
        Some(
            async {
                let everywhere = input.and_then(|input| input.everywhere).unwrap_or(false);
                let cx = muster(ctx);
                let kept = cookie::token(ctx);
                let answer = match (access::require(ctx, access::LOG_OUT), kept) {
                    (Err(Error::Unauthenticated), Some(token)) => {
                        let verb = || service::session::log_out_by_token(cx, token, everywhere);
                        cx.retried(verb).await
                    }
                    (actor, _) => {
                        let actor = actor?;
                        let verb = || service::session::log_out(cx, &actor, kept, everywhere);
                        cx.retried(verb).await
                    }
                };
                if kept.is_some() && matches!(answer, Ok(()) | Err(Error::Unauthenticated)) {
                    cookie::forget(ctx);
                }
                settle(answer, |()| LogOutPayload {
                    logged_out: true,
                    user_errors: Vec::new(),
                })
            }
            .await,
        )
    }

    /// Ends one of the viewer's own sessions, its access token included. Requires EMPLOYEE.
    #[graphql(directive = auth::apply(access::REVOKE_SESSION.into()), directive = session::apply())]
    async fn revoke_session(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which session to end.")] input: RevokeSessionInput,
    ) -> Option<Result<RevokeSessionPayload>> {
        Some(
            async {
                let actor = access::require(ctx, access::REVOKE_SESSION)?;
                let id = input.session_id.parse().ok();
                let cx = muster(ctx);
                let verb = || service::session::revoke(cx, &actor, id);
                let answer = cx.retried(verb).await;
                settle(answer, |id| RevokeSessionPayload {
                    session_id: Some(id.to_string().into()),
                    user_errors: Vec::new(),
                })
            }
            .await,
        )
    }

    /// Ends every session and every API token of a user, as when a device was lost. Requires ADMIN.
    #[graphql(directive = auth::apply(access::REVOKE_USER_SESSIONS.into()))]
    async fn revoke_user_sessions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whose sessions to end.")] input: RevokeUserSessionsInput,
    ) -> Option<Result<RevokeUserSessionsPayload>> {
        Some(
            async {
                let actor = access::require(ctx, access::REVOKE_USER_SESSIONS)?;
                let id = input.user_id.parse().ok();
                let cx = muster(ctx);
                let verb = || service::session::revoke_all_of(cx, &actor, id);
                let answer = cx.retried(verb).await;
                settle(answer, |user| RevokeUserSessionsPayload {
                    user: Some(User::new(actor, user)),
                    user_errors: Vec::new(),
                })
            }
            .await,
        )
    }
}
