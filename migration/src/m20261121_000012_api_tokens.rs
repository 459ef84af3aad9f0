//! What scripts prove themselves with.

use sea_orm_migration::{prelude::*, schema::*};

use crate::{closed_list, create_index, drop_tables, instant, reference};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("api_tokens")
                    .col(uuid("id").primary_key())
                    .col(uuid("user_id"))
                    .col(text("name"))
                    .col(text_uniq("token_hash"))
                    .col(closed_list("access", &["READ", "FULL"]).not_null())
                    .col(closed_list("role", &["EMPLOYEE", "MANAGER", "ADMIN"]).not_null())
                    .col(instant("created_at").not_null())
                    .col(instant("expires_at").not_null())
                    .col(instant("last_used_at").null())
                    .foreign_key(&mut reference(
                        "user_id",
                        "users",
                        ForeignKeyAction::Cascade,
                    ))
                    .to_owned(),
            )
            .await?;
        create_index(
            manager,
            "api_tokens_by_user",
            "api_tokens",
            &["user_id", "created_at", "id"],
        )
        .await?;
        create_index(
            manager,
            "api_tokens_by_expires_at",
            "api_tokens",
            &["expires_at"],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, &["api_tokens"]).await
    }
}
