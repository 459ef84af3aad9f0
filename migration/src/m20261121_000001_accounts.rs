//! People, the decisions on their sign-ups, their sessions and tokens.

use sea_orm_migration::{prelude::*, schema::*};

use crate::{closed_list, create_index, drop_tables, instant, reference};

#[derive(DeriveMigrationName)]
pub struct Migration;

const ROLES: &[&str] = &["EMPLOYEE", "MANAGER", "ADMIN"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("users")
                    .col(uuid("id").primary_key())
                    .col(text("username"))
                    .col(text_uniq("username_key"))
                    .col(text_uniq("username_skeleton"))
                    .col(text("email"))
                    .col(text_uniq("email_key"))
                    .col(text("password_hash"))
                    .col(text_null("first_name"))
                    .col(text_null("last_name"))
                    .col(closed_list("role", ROLES).not_null())
                    .col(
                        closed_list("status", &["PENDING", "ACTIVE", "REJECTED", "DEACTIVATED"])
                            .not_null(),
                    )
                    .col(text("time_zone"))
                    .col(instant("created_at").not_null())
                    .col(instant("updated_at").not_null())
                    .to_owned(),
            )
            .await?;
        create_index(
            manager,
            "users_by_created_at",
            "users",
            &["created_at", "id"],
        )
        .await?;
        create_index(
            manager,
            "users_by_role",
            "users",
            &["role", "created_at", "id"],
        )
        .await?;
        create_index(
            manager,
            "users_by_status",
            "users",
            &["status", "created_at", "id"],
        )
        .await?;

        manager
            .create_table(
                Table::create()
                    .table("approvals")
                    .col(uuid("id").primary_key())
                    .col(uuid_null("user_id"))
                    .col(closed_list("requested_role", ROLES).not_null())
                    .col(closed_list("granted_role", ROLES).null())
                    .col(closed_list("decision", &["PENDING", "APPROVED", "REJECTED"]).not_null())
                    .col(uuid_null("decided_by"))
                    .col(instant("decided_at").null())
                    .col(text_null("reason"))
                    .col(instant("created_at").not_null())
                    .foreign_key(&mut reference(
                        "user_id",
                        "users",
                        ForeignKeyAction::SetNull,
                    ))
                    .foreign_key(&mut reference(
                        "decided_by",
                        "users",
                        ForeignKeyAction::SetNull,
                    ))
                    .to_owned(),
            )
            .await?;
        create_index(
            manager,
            "approvals_by_created_at",
            "approvals",
            &["created_at", "id"],
        )
        .await?;
        create_index(
            manager,
            "approvals_by_decision",
            "approvals",
            &["decision", "created_at", "id"],
        )
        .await?;
        create_index(manager, "approvals_by_user", "approvals", &["user_id"]).await?;
        create_index(
            manager,
            "approvals_by_decider",
            "approvals",
            &["decided_by"],
        )
        .await?;

        manager
            .create_table(
                Table::create()
                    .table("sessions")
                    .col(uuid("id").primary_key())
                    .col(uuid("user_id"))
                    .col(instant("created_at").not_null())
                    .col(instant("last_used_at").not_null())
                    .col(instant("expires_at").not_null())
                    .col(text_null("ip_address"))
                    .col(text_null("user_agent"))
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
            "sessions_by_user",
            "sessions",
            &["user_id", "created_at", "id"],
        )
        .await?;
        create_index(
            manager,
            "sessions_by_expires_at",
            "sessions",
            &["expires_at"],
        )
        .await?;

        manager
            .create_table(
                Table::create()
                    .table("refresh_tokens")
                    .col(text("token_hash").primary_key())
                    .col(uuid("session_id"))
                    .col(instant("created_at").not_null())
                    .col(instant("used_at").null())
                    .foreign_key(&mut reference(
                        "session_id",
                        "sessions",
                        ForeignKeyAction::Cascade,
                    ))
                    .to_owned(),
            )
            .await?;
        create_index(
            manager,
            "refresh_tokens_by_session",
            "refresh_tokens",
            &["session_id"],
        )
        .await?;

        manager
            .create_table(
                Table::create()
                    .table("reset_tokens")
                    .col(uuid("id").primary_key())
                    .col(uuid_null("user_id"))
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
            "reset_tokens_by_user",
            "reset_tokens",
            &["user_id"],
        )
        .await?;
        create_index(
            manager,
            "reset_tokens_by_expires_at",
            "reset_tokens",
            &["expires_at"],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(
            manager,
            &[
                "reset_tokens",
                "refresh_tokens",
                "sessions",
                "approvals",
                "users",
            ],
        )
        .await
    }
}
