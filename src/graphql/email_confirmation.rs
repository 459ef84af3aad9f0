//! Confirmed addresses: the verbs of `service::email_confirmation`.

use async_graphql::{Context, InputObject, Object, SimpleObject};

use super::access::{self, auth, public};
use super::muster;
use super::payload::{UserError, payloads, settle};
use super::user::User;
use crate::error::Result;
use crate::service;

/// The proof that somebody reads the mails to their address.
#[derive(InputObject)]
struct ConfirmEmailInput {
    /// The token from the mailed link, after `#token=`.
    #[graphql(secret)]
    token: String,
}

/// The answer to `confirmEmail`.
#[derive(SimpleObject, Default)]
struct ConfirmEmailPayload {
    /// Whether the address is confirmed now; false when there are userErrors.
    confirmed: bool,
    /// Whose address it is. Null unless the caller is signed in and may see this user: a link tells
    /// nothing about anybody. Null, too, when there are userErrors.
    user: Option<User>,
    /// What is wrong with the form; empty when it worked.
    user_errors: Vec<UserError>,
}

/// The answer to `requestEmailConfirmation`.
#[derive(SimpleObject, Default)]
struct RequestEmailConfirmationPayload {
    /// Whether a mail follows. False when the address is confirmed already, or when a link was sent
    /// within the last 5 minutes.
    accepted: bool,
    /// What is wrong with the form; empty when it worked.
    user_errors: Vec<UserError>,
}

payloads!(ConfirmEmailPayload, RequestEmailConfirmationPayload);

#[derive(Default)]
pub struct EmailConfirmationMutation;

#[Object]
impl EmailConfirmationMutation {
    /// Confirms an e-mail address by a mailed link, which is good once and for 7 days, and until the
    /// address changes or a newer link is sent; else INVALID_TOKEN. Public.
    #[graphql(directive = public::apply())]
    async fn confirm_email(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The token.")] input: ConfirmEmailInput,
    ) -> Option<Result<ConfirmEmailPayload>> {
        Some(
            async {
                let cx = muster(ctx);
                let verb = || service::email_confirmation::confirm(cx, &input.token);
                let verb = Box::pin(cx.retried(verb));
                let answer = service::attempt::confirm_email(cx, verb).await;
                let mut payload = settle(answer.clone(), |_| ConfirmEmailPayload {
                    confirmed: true,
                    ..Default::default()
                })?;
                if let Ok(id) = answer {
                    let user = User::load(ctx, access::actor(ctx), Some(id)).await;
                    payload.user = user.transpose()?;
                }
                Ok(payload)
            }
            .await,
        )
    }

    /// Sends the viewer a new link for confirming their e-mail address; earlier ones are void then.
    /// Requires EMPLOYEE.
    #[graphql(directive = auth::apply(access::REQUEST_EMAIL_CONFIRMATION.into()))]
    async fn request_email_confirmation(
        &self,
        ctx: &Context<'_>,
    ) -> Option<Result<RequestEmailConfirmationPayload>> {
        Some(
            async {
                let actor = access::require(ctx, access::REQUEST_EMAIL_CONFIRMATION)?;
                let cx = muster(ctx);
                let verb = || service::email_confirmation::request(cx, &actor);
                let answer = cx.retried(verb).await;
                settle(answer, |accepted| RequestEmailConfirmationPayload {
                    accepted,
                    user_errors: Vec::new(),
                })
            }
            .await,
        )
    }
}
