//! New passwords: the verbs of `service::password`.

use async_graphql::{Context, InputObject, Object, SimpleObject};

use super::access::{self, auth, public, session};
use super::muster;
use super::payload::{UserError, payloads, settle};
use super::user::User;
use crate::error::Result;
use crate::service;

/// Who forgot their password.
#[derive(InputObject)]
struct RequestPasswordResetInput {
    /// The address of the account.
    email: String,
}

/// The answer to `requestPasswordReset`: the same whether or not the address is known.
#[derive(SimpleObject, Default)]
struct RequestPasswordResetPayload {
    /// Whether the request was taken; a mail follows if somebody here has the address.
    accepted: bool,
    /// What is wrong with the form; empty when it was taken.
    user_errors: Vec<UserError>,
}

/// A new password for the holder of a mailed link.
#[derive(InputObject)]
struct ResetPasswordInput {
    /// The token from the mailed link, after `#token=`.
    #[graphql(secret)]
    token: String,
    /// From `server.passwordMinLength` to 128 characters of any kind, and hard to guess.
    #[graphql(secret)]
    new_password: String,
}

/// The answer to `resetPassword`.
#[derive(SimpleObject, Default)]
struct ResetPasswordPayload {
    /// Whose password was set, as far as the caller may see them; null when there are userErrors.
    user: Option<User>,
    /// What is wrong with the form; empty when it worked.
    user_errors: Vec<UserError>,
}

/// A new password for somebody who knows the current one.
#[derive(InputObject)]
struct ChangePasswordInput {
    /// The password so far. INVALID_CREDENTIALS when it is wrong.
    #[graphql(secret)]
    current_password: String,
    /// From `server.passwordMinLength` to 128 characters of any kind, and hard to guess.
    #[graphql(secret)]
    new_password: String,
}

/// The answer to `changePassword`.
#[derive(SimpleObject, Default)]
struct ChangePasswordPayload {
    /// The viewer; null when there are userErrors.
    user: Option<User>,
    /// What is wrong with the form; empty when it worked.
    user_errors: Vec<UserError>,
}

payloads!(
    RequestPasswordResetPayload,
    ResetPasswordPayload,
    ChangePasswordPayload
);

#[derive(Default)]
pub struct PasswordMutation;

#[Object]
impl PasswordMutation {
    /// Sends a link for a new password, good once and for 30 minutes, if somebody here has the
    /// address. The answer does not tell. Public.
    #[graphql(directive = public::apply())]
    async fn request_password_reset(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Where to send the link.")] input: RequestPasswordResetInput,
    ) -> Option<Result<RequestPasswordResetPayload>> {
        let cx = muster(ctx);
        let verb = Box::pin(cx.retried(|| service::password::request_reset(cx, &input.email)));
        let answer = service::attempt::request_password_reset(cx, &input.email, verb).await;
        Some(settle(answer, |()| RequestPasswordResetPayload {
            accepted: true,
            user_errors: Vec::new(),
        }))
    }

    /// Sets a new password by a mailed link. Ends every session and API token; log in afterwards.
    /// INVALID_TOKEN when the link is no good any more; a password that is refused does not use it up.
    /// Public.
    #[graphql(directive = public::apply())]
    async fn reset_password(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The token, and the new password.")] input: ResetPasswordInput,
    ) -> Option<Result<ResetPasswordPayload>> {
        let cx = muster(ctx);
        let verb = || service::password::reset(cx, &input.token, &input.new_password);
        let answer = service::attempt::reset_password(cx, Box::pin(cx.retried(verb))).await;
        let actor = access::actor(ctx);
        Some(settle(answer, |user| ResetPasswordPayload {
            user: Some(User::new(actor, user)),
            user_errors: Vec::new(),
        }))
    }

    /// Sets a new password. Ends the viewer's other sessions, and a mail tells. Requires EMPLOYEE.
    #[graphql(directive = auth::apply(access::CHANGE_PASSWORD.into()), directive = session::apply())]
    async fn change_password(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The current and the new password.")] input: ChangePasswordInput,
    ) -> Option<Result<ChangePasswordPayload>> {
        Some(
            async {
                let actor = access::require(ctx, access::CHANGE_PASSWORD)?;
                let cx = muster(ctx);
                let verb = Box::pin(cx.retried(|| {
                    service::password::change(
                        cx,
                        &actor,
                        &input.current_password,
                        &input.new_password,
                    )
                }));
                let user_id = actor.signed_in()?.id;
                let answer = service::attempt::prove_password(cx, user_id, verb).await;
                settle(answer, |user| ChangePasswordPayload {
                    user: Some(User::new(actor, user)),
                    user_errors: Vec::new(),
                })
            }
            .await,
        )
    }
}
