//! Second factors: what is shown of them, and the verbs of
//! `service::second_factor`.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use super::access::{self, auth, session};
use super::payload::{UserError, payloads, settle};
use super::types::DateTime;
use super::user::User;
use super::{loaders, muster};
use crate::actor::Actor;
use crate::entity::UserId;
use crate::entity::user::Model;
use crate::error::Result;
use crate::policy;
use crate::service;
use crate::service::second_factor::{Issued, RecoveryCode};

/// Whether a user proves themselves by more than their password.
#[derive(SimpleObject)]
pub struct SecondFactor {
    /// Whether logging in takes a code besides the password.
    enabled: bool,
    /// Since when it does.
    enabled_at: Option<DateTime>,
    /// How many of the 10 recovery codes are unused; 0 without a second factor.
    recovery_codes_left: i64,
    /// Whether this server asks a second factor of this user. While it does and `enabled` is false,
    /// fields that require more than EMPLOYEE are FORBIDDEN to them: lead them to
    /// `startSecondFactor`. Disabling one has the same effect.
    required: bool,
}

impl SecondFactor {
    pub async fn load(ctx: &Context<'_>, actor: Actor, user: &Model) -> Result<Self> {
        let found = loaders(ctx).second_factor(actor, user.id).await?;
        let of_admins = muster(ctx).settings.admin_second_factor;
        Ok(Self {
            enabled: found.is_some(),
            enabled_at: found.map(|found| DateTime(found.enabled_at)),
            recovery_codes_left: found.map_or(0, |found| found.recovery_codes_left),
            required: policy::second_factor::is_required(user.role, of_admins),
        })
    }
}

/// Who wants a second factor.
#[derive(InputObject)]
struct StartSecondFactorInput {
    /// The viewer's password. INVALID_CREDENTIALS when it is wrong.
    #[graphql(secret)]
    current_password: String,
}

/// The answer to `startSecondFactor`: to be shown once, and kept nowhere but in the app.
#[derive(SimpleObject, Default)]
struct StartSecondFactorPayload {
    /// The secret in base32, for typing into an authenticator app. Null when there are userErrors.
    secret: Option<String>,
    /// The same as `otpauth://totp/…`, for a QR code.
    uri: Option<String>,
    /// What is wrong with the form; empty when it worked.
    user_errors: Vec<UserError>,
}

/// The proof that the app has the secret.
#[derive(InputObject)]
struct ConfirmSecondFactorInput {
    /// The six digits that the app shows now. INVALID_CODE when they are wrong. They are used up by it:
    /// the next log-in takes a later code.
    #[graphql(secret)]
    code: String,
}

/// The answer to `confirmSecondFactor`.
#[derive(SimpleObject, Default)]
struct ConfirmSecondFactorPayload {
    /// Ten codes, each good for one log-in without the app. They are shown this once. Null when
    /// there are userErrors.
    recovery_codes: Option<Vec<String>>,
    /// The viewer.
    user: Option<User>,
    /// What is wrong with the form; empty when it worked.
    user_errors: Vec<UserError>,
}

/// Who wants no second factor any more.
#[derive(InputObject)]
struct DisableSecondFactorInput {
    /// The viewer's password. INVALID_CREDENTIALS when it is wrong.
    #[graphql(secret)]
    current_password: String,
    /// A code of the authenticator app, or a recovery code. INVALID_CODE when it is wrong, past or
    /// used already.
    #[graphql(secret)]
    code: String,
}

/// The answer to `disableSecondFactor`.
#[derive(SimpleObject, Default)]
struct DisableSecondFactorPayload {
    /// The viewer; null when there are userErrors.
    user: Option<User>,
    /// What is wrong with the form; empty when it worked.
    user_errors: Vec<UserError>,
}

