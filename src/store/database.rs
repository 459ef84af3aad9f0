//! The database, whichever of the two engines it is: reads, transactions, locks, and
//! connections for what is no request.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, SqliteTransactionMode, Statement,
    TransactionOptions,
};
use sqlx::ConnectOptions as _;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};

use super::address::{Address, Engine};
use super::connection::{Pool, Transaction};
use super::{postgres, sqlite};
use crate::config::Secret;
use crate::error::{Error, Result};

/// For the job board: as it is asked for something, and for a little longer.
const BOARD_CONNECTIONS: u32 = 1;
const BOARD_IDLE: Duration = Duration::from_secs(30);

/// For the worker: one fetches jobs, one keeps its heartbeat, one notes what is done.
const JOB_CONNECTIONS: u32 = 3;

#[derive(Clone)]
pub struct Db {
    write: Pool,
    read: Pool,
    engine: Engine,
    address: Arc<Address>,
    statements: Arc<AtomicU64>,
}

/// Where a read comes from: the read connections, or a transaction that must see its own writes.
pub trait Source: Sync {
    type Connection: ConnectionTrait;
    fn connection(&self) -> &Self::Connection;

    fn engine(&self) -> Engine {
        match self.connection().get_database_backend() {
            DbBackend::Postgres => Engine::Postgres,
            _ => Engine::Sqlite,
        }
    }
}

impl Source for Db {
    type Connection = Pool;
    fn connection(&self) -> &Pool {
        &self.read
    }
}

/// A transaction. On `SQLite` it holds the write lock from its beginning. Dropping it rolls back.
pub struct Tx(Transaction);

impl Source for Tx {
    type Connection = Transaction;
    fn connection(&self) -> &Transaction {
        &self.0
    }
}

impl Tx {
    pub async fn commit(self) -> Result<()> {
        Ok(self.0.commit().await?)
    }

    /// Waits until no other transaction holds this lock, and holds it to the end. On `SQLite` every
    /// transaction excludes all others anyway.
    pub async fn lock(&self, lock: Lock) -> Result<()> {
        if self.engine() == Engine::Postgres {
            self.0
                .execute_raw(Statement::from_string(
                    DbBackend::Postgres,
                    lock.statement(),
                ))
                .await?;
        }
        Ok(())
    }
}

/// What no two transactions may do at once, where locks on rows do not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lock {
    /// Bringing the schema up or down.
    Schema,
    /// Changing what people may do: that there is an active admin left is a rule over many rows.
    Rights,
}

impl Lock {
    /// Takes the lock on `PostgreSQL`, to the end of the transaction.
    pub(super) fn statement(self) -> String {
        /// Muster's own among the keys of a database: its name in ASCII, and a number.
        const MUSTER: i64 = 0x6d75_7374_6572_0000;
        let number = match self {
            Self::Schema => 1,
            Self::Rights => 2,
        };
        format!("SELECT pg_advisory_xact_lock({})", MUSTER + number)
    }
}

/// A pool of its own for the job queue, so that it never waits for a request's connection.
#[derive(Clone)]
pub enum JobPool {
    Sqlite(sqlx::SqlitePool),
    Postgres(sqlx::PgPool),
}

impl JobPool {
    /// Whether the queue can be worked on. An `SQLite` file that somebody else holds locked lets
    /// itself be read, but a queue is written to: so the lock is taken, and given back at once.
    pub async fn answers(&self) -> bool {
        match self {
            Self::Sqlite(pool) => match pool.begin_with("BEGIN IMMEDIATE").await {
                Ok(transaction) => transaction.rollback().await.is_ok(),
                Err(_) => false,
            },
            Self::Postgres(pool) => sqlx::query("SELECT 1").execute(pool).await.is_ok(),
        }
    }

