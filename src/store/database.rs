//! The connections: one that writes and several that read. `SQLite` has one
//! writer at a time whatever one does; with one connection they queue in order
//! instead of racing for the lock.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, DbErr,
    SqliteTransactionMode, TransactionOptions, TransactionTrait,
};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use crate::error::{Error, Result};

/// Shorter than the time limit of a request, so that a caller hears of a busy database.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(8);
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Found by measuring: 8 readers did better than 4 on two cores.
const READERS: u32 = 8;

#[derive(Clone)]
pub struct Db {
    write: DatabaseConnection,
    read: DatabaseConnection,
    url: Arc<str>,
    statements: Arc<AtomicU64>,
}

/// Where a read comes from: the read connections, or a transaction that must see its own writes.
pub trait Source: Sync {
    type Connection: ConnectionTrait;
    fn connection(&self) -> &Self::Connection;
}

impl Source for Db {
    type Connection = DatabaseConnection;
    fn connection(&self) -> &DatabaseConnection {
        &self.read
    }
}

/// A transaction that holds the write lock from its first statement. Dropping it rolls back.
pub struct Tx(DatabaseTransaction);

impl Source for Tx {
    type Connection = DatabaseTransaction;
    fn connection(&self) -> &DatabaseTransaction {
        &self.0
    }
}

impl Tx {
    pub async fn commit(self) -> Result<()> {
        Ok(self.0.commit().await?)
    }
}

impl Db {
    /// Opens the database, and creates its file where the URL allows it.
    pub async fn open(url: &str) -> Result<Self, String> {
        let statements = Arc::new(AtomicU64::new(0));
        let write = connect(url, 1, false, &statements).await;
        let write = write.map_err(|error| cannot_open(url, &error))?;
        let read = connect(url, READERS, true, &statements).await;
        let read = read.map_err(|error| cannot_open(url, &error))?;
        Ok(Self {
            write,
            read,
            url: url.into(),
            statements,
        })
    }

    /// Begins a transaction that writes.
    pub async fn begin(&self) -> Result<Tx> {
        let options = TransactionOptions {
            // A deferred transaction that turns to writing late is refused when another wrote meanwhile.
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..Default::default()
        };
        Ok(Tx(self.write.begin_with_options(options).await?))
    }

    /// Whether the database answers and has the schema that this program was built for.
    pub async fn ready(&self) -> Result<()> {
        if super::migrate::is_migrated(self).await? {
            Ok(())
        } else {
            Err(Error::Unavailable("the database is not migrated".into()))
        }
    }

    /// SQL statements sent since the start, transaction control not counted.
    pub fn statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }

    pub(super) fn writer(&self) -> &DatabaseConnection {
        &self.write
    }

    /// A pool of its own for the job queue, so that it never waits for a request's connection.
    pub async fn job_pool(&self) -> Result<sqlx::SqlitePool> {
        let options: SqliteConnectOptions = self.url.parse().map_err(Error::internal)?;
        SqlitePoolOptions::new()
            .max_connections(2)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .connect_with(configure(options, false))
            .await
            .map_err(|error| Error::Unavailable(error.to_string()))
    }
}

async fn connect(
    url: &str,
    connections: u32,
    read_only: bool,
    statements: &Arc<AtomicU64>,
) -> Result<DatabaseConnection, DbErr> {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .test_before_acquire(false)
        // Statements carry people's data; the log must not.
        .sqlx_logging(false)
        .record_stmt_in_spans(false)
        .map_sqlx_sqlite_opts(move |options| configure(options, read_only));
    let mut connection = Database::connect(options).await?;
    let statements = Arc::clone(statements);
    connection.set_metric_callback(move |_| {
        statements.fetch_add(1, Ordering::Relaxed);
    });
    Ok(connection)
}

fn configure(options: SqliteConnectOptions, read_only: bool) -> SqliteConnectOptions {
    let options = options
        .busy_timeout(BUSY_TIMEOUT)
        .foreign_keys(true)
        .pragma("mmap_size", "268435456")
        .pragma("cache_size", "-16000")
        .pragma("temp_store", "MEMORY");
    if read_only {
        // Whoever opens for reading finds the file as the writer made it.
        options.read_only(true).create_if_missing(false)
    } else {
        options
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
    }
}

fn cannot_open(url: &str, error: &DbErr) -> String {
    let path = url.split(['?']).next().unwrap_or(url);
    let file = path.trim_start_matches("sqlite:").trim_start_matches("//");
    let folder = Path::new(file)
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    match folder {
        Some(folder) if !folder.is_dir() => format!(
            "DATABASE_URL: cannot open {path}: there is no folder {}",
            folder.display()
        ),
        _ => format!("DATABASE_URL: cannot open {path}: {error}"),
    }
}
