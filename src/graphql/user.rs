//! People: the type, the lists, and the verbs of `service::user`.

use std::sync::Arc;

use async_graphql::{
    Context, Enum, ID, InputObject, MaybeUndefined, Object, SimpleObject,
};

use super::access::{self, auth, public};
use super::connection::connection;
use super::page::{ListId, PageArguments};
use super::payload::{UserError, patch, payloads, settle};
use super::task::{TaskConnection, TaskFilter, TaskOrder, tasks_of};
use super::types::{DateTime, OrderDirection, Role, UserStatus};
use super::{loaders, muster};
use crate::actor::{Actor, Viewer};
use crate::entity::UserId;
use crate::entity::user::Model;
use crate::error::{Error, Result};
use crate::policy;
use crate::service;
use crate::store::{self, Position, SortKey};

/// A person, from the moment they sign up. Employees see themselves and everyone who was let in;
/// managers and admins see everyone.
#[derive(Clone)]
pub struct User {
    actor: Actor,
    row: Arc<Model>,
}

impl User {
    pub fn new(actor: Actor, row: impl Into<Arc<Model>>) -> Self {
        Self {
            actor,
            row: row.into(),
        }
    }

    /// The user as seen by themselves, in the payloads of `signUp` and `logIn`.
    pub fn as_viewer(row: Model) -> Self {
        let viewer = Viewer {
            id: row.id,
            role: row.role,
            session_id: None,
        };
        Self::new(Actor::User(viewer), row)
    }

    /// The user that an object refers to, if the actor may see them.
    pub async fn load(
        ctx: &Context<'_>,
        actor: Actor,
        id: Option<UserId>,
    ) -> Option<Result<Self>> {
        let found = loaders(ctx).user(actor, id?).await;
        found.map(|row| row.map(|row| Self::new(actor, row))).transpose()
    }
}

#[Object]
impl User {
    /// Opaque and globally unique: a TypeID such as user_01h455vb4pex5vsknk084sn02q.
    pub async fn id(&self) -> ID {
        self.row.id.to_string().into()
    }

    /// The name to log in with, as the user spelled it. Compared without regard to case.
    async fn username(&self) -> &str {
        &self.row.username
    }

    /// The address that mails go to. Null unless the viewer is this user, a manager or an admin.
    async fn email(&self) -> Option<&str> {
        policy::user::may_see_contact(&self.actor, &self.row).then_some(self.row.email.as_str())
    }

    /// The given name, if the user told one.
    async fn first_name(&self) -> Option<&str> {
        self.row.first_name.as_deref()
    }

    /// The family name, if the user told one.
    async fn last_name(&self) -> Option<&str> {
        self.row.last_name.as_deref()
    }

    /// First and last name where there are any, else the username: what to show for this person.
    async fn display_name(&self) -> String {
        self.row.display_name()
    }

    /// What this user may do. EMPLOYEE until an admin granted more.
    async fn role(&self) -> Role {
        self.row.role.into()
    }

    /// Where this user stands. Only ACTIVE users can log in.
    async fn status(&self) -> UserStatus {
        self.row.status.into()
    }

    /// IANA name, such as Asia/Dhaka; reminders are sent by this clock.
    async fn time_zone(&self) -> &str {
        &self.row.time_zone
    }

    /// When this user signed up.
    async fn created_at(&self) -> DateTime {
        DateTime(self.row.created_at)
    }

    /// When name, address, role or status last changed.
    async fn updated_at(&self) -> DateTime {
        DateTime(self.row.updated_at)
    }

    /// Tasks assigned to this user, newest first unless orderBy says otherwise. Null unless the
    /// viewer is this user, a manager or an admin.
    #[allow(clippy::too_many_arguments, reason = "each is an argument of the field")]
    async fn tasks(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which of the tasks; all of them when absent.")] filter: Option<TaskFilter>,
        #[graphql(desc = "In which order; newest first when absent.")] order_by: Option<TaskOrder>,
        #[graphql(desc = "How many rows from the beginning, 0 to 100; 20 when neither first nor last is given.")]
        first: Option<i32>,
        #[graphql(desc = "Only rows after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many rows from the end, 0 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only rows before this cursor.")] before: Option<String>,
    ) -> Option<Result<TaskConnection>> {
        if !policy::user::may_see_contact(&self.actor, &self.row) {
            return None;
        }
        let page = PageArguments { first, after, last, before };
        Some(tasks_of(ctx, self.actor, self.row.id, filter, order_by, page).await)
    }

