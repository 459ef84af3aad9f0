//! An index that the plans of the tests asked for. Every other one was found in
//! use.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // For what is overdue. Nearly all deadlines are past, and nearly all of their tasks are
        // completed; the index holds the few that are open, so it costs completed ones nothing.
        manager
            .get_connection()
            .execute_unprepared(
                "CREATE INDEX tasks_open_by_deadline ON tasks (deadline) \
                 WHERE status <> 'COMPLETED'",
            )
            .await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .get_connection()
            .execute_unprepared("DROP INDEX tasks_open_by_deadline")
            .await?;
        Ok(())
    }
}
