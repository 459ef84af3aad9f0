//! Brings the schema up or down: first Muster's own tables, then those of the
//! job queue.

use std::collections::HashSet;

use apalis_sqlite::SqliteStorage;
use migration::Migrator;
use sea_orm::{ConnectionTrait, Statement};
use sea_orm_migration::{MigrationStatus as Status, MigratorTrait};

use super::{Db, Source};
use crate::error::{Error, Result};

pub struct MigrationStatus {
    pub name: String,
    pub applied: bool,
}

/// Applies what is missing; safe to call on a database that has everything.
pub async fn migrate_up(db: &Db) -> Result<()> {
    Migrator::up(db.writer(), None).await?;
    // Not `SqliteStorage::setup`, which would switch `synchronous` off on the connection.
    let pool = db.job_pool().await?;
    SqliteStorage::migrations()
        .run(&pool)
        .await
        .map_err(Error::internal)?;
    pool.close().await;
    // Acknowledging a job would go by this index over every job of the worker, finished ones
    // included: 300 jobs a second with it, thousands without.
    db.writer()
        .execute_unprepared("DROP INDEX IF EXISTS LIdx")
        .await?;
    Ok(())
}

/// Undoes the newest migration that is applied.
pub async fn migrate_down(db: &Db) -> Result<()> {
    Ok(Migrator::down(db.writer(), Some(1)).await?)
}

/// Whether the schema is the one that this program was built for. Reads only.
pub async fn is_migrated(db: &Db) -> Result<bool> {
    let connection = db.connection();
    let statement = Statement::from_string(
        connection.get_database_backend(),
        "SELECT version FROM seaql_migrations",
    );
    let applied = connection.query_all_raw(statement).await?;
    let applied = applied
        .iter()
        .map(|row| row.try_get("", "version"))
        .collect::<Result<HashSet<String>, _>>()?;
    Ok(Migrator::migrations()
        .iter()
        .all(|migration| applied.contains(migration.name())))
}

/// Every migration that this program knows, oldest first.
pub async fn migration_status(db: &Db) -> Result<Vec<MigrationStatus>> {
    // It makes the table of applied migrations where there is none, so it needs to write.
    let migrations = Migrator::get_migration_with_status(db.writer()).await?;
    Ok(migrations
        .iter()
        .map(|migration| MigrationStatus {
            name: migration.name().to_owned(),
            applied: migration.status() == Status::Applied,
        })
        .collect())
}
