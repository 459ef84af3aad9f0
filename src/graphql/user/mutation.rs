//! What admins and managers do to others.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, SimpleObject};

use super::User;
use crate::error::Result;
use crate::graphql::access::{self, auth};
use crate::graphql::muster;
use crate::graphql::payload::{UserError, patch, payloads, settle};
use crate::graphql::types::Role;
use crate::service;

/// Changes to a user, for admins also to themselves. An absent field stays as it is; null clears it,
/// or is BLANK where it cannot be cleared.
#[derive(InputObject)]
struct UpdateUserInput {
    /// Whom to change.
    user_id: ID,
    /// As in `signUp`; cannot be cleared. Admins only.
    username: MaybeUndefined<String>,
    /// At most 254 characters; cannot be cleared. Admins only; one's own takes currentPassword.
    email: MaybeUndefined<String>,
    /// At most 100 characters.
    first_name: MaybeUndefined<String>,
    /// At most 100 characters.
    last_name: MaybeUndefined<String>,
    /// Moves between ACTIVE and DEACTIVATED; NOT_ALLOWED for users of another status, and for oneself.
    /// Cannot be cleared. Open tasks stay assigned.
    active: MaybeUndefined<bool>,
    /// The viewer's own password, needed to change the viewer's own email: BLANK when absent then,
    /// INVALID_CREDENTIALS when wrong. Looked at when email is there and it is the viewer's own.
    #[graphql(secret)]
    current_password: Option<String>,
}

/// The answer to `updateUser`.
#[derive(SimpleObject, Default)]
struct UpdateUserPayload {
    /// The user as changed; null when there are userErrors.
    user: Option<User>,
    /// What is wrong with the form; empty when it worked.
    user_errors: Vec<UserError>,
}

/// Which role to give to whom.
#[derive(InputObject)]
struct SetUserRoleInput {
    /// Whose role to set.
    user_id: ID,
    /// The new role.
    role: Role,
}

/// The answer to `setUserRole`.
#[derive(SimpleObject, Default)]
struct SetUserRolePayload {
    /// The user as changed; null when there are userErrors.
    user: Option<User>,
    /// What is wrong with the form; empty when it worked.
    user_errors: Vec<UserError>,
}

/// Whom to delete.
#[derive(InputObject)]
struct DeleteUserInput {
    /// Whom to delete.
    user_id: ID,
}

/// The answer to `deleteUser`.
#[derive(SimpleObject, Default)]
struct DeleteUserPayload {
    /// The id of the user who is no more, for evicting from caches; null when there are userErrors.
    deleted_user_id: Option<ID>,
    /// What is wrong with the form; empty when it worked.
    user_errors: Vec<UserError>,
}

payloads!(UpdateUserPayload, SetUserRolePayload, DeleteUserPayload);

#[derive(Default)]
pub struct UserMutation;

#[Object]
impl UserMutation {
    /// Changes somebody. Admins: everyone but other admins, and themselves but for active.
    /// Managers: employees, and of them firstName, lastName and active only. Else NOT_ALLOWED.
    /// One's own email takes one's password. Deactivation ends all sessions and API tokens at once.
    /// Requires MANAGER.
    #[graphql(directive = auth::apply(access::UPDATE_USER.into()))]
    async fn update_user(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whom to change, and the changes.")] input: UpdateUserInput,
    ) -> Option<Result<UpdateUserPayload>> {
        Some(
            async {
                let actor = access::require(ctx, access::UPDATE_USER)?;
                let input = service::user::UpdateUser {
                    user_id: input.user_id.parse().ok(),
                    username: patch(input.username, |text| text),
                    email: patch(input.email, |text| text),
                    first_name: patch(input.first_name, |text| text),
                    last_name: patch(input.last_name, |text| text),
                    active: patch(input.active, |active| active),
                    current_password: input.current_password,
                };
                let cx = muster(ctx);
                let verb = || service::user::update(cx, &actor, input.clone());
                let verb = Box::pin(cx.retried(verb));
                let answer = match (input.proof(&actor), actor.user_id()) {
                    (Some(_), Some(id)) => service::attempt::prove_password(cx, id, verb).await,
                    _ => verb.await,
                };
                settle(answer, |user| UpdateUserPayload {
                    user: Some(User::new(actor, user)),
                    ..Default::default()
                })
            }
            .await,
        )
    }

    /// Sets a role. For ACTIVE users; NOT_ALLOWED for others. LAST_ADMIN when no active admin
    /// would be left. Takes effect by the user's next request. Requires ADMIN.
    #[graphql(directive = auth::apply(access::SET_USER_ROLE.into()))]
    async fn set_user_role(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whose role to set, and to what.")] input: SetUserRoleInput,
    ) -> Option<Result<SetUserRolePayload>> {
        Some(
            async {
                let actor = access::require(ctx, access::SET_USER_ROLE)?;
                let id = input.user_id.parse().ok();
                let role = input.role.into();
                let cx = muster(ctx);
                let verb = || service::user::set_role(cx, &actor, id, role);
                let answer = cx.retried(verb).await;
                settle(answer, |user| {
                    // Whoever changed their own role sees the answer with the new one.
                    let actor = actor.with_role_of(&user);
                    SetUserRolePayload {
                        user: Some(User::new(actor, user)),
                        ..Default::default()
                    }
                })
            }
            .await,
        )
    }

    /// Deletes somebody for good. Not oneself and not another admin; the user's tasks stay,
    /// unassigned. Requires ADMIN.
    #[graphql(directive = auth::apply(access::DELETE_USER.into()))]
    async fn delete_user(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whom to delete.")] input: DeleteUserInput,
    ) -> Option<Result<DeleteUserPayload>> {
        Some(
            async {
                let actor = access::require(ctx, access::DELETE_USER)?;
                let id = input.user_id.parse().ok();
                let cx = muster(ctx);
                let verb = || service::user::delete(cx, &actor, id);
                let answer = cx.retried(verb).await;
                settle(answer, |id| DeleteUserPayload {
                    deleted_user_id: Some(id.to_string().into()),
                    ..Default::default()
                })
            }
            .await,
        )
    }
}
