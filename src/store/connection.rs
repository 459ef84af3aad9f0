//! Connections as the rest of `store` sees them. Each statement is counted, has a
//! span without its values, and on PostgreSQL a time limit: one that reaches it
//! means that nobody answers any more, so all connections are made anew.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use sea_orm::{
    ConnAcquireErr, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr,
    ExecResult, QueryResult, Statement, TransactionOptions, TransactionTrait,
};
use tracing::{Instrument, Span};

use crate::metrics;

/// What happens around each statement.
#[derive(Clone)]
pub(super) struct Watch {
    pub statements: Arc<AtomicU64>,
    /// None where the database runs in this process, and cannot go silent.
    pub limit: Option<Duration>,
    /// Set by whoever tried a connection that had rested, and got no answer.
    pub found_silent: Arc<AtomicBool>,
}

impl Watch {
    /// None when the time limit was reached.
    async fn statement<T>(
        &self,
        span: Span,
        work: impl Future<Output = Result<T, DbErr>> + Send,
    ) -> Option<Result<T, DbErr>> {
        self.statements.fetch_add(1, Ordering::Relaxed);
        metrics::count_statement();
        self.bounded(work.instrument(span)).await
    }

    async fn bounded<T>(
        &self,
        work: impl Future<Output = Result<T, DbErr>> + Send,
    ) -> Option<Result<T, DbErr>> {
        match self.limit {
            None => Some(work.await),
            Some(limit) => tokio::time::timeout(limit, work).await.ok(),
        }
    }
}

/// The text of a statement has placeholders where the values go.
fn span(sql: &str) -> Span {
    tracing::debug_span!("sql", db.query.text = sql)
}

fn nobody_answers() -> DbErr {
    DbErr::ConnectionAcquire(ConnAcquireErr::Timeout)
}

/// A pool, which is replaced when its connections have gone silent: a half-open one would
/// otherwise keep its place until the kernel gives it up, a quarter of an hour later.
#[derive(Clone)]
pub struct Pool {
    current: Arc<RwLock<Current>>,
    connect: Arc<dyn Fn() -> DatabaseConnection + Send + Sync>,
    /// Set behind a pooler in transaction mode: what each transaction sets for itself. Everything is
    /// in one there, since a statement that is prepared outside may be gone when it is to run.
    limits: Option<Arc<str>>,
    watch: Watch,
}

/// Begins a transaction, in a task of its own: one that is given up in the middle of beginning would
/// leave it open on a connection that goes back to the pool, while one that has begun and is dropped
/// is rolled back.
async fn begin(
    pool: DatabaseConnection,
    options: TransactionOptions,
    limits: Option<Arc<str>>,
) -> Result<DatabaseTransaction, DbErr> {
    let begun = tokio::spawn(async move {
        let transaction = pool.begin_with_options(options).await?;
        if let Some(limits) = limits {
            transaction.execute_unprepared(&limits).await?;
        }
        Ok(transaction)
    });
    begun.await.unwrap_or_else(|error| {
        Err(DbErr::Custom(format!(
            "a transaction was not begun: {error}"
        )))
    })
}

struct Current {
    pool: DatabaseConnection,
    round: u64,
}

impl Pool {
    pub(super) fn new(
        pool: DatabaseConnection,
        connect: impl Fn() -> DatabaseConnection + Send + Sync + 'static,
        limits: Option<Arc<str>>,
        watch: Watch,
    ) -> Self {
        Self {
            current: Arc::new(RwLock::new(Current { pool, round: 0 })),
            connect: Arc::new(connect),
            limits,
            watch,
        }
    }

    /// The connections as they are now, with the number of times that they were replaced.
    fn current(&self) -> (DatabaseConnection, u64) {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        (current.pool.clone(), current.round)
    }

    pub(super) fn connection(&self) -> DatabaseConnection {
        self.current().0
    }

    /// Makes new connections, unless somebody has since this round.
    fn replace(&self, round: u64) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if current.round == round {
            tracing::warn!("the database went silent; its connections are made anew");
            let old = std::mem::replace(&mut current.pool, (self.connect)());
            current.round += 1;
            tokio::spawn(async move { old.close().await });
        }
    }

    pub(super) async fn begin(&self, options: TransactionOptions) -> Result<Transaction, DbErr> {
        let (pool, round) = self.current();
        let begun = begin(pool, options, self.limits.clone());
        let answer = self.watch.bounded(begun).await;
        Ok(Transaction {
            inner: self.answered(answer, round)?,
            pool: self.clone(),
            round,
        })
    }

    fn answered<T>(&self, answer: Option<Result<T, DbErr>>, round: u64) -> Result<T, DbErr> {
        if self.watch.found_silent.swap(false, Ordering::Relaxed) {
            // Where one connection is dead, those that rested beside it are, too.
            self.replace(round);
        }
        answer.unwrap_or_else(|| {
            self.replace(round);
            Err(nobody_answers())
        })
    }
}

macro_rules! run {
    ($pool:ident.$method:ident($argument:ident), $sql:expr) => {{
        let (pool, round) = $pool.current();
        let span = span($sql);
        let work = async {
            if $pool.limits.is_none() {
                return pool.$method($argument).await;
            }
            let options = TransactionOptions::default();
            let transaction = begin(pool, options, $pool.limits.clone()).await?;
            let done = transaction.$method($argument).await?;
            transaction.commit().await?;
            Ok(done)
        };
        let answer = $pool.watch.statement(span, work).await;
        $pool.answered(answer, round)
    }};
}

#[async_trait]
impl ConnectionTrait for Pool {
    fn get_database_backend(&self) -> DbBackend {
        self.connection().get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        run!(self.execute_raw(statement), &statement.sql)
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        run!(self.execute_unprepared(sql), sql)
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        run!(self.query_one_raw(statement), &statement.sql)
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        run!(self.query_all_raw(statement), &statement.sql)
    }
}

/// A transaction whose statements are watched, too.
pub struct Transaction {
    inner: DatabaseTransaction,
    pool: Pool,
    round: u64,
}

impl Transaction {
    pub(super) async fn commit(self) -> Result<(), DbErr> {
        let Self { inner, pool, round } = self;
        let answer = pool.watch.bounded(inner.commit()).await;
        pool.answered(answer, round)
    }
}

macro_rules! run_in {
    ($transaction:ident.$method:ident($argument:ident), $sql:expr) => {{
        let Transaction { inner, pool, round } = $transaction;
        let span = span($sql);
        let answer = pool.watch.statement(span, inner.$method($argument)).await;
        pool.answered(answer, *round)
    }};
}

#[async_trait]
impl ConnectionTrait for Transaction {
    fn get_database_backend(&self) -> DbBackend {
        self.inner.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        run_in!(self.execute_raw(statement), &statement.sql)
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        run_in!(self.execute_unprepared(sql), sql)
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        run_in!(self.query_one_raw(statement), &statement.sql)
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        run_in!(self.query_all_raw(statement), &statement.sql)
    }
}
