//! What each person completed, by when: the figures of their own are about the last
//! days, and must not take longer the longer somebody has been here.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // It holds completed tasks only, so it costs open ones nothing.
        manager
            .get_connection()
            .execute_unprepared(
                "CREATE INDEX tasks_by_assignee_and_completion \
                 ON tasks (assignee_id, completed_at) WHERE completed_at IS NOT NULL",
            )
            .await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .get_connection()
            .execute_unprepared("DROP INDEX tasks_by_assignee_and_completion")
            .await?;
        Ok(())
    }
}
