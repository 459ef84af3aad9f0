//! Authenticator apps, and the recovery codes that stand in for them.

use sea_orm_migration::{prelude::*, schema::*};

use crate::{create_index, drop_tables, instant, reference};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("second_factors")
                    .col(uuid("user_id").primary_key())
                    .col(text("key_id"))
                    .col(binary("secret"))
                    .col(instant("started_at").not_null())
                    .col(instant("enabled_at").null())
                    .col(big_integer_null("last_step"))
                    .foreign_key(&mut reference(
                        "user_id",
                        "users",
                        ForeignKeyAction::Cascade,
                    ))
                    .to_owned(),
            )
            .await?;
        // For what an earlier key encrypted, and for what was started and never enabled.
        create_index(
            manager,
            "second_factors_by_key",
            "second_factors",
            &["key_id"],
        )
        .await?;
        create_index(
            manager,
            "second_factors_by_enabled_at",
            "second_factors",
            &["enabled_at", "started_at"],
        )
        .await?;
        manager
            .create_table(
                Table::create()
                    .table("recovery_codes")
                    .col(text("code_hash").primary_key())
                    .col(uuid("user_id"))
                    .col(instant("created_at").not_null())
                    .col(instant("used_at").null())
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
            "recovery_codes_by_user",
            "recovery_codes",
            &["user_id"],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // An earlier release does not know what these mails say.
        manager
            .get_connection()
            .execute_unprepared("DELETE FROM deliveries WHERE kind IN ('second-factor-changed')")
            .await?;
        drop_tables(manager, &["recovery_codes", "second_factors"]).await
    }
}