/// Who wants new recovery codes.
#[derive(InputObject)]
struct RegenerateRecoveryCodesInput {
    /// The viewer's password. INVALID_CREDENTIALS when it is wrong.
    #[graphql(secret)]
    current_password: String,
    /// A code of the authenticator app, or a recovery code. INVALID_CODE when it is wrong, past or
    /// used already.
    #[graphql(secret)]
    code: String,
}

/// The answer to `regenerateRecoveryCodes`.
#[derive(SimpleObject, Default)]
struct RegenerateRecoveryCodesPayload {
    /// Ten new codes, in the place of all earlier ones. They are shown this once. Null when there
    /// are userErrors.
    recovery_codes: Option<Vec<String>>,
    /// The viewer.
    user: Option<User>,
    /// What is wrong with the form; empty when it worked.
    user_errors: Vec<UserError>,
}

/// Whose second factor to take away.
#[derive(InputObject)]
struct ResetSecondFactorInput {
    /// Somebody who has lost phone and recovery codes.
    user_id: ID,
}

/// The answer to `resetSecondFactor`.
#[derive(SimpleObject, Default)]
struct ResetSecondFactorPayload {
    /// The user, who has no second factor now; null when there are userErrors.
    user: Option<User>,
    /// What is wrong with the form; empty when it worked.
    user_errors: Vec<UserError>,
}

payloads!(
    StartSecondFactorPayload,
    ConfirmSecondFactorPayload,
    DisableSecondFactorPayload,
    RegenerateRecoveryCodesPayload,
    ResetSecondFactorPayload
);

fn exposed(issued: &Issued) -> Vec<String> {
    let codes = issued.recovery_codes.iter();
    codes.map(RecoveryCode::expose).collect()
}

#[derive(Default)]
pub struct SecondFactorMutation;

fn user_id(actor: &Actor) -> Result<UserId> {
    Ok(actor.signed_in()?.id)
}

#[Object]
impl SecondFactorMutation {
    /// Begins to set up an authenticator app (TOTP, RFC 6238: SHA-1, 6 digits, 30 seconds). Nothing
    /// changes until `confirmSecondFactor`, within 15 minutes; starting again makes a new secret.
    /// NOT_ALLOWED while there is a second factor. Requires EMPLOYEE.
    #[graphql(directive = auth::apply(access::START_SECOND_FACTOR.into()), directive = session::apply())]
    async fn start_second_factor(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The current password.")] input: StartSecondFactorInput,
    ) -> Option<Result<StartSecondFactorPayload>> {
        Some(
            async {
                let actor = access::require(ctx, access::START_SECOND_FACTOR)?;
                let cx = muster(ctx);
                let verb = || service::second_factor::start(cx, &actor, &input.current_password);
                let verb = Box::pin(cx.retried(verb));
                let answer = service::attempt::prove_password(cx, user_id(&actor)?, verb).await;
                settle(answer, |started| StartSecondFactorPayload {
                    secret: Some(started.secret.base32()),
                    uri: Some(started.uri),
                    user_errors: Vec::new(),
                })
            }
            .await,
        )
    }

    /// Enables the second factor that was started, by a first code of the app. Ends the viewer's
    /// other sessions and all their API tokens, takes back the invitations that they sent, and a mail
    /// tells. INVALID_CODE when the code is wrong; NOT_ALLOWED when nothing waits to be confirmed, or
    /// no longer: start again. Requires EMPLOYEE.
    #[graphql(directive = auth::apply(access::CONFIRM_SECOND_FACTOR.into()), directive = session::apply())]
    async fn confirm_second_factor(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The code.")] input: ConfirmSecondFactorInput,
    ) -> Option<Result<ConfirmSecondFactorPayload>> {
        Some(
            async {
                let actor = access::require(ctx, access::CONFIRM_SECOND_FACTOR)?;
                let cx = muster(ctx);
                let verb = || service::second_factor::confirm(cx, &actor, &input.code);
                let verb = Box::pin(cx.retried(verb));
                let answer = service::attempt::prove_new_code(cx, user_id(&actor)?, verb).await;
                settle(answer, |issued| ConfirmSecondFactorPayload {
                    recovery_codes: Some(exposed(&issued)),
                    // Whose role waited for this sees the answer with it.
                    user: Some(User::new(actor.with_role_of(&issued.user), issued.user)),
                    user_errors: Vec::new(),
                })
            }
            .await,
        )
    }