    pub async fn close(&self) {
        match self {
            Self::Sqlite(pool) => pool.close().await,
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

impl Db {
    /// Opens the database, and creates an `SQLite` file where the URL allows it. The error is one
    /// line for the operator, without the URL's password.
    pub async fn open(address: Address) -> Result<Self, String> {
        let statements = Arc::new(AtomicU64::new(0));
        let engine = address.engine();
        let (write, read) = match engine {
            Engine::Sqlite => sqlite::open(&address, &statements).await?,
            Engine::Postgres => {
                let pool = postgres::open(&address, &statements).await?;
                (pool.clone(), pool)
            }
        };
        Ok(Self {
            write,
            read,
            engine,
            address: Arc::new(address),
            statements,
        })
    }

    /// Closes every connection, so that nothing is left open when this returns.
    pub async fn close(self) {
        for pool in [self.write, self.read] {
            if let Err(error) = pool.connection().close().await {
                tracing::warn!(%error, "a connection to the database was not closed");
            }
        }
    }

    /// Begins a transaction that writes.
    pub async fn begin(&self) -> Result<Tx> {
        let options = TransactionOptions {
            // A deferred transaction that turns to writing late is refused when another wrote meanwhile.
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..Default::default()
        };
        Ok(Tx(self.write.begin(options).await?))
    }

    /// Whether the database answers and has the schema that this program was built for.
    pub async fn ready(&self) -> Result<()> {
        super::migrate::check(self.connection()).await
    }

    /// How long a statement, a lock or a connection is waited for on `PostgreSQL`.
    pub(super) fn timeout(&self) -> Duration {
        self.address.timeout
    }

    /// SQL statements sent since the start, transaction control not counted.
    pub fn statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }

    /// Connections to `PostgreSQL` as they are: all, and those at rest. None on `SQLite`.
    pub fn connections(&self) -> Option<(u32, usize)> {
        let pool = self.write.connection();
        (self.engine == Engine::Postgres).then(|| {
            let pool = pool.get_postgres_connection_pool();
            (pool.size(), pool.num_idle())
        })
    }

    /// A connection without time limits and around any pooler, for changes of the schema and for
    /// moving everything. To be closed by who asked for it.
    pub(super) async fn connect_for_long(&self) -> Result<DatabaseConnection> {
        match self.engine {
            Engine::Sqlite => {
                let url = self.address.url.expose();
                Ok(sqlite::connect(url, 1, false).await?)
            }
            Engine::Postgres => {
                let pool = PgPoolOptions::new()
                    .max_connections(1)
                    .acquire_timeout(sqlite::ACQUIRE_TIMEOUT)
                    .connect_with(self.direct(Duration::ZERO)?)
                    .await
                    .map_err(unavailable)?;
                Ok(pool.into())
            }
        }
    }

    pub async fn job_pool(&self) -> Result<JobPool> {
        match self.engine {
            Engine::Sqlite => Ok(JobPool::Sqlite(self.job_pool_of_sqlite().await?)),
            Engine::Postgres => {
                let pool = PgPoolOptions::new()
                    .max_connections(JOB_CONNECTIONS)
                    .acquire_timeout(self.address.timeout)
                    .connect_with(self.direct(self.address.timeout)?);
                Ok(JobPool::Postgres(pool.await.map_err(unavailable)?))
            }
        }
    }

    /// For looking at the jobs: few connections, made when somebody looks, that can change nothing.
    pub fn job_board_pool(&self) -> Result<JobPool> {
        match self.engine {
            Engine::Sqlite => {
                let url = self.address.url.expose();
                let options: SqliteConnectOptions = url.parse().map_err(Error::internal)?;
                let pool = SqlitePoolOptions::new()
                    .max_connections(BOARD_CONNECTIONS)
                    .idle_timeout(BOARD_IDLE)
                    .acquire_timeout(sqlite::ACQUIRE_TIMEOUT)
                    .connect_lazy_with(sqlite::configure(options, true));
                Ok(JobPool::Sqlite(pool))
            }
            Engine::Postgres => {
                let limit = self.address.timeout;
                let options = self.direct(limit)?;
                let pool = PgPoolOptions::new()
                    .max_connections(BOARD_CONNECTIONS)
                    .idle_timeout(BOARD_IDLE)
                    .acquire_timeout(limit)
                    // A look that was given up leaves a connection of which nobody knows whether it
                    // lives. The pool would wait for it to answer, and all later looks with it.
                    .after_release(move |connection, _| {
                        Box::pin(async move {
                            let ping = sqlx::Connection::ping(connection);
                            match tokio::time::timeout(limit, ping).await {
                                Ok(answer) => answer.map(|()| true),
                                Err(_) => Err(sqlx::Error::PoolTimedOut),
                            }
                        })
                    })
                    .connect_lazy_with(options.options([("default_transaction_read_only", "on")]));
                Ok(JobPool::Postgres(pool))
            }
        }
    }

    pub(super) async fn job_pool_of_sqlite(&self) -> Result<sqlx::SqlitePool> {
        let url = self.address.url.expose();
        let options: SqliteConnectOptions = url.parse().map_err(Error::internal)?;
        SqlitePoolOptions::new()
            .max_connections(2)
            .acquire_timeout(sqlite::ACQUIRE_TIMEOUT)
            .connect_with(sqlite::configure(options, false))
            .await
            .map_err(unavailable)
    }

    /// Options for connections around any pooler, with a time limit for statements; none is zero.
    pub(super) fn direct(&self, limit: Duration) -> Result<PgConnectOptions> {
        let url = self.address.direct_url.as_ref();
        let url = url.unwrap_or(&self.address.url).expose();
        let options: PgConnectOptions = url.parse().map_err(Error::internal)?;
        Ok(postgres::with_limits(options, limit).disable_statement_logging())
    }
}

/// One connection that reads an `SQLite` file as it is, and is kept for as long as that takes.
pub(super) async fn open_to_read(url: &Secret) -> Result<sqlx::SqlitePool> {
    let options: SqliteConnectOptions = url.expose().parse().map_err(Error::internal)?;
    let file = options.get_filename().to_owned();
    SqlitePoolOptions::new()
        .max_connections(1)
        .max_lifetime(None)
        .idle_timeout(None)
        .acquire_timeout(sqlite::ACQUIRE_TIMEOUT)
        .connect_with(sqlite::configure(options, true))
        .await
        .map_err(|error| Error::internal(format!("cannot open {}: {error}", file.display())))
}

#[allow(
    clippy::needless_pass_by_value,
    reason = "`map_err` hands it over by value"
)]
fn unavailable(error: sqlx::Error) -> Error {
    Error::Unavailable(error.to_string())
}
