//! Where this database lives. One that finds itself elsewhere is a copy, and what
//! it was about to do may have been done by the original.

use sea_orm_migration::{prelude::*, schema::*};

use crate::{drop_tables, instant};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("installation")
                    // There is one row.
                    .col(integer("id").primary_key().check(Expr::col("id").eq(1)))
                    .col(text_null("place"))
                    .col(instant("copied_at").null())
                    .to_owned(),
            )
            .await?;
        manager
            .get_connection()
            .execute_unprepared("INSERT INTO installation (id) VALUES (1)")
            .await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, &["installation"]).await
    }
}