    /// Whether `updateUser` would be allowed now; which of its fields, its description says.
    async fn viewer_can_update(&self) -> bool {
        policy::user::may_update(&self.actor, &self.row).is_ok()
    }

    /// Whether `setUserRole` would be allowed now.
    async fn viewer_can_set_role(&self) -> bool {
        policy::user::may_set_role(&self.actor, &self.row).is_ok()
    }

    /// Whether `deleteUser` would be allowed now.
    async fn viewer_can_delete(&self) -> bool {
        policy::user::may_delete(&self.actor, &self.row).is_ok()
    }
}

/// Which users a list is about. Fields are joined by AND; null is as good as absent.
#[derive(InputObject, Default)]
pub struct UserFilter {
    /// Users of any of these roles; an empty list matches nothing.
    role: Option<Vec<Role>>,
    /// Users of any of these statuses; an empty list matches nothing.
    status: Option<Vec<UserStatus>>,
    /// Match on username, e-mail and names: every word must begin a word of them, without regard
    /// to case and accents.
    search: Option<String>,
}

/// What users can be sorted by.
#[derive(Enum, Copy, Clone, PartialEq, Eq)]
#[graphql(remote = "store::user::UserOrderField")]
pub enum UserOrderField {
    /// When they signed up.
    CreatedAt,
    /// Alphabetically, without regard to case.
    Username,
}

/// How a list of users is sorted; ties are broken by id in the same direction.
#[derive(InputObject)]
pub struct UserOrder {
    /// What to sort by.
    field: UserOrderField,
    /// Which end comes first.
    direction: OrderDirection,
}

pub struct UserList {
    id: ListId,
    filter: store::user::UserFilter,
    order: store::user::UserOrder,
}

impl UserList {
    fn new(filter: UserFilter, order: Option<UserOrder>) -> Self {
        let filter = store::user::UserFilter {
            role: filter.role.map(|roles| roles.into_iter().map(Into::into).collect()),
            status: filter
                .status
                .map(|statuses| statuses.into_iter().map(Into::into).collect()),
            search: super::task::search_text(filter.search),
        };
        let order = store::user::UserOrder {
            field: order
                .as_ref()
                .map_or(store::user::UserOrderField::CreatedAt, |order| order.field.into()),
            descending: order.is_none_or(|order| order.direction == OrderDirection::Desc),
        };
        Self {
            id: ListId::new("users", &filter, &order),
            filter,
            order,
        }
    }

    fn id(&self) -> ListId {
        self.id
    }

    fn position(&self, row: &Model) -> Position {
        Position {
            id: row.id.0,
            key: match self.order.field {
                store::user::UserOrderField::CreatedAt => SortKey::Instant(row.created_at),
                store::user::UserOrderField::Username => SortKey::Text(row.username_key.clone()),
            },
        }
    }

    async fn count(&self, ctx: &Context<'_>, actor: Actor) -> Result<u64> {
        store::user::count(&muster(ctx).db, &actor, &self.filter).await
    }
}

connection!(UserConnection, UserEdge, User, Model, UserList);

#[derive(Default)]
pub struct ViewerQuery;

#[Object]
impl ViewerQuery {
    /// Who is signed in. Null when nobody is; UNAUTHENTICATED when the access token that was sent
    /// is malformed, expired or revoked. Public.
    #[graphql(directive = public::apply())]
    async fn viewer(&self, ctx: &Context<'_>) -> Option<Result<User>> {
        let actor = access::actor(ctx);
        match actor {
            Actor::Anonymous | Actor::System => None,
            Actor::Refused => Some(Err(Error::Unauthenticated)),
            Actor::User(viewer) => User::load(ctx, actor, Some(viewer.id)).await,
        }
    }
}

#[derive(Default)]
pub struct UserQuery;

#[Object]
impl UserQuery {
    /// A user by id. Null when there is no such user or the viewer may not see them. Requires
    /// EMPLOYEE.
    #[graphql(directive = auth::apply(access::USER.into()))]
    async fn user(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The user's global id.")] id: ID,
    ) -> Option<Result<User>> {
        match access::require(ctx, access::USER) {
            Ok(actor) => User::load(ctx, actor, id.parse().ok()).await,
            Err(error) => Some(Err(error)),
        }
    }

