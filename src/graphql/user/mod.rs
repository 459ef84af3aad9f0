//! People: the type here, lists, queries and the verbs of `service::user` beside
//! it.

mod list;
mod mutation;
mod profile;
mod query;

pub use mutation::UserMutation;
pub use profile::{ProfileMutation, SignUpMutation};
pub use query::{UserQuery, ViewerQuery};

use std::sync::Arc;

use async_graphql::{Context, ID, Object};

use super::access;
use super::loaders;
use super::page::PageArguments;
use super::second_factor::SecondFactor;
use super::task::{TaskConnection, TaskFilter, TaskOrder, tasks_of};
use super::types::{DateTime, Role, UserStatus};
use crate::actor::Actor;
use crate::entity::UserId;
use crate::entity::user::Model;
use crate::error::Result;
use crate::policy;
use crate::service;

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

    /// A newcomer as seen by themselves, in the payloads of `signUp` and `acceptInvitation`.
    pub fn as_viewer(cx: &service::Context, row: Model) -> Self {
        let viewer = service::newcomer::viewer(cx, &row);
        Self::new(Actor::User(viewer), row)
    }

    /// The user that an object refers to, if the actor may see them.
    pub async fn load(ctx: &Context<'_>, actor: Actor, id: Option<UserId>) -> Option<Result<Self>> {
        let found = loaders(ctx).user(actor, id?).await;
        found
            .map(|row| row.map(|row| Self::new(actor, row)))
            .transpose()
    }
}

/// A person, from the moment they sign up. Employees see themselves and everyone who was let in;
/// managers and admins see everyone.
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

    /// Whether the user has proved, by a mailed link, that they read the mails to `email`. False again
    /// once the address changes. Null unless the viewer is this user or an admin.
    async fn email_verified(&self) -> Option<bool> {
        policy::user::may_see_verification(&self.actor, &self.row)
            .then_some(self.row.email_verified_at.is_some())
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

    /// Whether logging in as this user takes a code besides the password. Null unless the viewer is
    /// this user or an admin.
    async fn second_factor(&self, ctx: &Context<'_>) -> Option<Result<SecondFactor>> {
        if !policy::second_factor::may_see(&self.actor, &self.row) {
            return None;
        }
        Some(SecondFactor::load(ctx, self.actor, &self.row).await)
    }

    /// When this user signed up.
    async fn created_at(&self) -> DateTime {
        DateTime(self.row.created_at)
    }

    /// When username, names, e-mail address, password, role, status or time zone last changed.
    async fn updated_at(&self) -> DateTime {
        DateTime(self.row.updated_at)
    }

    /// Tasks assigned to this user, newest first unless orderBy says otherwise. Null unless the
    /// viewer is this user, a manager or an admin.
    #[allow(
        clippy::too_many_arguments,
        reason = "each is an argument of the field"
    )]
    async fn tasks(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which of the tasks; all of them when absent.")] filter: Option<
            TaskFilter,
        >,
        #[graphql(desc = "In which order; newest first when absent.")] order_by: Option<TaskOrder>,
        #[graphql(
            desc = "How many rows from the beginning, 0 to 100; 20 when neither first nor last is given."
        )]
        first: Option<i32>,
        #[graphql(desc = "Only rows after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many rows from the end, 0 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only rows before this cursor.")] before: Option<String>,
    ) -> Option<Result<TaskConnection>> {
        if !policy::user::may_see_contact(&self.actor, &self.row) {
            return None;
        }
        let page = PageArguments {
            first,
            after,
            last,
            before,
        };
        Some(tasks_of(ctx, self.actor, self.row.id, filter, order_by, page).await)
    }

    /// Whether `updateUser` would be allowed now; which of its fields, its description says.
    async fn viewer_can_update(&self) -> bool {
        let verdict = policy::user::may_update(&self.actor, &self.row);
        access::would_allow(&self.actor, access::UPDATE_USER, verdict)
    }

    /// Whether `setUserRole` would be allowed now.
    async fn viewer_can_set_role(&self) -> bool {
        let verdict = policy::user::may_set_role(&self.actor, &self.row);
        access::would_allow(&self.actor, access::SET_USER_ROLE, verdict)
    }

    /// Whether `resetSecondFactor` would be allowed now, if this user has one.
    async fn viewer_can_reset_second_factor(&self) -> bool {
        let verdict = policy::second_factor::may_reset(&self.actor, &self.row);
        access::would_allow(&self.actor, access::RESET_SECOND_FACTOR, verdict)
    }

    /// Whether `deleteUser` would be allowed now.
    async fn viewer_can_delete(&self) -> bool {
        let verdict = policy::user::may_delete(&self.actor, &self.row);
        access::would_allow(&self.actor, access::DELETE_USER, verdict)
    }
}
