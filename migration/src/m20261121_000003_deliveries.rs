//! The mails that are to go out, are on their way, or went.

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
                    .table("deliveries")
                    .col(uuid("id").primary_key())
                    // Kinds of mail grow with every release, so they are a closed list in Rust only.
                    .col(text("kind"))
                    .col(text("cause"))
                    .col(uuid_null("recipient_id"))
                    .col(text("address"))
                    .col(json_binary("params"))
                    .col(
                        closed_list("state", &["DUE", "SENDING", "SENT", "FAILED", "SUPPRESSED"])
                            .not_null(),
                    )
                    .col(instant("created_at").not_null())
                    .col(instant("due_at").not_null())
                    .col(instant("announced_until").not_null())
                    .col(instant("leased_until").null())
                    .col(integer("fence"))
                    .col(integer("attempts"))
                    .col(instant("first_attempt_at").null())
                    .col(integer("failures"))
                    .col(binary_null("message"))
                    .col(text_null("last_answer"))
                    .col(instant("finished_at").null())
                    .foreign_key(&mut reference(
                        "recipient_id",
                        "users",
                        ForeignKeyAction::Cascade,
                    ))
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("deliveries_by_cause")
                    .table("deliveries")
                    .col("kind")
                    .col("recipient_id")
                    .col("cause")
                    .unique()
                    .to_owned(),
            )
            .await?;
        create_index(
            manager,
            "deliveries_by_state",
            "deliveries",
            &["state", "due_at"],
        )
        .await?;
        create_index(
            manager,
            "deliveries_by_recipient",
            "deliveries",
            &["recipient_id"],
        )
        .await?;
        create_index(
            manager,
            "deliveries_by_finished_at",
            "deliveries",
            &["finished_at"],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, &["deliveries"]).await
    }
}
