//! What happened to accounts. Rows are added and, when they are old, cleared away;
//! they are never changed.

use sea_orm_migration::{prelude::*, schema::*};

use crate::{closed_list, create_index, drop_tables, instant};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        const ROLES: &[&str] = &["EMPLOYEE", "MANAGER", "ADMIN"];
        manager
            .create_table(
                Table::create()
                    .table("account_events")
                    .col(uuid("id").primary_key())
                    // Kinds grow with every release, so they are a closed list in Rust only.
                    .col(text("kind"))
                    // No references: what happened stays true when the user is deleted.
                    .col(uuid_null("user_id"))
                    .col(uuid_null("actor_id"))
                    .col(closed_list("role_before", ROLES).null())
                    .col(closed_list("role_after", ROLES).null())
                    .col(text_null("ip_address"))
                    .col(text_null("user_agent"))
                    .col(instant("created_at").not_null())
                    .to_owned(),
            )
            .await?;
        for (name, columns) in [
            ("account_events_by_created_at", &["created_at", "id"][..]),
            (
                "account_events_by_user",
                &["user_id", "created_at", "id"][..],
            ),
            ("account_events_by_kind", &["kind", "created_at", "id"][..]),
        ] {
            create_index(manager, name, "account_events", columns).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, &["account_events"]).await
    }
}
