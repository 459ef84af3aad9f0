//! Admins' invitations to people who have no account yet.

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
                    .table("invitations")
                    .col(uuid("id").primary_key())
                    .col(text("email"))
                    .col(text("email_key"))
                    .col(closed_list("role", &["EMPLOYEE", "MANAGER", "ADMIN"]).not_null())
                    .col(text_uniq("token_hash"))
                    .col(uuid_null("invited_by"))
                    .col(instant("created_at").not_null())
                    .col(instant("expires_at").not_null())
                    .col(instant("revoked_at").null())
                    .col(instant("accepted_at").null())
                    .col(uuid_null("user_id"))
                    .foreign_key(&mut reference(
                        "invited_by",
                        "users",
                        ForeignKeyAction::SetNull,
                    ))
                    .foreign_key(&mut reference(
                        "user_id",
                        "users",
                        ForeignKeyAction::SetNull,
                    ))
                    .to_owned(),
            )
            .await?;
        for (name, columns) in [
            ("invitations_by_created_at", &["created_at", "id"][..]),
            ("invitations_by_email", &["email_key"][..]),
            ("invitations_by_inviter", &["invited_by"][..]),
            ("invitations_by_user", &["user_id"][..]),
            ("invitations_by_expires_at", &["expires_at"][..]),
        ] {
            create_index(manager, name, "invitations", columns).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // An earlier release does not know what these mails say.
        manager
            .get_connection()
            .execute_unprepared("DELETE FROM deliveries WHERE kind IN ('invitation')")
            .await?;
        drop_tables(manager, &["invitations"]).await
    }
}
