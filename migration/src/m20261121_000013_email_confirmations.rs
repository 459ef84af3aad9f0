//! Which addresses are known to be read by their people, and the mailed links by
//! which they prove it.

use sea_orm_migration::{prelude::*, schema::*};

use crate::{create_index, drop_tables, instant, reference};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // Nobody proved anything before this: all addresses are unconfirmed.
        manager
            .alter_table(
                Table::alter()
                    .table("users")
                    .add_column(instant("email_verified_at").null())
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("email_confirmations")
                    .col(uuid("id").primary_key())
                    .col(uuid("user_id"))
                    .col(text_uniq("token_hash"))
                    .col(instant("created_at").not_null())
                    .col(instant("expires_at").not_null())
                    .col(instant("ended_at").null())
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
            "email_confirmations_by_user",
            "email_confirmations",
            &["user_id"],
        )
        .await?;
        create_index(
            manager,
            "email_confirmations_by_expires_at",
            "email_confirmations",
            &["expires_at"],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // An earlier release does not know what these mails say.
        manager
            .get_connection()
            .execute_unprepared(
                "DELETE FROM deliveries WHERE kind IN ('email-confirmation', 'email-changed')",
            )
            .await?;
        drop_tables(manager, &["email_confirmations"]).await?;
        manager
            .alter_table(
                Table::alter()
                    .table("users")
                    .drop_column("email_verified_at")
                    .to_owned(),
            )
            .await
    }
}