    /// All users, newest first unless orderBy says otherwise. Requires MANAGER.
    #[graphql(directive = auth::apply(access::USERS.into()))]
    #[allow(clippy::too_many_arguments, reason = "each is an argument of the field")]
    async fn users(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which of the users; all of them when absent.")] filter: Option<UserFilter>,
        #[graphql(desc = "In which order; newest first when absent.")] order_by: Option<UserOrder>,
        #[graphql(desc = "How many rows from the beginning, 0 to 100; 20 when neither first nor last is given.")]
        first: Option<i32>,
        #[graphql(desc = "Only rows after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many rows from the end, 0 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only rows before this cursor.")] before: Option<String>,
    ) -> Result<UserConnection> {
        let actor = access::require(ctx, access::USERS)?;
        let list = UserList::new(filter.unwrap_or_default(), order_by);
        let window = PageArguments { first, after, last, before }.window(list.id)?;
        let page =
            store::user::list(&muster(ctx).db, &actor, &list.filter, list.order, &window).await?;
        Ok(UserConnection::new(actor, Arc::new(page), list))
    }
}

/// What a person fills in to join.
#[derive(InputObject)]
struct SignUpInput {
    /// 2 to 40 of ASCII letters, digits, '.', '_' and '-'; unique without regard to case, as is
    /// what it looks like.
    username: String,
    /// At most 254 characters; unique without regard to case.
    email: String,
    /// From `server.passwordMinLength` to 128 characters of any kind, and hard to guess.
    #[graphql(secret)]
    password: String,
    /// At most 100 characters.
    first_name: Option<String>,
    /// At most 100 characters.
    last_name: Option<String>,
    /// EMPLOYEE or MANAGER; granted only by an admin's approval. EMPLOYEE when absent.
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
        let answer = service::user::sign_up(muster(ctx), input).await;
        Some(settle(answer, |user| SignUpPayload {
            user: Some(User::as_viewer(user)),
            ..Default::default()
        }))
    }
}

/// Changes to one's own profile. An absent field stays as it is; null clears it.
#[derive(InputObject)]
struct UpdateProfileInput {
    /// 2 to 40 of ASCII letters, digits, '.', '_' and '-'; cannot be cleared.
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
                let answer = service::user::update_profile(muster(ctx), &actor, input).await;
                settle(answer, |user| UpdateProfilePayload {
                    user: Some(User::new(actor, user)),
                    ..Default::default()
                })
            }
            .await,
        )
    }
}

/// Changes to somebody else. An absent field stays as it is; null clears it.
#[derive(InputObject)]
struct UpdateUserInput {
    /// Whom to change.
    user_id: ID,
    /// 2 to 40 of ASCII letters, digits, '.', '_' and '-'; cannot be cleared. Admins only.
    username: MaybeUndefined<String>,
    /// At most 254 characters; cannot be cleared. Admins only.
    email: MaybeUndefined<String>,
    /// At most 100 characters.
    first_name: MaybeUndefined<String>,
    /// At most 100 characters.
    last_name: MaybeUndefined<String>,
    /// Moves between ACTIVE and DEACTIVATED; NOT_ALLOWED for others. Open tasks stay assigned.
    active: MaybeUndefined<bool>,
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

payloads!(
    SignUpPayload,
    UpdateProfilePayload,
    UpdateUserPayload,
    SetUserRolePayload,
    DeleteUserPayload,
);

#[derive(Default)]
pub struct UserMutation;

#[Object]
impl UserMutation {
    /// Changes somebody. Admins: everyone but other admins, and themselves but for active.
    /// Managers: employees, and of them firstName, lastName and active only. Else NOT_ALLOWED.
    /// Deactivation ends all sessions at once. Requires MANAGER.
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
                };
                let answer = service::user::update(muster(ctx), &actor, input).await;
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
                let answer = service::user::set_role(muster(ctx), &actor, id, role).await;
                settle(answer, |user| SetUserRolePayload {
                    user: Some(User::new(actor, user)),
                    ..Default::default()
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
                let answer = service::user::delete(muster(ctx), &actor, id).await;
                settle(answer, |id| DeleteUserPayload {
                    deleted_user_id: Some(id.to_string().into()),
                    ..Default::default()
                })
            }
            .await,
        )
    }
}
