//! Reading users.

use std::sync::Arc;

use async_graphql::{Context, ID, Object};

use super::User;
use super::list::{UserConnection, UserFilter, UserList, UserOrder};
use crate::actor::Actor;
use crate::error::{Error, Result};
use crate::graphql::access::{self, auth, public};
use crate::graphql::muster;
use crate::graphql::page::PageArguments;
use crate::store;

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
    #[allow(
        clippy::too_many_arguments,
        reason = "each is an argument of the field"
    )]
    async fn users(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which of the users; all of them when absent.")] filter: Option<
            UserFilter,
        >,
        #[graphql(desc = "In which order; newest first when absent.")] order_by: Option<UserOrder>,
        #[graphql(
            desc = "How many rows from the beginning, 0 to 100; 20 when neither first nor last is given."
        )]
        first: Option<i32>,
        #[graphql(desc = "Only rows after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many rows from the end, 0 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only rows before this cursor.")] before: Option<String>,
    ) -> Result<UserConnection> {
        let actor = access::require(ctx, access::USERS)?;
        let list = UserList::new(filter.unwrap_or_default(), order_by)?;
        let window = PageArguments {
            first,
            after,
            last,
            before,
        }
        .window(list.id)?;
        let page =
            store::user::list(&muster(ctx).db, &actor, &list.filter, list.order, &window).await?;
        Ok(UserConnection::new(actor, Arc::new(page.shared()), list))
    }
}
