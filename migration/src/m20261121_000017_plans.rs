//! What people want to be told, when it is due for each of them, and what has not
//! been told yet.

use sea_orm_migration::{prelude::*, schema::*};

use crate::{create_index, drop_tables, instant, reference};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let of_user = || reference("user_id", "users", ForeignKeyAction::Cascade);
        manager
            .create_table(
                Table::create()
                    .table("notification_settings")
                    .col(uuid("user_id").primary_key())
                    .col(boolean("daily_reminder"))
                    .col(time_null("reminder_time"))
                    .col(integer("reminder_weekdays"))
                    .col(date_null("reminders_paused_until"))
                    .col(boolean("weekly_report"))
                    .col(boolean("assigned"))
                    .col(boolean("approval_waiting"))
                    .col(instant("updated_at").not_null())
                    .foreign_key(&mut of_user())
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("plans")
                    .col(uuid("user_id"))
                    .col(text("kind"))
                    .col(instant("due_at").not_null())
                    .col(date_null("decided_on"))
                    .col(instant("quiet_until").null())
                    .primary_key(Index::create().col("user_id").col("kind"))
                    .foreign_key(&mut of_user())
                    .to_owned(),
            )
            .await?;
        create_index(manager, "plans_by_due_at", "plans", &["due_at"]).await?;
        manager
            .create_table(
                Table::create()
                    .table("untold_assignments")
                    .col(uuid("user_id"))
                    .col(uuid("task_id"))
                    .col(instant("created_at").not_null())
                    .primary_key(Index::create().col("user_id").col("task_id"))
                    .foreign_key(&mut of_user())
                    .foreign_key(&mut reference(
                        "task_id",
                        "tasks",
                        ForeignKeyAction::Cascade,
                    ))
                    .to_owned(),
            )
            .await?;
        create_index(
            manager,
            "untold_assignments_by_task",
            "untold_assignments",
            &["task_id"],
        )
        .await?;
        let mut installation = Table::alter();
        installation
            .table("installation")
            .add_column(text_null("planned_hours"));
        manager.alter_table(installation).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut installation = Table::alter();
        installation
            .table("installation")
            .drop_column("planned_hours");
        manager.alter_table(installation).await?;
        drop_tables(
            manager,
            &["untold_assignments", "plans", "notification_settings"],
        )
        .await
    }
}
