//! Muster's schema, one file per change. A file is never edited once released:
//! what it made is in people's databases. Every file runs unchanged on SQLite
//! and PostgreSQL, and can be undone.

#![allow(
    clippy::wildcard_imports,
    clippy::too_many_lines,
    reason = "a migration reads like the SQL that it stands for, in one piece"
)]

use sea_orm_migration::prelude::*;

mod m20261121_000001_accounts;
mod m20261121_000002_tasks;
mod m20261121_000003_deliveries;
mod m20261121_000004_search;
mod m20261121_000005_text;
mod m20261121_000006_generations;
mod m20261121_000007_installation;
mod m20261121_000008_indexes;
mod m20261121_000009_account_events;
mod m20261121_000010_second_factors;
mod m20261121_000012_api_tokens;
mod m20261121_000013_email_confirmations;
mod m20261121_000014_invitations;
mod m20261121_000015_open_reset_tokens;
mod m20261121_000016_mail;
mod m20261121_000017_plans;
mod m20261121_000018_inviters;
mod m20261121_000019_completions;

pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261121_000001_accounts::Migration),
            Box::new(m20261121_000002_tasks::Migration),
            Box::new(m20261121_000003_deliveries::Migration),
            Box::new(m20261121_000004_search::Migration),
            Box::new(m20261121_000005_text::Migration),
            Box::new(m20261121_000006_generations::Migration),
            Box::new(m20261121_000007_installation::Migration),
            Box::new(m20261121_000008_indexes::Migration),
            Box::new(m20261121_000009_account_events::Migration),
            Box::new(m20261121_000010_second_factors::Migration),
            Box::new(m20261121_000012_api_tokens::Migration),
            Box::new(m20261121_000013_email_confirmations::Migration),
            Box::new(m20261121_000014_invitations::Migration),
            Box::new(m20261121_000015_open_reset_tokens::Migration),
            Box::new(m20261121_000016_mail::Migration),
            Box::new(m20261121_000017_plans::Migration),
            Box::new(m20261121_000018_inviters::Migration),
            Box::new(m20261121_000019_completions::Migration),
        ]
    }
}

/// A text column that holds one of a closed list of values.
fn closed_list(column: &'static str, values: &[&'static str]) -> ColumnDef {
    let mut definition = ColumnDef::new(Alias::new(column));
    definition
        .text()
        .check(Expr::col(Alias::new(column)).is_in(values.iter().copied()));
    definition
}

fn instant(column: &'static str) -> ColumnDef {
    let mut definition = ColumnDef::new(Alias::new(column));
    definition.timestamp_with_time_zone();
    definition
}

/// A reference to a row of `table`; what happens to this row when that one goes is `on_delete`.
fn reference(
    column: &'static str,
    table: &'static str,
    on_delete: ForeignKeyAction,
) -> ForeignKeyCreateStatement {
    let mut key = ForeignKey::create();
    key.from_col(Alias::new(column))
        .to(Alias::new(table), Alias::new("id"))
        .on_delete(on_delete);
    key
}

async fn create_index(
    manager: &SchemaManager<'_>,
    name: &str,
    table: &'static str,
    columns: &[&'static str],
) -> Result<(), DbErr> {
    let mut index = Index::create();
    index.name(name).table(Alias::new(table));
    for column in columns {
        index.col(Alias::new(*column));
    }
    manager.create_index(index).await
}

async fn drop_tables(manager: &SchemaManager<'_>, tables: &[&'static str]) -> Result<(), DbErr> {
    for table in tables {
        manager
            .drop_table(Table::drop().table(Alias::new(*table)).to_owned())
            .await?;
    }
    Ok(())
}
