//! Brings the schema up or down: first Muster's own tables, then those of the
//! job queue. Several processes that start at once do it once: whoever comes
//! second waits, and finds it done.

use std::collections::HashSet;

use apalis_postgres::PostgresStorage;
use apalis_sqlite::SqliteStorage;
use migration::Migrator;
use sea_orm::{
    ConnectionTrait, DatabaseTransaction, DbBackend, SqliteTransactionMode, Statement,
    TransactionOptions, TransactionTrait,
};
use sea_orm_migration::MigratorTrait;

use super::database::Lock;
use super::{Db, Engine, Source};
use crate::error::{Error, Result};

pub struct MigrationStatus {
    pub name: String,
    pub applied: bool,
}

/// Applies what is missing; safe to call on a database that has everything. Refuses a database
/// that a later release has migrated: what this one would make of it is anybody's guess.
pub async fn migrate_up(db: &Db) -> Result<()> {
    refuse_newer(db).await?;
    // Where nothing is missing nothing is touched: whoever only serves need not own the tables.
    if check(db.connection()).await.is_err() {
        let connection = db.connect_for_long().await?;
        let tx = begin_alone(&connection).await?;
        Migrator::up(&tx, None).await?;
        tx.commit().await?;
        connection.close().await?;
    }
    if has_jobs(db).await? {
        return Ok(());
    }
    migrate_jobs(db).await
}

/// Undoes the newest migration that is applied.
pub async fn migrate_down(db: &Db) -> Result<()> {
    refuse_newer(db).await?;
    let connection = db.connect_for_long().await?;
    let tx = begin_alone(&connection).await?;
    Migrator::down(&tx, Some(1)).await?;
    tx.commit().await?;
    Ok(connection.close().await?)
}

/// A transaction that excludes every other process that changes the schema.
async fn begin_alone(connection: &sea_orm::DatabaseConnection) -> Result<DatabaseTransaction> {
    let options = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..Default::default()
    };
    let tx = connection.begin_with_options(options).await?;
    if tx.get_database_backend() == DbBackend::Postgres {
        tx.execute_unprepared(&Lock::Schema.statement()).await?;
    }
    Ok(tx)
}

/// Whether the tables of apalis are as this program needs them.
async fn has_jobs(db: &Db) -> Result<bool> {
    let connection = db.connection();
    let (migrations, table, there) = match db.engine() {
        Engine::Sqlite => (
            SqliteStorage::migrations(),
            "_sqlx_migrations",
            "SELECT 1 AS there FROM sqlite_schema WHERE name = '_sqlx_migrations'",
        ),
        Engine::Postgres => (
            PostgresStorage::<()>::migrations(),
            "apalis._sqlx_migrations",
            "SELECT 1 AS there WHERE to_regclass('apalis._sqlx_migrations') IS NOT NULL",
        ),
    };
    let query = |sql: String| Statement::from_string(connection.get_database_backend(), sql);
    if connection
        .query_one_raw(query(there.into()))
        .await?
        .is_none()
    {
        return Ok(false);
    }
    let newest = query(format!("SELECT max(version) AS newest FROM {table}"));
    let newest: Option<i64> = match connection.query_one_raw(newest).await? {
        Some(row) => row.try_get("", "newest")?,
        None => None,
    };
    let needed = migrations.iter().map(|migration| migration.version).max();
    Ok(newest >= needed)
}

