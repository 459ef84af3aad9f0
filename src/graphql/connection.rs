//! Defines the connection of a noun: edges, nodes, page info, and a total that is
//! counted only when it is asked for.

/// `$node` is the GraphQL object, `$row` its stored row, `$list` the list with
/// `id()`, `position(&row)` and `count(ctx)`.
macro_rules! connection {
    ($connection:ident, $edge:ident, $node:ident, $row:ty, $list:ty) => {
        pub struct $connection {
            actor: $crate::actor::Actor,
            page: std::sync::Arc<$crate::store::Page<$row>>,
            list: $list,
        }

        impl $connection {
            pub fn new(
                actor: $crate::actor::Actor,
                page: std::sync::Arc<$crate::store::Page<$row>>,
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
                self.page
                    .rows
                    .iter()
                    .map(|row| $edge {
                        cursor: $crate::graphql::page::encode(
                            self.list.id(),
                            &self.list.position(row),
                        ),
                        node: $node::new(self.actor, row.clone()),
                    })
                    .collect()
            }

            /// The rows of this page without their cursors.
            async fn nodes(&self) -> Vec<$node> {
                self.page
                    .rows
                    .iter()
                    .map(|row| $node::new(self.actor, row.clone()))
                    .collect()
            }

            /// Where this page lies in the list.
            async fn page_info(&self) -> $crate::graphql::page::PageInfo {
                $crate::graphql::page::PageInfo::new(&self.page, self.list.id(), |row| {
                    self.list.position(row)
                })
            }

            /// How many rows the whole list has. Counted only when asked for.
            async fn total_count(
                &self,
                ctx: &async_graphql::Context<'_>,
            ) -> $crate::error::Result<u64> {
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