    /// Goes back to the password alone; recovery codes are void then. For a new phone, disable it and
    /// set it up again; where the server asks a second factor of the viewer, they may do what an
    /// employee may meanwhile. NOT_ALLOWED without a second factor. A mail tells. Requires EMPLOYEE.
    #[graphql(directive = auth::apply(access::DISABLE_SECOND_FACTOR.into()), directive = session::apply())]
    async fn disable_second_factor(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The current password, and a code.")] input: DisableSecondFactorInput,
    ) -> Option<Result<DisableSecondFactorPayload>> {
        Some(
            async {
                let actor = access::require(ctx, access::DISABLE_SECOND_FACTOR)?;
                let cx = muster(ctx);
                let verb = || {
                    service::second_factor::disable(
                        cx,
                        &actor,
                        &input.current_password,
                        &input.code,
                    )
                };
                let verb = Box::pin(cx.retried(verb));
                let answer =
                    service::attempt::prove_both(cx, user_id(&actor)?, &input.code, verb).await;
                settle(answer, |(user, viewer)| DisableSecondFactorPayload {
                    // Whose role waits for another one sees the answer without it.
                    user: Some(User::new(Actor::User(viewer), user)),
                    user_errors: Vec::new(),
                })
            }
            .await,
        )
    }

    /// Makes ten new recovery codes; the earlier ones are void. NOT_ALLOWED without a second factor.
    /// A mail tells. Requires EMPLOYEE.
    #[graphql(directive = auth::apply(access::REGENERATE_RECOVERY_CODES.into()), directive = session::apply())]
    async fn regenerate_recovery_codes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The current password, and a code.")] input: RegenerateRecoveryCodesInput,
    ) -> Option<Result<RegenerateRecoveryCodesPayload>> {
        Some(
            async {
                let actor = access::require(ctx, access::REGENERATE_RECOVERY_CODES)?;
                let cx = muster(ctx);
                let verb = || {
                    service::second_factor::regenerate_recovery_codes(
                        cx,
                        &actor,
                        &input.current_password,
                        &input.code,
                    )
                };
                let verb = Box::pin(cx.retried(verb));
                let answer =
                    service::attempt::prove_both(cx, user_id(&actor)?, &input.code, verb).await;
                settle(answer, |issued| RegenerateRecoveryCodesPayload {
                    recovery_codes: Some(exposed(&issued)),
                    user: Some(User::new(actor, issued.user)),
                    user_errors: Vec::new(),
                })
            }
            .await,
        )
    }

    /// Takes the second factor of somebody away who has lost phone and recovery codes. Not one's own
    /// and not another admin's, whose role has to be set to something less first: NOT_ALLOWED. Ends
    /// all their sessions and API tokens, and a mail tells them. Requires ADMIN.
    #[graphql(directive = auth::apply(access::RESET_SECOND_FACTOR.into()))]
    async fn reset_second_factor(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whose.")] input: ResetSecondFactorInput,
    ) -> Option<Result<ResetSecondFactorPayload>> {
        Some(
            async {
                let actor = access::require(ctx, access::RESET_SECOND_FACTOR)?;
                let id = input.user_id.parse().ok();
                let cx = muster(ctx);
                let verb = || service::second_factor::reset(cx, &actor, id);
                let answer = cx.retried(verb).await;
                settle(answer, |user| ResetSecondFactorPayload {
                    user: Some(User::new(actor, user)),
                    user_errors: Vec::new(),
                })
            }
            .await,
        )
    }
}