/// The tables of apalis. Not by its own `setup`, which would switch SQLite's `synchronous` off.
/// Within one transaction, since processes that start at once would else trip over each other.
async fn migrate_jobs(db: &Db) -> Result<()> {
    match db.engine() {
        Engine::Sqlite => {
            let pool = db.job_pool_of_sqlite().await?;
            let begun = pool.begin_with("BEGIN IMMEDIATE").await;
            let mut tx = begun.map_err(Error::internal)?;
            SqliteStorage::migrations()
                .run(&mut *tx)
                .await
                .map_err(Error::internal)?;
            // Acknowledging a job would go by this index over every job of the worker, finished
            // ones included: 300 jobs a second with it, thousands without.
            sqlx::query("DROP INDEX IF EXISTS LIdx")
                .execute(&mut *tx)
                .await
                .map_err(Error::internal)?;
            tx.commit().await.map_err(Error::internal)?;
            pool.close().await;
        }
        Engine::Postgres => {
            let connection = db.connect_for_long().await?;
            let pool = connection.get_postgres_connection_pool();
            let mut tx = pool.begin().await.map_err(Error::internal)?;
            sqlx::raw_sql(sqlx::AssertSqlSafe(Lock::Schema.statement()))
                .execute(&mut *tx)
                .await
                .map_err(Error::internal)?;
            let mut migrations = PostgresStorage::<()>::migrations();
            // Its own lock is one of the session; ours ends with the transaction.
            migrations.set_locking(false);
            migrations
                .run(&mut *tx)
                .await
                .map_err(|error| match sqlstate(&error).as_deref() {
                    // insufficient_privilege
                    Some("42501") => Error::Unavailable(
                        "the job queue needs the extension hstore and the schema apalis, and this \
                         user may not create them: GRANT CREATE ON DATABASE to it, or run \
                         `muster migrate` once as the database's owner"
                            .into(),
                    ),
                    _ => Error::internal(error),
                })?;
            tx.commit().await.map_err(Error::internal)?;
            connection.close().await?;
        }
    }
    Ok(())
}

fn sqlstate(error: &sqlx::migrate::MigrateError) -> Option<String> {
    use sqlx::migrate::MigrateError::{Execute, ExecuteMigration};
    let (Execute(error) | ExecuteMigration(error, _)) = error else {
        return None;
    };
    let code = error.as_database_error()?.code()?;
    Some(code.into_owned())
}

/// Fails unless the schema is the one that this program was built for, or a later one. Reads only.
pub(super) async fn check(connection: &impl ConnectionTrait) -> Result<()> {
    let applied = applied(connection).await?;
    if known().iter().all(|name| applied.contains(name)) {
        Ok(())
    } else {
        Err(Error::Unavailable("the database is not migrated".into()))
    }
}

/// Fails when a later release has been here.
pub async fn refuse_newer(db: &Db) -> Result<()> {
    refuse_newer_at(db.connection()).await
}

pub(super) async fn refuse_newer_at(connection: &impl ConnectionTrait) -> Result<()> {
    let known = known();
    let applied = applied(connection).await?;
    match applied.iter().find(|name| !known.contains(name)) {
        None => Ok(()),
        Some(unknown) => Err(Error::Unavailable(format!(
            "the database was migrated by a later release of Muster ({unknown}): start that one, \
             or restore a backup from before"
        ))),
    }
}

/// Every migration that this program knows, oldest first.
pub async fn migration_status(db: &Db) -> Result<Vec<MigrationStatus>> {
    let applied = applied(db.connection()).await?;
    Ok(known()
        .into_iter()
        .map(|name| MigrationStatus {
            applied: applied.contains(&name),
            name,
        })
        .collect())
}

fn known() -> Vec<String> {
    let migrations = Migrator::migrations();
    let names = migrations.iter().map(|migration| migration.name());
    names.map(str::to_owned).collect()
}

/// The names of the migrations in the database; none in one that has never been migrated.
async fn applied(connection: &impl ConnectionTrait) -> Result<HashSet<String>> {
    let backend = connection.get_database_backend();
    let query = |sql| Statement::from_string(backend, sql);
    let table = match backend {
        DbBackend::Postgres => {
            "SELECT 1 AS there WHERE to_regclass('seaql_migrations') IS NOT NULL"
        }
        _ => "SELECT 1 AS there FROM sqlite_schema WHERE name = 'seaql_migrations'",
    };
    if connection.query_one_raw(query(table)).await?.is_none() {
        return Ok(HashSet::new());
    }
    let rows = query("SELECT version FROM seaql_migrations");
    let rows = connection.query_all_raw(rows).await?;
    let names = rows.iter().map(|row| row.try_get("", "version"));
    Ok(names.collect::<Result<_, _>>()?)
}
