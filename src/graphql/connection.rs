//! Defines the connection of a noun: edges, nodes, page info, and a total that is
//! counted only when it is asked for.

use std::fmt::Debug;

use async_graphql::Context;

use super::page::{ListId, SortKind};
use crate::actor::Actor;
use crate::error::Result;
use crate::store::Position;

/// What a connection shows a page of.
pub trait List {
    type Row;

    fn id(&self) -> ListId;

    fn position(&self, row: &Self::Row) -> Position;

    fn count(&self, ctx: &Context<'_>, actor: Actor) -> impl Future<Output = Result<u64>> + Send;
}

/// Narrows a list down whose rows come in the order in which they were created.
pub trait Created: Debug + Sync {
    type Row;

    /// What the list is called in the schema.
    const NAME: &'static str;

    fn place(row: &Self::Row) -> Position;

    fn count(&self, ctx: &Context<'_>, actor: Actor) -> impl Future<Output = Result<u64>> + Send;
}

/// Such a list, newest first.
pub struct NewestFirst<F> {
    pub id: ListId,
    pub filter: F,
}

impl<F: Created> NewestFirst<F> {
    pub fn new(filter: F) -> Self {
        Self {
            id: ListId::new(F::NAME, &filter, &"newest first", SortKind::Instant),
            filter,
        }
    }
}

impl<F: Created> List for NewestFirst<F> {
    type Row = F::Row;

    fn id(&self) -> ListId {
        self.id
    }

    fn position(&self, row: &F::Row) -> Position {
        F::place(row)
    }

    async fn count(&self, ctx: &Context<'_>, actor: Actor) -> Result<u64> {
        self.filter.count(ctx, actor).await
    }
}

/// `$node` is the GraphQL object, `$row` its stored row, `$list` its `List`. Rows are shared: one
/// that is shown twice, or in several pages, is there once.
macro_rules! connection {
    ($connection:ident, $edge:ident, $node:ident, $row:ty, $list:ty) => {
        pub struct $connection {
            actor: $crate::actor::Actor,
            page: std::sync::Arc<$crate::store::Page<std::sync::Arc<$row>>>,
            list: $list,
        }

        impl $connection {
            pub fn new(
                actor: $crate::actor::Actor,
                page: std::sync::Arc<$crate::store::Page<std::sync::Arc<$row>>>,
                list: $list,
            ) -> Self {
                Self { actor, page, list }
            }
        }

        /// A page of a list, with the cursors to go on from.
        #[async_graphql::Object]
        impl $connection {
            /// The rows of this page with their cursors, in the order of the list.
            async fn edges(&self) -> Vec<$edge> {
                use $crate::graphql::connection::List;
                self.page
                    .rows
                    .iter()
                    .map(|row| $edge {
                        cursor: $crate::graphql::page::encode(
                            self.list.id(),
                            &self.list.position(row),
                        ),
                        node: $node::new(self.actor, std::sync::Arc::clone(row)),
                    })
                    .collect()
            }

            /// The rows of this page without their cursors.
            async fn nodes(&self) -> Vec<$node> {
                self.page
                    .rows
                    .iter()
                    .map(|row| $node::new(self.actor, std::sync::Arc::clone(row)))
                    .collect()
            }

            /// Where this page lies in the list.
            async fn page_info(&self) -> $crate::graphql::page::PageInfo {
                use $crate::graphql::connection::List;
                $crate::graphql::page::PageInfo::new(&self.page, self.list.id(), |row| {
                    self.list.position(row)
                })
            }

            /// How many rows the whole list has. Counted only when asked for.
            async fn total_count(
                &self,
                ctx: &async_graphql::Context<'_>,
            ) -> $crate::error::Result<u64> {
                use $crate::graphql::connection::List;
                self.list.count(ctx, self.actor).await
            }
        }

        /// A row and its place in the list.
        #[derive(async_graphql::SimpleObject)]
        pub struct $edge {
            /// The row's place; give it as `after` or `before` to page on from here.
            cursor: String,
            /// The row itself.
            node: $node,
        }
    };
}

pub(super) use connection;
