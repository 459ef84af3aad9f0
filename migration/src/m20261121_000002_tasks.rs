//! Tasks, with an index for every filter and order that the schema offers.

use sea_orm_migration::{prelude::*, schema::*, sea_orm::DatabaseBackend};

use crate::{closed_list, create_index, drop_tables, instant, reference};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let postgres = manager.get_database_backend() == DatabaseBackend::Postgres;
        // Tasks without a deadline come last in either direction, so each direction sorts by its
        // own stand-in for "none". Columns, since SQLite compares rows by an index of columns only.
        let (first, last) = if postgres {
            ("timestamptz '-infinity'", "timestamptz 'infinity'")
        } else {
            ("''", "'~'")
        };
        let stand_in = |column, value| {
            let mut definition = instant(column);
            definition.generated(Expr::cust(format!("coalesce(deadline, {value})")), true);
            definition
        };
        manager
            .create_table(
                Table::create()
                    .table("tasks")
                    .col(uuid("id").primary_key())
                    .col(text("title"))
                    .col(text("title_key"))
                    .col(text_null("description"))
                    .col(closed_list("status", &["PENDING", "IN_PROGRESS", "COMPLETED"]).not_null())
                    .col(instant("deadline").null())
                    .col(uuid_null("assignee_id"))
                    .col(uuid_null("created_by"))
                    .col(instant("created_at").not_null())
                    .col(instant("updated_at").not_null())
                    .col(instant("completed_at").null())
                    .col(integer("version"))
                    .col(stand_in("deadline_rising", last))
                    .col(stand_in("deadline_falling", first))
                    .foreign_key(&mut reference(
                        "assignee_id",
                        "users",
                        ForeignKeyAction::SetNull,
                    ))
                    .foreign_key(&mut reference(
                        "created_by",
                        "users",
                        ForeignKeyAction::SetNull,
                    ))
                    .to_owned(),
            )
            .await?;
        if postgres {
            // Titles sort by their code points on both engines, whatever the database's locale.
            manager
                .get_connection()
                .execute_unprepared(
                    "ALTER TABLE tasks ALTER COLUMN title_key TYPE text COLLATE \"C\"",
                )
                .await?;
        }
        for (name, columns) in [
            ("tasks_by_created_at", &["created_at", "id"][..]),
            ("tasks_by_updated_at", &["updated_at", "id"]),
            ("tasks_by_title", &["title_key", "id"]),
            ("tasks_by_status", &["status", "created_at", "id"]),
            ("tasks_by_assignee", &["assignee_id", "created_at", "id"]),
            (
                "tasks_by_assignee_and_status",
                &["assignee_id", "status", "deadline"],
            ),
            ("tasks_by_deadline", &["deadline"]),
            ("tasks_by_rising_deadline", &["deadline_rising", "id"]),
            ("tasks_by_falling_deadline", &["deadline_falling", "id"]),
            ("tasks_by_completed_at", &["completed_at"]),
            ("tasks_by_creator", &["created_by"]),
        ] {
            create_index(manager, name, "tasks", columns).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, &["tasks"]).await
    }
}
