//! Lists of users: filter, order, connection.

use async_graphql::{Context, Enum, InputObject};

use super::User;
use crate::actor::Actor;
use crate::entity::user::Model;
use crate::error::Result;
use crate::graphql::connection::{List, connection};
use crate::graphql::page::{ListId, SortKind, search_text};
use crate::graphql::types::{OrderDirection, Role, UserStatus};
use crate::graphql::{figures, muster};
use crate::store::{self, Position, SortKey};

/// Which users a list is about. Fields are joined by AND; null is as good as absent.
#[derive(InputObject, Default)]
pub struct UserFilter {
    /// Users of any of these roles; an empty list matches nothing.
    role: Option<Vec<Role>>,
    /// Users of any of these statuses; an empty list matches nothing.
    status: Option<Vec<UserStatus>>,
    /// Match on username, e-mail and names: every word must begin a word of them, without regard
    /// to case and accents. At most 16 words of 200 characters in all.
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
    pub id: ListId,
    pub filter: store::user::UserFilter,
    pub order: store::user::UserOrder,
}

impl UserList {
    pub fn new(filter: UserFilter, order: Option<UserOrder>) -> Result<Self> {
        let filter = store::user::UserFilter {
            role: filter
                .role
                .map(|roles| roles.into_iter().map(Into::into).collect()),
            status: filter
                .status
                .map(|statuses| statuses.into_iter().map(Into::into).collect()),
            search: search_text(filter.search)?,
        };
        let order = store::user::UserOrder {
            field: order
                .as_ref()
                .map_or(store::user::UserOrderField::CreatedAt, |order| {
                    order.field.into()
                }),
            descending: order.is_none_or(|order| order.direction == OrderDirection::Desc),
        };
        let sorted_by = match order.field {
            store::user::UserOrderField::CreatedAt => SortKind::Instant,
            store::user::UserOrderField::Username => SortKind::Text,
        };
        Ok(Self {
            id: ListId::new("users", &filter, &order, sorted_by),
            filter,
            order,
        })
    }
}

impl List for UserList {
    type Row = Model;

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
        let count = || store::user::count(&muster(ctx).db, &actor, &self.filter);
        let filter = format!("{:?}", self.filter);
        figures::total(ctx, "users", &actor, Some(&filter), count).await
    }
}

connection!(UserConnection, UserEdge, User, Model, UserList);
