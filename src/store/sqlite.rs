//! How an `SQLite` file is connected to. It has one writer at a time whatever one
//! does: with one connection they queue in order instead of racing for the lock.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use sea_orm::{ConnectOptions, Database, DatabaseConnection, DbErr};
use sqlx::ConnectOptions as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use url::form_urlencoded;

use super::address::Address;
use super::connection::{Pool, Watch};

/// Shorter than the time limit of a request, so that a caller hears of a busy database.
pub(super) const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(8);
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Found by measuring: 8 readers did better than 4 on two cores.
const READERS: u32 = 8;

/// One connection that writes, and several that read.
pub(super) async fn open(
    address: &Address,
    statements: &Arc<AtomicU64>,
) -> Result<(Pool, Pool), String> {
    let url = address.url.expose();
    make_for_owner_alone(url);
    let watch = Watch {
        statements: Arc::clone(statements),
        limit: None,
        found_silent: Arc::default(),
    };
    let mut pools = Vec::new();
    for (connections, read_only) in [(1, false), (READERS, true)] {
        let pool = connect(url, connections, read_only)
            .await
            .map_err(|error| cannot_open(url, &error))?;
        let again = pool.clone();
        pools.push(Pool::new(pool, move || again.clone(), None, watch.clone()));
    }
    match <[Pool; 2]>::try_from(pools) {
        Ok([write, read]) => Ok((write, read)),
        Err(_) => Err("DATABASE_URL: cannot be opened".into()),
    }
}

/// Where `SQLite` is to make the file, it is made here, empty, which `SQLite` takes for a new
/// database: by itself, it would make one that everybody on the machine can read. The files beside it,
/// `-wal` and `-shm`, follow its mode. A file that is there keeps its mode.
fn make_for_owner_alone(url: &str) {
    let is_to_be_made = url.split_once('?').is_some_and(|(_, query)| {
        form_urlencoded::parse(query.as_bytes()).any(|pair| pair == ("mode".into(), "rwc".into()))
    });
    let Ok(options) = url.parse::<SqliteConnectOptions>() else {
        return;
    };
    if is_to_be_made {
        let made = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(options.get_filename());
        // Whatever is in the way, SQLite meets next, and its error is the one that is told.
        drop(made);
    }
}

pub(super) async fn connect(
    url: &str,
    connections: u32,
    read_only: bool,
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
    Database::connect(options).await
}

pub(super) fn configure(options: SqliteConnectOptions, read_only: bool) -> SqliteConnectOptions {
    let options = options
        .busy_timeout(BUSY_TIMEOUT)
        .foreign_keys(true)
        .pragma("mmap_size", "268435456")
        .pragma("cache_size", "-16000")
        .pragma("temp_store", "MEMORY")
        .disable_statement_logging();
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
