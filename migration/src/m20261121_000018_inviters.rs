//! Who invited whoever joined by an invitation: the invitation itself is cleared
//! away long before what happened to the account.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // No reference, as with the others: what happened stays true when the inviter is deleted.
        // Earlier rows stay as they are, since none is ever changed.
        manager
            .alter_table(
                Table::alter()
                    .table("account_events")
                    .add_column(uuid_null("invited_by"))
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .alter_table(
                Table::alter()
                    .table("account_events")
                    .drop_column("invited_by")
                    .to_owned(),
            )
            .await
    }
}
