//! What people do about themselves: sign up, and change their profile.

use async_graphql::{Context, InputObject, MaybeUndefined, Object, SimpleObject};

use super::User;
use crate::error::Result;
use crate::graphql::access::{self, auth, public};
use crate::graphql::muster;
use crate::graphql::payload::{UserError, patch, payloads, settle};
use crate::graphql::types::Role;
use crate::service;

/// What a person fills in to join.
#[derive(InputObject)]
struct SignUpInput {
    /// 2 to 40 of ASCII letters, digits, '.', '_' and '-'; unique without regard to case, as is
    /// what it looks like. Reserved names, such as admin and support, are INVALID.
    username: String,
    /// At most 254 characters; unique without regard to case. Some servers take addresses of certain
    /// domains only, and say NOT_ALLOWED to others.
    email: String,
    /// From `server.passwordMinLength` to 128 characters of any kind, and hard to guess.
    #[graphql(secret)]
    password: String,
    /// At most 100 characters.
    first_name: Option<String>,
    /// At most 100 characters.
    last_name: Option<String>,
    /// EMPLOYEE or MANAGER; ADMIN is INVALID. Granted only by an admin's approval. EMPLOYEE when
    /// absent.
    requested_role: Option<Role>,
    /// IANA name, such as Asia/Dhaka; the server's zone when absent.
    time_zone: Option<String>,
}

/// The answer to `signUp`.
#[derive(SimpleObject, Default)]
struct SignUpPayload {
    /// The new user, PENDING until an admin decides; null when there are userErrors.
    user: Option<User>,
    /// What is wrong with the form; empty when it worked.
    user_errors: Vec<UserError>,
}

payloads!(SignUpPayload, UpdateProfilePayload);

#[derive(Default)]
pub struct SignUpMutation;

#[Object]
impl SignUpMutation {
    /// Asks to join. An admin decides; mails tell. Public.
    #[graphql(directive = public::apply())]
    async fn sign_up(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The form.")] input: SignUpInput,
    ) -> Option<Result<SignUpPayload>> {
        let input = service::user::SignUp {
            username: input.username,
            email: input.email,
            password: input.password,
            first_name: input.first_name,
            last_name: input.last_name,
            requested_role: input.requested_role.map(Into::into),
            time_zone: input.time_zone,
        };
        let cx = muster(ctx);
        let verb = Box::pin(cx.retried(|| service::user::sign_up(cx, input.clone())));
        let answer = service::attempt::sign_up(cx, verb).await;
        Some(settle(answer, |user| SignUpPayload {
            user: Some(User::as_viewer(cx, user)),
            ..Default::default()
        }))
    }
}

/// Changes to one's own profile. An absent field stays as it is; null clears it.
#[derive(InputObject)]
struct UpdateProfileInput {
    /// As in `signUp`; cannot be cleared.
    username: MaybeUndefined<String>,
    /// At most 100 characters.
    first_name: MaybeUndefined<String>,
    /// At most 100 characters.
    last_name: MaybeUndefined<String>,
    /// IANA name; null goes back to the server's zone.
    time_zone: MaybeUndefined<String>,
}

/// The answer to `updateProfile`.
#[derive(SimpleObject, Default)]
struct UpdateProfilePayload {
    /// The user as changed; null when there are userErrors.
    user: Option<User>,
    /// What is wrong with the form; empty when it worked.
    user_errors: Vec<UserError>,
}

#[derive(Default)]
pub struct ProfileMutation;

#[Object]
impl ProfileMutation {
    /// Changes one's own username, names and time zone. Requires EMPLOYEE.
    #[graphql(directive = auth::apply(access::UPDATE_PROFILE.into()))]
    async fn update_profile(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The changes.")] input: UpdateProfileInput,
    ) -> Option<Result<UpdateProfilePayload>> {
        Some(
            async {
                let actor = access::require(ctx, access::UPDATE_PROFILE)?;
                let input = service::user::UpdateProfile {
                    username: patch(input.username, |text| text),
                    first_name: patch(input.first_name, |text| text),
                    last_name: patch(input.last_name, |text| text),
                    time_zone: patch(input.time_zone, |text| text),
                };
                let cx = muster(ctx);
                let verb = || service::user::update_profile(cx, &actor, input.clone());
                let answer = cx.retried(verb).await;
                settle(answer, |user| UpdateProfilePayload {
                    user: Some(User::new(actor, user)),
                    ..Default::default()
                })
            }
            .await,
        )
    }
}
