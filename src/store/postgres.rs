//! How `PostgreSQL` is connected to: one pool for everything that requests do, with
//! the server's own time limits, and a look at each connection that has rested.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use sea_orm::DatabaseConnection;
use sqlx::ConnectOptions as _;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use super::address::Address;
use super::connection::{Pool, Watch};

/// For a connection that rested to show that it lives.
const PING: Duration = Duration::from_millis(300);
/// A connection that rested this long is tried before it is used: the server may have been
/// restarted meanwhile.
const RESTED: Duration = Duration::from_secs(1);
const IDLE_MAX: Duration = Duration::from_mins(10);
const LIFETIME_MAX: Duration = Duration::from_mins(30);

pub(super) async fn open(address: &Address, statements: &Arc<AtomicU64>) -> Result<Pool, String> {
    let unusable = |error: sqlx::Error| format!("DATABASE_URL: cannot be used: {error}");
    let options: PgConnectOptions = address.url.expose().parse().map_err(unusable)?;
    // What a transaction sets for itself behind a pooler; elsewhere the connection has it.
    let millis = address.timeout.as_millis();
    let limits = address.direct_url.is_some().then(|| {
        format!("SET LOCAL statement_timeout = {millis}; SET LOCAL lock_timeout = {millis}").into()
    });
    let options = if limits.is_some() {
        // The pooler hands each transaction to any of its connections: what is set or prepared on
        // one is not there on the next, and it refuses what it does not know at the start.
        options
            .statement_cache_capacity(0)
            .extra_float_digits(None::<i8>)
    } else {
        with_limits(options, address.timeout)
    }
    .disable_statement_logging();
    let found_silent = Arc::new(AtomicBool::new(false));
    let tells = Arc::clone(&found_silent);
    let pool = PgPoolOptions::new()
        .max_connections(address.connections)
        .acquire_timeout(address.timeout / 2)
        .idle_timeout(IDLE_MAX)
        .max_lifetime(LIFETIME_MAX)
        .test_before_acquire(false)
        .before_acquire(move |connection, meta| {
            let found_silent = Arc::clone(&tells);
            Box::pin(async move {
                if meta.idle_for < RESTED {
                    return Ok(true);
                }
                let ping = tokio::time::timeout(PING, sqlx::Connection::ping(connection));
                if let Ok(answer) = ping.await {
                    return Ok(answer.is_ok());
                }
                found_silent.store(true, Ordering::Relaxed);
                // Not asked to close in good order, which it would not answer either.
                Err(sqlx::Error::PoolTimedOut)
            })
        });
    let connect =
        move || -> DatabaseConnection { pool.clone().connect_lazy_with(options.clone()).into() };
    let connection = connect();
    connection
        .ping()
        .await
        .map_err(|error| format!("DATABASE_URL: PostgreSQL cannot be reached: {error}"))?;
    let watch = Watch {
        statements: Arc::clone(statements),
        // The server gives a statement up first, and the pool the wait for a connection: a statement
        // that takes longer than both is on a connection that is dead.
        limit: Some(address.timeout * 3 / 2 + PING),
        found_silent,
    };
    Ok(Pool::new(connection, connect, limits, watch))
}

/// The server's own limits, by which it gives up what nobody waits for any more.
pub(super) fn with_limits(options: PgConnectOptions, limit: Duration) -> PgConnectOptions {
    let millis = limit.as_millis().to_string();
    options.application_name("muster").options([
        ("statement_timeout", millis.as_str()),
        ("lock_timeout", &millis),
        ("idle_in_transaction_session_timeout", "30000"),
    ])
}
